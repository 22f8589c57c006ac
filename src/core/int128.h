// core/int128.h: the compiler's 128-bit integers under one name, and their decimal text.
#pragma once
#include <cstdint>
#include <string>

namespace tanhui::core {

__extension__ using Int128 = __int128;
__extension__ using Uint128 = unsigned __int128;

inline std::string to_text(Int128 value) {
  if (value == 0) return "0";
  Uint128 rest = value < 0 ? Uint128(0) - Uint128(value) : Uint128(value);
  std::string digits;
  for (; rest != 0; rest /= 10) digits.insert(digits.begin(), char('0' + int(rest % 10)));
  return value < 0 ? "-" + digits : digits;
}

/// The greatest whole number not above numerator / denominator (denominator > 0).
constexpr Int128 floor_divide(Int128 numerator, Int128 denominator) {
  const Int128 quotient = numerator / denominator;
  return quotient * denominator > numerator ? quotient - 1 : quotient;
}

}  // namespace tanhui::core
