#include "core/decimal.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "core/invariant.h"

namespace tanhui::core {
namespace {

TEST(ParseDecimal, TextToDigitsAndScale) {
  const struct {
    const char* why;
    const char* text;
    char point;
    std::optional<Decimal> expected;
  } rows[] = {
      {"a whole number", "42", '.', Decimal{42, 0}},
      {"zeros at the end count", "0.8700", '.', Decimal{8700, 4}},
      {"signs", "-1.5", '.', Decimal{-15, 1}},
      {"plus", "+7", '.', Decimal{7, 0}},
      {"no digit before the point", ".5", '.', Decimal{5, 1}},
      {"a comma where the source writes one", "1,25", ',', Decimal{125, 2}},
      {"an exponent lowers the scale", "1.2e3", '.', Decimal{12, -2}},
      {"a negative exponent raises it", "12E-3", '.', Decimal{12, 3}},
      {"zeros in front are not significant", "0000000000000000000000001.5", '.', Decimal{15, 1}},
      {"18 digits are kept", "999999999999999999", '.', Decimal{999999999999999999, 0}},
      {"a 19th digit of the fraction is dropped", "0.1234567890123456789", '.', Decimal{123456789012345678, 18}},
      {"a 19th digit of the integer is refused", "1234567890123456789", '.', std::nullopt},
      {"nothing", "", '.', std::nullopt},
      {"a sign alone", "-", '.', std::nullopt},
      {"a point alone", ".", '.', std::nullopt},
      {"two points", "1.2.3", '.', std::nullopt},
      {"a point where a comma is declared", "1.25", ',', std::nullopt},
      {"a blank", " 1", '.', std::nullopt},
      {"a unit", "1km", '.', std::nullopt},
      {"an exponent without digits", "1e", '.', std::nullopt},
      {"not a number", "NaN", '.', std::nullopt},
  };
  for (const auto& [why, text, point, expected] : rows) EXPECT_EQ(parse_decimal(text, point), expected) << why;
}

TEST(ScaleToWhole, CutsTowardsZeroAndNeverWraps) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const struct {
    const char* why;
    Decimal value;
    Factor factor;
    std::optional<std::int64_t> expected;
  } rows[] = {
      {"1.2345 km in metres", {12345, 4}, {1000, 1}, 1234},
      {"negative is cut towards zero too", {-12345, 4}, {1000, 1}, -1234},
      {"1 mile in metres: 1609.344", {1, 0}, {1609344, 1000}, 1609},
      {"90 minutes in hours of 60", {90, 0}, {1, 60}, 1},
      {"a scale beyond 18 digits", {5'000'000'000'000'000'00, 20}, {1000, 1}, 5},
      {"too fine to matter", {999, 60}, {1000, 1}, 0},
      {"a large exponent", {12, -3}, {1, 1}, 12'000},
      {"zero stays zero whatever its exponent", {0, -1000}, {1, 1}, 0},
      {"the largest", {most / 10, -1}, {1, 1}, most / 10 * 10},
      {"one step beyond int64", {922'337'203'685'477'581, -1}, {1, 1}, std::nullopt},
      {"far beyond", {1, -1000}, {1, 1}, std::nullopt},
      {"1e21 thousandths are 1e18: only the result must fit", {1, -21}, {1, 1000}, 1'000'000'000'000'000'000},
      {"the factor carries it out", {most / 2, 0}, {3, 1}, std::nullopt},
  };
  for (const auto& [why, value, factor, expected] : rows) EXPECT_EQ(scale_to_whole(value, factor), expected) << why;
}

TEST(ToDecimalText, PlacesThePoint) {
  EXPECT_EQ(to_decimal_text(1'234'567, 3), "1234.567");
  EXPECT_EQ(to_decimal_text(-5, 3), "-0.005");
  EXPECT_EQ(to_decimal_text(100, 2), "1.00");
  EXPECT_EQ(to_decimal_text(7, 0), "7");
  EXPECT_EQ(to_decimal_text(std::numeric_limits<std::int64_t>::min(), 6), "-9223372036854.775808");
  EXPECT_THROW(to_decimal_text(1, 19), InvariantBroken);
}

RC_GTEST_PROP(DecimalProperty, TextComesBackAsTheSameNumber, (std::int64_t any)) {
  const std::int64_t count = any % 1'000'000'000'000'000'000;
  const int digits = *rc::gen::inRange(0, 19);
  const auto read = parse_decimal(to_decimal_text(count, digits));
  RC_ASSERT(read.has_value());
  std::int64_t power = 1;
  for (int i = 0; i < digits; ++i) power *= 10;
  RC_ASSERT(scale_to_whole(*read, {power, 1}) == std::optional(count));
}

RC_GTEST_PROP(DecimalProperty, AgreesWithLongDivision, (std::int32_t digits, std::uint16_t numerator, std::uint16_t less_one)) {
  const int scale = *rc::gen::inRange(-3, 10);
  const Factor factor{numerator, std::int64_t{less_one} + 1};
  Int128 top = Int128(digits) * factor.numerator, bottom = factor.denominator;
  for (int i = 0; i < scale; ++i) bottom *= 10;
  for (int i = scale; i < 0; ++i) top *= 10;
  RC_ASSERT(scale_to_whole({digits, scale}, factor) == std::optional(std::int64_t(top / bottom)));
}

}  // namespace
}  // namespace tanhui::core
