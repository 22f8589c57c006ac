#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "core/invariant.h"
#include "db/test_database.h"
#include "ledger/ledger.h"

namespace tanhui::ledger {
namespace {

core::PersonKey person(std::uint64_t number) { return {number << 60, number}; }

db::Database in_memory() { return db::test::fresh_database(); }

AssetId travel(db::Database& database) {
  db::Transaction tx = database.begin();
  const AssetId id = asset_id(tx, reduction_asset("city", "travel", 2024));
  tx.commit();
  return id;
}

core::Result<Posted> post_now(db::Database& database, const Transfer& transfer) {
  return database.transact([&](db::Transaction& tx) { return post(tx, transfer); });
}

std::int64_t held(db::Database& database, const Owner& owner, AssetId asset) {
  for (const Balance& balance : balances(database, owner))
    if (balance.id == asset) return balance.amount;
  return 0;
}

TEST(Asset, IsRegisteredOnce) {
  db::Database database = in_memory();
  db::Transaction tx = database.begin();
  const AssetId first = asset_id(tx, reduction_asset("city", "travel", 2024));
  EXPECT_EQ(asset_id(tx, reduction_asset("city", "travel", 2024)), first);
  EXPECT_NE(asset_id(tx, reduction_asset("city", "travel", 2025)), first);
  EXPECT_NE(asset_id(tx, reduction_asset("other", "travel", 2024)), first);
  EXPECT_EQ(find_asset(tx, first), reduction_asset("city", "travel", 2024));
  EXPECT_EQ(find_asset(tx, reduction_asset("city", "energy", 2024)), std::nullopt);
}

TEST(Asset, PointsEndWithTheMonthOfTheirLastDay) {
  const struct {
    const char* why;
    core::Day earned;
    std::int64_t days, month;
  } rows[] = {
      {"a year later, the same month", core::day_of(2024, 9, 2), 365, 202509},
      {"the last day of a month", core::day_of(2025, 1, 1), 30, 202501},
      {"a day later is the next month", core::day_of(2025, 1, 1), 31, 202502},
      {"over the end of the year", core::day_of(2024, 12, 31), 1, 202501},
      {"for ever", core::day_of(2024, 9, 2), 0, 0},
  };
  for (const auto& [why, earned, days, month] : rows) EXPECT_EQ(points_asset("city", earned, days).period, month) << why;
}

TEST(Post, OnceHoweverOftenItArrives) {
  db::Database database = in_memory();
  const AssetId asset = travel(database);
  const Transfer transfer{"k1", "a gift", {{Own::issuance, asset, -500}, {person(1), asset, 500}}};
  EXPECT_EQ(*post_now(database, transfer), Posted::now);
  EXPECT_EQ(*post_now(database, transfer), Posted::earlier);
  Transfer reordered = transfer;
  std::swap(reordered.postings[0], reordered.postings[1]);
  EXPECT_EQ(*post_now(database, reordered), Posted::earlier) << "the order of postings is no content";
  EXPECT_EQ(held(database, person(1), asset), 500);
  Transfer edited = transfer;
  edited.postings[0].amount = -501;
  edited.postings[1].amount = 501;
  EXPECT_EQ(post_now(database, edited).error().id, "ledger.key-reused");
  edited = transfer;
  edited.reason = "another gift";
  EXPECT_EQ(post_now(database, edited).error().id, "ledger.key-reused");
  EXPECT_EQ(held(database, person(1), asset), 500);
  EXPECT_TRUE(check(database));
}

TEST(Post, WhatIsRefused) {
  db::Database database = in_memory();
  const AssetId asset = travel(database);
  ASSERT_TRUE(post_now(database, {"start", "", {{Own::issuance, asset, -100}, {person(1), asset, 100}}}));
  const AssetId unknown{77};
  const struct {
    const char* why;
    Transfer transfer;
    const char* id;
  } rows[] = {
      {"no postings", {"a", "", {}}, "ledger.bad-transfer"},
      {"no key", {"", "", {{person(1), asset, -1}, {person(2), asset, 1}}}, "ledger.bad-transfer"},
      {"one unit appears", {"a", "", {{person(1), asset, -1}, {person(2), asset, 2}}}, "ledger.bad-transfer"},
      {"nothing moves", {"a", "", {{person(1), asset, 0}, {person(2), asset, 0}}}, "ledger.bad-transfer"},
      {"an account twice", {"a", "", {{person(1), asset, -1}, {person(1), asset, -1}, {person(2), asset, 2}}}, "ledger.bad-transfer"},
      {"an unknown asset", {"a", "", {{person(1), unknown, -1}, {person(2), unknown, 1}}}, "ledger.bad-transfer"},
      {"beyond the bound", {"a", "", {{person(1), asset, -kAmountMax - 1}, {person(2), asset, kAmountMax + 1}}}, "ledger.bad-transfer"},
      {"sums that wrap to zero in 64 bits",
       {"a",
        "",
        {{person(1), asset, kAmountMax},
         {person(2), asset, kAmountMax},
         {person(3), asset, kAmountMax},
         {person(4), asset, kAmountMax},
         {person(5), asset, 4}}},
       "ledger.bad-transfer"},
      {"one more than there is", {"a", "", {{person(1), asset, -101}, {person(2), asset, 101}}}, "ledger.short"},
      {"from one who has nothing", {"a", "", {{person(2), asset, -1}, {person(1), asset, 1}}}, "ledger.short"},
      {"from an empty own account", {"a", "", {{Own::pool, asset, -1}, {person(1), asset, 1}}}, "ledger.short"},
      {"a full account", {"a", "", {{Own::issuance, asset, -kAmountMax}, {person(1), asset, kAmountMax}}}, "ledger.full"},
  };
  for (const auto& [why, transfer, id] : rows) {
    const auto posted = post_now(database, transfer);
    ASSERT_FALSE(posted) << why;
    EXPECT_EQ(posted.error().id, id) << why;
  }
  EXPECT_EQ(held(database, person(1), asset), 100);
  EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM transfer"), 1);
  EXPECT_TRUE(check(database));
  ASSERT_TRUE(post_now(database, {"all", "", {{person(1), asset, -100}, {Own::redeemed, asset, 100}}})) << "down to zero";
  EXPECT_EQ(held(database, Own::redeemed, asset), 100);
}

TEST(Post, CanonicalBytesArePinned) {
  const Transfer transfer{"k", "r", {{Own::issuance, {3}, -2}, {core::PersonKey{1, 2}, {3}, 2}}};
  const std::string bytes = canonical_bytes(transfer);
  const std::string hex = core::to_hex(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
  EXPECT_EQ(hex,
            "01"
            "00000001"
            "6b"
            "00000001"
            "72"
            "00000002"
            "00"
            "0000000000000001"
            "0000000000000002"
            "0000000000000003"
            "0000000000000002"
            "01"
            "0000000000000001"
            "0000000000000003"
            "fffffffffffffffe");
}

TEST(PostProperty, NothingIsLostOrOverdrawn) {  // transfers are good, unbalanced, overdrawn or repeated
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));  // the seed alone replays a failure
    std::mt19937_64 random(seed);
    db::Database database = in_memory();
    const AssetId asset = travel(database);
    std::map<std::uint64_t, std::int64_t> expected;  // by person
    std::vector<Transfer> sent;
    for (int step = 0; step < 150; ++step) {
      Transfer transfer{"k" + std::to_string(step), "", {}};
      if (!sent.empty() && random() % 4 == 0) {
        transfer = sent[random() % sent.size()];
        if (random() % 2 == 0) transfer.postings[0].amount += 1;  // edited or unbalanced
      } else {
        const auto amount = std::int64_t(random() % 300) + 1;
        const auto to = random() % 4 + 1, from = random() % 5;
        transfer.postings.push_back({from == 0 ? Owner(Own::issuance) : Owner(person(from)), asset, -amount});
        transfer.postings.push_back({person(to), asset, random() % 10 == 0 ? amount + 1 : amount});
      }
      const auto posted = post_now(database, transfer);
      if (posted && *posted == Posted::now) {
        sent.push_back(transfer);
        for (const Posting& posting : transfer.postings)
          if (const auto* who = std::get_if<core::PersonKey>(&posting.owner)) expected[who->low] += posting.amount;
      }
      for (std::uint64_t number = 1; number <= 4; ++number) {
        ASSERT_EQ(held(database, person(number), asset), expected[number]);
        ASSERT_GE(expected[number], 0);
      }
      const auto total = totals(database);
      ASSERT_EQ(total.at(0).held, total.at(0).issued);
    }
    const auto holds = check(database);
    ASSERT_TRUE(holds) << holds.error().message;
  }
}

}  // namespace
}  // namespace tanhui::ledger
