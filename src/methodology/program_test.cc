// Compiled programs against the reference, and what records can do to them.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <random>

#include "methodology/library_fixture.h"

namespace tanhui::methodology {
namespace {

using test::Act;
using test::Folder;

struct Row {
  std::int64_t milligrams;
  int flag;
  friend bool operator==(const Row&, const Row&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.milligrams << " mg, flag " << row.flag; }
};

Program compile(const Library& library, const Act& act, int year = 2024, const char* region = "420100", const char* activity = "ride") {
  const Methodology* methodology = library.find(act.id);
  EXPECT_NE(methodology, nullptr);
  auto program = Program::compile(library, *methodology, region, year, *library.find_activity(activity));
  EXPECT_TRUE(program) << program.error().message;
  return *program;
}

std::vector<Row> evaluate(const Program& program, const std::vector<std::vector<std::int64_t>>& columns) {
  const std::vector<std::span<const std::int64_t>> spans(columns.begin(), columns.end());
  std::size_t rows = 0;
  for (const auto& column : columns) rows = std::max(rows, column.size());
  std::vector<std::int64_t> milligrams(rows, -1);
  std::vector<std::uint8_t> flags(rows, 255);
  program.evaluate(spans, milligrams, flags);
  std::vector<Row> result;
  for (std::size_t i = 0; i < rows; ++i) result.push_back({milligrams[i], flags[i]});
  return result;
}

struct Loaded {
  Folder folder;
  std::vector<Problem> problems;
  Library library;
  explicit Loaded(const Act& act) : library((write_act(folder, act), folder.load(problems))) {
    for (const Problem& problem : problems) ADD_FAILURE() << problem.text;
  }
};

TEST(Program, OneFactorIsOneMultiplication) {
  const Act act;
  const Loaded loaded(act);
  const Program program = compile(loaded.library, act);
  EXPECT_EQ(program.path(), Program::Path::linear);
  EXPECT_EQ(program.factor_text(), "392/5 mg per base unit");
  EXPECT_EQ(program.status(), Status::reported_by_platform);
  // 0.0784 kg per km is 78.4 mg per m.
  EXPECT_EQ(
      evaluate(program, {{500, 13'000, 13'001, 120'000, 499, 120'001, -1, INT64_MIN, INT64_MAX, 0}}),
      (std::vector<Row>{{39'200, 0}, {1'019'200, 0}, {1'019'278, 0}, {9'408'000, 0}, {0, 2}, {0, 2}, {0, 2}, {0, 2}, {0, 2}, {0, 2}}));
}

TEST(Program, MissingValuesTakeTheDefault) {
  Act act;
  act.inputs = "  boardings: {unit: trip, min: 1, max: 12, default: 2}\n  distance: {unit: person km, min: 1, max: 10, default: 4}\n";
  act.parameters = "  factor: {value: 0.1, unit: kg CO2e/(person km trip), grade: D, status: derived, source: arithmetic}\n";
  act.status = "derived";
  act.formula = "  reduction: boardings * distance * factor\n";
  act.examples = "  - {given: {distance: 5 km}, expect: 1000 g}\n";
  const Loaded loaded(act);
  const Program program = compile(loaded.library, act);
  EXPECT_EQ(program.path(), Program::Path::narrow);
  EXPECT_EQ(evaluate(program, {{5000, INT64_MIN, 999}, {1, INT64_MIN, 1}}), (std::vector<Row>{{500'000, 0}, {800'000, 0}, {0, 2}}));
  EXPECT_EQ(evaluate(program, {{5000, 2000, 10'001}}), (std::vector<Row>{{1'000'000, 0}, {400'000, 0}, {0, 2}}));  // no column of boardings
}

TEST(Program, RoundsDownOnceAndCountsNegativesAsZero) {
  Act act;
  act.inputs = "  distance: {unit: km, min: 0, max: 100}\n";
  act.parameters = "  third: {value: 1/3, unit: g CO2e/km, grade: D, status: derived, source: arithmetic}\n";
  act.status = "derived";
  act.formula = "  baseline: distance * third\n  project: 1 [g CO2e]\n";
  act.examples = "  - {given: {distance: 6 km}, expect: 1 g}\n  - {given: {distance: 1 km}, expect: 0 g}\n";
  const Loaded loaded(act);
  const Program program = compile(loaded.library, act);
  // 4 km: 4/3 g - 1 g = 333.33 mg; 3.001 km: a third of a milligram is 0; 2.999 km: minus a third is below zero.
  EXPECT_EQ(evaluate(program, {{4000, 3000, 3001, 2999, 0}}), (std::vector<Row>{{333, 0}, {0, 0}, {0, 0}, {0, 1}, {0, 1}}));
}

TEST(Program, RangesOfATable) {
  Act act;
  act.activities = "[stop]";
  act.inputs = "  days: {unit: \"1\", min: 1, max: 31}\n  displacement: {unit: L, min: 0.5, max: 8}\n";
  act.parameters = "  {}\n";
  act.formula = "  let: {engine: \"round(displacement, 0.1 [L])\"}\n  reduction: days * day_value[engine]\n";
  act.more = R"yaml(tables:
  day_value:
    unit: kg CO2e
    keys: [{range: engine, unit: L}]
    default: {grade: S1, status: reported-by-platform, source: white paper}
    rows: [{up_to: 1.2, value: 2.58}, {up_to: 1.5, value: 3.27}, {up_to: 1.9, value: 3.54}, {value: 4.55}]
)yaml";
  act.examples = "  - {given: {days: 3, displacement: 1.6 L}, expect: 10620 g}\n";
  const Loaded loaded(act);
  const Program program = compile(loaded.library, act, 2024, "420100", "stop");
  EXPECT_EQ(program.path(), Program::Path::narrow);
  EXPECT_EQ(evaluate(program, {{1, 1, 1, 1, 1, 1, 2}, {1200, 1249, 1250, 1949, 1950, 8000, 8001}}),
            (std::vector<Row>{{2'580'000, 0}, {2'580'000, 0}, {3'270'000, 0}, {3'540'000, 0}, {4'550'000, 0}, {4'550'000, 0}, {0, 2}}));
}

TEST(Program, ADivisionByAQuantityIsExactToo) {
  Act act;
  act.inputs = "  distance: {unit: km, min: 0, max: 100}\n  boardings: {unit: \"1\", min: 0, max: 9}\n";
  act.parameters = "  factor: {value: 0.1, unit: kg CO2e/km, grade: D, status: derived, source: arithmetic}\n";
  act.status = "derived";
  act.formula = "  reduction: distance * factor / boardings\n";
  act.examples = "  - {given: {distance: 6 km, boardings: 4}, expect: 150 g}\n";
  const Loaded loaded(act);
  const Program program = compile(loaded.library, act);
  EXPECT_EQ(program.path(), Program::Path::exact);
  EXPECT_EQ(evaluate(program, {{1000, 1000, 1000}, {3, 0, 10}}), (std::vector<Row>{{33'333, 0}, {0, 4}, {0, 2}}));
}

TEST(Program, WideNumbersGetWideArithmetic) {
  Act act;
  act.inputs = "  distance: {unit: km, min: 0, max: 1000000}\n  energy: {unit: kWh, min: 0, max: 1000000}\n";
  act.parameters = "  factor: {value: 0.123456789012345678, unit: g CO2e/(km kWh), grade: D, status: derived, source: arithmetic}\n";
  act.status = "derived";
  act.formula = "  reduction: distance * energy * factor\n";
  act.examples = "  - {given: {distance: 1 km, energy: 1 kWh}, expect: 0.123456 g}\n";
  const Loaded loaded(act);
  EXPECT_EQ(loaded.library.find(act.id)->examples, 1U);
  const Program program = compile(loaded.library, act);
  EXPECT_EQ(program.path(), Program::Path::wide);
  EXPECT_EQ(evaluate(program, {{1'000'000, 1'000'000'000}, {}, {1'000, 1'000'000'000}}),
            (std::vector<Row>{{123'456, 0}, {123'456'789'012'345, 0}}));
}

TEST(Program, TablesFallBackFromCityToNation) {
  Folder folder;
  folder.write("tables/grid.yaml", R"yaml(id: grid
name: {en: Grid, zh: 电网}
unit: kg CO2e/kWh
keys: [region, year]
default: {grade: P, source: notice, status: official}
rows:
  - {region: "420000", year: 2022, value: 0.4364, grade: R, status: illustrative}
  - {region: "grid-central", year: 2023, value: 0.5271}
  - {region: "000000", year: 2022, value: 0.5366}
  - {region: "000000", year: 2024, value: 0.53}
)yaml");
  Act act;
  act.inputs = "  energy: {unit: kWh, min: 0, max: 100}\n";
  act.parameters = "  {}\n";
  act.formula = "  reduction: energy * grid[region, year]\n";
  act.region = "000000";
  act.id = "cn-000000-test-2022";
  act.from = "2022-01-01";
  act.status = "illustrative";
  act.more = "use: [grid]\n";
  act.examples = "  - {given: {energy: 10 kWh}, region: \"420100\", expect: 4364 g}\n  - {given: {energy: 10 kWh}, expect: 5366 g}\n";
  write_act(folder, act);
  std::vector<Problem> problems;
  const Library library = folder.load(problems);
  for (const Problem& problem : problems) ADD_FAILURE() << problem.text;
  const struct {
    const char* region;
    int year;
    std::int64_t milligrams;  // of 1 Wh
    Status status;
  } rows[] = {
      {"420100", 2022, 436, Status::illustrative}, {"420100", 2023, 527, Status::official}, {"420100", 2024, 530, Status::official},
      {"110000", 2022, 536, Status::official},     {"000000", 2024, 530, Status::official},
  };
  for (const auto& row : rows) {
    const Program program = compile(library, act, row.year, row.region);
    EXPECT_EQ(evaluate(program, {{}, {}, {1}}), (std::vector<Row>{{row.milligrams, 0}})) << row.region << " " << row.year;
    EXPECT_EQ(program.status(), row.status) << row.region << " " << row.year;
  }
  const auto missing = Program::compile(library, *library.find(act.id), "110000", 2023, *library.find_activity("ride"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().id, "methodology.not-computable");
  EXPECT_EQ(missing.error().message, "'cn-000000-test-2022' in region 110000 and year 2023: table 'grid' has no row for 110000, 2023");
}

TEST(Program, ChoicesAreBoundByTheActivity) {
  Act act;
  act.activities = "{ride: {mode: rail}, bus: {mode: bus}}";
  act.inputs = "  distance: {unit: person km, min: 0, max: 120}\n  mode: {choice: [rail, bus]}\n";
  act.formula = "  reduction: if mode == rail then distance * factor else distance * factor / 2\n";
  act.examples =
      "  - {given: {distance: 10 km}, activity: ride, expect: 784 g}\n  - {given: {distance: 10 km, mode: bus}, expect: 392 g}\n";
  const Loaded loaded(act);
  std::vector<Problem> problems;
  loaded.library.check_examples(*loaded.library.find(act.id), problems);
  for (const Problem& problem : problems) ADD_FAILURE() << problem.text;
  EXPECT_EQ(evaluate(compile(loaded.library, act), {{1000}}), (std::vector<Row>{{78'400, 0}}));
  EXPECT_EQ(evaluate(compile(loaded.library, act, 2024, "420100", "bus"), {{1000}}), (std::vector<Row>{{39'200, 0}}));
  EXPECT_FALSE(Program::compile(loaded.library, *loaded.library.find(act.id), "420100", 2024, *loaded.library.find_activity("stop")));
}

// ---- random formulas

/// A formula that comes out as kg CO2e, of distance (person km), boardings, energy (kWh) and rate.
class FormulaMaker {
 public:
  explicit FormulaMaker(std::uint64_t seed) : random_(seed) {}

  std::string mass(int depth) {
    if (depth == 0) {
      const std::string leaves[] = {fmt::format("distance * {} [g CO2e/(person km)]", decimal()),
                                    fmt::format("boardings * {} [kg CO2e]", decimal()),
                                    fmt::format("energy * {} [kg CO2e/kWh]", decimal()),
                                    fmt::format("{} [g CO2e]", decimal()),
                                    "distance * factor",
                                    "steps[distance]",
                                    "0"};
      return leaves[below(std::size(leaves))];
    }
    const auto part = [&] { return "(" + mass(depth - 1) + ")"; };
    switch (below(14)) {
      case 0:
        return part() + " + " + part();
      case 1:
        return part() + " - " + part();
      case 2:
        return "min(" + mass(depth - 1) + ", " + mass(depth - 1) + ")";
      case 3:
        return "max(0, " + mass(depth - 1) + ")";
      case 4:
        return "if " + truth(depth - 1) + " then " + mass(depth - 1) + " else " + mass(depth - 1);
      case 5:
        return "clamp(" + mass(depth - 1) + ", 0, " + decimal() + " [kg CO2e])";
      case 6:
        return "abs(" + mass(depth - 1) + ")";
      case 7:
        return "round(" + mass(depth - 1) + ", " + decimal() + " [g CO2e])";
      case 8:
        return part() + " * rate";
      case 9:
        return part() + " * " + decimal();
      case 10:
        return part() + " / " + decimal();
      case 11:
        return "-" + part();
      case 12:
        return part() + " * (1 - rate) * " + ratio();
      default:
        return below(6) == 0 ? part() + " / (boardings - 3)" : part() + " * boardings / 7";
    }
  }
  std::int64_t quantity(std::int64_t min, std::int64_t max) {
    switch (below(12)) {
      case 0:
        return min;
      case 1:
        return max;
      case 2:
        return min - 1;
      case 3:
        return max + 1;
      case 4:
        return INT64_MIN;
      default:
        return std::uniform_int_distribution<std::int64_t>(min, max)(random_);
    }
  }

 private:
  std::string truth(int depth) {
    switch (below(5)) {
      case 0:
        return fmt::format("distance > {} [km person]", decimal());
      case 1:
        return "(" + mass(0) + ") <= (" + mass(0) + ")";
      case 2:
        return "boardings == 3 or rate < 0.5";
      case 3:
        return depth > 0 ? "not (" + truth(depth - 1) + ") and boardings != 4" : "energy >= 1 [kWh]";
      default:
        return "1 < 2";
    }
  }
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  std::string decimal() { return fmt::format("{}.{:03}", below(30), 1 + below(999)); }
  std::string ratio() { return fmt::format("{}/{}", 1 + below(99), 1 + below(99)); }
  std::mt19937_64 random_;
};

void compare_with_reference(const Act& act, FormulaMaker& maker) {
  Folder folder;
  write_act(folder, act);
  std::vector<Problem> problems;
  const Library library = folder.load(problems);
  const Methodology* methodology = library.find(act.id);
  if (methodology == nullptr)
    for (const Problem& problem : problems)
      if (!problem.warning) RC_FAIL(problem.text);
  const auto program = Program::compile(library, *methodology, "420100", 2024, *library.find_activity("ride"));
  if (!program) {
    RC_ASSERT(program.error().id == "methodology.not-computable");
    RC_TAG(std::string("refused"));
    return;
  }
  constexpr const char* kPaths[] = {"linear", "narrow", "wide", "exact"};
  RC_TAG(std::string(kPaths[std::size_t(program->path())]));
  constexpr std::size_t kRows = 40;
  const std::pair<std::int64_t, std::int64_t> bounds[] = {{500, 120'000}, {0, 12}, {0, 150'000}, {0, 1'000'000}};
  std::vector<std::vector<std::int64_t>> columns(4);
  for (std::size_t q = 0; q < 4; ++q)
    for (std::size_t i = 0; i < kRows; ++i) columns[q].push_back(maker.quantity(bounds[q].first, bounds[q].second));
  const auto results = evaluate(*program, columns);
  constexpr const char* kNames[] = {"distance", "boardings", "energy", "rate"};
  constexpr const char* kUnits[] = {"m", "", "Wh", "ppm"};
  for (std::size_t i = 0; i < kRows; ++i) {
    Given given;
    given.year = 2024;
    bool inside = true;
    for (std::size_t q = 0; q < 4; ++q) {
      inside = inside && columns[q][i] >= bounds[q].first && columns[q][i] <= bounds[q].second;
      given.values.emplace_back(kNames[q], fmt::format("{} {}", columns[q][i], kUnits[q]));
    }
    if (!inside) {
      RC_ASSERT(results[i] == (Row{0, kOutOfBounds}));
      continue;
    }
    const auto expected = calculate(library, *methodology, given);
    const Row wanted = expected ? Row{expected->milligrams, expected->negative ? kNegative : kQuantified} : Row{0, kNoResult};
    if (!expected) RC_ASSERT(expected.error().id == "methodology.not-computable");
    RC_ASSERT(results[i] == wanted);
  }
}

TEST(ProgramProperty, AgreesWithTheReferenceOnRandomFormulas) {
  EXPECT_TRUE(rc::check([] {
    FormulaMaker maker(*rc::gen::arbitrary<std::uint64_t>());
    Act act;
    act.inputs =
        "  distance: {unit: person km, min: 0.5, max: 120}\n  boardings: {unit: \"1\", min: 0, max: 12}\n  energy: {unit: kWh, min: 0, "
        "max: 150}\n"
        "  rate: {unit: \"1\", min: 0, max: 1}\n";
    const std::string formula = maker.mass(*rc::gen::inRange(0, 5));
    act.formula = "  reduction: \"" + formula + "\"\n";
    // Numbers used or not, the file's status must be right: the table is only ever reported by a platform.
    act.status = formula.find("factor") != std::string::npos || formula.find("steps[") != std::string::npos ? "reported-by-platform"
                                                                                                            : "illustrative";
    act.more = R"yaml(tables:
  steps:
    unit: g CO2e
    keys: [{range: distance, unit: person km}]
    default: {grade: S1, status: reported-by-platform, source: white paper}
    rows: [{up_to: 1.5, value: 12}, {up_to: 40, value: 77.7}, {up_to: 120, value: 300}]
)yaml";
    act.examples = "  - {given: {distance: 1 km, boardings: 1, energy: 1 kWh, rate: 0.5}, expect: 0 g}\n";
    RC_LOG(formula);
    compare_with_reference(act, maker);
  }));
}

}  // namespace
}  // namespace tanhui::methodology
