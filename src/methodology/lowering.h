// methodology/lowering.h: a formula for one region and year as operations on whole numbers. Every value is num * scale, num a whole
// number computed row by row, scale an exact ratio known beforehand; so units, factors and constants cost nothing per row.
#pragma once
#include <optional>
#include <vector>

#include "methodology/reference.h"

namespace tanhui::methodology {

enum class Code : std::uint8_t {
  column,    // a quantity of the row
  constant,  // k
  times,     // a * k
  add,       // a + b
  multiply,  // a * b
  min,
  max,
  abs,
  round,       // floor((a * k + l) / m)
  choose,      // c != 0 ? a : b
  less,        // a < b as 0 or 1
  less_equal,  // a <= b
  equal,       // a == b
  both,        // a and b
  either,      // a or b
  negation,    // not a
};

struct Operation {
  Code code = Code::constant;
  std::size_t a = 0, b = 0, c = 0;  // earlier operations; of a column, a is the input's place among the columns
  Integer k = 0, l = 0, m = 0;
  Integer low = 0, high = 0;  // what the result can be, from the inputs' bounds
  Integer widest = 0;         // the largest magnitude met while computing it
};

struct InputColumn {
  std::size_t input = 0;     // of the model
  std::size_t quantity = 0;  // of the activity
  Rational unit;             // coherent size of one base unit
  std::int64_t min = 0, max = 0;
  std::optional<std::int64_t> fallback;
};

struct Lowered {
  std::vector<Operation> operations;
  std::size_t result = 0;
  Rational scale;                  // kg CO2e of one unit of the result
  std::vector<LookupUse> lookups;  // rows that were met
};

/// The reduction over `columns`; nullopt when it cannot be said in whole numbers (a division by a quantity). Throws Refusal when a
/// table has no row. `inputs` holds the bound words and the defaults of inputs without a column.
std::optional<Lowered> lower(const Model& model, const std::vector<InputColumn>& columns, const std::vector<CaseValue>& inputs,
                             const std::vector<std::string>& chain, int year);

}  // namespace tanhui::methodology
