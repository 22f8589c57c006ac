#include "core/invariant.h"
#include "core/quantity.h"
#include "ledger/ledger.h"
#include "ledger/stored_asset.h"
#include "ledger/transfer_rules.h"

namespace tanhui::ledger {
namespace {

core::Result<Posted> compare_with_first(db::Transaction& tx, const Transfer& transfer, const core::Digest& digest) {
  const auto first = tx.find<core::Digest>("SELECT digest FROM transfer WHERE key = $1", transfer.key);
  core::invariant(first.has_value(), "a key that is taken is found");
  if (*first == digest) return Posted::earlier;
  return key_reused(transfer.key);
}

bool book_person(db::Transaction& tx, std::int64_t transfer, const core::PersonKey& person, AssetId asset, std::int64_t amount) {
  tx.exec("INSERT INTO balance (owner, asset, amount) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING", person, asset.value);
  if (tx.exec("UPDATE balance SET amount = amount + $3 WHERE owner = $1 AND asset = $2 AND amount + $3 BETWEEN held AND $4", person,
              asset.value, amount, kAmountMax) == 0)
    return false;
  tx.exec("INSERT INTO posting (transfer, owner, asset, amount) VALUES ($1, $2, $3, $4)", transfer, person, asset.value, amount);
  return true;
}

core::Error explain_refusal(db::Transaction& tx, const Posting& posting) {
  for (const Balance& balance : balances(tx, posting.owner))
    if (balance.id == posting.asset) return refusal(posting, balance.amount, balance.held);
  return refusal(posting, 0, 0);
}

}  // namespace

namespace {

bool change_own_balance(db::Transaction& tx, Own own, AssetId asset, std::int64_t amount) {
  const auto account = std::int64_t(own);
  tx.exec("INSERT INTO system_balance (account, asset, amount) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING", account, asset.value);
  return tx.exec("UPDATE system_balance SET amount = amount + $3 WHERE account = $1 AND asset = $2 AND amount + $3 BETWEEN $4 AND $5",
                 account, asset.value, amount, floor_of(own), kAmountMax) == 1;
}

}  // namespace

bool book_own(db::Transaction& tx, std::int64_t transfer, Own own, AssetId asset, std::int64_t amount) {
  if (!change_own_balance(tx, own, asset, amount)) return false;
  tx.exec("INSERT INTO system_posting (transfer, account, asset, amount) VALUES ($1, $2, $3, $4)", transfer, std::int64_t(own), asset.value,
          amount);
  return true;
}

bool book_own_again(db::Transaction& tx, std::int64_t transfer, Own own, AssetId asset, std::int64_t amount) {
  const auto account = std::int64_t(own);
  const auto before = tx.find<std::int64_t>("SELECT amount FROM system_posting WHERE transfer = $1 AND account = $2 AND asset = $3",
                                            transfer, account, asset.value);
  if (!before) return book_own(tx, transfer, own, asset, amount);
  if (!change_own_balance(tx, own, asset, amount)) return false;
  if (*before + amount == 0)  // a posting of nothing is none
    tx.exec("DELETE FROM system_posting WHERE transfer = $1 AND account = $2 AND asset = $3", transfer, account, asset.value);
  else
    tx.exec("UPDATE system_posting SET amount = $4 WHERE transfer = $1 AND account = $2 AND asset = $3", transfer, account, asset.value,
            core::add_or_throw(*before, amount));
  return true;
}

core::Result<Posted> book(db::Transaction& tx, const Transfer& transfer, const std::vector<Posting>& ordered) {
  const core::Digest digest = core::sha256(canonical_bytes(transfer, ordered));
  // The unique key settles the race between two equal requests; look-then-insert would not.
  if (tx.exec("INSERT INTO transfer (id, key, digest, reason) SELECT coalesce(max(id), 0) + 1, $1, $2, $3 FROM transfer WHERE true "
              "ON CONFLICT (key) DO NOTHING",
              transfer.key, digest, transfer.reason) == 0)
    return compare_with_first(tx, transfer, digest);
  const auto id = tx.find<std::int64_t>("SELECT id FROM transfer WHERE key = $1", transfer.key);
  for (const Posting& posting : ordered) {
    const auto* own = std::get_if<Own>(&posting.owner);
    const bool booked = own != nullptr ? book_own(tx, *id, *own, posting.asset, posting.amount)
                                       : book_person(tx, *id, std::get<core::PersonKey>(posting.owner), posting.asset, posting.amount);
    if (!booked) return explain_refusal(tx, posting);
  }
  return Posted::now;
}

core::Result<Posted> post(db::Transaction& tx, const Transfer& transfer) {
  const std::vector<Posting> ordered = in_account_order(transfer.postings);
  if (const auto problem = find_problem(transfer, ordered)) return *problem;
  for (const Posting& posting : ordered)
    if (!find_asset(tx, posting.asset)) return unknown_asset(transfer, posting.asset);
  return book(tx, transfer, ordered);
}

}  // namespace tanhui::ledger
