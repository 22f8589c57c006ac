#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "core/bytes.h"
#include "core/invariant.h"
#include "db/test_database.h"
#include "ledger/entries.h"
#include "ledger/ledger.h"

namespace tanhui::ledger {
namespace {

core::PersonKey person(std::uint64_t number) { return {number * 0x0123456789abcdef, number}; }

/// What a run is asked to book: (person, asset) to delta.
using Deltas = std::map<std::pair<core::PersonKey, AssetId>, std::int64_t>;

RunTotals run(db::Database& database, std::string_view key, const Deltas& deltas) {
  db::Transaction tx = database.begin();
  auto started = RunPosting::start(tx, key, "a run");
  EXPECT_TRUE(started);
  RunPosting posting = *std::move(started);
  for (const auto& [account, delta] : deltas) posting.add(account.second, account.first, delta);
  RunTotals totals = posting.finish();
  tx.commit();
  return totals;
}

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
  std::int64_t held(std::uint64_t number, AssetId asset) { return in(balances(database, person(number)), asset); }
  std::int64_t owed(std::uint64_t number, AssetId asset) { return in(debts(database, person(number)), asset); }
  static std::int64_t in(const std::vector<Balance>& list, AssetId asset) {
    for (const Balance& balance : list)
      if (balance.id == asset) return balance.amount;
    return 0;
  }
  void expect_sound() {
    const auto holds = check(database);
    EXPECT_TRUE(holds) << holds.error().message;
  }
};

TEST(RunPosting, BooksPeopleAndTheCounterSide) {
  World world;
  const RunTotals first = run(world.database, "run 1",
                              {{{person(1), world.travel}, 1000}, {{person(1), world.september}, 10}, {{person(2), world.travel}, 234}});
  EXPECT_EQ(first.people, 2);
  EXPECT_EQ(first.postings, 3);
  ASSERT_EQ(first.per_asset.size(), 2u);
  EXPECT_EQ(first.per_asset[0].booked, 1234);
  core::ByteWriter bytes;  // key and reason, then person, asset, delta
  bytes.u8(1).str("run 1").str("a run");
  bytes.u64(person(1).high).u64(person(1).low).i64(world.travel.value).i64(1000);
  bytes.u64(person(1).high).u64(person(1).low).i64(world.september.value).i64(10);
  bytes.u64(person(2).high).u64(person(2).low).i64(world.travel.value).i64(234);
  EXPECT_EQ(first.digest, core::sha256(bytes.take()));
  run(world.database, "run 2", {{{person(2), world.travel}, -34}, {{person(3), world.energy}, 7}});
  EXPECT_EQ(world.held(1, world.travel), 1000);
  EXPECT_EQ(world.held(2, world.travel), 200);
  EXPECT_EQ(world.held(3, world.energy), 7);
  EXPECT_EQ(balances(world.database, Own::issuance).at(0).amount, -7) << "energy";
  EXPECT_EQ(balances(world.database, Own::issuance).at(1).amount, -1200) << "travel";
  const auto lines = history(world.database, person(2));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].amount, 234);
  EXPECT_EQ(lines[1].amount, -34);
  EXPECT_EQ(lines[1].key, "run 2");
  const auto top = top_accounts(world.database, AssetKind::reduction, "city", 2);
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(top[0].person, person(1));
  EXPECT_EQ(top[1].amount, 200);
  world.expect_sound();
}

TEST(RunPosting, ARunIsBookedOnce) {
  World world;
  run(world.database, "run 1", {{{person(1), world.travel}, 1000}});
  db::Transaction tx = world.database.begin();
  EXPECT_EQ(RunPosting::start(tx, "run 1", "again").error().id, "ledger.run-booked");
}

TEST(RunPosting, TheCallersMistakesBreakInvariants) {
  World world;
  db::Transaction tx = world.database.begin();
  RunPosting posting = *RunPosting::start(tx, "run", "");
  posting.add(world.travel, person(2), 1);
  EXPECT_THROW(posting.add(world.travel, person(1), 1), core::InvariantBroken) << "people descend";
  EXPECT_THROW(posting.add({99}, person(3), 1), core::InvariantBroken) << "unknown asset";
  EXPECT_THROW(posting.add(world.travel, person(4), kAmountMax + 1), core::InvariantBroken);
}

TEST(RunPosting, WhatWasSpentBecomesADebtAndIsRepaid) {
  World world;
  run(world.database, "earn", {{{person(1), world.august}, 100}});
  ASSERT_TRUE(world.database.transact([&](db::Transaction& tx) {
    return post(tx, {"mall", "a ticket", {{person(1), world.august, -70}, {Own::redeemed, world.august, 70}}});
  }));
  const RunTotals reversal = run(world.database, "reverse", {{{person(1), world.august}, -100}});
  EXPECT_EQ(reversal.per_asset.at(0).booked, -30);
  EXPECT_EQ(reversal.per_asset.at(0).debt_change, 70);
  EXPECT_EQ(reversal.new_debts, 1);
  EXPECT_EQ(world.held(1, world.august), 0);
  EXPECT_EQ(world.owed(1, world.august), 70);
  world.expect_sound();

  run(world.database, "elsewhere", {{{person(1), world.other}, 50}, {{person(1), world.travel}, 50}, {{person(2), world.september}, 50}});
  EXPECT_EQ(world.owed(1, world.august), 70) << "another programme, a reduction or another person repays nothing";
  run(world.database, "part", {{{person(1), world.september}, 40}});
  EXPECT_EQ(world.owed(1, world.august), 30);
  EXPECT_EQ(world.held(1, world.september), 0);
  const RunTotals rest = run(world.database, "rest", {{{person(1), world.september}, 40}});
  EXPECT_EQ(rest.per_asset.size(), 2u);
  EXPECT_EQ(world.owed(1, world.august), 0);
  EXPECT_EQ(world.held(1, world.september), 10);
  world.expect_sound();
}

TEST(RunPosting, TakingBackUsesTheLotThenTheLotThatExpiresFirst) {
  World world;
  run(world.database, "earn", {{{person(1), world.lasting}, 10}, {{person(1), world.august}, 10}, {{person(1), world.september}, 10}});
  run(world.database, "back", {{{person(1), world.september}, -25}});
  EXPECT_EQ(world.held(1, world.september), 0) << "its own lot first";
  EXPECT_EQ(world.held(1, world.august), 0) << "then the lot that expires first";
  EXPECT_EQ(world.held(1, world.lasting), 5) << "and last the one that never expires";
  EXPECT_EQ(world.owed(1, world.september), 0);
  world.expect_sound();
}

TEST(RunPosting, AReductionThatIsGoneIsOwedInItsOwnAsset) {
  World world;
  run(world.database, "earn", {{{person(1), world.travel}, 10}, {{person(1), world.energy}, 100}});
  run(world.database, "back", {{{person(1), world.travel}, -25}});
  EXPECT_EQ(world.held(1, world.energy), 100) << "another category pays nothing";
  EXPECT_EQ(world.owed(1, world.travel), 15);
  run(world.database, "again", {{{person(1), world.travel}, 20}});
  EXPECT_EQ(world.held(1, world.travel), 5);
  world.expect_sound();
}

TEST(RunPosting, ExpiryEndsLotsNotBalances) {
  World world;
  run(world.database, "earn",
      {{{person(1), world.lasting}, 1},
       {{person(1), world.august}, 2},
       {{person(1), world.september}, 3},
       {{person(1), world.other}, 4},
       {{person(2), world.august}, 5}});
  const auto expire = [&](std::string_view key, core::Day today) {
    return world.database.transact([&](db::Transaction& tx) { return expire_points(tx, key, "city", today); });
  };
  EXPECT_EQ(expire("august", core::day_of(2025, 8, 31))->people, 0) << "the month is not over";
  EXPECT_EQ(expire("september", core::day_of(2025, 9, 1))->people, 2);
  EXPECT_EQ(world.held(1, world.august), 0);
  EXPECT_EQ(world.held(2, world.august), 0);
  EXPECT_EQ(world.held(1, world.september), 3);
  EXPECT_EQ(world.held(1, world.lasting), 1);
  EXPECT_EQ(world.held(1, world.other), 4);
  EXPECT_EQ(balances(world.database, Own::expired).at(0).amount, 7);
  EXPECT_EQ(expire("september", core::day_of(2025, 9, 1)).error().id, "ledger.run-booked");
  EXPECT_EQ(expire("again", core::day_of(2025, 9, 2))->people, 0);
  world.expect_sound();
}

TEST(RunPosting, ExpiryOfMorePeopleThanOnePage) {
  World world;
  Deltas deltas;
  for (std::uint64_t number = 1; number <= 5000; ++number) deltas[{person(number), world.august}] = std::int64_t(number);
  run(world.database, "earn", deltas);
  const auto expired =
      world.database.transact([&](db::Transaction& tx) { return expire_points(tx, "x", "city", core::day_of(2026, 1, 1)); });
  EXPECT_EQ(expired->people, 5000);
  EXPECT_EQ(world.database.find<std::int64_t>("SELECT count(*) FROM balance WHERE amount > 0"), 0);
  world.expect_sound();
}

TEST(RunPosting, AmountsAtTheBoundsStayWhole) {
  World world;
  run(world.database, "all", {{{person(1), world.travel}, kAmountMax}});
  EXPECT_EQ(world.held(1, world.travel), kAmountMax);
  EXPECT_THROW(run(world.database, "one more", {{{person(1), world.travel}, 1}}), db::ConstraintBroken);
  EXPECT_ANY_THROW(run(world.database, "another's", {{{person(2), world.travel}, kAmountMax}}))
      << "the issuance account would leave its bounds";
  EXPECT_ANY_THROW(
      run(world.database, "sum",
          {{{person(2), world.energy}, kAmountMax}, {{person(3), world.energy}, kAmountMax}, {{person(4), world.energy}, kAmountMax}}));
  run(world.database, "back", {{{person(1), world.travel}, -kAmountMax}});
  EXPECT_EQ(world.held(1, world.travel), 0);
  world.expect_sound();
}

TEST(RunPosting, CheckNamesWhatDoesNotHold) {
  const struct {
    const char* why;
    const char* sql;
    const char* says;
  } rows[] = {
      {"a balance edited, its asset no longer sums to zero", "UPDATE balance SET amount = amount + 1 WHERE amount = 234", "sums to 1"},
      {"moved from one person to another", "UPDATE balance SET amount = CASE amount WHEN 1000 THEN 1010 WHEN 234 THEN 224 ELSE amount END",
       "account"},
      {"a posting dropped", "DELETE FROM run_posting WHERE owner = (SELECT owner FROM run_posting ORDER BY owner LIMIT 1)", "account"},
      {"a debt forgiven", "UPDATE debt SET amount = 0", "debt"},
      {"the own side edited with a person", "UPDATE system_posting SET amount = amount - 1", "issuance"},
  };
  for (const auto& [why, sql, says] : rows) {
    World world;
    run(world.database, "run 1", {{{person(1), world.travel}, 1000}, {{person(2), world.travel}, 234}, {{person(3), world.august}, -5}});
    world.expect_sound();
    db::Transaction tx = world.database.begin();
    ASSERT_GE(tx.exec(sql), 1) << why;
    const auto holds = check(tx);
    ASSERT_FALSE(holds) << why;
    EXPECT_EQ(holds.error().id, "ledger.broken") << why;
    EXPECT_NE(holds.error().message.find(says), std::string::npos) << why << ": " << holds.error().message;
  }
}

TEST(Entries, RoundTripAndDamage) {
  const std::pair<std::int64_t, std::int64_t> cases[] = {{1, 1},     {1, -1},         {127, 63},        {128, 64},
                                                         {128, -65}, {5, kAmountMax}, {5, -kAmountMax}, {INT64_MAX, INT64_MIN}};
  std::string all;
  for (const auto& [asset, amount] : cases) append_entry(all, asset, amount);
  EXPECT_EQ(read_entries(all), (std::vector<std::pair<std::int64_t, std::int64_t>>(std::begin(cases), std::end(cases))));
  EXPECT_EQ(all.substr(0, 4), std::string("\x01\x02\x01\x01")) << "the bytes are pinned";
  EXPECT_THROW(read_entries("\x01"), db::Failure);
  EXPECT_THROW(read_entries("\x81"), db::Failure);
  EXPECT_THROW(read_entries(std::string(11, '\xff')), db::Failure);
}

/// Randomly mixed runs and spends against the plainest model there is.
TEST(RunPostingProperty, AgreesWithAModel) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    World world;
    const AssetId assets[] = {world.travel, world.energy, world.august, world.september, world.lasting, world.other};
    const auto pool = [&](AssetId asset) {  // points of the city are one pool
      return asset == world.september || asset == world.lasting ? world.august : asset;
    };
    std::map<std::pair<std::uint64_t, AssetId>, std::int64_t> net;  // by person and pool: what is held less what is owed
    for (int step = 0; step < 12; ++step) {
      Deltas deltas;
      const auto people = random() % 40 + 1;
      for (std::uint64_t i = 0; i < people; ++i) {
        const std::uint64_t number = random() % 30 + 1;
        const AssetId asset = assets[random() % std::size(assets)];
        deltas[{person(number), asset}] = std::int64_t(random() % 200) - 80;
      }
      for (const auto& [account, delta] : deltas) net[{account.first.low, pool(account.second)}] += delta;
      run(world.database, "run " + std::to_string(step), deltas);
      const std::uint64_t spender = random() % 30 + 1;
      const AssetId spent = assets[random() % std::size(assets)];
      if (const std::int64_t have = world.held(spender, spent); have > 0) {
        const std::int64_t amount = std::int64_t(random() % std::uint64_t(have)) + 1;
        ASSERT_TRUE(world.database.transact([&](db::Transaction& tx) {
          return post(tx, {"spend " + std::to_string(step), "", {{person(spender), spent, -amount}, {Own::redeemed, spent, amount}}});
        }));
        net[{spender, pool(spent)}] -= amount;
      }
      for (std::uint64_t number = 1; number <= 30; ++number) {
        std::map<AssetId, std::int64_t> held, owed;
        for (const Balance& balance : balances(world.database, person(number))) held[pool(balance.id)] += balance.amount;
        for (const Balance& debt : debts(world.database, person(number))) owed[pool(debt.id)] += debt.amount;
        for (const AssetId asset : {world.travel, world.energy, world.august, world.other}) {
          ASSERT_EQ(held[asset] - owed[asset], (net[{number, asset}])) << number;
          ASSERT_TRUE(held[asset] == 0 || owed[asset] == 0) << "nobody holds and owes in one pool";
        }
      }
    }
    world.expect_sound();
  }
}

/// The same deltas in one run or split over several end in the same accounts when nothing is taken back.
TEST(RunPostingProperty, SplittingARunChangesNothing) {
  std::mt19937_64 random(7);
  World whole, parts;
  Deltas deltas;
  for (std::uint64_t number = 1; number <= 3000; ++number)
    for (const AssetId asset : {whole.travel, whole.august}) deltas[{person(number), asset}] = std::int64_t(random() % 10'000) + 1;
  run(whole.database, "whole", deltas);
  for (int part = 0; part < 3; ++part) {
    Deltas some;
    for (const auto& [account, delta] : deltas) some[account] = delta / 3 + (part < delta % 3 ? 1 : 0);
    run(parts.database, "part " + std::to_string(part), some);
  }
  const auto everything = [](db::Database& database) {
    return database.query<core::PersonKey, std::int64_t, std::int64_t>("SELECT owner, asset, amount FROM balance ORDER BY owner, asset");
  };
  EXPECT_EQ(everything(whole.database), everything(parts.database));
  EXPECT_EQ(everything(whole.database).size(), 6000u);
  whole.expect_sound();
  parts.expect_sound();
}

TEST(RunPosting, AKilledRunLeavesNothing) {
  const db::test::Place place;
  AssetId asset;
  {
    db::Database database = place.open();
    db::Transaction tx = database.begin();
    asset = asset_id(tx, reduction_asset("city", "travel", 2024));
    tx.commit();
  }
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    db::Database database = place.open();
    db::Transaction tx = database.begin();
    RunPosting posting = *RunPosting::start(tx, "run", "");
    for (std::uint64_t number = 1; number <= 1'000'000; ++number) posting.add(asset, {number, 0}, 5);  // spills to the file
    (void)!::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char go = 0;
  ASSERT_EQ(::read(ready[0], &go, 1), 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  {
    db::Database database = place.open();
    EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM balance"), 0);
    EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM transfer"), 0);
    EXPECT_EQ(run(database, "run", {{{person(1), asset}, 5}}).people, 1) << "the same run can be booked afterwards";
    EXPECT_TRUE(check(database));
  }
}

}  // namespace
}  // namespace tanhui::ledger
