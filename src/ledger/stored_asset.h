// ledger/stored_asset.h: assets and the programme's own accounts as the tables hold them. Private to the ledger.
#pragma once
#include <map>

#include "ledger/ledger.h"

namespace tanhui::ledger {

std::int64_t month_of(core::Day day);               // 202509
Asset stored_asset(const db::Row& row, int first);  // from columns kind, programme, category, period
std::map<AssetId, Asset> all_assets(db::Reader& reader);
/// Points of a programme are one pool, whatever lot they are in; a reduction is a pool of its own. Debts are paid from their pool.
bool same_pool(const Asset& a, const Asset& b);

/// Books on the programme's own side; false when the account would leave its bounds.
bool book_own(db::Transaction& tx, std::int64_t transfer, Own own, AssetId asset, std::int64_t amount);
/// The same for a transfer that is booked batch by batch and may have come by before.
bool book_own_again(db::Transaction& tx, std::int64_t transfer, Own own, AssetId asset, std::int64_t amount);

}  // namespace tanhui::ledger
