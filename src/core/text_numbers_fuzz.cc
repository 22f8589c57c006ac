// Any bytes as a decimal, a day or both: never a crash, and what is read is printed and read again as the same.
#include <string_view>

#include "core/decimal.h"
#include "core/invariant.h"
#include "core/time.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tanhui::core;  // NOLINT: a fuzz target is nobody's header
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char point : {'.', ','}) {
    const auto decimal = parse_decimal(text, point);
    if (!decimal) continue;
    for (const Factor factor : {Factor{1, 1}, Factor{1000, 1}, Factor{INT64_MAX, 1}, Factor{1609344, 1000}, Factor{1, INT64_MAX}}) {
      (void)scale_to_whole(*decimal, factor);
    }
    if (decimal->scale >= 0 && decimal->scale <= 18) {
      const auto again = parse_decimal(to_decimal_text(decimal->digits, decimal->scale));
      invariant(again == decimal, "a decimal that was printed is read as the same");
    }
  }
  if (const auto day = parse_day(text)) invariant(to_text(*day) == text, "a day that was read is printed as it stood");
  return 0;
}
