// libFuzzer: any bytes as a unit or an exact number: a unit's name for people is read as the same unit, a number that is printed whole as
// the same number.
#include <algorithm>

#include "core/invariant.h"
#include "methodology/units.h"

using namespace tanhui::methodology;
using tanhui::core::invariant;

namespace {

/// Powers are read with up to two digits; a litre to the 39th is a metre to the 117th, which nobody writes.
bool is_writable(const Dimension& dimension) {
  return std::all_of(dimension.exponents.begin(), dimension.exponents.end(),
                     [](int exponent) { return -99 <= exponent && exponent <= 99; });
}

void check_unit(std::string_view text) {
  const auto parsed = parse_unit(text);
  if (const auto* problem = std::get_if<UnitError>(&parsed))
    return invariant(!problem->message.empty() && problem->offset + problem->length <= text.size() + 1, "a mistake has a place and a word");
  const Unit& unit = std::get<Unit>(parsed);
  invariant(unit.scale > 0, "a unit is more than nothing");
  if (!is_writable(unit.dimension)) return;
  const NamedUnit named = name_of(unit.dimension);
  const auto again = parse_unit(named.text);
  const auto* read = std::get_if<Unit>(&again);
  invariant(read != nullptr && read->dimension == unit.dimension && read->scale == named.scale, "a unit's name is read as the unit");
}

void check_number(std::string_view text) {
  const auto number = parse_number(text);
  if (!number) return;
  const std::string text_shown = to_text(*number);
  const auto shown = parse_number(text_shown);
  constexpr std::size_t kReadable = 40;  // digits; very small numbers are shown with more zeros
  invariant(shown ? to_text(*shown) == text_shown : text_shown.size() > kReadable, "a number that is shown is read as what is shown");
  const Integer whole = floor(*number);
  invariant(Rational(whole) <= *number && *number < Rational(whole) + 1, "a number lies above its floor");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_unit(text);
  check_number(text);
  return 0;
}
