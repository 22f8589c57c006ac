// One case, worked out by the exact reference, with every number on the way.
#include "methodology/loader.h"
#include "methodology/reference.h"

namespace tanhui::methodology {
namespace {

constexpr int kShownDigits = 15;

core::Error bad_input(const Methodology& methodology, const std::vector<Problem>& problems) {
  std::string message = fmt::format("the inputs of '{}' are not right", methodology.id);
  for (const Problem& problem : problems) message.append("\n").append(problem.text.substr(0, problem.text.find_last_not_of('\n') + 1));
  return {core::ErrorCode::invalid_input,
          "methodology.bad-inputs",
          std::move(message),
          fmt::format("the inputs stand in: tanhui methodology show {}", methodology.id),
          {{"methodology", methodology.id}}};
}

/// "name: amount" lines as they might stand in a file, so that problems can show them.
YamlNode values_as_map(const std::vector<std::pair<std::string, std::string>>& values, std::string& text) {
  YamlNode map;
  map.kind = YamlNode::Kind::map;
  int line = 0;
  for (const auto& [name, amount] : values) {
    ++line;
    text.append(name).append(": ").append(amount).append("\n");
    YamlNode key, value;
    key.kind = value.kind = YamlNode::Kind::scalar;
    key.line = value.line = line;
    key.column = 1;
    value.column = int(name.size()) + 3;
    key.text = name;
    value.text = amount;
    map.keys.push_back(std::move(key));
    map.items.push_back(std::move(value));
  }
  return map;
}

/// Units that the methodology itself writes are the ones its readers know.
class UnitChooser {
 public:
  UnitChooser(const Methodology& methodology, const Model& model) {
    add(methodology.kind == Kind::project && model.rounding_unit >= 1000 ? "t CO2e"
        : methodology.kind == Kind::project                              ? "kg CO2e"
                                                                         : "g CO2e");
    for (const InputSpec& input : model.inputs) {
      add(input.unit_text);
      for (const InputSpec& field : input.fields) add(field.unit_text);
    }
    for (const ParameterSpec& parameter : model.parameters) add(parameter.unit_text);
    for (const auto& table : model.tables) add(table->unit_text);
  }
  NamedUnit choose(const Dimension& dimension) const {
    if (dimension.is_plain()) return {"1", 1};
    for (const auto& [text, unit] : units_)
      if (unit.dimension == dimension) return {text, unit.scale};
    return name_of(dimension);
  }

 private:
  void add(const std::string& text) {
    if (text.empty()) return;
    const auto unit = parse_unit(text);
    if (const auto* found = std::get_if<Unit>(&unit)) units_.emplace_back(text, *found);
  }
  std::vector<std::pair<std::string, Unit>> units_;
};

class Worker {
 public:
  Worker(const Library& library, const Methodology& methodology, const std::vector<CaseValue>& inputs, const std::string& region, int year)
      : library_(library),
        methodology_(methodology),
        model_(*methodology.model),
        inputs_(inputs),
        chain_(library.region_chain(region)),
        units_(methodology, model_),
        reference_(model_, inputs_, chain_, year) {
    made_.region = region;
    made_.year = year;
  }

  Calculation work() {
    const Rational reduction = reference_.reduction();
    add_inputs();
    add_parameters();
    for (const LookupUse& use : reference_.lookups()) add_lookup(use);
    for (std::size_t i = 0; i < model_.steps.size(); ++i)
      if (reference_.steps()[i]) add_step(i, *reference_.steps()[i]);
    finish(reduction);
    return std::move(made_);
  }

 private:
  std::string amount(const Rational& value, const NamedUnit& unit) const { return to_grouped_text(value / unit.scale, kShownDigits); }
  static std::string with_unit(const std::string& amount, const std::string& unit) { return unit == "1" ? amount : amount + " " + unit; }

  void add_inputs() {
    for (std::size_t i = 0; i < model_.inputs.size(); ++i) {
      const InputSpec& spec = model_.inputs[i];
      Step step;
      step.role = Step::Role::input;
      step.name = spec.name;
      if (spec.kind == InputSpec::Kind::number) {
        step.amount = amount(*inputs_[i].number, {spec.unit_text, spec.unit.scale});
        step.unit = spec.unit_text;
      } else if (spec.kind == InputSpec::Kind::word) {
        step.amount = inputs_[i].word;
      } else {
        step.amount = std::to_string(inputs_[i].rows.size());
        step.unit = "items";
      }
      made_.steps.push_back(std::move(step));
    }
  }

  void add_parameters() {
    for (const Parameter& parameter : methodology_.parameters) {
      if (!parameter.used) continue;
      Step step;
      step.role = Step::Role::parameter;
      step.name = parameter.name;
      step.amount = parameter.value;
      step.unit = parameter.unit;
      step.grade = parameter.grade;
      step.source = parameter.source;
      step.status = parameter.status;
      made_.status = std::max(made_.status, parameter.status);
      made_.steps.push_back(std::move(step));
    }
  }

  void add_lookup(const LookupUse& use) {
    Step step;
    step.role = Step::Role::table;
    step.name = fmt::format("{}[{}]", use.table->id, row_keys(use));
    step.amount = use.row->value_text;
    step.unit = use.table->unit_text;
    step.grade = use.row->grade;
    step.source = use.row->source;
    step.status = use.row->status;
    made_.status = std::max(made_.status, use.row->status);
    made_.steps.push_back(std::move(step));
  }

  /// Keys of the row that was taken, which may be a parent region's or an earlier year's.
  static std::string row_keys(const LookupUse& use) {
    std::string text;
    for (std::size_t i = 0; i < use.table->keys.size(); ++i) {
      const TableKey& key = use.table->keys[i];
      text.append(i == 0 ? "" : ", ");
      if (key.kind == TableKey::Kind::year)
        text += std::to_string(use.row->year);
      else if (key.kind != TableKey::Kind::range)
        text += use.row->words[i];
      else if (use.row->up_to)
        text += fmt::format("up to {}", with_unit(to_text(*use.row->up_to / key.unit.scale), key.unit_text));
      else
        text += "above";
    }
    return text;
  }

  void add_step(std::size_t index, const Rational& value) {
    const StepSpec& spec = model_.steps[index];
    const NamedUnit unit = units_.choose(spec.expr.dimension);
    Step step;
    step.role = index < model_.lets ? Step::Role::step : spec.name == "reduction" ? Step::Role::reduction : Step::Role::part;
    step.name = spec.name;
    step.formula = spec.text;
    step.worked = worked(spec);
    step.amount = amount(value, unit);
    step.unit = unit.text;
    made_.steps.push_back(std::move(step));
  }

  struct Replacement {
    std::size_t begin, end;
    std::string text;
  };

  /// The formula with names replaced by their numbers; what varies within a list stays a name.
  std::string worked(const StepSpec& spec) {
    std::vector<Replacement> replacements;
    collect(spec.expr, spec.text, replacements);
    std::string text;
    std::size_t from = 0;
    for (const Replacement& replacement : replacements) {
      text.append(spec.text, from, replacement.begin - from).append(replacement.text);
      from = replacement.end;
    }
    text.append(spec.text, from);
    return text == spec.text ? std::string() : text;
  }

  void collect(const Expr& expr, const std::string& text, std::vector<Replacement>& replacements) {
    if (expr.op == Op::sum || expr.op == Op::count) return;
    const auto replace = [&](std::string by) { replacements.push_back({expr.begin, expr.end, std::move(by)}); };
    if (expr.op == Op::lookup) {
      try {
        return replace(with_unit(amount(reference_.number(expr), {"", expr.table->unit.scale}), expr.table->unit_text));
      } catch (const Refusal&) {
        return;  // in a branch that was not taken
      }
    }
    if (expr.op != Op::name) {
      for (const Expr& item : expr.items) collect(item, text, replacements);
      return;
    }
    // A name in parentheses keeps them: the expression's span covers them.
    if (text.compare(expr.begin, expr.text.size(), expr.text) != 0) return;
    if (expr.leaf == Leaf::year) replace(std::to_string(made_.year));
    if (expr.leaf == Leaf::input && model_.inputs[expr.slot].kind == InputSpec::Kind::word) replace(inputs_[expr.slot].word);
    if (expr.leaf == Leaf::input && model_.inputs[expr.slot].kind == InputSpec::Kind::number)
      replace(with_unit(amount(*inputs_[expr.slot].number, {"", model_.inputs[expr.slot].unit.scale}), model_.inputs[expr.slot].unit_text));
    if (expr.leaf == Leaf::parameter) replace(with_unit(methodology_.parameters[expr.slot].value, methodology_.parameters[expr.slot].unit));
    if (expr.leaf == Leaf::step && reference_.steps()[expr.slot]) {
      const NamedUnit unit = units_.choose(expr.dimension);
      replace(with_unit(amount(*reference_.steps()[expr.slot], unit), unit.text));
    }
  }

  void finish(const Rational& reduction) {
    made_.negative = reduction < 0;
    const Rational counted = made_.negative ? Rational(0) : reduction;
    const Integer units = model_.round_up ? ceil(counted / model_.rounding_unit) : floor(counted / model_.rounding_unit);
    const auto milligrams = to_int64(floor(Rational(units) * model_.rounding_unit * 1'000'000));
    if (!milligrams) throw Refusal{"the result is larger than nine billion tonnes", "see the inputs"};
    made_.milligrams = *milligrams;
    made_.exact_grams = to_grouped_text(reduction * 1000, 20);
    const auto rounding = split_unit(model_.rounding_text);
    made_.issued = fmt::format("{} {}", to_grouped_text(Rational(units) * rounding.first, 30), rounding.second);
    if (!model_.reduction) {
      Step step;
      const NamedUnit unit = units_.choose(mass_of_co2e());
      step.role = Step::Role::reduction;
      step.name = "reduction";
      step.formula = std::string("baseline") + (model_.project ? " - project" : "") + (model_.leakage ? " - leakage" : "");
      step.amount = amount(reduction, unit);
      step.unit = unit.text;
      made_.steps.push_back(std::move(step));
    }
  }

  /// "100 g" counts hundreds of grams.
  static std::pair<Rational, std::string> split_unit(const std::string& text) {
    const std::size_t name = text.find_first_not_of("0123456789. ");
    const auto number = parse_number(text.substr(0, text.find_first_not_of("0123456789.")));
    return {number.value_or(1), text.substr(std::min(name, text.size()))};
  }

  const Library& library_;
  const Methodology& methodology_;
  const Model& model_;
  const std::vector<CaseValue>& inputs_;
  std::vector<std::string> chain_;
  UnitChooser units_;
  Reference reference_;
  Calculation made_{.steps = {},
                    .milligrams = 0,
                    .negative = false,
                    .exact_grams = {},
                    .issued = {},
                    .status = Status::official,
                    .region = {},
                    .year = 0};
};

/// The inputs from the document and the single values, which go before it.
core::Result<std::vector<CaseValue>> read_given(const Methodology& methodology, const Given& given) {
  std::vector<Problem> problems;
  std::string text;
  YamlNode map = values_as_map(given.values, text);
  const bool has_document = !given.document.empty();
  const Source source(has_document ? given.document_name : "inputs", has_document ? given.document : text);
  Reporter report(source, problems);
  if (has_document) {
    auto document = parse_yaml(source, report);
    if (!document) return bad_input(methodology, problems);
    for (std::size_t i = 0; i < map.items.size(); ++i) map.keys[i].line = map.items[i].line = 0;
    for (std::size_t i = 0; i < document->items.size(); ++i) {
      if (map.find(document->keys[i].text) != nullptr) continue;
      map.keys.push_back(document->keys[i]);
      map.items.push_back(document->items[i]);
    }
  }
  const bool one_activity = methodology.serves.size() == 1;
  const auto words = one_activity ? methodology.serves[0].words : std::map<std::string, std::string>{};
  auto inputs = read_case(map, *methodology.model, words, true, report);
  if (!inputs) return bad_input(methodology, problems);
  return std::move(*inputs);
}

}  // namespace

core::Result<Calculation> calculate(const Library& library, const Methodology& methodology, const Given& given) {
  const std::string region = given.region.empty() ? methodology.region() : given.region;
  if (library.find_region(region) == nullptr)
    return core::Error{core::ErrorCode::invalid_input,
                       "methodology.unknown-region",
                       fmt::format("unknown region '{}'", region),
                       "regions stand in methodologies/regions.yaml",
                       {{"region", region}}};
  const int year = given.year.value_or(std::stoi(core::to_text(methodology.from).substr(0, 4)));
  const auto inputs = read_given(methodology, given);
  if (!inputs) return inputs.error();
  try {
    return Worker(library, methodology, *inputs, region, year).work();
  } catch (const Refusal& refusal) {
    return core::Error{core::ErrorCode::refused,
                       "methodology.not-computable",
                       fmt::format("'{}' in region {} and year {}: {}", methodology.id, region, year, refusal.message),
                       refusal.action,
                       {{"methodology", methodology.id}}};
  }
}

}  // namespace tanhui::methodology
