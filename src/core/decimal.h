// core/decimal.h: decimal text to exact whole numbers, without a binary floating point on the way.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/int128.h"

namespace tanhui::core {

/// A decimal as read: digits * 10^-scale. "0.8700" is {8700, 4}.
struct Decimal {
  std::int64_t digits = 0;
  int scale = 0;
  friend constexpr bool operator==(const Decimal&, const Decimal&) = default;
};

/// Reads [+-]digits[point digits][e[+-]digits]. At most 18 significant digits are kept; further fraction digits are dropped
/// towards zero, further integer digits make it fail. nullopt when the text is not a number.
std::optional<Decimal> parse_decimal(std::string_view text, char point = '.');

/// value * factor.numerator / factor.denominator, cut towards zero to a whole number; nullopt when it leaves int64.
/// With a factor of 1000/1, "1.2345" kilometres become 1234 metres.
struct Factor {
  std::int64_t numerator = 1, denominator = 1;
};
std::optional<std::int64_t> scale_to_whole(const Decimal& value, Factor factor);

/// 1234567 at 3 digits is "1234.567"; zeros at the end stay, so columns line up. At most 18 digits.
std::string to_decimal_text(std::int64_t count, int digits_after_point);

}  // namespace tanhui::core
