// ledger/test_world.h: a fresh ledger with a few assets. For *_test.cc only.
#pragma once
#include <gtest/gtest.h>

#include "db/test_database.h"
#include "ledger/holds.h"
#include "ledger/ledger.h"

namespace tanhui::ledger::test {

inline core::PersonKey person(std::uint64_t number) { return {number * 0x0123456789abcdef, number}; }

/// What a run is asked to book: (person, asset) to delta.
using Deltas = std::map<std::pair<core::PersonKey, AssetId>, std::int64_t>;

struct World {
  db::Database database = db::test::fresh_database();
  AssetId travel = make(reduction_asset("city", "travel", 2024)), energy = make(reduction_asset("city", "energy", 2024));
  AssetId august = make({AssetKind::points, "city", "", 202508}), september = make({AssetKind::points, "city", "", 202509});
  AssetId lasting = make({AssetKind::points, "city", "", 0}), other = make({AssetKind::points, "other", "", 202508});

  AssetId make(const Asset& asset) {
    db::Transaction tx = database.begin();
    const AssetId id = asset_id(tx, asset);
    tx.commit();
    return id;
  }
  Balance balance(const Owner& owner, AssetId asset) {
    for (const Balance& one : balances(database, owner))
      if (one.id == asset) return one;
    return {};
  }
  std::int64_t owed(std::uint64_t number, AssetId asset) {
    for (const Balance& debt : debts(database, person(number)))
      if (debt.id == asset) return debt.amount;
    return 0;
  }
  RunTotals run(std::string_view key, const Deltas& deltas) {
    db::Transaction tx = database.begin();
    auto started = RunPosting::start(tx, key, "a run");
    EXPECT_TRUE(started);
    RunPosting posting = *std::move(started);
    for (const auto& [account, delta] : deltas) posting.add(account.second, account.first, delta);
    RunTotals totals = posting.finish();
    tx.commit();
    return totals;
  }
  core::Result<Posted> post(const Transfer& transfer) {
    return database.transact([&](db::Transaction& tx) { return ledger::post(tx, transfer); });
  }
  core::Result<Posted> place(const Hold& hold, core::Millis now_ms = 0) {
    return database.transact([&](db::Transaction& tx) { return place_hold(tx, hold, now_ms); });
  }
  core::Result<Posted> settle(const Transfer& transfer, const std::vector<std::string>& holds, core::Millis now_ms = 0) {
    return database.transact([&](db::Transaction& tx) { return settle_holds(tx, transfer, holds, now_ms); });
  }
  core::Result<Posted> release(std::string_view key) {
    return database.transact([&](db::Transaction& tx) { return release_hold(tx, key); });
  }
  std::int64_t sweep(core::Millis now_ms, std::int64_t limit = 1000) {
    db::Transaction tx = database.begin();
    const std::int64_t count = release_expired(tx, now_ms, limit);
    tx.commit();
    return count;
  }
  void expect_sound() {
    const auto holds = check(database);
    EXPECT_TRUE(holds) << holds.error().message;
  }
  /// Everything the ledger's tables hold.
  std::string contents() {
    std::string all;
    const auto numbers = [&](const db::Row& row, int columns) {
      for (int i = 0; i < columns; ++i) all += fmt::format("{} ", row.integer(i));
    };
    const auto add = [&](const char* sql, int of_bytes, int of_numbers) {
      database.each(sql, [&](const db::Row& row) {
        for (int i = 0; i < of_bytes; ++i) all += fmt::format("'{}' ", row.bytes(of_numbers + i));
        numbers(row, of_numbers);
        all += '\n';
      });
    };
    add("SELECT id, digest, key, reason FROM transfer ORDER BY id", 3, 1);
    add("SELECT asset, amount, held, owner FROM balance ORDER BY owner, asset", 1, 3);
    add("SELECT account, asset, amount FROM system_balance ORDER BY account, asset", 0, 3);
    add("SELECT transfer, asset, amount, owner FROM posting ORDER BY transfer, owner, asset", 1, 3);
    add("SELECT transfer, account, asset, amount FROM system_posting ORDER BY transfer, account, asset", 0, 4);
    add("SELECT transfer, owner, entries FROM run_posting ORDER BY transfer, owner", 2, 1);
    add("SELECT asset, amount, owner FROM debt ORDER BY owner, asset", 1, 2);
    add("SELECT transfer, asset, amount, owner FROM debt_change ORDER BY transfer, owner, asset", 1, 3);
    add("SELECT asset, amount, expires_ms, settled, coalesce(transfer, 0), key, digest, reason, owner, state FROM hold ORDER BY key", 5, 5);
    return all;
  }
};

}  // namespace tanhui::ledger::test
