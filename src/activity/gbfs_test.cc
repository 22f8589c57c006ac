#include "activity/gbfs.h"

#include <gtest/gtest.h>

#include "activity/station_cache.h"
#include "db/test_database.h"

namespace tanhui::activity {
namespace {

std::string file(std::string_view data, std::string_view version = "3.0", std::string_view updated = "2025-12-28T08:00:00+08:00") {
  return fmt::format(R"({{"last_updated": "{}", "ttl": 300, "version": "{}", "data": {}}})", updated, version, data);
}
std::string stations(std::string_view list, std::string_view updated = "2025-12-28T08:00:00+08:00") {
  return file(fmt::format(R"({{"stations": [{}]}})", list), "3.0", updated);
}
std::string station(std::string_view id, std::string_view lat, std::string_view lon) {
  return fmt::format(R"({{"station_id": "{}", "name": [{{"text": "S", "language": "en"}}], "lat": {}, "lon": {}}})", id, lat, lon);
}

TEST(Gbfs, Stations) {
  const auto read = read_gbfs_stations(stations(station("b", "30.5", "114.25") + "," + station("a", "-0.000000001", "1e1")));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->version, "3.0");
  EXPECT_EQ(read->ttl_s, 300);
  EXPECT_EQ(read->last_updated_ms, 1'766'880'000'000);
  ASSERT_EQ(read->data.size(), 2u);
  EXPECT_EQ(read->data[0].id, "a");
  EXPECT_EQ(read->data[0].position, (Position{-1, 10'000'000'000}));
  EXPECT_EQ(read->data[1].position, (Position{30'500'000'000, 114'250'000'000}));
}

TEST(Gbfs, WrongStationsAreLeftOutAndTold) {
  const auto read = read_gbfs_stations(stations(station("a", "30.5", "114.25") + "," + station("b", "91", "0") + "," +
                                                station("a", "1", "1") + R"(, {"station_id": "c", "lat": 1}, 7)"));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->data.size(), 1u);
  EXPECT_EQ(read->data[0].position.latitude, 30'500'000'000) << "the first of two";
  ASSERT_EQ(read->left_out.size(), 4u);
  EXPECT_EQ(read->left_out[0].params[0].second, "data.stations[1].lat");
  EXPECT_EQ(read->left_out[1].params[0].second, "data.stations[3].lon");
}

TEST(Gbfs, FilesThatAreNone) {
  const struct {
    std::string body;
    const char* id;
  } rows[] = {{file(R"({"stations": []})", "2.3"), "gbfs.unsupported-version"},
              {file(R"({"bikes": []})"), "gbfs.missing-field"},
              {file(R"({"stations": 1})"), "gbfs.bad-field"},
              {file(R"({"stations": []})", "3.0", "yesterday"), "gbfs.bad-field"},
              {R"({"version": "3.0"})", "gbfs.missing-field"},
              {"[]", "gbfs.bad-field"},
              {"", "json.broken"}};
  for (const auto& [body, id] : rows) EXPECT_EQ(read_gbfs_stations(body).error().id, id) << body;
}

TEST(Gbfs, DiscoverySystemAndVehicleTypes) {
  const auto feeds = read_gbfs_discovery(
      file(R"({"feeds": [{"name": "station_information", "url": "https://x.example/s.json"}, {"name": "x", "url": "ftp://x"}]})"));
  ASSERT_TRUE(feeds);
  ASSERT_EQ(feeds->data.size(), 1u);
  EXPECT_EQ(feeds->data[0].url, "https://x.example/s.json");
  const auto system =
      read_gbfs_system(file(R"({"system_id": "wuhan-bikes", "languages": ["zh"], "name": [{"text": "武汉单车", "language": "zh"}],
    "opening_hours": "24/7", "feed_contact_email": "a@b.example", "timezone": "Asia/Shanghai"})"));
  ASSERT_TRUE(system) << system.error().message;
  EXPECT_EQ(system->data.name, "武汉单车");
  EXPECT_EQ(read_gbfs_system(file(R"({"system_id": "x", "name": [{"text": "x"}], "timezone": "Mars/Olympus"})")).error().params[0].second,
            "data.timezone");
  const auto types = read_gbfs_vehicle_types(
      file(R"({"vehicle_types": [{"vehicle_type_id": "1", "form_factor": "bicycle", "propulsion_type": "human", "g_CO2_km": 9},
    {"vehicle_type_id": "2", "form_factor": "bicycle", "propulsion_type": "electric_assist"}, {"vehicle_type_id": "3", "form_factor": "scooter_standing", "propulsion_type": "electric"}]})"));
  ASSERT_TRUE(types);
  EXPECT_EQ(types->data[0].activity, "bike-ride");
  EXPECT_EQ(types->data[1].activity, "ebike-ride");
  EXPECT_EQ(types->data[2].activity, "");
}

TEST(StationCache, AStationIsWhereItWasThen) {
  db::Database database = db::test::fresh_database();
  db::Transaction tx = database.begin();
  ASSERT_TRUE(add_station_feed(tx, "wuhan", "https://x.example/s.json", 1'000));
  EXPECT_EQ(due_station_feeds(tx, 999).size(), 0u);
  ASSERT_EQ(due_station_feeds(tx, 1'000).size(), 1u);
  const auto store = [&](std::string_view list, core::Millis now, std::string_view updated) {
    auto changes = store_stations(tx, "wuhan", stations(list, updated), "\"e1\"", now);
    EXPECT_TRUE(changes) << (changes ? "" : changes.error().message);
    return *changes;
  };
  const auto first = store(station("a", "30", "114") + "," + station("b", "31", "114"), 1'000, "2025-12-28T08:00:00Z");
  EXPECT_EQ(first.added, 2u);
  EXPECT_EQ(due_station_feeds(tx, 300'999).size(), 0u) << "not before its time to live";
  EXPECT_EQ(due_station_feeds(tx, 301'000)[0].etag, "\"e1\"");
  const auto second = store(station("a", "30.1", "114") + "," + station("c", "32", "114"), 500'000, "2025-12-28T09:00:00Z");
  EXPECT_EQ(second.added, 1u);
  EXPECT_EQ(second.moved, 1u);
  EXPECT_EQ(second.removed, 1u);
  EXPECT_EQ(store(station("z", "1", "1"), 600'000, "2025-12-28T08:30:00Z").added, 0u) << "an older file changes nothing";

  const auto at = [&](core::Millis when, const char* id) -> std::int64_t {
    const auto stations = stations_at(tx, "wuhan", when);
    const auto found = stations->find(id);
    return found == stations->end() ? 0 : found->second.latitude / 100'000'000;
  };
  EXPECT_EQ(at(1'000, "a"), 300);
  EXPECT_EQ(at(499'999, "a"), 300);
  EXPECT_EQ(at(500'000, "a"), 301);
  EXPECT_EQ(at(0, "a"), 300) << "before the first file, where it was first";
  EXPECT_EQ(at(2'000, "b"), 310);
  EXPECT_EQ(at(500'000, "b"), 0) << "it is gone";
  EXPECT_EQ(at(2'000, "c"), 320);
  EXPECT_EQ(at(2'000, "z"), 0);

  EXPECT_EQ(store_stations(tx, "beijing", stations(station("a", "30", "114")), "", 1).error().id, "gbfs.unknown-system");
  EXPECT_EQ(store_stations(tx, "wuhan", stations("", "2025-12-28T10:00:00Z"), "", 700'000).error().id, "gbfs.no-stations");
  EXPECT_EQ(add_station_feed(tx, "wu han", "https://x", 0).error().id, "gbfs.bad-system");
  EXPECT_EQ(add_station_feed(tx, "wuhan", "file:///x", 0).error().id, "gbfs.bad-url");
  postpone_station_feed(tx, "wuhan", 9'000'000);
  EXPECT_EQ(due_station_feeds(tx, 8'999'999).size(), 0u);
}

}  // namespace
}  // namespace tanhui::activity
