// A corrected methodology: whatever was booked by its older version ends as if the new one had been there from the start.
#include "activity/recalculate.h"

#include "activity/reports_fixture.h"
#include "core/invariant.h"

namespace tanhui::activity {
namespace {

using namespace test;

constexpr core::Day kFirst{20'000}, kLate{20'200};  // October 2024, May 2025

using Edits = std::vector<std::pair<std::string, std::string>>;

/// The project's library and one methodology of it corrected: the same file with some text replaced, as the next version.
methodology::Library corrected(const std::string& id, Edits edits, int version = 2) {
  const fs::path source = kHome / "methodologies" / id.substr(3, 6) / (id + ".yaml");
  std::ifstream in(source);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  edits.emplace_back("version: 1", fmt::format("version: {}", version));
  for (const auto& [from, to] : edits) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  const fs::path folder = fs::temp_directory_path() / fmt::format("tanhui-test-{}", std::random_device{}());
  fs::create_directories(folder);
  const fs::path file = folder / fmt::format("{}@{}.yaml", id, version);
  std::ofstream(file) << text;
  std::vector<methodology::Problem> problems;
  auto library = *methodology::Library::load(kHome / "methodologies", {file}, problems);
  fs::remove_all(folder);
  EXPECT_NE(library.find(id, version), nullptr) << (problems.empty() ? "" : problems.front().text);
  return library;
}

const std::string kRail = "cn-420100-rail-2024";
const Edits kHalf{{"value: 0.0784", "value: 0.0392"}};

RecalculateRequest rail(bool dry_run = false) {
  RecalculateRequest request{.methodology = kRail, .first = kFirst};
  request.dry_run = dry_run;
  return request;
}

TEST(Recalculate, AHalvedFactorTakesBackHalfOnce) {
  City city;
  city.account({row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000),
                row("a2", "metro-gate", "li", "metro-ride", 480, 510, 10'001), row("c1", "charger", "li", "ev-charge", 600, 660, 30'000)});
  const std::int64_t charged = city.balance("li") - 784'078;
  const auto library = corrected(kRail, kHalf);
  city.use(library);

  const auto before = city.held();
  const auto said = city.recalculate(rail(true));
  EXPECT_EQ(city.held(), before) << "a dry run books nothing";
  EXPECT_EQ(said.run, 0);

  const auto report = city.recalculate(rail());
  EXPECT_EQ(report.run, 2);
  EXPECT_EQ(report.tally.adjusted, 2);
  EXPECT_EQ(report.tally.people_adjusted, 2);
  EXPECT_EQ(report.tally.adjusted_milligrams, -509'600 - 392'039);
  EXPECT_EQ(report.tally.adjusted_milligrams, said.tally.adjusted_milligrams) << "the dry run said so";
  EXPECT_EQ(city.balance("wang"), 509'600);
  EXPECT_EQ(city.balance("li"), 392'039 + charged) << "10.001 km * 39.2 g, rounded down";
  ASSERT_EQ(report.tally.changes.size(), 1);
  const auto& [key, change] = *report.tally.changes.begin();
  EXPECT_EQ(report.methodologies[key.methodology_before], kRail + "@1");
  EXPECT_EQ(report.methodologies[key.methodology_after], kRail + "@2");
  EXPECT_EQ(change.milligrams_before, 1'019'200 + 784'078);
  EXPECT_EQ(change.milligrams_after, 509'600 + 392'039);
  for (const auto& [record, final] : city.records()) EXPECT_EQ(final.methodology.ends_with("@2"), final.revision == 1) << record;

  const auto rows = city.records();
  const auto again = city.recalculate(rail());
  EXPECT_EQ(again.run, 0);
  EXPECT_EQ(again.repeats, report.run);
  EXPECT_EQ(again.corrected->records, 0);
  EXPECT_EQ(city.records(), rows);
  EXPECT_EQ(journal::latest_runs(city.instance().database(), 9).size(), 2);
}

TEST(Recalculate, NewRecordsAreCountedByTheHighestVersionWhicheverBeganFirst) {
  City city;
  const auto library = corrected(kRail, {kHalf.front(), {"from: 2024-09-02", "from: 2024-01-01"}});
  city.use(library);
  city.account({row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000)});
  EXPECT_EQ(city.balance("wang"), 509'600);
}

TEST(Recalculate, DaysBeforeTheCorrectionAndDaysNotAskedForStay) {
  const auto library = corrected(kRail, {kHalf.front(), {"from: 2024-09-02", "from: 2025-03-03"}});
  City city;
  for (int day = 0; day < 6; ++day)
    city.account({row(fmt::format("a{}", day), "metro-gate", "wang", "metro-ride", 1440 * day + 480, 1440 * day + 510, 10'000)});
  city.use(library);
  auto request = rail();
  request.first = core::day_of(2025, 3, 2);
  request.last = core::day_of(2025, 3, 5);
  EXPECT_EQ(city.recalculate(request).tally.adjusted, 3) << "of the 3rd, 4th and 5th";
  EXPECT_EQ(city.balance("wang"), 3 * 784'000 + 3 * 392'000);
  EXPECT_EQ(city.recalculate(rail()).tally.adjusted, 1) << "the 6th is left";
}

TEST(Recalculate, ALowerCapAndTheRecordThatCrossesIt) {
  const auto library = corrected(kRail, {{"cap: {acts: 12}", "cap: {quantity: 25}"}});
  City city;
  city.account({row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 10'000),
                row("a2", "metro-gate", "wang", "metro-ride", 580, 610, 10'000),
                row("a3", "metro-gate", "wang", "metro-ride", 680, 710, 10'000)});
  city.use(library);
  const auto report = city.recalculate(rail());
  EXPECT_EQ(report.tally.adjusted, 1) << "10 and 10 km stay as they are, of the third 5 km count";
  EXPECT_EQ(report.corrected->records, 3);
  EXPECT_EQ(report.tally.turned[std::size_t(Outcome::accepted)][std::size_t(Outcome::capped)], 1);
  EXPECT_EQ(city.balance("wang"), 25 * 78'400);
  // The two that got no row of their own are under the new cap all the same, when something late comes before them.
  city.account({row("a0", "metro-gate", "wang", "metro-ride", 400, 430, 10'000)});
  EXPECT_EQ(city.balance("wang"), 25 * 78'400);
  EXPECT_EQ(city.recalculate(rail()).corrected->records, 0);
}

TEST(Recalculate, WhatTheNewLimitsRefuseIsTakenBackAndStaysSo) {
  const auto library = corrected(kRail, {{"duration: {min: 1 min, max: 4 h}", "duration: {min: 1 min, max: 20 min}"}});
  City city;
  const std::string wallet = row("w1", "alipay", "wang", "metro-ride", 481, 495, 9'000);
  city.account({row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 10'000), wallet});
  city.use(library);
  const auto report = city.recalculate(rail());
  EXPECT_EQ(report.tally.turned[std::size_t(Outcome::accepted)][std::size_t(Outcome::rejected)], 1);
  EXPECT_EQ(report.tally.turned[std::size_t(Outcome::duplicate)][std::size_t(Outcome::accepted)], 1) << "the wallet's report stands again";
  EXPECT_EQ(city.balance("wang"), 705'600);
  city.account({row("b1", "bank-ride", "wang", "metro-ride", 600, 610, 1'000)});
  EXPECT_EQ(city.balance("wang"), 705'600 + 78'400) << "a later run does not take it up again";
}

TEST(Recalculate, WhatWasSpentBecomesADebt) {
  City city;
  city.account({row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000)});
  const auto wang = city.instance().secret().person("wang");
  const auto points = ledger::points_asset("wuhan-demo", core::day_of(2025, 3, 1), 365);
  auto tx = city.instance().database().begin();
  const auto asset = *ledger::find_asset(tx, points);
  ASSERT_TRUE(ledger::post(tx, {"spend", "coffee", {{wang, asset, -10}, {ledger::Own::redeemed, asset, 10}}}));
  tx.commit();
  const auto library = corrected(kRail, kHalf);
  city.use(library);
  EXPECT_EQ(city.recalculate(rail()).debts, 1);
  EXPECT_EQ(city.balance("wang", ledger::AssetKind::points), 0);
  const auto debts = ledger::debts(city.instance().database(), wang);
  ASSERT_EQ(debts.size(), 1);
  EXPECT_EQ(debts[0].amount, 5);
}

TEST(Recalculate, RefusalsSayWhatToDo) {
  City city;
  city.account({row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000)});
  const auto moved = corrected(kRail, {{"category: travel", "category: energy"}});
  const auto doubtful = corrected(
      kRail, {{"status: reported-by-platform", "status: illustrative"}, {"    status: reported-by-platform", "    status: illustrative"}});
  const struct {
    const char* id;
    RecalculateRequest request;
    const methodology::Library* library;
  } rows[] = {
      {"recalculate.unknown-methodology", {.methodology = "rail", .first = kFirst}, &library()},
      {"recalculate.unknown-methodology", {.methodology = kRail + "@2", .first = kFirst}, &library()},
      {"recalculate.not-for-acts", {.methodology = "gl-rice-water", .first = kFirst}, &library()},
      {"recalculate.methodology-off", {.methodology = "cn-000000-commute", .first = kFirst}, &library()},
      {"recalculate.methodology-off", rail(), &doubtful},
      {"recalculate.bad-range", {.methodology = kRail, .first = kLate, .last = kFirst}, &library()},
      {"recalculate.no-records", {.methodology = kRail, .first = kLate}, &library()},
      {"recalculate.no-records", {.methodology = kRail, .first = kFirst, .last = kFirst}, &library()},
      {"recalculate.category-changed", rail(), &moved},
  };
  const auto before = city.records();
  for (const auto& [id, request, library] : rows) {
    city.use(*library);
    const auto refused = city.try_recalculate(request);
    ASSERT_FALSE(refused) << id;
    EXPECT_EQ(refused.error().id, id);
    EXPECT_FALSE(refused.error().action.empty()) << id;
  }
  city.use(library());
  const auto nothing = city.recalculate(rail());
  EXPECT_EQ(nothing.run, 0) << "there is only one version";
  EXPECT_FALSE(nothing.repeats);
  EXPECT_EQ(city.records(), before);
}

TEST(Recalculate, StoppedAnywhereItLeavesNothing) {
  const auto library = corrected(kRail, kHalf);
  for (const auto step : {Progress::Step::look_back, Progress::Step::settle, Progress::Step::book}) {
    City city;
    city.account({row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000)});
    city.use(library);
    const auto before = city.records();
    struct Stop {};
    auto request = rail();
    request.progress = [&](const Progress& progress) {
      if (progress.step == step) throw Stop();
    };
    bool stopped = false;
    try {
      EXPECT_TRUE(city.try_recalculate(request));
    } catch (const Stop&) {
      stopped = true;
      EXPECT_EQ(city.records(), before);
      EXPECT_EQ(city.balance("wang"), 1'019'200);
    }
    EXPECT_TRUE(stopped || step == Progress::Step::settle) << "progress is said at most ten times a second";
    if (stopped) city.recalculate(rail());
    EXPECT_EQ(city.balance("wang"), 509'600);
  }
}

/// Corrections that change what records count for, how they collide, and what of a day counts.
struct Correction {
  const char* name;
  std::string id;
  Edits edits;
};

class RecalculateProperty : public testing::TestWithParam<Correction> {};

TEST_P(RecalculateProperty, EndsAsIfTheVersionHadBeenThereFromTheStart) {
  const auto& [name, id, edits] = GetParam();
  const auto library = corrected(id, edits);
  for (std::uint32_t seed = 1; seed <= 2; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Reports reports(seed);
    reports.rides();
    reports.taps();
    reports.readings();
    reports.books();
    reports.car_free_days();
    City fresh(everything());
    fresh.header(kWideHeader);
    fresh.use(library);
    fresh.account(reports.rows);

    // Some of it before the correction, some between the correction and the recalculation, some after it.
    std::mt19937 random(seed);
    std::array<Rows, 4> parts;
    for (const std::string& one : reports.rows) parts[random() % parts.size()].push_back(one);
    City late(everything());
    late.header(kWideHeader);
    late.account(parts[0]);
    late.account(parts[1]);
    late.use(library);
    late.account(parts[2]);
    const auto report = late.recalculate({.methodology = id, .first = kFirst});
    ASSERT_GT(report.corrected->records, 0);
    late.account(parts[3]);
    ASSERT_EQ(difference(late.outcomes(), fresh.outcomes()), "");
    ASSERT_EQ(late.held(), fresh.held());
    ASSERT_EQ(late.differing(), 0);
    ASSERT_EQ(late.recalculate({.methodology = id, .first = kFirst}).corrected->records, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, RecalculateProperty,
    testing::Values(
        Correction{"RailFactor", kRail, kHalf}, Correction{"RailRank", kRail, {{"when: overlap}", "when: overlap, rank: 2}"}}},
        Correction{"RailGroup", kRail, {{"group: G-TRIP", "group: G-METRO"}}},
        Correction{"RailOnceADay", kRail, {{"when: overlap", "when: same-day"}}},
        Correction{"BooksDifferentCap", "cn-000000-secondhand-book-2021", {{"quantity: 20", "quantity: 7"}}},
        Correction{"BooksCountOnTheirDay", "cn-000000-secondhand-book-2021", {{"when: always", "when: same-day"}}},
        Correction{"BooksByPerson", "cn-000000-secondhand-book-2021", {{"scope: object, when: always", "scope: person, when: overlap"}}},
        Correction{"CarFreeDayExcludesNothing", "cn-110000-car-stop-2017", {{", excludes: [G-TRIP], rank: 0", ""}}},
        Correction{"Readings", "cn-310000-home-electricity-2024", {{"cap: {acts: 1}", "cap: {reduction: 1 kg}"}}}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace tanhui::activity
