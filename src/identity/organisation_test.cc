#include "identity/organisation.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "identity/tenancy_fixture.h"

namespace tanhui::identity {
namespace {

using test::at, test::error_of, test::must, test::within, test::World;
using Kind = OrganisationKind;

TEST(CreditCode, PublicCodesAndTheirNeighbours) {
  const struct {
    const char* code;
    bool good;
  } rows[] = {
      {"91330100799655058B", true},  // GB 32100 codes of listed companies and an authority
      {"9144030071526726XG", true},  {"91350100M000100Y43", true},   {"91330100799655058C", false},  // check character
      {"91330100799655085B", false},                                                                 // two digits exchanged
      {"91330100799655058b", false}, {"9133010079965505IB", false},                                  // no such letter
      {"91330100799655058", false},  {"91330100799655058BB", false}, {"", false},
  };
  for (const auto& [code, good] : rows) EXPECT_EQ(bool(check_credit_code(code)), good) << code;
}

TEST(CreditCodeProperty, OneWrongCharacterIsFound) {
  rc::check([] {
    const std::string_view letters = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    std::string code = "91350100M000100Y43";
    const auto at = *rc::gen::inRange<std::size_t>(0, code.size());
    const char other = letters[*rc::gen::inRange<std::size_t>(0, letters.size())];
    const bool same = code[at] == other;
    code[at] = other;
    RC_ASSERT(bool(check_credit_code(code)) == same);
  });
}

TEST(Organisation, IsCreatedReadAndChanged) {
  World world;
  auto& database = world.database;
  const OrganisationDetails details{{"Tea house", "茶馆"}, {Kind::merchant, Kind::enterprise}, "91330100799655058B"};
  const auto create = [&](std::string_view id, std::string_view programme, OrganisationDetails what) {
    return within(database, [&](auto& tx) { return create_organisation(tx, at(5), id, programme, what); });
  };
  EXPECT_EQ(must(create("tea", "city", details)).details.kinds, (std::set<Kind>{Kind::enterprise, Kind::merchant}));
  const auto read = must(find_organisation(database, "tea"));
  EXPECT_EQ(read.programme, "city");
  EXPECT_EQ(read.details.name.zh, "茶馆");
  EXPECT_EQ(read.details.credit_code, "91330100799655058B");
  const auto but = [&](auto change) {
    OrganisationDetails other = details;
    other.credit_code.clear();
    change(other);
    return other;
  };
  const struct {
    const char* why;
    const char *id, *programme;
    OrganisationDetails details;
    const char* error;
  } rows[] = {
      {"there already", "tea", "city", but([](auto&) {}), "organisation.exists"},
      {"the same company", "tea-2", "city", details, "organisation.same-credit-code"},
      {"the same company elsewhere", "tea-3", "town", details, ""},
      {"no such programme", "tea-4", "nowhere", but([](auto&) {}), "programme.not-found"},
      {"no id", "Tea", "city", but([](auto&) {}), "organisation.bad-id"},
      {"no name", "tea-5", "city", but([](auto& o) { o.name.en = ""; }), "organisation.bad-name"},
      {"no UTF-8", "tea-5", "city", but([](auto& o) { o.name.zh = "\xff"; }), "organisation.bad-name"},
      {"of no kind", "tea-5", "city", but([](auto& o) { o.kinds.clear(); }), "organisation.no-kind"},
      {"a wrong code", "tea-5", "city", but([](auto& o) { o.credit_code = "91330100799655058C"; }), "organisation.bad-credit-code"},
  };
  for (const auto& [why, id, programme, what, error] : rows) EXPECT_EQ(error_of(create(id, programme, what)), error) << why;

  const auto change = [&](OrganisationDetails what, Expected expected = {}) {
    return within(database, [&](auto& tx) { return change_organisation(tx, at(6), "tea", what, expected); });
  };
  OrganisationDetails closed = details;
  closed.state = OrganisationState::closed;
  closed.kinds = {Kind::merchant};
  EXPECT_EQ(error_of(change(closed, 2)), "edit.conflict");
  EXPECT_EQ(must(change(closed, 1)).version, 2);
  EXPECT_EQ(must(find_organisation(database, "tea")).details.kinds, std::set<Kind>{Kind::merchant});
  EXPECT_EQ(error_of(change(details)), "organisation.closed");
  EXPECT_EQ(error_of(find_organisation(database, "nobody")), "organisation.not-found");
}

TEST(Organisation, ListsGoOnWhereTheyStopped) {
  World world;
  const auto ids = [&](std::string_view programme, std::string_view after, std::size_t limit) {
    std::vector<std::string> found;
    for (const auto& one : organisations(world.database, programme, after, limit)) found.push_back(one.id);
    return found;
  };
  EXPECT_EQ(ids("", "", 10), (std::vector<std::string>{"bakery", "metro", "tram"}));
  EXPECT_EQ(ids("city", "", 1), std::vector<std::string>{"bakery"});
  EXPECT_EQ(ids("city", "bakery", 10), std::vector<std::string>{"metro"});
}

}  // namespace
}  // namespace tanhui::identity
