#include "methodology/number.h"

namespace tanhui::methodology {
namespace {

namespace mp = boost::multiprecision;

constexpr std::size_t kDigitsMax = 40;
constexpr int kExponentMax = 40;
constexpr int kPowerMax = 100;  // exp, ln and pow stay within 10^+-100

Integer power_of_ten(int exponent) { return mp::pow(Integer(10), unsigned(exponent)); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Digits {
  Integer value = 0;
  std::size_t count = 0;
};

Digits take_digits(std::string_view& text) {
  Digits digits;
  while (!text.empty() && is_digit(text.front()) && digits.count <= kDigitsMax) {
    digits.value = digits.value * 10 + int(text.front() - '0');
    ++digits.count;
    text.remove_prefix(1);
  }
  return digits;
}

std::optional<int> take_exponent(std::string_view& text) {
  if (text.empty() || (text.front() != 'e' && text.front() != 'E')) return 0;
  text.remove_prefix(1);
  const bool negative = !text.empty() && text.front() == '-';
  if (negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
  const Digits digits = take_digits(text);
  if (digits.count == 0 || digits.value > kExponentMax) return std::nullopt;
  return negative ? -digits.value.convert_to<int>() : digits.value.convert_to<int>();
}

std::optional<Rational> parse_decimal_number(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
  const Digits whole = take_digits(text);
  Digits fraction;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    fraction = take_digits(text);
    if (fraction.count == 0) return std::nullopt;
  }
  if (whole.count == 0 || whole.count + fraction.count > kDigitsMax) return std::nullopt;
  const auto exponent = take_exponent(text);
  if (!exponent || !text.empty()) return std::nullopt;
  const int scale = *exponent - int(fraction.count);
  const Integer digits = whole.value * power_of_ten(int(fraction.count)) + fraction.value;
  const Rational value = scale >= 0 ? Rational(digits * power_of_ten(scale)) : Rational(digits, power_of_ten(-scale));
  return negative ? -value : value;
}

Decimal50 to_decimal50(const Rational& x) { return Decimal50(mp::numerator(x)) / Decimal50(mp::denominator(x)); }

/// Through the decimal text, which is exact in both directions.
std::optional<Rational> to_rational(const Decimal50& x) {
  if (!(mp::isfinite)(x)) return std::nullopt;
  if (x == 0) return Rational(0);
  const std::string text = x.str(50, std::ios_base::scientific);
  const std::size_t e = text.find('e');
  const bool negative = text.front() == '-';
  std::string digits;
  for (const char c : std::string_view(text).substr(0, e))
    if (is_digit(c)) digits.push_back(c);
  const long exponent = std::stol(text.substr(e + 1)) - long(digits.size()) + 1;
  if (exponent > kPowerMax) return std::nullopt;
  if (exponent < -kPowerMax - 60) return Rational(0);
  const std::size_t first = digits.find_first_not_of('0');
  const Integer whole(first == std::string::npos ? "0" : digits.substr(first));
  const Rational value = exponent >= 0 ? Rational(whole * power_of_ten(int(exponent))) : Rational(whole, power_of_ten(int(-exponent)));
  return negative ? -value : value;
}

}  // namespace

std::optional<Rational> parse_number(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return parse_decimal_number(text);
  const auto top = parse_decimal_number(text.substr(0, slash));
  const auto bottom = parse_decimal_number(text.substr(slash + 1));
  if (!top || !bottom || *bottom == 0) return std::nullopt;
  return *top / *bottom;
}

Integer floor(const Rational& value) {
  const Integer top = mp::numerator(value), bottom = mp::denominator(value);
  const Integer quotient = top / bottom;
  return quotient * bottom > top ? quotient - 1 : quotient;
}

std::optional<std::int64_t> to_int64(const Integer& value) {
  if (value > INT64_MAX || value < INT64_MIN) return std::nullopt;
  return value.convert_to<std::int64_t>();
}

unsigned size_bits(const Rational& value) {
  const auto bits = [](const Integer& x) { return x == 0 ? 0U : unsigned(mp::msb(x < 0 ? Integer(-x) : x)) + 1; };
  return std::max(bits(mp::numerator(value)), bits(mp::denominator(value)));
}

std::string to_text(const Rational& value, int digits) {
  if (value < 0) return "-" + to_text(-value, digits);
  if (value == 0) return "0";
  const std::size_t whole_digits = floor(value) == 0 ? 0 : floor(value).str().size();
  int places = std::max(0, digits - int(whole_digits));
  if (whole_digits == 0)
    for (Rational tiny = value * 10; tiny < 1 && places < 120; tiny *= 10) ++places;
  const Integer rounded = floor(value * power_of_ten(places) + Rational(1, 2));
  std::string text = rounded.str();
  if (text.size() <= std::size_t(places)) text.insert(0, std::size_t(places) + 1 - text.size(), '0');
  if (places == 0) return text;
  text.insert(text.size() - std::size_t(places), ".");
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string to_grouped_text(const Rational& value, int digits) {
  std::string text = to_text(value, digits);
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::size_t begin = text.front() == '-' ? 1 : 0;
  for (std::size_t i = point; i > begin + 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::optional<Rational> exp_of(const Rational& x) {
  if (x > 230 || x < -1000) return x > 0 ? std::nullopt : std::optional<Rational>(0);
  return to_rational(mp::exp(to_decimal50(x)));
}

std::optional<Rational> ln_of(const Rational& x) {
  if (x <= 0) return std::nullopt;
  return to_rational(mp::log(to_decimal50(x)));
}

std::optional<Rational> pow_of(const Rational& x, const Rational& y) {
  if (y == 0) return Rational(1);
  if (x == 0) return y > 0 ? std::optional<Rational>(0) : std::nullopt;
  constexpr int kExactPowerMax = 8;  // small whole powers stay exact
  if (mp::denominator(y) == 1 && y <= kExactPowerMax && y > 0 && size_bits(x) < 256) {
    Rational power = 1;
    for (int i = 0; i < y; ++i) power *= x;
    return power;
  }
  if (x < 0) return std::nullopt;
  const auto log = ln_of(x);
  const Rational exponent = *log * y;
  if (exponent > 230) return std::nullopt;
  if (exponent < -1000) return Rational(0);
  return to_rational(mp::pow(to_decimal50(x), to_decimal50(y)));
}

}  // namespace tanhui::methodology
