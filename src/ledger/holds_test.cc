#include "ledger/holds.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ledger/test_world.h"

namespace tanhui::ledger {
namespace {

using test::person;
using test::World;

constexpr core::Millis kNoon = 1'000, kEvening = 2'000;

Hold hold_of(World& world, std::string key, std::int64_t amount) {
  return {std::move(key), "an order", person(1), world.travel, amount, kEvening};
}
Transfer payment(World& world, std::string key, std::int64_t amount) {
  return {std::move(key), "paid", {{person(1), world.travel, -amount}, {person(2), world.travel, amount}}};
}

TEST(Holds, WhatIsHeldCannotBeSpent) {
  World world;
  world.run("earn", {{{person(1), world.travel}, 100}});
  EXPECT_EQ(*world.place(hold_of(world, "h1", 60), kNoon), Posted::now);
  const Balance balance = world.balance(person(1), world.travel);
  EXPECT_EQ(balance.amount, 100);
  EXPECT_EQ(balance.held, 60);
  EXPECT_EQ(balance.available(), 40);
  const auto short_by_one = world.post(payment(world, "t1", 41));
  ASSERT_FALSE(short_by_one);
  EXPECT_EQ(short_by_one.error().id, "ledger.short");
  EXPECT_NE(short_by_one.error().message.find("60 more are held"), std::string::npos) << short_by_one.error().message;
  EXPECT_EQ(world.place(hold_of(world, "h2", 41), kNoon).error().id, "ledger.short");
  EXPECT_TRUE(world.post(payment(world, "t2", 40)));
  EXPECT_EQ(world.balance(person(1), world.travel).available(), 0);
  EXPECT_EQ(totals(world.database).at(1).on_hold, 60);
  ASSERT_EQ(open_holds(world.database, person(1)).size(), 1u);
  EXPECT_EQ(open_holds(world.database, person(1)).at(0).hold.key, "h1");
  world.expect_sound();
}

TEST(Holds, SettledInFullOrInPart) {
  World world;
  world.run("earn", {{{person(1), world.travel}, 100}});
  ASSERT_TRUE(world.place(hold_of(world, "h1", 60), kNoon));
  ASSERT_TRUE(world.place(hold_of(world, "h2", 30), kNoon));
  EXPECT_EQ(*world.settle(payment(world, "t1", 60), {"h1"}, kNoon), Posted::now);
  EXPECT_EQ(*world.settle(payment(world, "t2", 20), {"h2"}, kNoon), Posted::now);
  const Balance balance = world.balance(person(1), world.travel);
  EXPECT_EQ(balance.amount, 20);
  EXPECT_EQ(balance.held, 0) << "what was left of h2 is available again";
  EXPECT_EQ(world.balance(person(2), world.travel).amount, 80);
  const auto record = find_hold(world.database, "h2");
  EXPECT_EQ(record->state, HoldState::settled);
  EXPECT_EQ(record->settled, 20);
  EXPECT_EQ(record->transfer, world.database.find<std::int64_t>("SELECT id FROM transfer WHERE key = 't2'"));
  world.expect_sound();
}

TEST(Holds, DeliveryVersusPayment) {
  World world;
  world.run("earn", {{{person(1), world.travel}, 100}, {{person(2), world.lasting}, 500}});
  ASSERT_TRUE(world.place({"units", "", person(1), world.travel, 10, kEvening}, kNoon));
  ASSERT_TRUE(world.place({"money", "", person(2), world.lasting, 450, kEvening}, kNoon));
  const Transfer trade{
      "trade",
      "10 at 45",
      {{person(1), world.travel, -10}, {person(2), world.travel, 10}, {person(2), world.lasting, -450}, {person(1), world.lasting, 450}}};
  EXPECT_EQ(*world.settle(trade, {"units", "money"}, kNoon), Posted::now);
  EXPECT_EQ(*world.settle(trade, {"money", "units"}, kNoon), Posted::earlier);
  EXPECT_EQ(world.balance(person(1), world.lasting).available(), 450);
  EXPECT_EQ(world.balance(person(2), world.travel).available(), 10);
  world.expect_sound();
}

TEST(Holds, EveryStepMayBeSentAgain) {
  World world;
  world.run("earn", {{{person(1), world.travel}, 100}});
  const Hold hold = hold_of(world, "h1", 60);
  ASSERT_TRUE(world.place(hold, kNoon));
  EXPECT_EQ(*world.place(hold, kNoon), Posted::earlier);
  Hold edited = hold;
  edited.amount = 61;
  EXPECT_EQ(world.place(edited, kNoon).error().id, "ledger.key-reused");
  edited = hold;
  edited.expires_ms += 1;
  EXPECT_EQ(world.place(edited, kNoon).error().id, "ledger.key-reused");
  ASSERT_TRUE(world.place(hold_of(world, "h2", 40), kNoon));

  ASSERT_TRUE(world.settle(payment(world, "t1", 50), {"h1"}, kNoon));
  const std::string after = world.contents();
  EXPECT_EQ(*world.settle(payment(world, "t1", 50), {"h1"}, kNoon), Posted::earlier);
  EXPECT_EQ(*world.settle(payment(world, "t1", 50), {"h1"}, kEvening + 1), Posted::earlier) << "a late repeat gets the first answer too";
  EXPECT_EQ(*world.place(hold, kEvening + 1), Posted::earlier);
  EXPECT_EQ(world.settle(payment(world, "t1", 49), {"h1"}, kNoon).error().id, "ledger.key-reused");
  EXPECT_EQ(world.settle(payment(world, "t1", 50), {"h2"}, kNoon).error().id, "ledger.key-reused");
  EXPECT_EQ(world.settle(payment(world, "t1", 50), {"h1", "h2"}, kNoon).error().id, "ledger.key-reused");
  EXPECT_EQ(world.settle(payment(world, "t2", 1), {"h1"}, kNoon).error().id, "ledger.hold-closed");
  EXPECT_EQ(world.release("h1").error().id, "ledger.hold-closed");
  EXPECT_EQ(*world.post(payment(world, "t1", 50)), Posted::earlier) << "a settlement is a transfer like any other";
  EXPECT_EQ(world.contents(), after);

  EXPECT_EQ(*world.release("h2"), Posted::now);
  EXPECT_EQ(*world.release("h2"), Posted::earlier);
  EXPECT_EQ(world.settle(payment(world, "t2", 1), {"h2"}, kNoon).error().id, "ledger.hold-closed");
  EXPECT_EQ(world.balance(person(1), world.travel).available(), 50);
  world.expect_sound();
}

TEST(Holds, WhatIsRefused) {
  World world;
  world.run("earn", {{{person(1), world.travel}, 100}, {{person(1), world.energy}, 100}, {{person(2), world.travel}, 100}});
  ASSERT_TRUE(world.place(hold_of(world, "h1", 60), kNoon));
  ASSERT_TRUE(world.place(hold_of(world, "old", 5), kNoon));
  ASSERT_TRUE(world.place({"other", "", person(2), world.travel, 5, kEvening + 10}, kNoon));
  const std::string before = world.contents();
  const struct {
    const char* why;
    Hold hold;
    const char* id;
  } placed[] = {
      {"no key", {"", "", person(1), world.travel, 1, kEvening}, "ledger.bad-hold"},
      {"nothing", {"a", "", person(1), world.travel, 0, kEvening}, "ledger.bad-hold"},
      {"less than nothing", {"a", "", person(1), world.travel, -1, kEvening}, "ledger.bad-hold"},
      {"beyond the bound", {"a", "", person(1), world.travel, kAmountMax + 1, kEvening}, "ledger.bad-hold"},
      {"an unknown asset", {"a", "", person(1), {77}, 1, kEvening}, "ledger.bad-hold"},
      {"over at once", {"a", "", person(1), world.travel, 1, kNoon}, "ledger.bad-hold"},
      {"from one who has nothing", {"a", "", person(3), world.travel, 1, kEvening}, "ledger.short"},
      {"the largest amount", {"a", "", person(1), world.travel, kAmountMax, kEvening}, "ledger.short"},
  };
  for (const auto& [why, hold, id] : placed) EXPECT_EQ(world.place(hold, kNoon).error().id, id) << why;
  const struct {
    const char* why;
    Transfer transfer;
    std::vector<std::string> holds;
    core::Millis now_ms;
    const char* id;
  } settled[] = {
      {"no hold", payment(world, "t", 1), {}, kNoon, "ledger.bad-settlement"},
      {"the same hold twice", payment(world, "t", 1), {"h1", "h1"}, kNoon, "ledger.bad-settlement"},
      {"an account that the transfer does not touch", payment(world, "t", 1), {"h1", "other"}, kNoon, "ledger.bad-settlement"},
      {"an account that receives",
       {"t", "", {{person(2), world.travel, -1}, {person(1), world.travel, 1}}},
       {"h1"},
       kNoon,
       "ledger.bad-settlement"},
      {"another asset of the owner",
       {"t", "", {{person(1), world.energy, -1}, {person(2), world.energy, 1}}},
       {"h1"},
       kNoon,
       "ledger.bad-settlement"},
      {"an unknown hold", payment(world, "t", 1), {"h9"}, kNoon, "ledger.unknown-hold"},
      {"more than is held, though it is there", payment(world, "t", 61), {"h1"}, kNoon, "ledger.hold-exceeded"},
      {"more than two hold", payment(world, "t", 66), {"h1", "old"}, kNoon, "ledger.hold-exceeded"},
      {"at the instant of expiry", payment(world, "t", 1), {"h1"}, kEvening, "ledger.hold-expired"},
      {"the other side is short",
       {"t", "", {{person(1), world.travel, -1}, {person(2), world.travel, -96}, {person(3), world.travel, 97}}},
       {"h1"},
       kNoon,
       "ledger.short"},
      {"unbalanced", {"t", "", {{person(1), world.travel, -1}, {person(2), world.travel, 2}}}, {"h1"}, kNoon, "ledger.bad-transfer"},
  };
  for (const auto& [why, transfer, holds, now_ms, id] : settled) EXPECT_EQ(world.settle(transfer, holds, now_ms).error().id, id) << why;
  EXPECT_EQ(world.release("h9").error().id, "ledger.unknown-hold");
  EXPECT_EQ(world.contents(), before) << "a refusal leaves nothing behind";
  EXPECT_EQ(*world.settle(payment(world, "t", 65), {"h1", "old"}, kEvening - 1), Posted::now) << "and takes nothing away";
  world.expect_sound();
}

TEST(Holds, ExpireInTheirOrder) {
  World world;
  world.run("earn", {{{person(1), world.travel}, 100}});
  const std::pair<const char*, core::Millis> times[] = {{"c", 30}, {"a", 20}, {"b", 20}, {"d", 40}};
  for (const auto& [key, expires] : times) ASSERT_TRUE(world.place({key, "", person(1), world.travel, 10, expires}));
  EXPECT_EQ(world.sweep(19), 0);
  EXPECT_EQ(world.sweep(30, 2), 2);
  EXPECT_EQ(find_hold(world.database, "b")->state, HoldState::expired);
  EXPECT_EQ(find_hold(world.database, "c")->state, HoldState::open) << "the limit was two";
  EXPECT_EQ(world.settle(payment(world, "t", 1), {"a"}, 0).error().id, "ledger.hold-expired") << "even with a clock that went back";
  EXPECT_EQ(*world.release("a"), Posted::earlier);
  EXPECT_EQ(world.sweep(30, 2), 1);
  EXPECT_EQ(world.sweep(30, 2), 0);
  EXPECT_EQ(world.balance(person(1), world.travel).held, 10);
  world.expect_sound();
}

TEST(Holds, ARunTakesBackOnlyWhatIsAvailable) {
  World world;
  world.run("earn", {{{person(1), world.august}, 100}, {{person(1), world.september}, 10}});
  ASSERT_TRUE(world.place({"h1", "", person(1), world.august, 70, kEvening}, kNoon));
  world.run("back", {{{person(1), world.august}, -100}});
  EXPECT_EQ(world.balance(person(1), world.august).amount, 70);
  EXPECT_EQ(world.balance(person(1), world.september).amount, 0) << "the other lot paid";
  EXPECT_EQ(world.owed(1, world.august), 60);
  world.expect_sound();
  ASSERT_TRUE(world.settle({"t", "", {{person(1), world.august, -30}, {Own::redeemed, world.august, 30}}}, {"h1"}, kNoon));
  EXPECT_EQ(world.balance(person(1), world.august).amount, 0) << "what came back paid the debt at once";
  EXPECT_EQ(world.owed(1, world.august), 20);
  world.expect_sound();
}

TEST(Holds, WhatIsReleasedPaysTheDebtsOfItsPool) {
  World world;
  world.run("earn", {{{person(1), world.september}, 100}, {{person(1), world.travel}, 50}});
  ASSERT_TRUE(world.place({"h1", "", person(1), world.september, 100, kEvening}, kNoon));
  ASSERT_TRUE(world.place({"h2", "", person(1), world.travel, 50, kEvening}, kNoon));
  world.run("back", {{{person(1), world.august}, -30}, {{person(1), world.lasting}, -20}, {{person(1), world.energy}, -7}});
  EXPECT_EQ(world.owed(1, world.august) + world.owed(1, world.lasting), 50);
  EXPECT_EQ(*world.release("h1"), Posted::now);
  EXPECT_EQ(*world.release("h2"), Posted::now);
  EXPECT_EQ(world.balance(person(1), world.september).amount, 50);
  EXPECT_EQ(world.owed(1, world.august) + world.owed(1, world.lasting), 0);
  EXPECT_EQ(world.owed(1, world.energy), 7) << "travel is another pool";
  EXPECT_EQ(world.balance(person(1), world.travel).amount, 50);
  world.expect_sound();
}

TEST(Holds, ExpiryOfPointsWaitsForTheHold) {
  World world;
  world.run("earn", {{{person(1), world.august}, 100}});
  ASSERT_TRUE(world.place({"h1", "", person(1), world.august, 30, kEvening}, kNoon));
  const auto expire = [&](std::string_view key) {
    return world.database.transact([&](db::Transaction& tx) { return expire_points(tx, key, "city", core::day_of(2025, 9, 1)); });
  };
  ASSERT_TRUE(expire("first"));
  EXPECT_EQ(world.balance(person(1), world.august).amount, 30);
  EXPECT_EQ(world.owed(1, world.august), 0) << "expiry makes no debts";
  ASSERT_TRUE(world.release("h1"));
  ASSERT_TRUE(expire("second"));
  EXPECT_EQ(world.balance(person(1), world.august).amount, 0);
  EXPECT_EQ(world.balance(Own::expired, world.august).amount, 100);
  world.expect_sound();
}

TEST(Holds, TheStoreGuardsThemToo) {
  World world;
  world.run("earn", {{{person(1), world.travel}, 100}});
  ASSERT_TRUE(world.place(hold_of(world, "h1", 60), kNoon));
  for (const char* sql : {"UPDATE balance SET amount = 59", "UPDATE balance SET held = 101", "UPDATE balance SET held = -1",
                          "UPDATE hold SET settled = 61", "UPDATE hold SET state = 'settled'", "UPDATE hold SET settled = 1"}) {
    db::Transaction tx = world.database.begin();
    EXPECT_THROW(tx.exec(sql), db::ConstraintBroken) << sql;
  }
  for (const char* sql : {"UPDATE balance SET held = 59", "UPDATE hold SET amount = 59", "DELETE FROM hold"}) {
    db::Transaction tx = world.database.begin();
    ASSERT_EQ(tx.exec(sql), 1);
    const auto holds = check(tx);
    ASSERT_FALSE(holds) << sql;
    EXPECT_NE(holds.error().message.find("held amount"), std::string::npos) << holds.error().message;
  }
}

/// Random mixtures of everything that moves value, against the plainest model of what is held and what everybody has less what they owe.
class Mixture {
 public:
  Mixture() {
    Deltas start;
    for (std::uint64_t number = 1; number <= kPeople; ++number)
      for (const AssetId asset : {world_.travel, world_.august, world_.september}) start[{person(number), asset}] = 100;
    world_.run("start", start);
    for (const auto& [account, delta] : start) net_[{account.first.low, pool(account.second)}] += delta;
  }
  void step() {
    const std::string key = fmt::format("k{}", ++steps_);
    now_ms_ += *rc::gen::inRange(0, 3);
    const int what = *rc::gen::inRange(0, 7);
    const std::string before = world_.contents();
    if (what == 0) {
      run(key);
    } else {
      const auto action = what == 1                ? transfer(key)
                          : what == 2 || what == 3 ? place(key)
                          : what == 4              ? settle(key)
                          : what == 5              ? release()
                                                   : sweep();
      const auto done = world_.database.transact(action);
      if (!done || *done == Posted::earlier) RC_ASSERT(world_.contents() == before);
      const std::string after = world_.contents();
      const auto again = world_.database.transact(action);
      RC_ASSERT(world_.contents() == after);  // a repeat changes nothing
      if (done) {
        RC_ASSERT(bool(again));
        RC_ASSERT(*again == Posted::earlier);
      }
      if (done && *done == Posted::now && effect_) effect_();
    }
    check_laws();
  }
  void finish() {
    const auto sound = check(world_.database);
    if (!sound) RC_FAIL(sound.error().message);
  }

 private:
  using Deltas = test::Deltas;
  using Action = std::function<core::Result<Posted>(db::Transaction&)>;
  static constexpr std::uint64_t kPeople = 3;

  AssetId pool(AssetId asset) const { return asset == world_.september ? world_.august : asset; }
  AssetId any_asset() { return *rc::gen::element(world_.travel, world_.august, world_.september); }
  static std::uint64_t any_person() { return *rc::gen::inRange<std::uint64_t>(1, kPeople + 1); }
  static std::int64_t any_amount() { return *rc::gen::inRange<std::int64_t>(1, 90); }

  void run(const std::string& key) {
    Deltas deltas;
    for (int i = 0; i < 3; ++i) deltas[{person(any_person()), any_asset()}] = *rc::gen::inRange<std::int64_t>(-80, 60);
    for (const auto& [account, delta] : deltas) net_[{account.first.low, pool(account.second)}] += delta;
    world_.run(key, deltas);
  }
  void moved(const Transfer& transfer) {
    for (const auto& [owner, asset, amount] : transfer.postings)
      if (const auto* who = std::get_if<core::PersonKey>(&owner)) net_[{who->low, pool(asset)}] += amount;
  }
  Transfer any_transfer(const std::string& key, std::uint64_t from, AssetId asset) {
    const std::int64_t amount = any_amount();
    const std::uint64_t to = any_person();
    return {key, "", {{person(from), asset, -amount}, {to == from ? Owner(Own::redeemed) : Owner(person(to)), asset, amount}}};
  }
  Action transfer(const std::string& key) {
    const Transfer one = any_transfer(key, any_person(), any_asset());
    effect_ = [this, one] { moved(one); };
    return [one](db::Transaction& tx) { return post(tx, one); };
  }
  Action place(const std::string& key) {
    const Hold hold{key, "", person(any_person()), any_asset(), any_amount(), now_ms_ + *rc::gen::inRange(1, 15)};
    effect_ = [this, hold] {
      open_[hold.key] = hold;
      keys_.push_back(hold.key);
    };
    return [hold, now = now_ms_](db::Transaction& tx) { return place_hold(tx, hold, now); };
  }
  Action settle(const std::string& key) {
    if (keys_.empty()) return transfer(key);
    const std::string hold = *rc::gen::elementOf(keys_);
    const auto record = find_hold(world_.database, hold);
    const Transfer one = any_transfer(key, record->hold.owner.low, record->hold.asset);
    effect_ = [this, one, hold] {
      moved(one);
      RC_ASSERT(open_.erase(hold) == 1u);
    };
    return [one, hold, now = now_ms_](db::Transaction& tx) { return settle_holds(tx, one, std::vector<std::string>{hold}, now); };
  }
  Action release() {
    if (keys_.empty()) return sweep();
    const std::string hold = *rc::gen::elementOf(keys_);
    effect_ = [this, hold] { RC_ASSERT(open_.erase(hold) == 1u); };
    return [hold](db::Transaction& tx) { return release_hold(tx, hold); };
  }
  Action sweep() {
    effect_ = [this] { std::erase_if(open_, [this](const auto& one) { return one.second.expires_ms <= now_ms_; }); };
    return [now = now_ms_](db::Transaction& tx) -> core::Result<Posted> {
      return release_expired(tx, now, 100) > 0 ? Posted::now : Posted::earlier;
    };
  }
  void check_laws() {
    std::map<std::pair<std::uint64_t, AssetId>, std::int64_t> held;
    for (const auto& [key, hold] : open_) held[{hold.owner.low, hold.asset}] += hold.amount;
    std::map<AssetId, std::int64_t> sums;
    for (const Own own : {Own::issuance, Own::redeemed, Own::expired, Own::pool})
      for (const Balance& balance : balances(world_.database, own)) sums[balance.id] += balance.amount;
    for (std::uint64_t number = 1; number <= kPeople; ++number) {
      std::map<AssetId, std::int64_t> net;
      for (const Balance& balance : balances(world_.database, person(number))) {
        RC_ASSERT(balance.available() >= 0);
        RC_ASSERT(balance.held == (held[{number, balance.id}]));
        sums[balance.id] += balance.amount;
        net[pool(balance.id)] += balance.amount;
      }
      for (const Balance& debt : debts(world_.database, person(number))) net[pool(debt.id)] -= debt.amount;
      for (const AssetId asset : {world_.travel, world_.august}) RC_ASSERT(net[asset] == (net_[{number, asset}]));
    }
    for (const auto& [asset, sum] : sums) RC_ASSERT(sum == 0);
  }

  World world_;
  core::Millis now_ms_ = 0;
  int steps_ = 0;
  std::map<std::string, Hold> open_;                               // as the model has them
  std::vector<std::string> keys_;                                  // of all holds there ever were
  std::map<std::pair<std::uint64_t, AssetId>, std::int64_t> net_;  // by person and pool: what is held less what is owed
  std::function<void()> effect_;
};

TEST(Holds, MixturesKeepTheLaws) {
  int cases = 0;
  EXPECT_TRUE(rc::check("a mixture keeps the laws", [&] {
    if (++cases > 10 && db::test::on_postgres()) return;  // a new schema each
    Mixture mixture;
    const int steps = *rc::gen::inRange(1, db::test::on_postgres() ? 15 : 40);
    for (int step = 0; step < steps; ++step) mixture.step();
    mixture.finish();
  }));
}

}  // namespace
}  // namespace tanhui::ledger
