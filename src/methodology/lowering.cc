#include "methodology/lowering.h"

#include "core/invariant.h"

namespace tanhui::methodology {
namespace {

namespace mp = boost::multiprecision;

struct Inexpressible {};

/// A number: constant, or operation * scale. A truth: constant, or an operation of 0 and 1.
struct Value {
  bool is_constant = true;
  Rational number;  // of a constant; 0 or 1 for a truth
  std::size_t at = 0;
  Rational scale = 1;
};

Value constant(Rational number) { return {true, std::move(number), 0, 1}; }

Integer magnitude(const Integer& x) { return x < 0 ? Integer(-x) : x; }

/// The greatest ratio of which both are whole multiples.
Rational common_measure(const Rational& a, const Rational& b) {
  const Integer cross = mp::gcd(mp::numerator(a) * mp::denominator(b), mp::numerator(b) * mp::denominator(a));
  return Rational(cross, mp::denominator(a) * mp::denominator(b));
}

class Lowering {
 public:
  Lowering(const Model& model, const std::vector<InputColumn>& columns, const std::vector<CaseValue>& inputs,
           const std::vector<std::string>& chain, int year)
      : model_(model), columns_(columns), chain_(chain), reference_(model, inputs, chain, year), steps_(model.steps.size()) {}

  Lowered run() {
    Value total = model_.reduction ? step(*model_.reduction) : step(*model_.baseline);
    for (const auto& part : {model_.project, model_.leakage})
      if (part) total = add(total, times(step(*part), -1));
    Lowered lowered;
    lowered.result = whole(total).at;
    lowered.scale = total.is_constant ? (total.number == 0 ? Rational(1) : total.number) : total.scale;
    lowered.operations = std::move(operations_);
    lowered.lookups = reference_.lookups();
    lowered.lookups.insert(lowered.lookups.end(), lookups_.begin(), lookups_.end());
    return lowered;
  }

 private:
  // ---- which parts depend on the row

  bool varies(const Expr& expr) {
    if (expr.leaf == Leaf::input && expr.type == Type::number) return column_of(expr.slot).has_value();
    if (expr.leaf == Leaf::step) return varies(model_.steps[expr.slot].expr);
    return std::any_of(expr.items.begin(), expr.items.end(), [&](const Expr& item) { return varies(item); });
  }
  std::optional<std::size_t> column_of(std::size_t input) const {
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (columns_[i].input == input) return i;
    return std::nullopt;
  }

  // ---- operations with their ranges

  std::size_t emit(Operation operation, std::initializer_list<Integer> ends, const Integer& inner = 0) {
    operation.low = std::min(ends);
    operation.high = std::max(ends);
    operation.widest = std::max({magnitude(operation.low), magnitude(operation.high), magnitude(inner)});
    operations_.push_back(std::move(operation));
    constexpr std::size_t kOperationsMax = 4000;
    if (operations_.size() > kOperationsMax) throw Inexpressible{};
    return operations_.size() - 1;
  }
  const Operation& at(std::size_t index) const { return operations_[index]; }

  static Operation make(Code code, std::size_t a, std::size_t b = 0, std::size_t c = 0) {
    Operation operation;
    operation.code = code;
    operation.a = a;
    operation.b = b;
    operation.c = c;
    return operation;
  }

  std::size_t emit_constant(const Integer& k) {
    Operation operation = make(Code::constant, 0);
    operation.k = k;
    return emit(std::move(operation), {k});
  }
  std::size_t emit_times(std::size_t a, const Integer& k) {
    if (k == 1) return a;
    Operation operation = make(Code::times, a);
    operation.k = k;
    return emit(std::move(operation), {at(a).low * k, at(a).high * k}, k);
  }

  /// As an operation: a constant becomes 1 with itself as the scale, so that it can meet other scales exactly.
  Value whole(const Value& value) {
    if (!value.is_constant) return value;
    const bool zero = value.number == 0;
    return {false, 0, emit_constant(zero ? 0 : 1), zero ? Rational(1) : value.number};
  }

  struct Pair {
    std::size_t a, b;
    Rational scale;
  };
  /// Both under one scale.
  Pair align(const Value& first, const Value& second) {
    if (first.is_constant && second.is_constant) return align(whole(first), whole(second));
    if (first.is_constant || second.is_constant) {
      const Value& fixed = first.is_constant ? first : second;
      const Value& moving = first.is_constant ? second : first;
      const Rational scale = fixed.number == 0 ? magnitude_of(moving.scale) : common_measure(moving.scale, fixed.number);
      const std::size_t moved = emit_times(moving.at, mp::numerator(Rational(moving.scale / scale)));
      const std::size_t kept = emit_constant(mp::numerator(Rational(fixed.number / scale)));
      return first.is_constant ? Pair{kept, moved, scale} : Pair{moved, kept, scale};
    }
    const Rational scale = common_measure(first.scale, second.scale);
    const std::size_t a = emit_times(first.at, mp::numerator(Rational(first.scale / scale)));
    return {a, emit_times(second.at, mp::numerator(Rational(second.scale / scale))), scale};
  }
  static Rational magnitude_of(const Rational& x) { return x < 0 ? -x : x; }

  // ---- arithmetic of values

  static Value times(const Value& value, const Rational& factor) {
    if (value.is_constant) return constant(value.number * factor);
    if (factor == 0) return constant(0);
    return {false, 0, value.at, value.scale * factor};
  }
  Value add(const Value& first, const Value& second) {
    if (first.is_constant && second.is_constant) return constant(first.number + second.number);
    if (first.is_constant && first.number == 0) return second;
    if (second.is_constant && second.number == 0) return first;
    const Pair pair = align(first, second);
    return {false, 0, emit(make(Code::add, pair.a, pair.b), {at(pair.a).low + at(pair.b).low, at(pair.a).high + at(pair.b).high}),
            pair.scale};
  }
  Value multiply(const Value& first, const Value& second) {
    if (first.is_constant) return times(second, first.number);
    if (second.is_constant) return times(first, second.number);
    const Operation &a = at(first.at), &b = at(second.at);
    const Integer ends[] = {a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high};
    return {false, 0, emit(make(Code::multiply, first.at, second.at), {ends[0], ends[1], ends[2], ends[3]}), first.scale * second.scale};
  }
  Value least(const Value& first, const Value& second, bool is_min) {
    if (first.is_constant && second.is_constant)
      return constant(is_min ? std::min(first.number, second.number) : std::max(first.number, second.number));
    const Pair pair = align(first, second);
    const Operation a = at(pair.a), b = at(pair.b);
    const Integer low = is_min ? std::min(a.low, b.low) : std::max(a.low, b.low);
    const Integer high = is_min ? std::min(a.high, b.high) : std::max(a.high, b.high);
    return {false, 0, emit(make(is_min ? Code::min : Code::max, pair.a, pair.b), {low, high}), pair.scale};
  }
  Value choose(const Value& condition, const Value& yes, const Value& no) {
    const Pair pair = align(yes, no);
    const Operation a = at(pair.a), b = at(pair.b);
    return {false, 0, emit(make(Code::choose, pair.a, pair.b, condition.at), {std::min(a.low, b.low), std::max(a.high, b.high)}),
            pair.scale};
  }
  Value absolute(const Value& value) {
    if (value.is_constant) return constant(magnitude_of(value.number));
    const Operation a = at(value.at);
    const bool crosses = a.low < 0 && a.high > 0;
    const Integer low = crosses ? Integer(0) : std::min(magnitude(a.low), magnitude(a.high));
    return {false, 0, emit(make(Code::abs, value.at), {low, std::max(magnitude(a.low), magnitude(a.high))}), magnitude_of(value.scale)};
  }
  /// round(num * scale, step) is floor((2 num p + q) / 2q) steps, where scale / step is p / q.
  Value round(const Value& value, const Rational& step) {
    const Rational ratio = value.scale / step;
    Operation operation = make(Code::round, value.at);
    operation.k = mp::numerator(ratio) * 2;
    operation.l = mp::denominator(ratio);
    operation.m = mp::denominator(ratio) * 2;
    const auto rounded = [&](const Integer& num) { return floor(Rational(num * operation.k + operation.l, operation.m)); };
    const Integer ends[] = {rounded(at(value.at).low), rounded(at(value.at).high)};
    const Integer largest = std::max(magnitude(at(value.at).low), magnitude(at(value.at).high)) * magnitude(operation.k) + operation.m;
    return {false, 0, emit(std::move(operation), {ends[0], ends[1]}, largest), step};
  }

  Value truth_value(std::size_t at_operation) { return {false, 0, at_operation, 1}; }
  Value compare(Code code, const Value& first, const Value& second, bool swapped = false) {
    const Pair pair = align(first, second);
    return truth_value(emit(swapped ? make(code, pair.b, pair.a) : make(code, pair.a, pair.b), {0, 1}));
  }
  Value no(const Value& truth) {
    if (truth.is_constant) return constant(truth.number == 0 ? 1 : 0);
    return truth_value(emit(make(Code::negation, truth.at), {0, 1}));
  }

  // ---- the tree

  Value step(std::size_t index) {
    if (!steps_[index]) steps_[index] = number(model_.steps[index].expr);
    return *steps_[index];
  }

  Value number(const Expr& expr) {
    if (!varies(expr)) return constant(reference_.number(expr));
    const auto item = [&](std::size_t i) { return number(expr.items[i]); };
    switch (expr.op) {
      case Op::name:
        return name(expr);
      case Op::negate:
        return times(item(0), -1);
      case Op::add:
        return add(item(0), item(1));
      case Op::subtract:
        return add(item(0), times(item(1), -1));
      case Op::multiply:
        return multiply(item(0), item(1));
      case Op::divide: {
        const Value divisor = item(1);
        if (!divisor.is_constant) throw Inexpressible{};
        if (divisor.number == 0) throw Refusal{"a division by zero", "see the parameters that the formula divides by"};
        return times(item(0), 1 / divisor.number);
      }
      case Op::min:
      case Op::max: {
        Value best = item(0);
        for (std::size_t i = 1; i < expr.items.size(); ++i) best = least(best, item(i), expr.op == Op::min);
        return best;
      }
      case Op::clamp:
        return least(item(1), least(item(0), item(2), true), false);
      case Op::abs:
        return absolute(item(0));
      case Op::round: {
        const Value grain = item(1);
        if (!grain.is_constant) throw Inexpressible{};
        if (grain.number <= 0) throw Refusal{"the step of round is not above zero", "see the parameter"};
        const Value rounded = item(0);
        return rounded.is_constant ? constant(Rational(floor(rounded.number / grain.number + Rational(1, 2))) * grain.number)
                                   : round(rounded, grain.number);
      }
      case Op::choose: {
        const Value condition = truth(expr.items[0]);
        if (condition.is_constant) return condition.number != 0 ? item(1) : item(2);
        const Value yes = item(1);
        return choose(condition, yes, item(2));
      }
      case Op::lookup:
        return lookup(expr);
      default:
        throw Inexpressible{};
    }
  }

  Value name(const Expr& expr) {
    if (expr.leaf == Leaf::step) return step(expr.slot);
    const std::size_t column = *column_of(expr.slot);
    if (const auto known = column_operations_.find(column); known != column_operations_.end())
      return {false, 0, known->second, columns_[column].unit};
    Integer low = columns_[column].min, high = columns_[column].max;
    if (const auto fallback = columns_[column].fallback) {
      low = std::min(low, Integer(*fallback));
      high = std::max(high, Integer(*fallback));
    }
    const std::size_t operation = emit(make(Code::column, column), {low, high});
    column_operations_.emplace(column, operation);
    return {false, 0, operation, columns_[column].unit};
  }

  Value truth(const Expr& expr) {
    if (!varies(expr)) return constant(reference_.truth(expr) ? 1 : 0);
    switch (expr.op) {
      case Op::logical_not:
        return no(truth(expr.items[0]));
      case Op::logical_and:
      case Op::logical_or: {
        const bool is_and = expr.op == Op::logical_and;
        const Value first = truth(expr.items[0]);
        if (first.is_constant) return (first.number != 0) == is_and ? truth(expr.items[1]) : first;
        const Value second = truth(expr.items[1]);
        if (second.is_constant) return (second.number != 0) == is_and ? first : second;
        return truth_value(emit(make(is_and ? Code::both : Code::either, first.at, second.at), {0, 1}));
      }
      default:
        break;
    }
    const Value a = number(expr.items[0]);
    const Value b = number(expr.items[1]);
    switch (expr.op) {
      case Op::less:
        return compare(Code::less, a, b);
      case Op::less_equal:
        return compare(Code::less_equal, a, b);
      case Op::greater:
        return compare(Code::less, a, b, true);
      case Op::greater_equal:
        return compare(Code::less_equal, a, b, true);
      case Op::equal:
        return compare(Code::equal, a, b);
      default:
        return no(compare(Code::equal, a, b));
    }
  }

  /// A range key that varies: a chain of "up to" comparisons over the rows that the other keys leave.
  Value lookup(const Expr& expr) {
    const Table& table = *expr.table;
    std::optional<std::size_t> range;
    for (std::size_t i = 0; i < table.keys.size(); ++i)
      if (varies(expr.items[i])) {
        if (table.keys[i].kind != TableKey::Kind::range) throw Inexpressible{};
        range = i;
      }
    if (table.latest_not_after) throw Inexpressible{};  // the newest row may differ from range to range: left to the reference
    const Value x = number(expr.items[*range]);
    const std::vector<const TableRow*> rows = rows_of(expr);
    if (rows.empty())
      throw Refusal{fmt::format("table '{}' has no row for this region and year", table.id),
                    "choose another region or year, or add the row to the table with its source"};
    const Rational end_a = Rational(at(x.at).low) * x.scale, end_b = Rational(at(x.at).high) * x.scale;
    if (rows.back()->up_to && *rows.back()->up_to < std::max(end_a, end_b))
      throw Inexpressible{};  // a value beyond the table has no result
    Value value = constant(rows.back()->value);
    for (std::size_t i = rows.size() - 1; i-- > 0;)
      if (rows[i]->up_to) value = choose(compare(Code::less_equal, x, constant(*rows[i]->up_to)), constant(rows[i]->value), value);
    for (const TableRow* row : rows) lookups_.push_back({&table, row, ""});
    return value;
  }

  std::vector<const TableRow*> rows_of(const Expr& expr) {
    const Table& table = *expr.table;
    std::vector<std::string> chain{""};
    for (std::size_t i = 0; i < table.keys.size(); ++i)
      if (table.keys[i].kind == TableKey::Kind::region)
        chain = expr.items[i].type == Type::region ? chain_ : std::vector<std::string>{reference_.word(expr.items[i])};
    std::vector<const TableRow*> rows;
    for (const std::string& region : chain)
      for (const TableRow& row : table.rows) {
        bool fits = rows.empty() || rows.back()->up_to;  // nothing comes after a row without end
        for (std::size_t i = 0; i < table.keys.size() && fits; ++i) {
          const TableKey::Kind kind = table.keys[i].kind;
          if (kind == TableKey::Kind::region) fits = row.words[i] == region;
          if (kind == TableKey::Kind::word) fits = row.words[i] == reference_.word(expr.items[i]);
          if (kind == TableKey::Kind::year) fits = row.year == reference_.whole_year(expr.items[i]);
        }
        if (fits) rows.push_back(&row);
      }
    return rows;
  }

  const Model& model_;
  const std::vector<InputColumn>& columns_;
  const std::vector<std::string>& chain_;
  Reference reference_;
  std::vector<std::optional<Value>> steps_;
  std::map<std::size_t, std::size_t> column_operations_;
  std::vector<Operation> operations_;
  std::vector<LookupUse> lookups_;
};

}  // namespace

std::optional<Lowered> lower(const Model& model, const std::vector<InputColumn>& columns, const std::vector<CaseValue>& inputs,
                             const std::vector<std::string>& chain, int year) {
  try {
    return Lowering(model, columns, inputs, chain, year).run();
  } catch (const Inexpressible&) {
    return std::nullopt;
  }
}

}  // namespace tanhui::methodology
