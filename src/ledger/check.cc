#include <fmt/format.h>

#include "core/int128.h"
#include "ledger/entries.h"
#include "ledger/ledger.h"
#include "ledger/stored_asset.h"

namespace tanhui::ledger {
namespace {

core::Error broken(std::string_view what) {
  return {core::ErrorCode::refused, "ledger.broken", std::string(what),
          "stop booking, keep a copy of the database, and compare it with the journal by `tanhui verify`"};
}

/// Accounts and their postings are compared without holding either: each account has a pseudo-random weight, and the weighted sum of the
/// balances must equal the weighted sum of the postings (modulo 2^64). Buckets of people narrow a difference down; a second pass names it.
constexpr int kBucketBits = 12;
using Buckets = std::vector<std::uint64_t>;

std::size_t bucket_of(const core::PersonKey& person) { return std::size_t(person.high >> (64 - kBucketBits)); }

std::uint64_t weight(const core::PersonKey& person, std::int64_t asset) {
  std::uint64_t mixed = person.low ^ (person.high * 0x9e3779b97f4a7c15ull) ^ (std::uint64_t(asset) * 0xd6e8feb86659fd93ull);
  mixed = (mixed ^ (mixed >> 32)) * 0xd6e8feb86659fd93ull;
  mixed = (mixed ^ (mixed >> 32)) * 0xd6e8feb86659fd93ull;
  return (mixed ^ (mixed >> 32)) | 1;  // odd: no amount vanishes
}

template <class Visit>  // visit(person, asset, amount)
void each_posting(db::Reader& reader, Visit visit) {
  reader.each("SELECT owner, asset, amount FROM posting",
              [&](const db::Row& row) { visit(row.get<core::PersonKey>(0), row.integer(1), row.integer(2)); });
  reader.each("SELECT owner, entries FROM run_posting", [&](const db::Row& row) {
    const auto person = row.get<core::PersonKey>(0);
    for (const auto& [asset, amount] : read_entries(row.bytes(1))) visit(person, asset, amount);
  });
}

template <class Visit>
void each_stored(db::Reader& reader, std::string_view sql, Visit visit) {
  reader.each(sql, [&](const db::Row& row) { visit(row.get<core::PersonKey>(0), row.integer(1), row.integer(2)); });
}

struct Books {  // two readings of the same accounts
  std::string_view what;
  std::function<void(const std::function<void(core::PersonKey, std::int64_t, std::int64_t)>&)> stored, changes;
};

core::Status compare(const Books& books) {
  Buckets differences(std::size_t(1) << kBucketBits);
  books.stored([&](core::PersonKey person, std::int64_t asset, std::int64_t amount) {
    differences[bucket_of(person)] += std::uint64_t(amount) * weight(person, asset);
  });
  books.changes([&](core::PersonKey person, std::int64_t asset, std::int64_t amount) {
    differences[bucket_of(person)] -= std::uint64_t(amount) * weight(person, asset);
  });
  const auto bad = std::find_if(differences.begin(), differences.end(), [](std::uint64_t difference) { return difference != 0; });
  if (bad == differences.end()) return core::Done{};
  std::map<std::pair<core::PersonKey, std::int64_t>, core::Int128> accounts;
  const auto bucket = std::size_t(bad - differences.begin());
  const auto take = [&](int sign) {
    return [&accounts, bucket, sign](core::PersonKey person, std::int64_t asset, std::int64_t amount) {
      if (bucket_of(person) == bucket) accounts[{person, asset}] += sign * core::Int128(amount);
    };
  };
  books.stored(take(1));
  books.changes(take(-1));
  for (const auto& [account, difference] : accounts)
    if (difference != 0)
      return broken(fmt::format("the {} of account {} in asset {} is {} away from the sum of its changes", books.what,
                                core::to_hex(account.first), account.second, core::to_text(difference)));
  return core::Done{};
}

core::Status check_own_side(db::Reader& reader) {
  const auto rows = reader.query<std::int64_t, std::int64_t, std::int64_t>(
      "SELECT b.account, b.asset, b.amount - coalesce((SELECT CAST(sum(p.amount) AS BIGINT) FROM system_posting p "
      "WHERE p.account = b.account AND p.asset = b.asset), 0) FROM system_balance b ORDER BY b.account, b.asset");
  for (const auto& [account, asset, difference] : rows)
    if (difference != 0)
      return broken(fmt::format("the programme's account '{}' in asset {} is {} away from the sum of its changes", name(Own(account)),
                                asset, difference));
  return core::Done{};
}

core::Status check_zero_sums(db::Reader& reader) {
  std::map<std::int64_t, core::Int128> sums;
  reader.each("SELECT asset, amount FROM balance", [&](const db::Row& row) { sums[row.integer(0)] += row.integer(1); });
  reader.each("SELECT asset, amount FROM system_balance", [&](const db::Row& row) { sums[row.integer(0)] += row.integer(1); });
  const auto assets = all_assets(reader);
  for (const auto& [asset, sum] : sums) {
    if (!assets.contains({asset})) return broken(fmt::format("accounts hold the unknown asset {}", asset));
    if (sum != 0) return broken(fmt::format("asset {} sums to {} over all accounts, not to zero", asset, core::to_text(sum)));
  }
  return core::Done{};
}

}  // namespace

core::Status check(db::Reader& reader) {
  if (const auto zero = check_zero_sums(reader); !zero) return zero.error();
  if (const auto own = check_own_side(reader); !own) return own.error();
  const Books balances{"balance", [&](auto visit) { each_stored(reader, "SELECT owner, asset, amount FROM balance", visit); },
                       [&](auto visit) { each_posting(reader, visit); }};
  if (const auto people = compare(balances); !people) return people.error();
  const Books owed{"debt", [&](auto visit) { each_stored(reader, "SELECT owner, asset, amount FROM debt", visit); },
                   [&](auto visit) { each_stored(reader, "SELECT owner, asset, amount FROM debt_change", visit); }};
  return compare(owed);
}

}  // namespace tanhui::ledger
