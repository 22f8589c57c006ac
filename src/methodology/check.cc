#include "methodology/check.h"

#include "methodology/problems.h"

namespace tanhui::methodology {
namespace {

struct Loop {
  std::string name;
  const InputSpec* list;
};

std::string quoted_unit(const Expr& expr) { return fmt::format("'{}'", to_text(expr.dimension)); }

class Checker {
 public:
  Checker(std::string_view text, const CheckScope& scope) : text_(text), scope_(scope) {}

  std::vector<FormulaError> errors;

  void check(Expr& expr) {
    switch (expr.op) {
      case Op::number:
        return check_number(expr);
      case Op::name:
        return check_name(expr);
      case Op::field:
        return check_field(expr);
      case Op::word:
        return check_word(expr);
      case Op::negate:
      case Op::abs:
        return check_same(expr);
      case Op::add:
      case Op::subtract:
      case Op::min:
      case Op::max:
      case Op::clamp:
        return check_alike(expr);
      case Op::multiply:
      case Op::divide:
        return check_product(expr);
      case Op::less:
      case Op::less_equal:
      case Op::greater:
      case Op::greater_equal:
        return check_order(expr);
      case Op::equal:
      case Op::not_equal:
        return check_equality(expr);
      case Op::logical_and:
      case Op::logical_or:
      case Op::logical_not:
        return check_truths(expr);
      case Op::choose:
        return check_choice(expr);
      case Op::round:
        return check_round(expr);
      case Op::exp:
      case Op::ln:
      case Op::pow:
        return check_transcendental(expr);
      case Op::lookup:
        return check_lookup(expr);
      case Op::sum:
        return check_sum(expr);
      case Op::count:
        return check_count(expr);
    }
  }

 private:
  void fail(const Expr& where, std::string message, std::string hint = "") {
    errors.push_back({std::move(message), std::move(hint), where.begin, where.end});
  }
  static void set_number(Expr& expr, const Dimension& dimension, bool fits_any = false) {
    expr.type = Type::number;
    expr.dimension = dimension;
    expr.fits_any_unit = fits_any;
  }

  void check_number(Expr& expr) {
    if (expr.unit_text.empty()) {
      // Without a unit a 0 fits everywhere; any other number is a plain one.
      return set_number(expr, {}, expr.number == 0);
    }
    const auto unit = parse_unit(expr.unit_text);
    if (const auto* error = std::get_if<UnitError>(&unit)) {
      const std::size_t bracket = std::min(text_.find('[', expr.begin), expr.end);
      errors.push_back({error->message, error->hint, bracket + 1 + error->offset, bracket + 1 + error->offset + error->length});
      return;
    }
    expr.number *= std::get<Unit>(unit).scale;
    set_number(expr, std::get<Unit>(unit).dimension);
  }

  template <class Items>
  static std::optional<std::size_t> index_of(const Items& items, std::string_view name) {
    for (std::size_t i = 0; i < items.size(); ++i)
      if (items[i].name == name) return i;
    return std::nullopt;
  }

  bool resolve(Expr& expr) {
    if (const auto input = index_of(scope_.model.inputs, expr.text)) {
      const InputSpec& spec = scope_.model.inputs[*input];
      expr.leaf = Leaf::input;
      expr.slot = *input;
      expr.type = spec.kind == InputSpec::Kind::number ? Type::number : spec.kind == InputSpec::Kind::word ? Type::word : Type::list;
      expr.dimension = spec.unit.dimension;
      return true;
    }
    if (const auto parameter = index_of(scope_.model.parameters, expr.text)) {
      expr.leaf = Leaf::parameter;
      expr.slot = *parameter;
      set_number(expr, scope_.model.parameters[*parameter].dimension);
      return true;
    }
    if (const auto step = index_of(scope_.model.steps, expr.text); step && *step < scope_.model.lets) {
      const Expr& value = scope_.model.steps[*step].expr;
      expr.leaf = Leaf::step;
      expr.slot = *step;
      expr.type = value.type;
      expr.dimension = value.dimension;
      expr.fits_any_unit = value.fits_any_unit;
      return true;
    }
    if (expr.text == "year") {
      expr.leaf = Leaf::year;
      set_number(expr, {});
      return true;
    }
    if (expr.text == "region") {
      expr.leaf = Leaf::region;
      expr.type = Type::region;
      return true;
    }
    return false;
  }

  void check_name(Expr& expr) {
    if (resolve(expr)) return;
    for (const Loop& loop : loops_)
      if (loop.name == expr.text)
        return fail(expr, fmt::format("'{}' is an item of a list", expr.text), "write one of its fields, as in " + expr.text + ".mass");
    std::vector<std::string_view> known{"year", "region"};
    for (const auto& input : scope_.model.inputs) known.push_back(input.name);
    for (const auto& parameter : scope_.model.parameters) known.push_back(parameter.name);
    for (std::size_t i = 0; i < scope_.model.lets && i < scope_.model.steps.size(); ++i) known.push_back(scope_.model.steps[i].name);
    for (const auto& table : scope_.model.tables)
      if (table->id == expr.text)
        return fail(expr, fmt::format("'{}' is a table", expr.text), fmt::format("look it up by its keys: {}[...]", expr.text));
    fail(expr, fmt::format("unknown name '{}'", expr.text), hint_of(expr.text, known, "known names"));
  }

  void check_field(Expr& expr) {
    for (std::size_t depth = loops_.size(); depth-- > 0;) {
      if (loops_[depth].name != expr.text) continue;
      const InputSpec& list = *loops_[depth].list;
      const auto field = index_of(list.fields, expr.field);
      if (!field) {
        std::vector<std::string_view> known;
        for (const auto& spec : list.fields) known.push_back(spec.name);
        return fail(expr, fmt::format("'{}' has no field '{}'", list.name, expr.field), hint_of(expr.field, known, "known fields"));
      }
      expr.leaf = Leaf::loop_field;
      expr.slot = *field;
      expr.depth = depth;
      expr.type = list.fields[*field].kind == InputSpec::Kind::number ? Type::number : Type::word;
      expr.dimension = list.fields[*field].unit.dimension;
      return;
    }
    fail(expr, fmt::format("'{}' is not an item of a list", expr.text), "fields are read inside sum(x in xs: x.field)");
  }

  void check_word(Expr& expr) {
    fail(expr, fmt::format("the word '{}' stands where a number should be", expr.text),
         "words are keys of tables or are compared with a choice");
  }

  /// False when the part has been found wrong already, or is no number (said here).
  bool is_number(const Expr& expr) {
    if (expr.type == Type::number) return true;
    if (expr.type == Type::truth) fail(expr, "a condition stands where a number should be", "write if condition then a else b");
    if (expr.type == Type::word) fail(expr, "a choice stands where a number should be", "compare it (==), or use it as a table key");
    if (expr.type == Type::list) fail(expr, "a list stands where a number should be", "write sum(x in list: ...) or count(list)");
    if (expr.type == Type::region) fail(expr, "the region stands where a number should be", "it is a key of tables");
    return false;
  }
  bool is_truth(const Expr& expr) {
    if (expr.type == Type::truth) return true;
    if (expr.type != Type::wrong) fail(expr, "a condition should stand here", "as in distance > 1 [km]");
    return false;
  }
  bool is_plain(const Expr& expr) {
    if (!is_number(expr)) return false;
    if (expr.dimension.is_plain() || expr.fits_any_unit) return true;
    fail(expr, fmt::format("has the unit {} where a plain number is needed", quoted_unit(expr)), "divide by a reference such as 1 [unit]");
    return false;
  }

  void check_all(Expr& expr) {
    for (Expr& item : expr.items) check(item);
  }
  bool all_numbers(const Expr& expr) {
    bool good = true;
    for (const Expr& item : expr.items) good = is_number(item) && good;
    return good;
  }

  void check_same(Expr& expr) {
    check_all(expr);
    if (all_numbers(expr)) set_number(expr, expr.items[0].dimension, expr.items[0].fits_any_unit);
  }

  /// The one dimension of items [first, ...), which a plain 0 adapts to.
  std::optional<const Expr*> common(const Expr& expr, std::size_t first) {
    const Expr* model = &expr.items[first];
    for (std::size_t i = first; i < expr.items.size(); ++i)
      if (!expr.items[i].fits_any_unit) {
        model = &expr.items[i];
        break;
      }
    for (std::size_t i = first; i < expr.items.size(); ++i) {
      const Expr& item = expr.items[i];
      if (item.fits_any_unit || item.dimension == model->dimension) continue;
      fail(expr,
           fmt::format("{} and {} are not alike: '{}' is in '{}', '{}' in '{}'", to_text(model->dimension), to_text(item.dimension),
                       shown(*model), to_text(model->dimension), shown(item), to_text(item.dimension)),
           "both sides need the same dimension");
      return std::nullopt;
    }
    return model;
  }
  std::string shown(const Expr& expr) const {
    constexpr std::size_t kShownMax = 40;
    std::string text(text_.substr(expr.begin, expr.end - expr.begin));
    return text.size() > kShownMax ? text.substr(0, kShownMax) + "..." : text;
  }

  void check_alike(Expr& expr) {
    check_all(expr);
    if (!all_numbers(expr)) return;
    if (const auto model = common(expr, 0)) set_number(expr, (*model)->dimension, (*model)->fits_any_unit);
  }

  void check_product(Expr& expr) {
    check_all(expr);
    if (!all_numbers(expr)) return;
    const Expr &a = expr.items[0], &b = expr.items[1];
    const bool divide = expr.op == Op::divide;
    if (divide && b.op == Op::number && b.number == 0) return fail(expr, "a division by zero", "");
    set_number(expr, divide ? a.dimension / b.dimension : a.dimension * b.dimension, a.fits_any_unit || (!divide && b.fits_any_unit));
  }

  void check_order(Expr& expr) {
    check_all(expr);
    if (all_numbers(expr) && common(expr, 0)) expr.type = Type::truth;
  }

  /// A bare name beside a choice is one of its words.
  void check_equality(Expr& expr) {
    Expr &a = expr.items[0], &b = expr.items[1];
    for (Expr* side : {&a, &b})
      if (!(side->op == Op::word || (side->op == Op::name && !resolve(*side)))) check(*side);
    for (auto [side, other] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      const bool unresolved = side->op == Op::word || (side->op == Op::name && side->leaf == Leaf::none);
      if (!unresolved) continue;
      if (other->type != Type::word) {
        if (other->type != Type::wrong || other->op == Op::word || other->op == Op::name) check(*side);
        return;
      }
      side->op = Op::word;
      side->type = Type::word;
      if (!check_is_choice(*side, words_of(*other), "words of " + other->text)) return;
    }
    if (a.type == Type::word || b.type == Type::word) {
      if (a.type == b.type)
        expr.type = Type::truth;
      else if (a.type != Type::wrong && b.type != Type::wrong)
        fail(expr, "a choice is compared with a number", "");
      return;
    }
    if (all_numbers(expr) && common(expr, 0)) expr.type = Type::truth;
  }

  std::vector<std::string_view> words_of(const Expr& expr) const {
    const InputSpec* spec = nullptr;
    if (expr.leaf == Leaf::input) spec = &scope_.model.inputs[expr.slot];
    if (expr.leaf == Leaf::loop_field) spec = &loops_[expr.depth].list->fields[expr.slot];
    std::vector<std::string_view> words;
    if (spec != nullptr)
      for (const auto& word : spec->words) words.push_back(word);
    return words;
  }
  bool check_is_choice(const Expr& word, const std::vector<std::string_view>& words, const std::string& kind) {
    if (std::find(words.begin(), words.end(), word.text) != words.end()) return true;
    fail(word, fmt::format("unknown word '{}'", word.text), hint_of(word.text, words, kind));
    return false;
  }

  void check_truths(Expr& expr) {
    check_all(expr);
    bool good = true;
    for (const Expr& item : expr.items) good = is_truth(item) && good;
    if (good) expr.type = Type::truth;
  }

  void check_choice(Expr& expr) {
    check_all(expr);
    const bool condition = is_truth(expr.items[0]);
    const bool first = is_number(expr.items[1]);
    const bool second = is_number(expr.items[2]);
    if (!condition || !first || !second) return;
    if (const auto model = common(expr, 1)) set_number(expr, (*model)->dimension, (*model)->fits_any_unit);
  }

  void check_round(Expr& expr) {
    check_all(expr);
    if (!all_numbers(expr)) return;
    const auto model = common(expr, 0);
    if (!model) return;
    const Expr& step = expr.items[1];
    const bool constant = step.op == Op::number || step.leaf == Leaf::parameter;
    if (!constant) return fail(step, "the step of round must be a number or a parameter", "as in round(x, 0.1 [L])");
    if (step.op == Op::number && step.number <= 0) return fail(step, "the step of round must be above zero", "");
    set_number(expr, (*model)->dimension);
  }

  void check_transcendental(Expr& expr) {
    check_all(expr);
    if (!scope_.is_project)
      return fail(expr, "exp, ln and pow are for projects", "an act's formula is exact: use + - * / min max clamp round and tables");
    bool good = true;
    for (const Expr& item : expr.items) good = is_plain(item) && good;
    if (good) set_number(expr, {});
  }

  void check_lookup(Expr& expr) {
    for (const auto& table : scope_.model.tables)
      if (table->id == expr.text) expr.table = table.get();
    if (expr.table == nullptr) {
      std::vector<std::string_view> known;
      for (const auto& table : scope_.model.tables) known.push_back(table->id);
      return fail(expr, fmt::format("unknown table '{}'", expr.text),
                  hint_of(expr.text, known, "tables here (shared ones are named in use:)"));
    }
    const Table& table = *expr.table;
    if (expr.items.size() != table.keys.size()) {
      std::string names;
      for (const TableKey& key : table.keys) names.append(names.empty() ? "" : ", ").append(key.name);
      return fail(expr, fmt::format("table '{}' has {} keys, here are {}", table.id, table.keys.size(), expr.items.size()),
                  fmt::format("write {}[{}]", table.id, names));
    }
    const std::size_t before = errors.size();
    for (std::size_t i = 0; i < table.keys.size(); ++i) check_key(expr.items[i], table, i);
    if (errors.size() == before) set_number(expr, table.unit.dimension);
  }

  void check_key(Expr& key, const Table& table, std::size_t index) {
    const TableKey& spec = table.keys[index];
    switch (spec.kind) {
      case TableKey::Kind::region:
      case TableKey::Kind::word:
        return check_word_key(key, table, index);
      case TableKey::Kind::year:
        check(key);
        if (is_plain(key)) return;
        return;
      case TableKey::Kind::range:
        check(key);
        if (is_number(key) && !key.fits_any_unit && key.dimension != spec.unit.dimension)
          fail(key, fmt::format("key '{}' of table '{}' is in '{}', here is {}", spec.name, table.id, spec.unit_text, quoted_unit(key)),
               "");
    }
  }

  void check_word_key(Expr& key, const Table& table, std::size_t index) {
    const bool is_region = table.keys[index].kind == TableKey::Kind::region;
    if (key.op == Op::name && resolve(key)) {
      if (is_region && key.type == Type::region) return;
      if (key.type == Type::word) return check_choice_has_rows(key, table, index);
      key.leaf = Leaf::none;  // a word that happens to be a name too, as `year` in a table of words
    }
    if (key.op == Op::field) {
      check(key);
      if (key.type == Type::wrong) return;
      if (key.type == Type::word) return check_choice_has_rows(key, table, index);
      return fail(key, fmt::format("key '{}' of table '{}' is a word, here is a number", table.keys[index].name, table.id), "");
    }
    if (key.op == Op::number) key.text = std::string(text_.substr(key.begin, key.end - key.begin));
    if (key.op != Op::name && key.op != Op::number && key.op != Op::word)
      return fail(key, fmt::format("key '{}' of table '{}' must be a word or a choice", table.keys[index].name, table.id), "");
    key.op = Op::word;
    key.type = Type::word;
    if (!is_region) check_is_choice(key, words_of(table, index), fmt::format("{} of table '{}'", table.keys[index].name, table.id));
  }
  static std::vector<std::string_view> words_of(const Table& table, std::size_t index) {
    std::vector<std::string_view> words;
    for (const TableRow& row : table.rows)
      if (std::find(words.begin(), words.end(), row.words[index]) == words.end()) words.push_back(row.words[index]);
    return words;
  }
  void check_choice_has_rows(const Expr& key, const Table& table, std::size_t index) {
    const auto words = words_of(table, index);
    for (const std::string_view choice : words_of(key))
      if (std::find(words.begin(), words.end(), choice) == words.end())
        return fail(key, fmt::format("table '{}' has no row for the choice '{}'", table.id, choice),
                    hint_of(choice, words, table.keys[index].name));
  }

  const InputSpec* list_of(Expr& expr) {
    check(expr);
    if (expr.type == Type::list && expr.leaf == Leaf::input) return &scope_.model.inputs[expr.slot];
    if (expr.type != Type::wrong) fail(expr, "a list should stand here", "an input declared as {list: {...}}");
    return nullptr;
  }

  void check_sum(Expr& expr) {
    const InputSpec* list = list_of(expr.items[0]);
    if (list == nullptr) return;
    for (const Loop& loop : loops_)
      if (loop.name == expr.text)
        return fail(expr, fmt::format("'{}' already names the item of an outer sum", expr.text), "take another name");
    loops_.push_back({expr.text, list});
    check(expr.items[1]);
    const bool good = is_number(expr.items[1]);
    loops_.pop_back();
    if (good) set_number(expr, expr.items[1].dimension, expr.items[1].fits_any_unit);
  }

  void check_count(Expr& expr) {
    if (list_of(expr.items[0]) != nullptr) set_number(expr, {});
  }

  std::string_view text_;
  const CheckScope& scope_;
  std::vector<Loop> loops_;
};

}  // namespace

std::vector<FormulaError> check_formula(Expr& expr, std::string_view text, const CheckScope& scope) {
  Checker checker(text, scope);
  checker.check(expr);
  if (checker.errors.empty() && expr.type != Type::number)
    checker.errors.push_back({"the formula must come out as a number", "", expr.begin, expr.end});
  return std::move(checker.errors);
}

std::optional<FormulaError> check_is_co2e(const Expr& expr) {
  if (expr.fits_any_unit || expr.dimension == mass_of_co2e()) return std::nullopt;
  const Dimension surplus = expr.dimension / mass_of_co2e();
  std::string hint = with_co2e(expr.dimension) == mass_of_co2e()
                         ? "give the factor the tag CO2e, as in kg CO2e/(person km)"
                         : fmt::format("there is '{}' too much: see the units of inputs and parameters", to_text(surplus));
  return FormulaError{fmt::format("the formula comes out as '{}', it must come out as 'kg CO2e'", to_text(expr.dimension)), std::move(hint),
                      expr.begin, expr.end};
}

}  // namespace tanhui::methodology
