// Cases worked out: lists, decay, and the page that people read.
#include <gtest/gtest.h>

#include "methodology/library_fixture.h"

namespace tanhui::methodology {
namespace {

using test::Act;
using test::Folder;

/// Methane of waste by first-order decay, with round numbers: two kinds of waste, years of deposit, and a sum within a sum.
Act decay() {
  Act act;
  act.kind = "project";
  act.activities = "[]";
  act.status = "illustrative";
  act.inputs = R"(  monitoring_year: {unit: "1"}
  deposits: {list: {mass: {unit: t, min: 0, max: 1000}, kind: {choice: [food, paper]}, year: {unit: "1"}}}
)";
  act.parameters = "  potential: {value: 0.5, unit: t CO2e/t, grade: K, status: illustrative, source: none}\n";
  act.formula = R"yaml(  let:
    decayed: "sum(d in deposits: if d.year <= monitoring_year then d.mass * exp(-rate[d.kind] * (monitoring_year - d.year)) * (1 - exp(-rate[d.kind])) else 0)"
    pairs: "sum(a in deposits: sum(b in deposits: if a.kind == b.kind then 1 else 0))"
  reduction: decayed * potential
)yaml";
  act.more = R"(tables:
  rate: {unit: "1", keys: [kind], default: {grade: K, status: illustrative, source: none}, rows: [{kind: food, value: 0.4}, {kind: paper, value: 0.07}]}
rounding: {unit: t, direction: down}
)";
  act.examples =
      R"(  - given: {monitoring_year: 2022, deposits: [{mass: 100 t, kind: food, year: 2020}, {mass: 50 t, kind: paper, year: 2022}, {mass: 9 t, kind: food, year: 2023}]}
    expect: 9 t
    expect_step: {decayed: 18193 kg, pairs: 5}
)";
  return act;
}

TEST(Calculation, FirstOrderDecayOverADoubleSum) {
  // By hand: food 100 x e^-0.8 x (1 - e^-0.4) = 44.9329 x 0.329680 = 14.81347; paper 50 x (1 - e^-0.07) = 3.38031; together 18.19378 t.
  // Half of it is 9.09689 t, cut to 9 t. Pairs of one kind: 2 x 2 + 1 = 5.
  Folder folder;
  write_act(folder, decay());
  for (const Problem& problem : folder.problems()) ADD_FAILURE() << problem.text;
  std::vector<Problem> problems;
  const Library library = folder.load(problems);
  Given given;
  given.document =
      R"({"monitoring_year": 2022, "deposits": [{"mass": "100 t", "kind": "food", "year": 2020}, {"mass": "50000 kg", "kind": "paper", "year": 2022}]})";
  const auto calculation = calculate(library, *library.find("cn-420100-test-2024"), given);
  ASSERT_TRUE(calculation) << calculation.error().message;
  EXPECT_EQ(calculation->milligrams, 9'000'000'000);
  EXPECT_EQ(calculation->issued, "9 t");
  EXPECT_EQ(calculation->exact_grams.substr(0, 9), "9,096,892");
  EXPECT_EQ(calculation->status, Status::illustrative);
}

TEST(Calculation, WrongInputsAreNamed) {
  Folder folder;
  write_act(folder, {});
  std::vector<Problem> problems;
  const Library library = folder.load(problems);
  const struct {
    std::vector<std::pair<std::string, std::string>> values;
    const char* said;
  } rows[] = {
      {{}, "the input 'distance' is missing"},
      {{{"distance", "x"}}, "'x' is not an amount"},
      {{{"distance", "13 kg"}}, "'kg' is given where 'person km' is expected"},
      {{{"distance", "130km"}}, "130 person km of 'distance' is above the most, 120 person km"},
      {{{"distance", "13km"}, {"mode", "rail"}}, "there is no input 'mode'"},
  };
  for (const auto& row : rows) {
    const auto calculation = calculate(library, *library.find("cn-420100-test-2024"),
                                       {.values = row.values, .document = {}, .document_name = {}, .region = {}, .year = {}});
    ASSERT_FALSE(calculation) << row.said;
    EXPECT_NE(calculation.error().message.find(row.said), std::string::npos) << calculation.error().message;
    EXPECT_EQ(calculation.error().id, "methodology.bad-inputs");
  }
}

TEST(Explain, ShowsEveryNumberWithItsUnitAndSource) {
  Folder folder;
  write_act(folder, {});
  std::vector<Problem> problems;
  const Library library = folder.load(problems);
  Given given;
  given.values = {{"distance", "13km"}};
  EXPECT_EQ(*explain(library, *library.find("cn-420100-test-2024"), given, Language::english), R"(cn-420100-test-2024  Test
version 1, region 420100 Wuhan, year 2024, status reported-by-platform
Basis: test (S2)

Given
  distance      13 person km

Numbers
  factor        0.0784 kg CO2e/(person km)  [S2, reported-by-platform]
                white paper

Steps
  reduction = distance * factor
            = 13 person km * 0.0784 kg CO2e/(person km)
            = 1,019.2 g CO2e

Reduction: 1,019.2 g CO2e
Rounded once: 1,019,200 mg CO2e
)");
  const std::string chinese = *explain(library, *library.find("cn-420100-test-2024"), given, Language::chinese);
  EXPECT_NE(chinese.find("减排量: 1,019.2 g CO2e"), std::string::npos) << chinese;
}

TEST(Explain, MarksIllustrativeNumbers) {
  Folder folder;
  write_act(folder, decay());
  std::vector<Problem> problems;
  const Library library = folder.load(problems);
  Given given;
  given.document = "{monitoring_year: 2022, deposits: []}";
  const std::string page = *explain(library, *library.find("cn-420100-test-2024"), given, Language::english);
  EXPECT_NE(page.find("ILLUSTRATIVE"), std::string::npos) << page;
}

TEST(Calculation, ObligationsRoundUp) {
  Act act = decay();
  act.more.replace(act.more.find("down"), 4, "up");
  act.examples.replace(act.examples.find("9 t\n"), 4, "10 t\n");
  Folder folder;
  write_act(folder, act);
  for (const Problem& problem : folder.problems()) ADD_FAILURE() << problem.text;
}

}  // namespace
}  // namespace tanhui::methodology
