// activity/geo.h: distances on the earth in whole numbers, so that a credited metre is the same on every machine.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace tanhui::activity {

/// Degrees times 10^9 (WGS84); a tenth of a millimetre on the ground.
struct Position {
  std::int64_t latitude = 0, longitude = 0;
  friend constexpr bool operator==(const Position&, const Position&) = default;
};

/// nullopt when a text is not a number or outside -90..90 and -180..180. (0, 0), a device's "unknown", is nullopt too.
std::optional<Position> read_position(std::string_view latitude, std::string_view longitude);

/// Great-circle distance on the mean sphere (radius 6 371 008.8 m, IUGG), in millimetres, cut down.
/// Fixed-point arithmetic throughout; within 2 mm of the exact value below 10 000 km, within 50 mm below 19 900 km.
std::int64_t distance_millimetres(const Position& from, const Position& to);

}  // namespace tanhui::activity
