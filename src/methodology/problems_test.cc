// What a library author reads when a file is wrong, word for word.
#include <gtest/gtest.h>

#include "methodology/library_fixture.h"

namespace tanhui::methodology {
namespace {

using test::Act;
using test::Folder;

std::vector<std::string> texts(const Act& act) {
  Folder folder;
  write_act(folder, act);
  std::vector<std::string> all;
  for (const Problem& problem : folder.problems()) all.push_back(problem.text);
  return all;
}

/// The mistakes without the source lines: "line:column: message / hint".
std::vector<std::string> short_texts(const Act& act) {
  Folder folder;
  write_act(folder, act);
  std::vector<std::string> all;
  for (const Problem& problem : folder.problems())
    if (!problem.warning) all.push_back(fmt::format("{}:{}: {} / {}", problem.line, problem.column, problem.message, problem.hint));
  return all;
}

TEST(Problems, NothingToSayAboutARightFile) { EXPECT_EQ(texts({}), std::vector<std::string>{}); }

TEST(Problems, AUnitThatDoesNotComeOutRight) {
  Act act;
  act.formula = "  reduction: distance * factor / 2\n";
  act.parameters = "  factor: {value: 0.0784, unit: kg/(person km), grade: S2, status: reported-by-platform, source: white paper}\n";
  EXPECT_EQ(texts(act), std::vector<std::string>{
                            R"(420100/cn-420100-test-2024.yaml:18:14: mistake: the formula comes out as 'kg', it must come out as 'kg CO2e'
    18 |   reduction: distance * factor / 2
       |              ^~~~~~~~~~~~~~~~~~~~~
       = give the factor the tag CO2e, as in kg CO2e/(person km)
)"});
  act.parameters = "  factor: {value: 0.0784, unit: kg CO2e/km, grade: S2, status: reported-by-platform, source: white paper}\n";
  EXPECT_EQ(short_texts(act), std::vector<std::string>{"18:14: the formula comes out as 'kg CO2e person', it must come out as 'kg CO2e' / "
                                                       "there is 'person' too much: see the units of inputs and parameters"});
}

TEST(Problems, CaretUnderWideCharacters) {
  Act act;
  act.more = "notes: [\"武汉轨道交通\", {a: b}]\n";
  EXPECT_EQ(texts(act),
            std::vector<std::string>{R"(420100/cn-420100-test-2024.yaml:22:19: mistake: 'notes' of the methodology must be a list of words
    22 | notes: ["武汉轨道交通", {a: b}]
       |                         ^
)"});
}

TEST(Problems, AllMistakesOfAFileAtOnce) {
  Act act;
  act.kind = "quantitativ";
  act.activities = "[rid]";
  act.from = "2024-02-30";
  act.inputs = "  distance: {unit: person km, mni: 0.5, max: 120}\n";
  act.formula = "  reduction: distanc * factor\n";
  EXPECT_EQ(short_texts(act), (std::vector<std::string>{
                                  "3:7: 'quantitativ' is no kind / did you mean 'quantitative'?",
                                  "6:15: '2024-02-30' is not a day of the calendar / write it as 2024-09-02",
                                  "12:14: unknown activity 'rid' / did you mean 'ride'? activities stand in methodologies/activities.yaml",
                                  "14:31: unknown field 'mni' in input 'distance' / did you mean 'min'?",
                                  "18:14: unknown name 'distanc' / did you mean 'distance'?",
                              }));
}

TEST(Problems, EachMistakeAndWhatWouldBeRight) {
  struct Row {
    const char* why;
    void (*change)(Act&);
    const char* text;
  };
  const Row rows[] = {
      {"status better than the grade",
       [](Act& a) { a.parameters = "  factor: {value: 1, unit: kg CO2e/(person km), grade: K, status: official, source: none}\n"; },
       "16:67: grade K cannot be 'official' / illustrative at best"},
      {"status is not the weakest number's", [](Act& a) { a.status = "official"; },
       "7:9: the status is 'official', but the weakest number used is 'reported-by-platform' (parameter 'factor') / status: "
       "reported-by-platform"},
      {"no source",
       [](Act& a) { a.parameters = "  factor: {value: 1, unit: kg CO2e/(person km), grade: S2, status: reported-by-platform}\n"; },
       "16:11: parameter 'factor' has no 'source' / the document, table and date where the number stands"},
      {"an example that is wrong", [](Act& a) { a.examples = "  - {given: {distance: 13 km}, expect: 1020 g}\n"; },
       "23:5: the example gives 1019.2 g, not 1020 g / expect: 1019 g"},
      {"an example beyond the bounds", [](Act& a) { a.examples = "  - {given: {distance: 130 km}, expect: 1020 g}\n"; },
       "23:24: 130 person km of 'distance' is above the most, 120 person km / "},
      {"an example in another unit", [](Act& a) { a.examples = "  - {given: {distance: 13 kWh}, expect: 1020 g}\n"; },
       "23:24: 'kWh' is given where 'person km' is expected / as in 5 person km"},
      {"unlike sides", [](Act& a) { a.formula = "  reduction: (distance + factor) * factor\n"; },
       "18:14: person m and kg CO2e/(person m) are not alike: 'distance' is in 'person m', 'factor' in 'kg CO2e/(person m)' / both sides "
       "need the same dimension"},
      {"exp in an act", [](Act& a) { a.formula = "  reduction: distance * factor * exp(1)\n"; },
       "18:34: exp, ln and pow are for projects / an act's formula is exact: use + - * / min max clamp round and tables"},
      {"a number with a bare unit", [](Act& a) { a.formula = "  reduction: min(distance * factor, 5 kg)\n"; },
       "18:39: a number's unit stands in brackets / write 5 [kg]"},
      {"an unknown table", [](Act& a) { a.formula = "  reduction: distance * factors[region]\n"; },
       "18:25: unknown table 'factors' / there are no tables here (shared ones are named in use:)"},
      {"an unknown region",
       [](Act& a) {
         a.region = "420200";
         a.id = "cn-420200-test-2024";
       },
       "5:9: unknown region '420200' / did you mean '420000'? Regions stand in methodologies/regions.yaml"},
      {"the id of another file", [](Act& a) { a.more = "version: 2\n"; }, "22:1: field 'version' is given twice / keep one"},
      {"a quantity that the activity does not record", [](Act& a) { a.activities = "[stop]"; },
       "12:14: activity 'stop' has no quantity 'distance' / it has days, displacement; give the input a default, or add the quantity to "
       "methodologies/activities.yaml"},
      {"a quantity of another dimension",
       [](Act& a) {
         a.inputs = "  distance: {unit: kWh, min: 0, max: 1}\n";
         a.formula = "  reduction: factor * 1 [person km] + 0 * distance\n";
         a.examples = "  - {given: {distance: 1 kWh}, expect: 78 g}\n";
       },
       "12:14: input 'distance' is in 'kWh', activity 'ride' records it in 'm' / both need the same dimension; counting units may differ"},
      {"no examples", [](Act& a) { a.examples = "  []\n"; },
       "23:3: there must be at least one example / - {given: {distance: 13 km}, expect: 1019 g}"},
      {"an alias", [](Act& a) { a.more = "notes: &a [b]\n"; },
       "22:8: anchors (&name) are not used in a methodology / write the value where it is needed"},
      {"a limit without a unit", [](Act& a) { a.more = "limits: {speed: {max: 120}}\n"; }, "22:23: '120' has no unit / as in 120 m/h"},
      {"a division by zero", [](Act& a) { a.formula = "  reduction: distance * factor / 0\n"; }, "18:14: a division by zero / "},
      {"a name taken twice", [](Act& a) { a.more = "let: {distance: factor * 2}\n"; },
       "22:7: the name 'distance' is taken already / inputs, parameters, steps and tables share one set of names"},
  };
  for (const Row& row : rows) {
    Act act;
    row.change(act);
    EXPECT_EQ(short_texts(act), std::vector<std::string>{row.text}) << row.why;
  }
}

TEST(Problems, FormulaOverSeveralLinesKeepsItsPlace) {
  Act act;
  act.formula = "  reduction: \"if distance > 1 [person km]\n    then distance * factor\n    else distance * facto\"\n";
  EXPECT_EQ(short_texts(act), std::vector<std::string>{"20:21: unknown name 'facto' / did you mean 'factor'?"});
  act.formula = "  reduction: |\n    distance\n    * facto\n";
  EXPECT_EQ(short_texts(act), std::vector<std::string>{"20:7: unknown name 'facto' / did you mean 'factor'?"});
}

TEST(Problems, TablesToo) {
  Folder folder;
  write_act(folder, {});
  folder.write("tables/grid.yaml", R"yaml(id: gird
name: {en: Grid, zh: 电网}
unit: kg CO2e/kWh
keys: [region, year]
rows:
  - {region: "420000", year: 2022, value: 0.4, grade: R, status: derived, source: somebody}
  - {region: "999999", year: 2022, value: 0.4, grade: P, status: official, source: somebody}
  - {region: "420000", year: 20x2, value: "0,5", grade: P, status: official, source: somebody}
  - {region: "420000", year: 2022, value: 0.5, grade: P, status: official, source: somebody}
)yaml");
  std::vector<std::string> all;
  for (const Problem& problem : folder.problems()) all.push_back(fmt::format("{}:{}: {}", problem.line, problem.column, problem.message));
  EXPECT_EQ(all, (std::vector<std::string>{
                     "1:5: the table's id 'gird' differs from its file name 'grid'",
                     "6:66: grade R cannot be 'derived'",
                     "7:14: unknown region '999999'",
                     "8:30: '20x2' is not a year",
                     "8:43: '0,5' is not a number",
                     "9:5: a row before this one has the same keys or reaches as far",
                 }));
}

TEST(Problems, WhateverTheBytesAre) {
  const std::string deep(5000, '[');
  const std::string rows[] = {"",
                              "\n",
                              "a",
                              "- a",
                              "a: b: c",
                              "\xff\xfe",
                              std::string("a\0b", 3),
                              "? [a]\n: b",
                              "a: *b",
                              "%YAML 9.9\n---\na: b",
                              deep,
                              "{" + deep,
                              "id: [",
                              "a: b\n---\nc: d",
                              "\t a: b",
                              "id: !!binary x",
                              "<<: {a: b}",
                              "\xef\xbb\xbfid: x",
                              "'",
                              "\"\\",
                              "a: |\n b\n  c\n d",
                              "[]: {}"};
  for (const std::string& text : rows) {
    Folder folder;
    folder.write("420100/cn-420100-test-2024.yaml", text);
    const auto problems = folder.problems();
    EXPECT_FALSE(problems.empty()) << text.substr(0, 20);
  }
}

TEST(Problems, AFolderThatIsNoLibrary) {
  std::vector<Problem> problems;
  const auto library = Library::load("/nonexistent", problems);
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().id, "methodology.no-library");
}

}  // namespace
}  // namespace tanhui::methodology
