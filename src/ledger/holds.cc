#include "ledger/holds.h"

#include <fmt/format.h>

#include <set>

#include "core/bytes.h"
#include "core/invariant.h"
#include "core/quantity.h"
#include "ledger/stored_asset.h"
#include "ledger/transfer_rules.h"

namespace tanhui::ledger {
namespace {

using core::Error, core::ErrorCode;

constexpr std::string_view kColumns = "key, reason, owner, asset, amount, expires_ms, state, settled, transfer";

HoldState state_named(std::string_view name) {
  return name == "open"       ? HoldState::open
         : name == "settled"  ? HoldState::settled
         : name == "released" ? HoldState::released
                              : HoldState::expired;
}

HoldRecord read_hold(const db::Row& row) {
  return {{row.get<std::string>(0), row.get<std::string>(1), row.get<core::PersonKey>(2), {row.integer(3)}, row.integer(4), row.integer(5)},
          state_named(row.text(6)),
          row.integer(7),
          db::read_column<std::optional<std::int64_t>>(row, 8)};
}

Error bad_hold(const Hold& hold, std::string_view why) {
  return {ErrorCode::invalid_input,
          "ledger.bad-hold",
          fmt::format("hold '{}' {}", hold.key, why),
          "hold a positive amount of a known asset until an instant in the future",
          {{"key", hold.key}}};
}

std::optional<Error> find_problem(const Hold& hold) {
  if (hold.key.empty() || hold.key.size() > kKeyBytesMax) return bad_hold(hold, fmt::format("needs a key of 1 to {} bytes", kKeyBytesMax));
  if (hold.reason.size() > kReasonBytesMax) return bad_hold(hold, fmt::format("has a reason of more than {} bytes", kReasonBytesMax));
  if (hold.amount < 1 || hold.amount > kAmountMax)
    return bad_hold(hold, fmt::format("is for {}; an amount is between 1 and {}", hold.amount, kAmountMax));
  return std::nullopt;
}

Error bad_settlement(const Transfer& transfer, std::string_view why) {
  return {ErrorCode::invalid_input,
          "ledger.bad-settlement",
          fmt::format("settlement '{}' {}", transfer.key, why),
          "name each hold once, and take something from each account that is held",
          {{"key", transfer.key}}};
}

Error unknown_hold(std::string_view key) {
  return {
      ErrorCode::not_found, "ledger.unknown-hold", fmt::format("there is no hold '{}'", key), "check the key", {{"key", std::string(key)}}};
}

Error closed(const HoldRecord& record) {
  return {ErrorCode::refused,
          "ledger.hold-closed",
          fmt::format("the hold '{}' is {}", record.hold.key, name(record.state)),
          "place a new hold under a new key",
          {{"key", record.hold.key}, {"state", std::string(name(record.state))}}};
}

Error expired(const HoldRecord& record) {
  return {ErrorCode::refused,
          "ledger.hold-expired",
          fmt::format("the hold '{}' ended at {}", record.hold.key, core::to_text_utc(record.hold.expires_ms)),
          "place a new hold under a new key",
          {{"key", record.hold.key}, {"expires_ms", std::to_string(record.hold.expires_ms)}}};
}

void let_go(db::Transaction& tx, const Hold& hold) {
  const std::int64_t changed =
      tx.exec("UPDATE balance SET held = held - $3 WHERE owner = $1 AND asset = $2", hold.owner, hold.asset.value, hold.amount);
  core::invariant(changed == 1, "what an open hold holds is on its account");
}

/// Ends an open hold. `settled` and `transfer` are of a settlement.
void end_hold(db::Transaction& tx, std::string_view key, HoldState state, std::int64_t settled, std::optional<std::int64_t> transfer) {
  const std::int64_t changed = tx.exec("UPDATE hold SET state = $2, settled = $3, transfer = $4 WHERE key = $1 AND state = 'open'", key,
                                       name(state), settled, transfer);
  core::invariant(changed == 1, "a hold ends once");
}

/// The owner of a hold that ended may owe in its pool what a run could not take: it pays now, not with the next credit.
void pay_debts(db::Transaction& tx, const Hold& hold) {
  const auto debts =
      tx.query<std::int64_t, std::int64_t>("SELECT asset, amount FROM debt WHERE owner = $1 AND amount > 0 ORDER BY asset", hold.owner);
  if (debts.empty()) return;
  const auto found =
      tx.find<std::int64_t>("SELECT amount - held FROM balance WHERE owner = $1 AND asset = $2", hold.owner, hold.asset.value);
  const Asset asset = *find_asset(tx, hold.asset);
  std::int64_t available = found.value_or(0), paid = 0;
  std::vector<std::pair<std::int64_t, std::int64_t>> payments;  // debt's asset, amount
  for (const auto& [owed_asset, owed] : debts) {
    const std::int64_t payment = std::min(owed, available - paid);
    if (payment == 0 || !same_pool(asset, *find_asset(tx, {owed_asset}))) continue;
    payments.emplace_back(owed_asset, payment);
    paid += payment;
  }
  if (paid == 0) return;
  const Transfer transfer{fmt::format("{}debts after hold {}", kLedgersOwnKeys, hold.key),
                          "repays what was owed",
                          {{hold.owner, hold.asset, -paid}, {Own::issuance, hold.asset, paid}}};
  const auto booked = book(tx, transfer, in_account_order(transfer.postings));
  core::invariant(booked && *booked == Posted::now, "what is available can pay a debt, once for each hold");
  const auto id = tx.find<std::int64_t>("SELECT id FROM transfer WHERE key = $1", transfer.key);
  for (const auto& [owed_asset, payment] : payments) {
    tx.exec("UPDATE debt SET amount = amount - $3 WHERE owner = $1 AND asset = $2", hold.owner, owed_asset, payment);
    tx.exec("INSERT INTO debt_change (transfer, owner, asset, amount) VALUES ($1, $2, $3, $4)", *id, hold.owner, owed_asset, -payment);
  }
}

using Accounts = std::map<std::pair<core::PersonKey, AssetId>, std::int64_t>;

core::Result<std::vector<HoldRecord>> find_holds(db::Transaction& tx, const Transfer& transfer, std::span<const std::string> keys) {
  if (keys.empty()) return bad_settlement(transfer, "names no hold");
  std::vector<HoldRecord> records;
  std::set<std::string_view> seen;
  for (const std::string& key : keys) {
    if (!seen.insert(key).second) return bad_settlement(transfer, fmt::format("names the hold '{}' twice", key));
    auto record = find_hold(tx, key);
    if (!record) return unknown_hold(key);
    records.push_back(*std::move(record));
  }
  return records;
}

/// What the transfer takes from each account that is held, when that is something and not more than is held.
core::Result<Accounts> find_taken(const Transfer& transfer, const std::vector<HoldRecord>& records) {
  Accounts held, taken;
  for (const auto& [hold, state, settled, id] : records) {
    std::int64_t& sum = held[{hold.owner, hold.asset}];
    sum = core::add_or_throw(sum, hold.amount);
  }
  for (const auto& [owner, asset, amount] : transfer.postings)
    if (const auto* person = std::get_if<core::PersonKey>(&owner); person != nullptr && held.contains({*person, asset}))
      taken[{*person, asset}] = -amount;
  for (const auto& [account, sum] : held) {
    const std::int64_t takes = taken[account];
    if (takes <= 0) return bad_settlement(transfer, fmt::format("takes nothing from account {}", core::to_hex(account.first)));
    if (takes > sum)
      return Error{ErrorCode::refused,
                   "ledger.hold-exceeded",
                   fmt::format("settlement '{}' takes {} of asset {} from account {}, of which {} are held for it", transfer.key, takes,
                               account.second.value, core::to_hex(account.first), sum),
                   "take at most what is held",
                   {{"key", transfer.key}, {"held", std::to_string(sum)}}};
  }
  return taken;
}

/// A settlement that was booked before: the same one, or another one under its key.
core::Result<Posted> compare_with_first(db::Transaction& tx, const Transfer& transfer, std::span<const std::string> keys,
                                        const std::tuple<std::int64_t, core::Digest>& first) {
  const auto& [id, digest] = first;
  const auto settled = tx.query<std::string>("SELECT key FROM hold WHERE transfer = $1", id);
  std::set<std::string> then, now(keys.begin(), keys.end());
  for (const auto& [key] : settled) then.insert(key);
  if (digest == core::sha256(canonical_bytes(transfer)) && then == now && now.size() == keys.size()) return Posted::earlier;
  return key_reused(transfer.key);
}

}  // namespace

std::string_view name(HoldState state) {
  switch (state) {
    case HoldState::open:
      return "open";
    case HoldState::settled:
      return "settled";
    case HoldState::released:
      return "released";
    case HoldState::expired:
      return "expired";
  }
  return "unknown";
}

std::string canonical_bytes(const Hold& hold) {
  core::ByteWriter out;
  out.u8(1).str(hold.key).str(hold.reason).u64(hold.owner.high).u64(hold.owner.low);
  return out.i64(hold.asset.value).i64(hold.amount).i64(hold.expires_ms).take();
}

core::Result<Posted> place_hold(db::Transaction& tx, const Hold& hold, core::Millis now_ms) {
  if (const auto problem = find_problem(hold)) return *problem;
  const core::Digest digest = core::sha256(canonical_bytes(hold));
  if (const auto first = tx.find<core::Digest>("SELECT digest FROM hold WHERE key = $1", hold.key)) {
    if (*first == digest) return Posted::earlier;  // however long ago that was
    return key_reused(hold.key);
  }
  if (!find_asset(tx, hold.asset)) return bad_hold(hold, fmt::format("names the unknown asset {}", hold.asset.value));
  if (hold.expires_ms <= now_ms) return bad_hold(hold, fmt::format("would have ended at {}", core::to_text_utc(hold.expires_ms)));
  if (tx.exec("UPDATE balance SET held = held + $3 WHERE owner = $1 AND asset = $2 AND held + $3 <= amount", hold.owner, hold.asset.value,
              hold.amount) == 0) {
    const auto account = tx.find<std::int64_t, std::int64_t>("SELECT amount, held FROM balance WHERE owner = $1 AND asset = $2", hold.owner,
                                                             hold.asset.value)
                             .value_or(std::tuple<std::int64_t, std::int64_t>(0, 0));
    return refusal({hold.owner, hold.asset, -hold.amount}, std::get<0>(account), std::get<1>(account));
  }
  tx.exec(
      "INSERT INTO hold (key, digest, reason, owner, asset, amount, expires_ms, state, settled) VALUES ($1, $2, $3, $4, $5, $6, $7, "
      "'open', 0)",
      hold.key, digest, hold.reason, hold.owner, hold.asset.value, hold.amount, hold.expires_ms);
  return Posted::now;
}

core::Result<Posted> settle_holds(db::Transaction& tx, const Transfer& transfer, std::span<const std::string> holds, core::Millis now_ms) {
  if (const auto first = tx.find<std::int64_t, core::Digest>("SELECT id, digest FROM transfer WHERE key = $1", transfer.key))
    return compare_with_first(tx, transfer, holds, *first);
  const auto records = find_holds(tx, transfer, holds);
  if (!records) return records.error();
  for (const HoldRecord& record : *records) {
    if (record.state == HoldState::expired || (record.state == HoldState::open && record.hold.expires_ms <= now_ms)) return expired(record);
    if (record.state != HoldState::open) return closed(record);
  }
  const auto taken = find_taken(transfer, *records);
  if (!taken) return taken.error();
  for (const HoldRecord& record : *records) let_go(tx, record.hold);
  const auto posted = post(tx, transfer);
  if (!posted) return posted.error();
  const auto id = tx.find<std::int64_t>("SELECT id FROM transfer WHERE key = $1", transfer.key);
  Accounts left = *taken;
  for (const auto& [hold, state, settled, none] : *records) {
    std::int64_t& rest = left[{hold.owner, hold.asset}];
    const std::int64_t part = std::min(rest, hold.amount);
    rest -= part;
    end_hold(tx, hold.key, HoldState::settled, part, id);
    if (part < hold.amount) pay_debts(tx, hold);
  }
  return Posted::now;
}

core::Result<Posted> release_hold(db::Transaction& tx, std::string_view key) {
  const auto record = find_hold(tx, key);
  if (!record) return unknown_hold(key);
  if (record->state == HoldState::settled) return closed(*record);
  if (record->state != HoldState::open) return Posted::earlier;
  let_go(tx, record->hold);
  end_hold(tx, key, HoldState::released, 0, std::nullopt);
  pay_debts(tx, record->hold);
  return Posted::now;
}

std::int64_t release_expired(db::Transaction& tx, core::Millis now_ms, std::int64_t limit) {
  std::vector<HoldRecord> over;
  tx.each(
      fmt::format("SELECT {} FROM hold WHERE state = 'open' AND expires_ms <= $1 ORDER BY expires_ms, key LIMIT $2", kColumns),
      [&](const db::Row& row) { over.push_back(read_hold(row)); }, now_ms, limit);
  for (const HoldRecord& record : over) {
    let_go(tx, record.hold);
    end_hold(tx, record.hold.key, HoldState::expired, 0, std::nullopt);
    pay_debts(tx, record.hold);
  }
  return std::int64_t(over.size());
}

std::optional<HoldRecord> find_hold(db::Reader& reader, std::string_view key) {
  std::optional<HoldRecord> found;
  reader.each(
      fmt::format("SELECT {} FROM hold WHERE key = $1", kColumns), [&](const db::Row& row) { found = read_hold(row); }, key);
  return found;
}

std::vector<HoldRecord> open_holds(db::Reader& reader, const core::PersonKey& owner) {
  std::vector<HoldRecord> found;
  reader.each(
      fmt::format("SELECT {} FROM hold WHERE owner = $1 AND state = 'open' ORDER BY asset, key", kColumns),
      [&](const db::Row& row) { found.push_back(read_hold(row)); }, owner);
  return found;
}

}  // namespace tanhui::ledger
