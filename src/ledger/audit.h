// ledger/audit.h: the ledger as an auditor reads it, run by run and person by person.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/result.h"
#include "db/db.h"

namespace tanhui::ledger {

/// The digest of what a run was asked to post, which the ledger and the log both keep:
/// SHA-256 over  version:u8=1 key:str reason:str (person[16] asset:i64 amount:i64)*   by person and asset, no amount zero; big-endian.
class RunDigest {
 public:
  RunDigest(std::string_view key, std::string_view reason);
  void add(const core::PersonKey& person, std::int64_t asset, std::int64_t amount);
  core::Digest finish();  // once

 private:
  void flush();
  core::Sha256 hash_;
  std::vector<std::array<std::uint64_t, 4>> waiting_;  // big-endian already
};

struct RunTransfer {
  std::int64_t id = 0;
  std::string reason;
  core::Digest digest{};
};
std::optional<RunTransfer> find_run_transfer(db::Reader& reader, std::string_view key);

/// What a run posted to the people whose key begins with `first_byte`, in their order; amounts by asset.
void each_run_posting(db::Reader& reader, std::int64_t transfer, std::uint8_t first_byte,
                      const std::function<void(const core::PersonKey&, const std::vector<std::pair<std::int64_t, std::int64_t>>&)>& visit);
/// The debts that a transfer changed, by person and asset.
void each_debt_change(db::Reader& reader, std::int64_t transfer,
                      const std::function<void(const core::PersonKey&, std::int64_t asset, std::int64_t amount)>& visit);

/// Makes the digest of every transfer again from its postings. Runs whose key `checked_elsewhere` knows are passed over: what they were
/// asked for stands in the journal. Refused ledger.broken names the first transfer that is not what was asked for under its key.
core::Status check_transfers(db::Reader& reader, const std::function<bool(std::string_view key)>& checked_elsewhere);

}  // namespace tanhui::ledger
