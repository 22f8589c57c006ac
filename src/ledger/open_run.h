// ledger/open_run.h: a run whose postings come batch by batch, each batch durable by itself: the credits of the open window. What a batch
// asks for is one row; balances follow when book() comes by, for all batches since the last time together, because a balance for each
// credit would be a page of the database for each credit. close() makes of it what a run in one go would have left behind.
//
//   auto run = OpenRun::open(tx, key, "open window of city");     // the open run of that key, or a new one
//   run->post(tx, deltas);                                        // any number of times, in any transactions
//   run->book(tx);                                                // every second or so: from then on people can spend it
//   RunTotals totals = run->close(tx);                            // the same postings, balances and digest as one RunPosting of the sums
//
// What is said of RunPosting about debts holds, as of book(). One writer: an OpenRun belongs to whoever holds the instance's run lock;
// after a transaction of it was rolled back it is thrown away and opened again.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

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
  void post(db::Transaction& tx, std::span<const Delta> deltas);
  /// Moves the balances by what was posted and not booked yet: by about `postings_max` of it, in the order of people, so that no
  /// transaction takes long. What is left over comes first with the next call.
  RunTotals book(db::Transaction& tx, std::size_t postings_max = SIZE_MAX);
  bool booking() const { return !slices_.empty(); }  // something is left over
  std::size_t unbooked() const { return pending_.size() + sliced_; }
  /// Totals of all batches together. The run is over then.
  RunTotals close(db::Transaction& tx);
  std::int64_t transfer() const { return transfer_; }

 private:
  OpenRun(std::string key, std::string reason, std::int64_t transfer, Own counter)
      : key_(std::move(key)), reason_(std::move(reason)), transfer_(transfer), counter_(counter) {}
  struct Slice {
    std::int64_t batch = 0;  // its row
    std::vector<Delta> deltas;
  };
  void read_pending(db::Transaction& tx);
  void slice_pending(db::Transaction& tx, std::size_t postings_max);
  std::string key_, reason_;
  std::int64_t transfer_;
  Own counter_;
  std::int64_t batch_ = 0;           // the last one that was written
  std::vector<Delta> pending_;       // posted, not booked
  std::deque<Slice> slices_;         // of what was pending when booking began, by person
  std::size_t sliced_ = 0;           // postings in them
  std::map<AssetId, Asset> assets_;  // known so far
};

/// What open runs have booked for people: (transfer, person, asset, amount). Reads every batch.
void each_open_posting(db::Reader& reader,
                       const std::function<void(std::int64_t, const core::PersonKey&, std::int64_t, std::int64_t)>& visit);

}  // namespace tanhui::ledger
