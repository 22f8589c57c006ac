#include <chrono>

#include "core/invariant.h"
#include "ledger/ledger.h"
#include "ledger/stored_asset.h"

namespace tanhui::ledger {

std::string_view name(AssetKind kind) { return kind == AssetKind::reduction ? "reduction" : "points"; }

std::string_view name(Own own) {
  switch (own) {
    case Own::issuance:
      return "issuance";
    case Own::redeemed:
      return "redeemed";
    case Own::expired:
      return "expired";
    case Own::pool:
      return "pool";
  }
  return "unknown";
}

std::int64_t month_of(core::Day day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day.count}}};
  return std::int64_t(int(date.year())) * 100 + unsigned(date.month());
}

Asset reduction_asset(std::string_view programme, std::string_view category, int vintage_year) {
  return {AssetKind::reduction, std::string(programme), std::string(category), vintage_year};
}

Asset points_asset(std::string_view programme, core::Day earned, std::int64_t expires_after_days) {
  core::invariant(expires_after_days >= 0, "points live for a number of days that is not negative");
  const std::int64_t month = expires_after_days == 0 ? 0 : month_of({std::int32_t(earned.count + expires_after_days)});
  return {AssetKind::points, std::string(programme), "", month};
}

Asset stored_asset(const db::Row& row, int first) {
  const std::string kind = row.get<std::string>(first);
  core::invariant(kind == "reduction" || kind == "points", "an asset is a reduction or points");
  return {kind == "points" ? AssetKind::points : AssetKind::reduction, row.get<std::string>(first + 1), row.get<std::string>(first + 2),
          row.integer(first + 3)};
}

bool same_pool(const Asset& a, const Asset& b) {
  if (a.kind != b.kind || a.programme != b.programme) return false;
  return a.kind == AssetKind::points || a == b;
}

std::map<AssetId, Asset> all_assets(db::Reader& reader) {
  std::map<AssetId, Asset> assets;
  reader.each("SELECT id, kind, programme, category, period FROM asset ORDER BY id",
              [&](const db::Row& row) { assets.emplace(AssetId{row.integer(0)}, stored_asset(row, 1)); });
  return assets;
}

std::optional<AssetId> find_asset(db::Reader& reader, const Asset& asset) {
  const auto id = reader.find<std::int64_t>("SELECT id FROM asset WHERE kind = $1 AND programme = $2 AND category = $3 AND period = $4",
                                            name(asset.kind), asset.programme, asset.category, asset.period);
  return id ? std::optional(AssetId{*id}) : std::nullopt;
}

std::optional<Asset> find_asset(db::Reader& reader, AssetId id) {
  std::optional<Asset> asset;
  reader.each(
      "SELECT kind, programme, category, period FROM asset WHERE id = $1", [&](const db::Row& row) { asset = stored_asset(row, 0); },
      id.value);
  return asset;
}

AssetId asset_id(db::Transaction& tx, const Asset& asset) {
  if (const auto found = find_asset(tx, asset)) return *found;
  // Another process may have been first between the question and this statement: then nothing is inserted, and it is found.
  tx.exec(
      "INSERT INTO asset (id, kind, programme, category, period) SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4 FROM asset "
      "WHERE true ON CONFLICT DO NOTHING",
      name(asset.kind), asset.programme, asset.category, asset.period);
  const auto made = find_asset(tx, asset);
  core::invariant(made.has_value(), "an asset that was registered is found");
  return *made;
}

}  // namespace tanhui::ledger
