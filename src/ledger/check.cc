#include <fmt/format.h>

#include <random>

#include "core/int128.h"
#include "ledger/entries.h"
#include "ledger/ledger.h"
#include "ledger/open_run.h"
#include "ledger/stored_asset.h"

namespace tanhui::ledger {
namespace {

core::Error broken(std::string_view what) {
  return {core::ErrorCode::refused, "ledger.broken", std::string(what),
          "stop booking, keep a copy of the database, and compare it with the journal by `tanhui verify`"};
}

/// Accounts and their postings are compared without holding either: each account has a pseudo-random weight, and the weighted sum of the
/// balances must equal the weighted sum of the postings. Sums have 128 bits: a difference is below 2^63 and a weight below 2^64, so two
/// differences cancel only where their weights happen to have the one fitting ratio, which nobody can aim at without the seed. Buckets of
/// people narrow a difference down; a second pass names it.
constexpr int kBucketBits = 12;
using Buckets = std::vector<core::Uint128>;

std::size_t bucket_of(const core::PersonKey& person) { return std::size_t(person.high >> (64 - kBucketBits)); }

std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93ull;
  value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93ull;
  return value ^ (value >> 32);
}

/// One word after the other goes through the mixer: xor of all three first would give some accounts the same weight under every seed.
std::uint64_t weight(std::uint64_t seed, const core::PersonKey& person, std::int64_t asset) {
  return mix(mix(mix(mix(seed) ^ person.high) + person.low) ^ std::uint64_t(asset)) | 1;  // odd: no amount vanishes
}

template <class Visit>  // visit(person, asset, amount)
void each_posting(db::Reader& reader, Visit visit) {
  reader.each("SELECT owner, asset, amount FROM posting",
              [&](const db::Row& row) { visit(row.get<core::PersonKey>(0), row.integer(1), row.integer(2)); });
  reader.each("SELECT owner, entries FROM run_posting", [&](const db::Row& row) {
    const auto person = row.get<core::PersonKey>(0);
    for (const auto& [asset, amount] : read_entries(row.bytes(1))) visit(person, asset, amount);
  });
  each_open_posting(
      reader, [&](std::int64_t, const core::PersonKey& person, std::int64_t asset, std::int64_t amount) { visit(person, asset, amount); });
}

template <class Visit>
void each_stored(db::Reader& reader, std::string_view sql, Visit visit) {
  reader.each(sql, [&](const db::Row& row) { visit(row.get<core::PersonKey>(0), row.integer(1), row.integer(2)); });
}

struct Books {  // two readings of the same accounts
  std::string_view what;
  std::function<void(const std::function<void(core::PersonKey, std::int64_t, std::int64_t)>&)> stored, changes;
};

core::Status compare(const Books& books, std::uint64_t seed) {
  Buckets differences(std::size_t(1) << kBucketBits);
  books.stored([&](core::PersonKey person, std::int64_t asset, std::int64_t amount) {
    differences[bucket_of(person)] += core::Uint128(core::Int128(amount) * weight(seed, person, asset));
  });
  books.changes([&](core::PersonKey person, std::int64_t asset, std::int64_t amount) {
    differences[bucket_of(person)] -= core::Uint128(core::Int128(amount) * weight(seed, person, asset));
  });
  const auto bad = std::find_if(differences.begin(), differences.end(), [](core::Uint128 difference) { return difference != 0; });
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

/// Every transfer sums to zero in every asset: what it gave to people it took from the programme's side, or the other way round.
core::Status check_transfers_balance(db::Reader& reader, std::uint64_t seed) {
  Buckets sums(std::size_t(1) << kBucketBits);
  const auto each = [&](const auto& visit) {
    reader.each("SELECT transfer, asset, amount FROM posting",
                [&](const db::Row& row) { visit(row.integer(0), row.integer(1), row.integer(2)); });
    reader.each("SELECT transfer, asset, amount FROM system_posting",
                [&](const db::Row& row) { visit(row.integer(0), row.integer(1), row.integer(2)); });
    reader.each("SELECT transfer, entries FROM run_posting", [&](const db::Row& row) {
      for (const auto& [asset, amount] : read_entries(row.bytes(1))) visit(row.integer(0), asset, amount);
    });
    each_open_posting(reader, [&](std::int64_t transfer, const core::PersonKey&, std::int64_t asset, std::int64_t amount) {
      visit(transfer, asset, amount);
    });
  };
  const auto bucket_of_transfer = [](std::int64_t transfer) { return std::size_t(transfer) % (std::size_t(1) << kBucketBits); };
  each([&](std::int64_t transfer, std::int64_t asset, std::int64_t amount) {
    sums[bucket_of_transfer(transfer)] += core::Uint128(core::Int128(amount) * weight(seed, {std::uint64_t(transfer), 0}, asset));
  });
  const auto bad = std::find_if(sums.begin(), sums.end(), [](core::Uint128 sum) { return sum != 0; });
  if (bad == sums.end()) return core::Done{};
  const auto bucket = std::size_t(bad - sums.begin());
  std::map<std::pair<std::int64_t, std::int64_t>, core::Int128> exact;
  each([&](std::int64_t transfer, std::int64_t asset, std::int64_t amount) {
    if (bucket_of_transfer(transfer) == bucket) exact[{transfer, asset}] += amount;
  });
  for (const auto& [where, sum] : exact)
    if (sum != 0)
      return broken(fmt::format("transfer {} sums to {} in asset {}, not to zero", where.first, core::to_text(sum), where.second));
  return core::Done{};
}

/// What the tables of postings do not ask of the store row by row (0006_hold.sql). A run has millions of postings under one id.
core::Status check_references(db::Reader& reader) {
  std::optional<std::int64_t> lost;
  for (const std::string_view table : {"posting", "system_posting"})
    if (!lost)
      lost = reader.find<std::int64_t>(
          fmt::format("SELECT p.transfer FROM {} p WHERE NOT EXISTS (SELECT 1 FROM transfer t WHERE t.id = p.transfer) LIMIT 1", table));
  for (auto run = std::optional<std::int64_t>(0); run && !lost;) {
    run = reader.find<std::int64_t>("SELECT transfer FROM run_posting WHERE transfer > $1 ORDER BY transfer LIMIT 1", *run);
    if (run && !reader.find<std::int64_t>("SELECT id FROM transfer WHERE id = $1", *run)) lost = run;
  }
  if (!lost)
    lost = reader.find<std::int64_t>(
        "SELECT p.transfer FROM open_posting p WHERE NOT EXISTS (SELECT 1 FROM open_run r WHERE r.transfer = p.transfer) LIMIT 1");
  if (lost) return broken(fmt::format("there are postings of the unknown transfer {}", *lost));
  return core::Done{};
}

}  // namespace

core::Status check(db::Reader& reader, std::uint64_t seed) {
  if (const auto zero = check_zero_sums(reader); !zero) return zero.error();
  if (const auto own = check_own_side(reader); !own) return own.error();
  if (const auto references = check_references(reader); !references) return references.error();
  const auto stored = [&](std::string_view sql) { return [&reader, sql](auto visit) { each_stored(reader, sql, visit); }; };
  const Books all[] = {{"balance", stored("SELECT owner, asset, amount FROM balance"), [&](auto visit) { each_posting(reader, visit); }},
                       {"debt", stored("SELECT owner, asset, amount FROM debt"), stored("SELECT owner, asset, amount FROM debt_change")},
                       {"held amount", stored("SELECT owner, asset, held FROM balance WHERE held > 0"),
                        stored("SELECT owner, asset, amount FROM hold WHERE state = 'open'")}};
  for (const Books& books : all)
    if (const auto holds = compare(books, seed); !holds) return holds.error();
  return check_transfers_balance(reader, seed);
}

core::Status check(db::Reader& reader) {
  std::random_device source;
  return check(reader, std::uint64_t(source()) << 32 | source());
}

}  // namespace tanhui::ledger
