#include "activity/geo.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

namespace tanhui::activity {
namespace {

TEST(Distance, KnownWays) {
  const struct {
    const char* why;
    const char *lat1, *lon1, *lat2, *lon2;
    std::int64_t millimetres;
  } cases[] = {
      {"nowhere", "31.2", "121.4", "31.2", "121.4", 0},
      // R * pi / 180 = 111 195.080 234 m
      {"one degree north", "0.5", "10", "1.5", "10", 111'195'080},
      {"one degree along the equator", "0", "10", "0", "11", 111'195'080},
      {"across the date line", "0", "179.5", "0", "-179.5", 111'195'080},
      {"a quarter of the globe", "0", "1", "90", "55", 10'007'557'221},
      {"half of the globe", "0", "1", "0", "-179", 20'015'114'442},
      {"pole to pole", "90", "0", "-90", "0", 20'015'114'442},
  };
  for (const auto& [why, lat1, lon1, lat2, lon2, millimetres] : cases) {
    const auto from = read_position(lat1, lon1), to = read_position(lat2, lon2);
    ASSERT_TRUE(from && to) << why;
    EXPECT_NEAR(double(distance_millimetres(*from, *to)), double(millimetres), 1) << why;
  }
}

TEST(DistanceProperty, AgreesWithFloatingPointAndIsSymmetric) {
  std::mt19937_64 random(5);
  const auto degrees = [&](std::int64_t limit) {
    return std::int64_t(random() % std::uint64_t(2 * limit * 1'000'000'000 + 1)) - limit * 1'000'000'000;
  };
  for (int i = 0; i < 20'000; ++i) {
    const Position from{degrees(90), degrees(180)};
    Position to{degrees(90), degrees(180)};
    if (i % 2 == 0)
      to = {std::clamp<std::int64_t>(from.latitude + degrees(1) / 100, -90'000'000'000, 90'000'000'000), from.longitude + degrees(1) / 100};
    const long double p = std::numbers::pi_v<long double> / 180 / 1e9L;
    const long double a = std::sin(p * (from.latitude - to.latitude) / 2), b = std::sin(p * (from.longitude - to.longitude) / 2);
    const long double h = a * a + std::cos(p * from.latitude) * std::cos(p * to.latitude) * b * b;
    const long double metres = 2 * 6371008.8L * std::asin(std::sqrt(std::min(1.0L, h)));
    const auto measured = distance_millimetres(from, to);
    if (metres < 19'900'000) {
      ASSERT_NEAR(double(measured), double(metres * 1000), metres < 10'000'000 ? 2 : 50)
          << from.latitude << " " << from.longitude << " " << to.latitude << " " << to.longitude;
    }
    ASSERT_EQ(measured, distance_millimetres(to, from));
  }
}

TEST(ReadPosition, Refused) {
  const struct {
    const char *why, *latitude, *longitude;
  } cases[] = {{"beyond the pole", "90.001", "0"},
               {"beyond half way round", "0", "180.5"},
               {"a device's unknown", "0", "0.000"},
               {"empty", "", "1"},
               {"word", "north", "1"}};
  for (const auto& [why, latitude, longitude] : cases) EXPECT_FALSE(read_position(latitude, longitude)) << why;
  EXPECT_EQ(read_position("42.210923333333334", "-72.62060166666667"), (Position{42'210'923'333, -72'620'601'666}));
}

}  // namespace
}  // namespace tanhui::activity
