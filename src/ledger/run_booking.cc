#include "ledger/run_booking.h"

#include <algorithm>

#include "core/int128.h"
#include "core/invariant.h"
#include "core/quantity.h"
#include "ledger/entries.h"
#include "ledger/stored_asset.h"

namespace tanhui::ledger {
namespace {

constexpr std::size_t kBatchRows = 2048;

std::int64_t expiry_rank(const Asset& asset) { return asset.period == 0 ? INT64_MAX : asset.period; }

}  // namespace

RunBooking::RunBooking(db::Transaction& tx, std::int64_t transfer, Own counter, Into into, std::map<AssetId, Asset> assets)
    : tx_(tx),
      transfer_(transfer),
      counter_(counter),
      into_(into),
      insert_balances_(tx, "balance", {"owner", "asset", "amount"},
                       "ON CONFLICT (owner, asset) DO UPDATE SET amount = balance.amount + excluded.amount"),
      assets_(std::move(assets)) {
  if (into == Into::run_posting)
    insert_entries_.emplace(tx, "run_posting", std::initializer_list<std::string_view>{"transfer", "owner", "entries"});
}

void RunBooking::expect_debts_of_everybody() {
  tx_.each("SELECT owner, asset, amount FROM debt WHERE amount > 0 ORDER BY owner, asset", [&](const db::Row& row) {
    debts_.push_back({row.get<core::PersonKey>(0), row.integer(1), row.integer(2)});
  });
}

void RunBooking::expect_debts_of(std::span<const core::PersonKey> people) {
  if (!tx_.find<std::int64_t>("SELECT 1 FROM debt WHERE amount > 0 LIMIT 1")) return;  // most instances know no debt
  db::BatchQuery stored(tx_, "SELECT d.owner, d.asset, d.amount FROM batch JOIN debt d ON d.owner = c0 WHERE d.amount > 0",
                        {db::BatchQuery::bytes});
  stored.each({people}, [&](const db::Row& row) { debts_.push_back({row.get<core::PersonKey>(0), row.integer(1), row.integer(2)}); });
  std::sort(debts_.begin(), debts_.end(),
            [](const Debt& a, const Debt& b) { return std::tie(a.person, a.asset) < std::tie(b.person, b.asset); });
}

RunTotals::PerAsset& RunBooking::sums(std::int64_t asset) {
  if (std::size_t(asset) >= per_asset_.size() || per_asset_[std::size_t(asset)].asset.value == 0) [[unlikely]] {
    if (!assets_.contains({asset})) assets_ = all_assets(tx_);
    core::invariant(assets_.contains({asset}), "a run posts assets that are registered");
    if (per_asset_.size() <= std::size_t(asset)) per_asset_.resize(std::size_t(asset) + 1);
    per_asset_[std::size_t(asset)].asset = {asset};
  }
  return per_asset_[std::size_t(asset)];
}

void RunBooking::add(std::int64_t asset, const core::PersonKey& who, std::int64_t delta) {
  core::invariant(!finished_, "nothing is added to a finished run");
  core::invariant(delta >= -kAmountMax && delta <= kAmountMax, "an amount of a run is within the ledger's bounds");
  if (delta == 0) return;
  if (!person_ || *person_ != who) {
    core::invariant(!person_ || *person_ < who, "people of a run come in ascending order");
    settle();
    person_ = who;
  }
  entries_.push_back({asset, delta});
  RunTotals::PerAsset& sum = sums(asset);
  sum.requested = core::add_or_throw(sum.requested, delta);
}

// Everything of `person_` is here: book it.
void RunBooking::settle() {
  if (entries_.empty()) return;
  ++totals_.people;
  merge_entries();
  if (digest) {
    for (const Entry& entry : entries_) digest->add(*person_, entry.asset, entry.delta);
  }
  if (into_ == Into::block) {
    for (const Entry& entry : entries_) append_entry(requested.bytes, entry.asset, entry.delta);
  }
  bool plain = true;
  for (const Entry& entry : entries_) plain = plain && entry.delta > 0;
  while (next_debt_ < debts_.size() && debts_[next_debt_].person < *person_) ++next_debt_;
  if (plain && (next_debt_ == debts_.size() || debts_[next_debt_].person != *person_)) {
    for (const auto& [asset, delta] : entries_) book(asset, delta);
  } else {
    adjust();
  }
  close_rows();
  entries_.clear();
  if (balance_batch_.owners.size() >= kBatchRows) flush();
}

// One entry an asset, by asset, none of them zero.
void RunBooking::merge_entries() {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.asset < b.asset; });
  std::size_t kept = 0;
  for (const Entry& entry : entries_) {
    if (kept > 0 && entries_[kept - 1].asset == entry.asset)
      entries_[kept - 1].delta = core::add_or_throw(entries_[kept - 1].delta, entry.delta);
    else
      entries_[kept++] = entry;
  }
  entries_.resize(kept);
  std::erase_if(entries_, [](const Entry& entry) { return entry.delta == 0; });
}

void RunBooking::book(std::int64_t asset, std::int64_t amount) {
  balance_batch_.owners.push_back(*person_);
  balance_batch_.assets.push_back(asset);
  balance_batch_.amounts.push_back(amount);
  record(asset, amount);
}

void RunBooking::record(std::int64_t asset, std::int64_t amount) {
  append_entry(booked.bytes, asset, amount);
  RunTotals::PerAsset& sum = sums(asset);
  sum.booked = core::add_or_throw(sum.booked, amount);
  ++totals_.postings;
}

void RunBooking::close_rows() {
  if (into_ == Into::block) {
    if (!requested.open() && !booked.open()) return;
    requested.close(*person_);
    booked.close(*person_);
  } else if (booked.open()) {
    booked.close(*person_);
  }
}

// The slow path: something is taken back, or the person owes. What cannot be taken becomes owed; what is owed is paid from what is left.
void RunBooking::adjust() {
  // Batches of an open run may meet a person again: what is on its way must be there before it is read.
  if (into_ == Into::block) flush();
  std::map<std::int64_t, Lot> lots;
  tx_.each(
      "SELECT asset, amount - held FROM balance WHERE owner = $1",
      [&](const db::Row& row) { lots[row.integer(0)].available = row.integer(1); }, *person_);
  for (; next_debt_ < debts_.size() && debts_[next_debt_].person == *person_; ++next_debt_) {
    Lot& lot = lots[debts_[next_debt_].asset];
    lot.owed = lot.owed_before = debts_[next_debt_].amount;
  }
  for (const auto& [asset, delta] : entries_) lots[asset].change = core::add_or_throw(lots[asset].change, delta);
  for (auto& [asset, lot] : lots) {
    sums(asset);  // from here on `assets_` knows it
    if (lot.left() >= 0) continue;
    lot.owed = core::add_or_throw(lot.owed, -lot.left());
    lot.change = -lot.available;
  }
  for (auto& [asset, lot] : lots)
    if (lot.owed > 0) pay_from_pool(asset, lot, lots);
  for (auto& [asset, lot] : lots) write_lot(asset, lot);
}

void RunBooking::pay_from_pool(std::int64_t debt_asset, Lot& debt, std::map<std::int64_t, Lot>& lots) {
  std::vector<std::pair<std::int64_t, Lot*>> payers;
  for (auto& [asset, lot] : lots)
    if (lot.left() > 0 && same_pool(assets_.at({asset}), assets_.at({debt_asset})))
      payers.emplace_back(expiry_rank(assets_.at({asset})), &lot);
  std::stable_sort(payers.begin(), payers.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [rank, payer] : payers) {
    const std::int64_t paid = std::min(debt.owed, payer->left());
    debt.owed -= paid;
    payer->change -= paid;
  }
}

void RunBooking::write_lot(std::int64_t asset, const Lot& lot) {
  if (lot.change > 0) {
    book(asset, lot.change);
  } else if (lot.change < 0) {  // an upsert would be refused: its row would be below zero before it met the old one
    const std::int64_t changed =
        tx_.exec("UPDATE balance SET amount = amount + $3 WHERE owner = $1 AND asset = $2", *person_, asset, lot.change);
    core::invariant(changed == 1, "what is taken back lies on one account");
    record(asset, lot.change);
  }
  const std::int64_t debt_change = lot.owed - lot.owed_before;
  if (debt_change == 0) return;
  tx_.exec("INSERT INTO debt (owner, asset, amount) VALUES ($1, $2, $3) ON CONFLICT (owner, asset) DO UPDATE SET amount = $3", *person_,
           asset, lot.owed);
  change_debt(asset, debt_change);
  RunTotals::PerAsset& sum = sums(asset);
  sum.debt_change = core::add_or_throw(sum.debt_change, debt_change);
  if (debt_change > 0) ++totals_.new_debts;
}

// A run in one go changes a debt once. Batches of an open run may change it again, even back to where it was.
void RunBooking::change_debt(std::int64_t asset, std::int64_t change) {
  const auto before = into_ == Into::run_posting
                          ? std::nullopt
                          : tx_.find<std::int64_t>("SELECT amount FROM debt_change WHERE transfer = $1 AND owner = $2 AND asset = $3",
                                                   transfer_, *person_, asset);
  if (!before) {
    tx_.exec("INSERT INTO debt_change (transfer, owner, asset, amount) VALUES ($1, $2, $3, $4)", transfer_, *person_, asset, change);
  } else if (*before + change == 0) {
    tx_.exec("DELETE FROM debt_change WHERE transfer = $1 AND owner = $2 AND asset = $3", transfer_, *person_, asset);
  } else {
    tx_.exec("UPDATE debt_change SET amount = $4 WHERE transfer = $1 AND owner = $2 AND asset = $3", transfer_, *person_, asset,
             *before + change);
  }
}

void RunBooking::flush() {
  if (!balance_batch_.owners.empty()) {
    const std::int64_t written = insert_balances_.insert({std::span<const core::PersonKey>(balance_batch_.owners),
                                                          std::span<const std::int64_t>(balance_batch_.assets),
                                                          std::span<const std::int64_t>(balance_batch_.amounts)});
    core::invariant(written == std::int64_t(balance_batch_.owners.size()), "every amount of a run changes one balance");
  }
  balance_batch_.owners.clear();
  balance_batch_.assets.clear();
  balance_batch_.amounts.clear();
  if (into_ == Into::block || booked.owners.empty()) return;
  std::vector<std::string_view> rows;
  rows.reserve(booked.owners.size());
  for (std::size_t i = 0; i < booked.owners.size(); ++i) rows.push_back(booked.row(i));
  const std::int64_t written =
      insert_entries_->insert({transfer_, std::span<const core::PersonKey>(booked.owners), std::span<const std::string_view>(rows)});
  core::invariant(written == std::int64_t(rows.size()), "every person of a run gets one row of postings");
  booked.clear();
}

RunTotals RunBooking::finish() {
  core::invariant(!finished_, "a run is finished once");
  settle();
  flush();
  finished_ = true;
  for (const RunTotals::PerAsset& sum : per_asset_) {
    if (sum.requested == 0 && sum.booked == 0 && sum.debt_change == 0) continue;
    if (sum.booked != 0) {
      const auto book_side = into_ == Into::block ? book_own_again : book_own;
      core::invariant(book_side(tx_, transfer_, counter_, sum.asset, -sum.booked), "the counter side of a run stays in its bounds");
    }
    totals_.per_asset.push_back(sum);
  }
  check_pools();
  return std::move(totals_);
}

// What was asked for is what was booked less what became debt, pool by pool: computed on two ways, compared.
void RunBooking::check_pools() const {
  std::map<std::pair<std::string, Asset>, core::Int128> differences;
  for (const RunTotals::PerAsset& sum : totals_.per_asset) {
    const Asset& asset = assets_.at(sum.asset);
    const Asset pool = asset.kind == AssetKind::points ? Asset{} : asset;
    differences[{asset.programme, pool}] += core::Int128(sum.requested) - sum.booked + sum.debt_change;
  }
  for (const auto& [pool, difference] : differences) core::invariant(difference == 0, "a run books what it was asked to, or a debt");
}

}  // namespace tanhui::ledger
