// The laws of the run as a whole, on a real database and real segments in a temporary folder.
#include "activity/account_fixture.h"

namespace tanhui::activity {
namespace {

using namespace test;

TEST(Account, AMetroRideOf13KilometresIs1019Point2Grams) {
  City city;
  const auto report = city.account({row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000)});
  EXPECT_EQ(report.tally.milligrams, 1'019'200);
  EXPECT_EQ(report.tally.points, 10);  // 10 a kilogram, rounded down
  EXPECT_EQ(city.balance("wang"), 1'019'200);
  EXPECT_EQ(city.held(), (std::map<std::string, std::int64_t>{{"reduction travel 2025", 1'019'200}, {"points  202603", 10}}));
}

TEST(Account, OneRideOfFourSourcesIsCreditedOnce) {
  City city;
  const auto report = city.account({row("m1", "map-app", "wang", "metro-ride", 478, 512, 12'500, "inferred"),
                                    row("g1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000),
                                    row("w1", "alipay", "wang", "metro-ride", 480, 511, 13'000),
                                    row("b1", "bank-ride", "wang", "metro-ride", 481, 510, 13'000)});
  EXPECT_EQ(report.tally.milligrams, 1'019'200);
  EXPECT_EQ(count(report, Outcome::duplicate, Reason::overlap), 3);
}

TEST(Account, RefusalsSayWhyAndTheRestCounts) {
  const struct {
    const char* row;
    Reason reason;
  } cases[] = {
      {"e1,metro-gate,,metro-ride,420100,2025-03-01T08:00:00Z,2025-03-01T08:30:00Z,13000,metered,", Reason::missing_person},
      {",metro-gate,li,metro-ride,420100,2025-03-01T08:00:00Z,2025-03-01T08:30:00Z,13000,metered,", Reason::missing_event},
      {"e3,metro-gate,li,metro-ride,420100,2025-03-01T08:00:00Z,2025-03-01T08:30:00Z,thirteen,metered,", Reason::bad_number},
      {"e4,metro-gate,li,metro-ride,420100,yesterday,2025-03-01T08:30:00Z,13000,metered,", Reason::bad_time},
      {"e5,metro-gate,li,teleport,420100,2025-03-01T08:00:00Z,2025-03-01T08:30:00Z,13000,metered,", Reason::unknown_activity},
      {"e6,nobody,li,metro-ride,420100,2025-03-01T08:00:00Z,2025-03-01T08:30:00Z,13000,metered,", Reason::unknown_source},
      {"e7,metro-gate,li,metro-ride,420100,1980-01-06T08:00:00Z,1980-01-06T08:30:00Z,13000,metered,", Reason::clock_out_of_range},
      {"e8,metro-gate,li,metro-ride,420100,2035-03-01T08:00:00Z,2035-03-01T08:30:00Z,13000,metered,", Reason::in_the_future},
      {"e9,metro-gate,li,metro-ride,420100,2025-03-01T08:30:00Z,2025-03-01T08:00:00Z,13000,metered,", Reason::time_order},
      {"e10,metro-gate,li,metro-ride,420100,2025-03-01T08:00:00Z,2025-03-01T08:30:00Z,500000,metered,", Reason::quantity_too_large},
      {"e11,metro-gate,li,metro-ride,420100,2025-03-01T08:00:00Z,2025-03-01T08:05:00Z,60000,metered,", Reason::too_fast},
      {"e12,metro-gate,li,metro-ride,420100,2025-03-01T00:00:00Z,2025-03-01T12:00:00Z,13000,metered,", Reason::too_long},
      {"e13,metro-gate,li,metro-ride,420100,2025-03-01T08:00:00Z", Reason::bad_row},
      {"e14,metro-gate,li,metro-ride,420100,2023-03-01T08:00:00Z,2023-03-01T08:30:00Z,13000,metered,", Reason::no_methodology},
      {"e15,metro-gate,li,metro-ride,420100,2025-03-01T08:00:00Z,2025-03-01T08:30:00Z,13000,metered,yes", Reason::unknown_reversal},
  };
  City city;
  std::vector<std::string> rows;
  for (const auto& one : cases) rows.emplace_back(one.row);
  rows.push_back(row("good", "metro-gate", "li", "metro-ride", 480, 510, 13'000));
  const auto report = city.account(rows);
  for (const auto& one : cases) EXPECT_EQ(count(report, refusal_outcome(one.reason), one.reason), 1) << name(one.reason);
  EXPECT_EQ(report.tally.all(), rows.size());
  EXPECT_EQ(city.balance("li"), 1'019'200);
}

TEST(Account, AReversalUnwindsAcrossRunsInEitherOrder) {
  const std::string ride = row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000);
  const std::string other = row("b1", "alipay", "wang", "metro-ride", 481, 511, 10'000);
  const std::string reversal = row("a1", "metro-gate", "wang", "metro-ride", 1920, 1920, 13'000, "metered", "1");
  City first;
  first.account({ride, other});
  EXPECT_EQ(first.balance("wang"), 1'019'200);
  const auto report = first.account({reversal});
  EXPECT_EQ(report.tally.adjusted, 2) << "the ride goes, the wallet's report of it stands again";
  EXPECT_EQ(first.balance("wang"), 784'000);
  City second;
  second.account({reversal});
  second.account({other});
  second.account({ride});
  EXPECT_EQ(second.held(), first.held());
}

TEST(Account, AnEventIdBelongsToOnePerson) {
  City city;
  const auto report = city.account(
      {row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000), row("a1", "metro-gate", "li", "metro-ride", 490, 520, 13'000)});
  EXPECT_EQ(count(report, Outcome::held, Reason::event_reused), 1);
  EXPECT_EQ(city.balance("li"), 0);
  const auto later = city.account({row("a1", "metro-gate", "zhao", "metro-ride", 3000, 3030, 13'000)});
  EXPECT_EQ(count(later, Outcome::held, Reason::event_reused), 1) << "in a later run and on another day too";
  // Whoever's record starts first owns the id, even if it comes last: the order of arrival changes nothing.
  city.account({row("a1", "metro-gate", "sun", "metro-ride", 100, 130, 13'000)});
  EXPECT_EQ(city.balance("sun"), 1'019'200);
  EXPECT_EQ(city.balance("wang"), 0);
  // Something new about somebody whose record is held does not free it.
  city.account({row("b1", "metro-gate", "li", "metro-ride", 600, 630, 13'000)});
  EXPECT_EQ(city.balance("li"), 1'019'200);
}

TEST(Account, TheSameInputAgainIsRecognisedAndChangesNothing) {
  City city;
  const std::vector<std::string> rows{row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000),
                                      row("c1", "charger", "wang", "ev-charge", 600, 660, 30'000)};
  const auto first = city.account(rows);
  const auto before = city.held();
  const auto second = city.account(rows);
  EXPECT_EQ(second.repeats, first.run);
  EXPECT_EQ(second.run, 0);
  EXPECT_EQ(count(second, Outcome::duplicate, Reason::same_event), 2);
  EXPECT_EQ(city.held(), before);
}

TEST(Account, TheSameInputAfterAnotherRunIsSettledAgain) {
  City city;
  const std::vector<std::string> rows{row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000),
                                      row("b1", "alipay", "wang", "metro-ride", 480, 510, 13'000)};
  const auto first = city.account(rows);
  city.account({row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000, "metered", "yes")});
  const auto before = city.held();
  const auto again = city.account(rows);
  EXPECT_EQ(again.repeats, first.run);
  EXPECT_EQ(count(again, Outcome::duplicate, Reason::same_event), 2);
  EXPECT_EQ(city.held(), before) << "a ride that was taken back does not come back with its old file";
}

TEST(Account, ADryRunSaysTheSameAndBooksNothing) {
  City city;
  const std::vector<std::string> rows{row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000)};
  AccountRequest dry;
  dry.dry_run = true;
  const auto said = city.try_account(rows, dry);
  ASSERT_TRUE(said);
  EXPECT_TRUE(city.held().empty());
  EXPECT_EQ(said->tally.milligrams, city.account(rows).tally.milligrams);
}

TEST(Account, StoppedAnywhereItLeavesNothing) {
  const std::vector<std::string> rows{row("a1", "metro-gate", "wang", "metro-ride", 480, 510, 13'000)};
  for (const auto step : {Progress::Step::intake, Progress::Step::look_back, Progress::Step::settle, Progress::Step::book}) {
    City city;
    AccountRequest request;
    struct Stop {};
    request.progress = [&](const Progress& progress) {
      if (progress.step == step) throw Stop();
    };
    bool stopped = false;
    try {
      const auto report = city.try_account(rows, request);
      EXPECT_TRUE(report);
    } catch (const Stop&) {
      stopped = true;
      EXPECT_TRUE(city.held().empty());
      EXPECT_TRUE(journal::latest_runs(city.instance().database(), 10).empty());
    }
    EXPECT_TRUE(stopped || step == Progress::Step::settle || step == Progress::Step::intake)
        << "progress is said at most ten times a second";
    if (stopped) city.account(rows);
    EXPECT_EQ(city.balance("wang"), 1'019'200) << "and the next run is whole";
  }
}

/// A few people's crowded week: several sources, overlaps, repeats, reversals, ids used twice, capped days.
std::vector<std::string> crowded_week(std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto any = [&](int limit) { return int(random() % std::uint32_t(limit)); };
  constexpr std::array<std::string_view, 4> sources{"metro-gate", "alipay", "bank-ride", "map-app"},
      evidences{"metered", "metered", "inferred", "declared"};
  constexpr std::array<std::string_view, 3> activities{"metro-ride", "nev-ride", "ev-charge"};
  std::vector<std::string> rows;
  for (int i = 0; i < 150; ++i) {
    const auto activity = activities[std::size_t(any(3))];
    const int start = any(6 * 1440), length = 10 + any(60);
    rows.push_back(row(fmt::format("e{}", any(140)), sources[std::size_t(any(4))], fmt::format("p{}", any(4)), activity, start,
                       start + length, 1000 + any(15'000), evidences[std::size_t(any(4))], any(25) == 0 ? "1" : ""));
    if (any(5) == 0) rows.push_back(rows[std::size_t(any(int(rows.size())))]);
  }
  return rows;
}

TEST(AccountProperty, OrderPartsAndRepetitionChangeNothing) {
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::vector<std::string> rows = crowded_week(seed);
    City whole;
    const auto report = whole.account(rows);
    const auto expected = whole.held();
    ASSERT_EQ(report.tally.all(), rows.size());
    ASSERT_GT(whole.milligrams(), 0);

    std::mt19937 random(seed);
    std::shuffle(rows.begin(), rows.end(), random);
    City shuffled;
    shuffled.account(rows);
    EXPECT_EQ(shuffled.held(), expected) << "rows in another order";

    City parts;
    const std::size_t size = rows.size() / 4 + 1;
    for (std::size_t begin = 0; begin < rows.size(); begin += size) {
      parts.account({rows.begin() + std::ptrdiff_t(begin), rows.begin() + std::ptrdiff_t(std::min(begin + size, rows.size()))});
    }
    EXPECT_EQ(parts.held(), expected) << "four files one after the other";
    parts.account(rows);
    EXPECT_EQ(parts.held(), expected) << "and all of it once more";
  }
}

}  // namespace
}  // namespace tanhui::activity
