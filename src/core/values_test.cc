// The small values everything rests on: quantities, results, 128-bit integers, invariants.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <type_traits>

#include "core/int128.h"
#include "core/invariant.h"
#include "core/quantity.h"
#include "core/result.h"

namespace tanhui::core {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

template <class A, class B>
concept Addable = requires(A a, B b) {
  a + b;
};
static_assert(Addable<Milligrams, Milligrams>);
static_assert(!Addable<Milligrams, Points>, "milligrams must never meet points");

TEST(Quantity, SumsThatLeaveTheRangeThrow) {
  const struct {
    const char* why;
    char sign;
    std::int64_t a, b;
    std::optional<std::int64_t> expected;
  } rows[] = {
      {"plain", '+', 40, 2, 42},
      {"plain difference", '-', 40, 42, -2},
      {"one too many", '+', kMost, 1, std::nullopt},
      {"one too few", '-', kLeast, 1, std::nullopt},
      {"to the edge", '+', kMost - 1, 1, kMost},
      {"-1 minus the least is the most", '-', -1, kLeast, kMost},
      {"0 minus the least is one too many", '-', 0, kLeast, std::nullopt},
      {"a product", '*', 1 << 20, 1 << 20, std::int64_t{1} << 40},
      {"a product beyond", '*', kMost, 2, std::nullopt},
      {"the least has no opposite", '*', kLeast, -1, std::nullopt},
  };
  for (const auto& [why, sign, a, b, expected] : rows) {
    std::optional<std::int64_t> found;
    try {
      found = sign == '+'   ? (Milligrams{a} + Milligrams{b}).count
              : sign == '-' ? (Milligrams{a} - Milligrams{b}).count
                            : multiply_or_throw(a, b);
    } catch (const Overflow&) {}
    EXPECT_EQ(found, expected) << why;
  }
}

RC_GTEST_PROP(QuantityProperty, AgreesWithWiderIntegersOrThrows, (std::int64_t a, std::int64_t b)) {
  const bool stretch = *rc::gen::arbitrary<bool>();  // small numbers never overflow: shift half of the cases to the edge
  if (stretch) a = a > 0 ? kMost - a / 2 : kLeast - a / 2;
  const Int128 sum = Int128(a) + b, difference = Int128(a) - b;
  if (sum == std::int64_t(sum)) {
    RC_ASSERT((Points{a} + Points{b}).count == std::int64_t(sum));
  } else {
    RC_ASSERT_THROWS_AS((void)(Points{a} + Points{b}), Overflow);
  }
  if (difference == std::int64_t(difference)) {
    RC_ASSERT((Points{a} - Points{b}).count == std::int64_t(difference));
  } else {
    RC_ASSERT_THROWS_AS((void)(Points{a} - Points{b}), Overflow);
  }
}

TEST(Int128, TextAndFloor) {
  EXPECT_EQ(to_text(Int128{0}), "0");
  EXPECT_EQ(to_text(Int128(kMost) * 10), "92233720368547758070");
  EXPECT_EQ(to_text(Int128(Uint128{1} << 127)), "-170141183460469231731687303715884105728");
  EXPECT_EQ(to_text(floor_divide(7, 2)), "3");
  EXPECT_EQ(to_text(floor_divide(-7, 2)), "-4");
  EXPECT_EQ(to_text(floor_divide(-8, 2)), "-4");
}

Result<std::string> half(int number) {
  if (number % 2 == 0) return std::to_string(number / 2);
  return Error{ErrorCode::invalid_input, "half.odd", "7 is odd", "send an even number", {{"number", std::to_string(number)}}};
}

TEST(Result, EachSideIsReadOnlyWhenItIsThere) {
  const auto good = half(8), bad = half(7);
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, "4");
  EXPECT_EQ(good->size(), 1u);
  EXPECT_THROW((void)good.error(), WrongSide);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().id, "half.odd");
  EXPECT_EQ(bad.error().params.front().second, "7");
  EXPECT_THROW((void)*bad, WrongSide);
  EXPECT_THROW((void)bad->size(), WrongSide);
}

TEST(Result, AValueTakenFromATemporaryOutlivesIt) {
  static_assert(std::is_same_v<decltype(*half(2)), std::string>);
  std::string letters;
  for (const char c : *half(246)) letters.push_back(c);
  EXPECT_EQ(letters, "123");
}

TEST(Invariant, SpeaksOnlyWhenBroken) {
  EXPECT_NO_THROW(invariant(true, "never said"));
  try {
    invariant(false, "counts in equal counts out");
    FAIL() << "a broken invariant must throw";
  } catch (const InvariantBroken& broken) {
    EXPECT_NE(std::string(broken.what()).find("counts in equal counts out"), std::string::npos);
    EXPECT_NE(std::string(broken.what()).find("values_test.cc"), std::string::npos);
  }
}

}  // namespace
}  // namespace tanhui::core
