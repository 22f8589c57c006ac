#include <fmt/format.h>

#include "core/int128.h"
#include "core/quantity.h"
#include "ledger/entries.h"
#include "ledger/ledger.h"
#include "ledger/open_run.h"
#include "ledger/stored_asset.h"

namespace tanhui::ledger {
namespace {

std::vector<Balance> read_balances(db::Reader& reader, std::string_view sql, const db::Parameter& owner) {
  std::vector<Balance> found;
  reader.each(
      sql,
      [&](const db::Row& row) {
        found.push_back({stored_asset(row, 3), {row.integer(0)}, row.integer(1), row.integer(2)});
      },
      owner);
  std::sort(found.begin(), found.end(), [](const Balance& a, const Balance& b) { return a.asset < b.asset; });
  return found;
}

}  // namespace

std::vector<Balance> balances(db::Reader& reader, const Owner& owner) {
  if (const auto* own = std::get_if<Own>(&owner))
    return read_balances(reader,
                         "SELECT b.asset, b.amount, 0, a.kind, a.programme, a.category, a.period FROM system_balance b "
                         "JOIN asset a ON a.id = b.asset WHERE b.account = $1",
                         std::int64_t(*own));
  return read_balances(reader,
                       "SELECT b.asset, b.amount, b.held, a.kind, a.programme, a.category, a.period FROM balance b "
                       "JOIN asset a ON a.id = b.asset WHERE b.owner = $1",
                       std::get<core::PersonKey>(owner));
}

std::vector<Balance> debts(db::Reader& reader, const core::PersonKey& person) {
  return read_balances(reader,
                       "SELECT d.asset, d.amount, 0, a.kind, a.programme, a.category, a.period FROM debt d "
                       "JOIN asset a ON a.id = d.asset WHERE d.owner = $1 AND d.amount > 0",
                       person);
}

namespace {

// Batches that are not merged yet are read one by one.
void add_open(db::Reader& reader, const core::PersonKey& person, const std::map<AssetId, Asset>& assets,
              std::map<std::pair<std::int64_t, std::int64_t>, Booked>& booked) {
  std::map<std::int64_t, std::pair<std::string, std::string>> runs;
  reader.each("SELECT t.id, t.key, t.reason FROM open_run r JOIN transfer t ON t.id = r.transfer", [&](const db::Row& row) {
    runs[row.integer(0)] = {row.get<std::string>(1), row.get<std::string>(2)};
  });
  if (runs.empty()) return;
  each_open_posting(reader, [&](std::int64_t transfer, const core::PersonKey& whose, std::int64_t asset, std::int64_t amount) {
    if (whose != person) return;
    Booked& line = booked[{transfer, asset}];
    line.transfer = transfer;
    std::tie(line.key, line.reason) = runs.at(transfer);
    line.asset = assets.at({asset});
    line.amount = core::add_or_throw(line.amount, amount);
  });
}

}  // namespace

std::vector<Booked> history(db::Reader& reader, const core::PersonKey& person) {
  const std::map<AssetId, Asset> assets = all_assets(reader);
  std::map<std::pair<std::int64_t, std::int64_t>, Booked> booked;  // by transfer and asset
  const auto at = [&](const db::Row& row, std::int64_t asset) -> Booked& {
    Booked& line = booked[{row.integer(0), asset}];
    line.transfer = row.integer(0);
    line.key = row.get<std::string>(1);
    line.reason = row.get<std::string>(2);
    line.asset = assets.at({asset});
    return line;
  };
  // CROSS JOIN: SQLite then keeps this order and searches one person in each transfer, instead of reading all postings of everybody.
  reader.each(
      "SELECT t.id, t.key, t.reason, p.asset, p.amount FROM transfer t CROSS JOIN posting p WHERE p.transfer = t.id AND p.owner = $1",
      [&](const db::Row& row) { at(row, row.integer(3)).amount = row.integer(4); }, person);
  reader.each(
      "SELECT t.id, t.key, t.reason, p.entries FROM transfer t CROSS JOIN run_posting p WHERE p.transfer = t.id AND p.owner = $1",
      [&](const db::Row& row) {
        for (const auto& [asset, amount] : read_entries(row.bytes(3))) at(row, asset).amount = amount;
      },
      person);
  add_open(reader, person, assets, booked);
  reader.each(
      "SELECT t.id, t.key, t.reason, d.asset, d.amount FROM transfer t CROSS JOIN debt_change d WHERE d.transfer = t.id AND d.owner = $1",
      [&](const db::Row& row) { at(row, row.integer(3)).debt_change = row.integer(4); }, person);
  std::vector<Booked> lines;
  for (auto& [place, line] : booked) lines.push_back(std::move(line));
  return lines;
}

std::vector<AssetTotal> totals(db::Reader& reader) {
  std::vector<AssetTotal> by_id;  // asset ids are small and dense
  for (auto& [id, asset] : all_assets(reader)) {
    by_id.resize(std::size_t(id.value) + 1);
    by_id[std::size_t(id.value)].asset = asset;
    by_id[std::size_t(id.value)].id = id;
  }
  reader.each("SELECT asset, amount, held FROM balance", [&](const db::Row& row) {
    AssetTotal& total = by_id.at(std::size_t(row.integer(0)));
    total.held = core::add_or_throw(total.held, row.integer(1));
    total.on_hold += row.integer(2);
    if (row.integer(1) > 0) ++total.holders;
  });
  reader.each("SELECT asset, account, amount FROM system_balance", [&](const db::Row& row) {
    AssetTotal& total = by_id.at(std::size_t(row.integer(0)));
    switch (Own(row.integer(1))) {
      case Own::issuance:
        total.issued = -row.integer(2);
        break;
      case Own::redeemed:
        total.redeemed = row.integer(2);
        break;
      case Own::expired:
        total.expired = row.integer(2);
        break;
      case Own::pool:
        total.pool = row.integer(2);
        break;
    }
  });
  reader.each("SELECT asset, amount FROM debt", [&](const db::Row& row) { by_id.at(std::size_t(row.integer(0))).debts += row.integer(1); });
  std::erase_if(by_id, [](const AssetTotal& total) { return total.id.value == 0; });
  std::sort(by_id.begin(), by_id.end(), [](const AssetTotal& a, const AssetTotal& b) { return a.asset < b.asset; });
  return by_id;
}

std::vector<TopAccount> top_accounts(db::Reader& reader, AssetKind kind, std::string_view programme, std::int64_t limit) {
  std::vector<TopAccount> top;
  reader.each(
      "SELECT owner, CAST(sum(amount) AS BIGINT) FROM balance WHERE amount > 0 AND asset IN "
      "(SELECT id FROM asset WHERE kind = $1 AND programme = $2) GROUP BY owner ORDER BY 2 DESC, 1 LIMIT $3",
      [&](const db::Row& row) {
        top.push_back({row.get<core::PersonKey>(0), row.integer(1)});
      },
      name(kind), programme, limit);
  return top;
}

}  // namespace tanhui::ledger
