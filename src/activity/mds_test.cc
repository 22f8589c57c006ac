#include "activity/mds.h"

#include <gtest/gtest.h>

namespace tanhui::activity {
namespace {

constexpr const char* kProvider = "63f13c48-34ff-49d2-aca7-cf6a5b6171c3";
constexpr const char* kBike = "11111111-1111-4111-8111-111111111111";
constexpr const char* kScooter = "22222222-2222-4222-8222-222222222222";
constexpr const char* kTrip = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
constexpr core::Millis kEight = 1'766'908'800'000;  // 2025-12-28T08:00:00Z

// 30.500 to 30.515 north on one meridian: 0.015 degrees of 111 195 m are 1 667 m.
std::string trip(std::string_view more = "", std::string_view from = "", std::string_view to = "") {
  std::string text = fmt::format(R"({{"provider_id": "{}", "device_id": "{}", "trip_id": "{}", "start_time": {}, "end_time": {},
    "start_location": {{"lat": 30.5, "lng": 114.4}}, "end_location": {{"lat": 30.515, "lng": 114.4}}, "duration": 600, "distance": 2000{}}})",
                                 kProvider, kBike, kTrip, kEight, kEight + 600'000, more);
  if (!from.empty()) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  return text;
}

MdsTripsRequest request() {
  return {.provider_id = kProvider,
          .activity_of_device = [](std::string_view device) -> std::optional<std::string> {
            return device == kBike      ? std::optional<std::string>("bike-ride")
                   : device == kScooter ? std::optional<std::string>("")
                                        : std::nullopt;
          },
          .claims =
              [](std::string_view subject) {
                EXPECT_EQ(subject, mds_subject(kProvider, kTrip));
                return std::optional(core::PersonKey{7, 8});
              }};
}

ForeignRecord read_one(const std::string& text, const MdsTripsRequest& by = request()) {
  const auto records = read_mds_trips("[" + text + "]", by);
  EXPECT_TRUE(records) << (records ? "" : records.error().message);
  EXPECT_EQ(records->size(), 1u);
  return records->at(0);
}

TEST(Mds, ARidersTrip) {
  for (const char* type : {"", R"(, "trip_type": "rider")"}) {
    const ForeignRecord record = read_one(trip(type));
    EXPECT_EQ(record.reason, Reason::none) << (record.why ? record.why->message : "");
    EXPECT_EQ(record.event, fmt::format("mds:{}/{}", kProvider, kTrip));
    EXPECT_EQ(record.activity, "bike-ride");
    EXPECT_EQ(record.quantity, 2000);
    EXPECT_EQ(record.start_ms, kEight);
    EXPECT_EQ(record.end_ms, kEight + 600'000);
    EXPECT_EQ(record.person, (core::PersonKey{7, 8}));
  }
}

TEST(Mds, WhoseTripItWasTheOperatorSays) {
  auto by = request();
  by.claims = no_claims;
  const std::string body =
      fmt::format(R"({{"version": "2.0.0", "trips": [{}], "claims": [{{"trip_id": "{}", "person": "o1.abc"}}]}})", trip(), kTrip);
  const auto claimed = read_mds_trips(body, by);
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->at(0).subject, "o1.abc");
  const ForeignRecord unclaimed = read_one(trip(), by);
  EXPECT_EQ(unclaimed.reason, Reason::missing_person);
  EXPECT_EQ(unclaimed.why->id, "mds.no-claim");
}

TEST(Mds, WhatIsNotTaken) {
  const struct {
    const char *why, *from, *to;
    Reason reason;
    const char* field;
  } rows[] = {
      {"no trip id", "\"trip_id\"", "\"trip\"", Reason::missing_event, "[0].trip_id"},
      {"no UUID", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaag", Reason::missing_event, "[0].trip_id"},
      {"another provider", "63f13c48", "63f13c49", Reason::bad_row, "[0].provider_id"},
      {"a text for a time", "1766908800000", "\"2025\"", Reason::bad_time, "[0].start_time"},
      {"seconds with fractions", "1766908800000", "1766908800000.5", Reason::bad_time, "[0].start_time"},
      {"ends before it starts", "1766909400000", "1766908799999", Reason::time_order, "[0].end_time"},
      {"a duration of another trip", "\"duration\": 600", "\"duration\": 661", Reason::bad_time, "[0].duration"},
      {"a negative duration", "\"duration\": 600", "\"duration\": -600", Reason::bad_time, "[0].duration"},
      {"a negative distance", "\"distance\": 2000", "\"distance\": -1", Reason::quantity_too_small, "[0].distance"},
      {"no distance", "\"distance\"", "\"metres\"", Reason::missing_quantity, "[0].distance"},
      {"less than the straight line", "\"distance\": 2000", "\"distance\": 1400", Reason::position_out_of_range, "[0].distance"},
      {"nowhere", "30.5,", "90.5,", Reason::position_out_of_range, "[0].start_location.lat"},
      {"a vehicle nobody registered", kBike, "33333333-3333-4333-8333-333333333333", Reason::unknown_activity, "[0].device_id"},
      {"a scooter", kBike, kScooter, Reason::unknown_activity, "[0].device_id"},
  };
  for (const auto& [why, from, to, reason, field] : rows) {
    const ForeignRecord record = read_one(trip("", from, to));
    EXPECT_EQ(record.reason, reason) << why;
    ASSERT_TRUE(record.why) << why;
    EXPECT_EQ(record.why->params.at(0).second, field) << why;
  }
  EXPECT_EQ(read_one(trip(R"(, "trip_type": "rebalance")")).reason, Reason::unknown_activity);
  EXPECT_EQ(read_one(trip("", "\"distance\": 2000", "\"distance\": 1500")).reason, Reason::none) << "positions are not exact";
  EXPECT_EQ(read_one(trip("", "\"duration\": 600", "\"duration\": 655")).reason, Reason::none) << "nor are clocks";
}

TEST(Mds, AnHourHoldsItsTrips) {
  auto by = request();
  by.hour_ms = read_mds_hour("2025-12-28T08");
  ASSERT_TRUE(by.hour_ms);
  EXPECT_EQ(read_one(trip(), by).reason, Reason::none);
  by.hour_ms = read_mds_hour("2025-12-28T07");
  EXPECT_EQ(read_one(trip(), by).reason, Reason::bad_time);
  for (const char* text : {"2025-12-28T24", "2025-12-28 08", "2025-02-30T08", "2025-12-28T8", ""})
    EXPECT_FALSE(read_mds_hour(text)) << text;
}

TEST(Mds, VehiclesAndWhatTheirTripsAre) {
  const struct {
    const char* type;
    std::vector<std::string> propulsions;
    const char* activity;
  } rows[] = {{"bicycle", {"human"}, "bike-ride"},
              {"cargo_bicycle", {"human"}, "bike-ride"},
              {"bicycle", {"human", "electric_assist"}, "ebike-ride"},
              {"bicycle", {"electric"}, "ebike-ride"},
              {"bicycle", {"combustion"}, ""},
              {"bicycle", {}, ""},
              {"car", {"electric"}, "nev-ride"},
              {"car", {"plug_in_hybrid"}, "nev-ride"},
              {"car", {"hybrid"}, ""},
              {"car", {"electric", "combustion"}, ""},
              {"scooter_standing", {"electric"}, ""},
              {"moped", {"electric"}, ""},
              {"bus", {"electric"}, ""}};
  for (const auto& [type, propulsions, activity] : rows) EXPECT_EQ(activity_of_vehicle(type, propulsions), activity) << type;
  const auto vehicles = read_mds_vehicles(
      fmt::format(
          R"({{"version": "2.0.1", "vehicles": [{{"provider_id": "{0}", "device_id": "{1}", "vehicle_id": "W1", "vehicle_type": "bicycle",
        "propulsion_types": ["human"]}}, {{"provider_id": "{0}", "device_id": "{1}", "vehicle_type": "horse", "propulsion_types": ["human"]}}]}})",
          kProvider, kBike),
      kProvider);
  ASSERT_TRUE(vehicles);
  ASSERT_TRUE(vehicles->at(0).value);
  EXPECT_EQ(vehicles->at(0).value->activity, "bike-ride");
  ASSERT_TRUE(vehicles->at(1).why);
  EXPECT_EQ(vehicles->at(1).why->params.at(0).second, "vehicles[1].vehicle_type");
}

TEST(Mds, DocumentsThatAreNone) {
  EXPECT_EQ(read_mds_trips(R"({"version": "1.2.0", "trips": []})", request()).error().id, "mds.unsupported-version");
  EXPECT_EQ(read_mds_trips(R"({"trips": []})", request()).error().id, "mds.missing-field");
  EXPECT_EQ(read_mds_trips("3", request()).error().id, "mds.bad-field");
  EXPECT_EQ(read_mds_trips("[", request()).error().id, "json.broken");
  std::string many = "[0";
  for (std::size_t i = 0; i < kMdsElementsMax; ++i) many += ",0";
  EXPECT_EQ(read_mds_trips(many + "]", request()).error().id, "mds.too-many");
  const std::string twice = fmt::format(
      R"({{"version": "2.0.0", "trips": [], "claims": [{{"trip_id": "{0}", "person": "a"}}, {{"trip_id": "{0}", "person": "b"}}]}})",
      kTrip);
  EXPECT_EQ(read_mds_trips(twice, request()).error().params.at(0).second, "claims[1].trip_id");
}

TEST(Mds, TheAnswerToAPush) {
  const ForeignRecord record = read_one(trip("", "\"distance\"", "\"metres\""));
  EXPECT_EQ(mds_bulk_answer(2, {mds_failure(*record.why, "trip_id", kTrip)}),
            fmt::format(R"({{"success":1,"total":2,"failures":[{{"item":{{"trip_id":"{}"}},"error":"missing_param",)"
                        R"("error_description":"[0].distance: is missing","error_details":["[0].distance"]}}]}})",
                        kTrip));
}

}  // namespace
}  // namespace tanhui::activity
