#include <fmt/format.h>

#include "core/int128.h"
#include "core/invariant.h"
#include "core/quantity.h"
#include "ledger/audit.h"
#include "ledger/entries.h"
#include "ledger/ledger.h"
#include "ledger/stored_asset.h"

namespace tanhui::ledger {
namespace {

constexpr std::size_t kBatchRows = 2048;

struct Entry {
  std::int64_t asset, delta;
};

/// One asset of a person while an adjustment is worked out.
struct Lot {
  std::int64_t available = 0, change = 0;
  std::int64_t owed_before = 0, owed = 0;
  std::int64_t left() const { return available + change; }
};

std::int64_t expiry_rank(const Asset& asset) { return asset.period == 0 ? INT64_MAX : asset.period; }

/// Rows of one table on their way into it.
struct BalanceBatch {
  std::vector<core::PersonKey> owners;
  std::vector<std::int64_t> assets, amounts;
};
struct EntriesBatch {
  std::vector<core::PersonKey> owners;
  std::string bytes;
  std::vector<std::size_t> ends;
};

}  // namespace

struct RunPosting::State {
  db::Transaction& tx;
  std::string key;
  std::int64_t transfer;
  Own counter;
  db::BulkInsert insert_balances, insert_entries;
  BalanceBatch balance_batch;
  EntriesBatch entries_batch;
  RunDigest digest;
  std::map<AssetId, Asset> assets;
  std::vector<RunTotals::PerAsset> per_asset;                                            // by id
  std::vector<std::pair<core::PersonKey, std::pair<std::int64_t, std::int64_t>>> debts;  // (asset, amount) by person, the open ones
  std::size_t next_debt = 0;
  std::optional<core::PersonKey> person;
  std::vector<Entry> entries;  // of `person`
  RunTotals totals;
  bool finished = false;

  State(db::Transaction& transaction, std::string_view run_key, std::string_view reason, std::int64_t id, Own from)
      : tx(transaction),
        key(run_key),
        transfer(id),
        counter(from),
        insert_balances(tx, "balance", {"owner", "asset", "amount"},
                        "ON CONFLICT (owner, asset) DO UPDATE SET amount = balance.amount + excluded.amount"),
        insert_entries(tx, "run_posting", {"transfer", "owner", "entries"}),
        digest(run_key, reason) {
    tx.each("SELECT owner, asset, amount FROM debt WHERE amount > 0 ORDER BY owner, asset", [&](const db::Row& row) {
      debts.push_back({row.get<core::PersonKey>(0), {row.integer(1), row.integer(2)}});
    });
  }

  RunTotals::PerAsset& sums(std::int64_t asset) {
    if (std::size_t(asset) >= per_asset.size() || per_asset[std::size_t(asset)].asset.value == 0) [[unlikely]] {
      if (!assets.contains({asset})) assets = all_assets(tx);
      core::invariant(assets.contains({asset}), "a run posts assets that are registered");
      if (per_asset.size() <= std::size_t(asset)) per_asset.resize(std::size_t(asset) + 1);
      per_asset[std::size_t(asset)].asset = {asset};
    }
    return per_asset[std::size_t(asset)];
  }

  void add(std::int64_t asset, const core::PersonKey& who, std::int64_t delta) {
    core::invariant(!finished, "nothing is added to a finished run");
    core::invariant(delta >= -kAmountMax && delta <= kAmountMax, "an amount of a run is within the ledger's bounds");
    if (delta == 0) return;
    if (!person || *person != who) {
      core::invariant(!person || *person < who, "people of a run come in ascending order");
      settle();
      person = who;
    }
    entries.push_back({asset, delta});
    RunTotals::PerAsset& sum = sums(asset);
    sum.requested = core::add_or_throw(sum.requested, delta);
  }

  /// Everything of `person` is here: book it.
  void settle() {
    if (entries.empty()) return;
    ++totals.people;
    merge_entries();
    for (const Entry& entry : entries) digest.add(*person, entry.asset, entry.delta);
    bool plain = true;
    for (const Entry& entry : entries) plain = plain && entry.delta > 0;
    while (next_debt < debts.size() && debts[next_debt].first < *person) ++next_debt;
    if (plain && (next_debt == debts.size() || debts[next_debt].first != *person)) {
      for (const auto& [asset, delta] : entries) book(asset, delta);
      close_row();
    } else {
      adjust();
    }
    entries.clear();
    if (balance_batch.owners.size() >= kBatchRows) flush();
  }

  /// One entry an asset, by asset, none of them zero.
  void merge_entries() {
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.asset < b.asset; });
    std::size_t kept = 0;
    for (const Entry& entry : entries) {
      if (kept > 0 && entries[kept - 1].asset == entry.asset)
        entries[kept - 1].delta = core::add_or_throw(entries[kept - 1].delta, entry.delta);
      else
        entries[kept++] = entry;
    }
    entries.resize(kept);
    std::erase_if(entries, [](const Entry& entry) { return entry.delta == 0; });
  }

  void book(std::int64_t asset, std::int64_t amount) {
    balance_batch.owners.push_back(*person);
    balance_batch.assets.push_back(asset);
    balance_batch.amounts.push_back(amount);
    record(asset, amount);
  }
  void record(std::int64_t asset, std::int64_t amount) {
    append_entry(entries_batch.bytes, asset, amount);
    RunTotals::PerAsset& sum = sums(asset);
    sum.booked = core::add_or_throw(sum.booked, amount);
    ++totals.postings;
  }
  void close_row() {
    if (!entries_batch.ends.empty() && entries_batch.ends.back() == entries_batch.bytes.size()) return;
    if (entries_batch.ends.empty() && entries_batch.bytes.empty()) return;
    entries_batch.owners.push_back(*person);
    entries_batch.ends.push_back(entries_batch.bytes.size());
  }

  /// The slow path: something is taken back, or the person owes. What cannot be taken becomes owed; what is owed is paid from what is left.
  void adjust() {
    std::map<std::int64_t, Lot> lots;
    tx.each(
        "SELECT asset, amount - held FROM balance WHERE owner = $1",
        [&](const db::Row& row) { lots[row.integer(0)].available = row.integer(1); }, *person);
    for (; next_debt < debts.size() && debts[next_debt].first == *person; ++next_debt) {
      Lot& lot = lots[debts[next_debt].second.first];
      lot.owed = lot.owed_before = debts[next_debt].second.second;
    }
    for (const auto& [asset, delta] : entries) lots[asset].change = core::add_or_throw(lots[asset].change, delta);
    for (auto& [asset, lot] : lots) {
      sums(asset);  // from here on `assets` knows it
      if (lot.left() >= 0) continue;
      lot.owed = core::add_or_throw(lot.owed, -lot.left());
      lot.change = -lot.available;
    }
    for (auto& [asset, lot] : lots)
      if (lot.owed > 0) pay_from_pool(asset, lot, lots);
    for (auto& [asset, lot] : lots) write_lot(asset, lot);
    close_row();
  }

  void pay_from_pool(std::int64_t debt_asset, Lot& debt, std::map<std::int64_t, Lot>& lots) {
    std::vector<std::pair<std::int64_t, Lot*>> payers;
    for (auto& [asset, lot] : lots)
      if (lot.left() > 0 && same_pool(assets.at({asset}), assets.at({debt_asset})))
        payers.emplace_back(expiry_rank(assets.at({asset})), &lot);
    std::stable_sort(payers.begin(), payers.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [rank, payer] : payers) {
      const std::int64_t paid = std::min(debt.owed, payer->left());
      debt.owed -= paid;
      payer->change -= paid;
    }
  }

  void write_lot(std::int64_t asset, const Lot& lot) {
    if (lot.change > 0) {
      book(asset, lot.change);
    } else if (lot.change < 0) {  // an upsert would be refused: its row would be below zero before it met the old one
      const std::int64_t changed =
          tx.exec("UPDATE balance SET amount = amount + $3 WHERE owner = $1 AND asset = $2", *person, asset, lot.change);
      core::invariant(changed == 1, "what is taken back lies on one account");
      record(asset, lot.change);
    }
    const std::int64_t debt_change = lot.owed - lot.owed_before;
    if (debt_change == 0) return;
    tx.exec("INSERT INTO debt (owner, asset, amount) VALUES ($1, $2, $3) ON CONFLICT (owner, asset) DO UPDATE SET amount = $3", *person,
            asset, lot.owed);
    tx.exec("INSERT INTO debt_change (transfer, owner, asset, amount) VALUES ($1, $2, $3, $4)", transfer, *person, asset, debt_change);
    RunTotals::PerAsset& sum = sums(asset);
    sum.debt_change = core::add_or_throw(sum.debt_change, debt_change);
    if (debt_change > 0) ++totals.new_debts;
  }

  void flush() {
    if (!balance_batch.owners.empty()) {
      const std::int64_t written = insert_balances.insert({std::span<const core::PersonKey>(balance_batch.owners),
                                                           std::span<const std::int64_t>(balance_batch.assets),
                                                           std::span<const std::int64_t>(balance_batch.amounts)});
      core::invariant(written == std::int64_t(balance_batch.owners.size()), "every amount of a run changes one balance");
    }
    balance_batch.owners.clear();
    balance_batch.assets.clear();
    balance_batch.amounts.clear();
    std::vector<std::string_view> rows;
    rows.reserve(entries_batch.ends.size());
    std::size_t begin = 0;
    for (const std::size_t end : entries_batch.ends) {
      rows.push_back(std::string_view(entries_batch.bytes).substr(begin, end - begin));
      begin = end;
    }
    if (!rows.empty()) {
      const std::int64_t written = insert_entries.insert(
          {transfer, std::span<const core::PersonKey>(entries_batch.owners), std::span<const std::string_view>(rows)});
      core::invariant(written == std::int64_t(rows.size()), "every person of a run gets one row of postings");
    }
    entries_batch.owners.clear();
    entries_batch.ends.clear();
    entries_batch.bytes.clear();
  }

  RunTotals finish() {
    core::invariant(!finished, "a run is finished once");
    settle();
    flush();
    finished = true;
    for (const RunTotals::PerAsset& sum : per_asset) {
      if (sum.requested == 0 && sum.booked == 0 && sum.debt_change == 0) continue;
      if (sum.booked != 0)
        core::invariant(book_own(tx, transfer, counter, sum.asset, -sum.booked), "the counter side of a run stays in its bounds");
      totals.per_asset.push_back(sum);
    }
    check_pools();
    totals.digest = digest.finish();
    tx.exec("UPDATE transfer SET digest = $2 WHERE id = $1", transfer, totals.digest);
    return totals;
  }

  /// What was asked for is what was booked less what became debt, pool by pool: computed on two ways, compared.
  void check_pools() const {
    std::map<std::pair<std::string, Asset>, core::Int128> differences;
    for (const RunTotals::PerAsset& sum : totals.per_asset) {
      const Asset& asset = assets.at(sum.asset);
      const Asset pool = asset.kind == AssetKind::points ? Asset{} : asset;
      differences[{asset.programme, pool}] += core::Int128(sum.requested) - sum.booked + sum.debt_change;
    }
    for (const auto& [pool, difference] : differences) core::invariant(difference == 0, "a run books what it was asked to, or a debt");
  }
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

void RunPosting::add(AssetId asset, const core::PersonKey& person, std::int64_t delta) { state_->add(asset.value, person, delta); }
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
        last.owner, last.asset, programme, month_of(today), std::int64_t(kBatchRows));
    for (const Left& left : page) run.add({left.asset}, left.owner, -left.available);
    if (!page.empty()) last = page.back();
  } while (page.size() == kBatchRows);
  return run.finish();
}

}  // namespace tanhui::ledger
