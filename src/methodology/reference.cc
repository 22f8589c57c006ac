#include "methodology/reference.h"

#include <climits>

#include "core/invariant.h"

namespace tanhui::methodology {
namespace {

constexpr std::size_t kWorkMax = 2'000'000;  // nodes visited: a double sum over a thousand deposits
constexpr unsigned kBitsMax = 20'000;        // of a number

std::string key_text(const Table& table, const std::vector<Table::KeyValue>& keys) {
  std::string text;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    text.append(i == 0 ? "" : ", ");
    switch (table.keys[i].kind) {
      case TableKey::Kind::region:
        text += keys[i].chain->empty() ? "" : keys[i].chain->front();
        break;
      case TableKey::Kind::word:
        text += keys[i].word;
        break;
      case TableKey::Kind::year:
        text += std::to_string(keys[i].year);
        break;
      case TableKey::Kind::range:
        text += to_text(keys[i].number / table.keys[i].unit.scale) + (table.keys[i].unit_text == "1" ? "" : " " + table.keys[i].unit_text);
    }
  }
  return text;
}

}  // namespace

const TableRow* Table::find(const std::vector<KeyValue>& wanted) const {
  const auto fits = [&](const TableRow& row, const std::string* region) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      switch (keys[i].kind) {
        case TableKey::Kind::region:
          if (region != nullptr && row.words[i] != *region) return false;
          break;
        case TableKey::Kind::word:
          if (row.words[i] != wanted[i].word) return false;
          break;
        case TableKey::Kind::year:
          if (latest_not_after ? row.year > wanted[i].year : row.year != wanted[i].year) return false;
          break;
        case TableKey::Kind::range:
          if (row.up_to && *row.up_to < wanted[i].number) return false;
      }
    }
    return true;
  };
  const auto best = [&](const std::string* region) {
    const TableRow* found = nullptr;
    for (const TableRow& row : rows)
      if (fits(row, region) && (found == nullptr || (latest_not_after && row.year > found->year))) found = &row;
    return found;
  };
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].kind != TableKey::Kind::region) continue;
    for (const std::string& code : *wanted[i].chain)
      if (const TableRow* row = best(&code)) return row;
    return nullptr;
  }
  return best(nullptr);
}

std::vector<const TableRow*> Table::reachable(const std::vector<std::optional<std::string>>& words, const std::vector<int>& years,
                                              const std::vector<std::vector<std::string>>& chains) const {
  std::optional<std::size_t> region_key;
  std::vector<const TableRow*> left;  // by the known words
  std::vector<int> asked = years;
  for (const TableRow& row : rows) {
    bool fits = true;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i].kind == TableKey::Kind::region && !words[i]) region_key = i;
      if (words[i] && row.words[i] != *words[i]) fits = false;
    }
    if (fits) left.push_back(&row);
    if (years.empty()) asked.push_back(row.year);
  }
  std::vector<const TableRow*> reached;
  const auto take = [&](int year, const std::string* region) {
    int of_year = INT_MIN;
    for (const TableRow* row : left)
      if ((region == nullptr || row->words[*region_key] == *region) && (latest_not_after ? row->year <= year : row->year == year))
        of_year = std::max(of_year, row->year);
    for (const TableRow* row : left)
      if (row->year == of_year && (region == nullptr || row->words[*region_key] == *region) &&
          std::find(reached.begin(), reached.end(), row) == reached.end())
        reached.push_back(row);
    return of_year != INT_MIN;
  };
  for (const int year : asked) {
    if (!region_key)
      take(year, nullptr);
    else
      for (const auto& chain : chains)
        for (const std::string& code : chain)
          if (take(year, &code)) break;
  }
  return reached;
}

Rational Reference::reduction() {
  if (model_.reduction) return step(*model_.reduction);
  Rational total = step(*model_.baseline);
  if (model_.project) total -= step(*model_.project);
  if (model_.leakage) total -= step(*model_.leakage);
  return total;
}

Rational Reference::step(std::size_t index) {
  if (!steps_[index]) {
    // A step stands outside every loop, so it sees none of their items.
    std::vector<const std::vector<CaseValue>*> outer;
    outer.swap(loop_items_);
    steps_[index] = number(model_.steps[index].expr);
    outer.swap(loop_items_);
  }
  return *steps_[index];
}

Rational Reference::number(const Expr& expr) {
  if (++work_ > kWorkMax) throw Refusal{"the calculation takes more than two million steps", "give shorter lists"};
  Rational value = compute(expr);
  if (size_bits(value) > kBitsMax)
    throw Refusal{"a number in the calculation grows beyond 20000 bits", "give inputs with fewer digits or shorter lists"};
  return value;
}

Rational Reference::compute(const Expr& expr) {
  const auto item = [&](std::size_t i) { return number(expr.items[i]); };
  switch (expr.op) {
    case Op::number:
      return expr.number;
    case Op::name:
      if (expr.leaf == Leaf::input) return inputs_[expr.slot].number.value();
      if (expr.leaf == Leaf::parameter) return model_.parameters[expr.slot].value;
      if (expr.leaf == Leaf::step) return step(expr.slot);
      return year_;
    case Op::field:
      return field(expr).number.value();
    case Op::negate:
      return -item(0);
    case Op::add:
      return item(0) + item(1);
    case Op::subtract:
      return item(0) - item(1);
    case Op::multiply:
      return item(0) * item(1);
    case Op::divide: {
      const Rational divisor = item(1);
      if (divisor == 0) throw Refusal{"a division by zero", "see the inputs that the formula divides by"};
      return item(0) / divisor;
    }
    case Op::choose:
      return truth(expr.items[0]) ? item(1) : item(2);
    case Op::min:
    case Op::max: {
      Rational best = item(0);
      for (std::size_t i = 1; i < expr.items.size(); ++i) {
        const Rational next = item(i);
        if (expr.op == Op::min ? next < best : next > best) best = next;
      }
      return best;
    }
    case Op::clamp:
      return std::max(item(1), std::min(item(0), item(2)));
    case Op::abs: {
      const Rational value = item(0);
      return value < 0 ? -value : value;
    }
    case Op::round: {
      const Rational unit = item(1);
      if (unit <= 0) throw Refusal{"the step of round is not above zero", "see the parameter"};
      return Rational(floor(item(0) / unit + Rational(1, 2))) * unit;
    }
    case Op::exp:
    case Op::ln:
    case Op::pow: {
      const Rational x = item(0);
      const auto value = expr.op == Op::exp ? exp_of(x) : expr.op == Op::ln ? ln_of(x) : pow_of(x, item(1));
      if (!value)
        throw Refusal{fmt::format("{} of {} is undefined or too large",
                                  expr.op == Op::exp  ? "exp"
                                  : expr.op == Op::ln ? "ln"
                                                      : "pow",
                                  to_text(x)),
                      "see the inputs"};
      return *value;
    }
    case Op::lookup:
      return lookup(expr);
    case Op::sum:
      return sum(expr);
    case Op::count:
      return Rational(std::int64_t(inputs_[expr.items[0].slot].rows.size()));
    default:
      break;
  }
  core::invariant(false, "a checked formula has numbers where numbers are needed");
  return 0;
}

bool Reference::truth(const Expr& expr) {
  if (++work_ > kWorkMax) throw Refusal{"the calculation takes more than two million steps", "give shorter lists"};
  const Expr& first = expr.items[0];
  switch (expr.op) {
    case Op::logical_not:
      return !truth(first);
    case Op::logical_and:
      return truth(first) && truth(expr.items[1]);
    case Op::logical_or:
      return truth(first) || truth(expr.items[1]);
    case Op::equal:
    case Op::not_equal:
      if (first.type == Type::word) return (word(first) == word(expr.items[1])) == (expr.op == Op::equal);
      return (number(first) == number(expr.items[1])) == (expr.op == Op::equal);
    case Op::less:
      return number(first) < number(expr.items[1]);
    case Op::less_equal:
      return number(first) <= number(expr.items[1]);
    case Op::greater:
      return number(first) > number(expr.items[1]);
    default:
      return number(first) >= number(expr.items[1]);
  }
}

std::string Reference::word(const Expr& expr) {
  if (expr.op == Op::word) return expr.text;
  return expr.op == Op::field ? field(expr).word : inputs_[expr.slot].word;
}

const CaseValue& Reference::field(const Expr& expr) const { return (*loop_items_[expr.depth])[expr.slot]; }

int Reference::whole_year(const Expr& expr) {
  const Rational value = number(expr);
  if (boost::multiprecision::denominator(value) != 1 || value < -10'000 || value > 10'000)
    throw Refusal{fmt::format("{} is not a year", to_text(value)), "give a whole year such as 2024"};
  return value.convert_to<int>();
}

Rational Reference::lookup(const Expr& expr) {
  const Table& table = *expr.table;
  std::vector<Table::KeyValue> keys(table.keys.size());
  std::vector<std::string> literal;  // chain of a region written out
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Expr& key = expr.items[i];
    switch (table.keys[i].kind) {
      case TableKey::Kind::region:
        if (key.type == Type::region) {
          keys[i].chain = &chain_;
        } else {
          literal = {word(key)};
          keys[i].chain = &literal;
        }
        break;
      case TableKey::Kind::word:
        keys[i].word = word(key);
        break;
      case TableKey::Kind::year:
        keys[i].year = whole_year(key);
        break;
      case TableKey::Kind::range:
        keys[i].number = number(key);
        break;
    }
  }
  const TableRow* row = table.find(keys);
  if (row == nullptr)
    throw Refusal{fmt::format("table '{}' has no row for {}", table.id, key_text(table, keys)),
                  "choose another region or year, or add the row to the table with its source"};
  constexpr std::size_t kLookupsMax = 200;  // kept for explain
  const auto same = [&](const LookupUse& use) { return use.row == row && use.table == &table; };
  if (lookups_.size() < kLookupsMax && std::none_of(lookups_.begin(), lookups_.end(), same))
    lookups_.push_back({&table, row, key_text(table, keys)});
  return row->value;
}

Rational Reference::sum(const Expr& expr) {
  Rational total = 0;
  const auto& rows = inputs_[expr.items[0].slot].rows;
  for (const auto& row : rows) {
    loop_items_.push_back(&row);
    total += number(expr.items[1]);
    loop_items_.pop_back();
    if (size_bits(total) > kBitsMax) throw Refusal{"a sum grows beyond 20000 bits", "give inputs with fewer digits or shorter lists"};
  }
  return total;
}

}  // namespace tanhui::methodology
