// The library that is shipped, and the choice among its methodologies.
#include <gtest/gtest.h>

#include <set>

#include "methodology/library_fixture.h"
#include "methodology/model.h"

namespace tanhui::methodology {
namespace {

using test::Act;
using test::Folder;

Library shipped(std::vector<Problem>& problems) {
  auto library = Library::load(std::filesystem::path(TANHUI_SOURCE_DIR) / "methodologies", problems);
  EXPECT_TRUE(library);
  return *library;
}

TEST(ShippedLibrary, HasNoMistakeAndEveryExampleComesOut) {
  std::vector<Problem> problems;
  const Library library = shipped(problems);
  for (const auto& methodology : library.methodologies()) library.check_examples(*methodology, problems);
  for (const Problem& problem : problems)
    if (!problem.warning) ADD_FAILURE() << problem.text;
  EXPECT_GE(library.methodologies().size(), 130U);
}

TEST(ShippedLibrary, HasEveryTestVector) {
  std::vector<Problem> problems;
  const Library library = shipped(problems);
  std::set<int> vectors;
  for (const auto& methodology : library.methodologies())
    for (const ExampleSpec& example : methodology->model->examples)
      if (example.vector != 0) vectors.insert(example.vector);
  for (int vector = 1; vector <= 28; ++vector) EXPECT_TRUE(vectors.contains(vector)) << "no example is test vector " << vector;
}

TEST(ShippedLibrary, ActsCompileForTheirOwnRegionAndYear) {
  std::vector<Problem> problems;
  const Library library = shipped(problems);
  for (const auto& methodology : library.methodologies())
    for (const Served& served : methodology->serves) {
      const int year = std::max(2024, std::stoi(core::to_text(methodology->from).substr(0, 4)));
      const auto program = Program::compile(library, *methodology, methodology->region(), year, served.activity);
      EXPECT_TRUE(program) << methodology->id << ": " << (program ? "" : program.error().message);
    }
}

TEST(ShippedLibrary, NothingIsOfficialWithoutADocument) {
  std::vector<Problem> problems;
  const Library library = shipped(problems);
  for (const auto& methodology : library.methodologies())
    if (methodology->status == Status::official) {
      EXPECT_TRUE(methodology->grade == "S1" || methodology->grade == "S2" || methodology->grade == "P")
          << methodology->id << " has grade " << methodology->grade;
    }
}

TEST(Digest, IsOfTheContentNotOfItsLayout) {
  const auto digest = [](const std::string& text) {
    Folder folder;
    folder.write("420100/cn-420100-test-2024.yaml", text);
    std::vector<Problem> problems;
    const Library library = folder.load(problems);
    return library.methodologies().empty() ? std::string() : library.methodologies()[0]->digest;
  };
  const std::string text = text_of(Act{});
  EXPECT_EQ(digest(text).size(), 64U);
  EXPECT_EQ(digest("# a comment\n" + text + "\n"), digest(text));
  EXPECT_NE(digest(text + "notes: [changed]\n"), digest(text));
  std::string other = text;
  other.replace(other.find("0.0784"), 6, "0.0785");
  other.replace(other.find("1019 g"), 6, "1020 g");
  EXPECT_NE(digest(other), digest(text));
}

TEST(Digest, ChangesWithASharedTable) {
  const auto digest = [](const char* value) {
    Folder folder;
    folder.write("tables/grid.yaml", fmt::format("id: grid\nname: {{en: Grid, zh: 电网}}\nunit: kg CO2e/(person km)\nkeys: [region]\nrows: "
                                                 "[{{region: gl, value: {}, grade: P, status: official, source: notice}}]\n",
                                                 value));
    Act act;
    act.formula = "  reduction: distance * min(factor, grid[region])\n";
    act.more = "use: [grid]\n";
    write_act(folder, act);
    std::vector<Problem> problems;
    const Library library = folder.load(problems);
    return library.methodologies().empty() ? std::string() : library.methodologies()[0]->digest;
  };
  EXPECT_NE(digest("0.2"), "");
  EXPECT_NE(digest("0.2"), digest("0.3"));
}

class Choosing : public testing::Test {
 protected:
  Choosing() {
    add("cn-000000-old-2020", "000000", "2020-01-01", "");
    add("cn-420100-old-2021", "420100", "2021-01-01", "valid");
    add("cn-420100-new-2024", "420100", "2024-09-02", "");
    add("cn-110000-illustrative-2020", "110000", "2020-01-01", "illustrative");
  }
  void add(const char* id, const char* region, const char* from, std::string_view what) {
    Act act;
    act.id = id;
    act.region = region;
    act.from = what == "valid" ? std::string(from) + ", to: 2024-12-31" : from;
    if (what == "illustrative") {
      act.status = "illustrative";
      act.parameters = "  factor: {value: 0.0784, unit: kg CO2e/(person km), grade: K, status: illustrative, source: none}\n";
    }
    write_act(folder_, act);
  }
  std::string choose(const Enabled& enabled, const char* region, core::Day day) const {
    std::vector<Problem> problems;
    const Library library = folder_.load(problems);
    const Methodology* chosen = Selection(library, enabled).choose(0, region, day);
    return chosen == nullptr ? "" : chosen->id;
  }
  Folder folder_;
};

TEST_F(Choosing, MostSpecificRegionInForceNewestFirst) {
  const struct {
    const char* region;
    core::Day day;
    const char* id;
  } rows[] = {
      {"420100", core::day_of(2019, 12, 31), ""},
      {"420100", core::day_of(2020, 1, 1), "cn-000000-old-2020"},
      {"420100", core::day_of(2021, 1, 1), "cn-420100-old-2021"},
      {"420100", core::day_of(2024, 9, 1), "cn-420100-old-2021"},
      {"420100", core::day_of(2024, 9, 2), "cn-420100-new-2024"},
      {"420000", core::day_of(2024, 9, 2), "cn-000000-old-2020"},
      {"110000", core::day_of(2024, 9, 2), "cn-000000-old-2020"},
      {"gl", core::day_of(2024, 9, 2), ""},
      {"elsewhere", core::day_of(2024, 9, 2), ""},
  };
  for (const auto& row : rows) EXPECT_EQ(choose({}, row.region, row.day), row.id) << row.region << " " << core::to_text(row.day);
}

TEST_F(Choosing, OfOneMethodologyTheHighestVersionInForce) {
  const auto version = [&](int number, const char* valid) {
    Act act;
    act.id = "cn-420100-fixed-2025";
    act.from = valid;
    std::string text = text_of(act);
    text.replace(text.find("version: 1"), 10, fmt::format("version: {}", number));
    folder_.write(fmt::format("420100/cn-420100-fixed-2025@{}.yaml", number), text);
  };
  version(1, "2025-02-01");
  version(2, "2025-01-01, to: 2025-06-30");  // began earlier, and is higher all the same
  version(3, "2025-03-01, to: 2025-03-31");
  const struct {
    const char* region;
    core::Day day;
    int version;
  } rows[] = {
      {"420100", core::day_of(2024, 12, 31), 0}, {"420100", core::day_of(2025, 1, 1), 2},  {"420100", core::day_of(2025, 2, 1), 2},
      {"420100", core::day_of(2025, 3, 1), 3},   {"420100", core::day_of(2025, 3, 31), 3}, {"420100", core::day_of(2025, 4, 1), 2},
      {"420100", core::day_of(2025, 7, 1), 1},   {"420000", core::day_of(2025, 3, 1), 0},
  };
  std::vector<Problem> problems;
  const Library library = folder_.load(problems);
  ASSERT_NE(library.find("cn-420100-fixed-2025", 3), nullptr) << problems.front().text;
  Enabled only;
  only.only = {"cn-420100-fixed-2025"};
  for (const auto& row : rows) {
    const Methodology* chosen = Selection(library, only).choose(0, row.region, row.day);
    EXPECT_EQ(chosen == nullptr ? 0 : chosen->version, row.version) << row.region << " " << core::to_text(row.day);
  }
}

TEST_F(Choosing, ProgrammesSwitchMethodologiesOnAndOff) {
  const core::Day day = core::day_of(2024, 12, 31);
  Enabled enabled;
  enabled.also = {"cn-110000-illustrative-2020"};
  EXPECT_EQ(choose(enabled, "110000", day), "cn-110000-illustrative-2020");
  enabled = {};
  enabled.never = {"cn-420100-new-2024"};
  EXPECT_EQ(choose(enabled, "420100", day), "cn-420100-old-2021");
  EXPECT_EQ(choose(enabled, "420100", core::day_of(2025, 1, 1)), "cn-000000-old-2020");
  enabled = {};
  enabled.only = {"cn-000000-old-2020", "cn-110000-illustrative-2020"};
  EXPECT_EQ(choose(enabled, "420100", day), "cn-000000-old-2020");
  EXPECT_EQ(choose(enabled, "110000", day), "cn-000000-old-2020");  // illustrative is never on by a list of names alone
}

}  // namespace
}  // namespace tanhui::methodology
