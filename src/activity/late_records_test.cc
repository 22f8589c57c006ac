// Late records: whatever comes after its days were sealed is decided with them. Every kind of rule that can reach across runs takes part.
#include "activity/reports_fixture.h"

namespace tanhui::activity {
namespace {

using namespace test;

void expect_same_in_any_parts(const Rows& rows, std::uint32_t seed, std::int64_t& credited) {
  const auto account = [&](City& city, const Rows& part) {
    city.header(kWideHeader);
    return city.account(part);
  };
  City whole(everything());
  const auto report = account(whole, rows);
  ASSERT_EQ(report.tally.all(), rows.size());
  credited += whole.milligrams();
  std::mt19937 random(seed);
  for (const int parts : {2, 4}) {
    SCOPED_TRACE(fmt::format("{} runs", parts));
    std::vector<Rows> runs;
    runs.resize(std::size_t(parts));
    for (const std::string& row : rows) runs[random() % std::uint32_t(parts)].push_back(row);
    City late(everything());
    for (Rows& run : runs) {
      std::shuffle(run.begin(), run.end(), random);
      account(late, run);
    }
    ASSERT_EQ(difference(late.outcomes(), whole.outcomes()), "");
    ASSERT_EQ(late.held(), whole.held());
    ASSERT_EQ(late.differing(), 0) << "and all that is booked is what a settlement of everybody says";
  }
}

class LateRecords : public testing::TestWithParam<std::pair<const char*, std::vector<void (Reports::*)()>>> {};

TEST_P(LateRecords, AnySplitIntoRunsInAnyOrderEndsTheSame) {
  std::int64_t credited = 0;
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Reports reports(seed);
    for (const auto kind : GetParam().second) (reports.*kind)();
    expect_same_in_any_parts(reports.rows, seed, credited);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(credited, 0);
}

INSTANTIATE_TEST_SUITE_P(Rules, LateRecords,
                         testing::Values(std::pair{"Rides", std::vector{&Reports::rides}}, std::pair{"Taps", std::vector{&Reports::taps}},
                                         std::pair{"Readings", std::vector{&Reports::readings}},
                                         std::pair{"SharedMeters", std::vector{&Reports::shared_meters}},
                                         std::pair{"Objects", std::vector{&Reports::books}},
                                         std::pair{"CarFreeDays", std::vector{&Reports::car_free_days, &Reports::rides}},
                                         std::pair{"All", std::vector{&Reports::rides, &Reports::taps, &Reports::readings,
                                                                      &Reports::shared_meters, &Reports::books, &Reports::car_free_days}}),
                         [](const auto& rule) { return std::string(rule.param.first); });

// Two readings a day: seven days of `usual` watt hours each half, then one of `last`.
Rows eight_days(const std::string& person, const std::string& source, int usual, int last, const std::string& meter = "meter7") {
  Rows rows;
  for (int half = 0; half < 16; ++half) {
    rows.push_back(text({fmt::format("{}-{}-{}", person, source, half), source, person, "meter-reading", "310000", 720 * half,
                         720 * (half + 1), half < 14 ? usual : last, "metered", "", meter}));
  }
  return rows;
}
std::int64_t saving(int watt_hours) { return std::int64_t{watt_hours} * 5849 / 10; }  // 0.5849 kg/kWh

struct MeterEnd {
  std::int64_t wang, zhao, all;
  friend bool operator==(const MeterEnd&, const MeterEnd&) = default;
  friend std::ostream& operator<<(std::ostream& out, const MeterEnd& end) {
    return out << "wang " << end.wang << " zhao " << end.zhao << " of " << end.all;
  }
};
MeterEnd account_in(const std::vector<Rows>& runs) {
  City city(everything());
  city.header(kWideHeader);
  for (const Rows& rows : runs) city.account(rows);
  EXPECT_EQ(city.differing(), 0);
  return {city.balance("wang"), city.balance("zhao"), city.milligrams()};
}
Rows operator+(Rows a, const Rows& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(SharedMeter, IsCreditedToOnePersonWhateverTheRunsAndTheirOrder) {
  // 4 kWh less than the week before for wang, by the better source, and 6 kWh for zhao.
  const Rows wang = eight_days("wang", "metro-gate", 5000, 3000), zhao = eight_days("zhao", "alipay", 5000, 2000);
  const MeterEnd expected{saving(4000), 0, saving(4000)};
  EXPECT_EQ(account_in({wang + zhao}), expected);
  EXPECT_EQ(account_in({zhao + wang}), expected);
  EXPECT_EQ(account_in({wang, zhao}), expected);
  EXPECT_EQ(account_in({zhao, wang}), expected);
  EXPECT_EQ(account_in({Rows(wang.begin(), wang.begin() + 9), zhao, Rows(wang.begin() + 9, wang.end())}), expected);
}

TEST(SharedMeter, BetweenEqualReportsOneIsKept) {
  const Rows wang = eight_days("wang", "metro-gate", 5000, 3000), zhao = eight_days("zhao", "metro-gate", 5000, 3000);
  for (const auto& runs : {std::vector<Rows>{wang + zhao}, std::vector<Rows>{wang, zhao}, std::vector<Rows>{zhao, wang}}) {
    const MeterEnd end = account_in(runs);
    EXPECT_EQ(end.all, saving(4000)) << end;
    EXPECT_TRUE(end.wang == 0 || end.zhao == 0) << end;
  }
}

TEST(SharedMeter, AWholeDayGoesBeforePartOfOne) {
  const Rows whole = eight_days("zhao", "metro-gate", 5000, 3000);
  Rows part = eight_days("wang", "metro-gate", 5000, 3000);
  std::erase_if(part, [&, at = 0](const std::string&) mutable { return at++ % 2 == 1; });
  const MeterEnd expected{0, saving(4000), saving(4000)};
  EXPECT_EQ(account_in({part + whole}), expected);
  EXPECT_EQ(account_in({part, whole}), expected);
  EXPECT_EQ(account_in({whole, part}), expected);
}

TEST(SharedMeter, SomebodyWhoMovesInEarnsFromHisOwnDays) {
  const Rows before = eight_days("wang", "metro-gate", 5000, 3000);
  Rows after;
  for (int half = 16; half < 32; ++half) {
    after.push_back(text({fmt::format("zhao-{}", half), "metro-gate", "zhao", "meter-reading", "310000", 720 * half, 720 * (half + 1),
                          half < 30 ? 5000 : 3500, "metered", "", "meter7"}));
  }
  const MeterEnd expected{saving(4000), saving(3000), saving(7000)};
  EXPECT_EQ(account_in({before + after}), expected);
  EXPECT_EQ(account_in({after, before}), expected);
}

TEST(SharedMeter, ReadingsTakenBackLeaveItToTheOther) {
  const Rows wang = eight_days("wang", "metro-gate", 5000, 3000), zhao = eight_days("zhao", "alipay", 5000, 2000);
  Rows back;  // weeks later, without the meter
  for (int half = 0; half < 16; ++half) {
    back.push_back(text({fmt::format("wang-metro-gate-{}", half), "metro-gate", "wang", "meter-reading", "310000", 30 * 1440 + half, -1, 0,
                         "metered", "1"}));
  }
  const MeterEnd expected{0, saving(6000), saving(6000)};
  EXPECT_EQ(account_in({wang + zhao + back}), expected);
  EXPECT_EQ(account_in({wang, zhao, back}), expected);
  EXPECT_EQ(account_in({back, zhao, wang}), expected);
  EXPECT_EQ(account_in({wang, back, zhao}), expected);
}

TEST(SharedMeter, TwoMetersOfOnePersonAndOneOfTwoAreAllSeen) {
  const Rows wang = eight_days("wang", "metro-gate", 5000, 3000), second = eight_days("wang", "alipay", 5000, 4000, "meter8"),
             zhao = eight_days("zhao", "map-app", 5000, 2000, "meter8");
  const MeterEnd end = account_in({wang + second + zhao});
  EXPECT_EQ(end.zhao, 0);
  EXPECT_EQ(end, account_in({zhao, second, wang}));
  EXPECT_TRUE(end.wang == saving(4000) || end.wang == saving(2000)) << end << ": one saving a day, the one whose event comes first";
}

}  // namespace
}  // namespace tanhui::activity
