// The columnar evaluator. Which loop runs was decided when the program was compiled: the ranges of all intermediate numbers are known
// then, so no loop checks for overflow.
#include <bit>

#include "core/int128.h"
#include "core/invariant.h"
#include "methodology/loader.h"
#include "methodology/lowering.h"

namespace tanhui::methodology {
namespace {

using core::Int128;
using core::Uint128;

constexpr std::size_t kBlock = 512;  // rows whose intermediate numbers stay in the first-level cache

/// Division by a number known beforehand, as a multiplication: exact for 0 <= n < 2^63.
class Divider {
 public:
  Divider() = default;
  explicit Divider(std::uint64_t divisor) : shift_(63 + int(std::bit_width(divisor - 1))) {
    const Uint128 power = Uint128(1) << shift_;
    factor_ = std::uint64_t((power + divisor - 1) / divisor);
  }
  std::int64_t quotient(std::int64_t n) const { return std::int64_t((Uint128(std::uint64_t(n)) * factor_) >> shift_); }

 private:
  int shift_ = 63;
  std::uint64_t factor_ = std::uint64_t(1) << 63;
};

template <class Number>
struct Instruction {
  Code code = Code::constant;
  std::size_t a = 0, b = 0, c = 0;
  Number k = 0, l = 0, m = 0;
};

template <class Number>
Number to_number(const Integer& value) {
  if constexpr (sizeof(Number) == 8)
    return value.convert_to<std::int64_t>();
  else
    return value.convert_to<boost::multiprecision::int128_t>().template convert_to<Int128>();
}

template <class Number>
Number floor_quotient(Number numerator, Number denominator) {
  const Number quotient = numerator / denominator;
  return quotient * denominator > numerator ? quotient - 1 : quotient;
}

template <class Number>
struct Code128Or64 {
  std::vector<Instruction<Number>> instructions;
  std::size_t result = 0;
  Number numerator = 1, denominator = 1;  // milligrams of one unit of the result

  /// `columns` hold rows that are within bounds, defaults put in.
  void run(const std::vector<const std::int64_t*>& columns, std::size_t rows, std::vector<Number>& registers) const {
    for (std::size_t i = 0; i < instructions.size(); ++i) {
      const Instruction<Number>& in = instructions[i];
      Number* out = &registers[i * kBlock];
      const Number *a = &registers[in.a * kBlock], *b = &registers[in.b * kBlock], *c = &registers[in.c * kBlock];
      const auto each = [&](auto value) {
        for (std::size_t row = 0; row < rows; ++row) out[row] = value(row);
      };
      switch (in.code) {
        case Code::column: {
          const std::int64_t* column = columns[in.a];
          each([&](std::size_t row) { return Number(column[row]); });
          break;
        }
        case Code::constant:
          each([&](std::size_t) { return in.k; });
          break;
        case Code::times:
          each([&](std::size_t row) { return Number(a[row] * in.k); });
          break;
        case Code::add:
          each([&](std::size_t row) { return Number(a[row] + b[row]); });
          break;
        case Code::multiply:
          each([&](std::size_t row) { return Number(a[row] * b[row]); });
          break;
        case Code::min:
          each([&](std::size_t row) { return std::min(a[row], b[row]); });
          break;
        case Code::max:
          each([&](std::size_t row) { return std::max(a[row], b[row]); });
          break;
        case Code::abs:
          each([&](std::size_t row) { return a[row] < 0 ? Number(-a[row]) : a[row]; });
          break;
        case Code::round:
          each([&](std::size_t row) { return floor_quotient<Number>(a[row] * in.k + in.l, in.m); });
          break;
        case Code::choose:
          each([&](std::size_t row) { return c[row] != 0 ? a[row] : b[row]; });
          break;
        case Code::less:
          each([&](std::size_t row) { return Number(a[row] < b[row]); });
          break;
        case Code::less_equal:
          each([&](std::size_t row) { return Number(a[row] <= b[row]); });
          break;
        case Code::equal:
          each([&](std::size_t row) { return Number(a[row] == b[row]); });
          break;
        case Code::both:
          each([&](std::size_t row) { return Number(a[row] != 0 && b[row] != 0); });
          break;
        case Code::either:
          each([&](std::size_t row) { return Number(a[row] != 0 || b[row] != 0); });
          break;
        case Code::negation:
          each([&](std::size_t row) { return Number(a[row] == 0); });
          break;
      }
    }
  }
};

template <class Number>
Code128Or64<Number> translate(const Lowered& lowered, const Integer& numerator, const Integer& denominator) {
  Code128Or64<Number> code;
  for (const Operation& operation : lowered.operations) {
    Instruction<Number> in{.code = operation.code, .a = operation.a, .b = operation.b, .c = operation.c};
    in.k = to_number<Number>(operation.k);
    in.l = to_number<Number>(operation.l);
    in.m = to_number<Number>(operation.m);
    code.instructions.push_back(in);
  }
  code.result = lowered.result;
  code.numerator = to_number<Number>(numerator);
  code.denominator = to_number<Number>(denominator);
  return code;
}

}  // namespace

struct Program::State {
  Path path = Path::exact;
  Status status = Status::official;
  std::vector<InputColumn> columns;
  std::string factor_text;

  // linear: milligrams = quantity * factor / divisor
  std::int64_t factor = 0;
  Divider divider;
  Code128Or64<std::int64_t> narrow;
  Code128Or64<Int128> wide;

  // exact
  std::shared_ptr<const Model> model;
  std::vector<CaseValue> inputs;  // words and defaults
  std::vector<std::string> chain;
  int year = 0;

  void choose_path(const Lowered& lowered);
  void evaluate_linear(std::span<const std::int64_t> column, std::span<std::int64_t> milligrams, std::span<std::uint8_t> flags) const;
  void evaluate_blocks(std::span<const std::span<const std::int64_t>> quantities, std::span<std::int64_t> milligrams,
                       std::span<std::uint8_t> flags) const;
  void evaluate_exact(const std::vector<const std::int64_t*>& columns_of_block, std::size_t rows, std::int64_t* milligrams,
                      std::uint8_t* flags) const;
  void fill(std::span<const std::span<const std::int64_t>> quantities, std::size_t begin, std::size_t rows,
            std::vector<std::int64_t>& values, std::uint8_t* flags) const;
};

namespace {

/// How the act's records fill the inputs of the formula.
core::Status read_inputs(const Library& library, const Methodology& methodology, const Served& served, std::vector<InputColumn>& columns,
                         std::vector<CaseValue>& inputs) {
  const Model& model = *methodology.model;
  const ActivityType& type = library.activities()[served.activity];
  inputs.resize(model.inputs.size());
  for (std::size_t i = 0; i < model.inputs.size(); ++i) {
    const InputSpec& spec = model.inputs[i];
    if (spec.kind == InputSpec::Kind::word) {
      const auto bound = served.words.find(spec.name);
      inputs[i].word = bound != served.words.end() ? bound->second : spec.fallback_word.value_or("");
      continue;
    }
    inputs[i].number = spec.fallback;
    for (std::size_t q = 0; q < type.quantities.size(); ++q) {
      if (type.quantities[q].name != spec.name || !served.bounds[q]) continue;
      const auto unit = scale_of(spec, type.quantities[q]);
      core::invariant(unit.has_value(), "a loaded methodology fits the activities it serves");
      InputColumn column{
          .input = i, .quantity = q, .unit = *unit, .min = served.bounds[q]->min, .max = served.bounds[q]->max, .fallback = std::nullopt};
      if (spec.fallback) column.fallback = to_int64(*spec.fallback < 0 ? ceil(*spec.fallback / *unit) : floor(*spec.fallback / *unit));
      columns.push_back(column);
    }
  }
  return core::Done{};
}

}  // namespace

core::Result<Program> Program::compile(const Library& library, const Methodology& methodology, std::string_view region, int year,
                                       std::size_t activity) {
  const Served* served = methodology.find_activity(activity);
  if (served == nullptr)
    return core::Error{core::ErrorCode::refused,
                       "methodology.other-activity",
                       fmt::format("methodology '{}' does not quantify '{}'", methodology.id,
                                   activity < library.activities().size() ? library.activities()[activity].id : "?"),
                       "choose a methodology by activity, region and day",
                       {{"methodology", methodology.id}}};
  auto state = std::make_shared<State>();
  state->model = methodology.model;
  state->chain = library.region_chain(region);
  state->year = year;
  if (auto read = read_inputs(library, methodology, *served, state->columns, state->inputs); !read) return read.error();
  try {
    for (const Parameter& parameter : methodology.parameters)
      if (parameter.used) state->status = std::max(state->status, parameter.status);
    if (const auto lowered = lower(*methodology.model, state->columns, state->inputs, state->chain, year)) {
      for (const LookupUse& use : lowered->lookups) state->status = std::max(state->status, use.row->status);
      state->choose_path(*lowered);
    } else {
      state->status = methodology.status;
    }
  } catch (const Refusal& refusal) {
    return core::Error{core::ErrorCode::refused,
                       "methodology.not-computable",
                       fmt::format("'{}' in region {} and year {}: {}", methodology.id, region, year, refusal.message),
                       refusal.action,
                       {{"methodology", methodology.id}, {"region", std::string(region)}, {"year", std::to_string(year)}}};
  }
  return Program(std::move(state));
}

void Program::State::choose_path(const Lowered& lowered) {
  const Rational milligrams = lowered.scale * 1'000'000;
  const Integer top = boost::multiprecision::numerator(milligrams), bottom = boost::multiprecision::denominator(milligrams);
  const Operation& last = lowered.operations[lowered.result];
  const auto magnitude = [](const Integer& x) { return x < 0 ? Integer(-x) : x; };
  Integer widest = std::max(magnitude(last.low), magnitude(last.high)) * magnitude(top) + bottom;
  for (const Operation& operation : lowered.operations)
    widest = std::max({widest, operation.widest, magnitude(operation.k), magnitude(operation.l), magnitude(operation.m)});
  const Integer limit64 = Integer(1) << 62, limit128 = Integer(1) << 125;
  if (widest < limit64 && last.code == Code::column && columns.size() == 1 && last.low >= 0 && top > 0) {
    path = Path::linear;
    factor = top.convert_to<std::int64_t>();
    divider = Divider(bottom.convert_to<std::uint64_t>());
    factor_text = fmt::format("{}{} mg per base unit", top.str(), bottom == 1 ? "" : "/" + bottom.str());
  } else if (widest < limit64) {
    path = Path::narrow;
    narrow = translate<std::int64_t>(lowered, top, bottom);
    divider = Divider(bottom.convert_to<std::uint64_t>());
  } else if (widest < limit128) {
    path = Path::wide;
    wide = translate<Int128>(lowered, top, bottom);
  }
}

void Program::evaluate(std::span<const std::span<const std::int64_t>> quantities, std::span<std::int64_t> milligrams,
                       std::span<std::uint8_t> flags) const {
  core::invariant(milligrams.size() == flags.size(), "there is a flag for every row");
  for (const auto& column : quantities) core::invariant(column.empty() || column.size() == milligrams.size(), "columns have one length");
  if (milligrams.empty()) return;
  const State& state = *state_;
  if (state.path == Path::linear) {
    const std::size_t quantity = state.columns[0].quantity;
    const bool given = quantity < quantities.size() && !quantities[quantity].empty();
    if (given) return state.evaluate_linear(quantities[quantity], milligrams, flags);
  }
  state.evaluate_blocks(quantities, milligrams, flags);
}

void Program::State::evaluate_linear(std::span<const std::int64_t> column, std::span<std::int64_t> milligrams,
                                     std::span<std::uint8_t> flags) const {
  const std::int64_t low = columns[0].min, high = columns[0].max, times = factor;
  const std::uint64_t width = std::uint64_t(high) - std::uint64_t(low);
  const Divider by = divider;
  const std::optional<std::int64_t> fallback = columns[0].fallback;
  for (std::size_t row = 0; row < column.size(); ++row) {
    std::int64_t quantity = column[row];
    bool inside = std::uint64_t(quantity) - std::uint64_t(low) <= width;  // one comparison for both bounds
    if (!inside && fallback && quantity == INT64_MIN) [[unlikely]] {
      quantity = *fallback;
      inside = true;
    }
    milligrams[row] = by.quotient((inside ? quantity : 0) * times);
    flags[row] = inside ? kQuantified : kOutOfBounds;
  }
}

/// Values of one block, column after column: defaults put in, and for rows out of bounds the least value, which is safe to compute with.
void Program::State::fill(std::span<const std::span<const std::int64_t>> quantities, std::size_t begin, std::size_t rows,
                          std::vector<std::int64_t>& values, std::uint8_t* flags) const {
  std::fill(flags, flags + rows, std::uint8_t(kQuantified));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const InputColumn& column = columns[i];
    std::int64_t* out = &values[i * kBlock];
    const bool given = column.quantity < quantities.size() && !quantities[column.quantity].empty();
    for (std::size_t row = 0; row < rows; ++row) {
      const std::int64_t value = given ? quantities[column.quantity][begin + row] : INT64_MIN;
      if (value == INT64_MIN && column.fallback) {
        out[row] = *column.fallback;
      } else if (value < column.min || value > column.max) {
        out[row] = column.min;
        flags[row] = kOutOfBounds;
      } else {
        out[row] = value;
      }
    }
  }
}

namespace {

/// Rounds the result down, once; below zero counts as zero.
template <class Number, class Quotient>
void finish(const Number* result, Number factor, std::size_t rows, std::int64_t* milligrams, std::uint8_t* flags, Quotient quotient) {
  for (std::size_t row = 0; row < rows; ++row) {
    const Number numerator = result[row] * factor;
    if (numerator < 0) flags[row] |= flags[row] == kQuantified ? kNegative : 0;
    const Number whole = numerator <= 0 || (flags[row] & kOutOfBounds) != 0 ? 0 : quotient(numerator);
    if (whole > INT64_MAX) flags[row] |= kNoResult;
    milligrams[row] = whole > INT64_MAX ? 0 : std::int64_t(whole);
  }
}

}  // namespace

void Program::State::evaluate_blocks(std::span<const std::span<const std::int64_t>> quantities, std::span<std::int64_t> milligrams,
                                     std::span<std::uint8_t> flags) const {
  std::vector<std::int64_t> values(std::max<std::size_t>(columns.size(), 1) * kBlock);
  std::vector<const std::int64_t*> starts;
  for (std::size_t i = 0; i < columns.size(); ++i) starts.push_back(&values[i * kBlock]);
  std::vector<std::int64_t> narrow_registers(narrow.instructions.size() * kBlock);
  std::vector<Int128> wide_registers(wide.instructions.size() * kBlock);
  for (std::size_t begin = 0; begin < milligrams.size(); begin += kBlock) {
    const std::size_t rows = std::min(kBlock, milligrams.size() - begin);
    std::uint8_t* flag = &flags[begin];
    std::int64_t* mass = &milligrams[begin];
    fill(quantities, begin, rows, values, flag);
    switch (path) {
      case Path::linear:
        for (std::size_t row = 0; row < rows; ++row) mass[row] = flag[row] == kQuantified ? divider.quotient(values[row] * factor) : 0;
        break;
      case Path::narrow:
        narrow.run(starts, rows, narrow_registers);
        finish(&narrow_registers[narrow.result * kBlock], narrow.numerator, rows, mass, flag,
               [&](std::int64_t n) { return divider.quotient(n); });
        break;
      case Path::wide:
        wide.run(starts, rows, wide_registers);
        finish(&wide_registers[wide.result * kBlock], wide.numerator, rows, mass, flag, [&](Int128 n) { return n / wide.denominator; });
        break;
      case Path::exact:
        evaluate_exact(starts, rows, mass, flag);
        break;
    }
  }
}

void Program::State::evaluate_exact(const std::vector<const std::int64_t*>& columns_of_block, std::size_t rows, std::int64_t* milligrams,
                                    std::uint8_t* flags) const {
  std::vector<CaseValue> values = inputs;
  for (std::size_t row = 0; row < rows; ++row) {
    milligrams[row] = 0;
    if (flags[row] != kQuantified) continue;
    for (std::size_t i = 0; i < columns.size(); ++i) values[columns[i].input].number = Rational(columns_of_block[i][row]) * columns[i].unit;
    try {
      Reference reference(*model, values, chain, year);
      const Rational reduction = reference.reduction() * 1'000'000;
      if (reduction < 0)
        flags[row] = kNegative;
      else if (const auto whole = to_int64(floor(reduction)))
        milligrams[row] = *whole;
      else
        flags[row] = kNoResult;
    } catch (const Refusal&) {
      flags[row] = kNoResult;
    }
  }
}

Program::Path Program::path() const { return state_->path; }
Status Program::status() const { return state_->status; }
std::string Program::factor_text() const { return state_->factor_text; }

}  // namespace tanhui::methodology
