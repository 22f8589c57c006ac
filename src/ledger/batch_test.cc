#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ledger/test_world.h"

namespace tanhui::ledger {
namespace {

using test::person;
using test::World;

std::vector<core::Result<Posted>> send(World& world, const std::vector<Transfer>& transfers) {
  db::Transaction tx = world.database.begin();
  auto answers = post_batch(tx, transfers);
  tx.commit();
  return answers;
}
core::Result<Posted> send_linked(World& world, const std::vector<Transfer>& transfers) {
  db::Transaction tx = world.database.begin();
  auto answer = post_linked(tx, transfers);
  tx.commit();  // even after an error: nothing was written
  return answer;
}
std::string to_text(const core::Result<Posted>& answer) {
  return answer ? (*answer == Posted::now ? "now" : "earlier") : answer.error().id + ": " + answer.error().message;
}

TEST(PostBatch, TheGoodRestCounts) {
  World world;
  world.run("start", {{{person(1), world.travel}, 100}});
  const auto pay = [&](std::string key, std::uint64_t from, std::uint64_t to, std::int64_t amount) {
    return Transfer{std::move(key), "", {{person(from), world.travel, -amount}, {person(to), world.travel, amount}}};
  };
  const std::vector<Transfer> transfers = {pay("a", 1, 2, 60),
                                           pay("b", 1, 2, 60),
                                           pay("c", 2, 3, 60),
                                           pay("a", 1, 2, 60),
                                           pay("a", 1, 2, 61),
                                           {"d", "", {}},
                                           pay("b", 3, 1, 10),
                                           pay("e", 1, 1, 10),
                                           {"f", "", {{Own::issuance, world.travel, -5}, {person(9), world.travel, 5}}},
                                           {"g", "", {{Own::pool, world.travel, -5}, {person(9), world.travel, 5}}}};
  const char* expected[] = {"now", "ledger.short",        "now", "earlier",     "ledger.key-reused", "ledger.bad-transfer",
                            "now", "ledger.bad-transfer", "now", "ledger.short"};
  const auto answers = send(world, transfers);
  ASSERT_EQ(answers.size(), std::size(expected));
  for (std::size_t i = 0; i < answers.size(); ++i)
    EXPECT_EQ(to_text(answers[i]).substr(0, to_text(answers[i]).find(':')), expected[i]) << i;
  EXPECT_EQ(world.balance(person(1), world.travel).amount, 50);
  EXPECT_EQ(world.balance(person(2), world.travel).amount, 0);
  EXPECT_EQ(world.balance(person(3), world.travel).amount, 50);
  EXPECT_EQ(world.balance(person(9), world.travel).amount, 5);
  world.expect_sound();
  EXPECT_TRUE(send(world, {}).empty());
}

TEST(PostBatch, LinkedIsAllOrNothing) {
  World world;
  world.run("start", {{{person(1), world.travel}, 100}, {{person(2), world.lasting}, 45}});
  const Transfer units{"units", "", {{person(1), world.travel, -10}, {person(2), world.travel, 10}}};
  const Transfer money{"money", "", {{person(2), world.lasting, -45}, {person(1), world.lasting, 45}}};
  Transfer dear = money;
  dear.postings = {{person(2), world.lasting, -46}, {person(1), world.lasting, 46}};
  const std::string before = world.contents();
  EXPECT_EQ(send_linked(world, {units, dear}).error().id, "ledger.short");
  EXPECT_EQ(world.contents(), before);
  EXPECT_EQ(*send_linked(world, {units, money}), Posted::now);
  EXPECT_EQ(*send_linked(world, {units, money}), Posted::earlier);
  EXPECT_EQ(send_linked(world, {units, dear}).error().id, "ledger.key-reused");
  const Transfer more{"more", "", {{person(1), world.travel, -1}, {person(2), world.travel, 1}}};
  EXPECT_EQ(send_linked(world, {units, more}).error().id, "ledger.linked-apart");
  EXPECT_EQ(send_linked(world, {more, units}).error().id, "ledger.linked-apart");
  EXPECT_EQ(world.balance(person(2), world.travel).amount, 10);
  world.expect_sound();
}

/// Good, unbalanced, overdrawn, overfull, repeated and edited transfers over a few accounts, some of them with holds.
std::vector<Transfer> any_transfers(const World& world) {
  std::vector<Transfer> transfers;
  const int count = *rc::gen::inRange(1, 30);
  for (int i = 0; i < count; ++i) {
    if (!transfers.empty() && *rc::gen::inRange(0, 4) == 0) {
      transfers.push_back(*rc::gen::elementOf(transfers));
      if (*rc::gen::arbitrary<bool>()) transfers.back().reason += "!";
      continue;
    }
    Transfer transfer{fmt::format("k{}", *rc::gen::inRange(0, 60)), "", {}};
    const int parts = *rc::gen::inRange(1, 3);
    for (int part = 0; part < parts; ++part) {
      const AssetId asset = *rc::gen::element(world.travel, world.august, AssetId{99});
      const bool rare = *rc::gen::inRange(0, 20) == 0;
      const std::int64_t amount = rare ? kAmountMax - *rc::gen::inRange(0, 50) : *rc::gen::inRange(-5, 90);
      const auto owner = [] {
        const int number = *rc::gen::inRange(-2, 4);
        return number == -2 ? Owner(Own::issuance) : number == -1 ? Owner(Own::pool) : Owner(person(std::uint64_t(number) + 1));
      };
      transfer.postings.push_back({owner(), asset, -amount});
      transfer.postings.push_back({owner(), asset, *rc::gen::inRange(0, 15) == 0 ? amount + 1 : amount});
    }
    transfers.push_back(transfer);
  }
  return transfers;
}

TEST(PostBatch, EqualsOneAfterTheOther) {
  int cases = 0;
  EXPECT_TRUE(rc::check("a batch equals its transfers one after the other", [&] {
    if (++cases > 20 && db::test::on_postgres()) return;  // two new schemas each
    World batched, single;
    for (World* world : {&batched, &single}) {
      test::Deltas deltas;
      for (std::uint64_t number = 1; number <= 3; ++number)
        for (const AssetId asset : {world->travel, world->august}) deltas[{person(number), asset}] = 100;
      world->run("start", deltas);
      RC_ASSERT(bool(world->place({"h", "", person(1), world->travel, 25, 1000})));
    }
    for (int round = 0; round < 3; ++round) {
      const auto transfers = any_transfers(batched);
      const auto answers = send(batched, transfers);
      RC_ASSERT(answers.size() == transfers.size());
      for (std::size_t i = 0; i < transfers.size(); ++i) RC_ASSERT(to_text(answers[i]) == to_text(single.post(transfers[i])));
      RC_ASSERT(batched.contents() == single.contents());
    }
    const auto sound = check(batched.database);
    if (!sound) RC_FAIL(sound.error().message);
  }));
}

}  // namespace
}  // namespace tanhui::ledger
