#include "identity/rights.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <set>

#include "core/files.h"
#include "identity/tenancy_fixture.h"
#include "identity/trail.h"

namespace tanhui::identity {
namespace {

using test::at, test::error_of, test::must, test::within, test::World;

const std::vector<std::string> kProgrammes = {"province", "city", "company", "event", "town"};
const std::vector<std::string> kOrganisations = {"metro", "bakery", "tram"};

// Said once more by hand, and not from the table: where each action may be done by somebody who has the role in the city, or in the
// organisation "metro" of the city. "i" the instance, "p" the province, "c" the city, "b" what is below the city, "m" metro, "o" the
// city's other organisation; town and tram never.
const std::map<std::string, std::map<std::string, std::string>> kExpected = {
    {"programme.read", {{"administrator", "all"}, {"operator", "cmo"}, {"reviewer", "cmo"}, {"auditor", "cmo"}, {"regulator", "cbmo"}}},
    {"programme.create", {{"administrator", "all"}, {"operator", "cmo"}}},
    {"programme.settings", {{"operator", "cmo"}}},
    {"programme.state", {{"operator", "cmo"}}},
    {"organisation.read",
     {{"administrator", "all"},
      {"operator", "cmo"},
      {"reviewer", "cmo"},
      {"auditor", "cmo"},
      {"regulator", "cbmo"},
      {"enterprise-admin", "m"},
      {"merchant-clerk", "m"},
      {"partner", "m"}}},
    {"organisation.write", {{"operator", "cmo"}}},
    {"staff.read", {{"administrator", "all"}, {"operator", "cmo"}, {"auditor", "cmo"}, {"enterprise-admin", "m"}}},
    {"staff.write", {{"administrator", "all"}}},
    {"member.administrator", {{"administrator", "all"}}},
    {"member.programme", {{"administrator", "all"}, {"operator", "cmo"}}},
    {"member.organisation", {{"administrator", "all"}, {"operator", "cmo"}, {"enterprise-admin", "m"}}},
    {"partner-key.read", {{"operator", "cmo"}, {"auditor", "cmo"}, {"partner", "m"}}},
    {"partner-key.write", {{"operator", "cmo"}, {"partner", "m"}}},
    {"records.read", {{"operator", "cmo"}, {"reviewer", "cmo"}, {"auditor", "cmo"}, {"regulator", "cbmo"}}},
    {"records.import", {{"operator", "cmo"}}},
    {"records.review", {{"reviewer", "cmo"}}},
    {"people.read", {{"operator", "cmo"}, {"reviewer", "cmo"}, {"auditor", "cmo"}}},
    {"people.contact", {{"operator", "cmo"}}},
    {"people.erase", {{"operator", "cmo"}}},
    {"statistics.read", {{"operator", "cmo"}, {"reviewer", "cmo"}, {"auditor", "cmo"}, {"regulator", "cbmo"}, {"enterprise-admin", "m"}}},
    {"coupon.redeem", {{"merchant-clerk", "m"}}},
    {"proposal.read", {{"operator", "cmo"}, {"reviewer", "cmo"}, {"auditor", "cmo"}, {"regulator", "cbmo"}}},
    {"proposal.make", {{"operator", "cmo"}}},
    {"proposal.decide", {{"operator", "cmo"}, {"reviewer", "cmo"}}},
    {"trail.read", {{"administrator", "all"}, {"auditor", "cmo"}, {"regulator", "cbmo"}}},
    {"log.key", {{"administrator", "all"}}},
};

TEST(Rights, EveryRoleTriesEveryActionEverywhere) {
  World world;
  auto& database = world.database;
  const std::vector<std::pair<std::string, Target>> targets = {
      {"i", {}},
      {"p", {"province", ""}},
      {"c", {"city", ""}},
      {"b", {"company", ""}},
      {"b", {"event", ""}},
      {"-", {"town", ""}},
      {"m", {"", "metro"}},
      {"o", {"", "bakery"}},
      {"-", {"", "tram"}},
      {"m", {"town", "metro"}},  // it stays metro's
  };
  ASSERT_EQ(kExpected.size(), kActions);
  int allowed = 0;
  for (std::size_t r = 0; r < kRoles; ++r) {
    const Role role{std::uint8_t(r)};
    const std::string_view place = where(role) == Where::instance ? "" : where(role) == Where::programme ? "city" : "metro";
    const std::string staff = world.member(fmt::format("{}@example.org", name(role)), role, place);
    for (std::size_t a = 0; a < kActions; ++a) {
      const Action action{std::uint8_t(a)};
      ASSERT_TRUE(kExpected.contains(std::string(name(action)))) << name(action);
      const auto& row = kExpected.at(std::string(name(action)));
      const auto cell = row.find(std::string(name(role)));
      for (const auto& [letter, target] : targets) {
        const bool ought = cell != row.end() && (cell->second == "all" || cell->second.find(letter) != std::string::npos);
        const auto answer = may(database, staff, action, target);
        EXPECT_EQ(bool(answer), ought) << name(role) << " " << name(action) << " at " << target.programme << "/" << target.organisation;
        if (!answer) {
          EXPECT_EQ(answer.error().id, "rights.refused");
        }
        allowed += answer ? 1 : 0;
      }
    }
  }
  EXPECT_GT(allowed, 300);
}

TEST(Rights, AnotherTenantGetsNothing) {
  World world;
  // Whoever has any role in the town or its organisation does nothing at all in the city, its organisations, above or beside it.
  for (std::size_t r = 1; r < kRoles; ++r) {
    const Role role{std::uint8_t(r)};
    const std::string staff =
        world.member(fmt::format("{}@town.example", name(role)), role, where(role) == Where::programme ? "town" : "tram");
    for (std::size_t a = 0; a < kActions; ++a)
      for (const Target& target : {Target{}, Target{"province", ""}, Target{"city", ""}, Target{"company", ""}, Target{"", "metro"}})
        EXPECT_FALSE(may(world.database, staff, Action(a), target)) << name(role) << " " << name(Action(a)) << " " << target.programme;
  }
}

TEST(Rights, NobodyAndTheDisabledMayNothing) {
  World world;
  const std::string staff = world.member("a@example.org", Role::operator_of_programme, "city");
  world.member("b@example.org", Role::administrator, "");
  EXPECT_TRUE(may(world.database, staff, Action::programme_state, {"city", ""}));
  EXPECT_FALSE(may(world.database, "st-nobody", Action::programme_state, {"city", ""}));
  EXPECT_EQ(error_of(may(world.database, staff, Action::programme_state, {"nowhere", ""})), "programme.not-found");
  EXPECT_EQ(error_of(may(world.database, staff, Action::programme_state, {"", "nobody"})), "organisation.not-found");
  must(within(world.database, [&](auto& tx) { return set_active(tx, at(1), staff, false); }));
  EXPECT_FALSE(may(world.database, staff, Action::programme_state, {"city", ""}));
}

TEST(RightsProperty, OnlyBelowCrossesAndNothingGoesUp) {
  rc::check([] {
    const auto depth = *rc::gen::inRange<std::size_t>(1, 8);
    std::vector<std::string> line;  // the nearest first
    for (std::size_t i = 0; i < depth; ++i) line.push_back(fmt::format("p{}", depth - i));
    const auto level = *rc::gen::inRange<std::size_t>(0, depth + 2);  // some are not in the line at all
    const Membership membership{"m", "s", Role(*rc::gen::inRange<int>(1, 5)), fmt::format("p{}", level), "", 0};
    const auto action = Action(*rc::gen::inRange<int>(0, int(kActions)));
    const bool ought = level >= 1 && level <= depth &&
                       (reach(membership.role, action) == Reach::below || (reach(membership.role, action) == Reach::own && level == depth));
    RC_ASSERT(allows({&membership, 1}, action, {line, ""}) == ought);
  });
}

TEST(Members, AreAddedOnceAndTakenAway) {
  World world;
  auto& database = world.database;
  const std::string ann = world.staff("ann@example.org"), bob = world.staff("bob@example.org");
  const auto add = [&](std::string_view staff, Role role, std::string_view place) {
    return within(database, [&](auto& tx) { return add_member(tx, at(1), staff, role, place); });
  };
  const auto remove = [&](const std::string& id) {
    return error_of(within(database, [&](auto& tx) { return remove_member(tx, at(2), id); }));
  };
  const auto first = must(add(ann, Role::auditor, "city"));
  EXPECT_EQ(must(add(ann, Role::auditor, "city")).id, first.id) << "again is harmless";
  EXPECT_EQ(error_of(add(ann, Role::auditor, "")), "membership.no-place");
  EXPECT_EQ(error_of(add(ann, Role::administrator, "city")), "membership.no-place");
  EXPECT_EQ(error_of(add(ann, Role::auditor, "nowhere")), "programme.not-found");
  EXPECT_EQ(error_of(add(ann, Role::partner, "nobody")), "organisation.not-found");
  EXPECT_EQ(error_of(add("st-nobody", Role::auditor, "city")), "staff.not-found");
  must(add(bob, Role::partner, "metro"));
  EXPECT_EQ(members_of(database, "city", "").size(), 2u) << "its organisations' members too";
  EXPECT_EQ(members_of(database, "", "metro").size(), 1u);
  EXPECT_EQ(members_of(database, "town", "").size(), 0u);
  EXPECT_EQ(remove(first.id), "");
  EXPECT_EQ(remove(first.id), "membership.not-found");
  const auto only = must(add(ann, Role::administrator, ""));
  EXPECT_EQ(remove(only.id), "membership.last-administrator");
  EXPECT_EQ(error_of(within(database, [&](auto& tx) { return set_active(tx, at(3), ann, false); })), "staff.last-administrator");
  must(add(bob, Role::administrator, ""));
  EXPECT_EQ(members_of(database, "", "").size(), 2u);
  EXPECT_EQ(remove(only.id), "");
  const auto trail = actions_after(database, "city", 0, 1000);
  EXPECT_EQ(std::count_if(trail.begin(), trail.end(), [](const auto& one) { return one.action.starts_with("member."); }), 3);
}

TEST(Rights, WhoGrantsWhat) {
  EXPECT_EQ(action_to_grant(Role::administrator), Action::member_administrator);
  EXPECT_EQ(action_to_grant(Role::regulator), Action::member_administrator) << "an operator does not appoint who watches";
  EXPECT_EQ(action_to_grant(Role::reviewer), Action::member_programme);
  EXPECT_EQ(action_to_grant(Role::merchant_clerk), Action::member_organisation);
}

TEST(Rights, TheDocumentIsTheTable) {
  EXPECT_EQ(core::read_file(std::filesystem::path(TANHUI_SOURCE_DIR) / "docs/rights.md"), rights_as_markdown())
      << "write it again: tanhui staff rights > docs/rights.md";
  std::set<std::string_view> names;
  for (std::size_t a = 0; a < kActions; ++a) {
    names.insert(name(Action(a)));
    EXPECT_EQ(find_action(name(Action(a))), Action(a));
  }
  EXPECT_EQ(names.size(), kActions);
  for (std::size_t r = 0; r < kRoles; ++r) EXPECT_EQ(find_role(name(Role(r))), Role(r));
}

}  // namespace
}  // namespace tanhui::identity
