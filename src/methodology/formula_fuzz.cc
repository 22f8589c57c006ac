// libFuzzer: any bytes as a formula: a tree whose parts lie within the text and within each other, or one mistake that points into it.
#include "core/invariant.h"
#include "methodology/formula.h"

using namespace tanhui::methodology;
using tanhui::core::invariant;

namespace {

void check(const Expr& expr, std::size_t begin, std::size_t end) {
  invariant(begin <= expr.begin && expr.begin <= expr.end && expr.end <= end, "a part of a formula lies within the whole");
  for (const Expr& item : expr.items) check(item, begin, end);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::set<std::string, std::less<>> tables{"grid-factor", "default"};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = parse_formula(text, tables);
  if (const auto* problem = std::get_if<FormulaError>(&parsed)) {
    invariant(!problem->message.empty() && problem->begin <= problem->end && problem->end <= size + 1, "a mistake has a place and a word");
    return 0;
  }
  check(std::get<Expr>(parsed), 0, size);
  return 0;
}
