#include "identity/programmes.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "identity/tenancy_fixture.h"
#include "identity/trail.h"

namespace tanhui::identity {
namespace {

using test::at, test::error_of, test::must, test::settings, test::within, test::World;
using State = ProgrammeState;

TEST(Programmes, TheTreeIsMadeFromAbove) {
  World world;
  auto& database = world.database;
  std::vector<std::string> ids;
  for (const auto& one : stored_programmes(database, 0)) ids.push_back(one.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"province", "city", "town", "company", "event"}));
  EXPECT_EQ(line_of(database, "company"), (std::vector<std::string>{"company", "city", "province"}));
  EXPECT_EQ(below(database, "province"), (std::vector<std::string>{"city", "town", "company", "event"}));
  EXPECT_TRUE(below(database, "event").empty());
  EXPECT_TRUE(line_of(database, "nowhere").empty());
  const struct {
    const char* why;
    std::string yaml;
    const char* error;
  } rows[] = {
      {"no YAML", "id: [", "programme.invalid"},
      {"there already", settings("city", "420100", "province"), "programme.exists"},
      {"no such parent", settings("new", "420100", "nowhere"), "programme.parent"},
      {"its own parent", settings("new", "420100", "new"), "programme.parent"},
      {"a region elsewhere", settings("new", "310000", "city"), "programme.region"},
      {"a region around it", settings("new", "420000", "city"), "programme.region"},
      {"the same region", settings("new", "420100", "city"), ""},
      {"a region inside", settings("new-2", "420102", "city"), ""},
      {"on its own", settings("new-3", "310000"), ""},
  };
  for (const auto& [why, yaml, error] : rows)
    EXPECT_EQ(error_of(within(database, [&, text = yaml](auto& tx) { return create_programme(tx, at(1), text); })), error) << why;
}

TEST(Programmes, TheTreeHasAnEnd) {
  db::Database database = db::test::fresh_database();
  for (std::size_t i = 0; i < kTreeDepthMax; ++i)
    must(within(database, [&](auto& tx) {
      return create_programme(tx, at(0), settings(fmt::format("p{}", i), "420000", i == 0 ? "" : fmt::format("p{}", i - 1)));
    }));
  EXPECT_EQ(line_of(database, fmt::format("p{}", kTreeDepthMax - 1)).size(), kTreeDepthMax);
  EXPECT_EQ(error_of(within(database,
                            [&](auto& tx) {
                              return create_programme(tx, at(0), settings("deeper", "420000", fmt::format("p{}", kTreeDepthMax - 1)));
                            })),
            "programme.too-deep");
}

TEST(Programmes, RegionsLieInsideEachOther) {
  const struct {
    const char *region, *outer;
    bool inside;
  } rows[] = {
      {"420100", "420100", true},  {"420102", "420100", true},  {"420102", "420000", true},  {"420102", "000000", true},
      {"420300", "420100", false}, {"420000", "420100", false}, {"310000", "420000", false}, {"000000", "420000", false},
      {"421000", "420000", true},  {"421000", "420100", false}, {"Berlin", "Berlin", true},  {"Berlin", "000000", false},
      {"42010", "420000", false},
  };
  for (const auto& [region, outer, inside] : rows) EXPECT_EQ(lies_inside(region, outer), inside) << region << " in " << outer;
}

TEST(Programmes, SettingsAreInForceFromTheirInstantOn) {
  World world;
  auto& database = world.database;
  const auto change = [&](core::Millis now, std::optional<core::Millis> from, int cap, Expected expected = {}) {
    return within(database, [&](auto& tx) {
      return change_settings(tx, at(now), "city", settings("city", "420100", "province", cap), from, expected);
    });
  };
  must(within(database, [&](auto& tx) { return move_programme(tx, at(1), "city", State::staged); }));
  EXPECT_EQ(must(change(10, 100, 501)).number, 2);
  EXPECT_EQ(must(change(20, {}, 502)).number, 3) << "from now until the planned one";
  EXPECT_EQ(must(change(30, 100, 503)).number, 4) << "instead of the planned one";
  EXPECT_EQ(must(change(40, {}, 502)).number, 3) << "what is in force already is no new version";
  const struct {
    core::Millis at_ms;
    std::int64_t cap;
  } rows[] = {{0, 500}, {10, 500}, {19, 500}, {20, 502}, {99, 502}, {100, 503}, {1'000, 503}};
  for (const auto& [at_ms, cap] : rows) EXPECT_EQ(programme_at(database, "city", at_ms)->points.daily_cap, cap) << at_ms;
  EXPECT_FALSE(programme_at(database, "city", -1)) << "before there was one";
  EXPECT_EQ(settings_versions(database, "city").size(), 4u);
  EXPECT_EQ(*settings_text(database, "city", 2), settings("city", "420100", "province", 501)) << "kept as it was given";
  EXPECT_EQ(programme_at(database, "city", 20)->digest, settings_versions(database, "city")[2].digest);

  EXPECT_EQ(error_of(change(50, 49, 504)), "programme.backwards");
  EXPECT_EQ(error_of(change(50, {}, 504, 1)), "edit.conflict");
  const std::int64_t version = must(stored_programme(database, "city", 50)).version;
  EXPECT_EQ(must(change(50, {}, 504, version)).number, 5);
  const auto other = [&](std::string yaml) {
    return error_of(within(database, [&](auto& tx) { return change_settings(tx, at(60), "city", yaml); }));
  };
  EXPECT_EQ(other(settings("town", "420100", "province")), "programme.other-id");
  EXPECT_EQ(other(settings("city", "420100")), "programme.parent-fixed");
  EXPECT_EQ(other(settings("city", "310000", "province")), "programme.region");
  EXPECT_EQ(other(settings("city", "420200", "province")), "programme.region") << "the company below would lie outside";
  EXPECT_EQ(other(std::string(kSettingsBytesMax + 1, '#')), "programme.invalid");
}

TEST(ProgrammesProperty, TheVersionInForceIsTheLatestThatHasCome) {
  db::Database database = db::test::fresh_database();
  int count = 0;
  rc::check([&](const std::vector<std::pair<std::uint8_t, std::uint8_t>>& changes) {
    const std::string city = fmt::format("city-{}", ++count);
    db::Transaction tx = database.begin();
    must(create_programme(tx, at(0), settings(city, "420100")));
    std::vector<std::pair<core::Millis, int>> model{{0, 500}};  // (from, cap) in the order they were made
    const auto cap_at = [&](core::Millis instant) {
      const std::pair<core::Millis, int>* best = &model.front();
      for (const auto& one : model)
        if (one.first <= instant && one.first >= best->first) best = &one;
      return best->second;
    };
    for (const auto& [from, cap] : changes) {
      if (cap_at(from) != cap) model.emplace_back(from, cap);
      must(change_settings(tx, at(300), city, settings(city, "420100", "", cap), from));  // a draft may be changed for any time
    }
    for (core::Millis instant = 0; instant < 256; instant += 5)
      RC_ASSERT(programme_at(tx, city, instant)->points.daily_cap == cap_at(instant));
  });
}

TEST(Programmes, StatesFollowEachOther) {
  const bool allowed[5][5] = {
      // to draft, staged, open, paused, closed
      {false, true, false, false, true},    // from draft
      {true, false, true, false, true},     // staged
      {false, false, false, true, true},    // open
      {false, false, true, false, true},    // paused
      {false, false, false, false, false},  // closed
  };
  for (int from = 0; from < 5; ++from)
    for (int to = 0; to < 5; ++to) EXPECT_EQ(may_follow(State(from), State(to)), allowed[from][to]) << from << " to " << to;
}

TEST(Programmes, AMoveIsOrderedForNowOrForLater) {
  World world;
  auto& database = world.database;
  const auto move = [&](core::Millis now, State to, std::optional<core::Millis> from = {}, std::string_view id = "city") {
    return error_of(within(database, [&](auto& tx) { return move_programme(tx, at(now), id, to, from); }));
  };
  const auto state = [&](core::Millis instant) { return must(stored_programme(database, "city", instant)).state; };
  EXPECT_EQ(move(1, State::open), "programme.move");
  EXPECT_EQ(move(1, State::staged), "");
  EXPECT_EQ(move(2, State::open, 100), "");
  EXPECT_EQ(state(99), State::staged);
  EXPECT_EQ(state(100), State::open);
  EXPECT_EQ(move(3, State::open, 50), "") << "earlier than planned: the plan is overruled";
  EXPECT_EQ(state(50), State::open);
  EXPECT_EQ(move(60, State::paused), "");
  EXPECT_EQ(state(100), State::paused) << "the order of 60 overrules the plan for 100";
  EXPECT_EQ(move(70, State::open, 69), "programme.backwards");
  EXPECT_EQ(move(70, State::closed), "programme.has-open-children");
  EXPECT_EQ(error_of(check_open(must(stored_programme(database, "city", 70)))), "programme.not-open");
  for (const char* child : {"company", "event"}) EXPECT_EQ(move(80, State::closed, {}, child), "");
  EXPECT_EQ(move(80, State::closed), "");
  EXPECT_EQ(move(90, State::open), "programme.move");
  EXPECT_EQ(error_of(within(database, [&](auto& tx) { return create_programme(tx, at(90), settings("late", "420100", "city")); })),
            "programme.parent-closed");
  EXPECT_EQ(
      error_of(within(database, [&](auto& tx) { return change_settings(tx, at(90), "city", settings("city", "420100", "province", 7)); })),
      "programme.closed");
  EXPECT_EQ(error_of(within(database, [&](auto& tx) { return move_programme(tx, at(90), "town", State::staged, {}, 7); })),
            "edit.conflict");
  EXPECT_EQ(state_orders(database, "city").size(), 6u);
}

TEST(Programmes, FilesAreImportedOnceAndThenChanged) {
  db::Database database = db::test::fresh_database();
  const auto import = [&](core::Millis now, std::vector<std::string> yamls) {
    return within(database, [&](auto& tx) { return import_programmes(tx, at(now), yamls); });
  };
  using What = ImportedProgramme::What;
  const auto first = must(import(1, {settings("a-child", "420100", "parent"), settings("parent", "420000")}));
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].id, "parent") << "parents first";
  EXPECT_EQ(first[1].what, What::created);
  EXPECT_EQ(must(stored_programme(database, "a-child", 1)).state, State::open);
  const auto second = must(import(2, {settings("a-child", "420100", "parent"), settings("parent", "420000", "", 7)}));
  EXPECT_EQ(second[0].what, What::changed) << "the parent";
  EXPECT_EQ(second[0].settings, 2);
  EXPECT_EQ(second[1].what, What::same);
  EXPECT_EQ(error_of(import(3, {settings("x", "420000", "y"), settings("y", "420000", "x")})), "programme.parent") << "a circle";
  EXPECT_EQ(error_of(stored_programme(database, "x", 3)), "programme.not-found") << "nothing of it is kept";
}

TEST(Programmes, EveryChangeIsInTheTrail) {
  World world;
  const std::size_t before = actions_after(world.database, "", 0, 100).size();
  must(within(world.database, [&](auto& tx) { return move_programme(tx, {"st-1", "req-1", 5}, "city", State::staged); }));
  must(within(world.database, [&](auto& tx) {
    return change_settings(tx, {"st-1", "req-2", 6}, "city", settings("city", "420100", "province", 9));
  }));
  const auto actions = actions_after(world.database, "city", std::int64_t(before), 100);
  ASSERT_EQ(actions.size(), 2u);
  EXPECT_EQ(actions[0].action, "programme.staged");
  EXPECT_EQ(actions[1].object, "city 2");
  EXPECT_EQ(actions[1].request, "req-2");
  EXPECT_EQ(actions[1].before, core::sha256(settings("city", "420100", "province")));
  EXPECT_EQ(actions[1].after, core::sha256(settings("city", "420100", "province", 9)));
}

}  // namespace
}  // namespace tanhui::identity
