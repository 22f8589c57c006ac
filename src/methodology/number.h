// methodology/number.h: exact numbers. What a source prints as 0.0784 or 63000/704000 is kept as exactly that.
#pragma once
#include <boost/multiprecision/cpp_dec_float.hpp>
#include <boost/multiprecision/cpp_int.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tanhui::methodology {

using Integer = boost::multiprecision::number<boost::multiprecision::cpp_int_backend<>, boost::multiprecision::et_off>;
using Rational = boost::multiprecision::number<boost::multiprecision::cpp_rational_backend, boost::multiprecision::et_off>;
using Decimal50 = boost::multiprecision::number<boost::multiprecision::cpp_dec_float<50>, boost::multiprecision::et_off>;

/// "12", "-0.5", "1.2e-3", "63000/704000". At most 40 digits and an exponent within 40; nullopt when it is not a number.
std::optional<Rational> parse_number(std::string_view text);

Integer floor(const Rational& value);
inline Integer ceil(const Rational& value) { return -floor(-value); }
std::optional<std::int64_t> to_int64(const Integer& value);

/// Bits of the larger of numerator and denominator: what bounds the cost of the next operation.
unsigned size_bits(const Rational& value);

/// For people: the exact decimal when it has at most `digits` significant digits, else rounded half up to them.
std::string to_text(const Rational& value, int digits = 12);
/// With thousands separated by a comma, as in "1,019.2".
std::string to_grouped_text(const Rational& value, int digits = 12);

/// exp, ln and pow of projects: 50 significant decimal digits. nullopt when the result is undefined or leaves 10^+-100.
std::optional<Rational> exp_of(const Rational& x);
std::optional<Rational> ln_of(const Rational& x);
std::optional<Rational> pow_of(const Rational& x, const Rational& y);

}  // namespace tanhui::methodology
