#include "methodology/units.h"

#include <gtest/gtest.h>

namespace tanhui::methodology {
namespace {

TEST(Units, ScalesAreExact) {
  const struct {
    const char *unit, *same_as;
    std::int64_t numerator, denominator;  // unit = numerator / denominator * same_as
  } rows[] = {
      {"km", "m", 1000, 1},
      {"kWh", "Wh", 1000, 1},
      {"kWh", "J", 3'600'000, 1},
      {"MWh", "GJ", 36, 10},
      {"tce", "GJ", 293'076, 10'000},
      {"mu", "m2", 20'000, 30},
      {"ha", "mu", 15, 1},
      {"mL", "L", 1, 1000},
      {"Nm3", "L", 1000, 1},
      {"t CO2e/MWh", "kg CO2e/kWh", 1, 1},
      {"g CO2e/(kW h)", "kg CO2e/MWh", 1, 1},
      {"h", "min", 60, 1},
      {"day", "h", 24, 1},
      {"%", "1", 1, 100},
      {"ppm", "1", 1, 1'000'000},
      {"L/(100 km)", "L/km", 1, 100},
      {"persons", "person", 1, 1},
      {"m^2", "m2", 1, 1},
      {"m3 m^-1", "m2", 1, 1},
      {"kg/person/km", "kg/(person km)", 1, 1},
      {"year", "d", 0, 1},  // an astronomical year: only the dimension is compared
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.unit);
    const auto unit = parse_unit(row.unit), other = parse_unit(row.same_as);
    ASSERT_TRUE(std::holds_alternative<Unit>(unit));
    ASSERT_TRUE(std::holds_alternative<Unit>(other));
    EXPECT_EQ(std::get<Unit>(unit).dimension, std::get<Unit>(other).dimension);
    if (row.numerator == 0) continue;
    EXPECT_EQ(std::get<Unit>(unit).scale, std::get<Unit>(other).scale * Rational(row.numerator, row.denominator));
  }
}

TEST(Units, DifferentThingsStayDifferent) {
  const std::pair<const char*, const char*> rows[] = {
      {"kg CO2e", "kg"}, {"kg CH4", "kg N2O"},    {"kg gas", "kg CH4"}, {"person km", "km"},
      {"trip", "1"},     {"person", "household"}, {"yuan", "1"},        {"mu", "u"},
  };
  for (const auto& [a, b] : rows) EXPECT_NE(unit_of(a).dimension, unit_of(b).dimension) << a << " and " << b;
}

TEST(Units, CountsAndTagsCanBeLeftOut) {
  EXPECT_EQ(without_counts(unit_of("person km").dimension), unit_of("m").dimension);
  EXPECT_EQ(without_counts(unit_of("trip").dimension), Dimension{});
  EXPECT_EQ(with_co2e(unit_of("t").dimension), mass_of_co2e());
  EXPECT_NE(with_co2e(unit_of("t CH4").dimension), mass_of_co2e());
  EXPECT_EQ(unit_of("kg CO2e/(kg CH4)").dimension * unit_of("t CH4").dimension, mass_of_co2e());
}

TEST(Units, ReadableNames) {
  const std::pair<const char*, const char*> rows[] = {
      {"t CO2e", "kg CO2e"},
      {"g CO2e/(person km)", "kg CO2e/(person m)"},
      {"MWh", "kWh"},
      {"kg CO2e/GJ", "kg CO2e/kWh"},
      {"1", "1"},
      {"1/year", "1/s"},
      {"kg CO2e/(kg CH4)", "CO2e/CH4"},
      {"kg/person", "kg/person"},
      {"km2", "m2"},
  };
  for (const auto& [unit, text] : rows) EXPECT_EQ(to_text(unit_of(unit).dimension), text) << unit;
}

TEST(Units, WrongOnesSayWhatAndWhere) {
  const struct {
    const char* unit;
    const char* message;
    std::size_t offset, length;
  } rows[] = {
      {"kmm", "'kmm' is not a unit", 0, 3},
      {"kg/(person kmm)", "'kmm' is not a unit", 11, 3},
      {"kg/(person km", "'(' has no closing parenthesis", 3, 1},
      {"kg/", "'kg/' ends where a unit should follow", 0, 3},
      {"kg CO2", "'CO2' is not a unit", 3, 3},
      {"degC", "'degC' has its zero elsewhere and cannot be multiplied", 0, 4},
      {"kg)", "')' does not belong to a unit", 2, 1},
      {"", "'' ends where a unit should follow", 0, 0},
      {"GGGGGm", "'GGGGGm' is not a unit", 0, 6},
      {"km^x", "'^' needs a whole exponent", 2, 1},
  };
  for (const auto& row : rows) {
    const auto unit = parse_unit(row.unit);
    const auto* error = std::get_if<UnitError>(&unit);
    ASSERT_NE(error, nullptr) << row.unit;
    EXPECT_EQ(error->message, row.message);
    EXPECT_EQ(error->offset, row.offset) << row.unit;
    EXPECT_EQ(error->length, row.length) << row.unit;
  }
}

}  // namespace
}  // namespace tanhui::methodology
