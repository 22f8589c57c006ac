// A batch is decided in memory: what its accounts hold and which of its keys are known is asked once, the transfers are gone through in
// their order by the rules of post(), and what they did is written at once, in the order of each table. The transaction is the only writer
// (decision 0013), so what was read still stands when it is written.
#include <fmt/format.h>

#include <unordered_map>

#include "core/invariant.h"
#include "ledger/ledger.h"
#include "ledger/transfer_rules.h"

namespace tanhui::ledger {
namespace {

constexpr std::size_t kNowhere = SIZE_MAX;

struct Account {
  Owner owner;
  AssetId asset;
  std::int64_t amount = 0, held = 0;
  bool stored = false, touched = false;  // has its row; is changed
  std::int64_t floor() const {
    const auto* own = std::get_if<Own>(&owner);
    return own != nullptr ? floor_of(*own) : held;
  }
};

/// A transfer while the batch is decided.
struct Item {
  const Transfer* transfer;
  std::vector<Posting> ordered;
  std::optional<core::Error> problem;
  core::Digest digest{};
  std::size_t first_place = kNowhere;  // of its postings in places_
};

/// Columns of the rows that a batch writes.
struct Columns {
  std::vector<std::int64_t> transfers, accounts, assets, amounts;
  std::vector<core::PersonKey> owners;
};

class Batch {
 public:
  Batch(db::Transaction& tx, std::span<const Transfer> transfers) : tx_(tx) {
    items_.reserve(transfers.size());
    for (const Transfer& transfer : transfers) {
      Item& item = items_.emplace_back(Item{&transfer, in_account_order(transfer.postings), std::nullopt});
      item.problem = find_problem(transfer, item.ordered);
    }
    find_unknown_assets();
    place_postings();
    read_people();
    read_own();
    read_keys();
    first_id_ = tx.find<std::int64_t>("SELECT coalesce(max(id), 0) + 1 FROM transfer").value();
  }

  std::size_t size() const { return items_.size(); }
  const Transfer& transfer(std::size_t index) const { return *items_[index].transfer; }

  /// The answer to the next transfer; what it does is remembered, and written by write().
  core::Result<Posted> decide(std::size_t index) {
    const Item& item = items_[index];
    if (item.problem) return *item.problem;
    if (const auto known = known_.find(item.transfer->key); known != known_.end()) {
      if (known->second == item.digest) return Posted::earlier;
      return key_reused(item.transfer->key);
    }
    for (std::size_t i = 0; i < item.ordered.size(); ++i) {
      const std::int64_t amount = item.ordered[i].amount;
      Account& account = accounts_[places_[item.first_place + i]];
      const std::int64_t after = account.amount + amount;  // both within +-kAmountMax
      if (after < account.floor() || after > kAmountMax) {
        core::Error error = refusal(item.ordered[i], account.amount, account.held);
        while (i-- > 0) accounts_[places_[item.first_place + i]].amount -= item.ordered[i].amount;
        return error;
      }
      account.amount = after;
    }
    for (std::size_t i = 0; i < item.ordered.size(); ++i) accounts_[places_[item.first_place + i]].touched = true;
    known_.emplace(item.transfer->key, item.digest);
    booked_.push_back(index);
    return Posted::now;
  }

  void write() {
    if (booked_.empty()) return;
    write_transfers();
    write_postings();
    write_accounts();
  }

 private:
  void find_unknown_assets() {
    std::unordered_map<std::int64_t, bool> known;
    for (Item& item : items_) {
      for (std::size_t i = 0; i < item.ordered.size() && !item.problem; ++i) {
        const AssetId asset = item.ordered[i].asset;
        auto found = known.find(asset.value);
        if (found == known.end()) found = known.emplace(asset.value, find_asset(tx_, asset).has_value()).first;
        if (!found->second) item.problem = unknown_asset(*item.transfer, asset);
      }
    }
  }

  /// Gives every account that is posted to its place in accounts_, which is in the order of the table.
  void place_postings() {
    struct Place {
      Owner owner;
      AssetId asset;
      std::size_t posting;
    };
    std::vector<Place> all;
    for (Item& item : items_) {
      if (item.problem) continue;
      item.digest = core::sha256(canonical_bytes(*item.transfer, item.ordered));
      item.first_place = all.size();
      for (const Posting& posting : item.ordered) all.push_back({posting.owner, posting.asset, all.size()});
    }
    std::sort(all.begin(), all.end(),
              [](const Place& a, const Place& b) { return std::tie(a.owner, a.asset) < std::tie(b.owner, b.asset); });
    places_.resize(all.size());
    for (const Place& place : all) {
      if (accounts_.empty() || accounts_.back().owner != place.owner || accounts_.back().asset != place.asset)
        accounts_.push_back({place.owner, place.asset});
      places_[place.posting] = accounts_.size() - 1;
    }
  }

  void read_people() {
    Columns people;
    std::vector<std::int64_t> places;
    for (std::size_t i = 0; i < accounts_.size(); ++i) {
      const auto* person = std::get_if<core::PersonKey>(&accounts_[i].owner);
      if (person == nullptr) continue;
      people.owners.push_back(*person);
      people.assets.push_back(accounts_[i].asset.value);
      places.push_back(std::int64_t(i));
    }
    db::BatchQuery stored(tx_, "SELECT c2, b.amount, b.held FROM batch JOIN balance b ON b.owner = c0 AND b.asset = c1",
                          {db::BatchQuery::bytes, db::BatchQuery::integer, db::BatchQuery::integer});
    stored.each({std::span<const core::PersonKey>(people.owners), std::span<const std::int64_t>(people.assets),
                 std::span<const std::int64_t>(places)},
                [&](const db::Row& row) {
                  Account& account = accounts_[std::size_t(row.integer(0))];
                  account.amount = row.integer(1);
                  account.held = row.integer(2);
                  account.stored = true;
                });
  }
  void read_own() {
    for (Account& account : accounts_)
      if (const auto* own = std::get_if<Own>(&account.owner))
        account.amount = tx_.find<std::int64_t>("SELECT amount FROM system_balance WHERE account = $1 AND asset = $2", std::int64_t(*own),
                                                account.asset.value)
                             .value_or(0);
  }
  void read_keys() {
    std::vector<db::Parameter> keys;
    std::vector<std::int64_t> indexes;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (items_[i].problem) continue;
      keys.emplace_back(items_[i].transfer->key);
      indexes.push_back(std::int64_t(i));
    }
    known_.reserve(items_.size());
    db::BatchQuery taken(tx_, "SELECT c1, t.digest FROM batch JOIN transfer t ON t.key = c0",
                         {db::BatchQuery::text, db::BatchQuery::integer});
    taken.each({std::span<const db::Parameter>(keys), std::span<const std::int64_t>(indexes)},
               [&](const db::Row& row) { known_.emplace(items_[std::size_t(row.integer(0))].transfer->key, row.get<core::Digest>(1)); });
  }

  void write_transfers() {
    std::vector<std::int64_t> ids;
    std::vector<db::Parameter> keys, reasons;
    std::vector<std::string_view> digests;
    for (const std::size_t index : booked_) {
      const Item& item = items_[index];
      ids.push_back(first_id_ + std::int64_t(ids.size()));
      keys.emplace_back(item.transfer->key);
      reasons.emplace_back(item.transfer->reason);
      digests.emplace_back(reinterpret_cast<const char*>(item.digest.data()), item.digest.size());
    }
    db::BulkInsert(tx_, "transfer", {"id", "key", "digest", "reason"})
        .insert({std::span<const std::int64_t>(ids), std::span<const db::Parameter>(keys), std::span<const std::string_view>(digests),
                 std::span<const db::Parameter>(reasons)});
  }
  void write_postings() {
    Columns people, own;
    std::int64_t id = first_id_;
    for (const std::size_t index : booked_) {
      for (const Posting& posting : items_[index].ordered) {
        const auto* person = std::get_if<core::PersonKey>(&posting.owner);
        Columns& side = person != nullptr ? people : own;
        side.transfers.push_back(id);
        if (person != nullptr) {
          side.owners.push_back(*person);
        } else {
          side.accounts.push_back(std::int64_t(std::get<Own>(posting.owner)));
        }
        side.assets.push_back(posting.asset.value);
        side.amounts.push_back(posting.amount);
      }
      ++id;
    }
    db::BulkInsert(tx_, "posting", {"transfer", "owner", "asset", "amount"})
        .insert({std::span<const std::int64_t>(people.transfers), std::span<const core::PersonKey>(people.owners),
                 std::span<const std::int64_t>(people.assets), std::span<const std::int64_t>(people.amounts)});
    db::BulkInsert(tx_, "system_posting", {"transfer", "account", "asset", "amount"})
        .insert({std::span<const std::int64_t>(own.transfers), std::span<const std::int64_t>(own.accounts),
                 std::span<const std::int64_t>(own.assets), std::span<const std::int64_t>(own.amounts)});
  }
  /// What stands on each account afterwards, not what changed.
  void write_accounts() {
    Columns people, newcomers, own;
    for (const Account& account : accounts_) {
      if (!account.touched) continue;
      const auto* person = std::get_if<core::PersonKey>(&account.owner);
      Columns& side = person == nullptr ? own : account.stored ? people : newcomers;
      if (person != nullptr) {
        side.owners.push_back(*person);
      } else {
        side.accounts.push_back(std::int64_t(std::get<Own>(account.owner)));
      }
      side.assets.push_back(account.asset.value);
      side.amounts.push_back(account.amount);
    }
    // PostgreSQL takes more than twice as long for an upsert as for an update of a row that is known to be there.
    const std::int64_t changed = db::BatchQuery(tx_, "UPDATE balance SET amount = c2 FROM batch WHERE owner = c0 AND asset = c1",
                                                {db::BatchQuery::bytes, db::BatchQuery::integer, db::BatchQuery::integer})
                                     .run({std::span<const core::PersonKey>(people.owners), std::span<const std::int64_t>(people.assets),
                                           std::span<const std::int64_t>(people.amounts)});
    core::invariant(changed == std::int64_t(people.owners.size()), "a balance that was read is there to be changed");
    db::BulkInsert(tx_, "balance", {"owner", "asset", "amount"})
        .insert({std::span<const core::PersonKey>(newcomers.owners), std::span<const std::int64_t>(newcomers.assets),
                 std::span<const std::int64_t>(newcomers.amounts)});
    if (own.accounts.empty()) return;
    db::BulkInsert(tx_, "system_balance", {"account", "asset", "amount"},
                   "ON CONFLICT (account, asset) DO UPDATE SET amount = excluded.amount")
        .insert({std::span<const std::int64_t>(own.accounts), std::span<const std::int64_t>(own.assets),
                 std::span<const std::int64_t>(own.amounts)});
  }

  db::Transaction& tx_;
  std::vector<Item> items_;
  std::vector<Account> accounts_;
  std::vector<std::size_t> places_;                           // in accounts_, posting by posting
  std::unordered_map<std::string_view, core::Digest> known_;  // keys of the store and of what was decided
  std::vector<std::size_t> booked_;
  std::int64_t first_id_ = 0;
};

}  // namespace

std::vector<core::Result<Posted>> post_batch(db::Transaction& tx, std::span<const Transfer> transfers) {
  std::vector<core::Result<Posted>> answers;
  if (transfers.empty()) return answers;
  answers.reserve(transfers.size());
  Batch batch(tx, transfers);
  for (std::size_t i = 0; i < batch.size(); ++i) answers.push_back(batch.decide(i));
  batch.write();
  return answers;
}

core::Result<Posted> post_linked(db::Transaction& tx, std::span<const Transfer> transfers) {
  if (transfers.empty()) return Posted::earlier;
  Batch batch(tx, transfers);
  std::optional<Posted> all;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto posted = batch.decide(i);
    if (!posted) return posted.error();
    if (all && *all != *posted)
      return core::Error{
          core::ErrorCode::conflict,
          "ledger.linked-apart",
          fmt::format("the linked transfers '{}' and '{}' were not booked together", batch.transfer(0).key, batch.transfer(i).key),
          "link what was not booked before, or send exactly what was linked",
          {{"key", batch.transfer(i).key}}};
    all = *posted;
  }
  batch.write();
  return *all;
}

}  // namespace tanhui::ledger
