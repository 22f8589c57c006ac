#include "methodology/number.h"

#include <gtest/gtest.h>

namespace tanhui::methodology {
namespace {

TEST(Number, ReadsDecimalsAndRatiosExactly) {
  const struct {
    const char* text;
    std::int64_t numerator, denominator;
  } rows[] = {
      {"12", 12, 1},   {"-0.5", -1, 2},  {"0.0784", 49, 625}, {"63000/704000", 63, 704},
      {"1.5/3", 1, 2}, {"1e3", 1000, 1}, {"2.5E-3", 1, 400},  {"+7", 7, 1},
  };
  for (const auto& row : rows) EXPECT_EQ(parse_number(row.text), Rational(row.numerator, row.denominator)) << row.text;
  for (const char* wrong :
       {"", "-", ".", "1.", ".5", "1/0", "1/", "1//2", "1e", "1e99", "0x10", "1 2", "nan", "12345678901234567890123456789012345678901"})
    EXPECT_EQ(parse_number(wrong), std::nullopt) << wrong;
}

TEST(Number, FloorAndCeilBelowZeroToo) {
  EXPECT_EQ(floor(Rational(-7, 2)), -4);
  EXPECT_EQ(ceil(Rational(-7, 2)), -3);
  EXPECT_EQ(floor(Rational(6, 2)), 3);
  EXPECT_EQ(to_int64(Integer(INT64_MAX)), INT64_MAX);
  EXPECT_EQ(to_int64(Integer(INT64_MAX) + 1), std::nullopt);
}

TEST(Number, TextForPeople) {
  const struct {
    Rational value;
    const char *plain, *grouped;
  } rows[] = {
      {Rational(10192, 10), "1019.2", "1,019.2"},     {Rational(1, 3), "0.333333333333", "0.333333333333"}, {Rational(0), "0", "0"},
      {Rational(-1234567), "-1234567", "-1,234,567"}, {Rational(1, 1'000'000), "0.000001", "0.000001"},     {Rational(999), "999", "999"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(to_text(row.value), row.plain);
    EXPECT_EQ(to_grouped_text(row.value), row.grouped);
  }
}

TEST(Number, FiftyDigits) {
  // e and ln 2 to 40 digits, from tables.
  EXPECT_EQ(to_text(*exp_of(1), 40), "2.718281828459045235360287471352662497757");
  EXPECT_EQ(to_text(*ln_of(2), 40), "0.6931471805599453094172321214581765680755");
  EXPECT_EQ(to_text(*pow_of(2, Rational(1, 2)), 40), "1.41421356237309504880168872420969807857");
  EXPECT_EQ(pow_of(Rational(3, 2), 3), Rational(27, 8));
  EXPECT_EQ(exp_of(0), Rational(1));
  EXPECT_EQ(ln_of(0), std::nullopt);
  EXPECT_EQ(pow_of(-2, Rational(1, 2)), std::nullopt);
  EXPECT_EQ(pow_of(0, -1), std::nullopt);
  EXPECT_EQ(exp_of(100'000), std::nullopt);
  EXPECT_EQ(exp_of(-100'000), Rational(0));
}

}  // namespace
}  // namespace tanhui::methodology
