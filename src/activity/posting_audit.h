// activity/posting_audit.h: whether what runs posted to people is what their records add up to. Private to the audit.
//
// Records come in from any thread, in any order; they wait by person (activity/shuffle.h). Then, person by person and run by run, the sums
// by asset are held against the run's digest, its postings and its debts: requested = booked - change of debt, pool by pool.
#pragma once
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "activity/shuffle.h"
#include "core/hash.h"
#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "journal/columns.h"
#include "journal/entry.h"
#include "ledger/audit.h"
#include "ledger/ledger.h"
#include "methodology/methodology.h"

namespace tanhui::activity {

/// "cn-420100-rail-2024@1" in the library; nullptr when that version is not there.
const methodology::Methodology* find_version(const methodology::Library& library, std::string_view id_and_version);

class PostingAudit {
 public:
  PostingAudit(db::Reader& reader, const methodology::Library& library, std::size_t memory_bytes,
               const std::filesystem::path& spill_folder);

  /// One for each thread.
  class Writer {
   public:
    explicit Writer(PostingAudit& audit) : audit_(audit), writer_(audit.shuffle_) {}
    /// Rows [begin, end), which all are records of `run` and `day`.
    core::Status add(const journal::RunEntry& run, core::Day day, const journal::Columns& rows, const journal::Names& names,
                     std::size_t begin, std::size_t end);

   private:
    core::Result<std::int64_t> reduction(const journal::RunEntry& run, core::Day day, const std::string& methodology);
    core::Result<std::int64_t> points(const journal::RunEntry& run, core::Day day);
    void put(const core::PersonKey& person, journal::RunId run, std::int64_t asset, std::int64_t amount);

    PostingAudit& audit_;
    Shuffle::Writer writer_;
    std::vector<std::int64_t> by_methodology_;  // assets, for one run and day; 0: not asked yet
  };

  /// The number of (person, run) pairs compared. Errors: verify.posting, verify.transfer.
  core::Result<std::uint64_t> compare(const std::map<journal::RunId, journal::RunEntry>& runs);

 private:
  struct OfRun;
  core::Result<std::int64_t> asset_of(const ledger::Asset& asset, std::string_view where);

  db::Reader& reader_;
  const methodology::Library& library_;
  Shuffle shuffle_;
  std::mutex mutex_;
  std::map<ledger::Asset, std::int64_t> assets_;
};

}  // namespace tanhui::activity
