// ledger/open_run.h: a run whose postings come batch by batch, each batch durable by itself: the credits of the open window. Balances
// follow at once; the postings wait in one row for each batch until close() makes of them what a run in one go would have left behind.
//
//   auto run = OpenRun::open(tx, key, "open window of city");     // the open run of that key, or a new one
//   RunTotals of_batch = run->post(tx, deltas);                   // any number of times, in any transactions
//   RunTotals totals = run->close(tx);                            // the same postings, balances and digest as one RunPosting of the sums
//
// What is said of RunPosting about debts holds. One writer: an OpenRun belongs to whoever holds the instance's run lock.
#pragma once
#include <map>
#include <span>
#include <string>

#include "ledger/ledger.h"

namespace tanhui::ledger {

struct Delta {
  core::PersonKey person;
  AssetId asset;
  std::int64_t amount = 0;
};

class OpenRun {
 public:
  /// Errors: conflict ledger.run-booked when the run of that key is closed.
  static core::Result<OpenRun> open(db::Transaction& tx, std::string_view key, std::string_view reason, Own counter = Own::issuance);

  /// People in ascending order; assets of a person in any order.
  RunTotals post(db::Transaction& tx, std::span<const Delta> deltas);
  /// Totals of all batches together. The run is over then.
  RunTotals close(db::Transaction& tx);
  std::int64_t transfer() const { return transfer_; }

 private:
  OpenRun(std::string key, std::string reason, std::int64_t transfer, Own counter)
      : key_(std::move(key)), reason_(std::move(reason)), transfer_(transfer), counter_(counter) {}
  std::string key_, reason_;
  std::int64_t transfer_;
  Own counter_;
  std::map<AssetId, Asset> assets_;  // known so far
};

/// What open runs have posted to people: (transfer, person, asset, amount). Reads every batch.
void each_open_posting(db::Reader& reader,
                       const std::function<void(std::int64_t, const core::PersonKey&, std::int64_t, std::int64_t)>& visit);
bool is_open_run(db::Reader& reader, std::int64_t transfer);

}  // namespace tanhui::ledger
