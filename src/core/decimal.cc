#include "core/decimal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/invariant.h"

namespace tanhui::core {
namespace {

constexpr int kDigitsMax = 18;      // every 18-digit number fits int64
constexpr int kExponentMax = 1000;  // enough for any honest text, small enough never to overflow an int

constexpr auto kPowersOfTen = [] {
  std::array<std::int64_t, kDigitsMax + 1> powers{};
  powers[0] = 1;
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

std::optional<int> parse_exponent(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = std::min(value * 10 + (c - '0'), kExponentMax);
  }
  return negative ? -value : value;
}

}  // namespace

std::optional<Decimal> parse_decimal(std::string_view text, char point) {
  std::size_t at = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) ++at;
  Decimal value;
  int significant = 0;
  bool any_digit = false, after_point = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == point && !after_point) {
      after_point = true;
    } else if (c >= '0' && c <= '9') {
      any_digit = true;
      if (significant == kDigitsMax) {
        if (!after_point) return std::nullopt;
        continue;
      }
      value.digits = value.digits * 10 + (c - '0');
      significant += value.digits != 0;
      value.scale += after_point;
    } else {
      break;
    }
  }
  if (!any_digit) return std::nullopt;
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
    const auto exponent = parse_exponent(text.substr(at + 1));
    if (!exponent) return std::nullopt;
    value.scale -= *exponent;
  }
  if (negative) value.digits = -value.digits;
  return value;
}

std::optional<std::int64_t> scale_to_whole(const Decimal& value, Factor factor) {
  Int128 numerator = Int128(value.digits) * factor.numerator;
  Int128 denominator = factor.denominator;
  if (value.scale > kDigitsMax) {
    if (value.scale > 2 * kDigitsMax) return 0;
    denominator *= kPowersOfTen[std::size_t(value.scale - kDigitsMax)];
    // Two steps keep the denominator inside 128 bits: cutting twice towards zero is cutting once.
    numerator /= kPowersOfTen[kDigitsMax];
  } else if (value.scale >= 0) {
    denominator *= kPowersOfTen[std::size_t(value.scale)];
  } else {
    for (int i = value.scale; i < 0 && numerator != 0; ++i) {  // 128 bits hold more than int64 * denominator
      if (__builtin_mul_overflow(numerator, Int128{10}, &numerator)) return std::nullopt;
    }
  }
  const Int128 whole = numerator / denominator;
  if (whole > INT64_MAX || whole < INT64_MIN) return std::nullopt;
  return std::int64_t(whole);
}

std::string to_decimal_text(std::int64_t count, int digits_after_point) {
  if (digits_after_point <= 0) return std::to_string(count);
  invariant(digits_after_point <= kDigitsMax, "a decimal text has at most 18 digits after its point");
  const Uint128 magnitude = count < 0 ? Uint128(-Int128(count)) : Uint128(count);
  const auto power = std::uint64_t(kPowersOfTen[std::size_t(digits_after_point)]);
  return fmt::format("{}{}.{:0{}}", count < 0 ? "-" : "", std::uint64_t(magnitude / power), std::uint64_t(magnitude % power),
                     digits_after_point);
}

}  // namespace tanhui::core
