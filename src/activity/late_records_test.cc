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
                                         std::pair{"Objects", std::vector{&Reports::books}},
                                         std::pair{"CarFreeDays", std::vector{&Reports::car_free_days, &Reports::rides}},
                                         std::pair{"All", std::vector{&Reports::rides, &Reports::taps, &Reports::readings, &Reports::books,
                                                                      &Reports::car_free_days}}),
                         [](const auto& rule) { return std::string(rule.param.first); });

}  // namespace
}  // namespace tanhui::activity
