// The real data sets through the shipped profiles: what each file's own README says about it must come out. Skipped where they are not
// there.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <iostream>
#include <map>
#include <set>

#include "activity/intake_test_support.h"

namespace tanhui::activity {
namespace {

const std::filesystem::path kSource = TANHUI_SOURCE_DIR;
const std::filesystem::path kData = kSource.parent_path() / "shared" / "data";

Names shipped_names() {
  std::vector<ActivityType> activities;
  for (const auto& entry : YAML::LoadFile((kSource / "methodologies" / "activities.yaml").string())["activities"]) {
    ActivityType& activity = activities.emplace_back();
    activity.id = entry.first.Scalar();
    for (const auto& quantity : entry.second["quantities"])
      activity.quantities.push_back({quantity.first.Scalar(), quantity.second.Scalar()});
  }
  std::vector<SourceName> sources;
  for (const auto& entry : YAML::LoadFile((kSource / "programmes" / "trial.yaml").string())["sources"])
    sources.push_back({entry.first.Scalar(), Evidence::metered});
  return Names(std::move(activities), std::move(sources));
}

struct Expected {
  const char *profile, *folder;
  std::map<std::string, std::size_t> reasons;  // all of them
  std::size_t people, events;                  // of credited records, different ones
  std::map<std::string, std::int64_t> sums;    // main quantity by activity
};

const Expected kExpected[] = {
    // 22 763 trips move less than 50 m; 5 lie outside the region (3 of them start there)
    {"bike-valleybike",
     "bike-valleybike",
     {{"credited", 94148}, {"not-moved", 22763}, {"path-jumps", 1624}, {"position-out-of-range", 5}},
     11652,
     94148,
     {{"ebike-ride", 395940710}}},
    {"bike-mobike-shanghai", "bike-mobike-shanghai", {{"missing-person", 102361}}, 0, 0, {}},
    // one card has two records in the same second
    {"transit-shenzhen-card",
     "transit-shenzhen-card",
     {{"credited", 37000}},
     35935,
     36999,
     {{"bus-ride", 18119}, {"transit-tap-in", 0}, {"transit-tap-out", 91146000}}},
    {"transit-buenosaires-sube",
     "transit-buenosaires-sube",
     {{"credited", 28663}, {"unknown-activity", 6}},
     9999,
     28663,
     {{"bus-ride", 19978}, {"metro-ride", 0}, {"train-tap-in", 0}, {"train-tap-out", 0}}},
    // 111 sessions have no user; 166 known drivers
    {"ev-caltech-acn", "ev-caltech-acn", {{"credited", 1110}, {"missing-person", 111}}, 166, 1110, {{"ev-charge", 15008578}}},
    // 75 users, about 44 MWh
    {"ev-trondheim-home", "ev-trondheim-home", {{"credited", 3387}}, 75, 3387, {{"ev-charge", 44175430}}},
    // 63 employees, 10.9 MWh
    {"ev-workplace", "ev-workplace", {{"credited", 1868}}, 63, 1868, {{"ev-charge", 10864640}}},
    {"power-sgsc-homes", "power-sgsc-homes", {{"credited", 293874}}, 10, 293874, {{"meter-reading", 61188696}}},
    // 681 and 465 days of 48 readings
    {"power-meter-nem12", "power-meter-exports", {{"credited", 681 * 48}}, 1, 681 * 48, {{"meter-reading", 4606820}}},
    {"power-meter-retailer", "power-meter-exports", {{"credited", 465 * 48}}, 1, 465 * 48, {{"meter-reading", 4304627}}},
    {"steps-fitbit-daily", "steps-fitbit", {{"credited", 940}}, 33, 940, {{"walk", 7179636}}},
    {"steps-fitbit-hourly", "steps-fitbit", {{"credited", 22099}}, 33, 20332, {{"walk", 7075356}}},
    {"waste-kampala-homes",
     "waste-kampala-homes",
     {{"credited", 71 * 7}},
     71,
     71 * 7,
     {{"recycle-film", 40520},
      {"recycle-glass", 1130},
      {"recycle-hdpe", 22527},
      {"recycle-paper", 13483},
      {"recycle-steel", 1335},
      {"recycle-textile", 14739},
      {"recycle-wood", 783}}},
    // 2 785 ids were damaged by a spreadsheet
    {"resale-fashion-users",
     "resale-fashion-users",
     {{"credited", 2913}, {"missing-person", 2785}},
     2913,
     2913,
     {{"secondhand-clothes", 4239}}},
};

TEST(RealData, ReadsAsItsReadmeSays) {
  if (!std::filesystem::exists(kData)) GTEST_SKIP() << "no real data at ../shared/data beside the sources; nothing was read";
  for (const Expected& expected : kExpected) {
    SCOPED_TRACE(expected.profile);
    const auto profile = load_profile(kSource / "profiles" / (std::string(expected.profile) + ".yaml"));
    ASSERT_TRUE(bool(profile)) << profile.error().message;
    Names names = shipped_names();
    Context context;
    context.names = &names;
    context.secret = &test::secret();
    context.zone = "UTC";
    const auto source = open_source(*profile, {(kData / expected.folder).string()}, context);
    ASSERT_TRUE(bool(source)) << source.error().message;
    std::map<std::string, std::size_t> reasons;
    std::map<std::string, std::int64_t> sums;
    std::set<core::PersonKey> people;
    std::set<std::uint64_t> events;
    RecordBatch batch;
    while (true) {
      const auto more = (*source)->next(batch);
      ASSERT_TRUE(bool(more)) << more.error().message;
      if (!*more) break;
      for (std::size_t i = 0; i < batch.size(); ++i) {
        ++reasons[std::string(name(batch.reason[i]))];
        if (batch.reason[i] != Reason::none) continue;
        people.insert(batch.person[i]);
        events.insert(batch.event[i]);
        sums[names.activities()[batch.activity[i]].id] += batch.quantity[i] == kMissing ? 0 : batch.quantity[i];
      }
    }
    EXPECT_EQ(reasons, expected.reasons);
    EXPECT_EQ(people.size(), expected.people);
    EXPECT_EQ(events.size(), expected.events);
    EXPECT_EQ(sums, expected.sums);
  }
}

}  // namespace
}  // namespace tanhui::activity
