// ledger/holds.h: two-phase moves, for orders, pledges and reservations: first an amount of an account is held, later it moves or not.
//
//   held       stays in the account and is part of its balance, but no transfer, hold, run or expiry can take it: available = amount -
//   held. open       until it is settled by a transfer, released, or its expiry is swept. After that it never changes again. settled    the
//   transfer takes all of it or a part; what is left over is available again. A partly filled order settles what was
//              filled and places a new hold for the rest, in one transaction.
//   clock      is a parameter. A hold whose instant has passed cannot be settled, whether or not release_expired() has come by.
//   debts      what becomes available again first pays what its owner owes in that pool (decision 0010), so a hold is no hiding place.
//
// Every step may be sent again: the same content gets the first answer, other content under the same key is a conflict. The caller commits
// only on success. Decision 0014.
#pragma once
#include <span>

#include "ledger/ledger.h"

namespace tanhui::ledger {

struct Hold {
  std::string key;     // idempotency key, unique among holds, 1 to 200 bytes
  std::string reason;  // for people, up to 500 bytes
  core::PersonKey owner;
  AssetId asset;
  std::int64_t amount = 0;      // 1 to kAmountMax
  core::Millis expires_ms = 0;  // the first instant at which it can no longer be settled
};
enum class HoldState { open, settled, released, expired };
std::string_view name(HoldState state);

/// Errors: invalid_input ledger.bad-hold (key, reason, amount, unknown asset, an expiry that is not after `now_ms`);
///         conflict ledger.key-reused; refused ledger.short (less is available).
core::Result<Posted> place_hold(db::Transaction& tx, const Hold& hold, core::Millis now_ms);

/// Books `transfer`, which takes from the account of each of the `holds` something and at most what they hold together, and ends them.
/// Holds of both sides in one transfer are delivery versus payment.
/// Errors: those of post(); invalid_input ledger.bad-settlement (no holds, one named twice, an account that the transfer does not take
///         from); not_found ledger.unknown-hold; refused ledger.hold-exceeded, ledger.hold-closed (it ended otherwise) and
///         ledger.hold-expired.
core::Result<Posted> settle_holds(db::Transaction& tx, const Transfer& transfer, std::span<const std::string> holds, core::Millis now_ms);

/// Posted::earlier when it was released or had expired before. Errors: not_found ledger.unknown-hold; refused ledger.hold-closed (settled).
core::Result<Posted> release_hold(db::Transaction& tx, std::string_view key);

/// Ends open holds whose instant has passed, oldest first, at most `limit`; returns how many. Call again while it returns `limit`.
std::int64_t release_expired(db::Transaction& tx, core::Millis now_ms, std::int64_t limit);

struct HoldRecord {
  Hold hold;
  HoldState state = HoldState::open;
  std::int64_t settled = 0;
  std::optional<std::int64_t> transfer;  // that settled it
};
std::optional<HoldRecord> find_hold(db::Reader& reader, std::string_view key);
std::vector<HoldRecord> open_holds(db::Reader& reader, const core::PersonKey& owner);  // in order of asset, then key

/// hold := version:u8=1 key:str reason:str owner:u64,u64 asset:i64 amount:i64 expires_ms:i64     as in canonical_bytes(Transfer)
std::string canonical_bytes(const Hold& hold);

}  // namespace tanhui::ledger
