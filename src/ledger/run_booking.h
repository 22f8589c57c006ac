// ledger/run_booking.h: how the deltas of a run become balances, debts and postings: of a run in one go (RunPosting) and of one batch of an
// open run (OpenRun). Private to the ledger.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ledger/audit.h"
#include "ledger/ledger.h"

namespace tanhui::ledger {

/// Rows of a person on their way into a table: bytes one after the other, and where each ends.
struct PackedRows {
  std::vector<core::PersonKey> owners;
  std::string bytes;
  std::vector<std::size_t> ends;
  void close(const core::PersonKey& owner) {
    owners.push_back(owner);
    ends.push_back(bytes.size());
  }
  bool open() const { return bytes.size() > (ends.empty() ? 0 : ends.back()); }
  std::string_view row(std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(bytes).substr(begin, ends[i] - begin);
  }
  void clear() {
    owners.clear();
    bytes.clear();
    ends.clear();
  }
};

class RunBooking {
 public:
  enum class Into { run_posting, block };
  RunBooking(db::Transaction& tx, std::int64_t transfer, Own counter, Into into, std::map<AssetId, Asset> assets = {});

  /// People in ascending order.
  void add(std::int64_t asset, const core::PersonKey& who, std::int64_t delta);
  /// Books the last person and the counter side.
  RunTotals finish();

  std::optional<RunDigest> digest;  // of what is asked for; the caller decides whether there is one
  PackedRows requested, booked;     // Into::block: everything, by person; else nothing
  std::map<AssetId, Asset> take_assets() { return std::move(assets_); }

  /// Debts to be paid before anything else, by person and asset.
  void expect_debts_of_everybody();
  void expect_debts_of(std::span<const core::PersonKey> people);

 private:
  struct Entry {
    std::int64_t asset, delta;
  };
  /// One asset of a person while an adjustment is worked out.
  struct Lot {
    std::int64_t available = 0, change = 0;
    std::int64_t owed_before = 0, owed = 0;
    std::int64_t left() const { return available + change; }
  };
  struct BalanceBatch {
    std::vector<core::PersonKey> owners;
    std::vector<std::int64_t> assets, amounts;
  };
  struct Debt {
    core::PersonKey person;
    std::int64_t asset, amount;
  };

  RunTotals::PerAsset& sums(std::int64_t asset);
  void settle();
  void merge_entries();
  void book(std::int64_t asset, std::int64_t amount);
  void record(std::int64_t asset, std::int64_t amount);
  void close_rows();
  void adjust();
  void pay_from_pool(std::int64_t debt_asset, Lot& debt, std::map<std::int64_t, Lot>& lots);
  void write_lot(std::int64_t asset, const Lot& lot);
  void change_debt(std::int64_t asset, std::int64_t change);
  void flush();
  void check_pools() const;

  db::Transaction& tx_;
  std::int64_t transfer_;
  Own counter_;
  Into into_;
  db::BulkInsert insert_balances_;
  std::optional<db::BulkInsert> insert_entries_;
  BalanceBatch balance_batch_;
  std::map<AssetId, Asset> assets_;
  std::vector<RunTotals::PerAsset> per_asset_;  // by id
  std::vector<Debt> debts_;                     // by person, the open ones
  std::size_t next_debt_ = 0;
  std::optional<core::PersonKey> person_;
  std::vector<Entry> entries_;  // of `person_`
  RunTotals totals_;
  bool finished_ = false;
};

}  // namespace tanhui::ledger
