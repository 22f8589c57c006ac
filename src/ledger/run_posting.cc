#include <fmt/format.h>

#include "core/invariant.h"
#include "ledger/ledger.h"
#include "ledger/run_booking.h"
#include "ledger/stored_asset.h"

namespace tanhui::ledger {
namespace {

constexpr std::size_t kPageRows = 2048;

}  // namespace

struct RunPosting::State {
  State(db::Transaction& transaction, std::string_view key, std::string_view reason, std::int64_t id, Own counter)
      : tx(transaction), transfer(id), booking(transaction, id, counter, RunBooking::Into::run_posting) {
    booking.digest.emplace(key, reason);
    booking.expect_debts_of_everybody();
  }
  RunTotals finish() {
    RunTotals totals = booking.finish();
    totals.digest = booking.digest->finish();
    tx.exec("UPDATE transfer SET digest = $2 WHERE id = $1", transfer, totals.digest);
    return totals;
  }
  db::Transaction& tx;
  std::int64_t transfer;
  RunBooking booking;
};

RunPosting::RunPosting(std::unique_ptr<State> state) : state_(std::move(state)) {}
RunPosting::RunPosting(RunPosting&&) noexcept = default;
RunPosting& RunPosting::operator=(RunPosting&&) noexcept = default;
RunPosting::~RunPosting() = default;

core::Result<RunPosting> RunPosting::start(db::Transaction& tx, std::string_view key, std::string_view reason, Own counter) {
  if (tx.exec("INSERT INTO transfer (id, key, digest, reason) SELECT coalesce(max(id), 0) + 1, $1, $2, $3 FROM transfer WHERE true "
              "ON CONFLICT (key) DO NOTHING",
              key, core::Digest{}, reason) == 0)
    return core::Error{core::ErrorCode::conflict,
                       "ledger.run-booked",
                       fmt::format("the run '{}' is already booked", key),
                       "nothing needs to be done: its credits are in the accounts",
                       {{"key", std::string(key)}}};
  const auto id = tx.find<std::int64_t>("SELECT id FROM transfer WHERE key = $1", key);
  return RunPosting(std::make_unique<State>(tx, key, reason, *id, counter));
}

void RunPosting::add(AssetId asset, const core::PersonKey& person, std::int64_t delta) { state_->booking.add(asset.value, person, delta); }
RunTotals RunPosting::finish() { return state_->finish(); }
std::int64_t RunPosting::transfer() const { return state_->transfer; }

core::Result<RunTotals> expire_points(db::Transaction& tx, std::string_view key, std::string_view programme, core::Day today) {
  auto posting = RunPosting::start(tx, key, fmt::format("points expired until {}", core::to_text(today)), Own::expired);
  if (!posting) return posting.error();
  RunPosting run = *std::move(posting);
  struct Left {
    core::PersonKey owner;
    std::int64_t asset, available;
  };
  std::vector<Left> page;
  Left last{{0, 0}, 0, 0};
  do {  // page by page: the balances that are read are the ones that are changed
    page.clear();
    tx.each(
        "SELECT owner, asset, amount - held FROM balance WHERE (owner, asset) > ($1, $2) AND amount > held AND asset IN "
        "(SELECT id FROM asset WHERE kind = 'points' AND programme = $3 AND period > 0 AND period < $4) ORDER BY owner, asset LIMIT $5",
        [&](const db::Row& row) {
          page.push_back({row.get<core::PersonKey>(0), row.integer(1), row.integer(2)});
        },
        last.owner, last.asset, programme, month_of(today), std::int64_t(kPageRows));
    for (const Left& left : page) run.add({left.asset}, left.owner, -left.available);
    if (!page.empty()) last = page.back();
  } while (page.size() == kPageRows);
  return run.finish();
}

}  // namespace tanhui::ledger
