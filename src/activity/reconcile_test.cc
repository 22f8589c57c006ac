#include "activity/reconcile.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <random>

#include "activity/credit.h"
#include "activity/derive.h"

namespace tanhui::activity {
namespace {

constexpr core::Millis kMinute = 60'000, kHour = 60 * kMinute;

// Rules by index: 0 and 1 collide by time in one group, 2 has a group of its own, 3 is a car-free day, 4 counts once a day.
std::vector<ActRule> some_rules() {
  std::vector<ActRule> rules(5);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    rules[i].activity = std::uint16_t(i);
    rules[i].collision.group = 0;
    rules[i].limits.quantity_min.fill(1);
    rules[i].limits.quantity_max.fill(1'000'000);
  }
  rules[1].collision.car_baseline = true;
  rules[2].collision.group = 1;
  rules[3].collision = {.group = 2, .when = Collision::When::same_day, .rank = 0, .excludes = 1};
  rules[2].collision.window_ms = 0;
  rules[4].collision = {.group = 3, .when = Collision::When::same_day};
  return rules;
}

struct Given {
  std::uint16_t rule;
  std::uint64_t event;
  int start, end;  // minutes
  Evidence evidence = Evidence::metered;
  std::uint8_t priority = 1;
};

Act act(const Given& given) {
  Act made;
  made.rule = given.rule;
  made.event = given.event;
  made.start_ms = given.start * kMinute;
  made.end_ms = given.end * kMinute;
  made.day = {std::int32_t(made.start_ms / core::kMillisPerDay)};
  made.evidence = given.evidence;
  made.priority = given.priority;
  made.quantity = 1000;
  made.milligrams = 1000;
  made.repeated = true;
  return made;
}

std::string settle(std::vector<Act> acts, std::span<const ActRule> rules) {
  std::sort(acts.begin(), acts.end(), in_order);
  Reconciler reconciler(rules);
  reconciler.settle_repeats(acts);
  reconciler.settle_reversals(acts);
  reconciler.settle_collisions(acts);
  std::sort(acts.begin(), acts.end(), [](const Act& a, const Act& b) {
    return std::tuple(a.event, a.reversal, a.outcome) < std::tuple(b.event, b.reversal, b.outcome);
  });
  std::string text;
  for (const Act& one : acts) {
    text += std::to_string(one.event) + (one.reversal ? "r" : "");
    text += one.outcome == Outcome::accepted    ? "+"
            : one.outcome == Outcome::duplicate ? "=" + std::to_string(one.winner)
            : one.outcome == Outcome::held      ? "?"
                                                : "-";
    text += " ";
  }
  return text;
}

TEST(Reconcile, WhoIsKept) {
  const auto rules = some_rules();
  const struct {
    const char* why;
    std::vector<Given> acts;
    const char* outcome;  // event+ kept, event=winner duplicate
  } rows[] = {
      {"one act alone counts", {{0, 1, 0, 10}}, "1+ "},
      {"acts that only touch both count", {{0, 1, 0, 10}, {0, 2, 10, 20}}, "1+ 2+ "},
      {"the same event twice counts once", {{0, 1, 0, 10}, {0, 1, 0, 10}}, "1+ 1=1 "},
      {"metered beats inferred though it starts later", {{0, 1, 0, 10, Evidence::inferred}, {0, 2, 5, 15}}, "1=2 2+ "},
      {"inferred beats declared", {{0, 1, 0, 10, Evidence::declared}, {0, 2, 5, 15, Evidence::inferred}}, "1=2 2+ "},
      {"equal evidence: the programme's first source",
       {{0, 1, 0, 10, Evidence::metered, 2}, {0, 2, 5, 15, Evidence::metered, 1}},
       "1=2 2+ "},
      {"equal source: the earlier start", {{0, 2, 0, 10}, {0, 1, 5, 15}}, "1=2 2+ "},
      {"equal start: the smaller event key", {{0, 2, 0, 10}, {0, 1, 0, 15}}, "1+ 2=1 "},
      {"activities of one group collide", {{0, 1, 0, 10}, {1, 2, 5, 15}}, "1+ 2=1 "},
      {"groups do not", {{0, 1, 0, 10}, {2, 2, 5, 15}}, "1+ 2+ "},
      {"k sources, one act", {{0, 1, 0, 10}, {0, 2, 1, 11}, {0, 3, 2, 12}, {0, 4, 3, 9}}, "1+ 2=1 3=1 4=1 "},
      {"a loser blocks nobody: 2 loses to 1, so 3 stays", {{0, 1, 0, 10}, {0, 2, 5, 25}, {0, 3, 20, 30}}, "1+ 2=1 3+ "},
      {"a long best report takes both ends",
       {{0, 1, 0, 10, Evidence::inferred}, {0, 2, 5, 25}, {0, 3, 20, 30, Evidence::inferred}},
       "1=2 2+ 3=2 "},
      {"two instants at one moment are one act", {{0, 1, 5, 5}, {0, 2, 5, 5}}, "1+ 2=1 "},
      {"steps without an interval overlap nothing", {{2, 1, 5, 5}, {2, 2, 5, 5}, {2, 3, 0, 10}}, "1+ 2+ 3+ "},
      {"an instant inside a ride", {{0, 1, 0, 10}, {0, 2, 5, 5}}, "1+ 2=1 "},
      {"one a day", {{4, 1, 0, 10}, {4, 2, 700, 710}, {4, 3, 1500, 1510}}, "1+ 2=1 3+ "},
      {"a car-free day excludes car-baseline trips of that day only",
       {{3, 9, 0, 1439}, {1, 1, 60, 90}, {0, 2, 100, 130}, {1, 3, 1500, 1530}},
       "1=9 2+ 3+ 9+ "},
      {"same event, other content: the earlier one stays", {{0, 1, 30, 40}, {0, 1, 0, 10}}, "1+ 1=1 "},
  };
  for (const auto& [why, given, outcome] : rows) {
    std::vector<Act> acts;
    for (const Given& one : given) acts.push_back(act(one));
    EXPECT_EQ(settle(acts, rules), outcome) << why;
  }
}

TEST(Reconcile, ReversalUnwindsAndFreesWhatLost) {
  const auto rules = some_rules();
  Act reversal = act({0, 1, 0, 10});
  reversal.reversal = true;
  EXPECT_EQ(settle({act({0, 1, 0, 10}), act({0, 2, 5, 15}), reversal}, rules), "1- 1r+ 2+ ");
  EXPECT_EQ(settle({act({0, 2, 5, 15}), reversal}, rules), "1r? 2+ ") << "a reversal of nothing is held";
  EXPECT_EQ(settle({act({0, 1, 0, 10}), reversal, reversal}, rules), "1- 1r+ 1r=1 ") << "reversing twice is reversing once";
}

TEST(Reconcile, OneObjectOnce) {
  auto rules = some_rules();
  rules[0].collision = {.group = 5, .scope = Collision::Scope::object, .when = Collision::When::always};
  rules[1].collision = {.group = 5, .scope = Collision::Scope::object, .when = Collision::When::overlap};
  std::vector<Act> sold{act({0, 1, 100, 100}), act({0, 2, 0, 0}), act({0, 3, 900, 900})};
  settle_object(sold, rules);
  EXPECT_EQ(std::count_if(sold.begin(), sold.end(), [](const Act& one) { return one.open(); }), 1);
  for (const Act& one : sold) EXPECT_EQ(one.open(), one.event == 2) << "the earliest report of the object stays";
  std::vector<Act> metered{act({1, 1, 0, 10}), act({1, 2, 5, 15}), act({1, 3, 15, 20})};
  settle_object(metered, rules);
  EXPECT_EQ(std::count_if(metered.begin(), metered.end(), [](const Act& one) { return one.open(); }), 2);
}

rc::Gen<std::vector<Act>> any_acts() {
  return rc::gen::map(
      rc::gen::container<std::vector<std::tuple<std::uint8_t, std::uint8_t, std::uint16_t, std::uint8_t, std::uint8_t>>>(rc::gen::tuple(
          rc::gen::inRange<std::uint8_t>(0, 5), rc::gen::inRange<std::uint8_t>(1, 30), rc::gen::inRange<std::uint16_t>(0, 3000),
          rc::gen::inRange<std::uint8_t>(0, 60), rc::gen::inRange<std::uint8_t>(0, 9))),
      [](const auto& tuples) {
        std::vector<Act> acts;
        for (const auto& [rule, event, start, length, rank] : tuples) {
          acts.push_back(act({rule, event, start, start + length, Evidence(rank % 3), std::uint8_t(rank / 3)}));
        }
        return acts;
      });
}

RC_GTEST_PROP(ReconcileProperty, OrderOfArrivalChangesNothing, ()) {
  const auto rules = some_rules();
  auto acts = *any_acts();
  const std::string before = settle(acts, rules);
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  std::mt19937 random(seed);
  std::shuffle(acts.begin(), acts.end(), random);
  RC_ASSERT(settle(acts, rules) == before);
}

RC_GTEST_PROP(ReconcileProperty, KeptReportsNeverCollideAndEveryLoserHasAWinner, ()) {
  const auto rules = some_rules();
  auto acts = *any_acts();
  std::sort(acts.begin(), acts.end(), in_order);
  Reconciler reconciler(rules);
  reconciler.settle_repeats(acts);
  reconciler.settle_collisions(acts);
  const auto end = [](const Act& one) { return std::max(one.end_ms, one.start_ms + 1); };
  const auto has_interval = [](const Act& one) { return one.rule != 2 || one.end_ms > one.start_ms; };
  for (const Act& one : acts) {
    if (one.open()) {
      for (const Act& other : acts) {
        if (&one == &other || !other.open() || rules[one.rule].collision.group != rules[other.rule].collision.group) continue;
        RC_ASSERT(one.event != other.event);
        if (one.rule <= 2 && has_interval(one) && has_interval(other)) RC_ASSERT(one.start_ms >= end(other) || other.start_ms >= end(one));
      }
    } else {
      const auto winner =
          std::find_if(acts.begin(), acts.end(), [&](const Act& other) { return other.event == one.winner && other.open(); });
      RC_ASSERT(one.reason == Reason::same_event || winner != acts.end());
    }
  }
}

RC_GTEST_PROP(ReconcileProperty, KSourcesOfDisjointActsAreCreditedOnceEach, ()) {
  const auto rules = some_rules();
  const int trips = *rc::gen::inRange(1, 20), sources = *rc::gen::inRange(1, 6);
  std::vector<Act> acts;
  for (int trip = 0; trip < trips; ++trip) {
    for (int source = 0; source < sources; ++source) {
      const int start = 60 * trip + *rc::gen::inRange(0, 10);
      acts.push_back(
          act({0, std::uint64_t(1 + trip * sources + source), start, start + 30, Evidence(*rc::gen::inRange(0, 3)), std::uint8_t(source)}));
    }
  }
  std::sort(acts.begin(), acts.end(), in_order);
  Reconciler(rules).settle_collisions(acts);
  RC_ASSERT(std::count_if(acts.begin(), acts.end(), [](const Act& one) { return one.open(); }) == trips);
}

TEST(Credit, CapsAndPoints) {
  auto rules = some_rules();
  const Quantify linear = [](const Act&, std::int64_t quantity) { return quantity * 2; };
  const auto run = [&](Cap cap, PointRate points, int acts_count) {
    rules[0].cap = cap;
    std::vector<Act> acts;
    for (int i = 0; i < acts_count; ++i) acts.push_back(act({0, std::uint64_t(i + 1), 60 * i, 60 * i + 10}));
    for (Act& one : acts) one.milligrams = 2000;  // quantity 1000
    Crediting(rules, points, linear).run(acts);
    std::string text;
    for (const Act& one : acts) text += fmt::format("{}/{}/{} ", one.milligrams, one.points, name(one.reason));
    return text;
  };
  EXPECT_EQ(run({}, {1, 1000}, 2), "2000/2/credited 2000/2/credited ");
  EXPECT_EQ(run({.acts = 1}, {1, 1000}, 2), "2000/2/credited 0/0/daily-cap ");
  EXPECT_EQ(run({.quantity = 1500}, {1, 1000}, 3), "2000/2/credited 1000/1/daily-cap-part 0/0/daily-cap ");
  EXPECT_EQ(run({.milligrams = 2999}, {1, 1000}, 3), "2000/2/credited 999/0/daily-cap-part 0/0/daily-cap ");
  EXPECT_EQ(run({}, {1, 3000}, 4), "2000/0/credited 2000/1/credited 2000/1/credited 2000/0/credited ")
      << "rounded down over the day, not per act";
  EXPECT_EQ(run({}, {1, 1000, 3}, 3), "2000/2/credited 2000/1/credited 2000/0/credited ") << "at most three a day";
  EXPECT_EQ(run({}, {0, 1}, 1), "2000/0/credited ");
}

TEST(Credit, ANewDayStartsAnew) {
  auto rules = some_rules();
  rules[0].cap = {.acts = 1};
  std::vector<Act> acts{act({0, 1, 0, 10}), act({0, 2, 60, 70}), act({0, 3, 1440, 1450})};
  Crediting(rules, {1, 1000}, [](const Act&, std::int64_t) { return 0; }).run(acts);
  EXPECT_TRUE(acts[0].open());
  EXPECT_EQ(acts[1].reason, Reason::daily_cap);
  EXPECT_TRUE(acts[2].open());
}

TEST(Derive, TapsBecomeRides) {
  std::vector<ActRule> rules(2);
  rules[0].part = Part::entry;
  rules[1].part = Part::exit;
  for (ActRule& rule : rules) {
    rule.activity = 7;
    rule.limits.quantity_min[0] = 500;
    rule.limits.quantity_max[0] = 120'000;
    rule.limits.duration_max_ms = 4 * kHour;
    rule.limits.speed_max_mph = 120'000;
    rule.distance = 0;
  }
  const auto tap = [](int rule, std::uint64_t event, int minute, std::int64_t metres = 4000) {
    Act made = act({std::uint16_t(rule), event, minute, minute});
    made.quantity = metres;
    return made;
  };
  const struct {
    const char* why;
    std::vector<Act> taps;
    const char* outcome;
  } rows[] = {
      {"in, out", {tap(0, 1, 0), tap(1, 2, 20)}, "paired credited "},
      {"in, in, out: the first entry waits", {tap(0, 1, 0), tap(0, 2, 10), tap(1, 3, 20)}, "awaiting-exit paired credited "},
      {"out alone", {tap(1, 1, 20)}, "awaiting-entry "},
      {"the next day's exit is not ours", {tap(0, 1, 0), tap(1, 2, 1440)}, "awaiting-exit awaiting-entry "},
      {"too fast for its distance", {tap(0, 1, 0), tap(1, 2, 1, 40'000)}, "too-fast too-fast "},
      {"too short a way", {tap(0, 1, 0), tap(1, 2, 10, 0)}, "quantity-too-small quantity-too-small "},
      {"an hour's clock: out before in where a ride is open",
       {tap(0, 1, 0), tap(0, 2, 60), tap(1, 3, 60), tap(1, 4, 120)},
       "paired paired credited credited "},
      {"an hour's clock: in before out where none is", {tap(1, 1, 60), tap(0, 2, 60)}, "credited paired "},
  };
  for (auto [why, taps, outcome] : rows) {
    pair_taps(taps, rules);
    std::string text;
    for (const Act& one : taps) text += fmt::format("{} ", name(one.reason));
    EXPECT_EQ(text, outcome) << why;
  }
  std::vector<Act> ride{tap(0, 1, 10), tap(1, 2, 30)};
  pair_taps(ride, rules);
  EXPECT_EQ(ride[1].start_ms, 10 * kMinute);
  EXPECT_EQ(ride[1].end_ms, 30 * kMinute);
}

TEST(Derive, ReadingsBecomeASavingAgainstSevenDays) {
  std::vector<ActRule> rules(1);
  rules[0].part = Part::reading;
  rules[0].limits.quantity_min[0] = 1;
  rules[0].limits.quantity_max[0] = 200'000;
  const auto days = [](std::vector<std::int64_t> use) {
    std::vector<Act> readings;
    for (std::size_t day = 0; day < use.size(); ++day) {
      for (int half = 0; half < 2; ++half) {
        Act reading = act({0, 1 + 2 * day + std::size_t(half), int(1440 * day) + 720 * half, int(1440 * day) + 720 * (half + 1)});
        reading.quantity = use[day] / 2;
        readings.push_back(reading);
      }
    }
    return readings;
  };
  auto home = days({1000, 1000, 1000, 1000, 1000, 1000, 1700, 800, 0, 2000});
  save_from_readings(home, rules);
  EXPECT_EQ(home[2 * 6 + 1].reason, Reason::no_baseline) << "only six days before";
  EXPECT_EQ(home[2 * 7 + 1].reason, Reason::none);
  EXPECT_EQ(home[2 * 7 + 1].quantity, 300) << "mean 1100 less 800";
  EXPECT_EQ(home[2 * 7].reason, Reason::reading);
  EXPECT_EQ(home[2 * 8 + 1].reason, Reason::nothing_saved) << "an empty home earns nothing";
  EXPECT_EQ(home[2 * 9 + 1].reason, Reason::nothing_saved) << "used more than before";
  auto gap = days({1000, 1000, 1000, 1000, 1000, 1000, 1000, 500});
  gap.erase(gap.begin() + 5);
  save_from_readings(gap, rules);
  EXPECT_EQ(gap.back().reason, Reason::no_baseline) << "one of the seven days is not complete";
}

}  // namespace
}  // namespace tanhui::activity
