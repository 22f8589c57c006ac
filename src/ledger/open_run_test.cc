#include "ledger/open_run.h"

#include <gtest/gtest.h>

#include <random>

#include "ledger/audit.h"
#include "ledger/test_world.h"

namespace tanhui::ledger {
namespace {

using test::person;
using test::World;

RunTotals post(World& world, std::string_view key, std::vector<Delta> deltas) {
  std::sort(deltas.begin(), deltas.end(), [](const Delta& a, const Delta& b) { return a.person < b.person; });
  db::Transaction tx = world.database.begin();
  OpenRun run = *OpenRun::open(tx, key, "a run");
  run.post(tx, deltas);
  RunTotals totals = run.book(tx);
  tx.commit();
  return totals;
}
/// As post(), but the balances do not follow.
void post_only(World& world, std::string_view key, std::vector<Delta> deltas) {
  db::Transaction tx = world.database.begin();
  OpenRun run = *OpenRun::open(tx, key, "a run");
  run.post(tx, deltas);
  tx.commit();
}
RunTotals close(World& world, std::string_view key) {
  db::Transaction tx = world.database.begin();
  RunTotals totals = [&] {
    OpenRun run = *OpenRun::open(tx, key, "a run");
    return run.close(tx);
  }();
  tx.commit();
  return totals;
}

TEST(OpenRun, BalancesFollowAtOnceAndHistoryShowsThem) {
  World world;
  post(world, "open", {{person(1), world.travel, 1000}, {person(1), world.august, 10}});
  post(world, "open", {{person(1), world.travel, 500}, {person(2), world.travel, 7}});
  EXPECT_EQ(world.balance(person(1), world.travel).amount, 1500);
  EXPECT_EQ(world.balance(Own::issuance, world.travel).amount, -1507);
  const auto lines = history(world.database, person(1));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].amount, 1500);
  EXPECT_EQ(lines[0].reason, "a run");
  world.expect_sound();
  EXPECT_TRUE(check_transfers(world.database, [](std::string_view) { return false; }));
}

TEST(OpenRun, WhatIsNotBookedYetIsKeptForWhoeverBooksIt) {
  World world;
  post_only(world, "open", {{person(1), world.travel, 1000}});
  post_only(world, "open", {{person(1), world.travel, 1}, {person(2), world.travel, 7}});
  EXPECT_EQ(world.balance(person(1), world.travel).amount, 0);
  world.expect_sound();
  {
    db::Transaction tx = world.database.begin();
    OpenRun run = *OpenRun::open(tx, "open", "a run");
    EXPECT_EQ(run.unbooked(), 3u);
    EXPECT_EQ(run.book(tx).people, 2);
    EXPECT_EQ(run.unbooked(), 0u);
    tx.commit();
  }
  EXPECT_EQ(world.balance(person(1), world.travel).amount, 1001);
  EXPECT_EQ(world.database.find<std::int64_t>("SELECT count(*) FROM open_posting"), 1) << "what was booked together is one row";
  post_only(world, "open", {{person(2), world.travel, 3}});
  EXPECT_EQ(close(world, "open").people, 2) << "closing books what is left";
  EXPECT_EQ(world.balance(person(2), world.travel).amount, 10);
  world.expect_sound();
}

TEST(OpenRun, BooksALittleAtATime) {
  World world;
  std::vector<Delta> deltas;
  for (std::uint64_t number = 1; number <= 100; ++number) deltas.push_back({person(number), world.travel, std::int64_t(number)});
  std::sort(deltas.begin(), deltas.end(), [](const Delta& a, const Delta& b) { return a.person < b.person; });
  post_only(world, "open", deltas);
  const auto step = [&] {
    db::Transaction tx = world.database.begin();
    OpenRun run = *OpenRun::open(tx, "open", "a run");
    run.book(tx, 30);
    tx.commit();
    world.expect_sound();
    return run.unbooked();
  };
  EXPECT_EQ(step(), 70u);
  post_only(world, "open", {{person(1), world.travel, 1000}});
  std::size_t left = 71;
  for (int steps = 0; left > 0 && steps < 10; ++steps) left = step();
  EXPECT_EQ(left, 0u);
  EXPECT_EQ(world.balance(person(1), world.travel).amount, 1001);
  EXPECT_EQ(world.balance(person(100), world.travel).amount, 100);
  EXPECT_EQ(close(world, "open").people, 100);
  world.expect_sound();
}

TEST(OpenRun, ARunIsClosedOnce) {
  World world;
  post(world, "open", {{person(1), world.travel, 1000}});
  close(world, "open");
  db::Transaction tx = world.database.begin();
  EXPECT_EQ(OpenRun::open(tx, "open", "a run").error().id, "ledger.run-booked");
}

TEST(OpenRun, WhatIsTakenBackCancelsWithoutATrace) {
  World world;
  post(world, "open", {{person(1), world.travel, 1000}});
  post(world, "open", {{person(1), world.travel, -1000}});
  world.expect_sound();
  const RunTotals totals = close(world, "open");
  EXPECT_EQ(totals.people, 0);
  EXPECT_EQ(totals.postings, 0);
  EXPECT_EQ(world.database.find<std::int64_t>("SELECT count(*) FROM run_posting"), 0);
  EXPECT_EQ(world.database.find<std::int64_t>("SELECT count(*) FROM system_posting"), 0);
  world.expect_sound();
}

TEST(OpenRun, ADebtThatComesAndGoesWithinTheRun) {
  World world;
  post(world, "open", {{person(1), world.august, 100}});
  ASSERT_TRUE(world.post({"spend", "", {{person(1), world.august, -80}, {Own::redeemed, world.august, 80}}}));
  post(world, "open", {{person(1), world.august, -100}});  // 20 are left, 80 are owed
  EXPECT_EQ(world.owed(1, world.august), 80);
  EXPECT_EQ(world.balance(person(1), world.august).amount, 0);
  world.expect_sound();
  post(world, "open", {{person(1), world.september, 100}});  // pays 80
  EXPECT_EQ(world.owed(1, world.august), 0);
  EXPECT_EQ(world.balance(person(1), world.september).amount, 20);
  world.expect_sound();
  close(world, "open");
  world.expect_sound();
  EXPECT_EQ(world.database.find<std::int64_t>("SELECT count(*) FROM debt_change"), 0);
}

TEST(OpenRun, ABatchThatRollsBackNeverWas) {
  World world;
  post(world, "open", {{person(1), world.travel, 5}});
  {
    db::Transaction tx = world.database.begin();
    OpenRun run = *OpenRun::open(tx, "open", "a run");
    const Delta delta{person(2), world.travel, 9};
    run.post(tx, {&delta, 1});
    run.book(tx);
  }
  post(world, "open", {{person(3), world.travel, 1}});
  EXPECT_EQ(world.balance(person(2), world.travel).amount, 0);
  EXPECT_EQ(close(world, "open").people, 2);
  world.expect_sound();
}

/// However a run's deltas come, it ends as one that booked their sums in one go: accounts, postings and digest. (What is taken back and
/// given again may pass through a debt, so here nothing is spent in between.)
TEST(OpenRunProperty, BatchesEndAsOneRun) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    World open, whole;
    const AssetId assets[] = {open.travel, open.energy, open.august, open.september};
    std::map<std::pair<core::PersonKey, AssetId>, std::int64_t> sums;
    for (int batch = 0; batch < 8; ++batch) {
      std::vector<Delta> deltas;
      for (std::uint64_t number = 1; number <= 12; ++number) {
        for (const AssetId asset : assets) {
          if (random() % 3 != 0) continue;
          std::int64_t& sum = sums[{person(number), asset}];
          const std::int64_t amount = std::max(-sum, std::int64_t(random() % 100) - 40);
          sum += amount;
          deltas.push_back({person(number), asset, amount});
        }
      }
      post(open, "run", deltas);
    }
    test::Deltas once;
    for (const auto& [account, amount] : sums) once[account] = amount;
    const RunTotals expected = whole.run("run", once), closed = close(open, "run");
    EXPECT_EQ(closed.digest, expected.digest);
    EXPECT_EQ(closed.people, expected.people);
    EXPECT_EQ(closed.postings, expected.postings);
    const auto postings = [](World& world) {
      return world.database.query<core::PersonKey, std::string>("SELECT owner, entries FROM run_posting ORDER BY owner");
    };
    EXPECT_EQ(postings(open), postings(whole));
    for (const auto& [account, amount] : sums) EXPECT_EQ(open.balance(account.first, account.second).amount, amount);
    open.expect_sound();
    EXPECT_EQ(open.database.find<std::int64_t>("SELECT count(*) FROM open_posting"), 0);
  }
}

}  // namespace
}  // namespace tanhui::ledger
