// methodology/formula.h: the formula language, from text to a tree. What each construct means stands in docs/methodology-format.md.
#pragma once
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "methodology/number.h"
#include "methodology/units.h"

namespace tanhui::methodology {

struct Table;

enum class Op : std::uint8_t {
  number,
  name,
  field,
  word,  // leaves
  negate,
  add,
  subtract,
  multiply,
  divide,  // arithmetic
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  logical_and,
  logical_or,
  logical_not,
  choose,  // if a then b else c
  min,
  max,
  clamp,
  abs,
  round,
  exp,
  ln,
  pow,
  lookup,  // table[keys]
  sum,
  count,
};

/// What a tree node is after `check_formula` has named it.
enum class Leaf : std::uint8_t { none, input, parameter, step, year, region, loop_field };
enum class Type : std::uint8_t { number, truth, word, list, region, wrong };

struct Expr {
  Op op = Op::number;
  std::size_t begin = 0, end = 0;  // bytes of the formula's text
  std::string text;                // name, word, table or loop variable
  std::string field;               // x.field
  std::string unit_text;           // of a number
  Rational number;                 // of a number, in coherent units once checked
  std::vector<Expr> items;

  // Filled in by the check.
  Type type = Type::wrong;
  Dimension dimension;
  bool fits_any_unit = false;  // a plain 0
  Leaf leaf = Leaf::none;
  std::size_t slot = 0;   // index of the input, parameter, step or field
  std::size_t depth = 0;  // of the loop whose item a loop_field belongs to, outermost 0
  const Table* table = nullptr;
};

struct FormulaError {
  std::string message, hint;
  std::size_t begin = 0, end = 0;
};

/// `tables` are the names that may stand before `[`; they may contain hyphens, other names may not.
std::variant<Expr, FormulaError> parse_formula(std::string_view text, const std::set<std::string, std::less<>>& tables);

}  // namespace tanhui::methodology
