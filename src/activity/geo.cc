#include "activity/geo.h"

#include "core/decimal.h"
#include "core/int128.h"

namespace tanhui::activity {
namespace {

using core::Int128;
using core::Uint128;

constexpr int kBits = 60;  // fixed point: 1.0 is 2^60
constexpr std::int64_t kOne = std::int64_t{1} << kBits;
constexpr std::int64_t kNanoDegrees = 1'000'000'000;
constexpr Int128 kPi = 3'622'009'729'038'561'421;  // pi * 2^60, rounded
constexpr Int128 kRadiusMillimetres = 6'371'008'800;

constexpr Int128 multiply(Int128 a, Int128 b) { return a * b >> kBits; }

struct SineCosine {
  Int128 sine, cosine;
};

// Taylor's series; |angle| <= pi/4 makes each term less than a third of the one before.
constexpr SineCosine small_angle(Int128 angle) {
  const Int128 square = multiply(angle, angle);
  Int128 sine = 0, cosine = 0, term = kOne;
  for (int i = 0; term != 0 && term != -1 && i < 40; i += 2) {
    cosine += term;
    const Int128 odd = multiply(term, angle) / (i + 1);
    sine += odd;
    term = -multiply(term, square) / ((i + 1) * (i + 2));
  }
  return {sine, cosine};
}

constexpr SineCosine sine_cosine(std::int64_t nano_degrees) {
  // Whole quarter turns first, so that what is left lies within an eighth turn of zero.
  constexpr std::int64_t quarter = 90 * kNanoDegrees;
  std::int64_t turns = (nano_degrees + (nano_degrees >= 0 ? quarter / 2 : -quarter / 2)) / quarter;
  const auto [sine, cosine] = small_angle(Int128(nano_degrees - turns * quarter) * kPi / (180 * kNanoDegrees));
  switch (((turns % 4) + 4) % 4) {
    case 0:
      return {sine, cosine};
    case 1:
      return {cosine, -sine};
    case 2:
      return {-sine, -cosine};
    default:
      return {-cosine, sine};
  }
}

constexpr Uint128 square_root(Uint128 value) {
  Uint128 root = 0;
  for (int bit = 62; bit >= 0; --bit) {
    const Uint128 next = root | Uint128(1) << bit;
    if (next * next <= value) root = next;
  }
  return root;
}

// Angle whose sine is `sine`, 0 to about 0.71: Newton's steps double the digits each time.
constexpr Int128 arc_sine(Int128 sine) {
  Int128 angle = sine;
  for (int i = 0; i < 8; ++i) {
    const auto [s, c] = small_angle(angle);
    const Int128 step = ((sine - s) << kBits) / c;
    angle += step;
    if (step <= 1 && step >= -1) break;
  }
  return angle;
}

}  // namespace

std::optional<Position> read_position(std::string_view latitude, std::string_view longitude) {
  const auto read = [](std::string_view text, std::int64_t limit) -> std::optional<std::int64_t> {
    const auto value = core::parse_decimal(text);
    const auto scaled = value ? core::scale_to_whole(*value, {kNanoDegrees, 1}) : std::nullopt;
    if (!scaled || *scaled > limit * kNanoDegrees || *scaled < -limit * kNanoDegrees) return std::nullopt;
    return scaled;
  };
  const auto lat = read(latitude, 90), lon = read(longitude, 180);
  if (!lat || !lon || (*lat == 0 && *lon == 0)) return std::nullopt;
  return Position{*lat, *lon};
}

std::int64_t distance_millimetres(const Position& from, const Position& to) {
  // Half the chord between the two points on the unit sphere is the sine of half the angle (haversine).
  const auto half = [](std::int64_t a, std::int64_t b) { return sine_cosine((a - b) / 2).sine; };
  const Int128 over_latitude = half(from.latitude, to.latitude), over_longitude = half(from.longitude, to.longitude);
  const Int128 cosines = multiply(sine_cosine(from.latitude).cosine, sine_cosine(to.latitude).cosine);
  Int128 haversine = over_latitude * over_latitude + multiply(cosines, over_longitude) * over_longitude;  // 2^120 is 1.0
  constexpr Int128 one = Int128(1) << (2 * kBits);
  if (haversine > one) haversine = one;
  const bool far = haversine > one / 2;  // then the other half of the great circle is the shorter one to compute
  const Int128 angle = arc_sine(Int128(square_root(Uint128(far ? one - haversine : haversine))));
  const Int128 half_angle = far ? kPi / 2 - angle : angle;
  return std::int64_t(2 * half_angle * kRadiusMillimetres >> kBits);
}

}  // namespace tanhui::activity
