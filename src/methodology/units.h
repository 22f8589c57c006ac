// methodology/units.h: units of measure. UDUNITS-2 knows the names; counting units and the tags of gases are added as base units, so
// that a person never cancels against a trip and a mass never passes for a mass of CO2 equivalent. Scales are exact ratios.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "methodology/number.h"

namespace tanhui::methodology {

constexpr std::size_t kBaseUnits = 48;

/// Exponents of the base units: metre, kilogram, second, ... person, trip, ... CO2e, CH4, N2O, gas.
struct Dimension {
  std::array<std::int8_t, kBaseUnits> exponents{};
  bool is_plain() const;  // a plain number
  friend bool operator==(const Dimension&, const Dimension&) = default;
};
/// Exponents saturate at +-127: nobody writes such a unit, and no input may overflow.
Dimension operator*(const Dimension& a, const Dimension& b);
Dimension operator/(const Dimension& a, const Dimension& b);

struct Unit {
  Rational scale = 1;  // how many coherent base units (m, kg, s, ...) one of it is
  Dimension dimension;
};

struct UnitError {
  std::string message, hint;
  std::size_t offset = 0, length = 0;  // within the text
};

/// Reads "kg CO2e/(person km)": products by a space, `.` or `*`, quotients by `/`, powers as m2 or m^2, from left to right.
std::variant<Unit, UnitError> parse_unit(std::string_view text);
/// For units written in this program.
Unit unit_of(std::string_view text);

/// A readable unit of this dimension and its scale: "kWh", "kg CO2e/(person km)", "1".
struct NamedUnit {
  std::string text;
  Rational scale;
};
NamedUnit name_of(const Dimension& dimension);
inline std::string to_text(const Dimension& dimension) { return name_of(dimension).text; }

Dimension mass_of_co2e();
/// The dimension without its counting units (person, trip, ...): "person km" is a length.
Dimension without_counts(const Dimension& dimension);
/// The dimension with the tag CO2e when it is a bare mass: "1019 g" of a result.
Dimension with_co2e(const Dimension& dimension);

}  // namespace tanhui::methodology
