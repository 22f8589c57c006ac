// core/quantity.h: whole numbers that carry their unit, so that grams never meet metres by accident.
#pragma once
#include <compare>
#include <cstdint>
#include <stdexcept>

namespace tanhui::core {

struct Overflow : std::overflow_error {
  using std::overflow_error::overflow_error;
};

/// Sums that would leave int64 throw: doubt is rolled back, never wrapped.
constexpr std::int64_t add_or_throw(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw Overflow("a sum leaves the range of 64-bit integers");
  return sum;
}
constexpr std::int64_t multiply_or_throw(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw Overflow("a product leaves the range of 64-bit integers");
  return product;
}

constexpr std::int64_t subtract_or_throw(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(a, b, &difference)) throw Overflow("a difference leaves the range of 64-bit integers");
  return difference;
}

template <class Unit>
struct Quantity {
  std::int64_t count = 0;
  friend constexpr auto operator<=>(Quantity, Quantity) = default;
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return {add_or_throw(a.count, b.count)}; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return {subtract_or_throw(a.count, b.count)}; }
  constexpr Quantity& operator+=(Quantity other) { return *this = *this + other; }
};

using Milligrams = Quantity<struct MilligramsTag>;  // of CO2 equivalent
using Points = Quantity<struct PointsTag>;

}  // namespace tanhui::core
