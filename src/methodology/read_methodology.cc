// One methodology file.
#include <set>

#include "core/hash.h"
#include "methodology/check.h"
#include "methodology/fields.h"
#include "methodology/loader.h"

namespace tanhui::methodology {
namespace {

constexpr std::string_view kReserved[] = {"year", "region", "if",  "then",  "else", "and",   "or",  "not", "in", "min",
                                          "max",  "clamp",  "abs", "round", "sum",  "count", "exp", "ln",  "pow"};
constexpr std::size_t kListRowsMax = 10'000;

/// Where the bytes of a value stand in the file, whatever its quoting and line breaks: the characters that are no spaces are found
/// again one after the other.
class TextPlaces {
 public:
  TextPlaces(const Source& source, const YamlNode& node) : source_(source) {
    const std::string& text = source.text();
    std::size_t at = source.offset_of(node.line, node.column);
    if (at < text.size() && (text[at] == '|' || text[at] == '>'))
      at = std::min(text.find('\n', at), text.size());
    else if (at < text.size() && (text[at] == '"' || text[at] == '\'') && text[at] != (node.text.empty() ? ' ' : node.text[0]))
      ++at;
    for (const char c : node.text) {
      if (c != ' ' && c != '\n')
        while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r')) ++at;
      offsets_.push_back(std::min(at, text.size()));
      if (at < text.size() && (text[at] == c || (c == ' ' && text[at] == '\n'))) ++at;
    }
    offsets_.push_back(at);
  }
  Place place(std::size_t begin, std::size_t end) const {
    const std::size_t last = offsets_.size() - 1;
    const auto [line, column] = source_.place_of(offsets_[std::min(begin, last)]);
    return {line, column, std::max<std::size_t>(std::min(end, last) - std::min(begin, last), 1)};
  }

 private:
  const Source& source_;
  std::vector<std::size_t> offsets_;
};

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 60 || text.front() < 'a' || text.front() > 'z') return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

bool has_word(std::string_view text, std::string_view word) {
  const auto is_part = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const bool begins = at == 0 || !is_part(text[at - 1]);
    const bool ends = at + word.size() == text.size() || !is_part(text[at + word.size()]);
    if (begins && ends) return true;
  }
  return false;
}

class MethodologyReader {
 public:
  MethodologyReader(const YamlNode& root, std::string stem, const Library::State& library, Reporter& report)
      : library_(library), report_(report), stem_(std::move(stem)), fields_(root, report, "the methodology", {"id",
                                                                                                              "version",
                                                                                                              "kind",
                                                                                                              "name",
                                                                                                              "region",
                                                                                                              "valid",
                                                                                                              "status",
                                                                                                              "basis",
                                                                                                              "category",
                                                                                                              "tradable",
                                                                                                              "gwp",
                                                                                                              "activities",
                                                                                                              "inputs",
                                                                                                              "parameters",
                                                                                                              "tables",
                                                                                                              "use",
                                                                                                              "let",
                                                                                                              "formula",
                                                                                                              "rounding",
                                                                                                              "limits",
                                                                                                              "cap",
                                                                                                              "double_counting",
                                                                                                              "evidence",
                                                                                                              "boundary",
                                                                                                              "additionality",
                                                                                                              "monitoring",
                                                                                                              "leakage",
                                                                                                              "ownership",
                                                                                                              "notes",
                                                                                                              "examples"}) {}

  std::shared_ptr<const Methodology> read() {
    read_head();
    read_tables();
    read_inputs();
    read_parameters();
    read_formulas();
    read_rounding();
    read_activities();
    read_limits();
    read_cap();
    read_double_counting();
    read_texts();
    check_status();
    read_examples();
    if (report_.mistakes() != 0) return nullptr;
    core::ByteWriter bytes;
    bytes.str("tanhui methodology 1");
    write_canonical(fields_.node(), bytes);
    std::sort(made_.shared_tables.begin(), made_.shared_tables.end());
    for (const std::string& table : made_.shared_tables) bytes.str(table).str(library_.tables.find(table)->second->canonical);
    made_.digest = core::to_hex(core::sha256(bytes.take()));
    made_.file = report_.source().file();
    model_.source_text = std::make_shared<const std::string>(report_.source().text());
    made_.model = std::make_shared<const Model>(std::move(model_));
    return std::make_shared<const Methodology>(std::move(made_));
  }

 private:
  bool is_project() const { return made_.kind == Kind::project; }

  // ---- head

  void read_head() {
    made_.id = fields_.require_text("id", "the file name without .yaml").value_or("");
    made_.version =
        int(fields_.require("version", "a whole number, from 1") != nullptr ? fields_.whole("version", 1, 1'000'000).value_or(1) : 1);
    if (!made_.id.empty() && made_.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
      report_.mistake(fields_.find("id")->place(), fmt::format("the id '{}' has characters other than a-z, 0-9 and -", made_.id));
    if (!made_.id.empty() && stem_ != made_.id && stem_ != fmt::format("{}@{}", made_.id, made_.version))
      report_.mistake(fields_.find("id")->place(), fmt::format("the id '{}' differs from the file name '{}'", made_.id, stem_),
                      fmt::format("name the file {}.yaml (or {}@{}.yaml for a further version)", made_.id, made_.id, made_.version));
    if (const auto kind = fields_.one_of("kind", {"quantitative", "qualitative", "project"}, true)) made_.kind = find_kind(*kind).value();
    made_.name = fields_.both_languages("name", true);
    read_regions();
    if (const YamlNode* valid = fields_.require("valid", "{from: 2024-09-02}")) {
      Fields days(*valid, report_, "'valid'", {"from", "to"});
      if (days.require("from", "the first local day") != nullptr) made_.from = days.day("from").value_or(core::Day{});
      made_.to = days.day("to");
      if (made_.to && *made_.to < made_.from) report_.mistake(valid->find("to")->place(), "the last day lies before the first", "");
    }
    if (const auto status = fields_.one_of("status", {"official", "reported-by-platform", "derived", "illustrative"}, true))
      made_.status = find_status(*status).value();
    if (const YamlNode* basis = fields_.require("basis", "{document: \"...\", grade: S2}")) {
      Fields parts(*basis, report_, "'basis'", {"document", "issued", "grade", "url", "note"});
      made_.document = parts.require_text("document", "the document that the method comes from").value_or("");
      if (const auto issued = parts.day("issued")) made_.issued = core::to_text(*issued);
      made_.grade = parts.one_of("grade", {"S0", "S1", "S2", "S4", "S5", "P", "R", "D", "K"}, true).value_or("");
    }
    made_.category =
        fields_.require_text("category", "travel, energy, recycling, reuse, paper, living, meeting, fuel, sink, project ...").value_or("");
    made_.tradable = fields_.one_of("tradable", {"yes", "no", "unclear"}, true).value_or("");
    made_.gwp = fields_.one_of("gwp", {"AR4", "AR5", "AR6", "none"}, true).value_or("");
  }

  void read_regions() {
    const YamlNode* region = fields_.require("region", "a code of methodologies/regions.yaml, as in \"420100\"");
    made_.regions = fields_.words("region");
    if (region != nullptr && made_.regions.empty()) report_.mistake(region->place(), "no region is named");
    for (const std::string& code : made_.regions) {
      if (library_.region_index.contains(code)) continue;
      std::vector<std::string_view> known;
      for (const Region& other : library_.regions) known.push_back(other.code);
      const std::string_view best = nearest(code, known);
      report_.mistake(region->place(), fmt::format("unknown region '{}'", code),
                      best.empty() ? "regions stand in methodologies/regions.yaml; add it there with its parent"
                                   : fmt::format("did you mean '{}'? Regions stand in methodologies/regions.yaml", best));
    }
    if (made_.regions.empty()) made_.regions.push_back("");
    const std::string& id = made_.id;
    if (region != nullptr && id.starts_with("cn-") && id.size() > 9 && id.substr(3, 6) != made_.region())
      report_.mistake(region->place(), fmt::format("the region '{}' differs from the code in the id '{}'", made_.region(), id),
                      fmt::format("region: \"{}\"", id.substr(3, 6)));
  }

  // ---- tables

  void read_tables() {
    if (const YamlNode* local = fields_.find("tables")) {
      if (!local->is_map())
        report_.mistake(local->place(), "'tables' must be a map of tables", "name: {unit: ..., keys: [...], rows: [...]}");
      for (std::size_t i = 0; local->is_map() && i < local->keys.size(); ++i) {
        claim_name(local->keys[i], local->keys[i].text, true);
        if (auto table = read_table(local->items[i], local->keys[i].text, false, library_, report_))
          model_.tables.push_back(std::move(table));
        else
          broken_.insert(local->keys[i].text);
      }
    }
    for (const std::string& id : fields_.words("use")) {
      const auto shared = library_.tables.find(id);
      if (shared != library_.tables.end()) {
        names_.insert(id);
        model_.tables.push_back(shared->second);
        made_.shared_tables.push_back(id);
        continue;
      }
      std::vector<std::string_view> known;
      for (const auto& [name, table] : library_.tables) known.push_back(name);
      report_.mistake(fields_.find("use")->place(), fmt::format("there is no shared table '{}' (or it has mistakes)", id),
                      hint_of(id, known, "shared tables"));
      broken_.insert(id);
    }
  }

  /// Inputs, parameters, steps and tables share one set of names.
  void claim_name(const YamlNode& key, const std::string& name, bool is_table = false) {
    std::string plain = name;
    if (is_table) std::replace(plain.begin(), plain.end(), '-', '_');
    if (!is_name(plain))
      report_.mistake(key.place(), fmt::format("'{}' is not a name", name), "small letters, digits and _, beginning with a letter");
    else if (std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved))
      report_.mistake(key.place(), fmt::format("'{}' has a meaning of its own in formulas", name), "take another name");
    else if (!names_.insert(name).second)
      report_.mistake(key.place(), fmt::format("the name '{}' is taken already", name),
                      "inputs, parameters, steps and tables share one set of names");
  }

  // ---- inputs and parameters

  void read_inputs() {
    const YamlNode* inputs = fields_.require("inputs", "distance: {unit: person km, min: 0.5, max: 120}");
    if (inputs == nullptr) return;
    if (!inputs->is_map())
      return report_.mistake(inputs->place(), "'inputs' must be a map", "distance: {unit: person km, min: 0.5, max: 120}");
    for (std::size_t i = 0; i < inputs->keys.size(); ++i) {
      claim_name(inputs->keys[i], inputs->keys[i].text);
      auto [spec, shown] = read_input(inputs->keys[i], inputs->items[i], true);
      model_.inputs.push_back(std::move(spec));
      made_.inputs.push_back(std::move(shown));
    }
  }

  std::pair<InputSpec, InputField> read_input(const YamlNode& key, const YamlNode& node, bool is_top) {
    InputSpec spec;
    InputField shown;
    spec.name = shown.name = key.text;
    Fields input(node, report_, fmt::format("input '{}'", key.text), {"unit", "min", "max", "default", "choice", "list", "meaning"});
    shown.meaning = input.both_languages("meaning", false);
    if (node.find("choice") != nullptr)
      read_choice(input, spec, shown);
    else if (node.find("list") != nullptr && is_top)
      read_list(input, spec, shown);
    else
      read_number_input(input, key, spec, shown, is_top);
    return {std::move(spec), std::move(shown)};
  }

  void read_number_input(Fields& input, const YamlNode& key, InputSpec& spec, InputField& shown, bool is_top) {
    const YamlNode* unit = input.require("unit", "person km, kWh, kg, \"1\" ...; or choice: [...]; or list: {...}");
    if (unit == nullptr) return;
    spec.unit_text = shown.unit = unit->text;
    const auto parsed = read_unit(*unit, report_);
    if (!parsed) return;
    spec.unit = *parsed;
    const auto amount = [&](const char* field, std::string& text) -> std::optional<Rational> {
      const YamlNode* value = input.find(field);
      if (value == nullptr) return std::nullopt;
      text = value->text;
      return read_amount(*value, spec.unit_text, spec.unit, report_);
    };
    spec.min = amount("min", shown.min);
    spec.max = amount("max", shown.max);
    spec.fallback = amount("default", shown.fallback);
    if (spec.min && spec.max && *spec.min > *spec.max) report_.mistake(input.find("min")->place(), "min lies above max", "");
    if (!is_project() && is_top && (!spec.min || !spec.max))
      report_.warning(key.place(), fmt::format("input '{}' of an act has no {}", key.text, spec.min ? "max" : "min"),
                      "bounds keep impossible records out and the arithmetic small");
  }

  void read_choice(Fields& input, InputSpec& spec, InputField& shown) {
    spec.kind = InputSpec::Kind::word;
    spec.words = shown.words = input.words("choice");
    if (spec.words.empty()) report_.mistake(input.find("choice")->place(), "a choice needs words", "choice: [small, large]");
    if (const auto word = input.text("default")) {
      spec.fallback_word = shown.fallback = *word;
      if (std::find(spec.words.begin(), spec.words.end(), *word) == spec.words.end())
        report_.mistake(input.find("default")->place(), fmt::format("the default '{}' is not one of the choices", *word));
    }
    for (const char* field : {"unit", "min", "max"})
      if (input.find(field) != nullptr) report_.mistake(input.find(field)->place(), fmt::format("a choice has no '{}'", field));
  }

  void read_list(Fields& input, InputSpec& spec, InputField& shown) {
    spec.kind = InputSpec::Kind::list;
    const YamlNode& list = *input.find("list");
    if (!is_project()) report_.mistake(list.place(), "lists are for projects", "an act has numbers and choices");
    if (!list.is_map() || list.items.empty())
      return report_.mistake(list.place(), "a list needs fields", "list: {mass: {unit: t}, year: {unit: \"1\"}}");
    for (std::size_t i = 0; i < list.keys.size(); ++i) {
      if (!is_name(list.keys[i].text))
        report_.mistake(list.keys[i].place(), fmt::format("'{}' is not a name", list.keys[i].text),
                        "small letters, digits and _, beginning with a letter");
      auto [field, field_shown] = read_input(list.keys[i], list.items[i], false);
      spec.fields.push_back(std::move(field));
      shown.fields.push_back(std::move(field_shown));
    }
  }

  void read_parameters() {
    const YamlNode* parameters = fields_.find("parameters");
    if (parameters == nullptr || parameters->kind == YamlNode::Kind::null) return;
    if (!parameters->is_map())
      return report_.mistake(parameters->place(), "'parameters' must be a map", "factor: {value: 0.0784, unit: kg CO2e/(person km), ...}");
    for (std::size_t i = 0; i < parameters->keys.size(); ++i) {
      const YamlNode& key = parameters->keys[i];
      claim_name(key, key.text);
      Fields fields(parameters->items[i], report_, fmt::format("parameter '{}'", key.text),
                    {"value", "unit", "grade", "status", "source", "note", "meaning"});
      ParameterSpec spec;
      Parameter shown;
      spec.name = shown.name = key.text;
      if (const YamlNode* unit = fields.require("unit", "as in kg CO2e/(person km), or \"1\"")) {
        spec.unit_text = shown.unit = unit->text;
        const auto parsed = read_unit(*unit, report_);
        if (!parsed) broken_.insert(key.text);
        const Unit value_unit = parsed.value_or(Unit{});
        spec.dimension = value_unit.dimension;
        if (const YamlNode* value = fields.require("value", "a decimal, or a ratio \"63000/704000\"")) {
          shown.value = value->text;
          if (const auto number = read_number(*value, report_)) spec.value = *number * value_unit.scale;
        }
      } else {
        broken_.insert(key.text);
      }
      if (parameters->items[i].is_map()) {
        if (const auto provenance = read_provenance(parameters->items[i], nullptr, fmt::format("parameter '{}'", key.text), report_)) {
          shown.grade = provenance->grade;
          shown.source = provenance->source;
          shown.status = spec.status = provenance->status;
        } else {
          all_statuses_known_ = false;
        }
      }
      model_.parameters.push_back(std::move(spec));
      made_.parameters.push_back(std::move(shown));
    }
  }

  // ---- formulas

  void read_formulas() {
    const YamlNode* formula = fields_.require("formula", "reduction: distance * reduction_factor");
    if (const YamlNode* let = fields_.find("let")) read_lets(*let);
    if (formula == nullptr) return;
    if (!formula->is_map())
      return report_.mistake(formula->place(), "'formula' must be a map", "reduction: ..., or baseline: ... and project: ...");
    Fields parts(*formula, report_, "'formula'", {"let", "reduction", "baseline", "project", "leakage"});
    if (const YamlNode* let = formula->find("let")) read_lets(*let);
    const bool has_reduction = formula->find("reduction") != nullptr, has_baseline = formula->find("baseline") != nullptr;
    if (has_reduction == has_baseline)
      return report_.mistake(formula->place(),
                             has_baseline ? "'formula' holds reduction and baseline" : "'formula' holds neither reduction nor baseline",
                             "either reduction, or baseline with project and leakage");
    if (has_reduction && (formula->find("project") != nullptr || formula->find("leakage") != nullptr))
      report_.mistake(formula->place(), "'reduction' stands alone", "write baseline, project and leakage instead");
    model_.lets = model_.steps.size();
    for (const auto& [name, slot] : {std::pair("reduction", &model_.reduction), std::pair("baseline", &model_.baseline),
                                     std::pair("project", &model_.project), std::pair("leakage", &model_.leakage)})
      if (const YamlNode* part = formula->find(name)) read_formula(*part, name, slot);
    for (const auto& parameter : made_.parameters)
      if (!parameter.used)
        report_.warning(fields_.find("parameters")->place(), fmt::format("parameter '{}' is not used by the formula", parameter.name),
                        "leave it out, or say in notes why it stands here");
  }

  void read_lets(const YamlNode& let) {
    if (!let.is_map()) return report_.mistake(let.place(), "'let' must be a map of steps", "name: formula");
    for (std::size_t i = 0; i < let.keys.size(); ++i) {
      model_.lets = model_.steps.size();
      claim_name(let.keys[i], let.keys[i].text);
      read_formula(let.items[i], let.keys[i].text, nullptr);
    }
    model_.lets = model_.steps.size();
  }

  /// `part` is set for reduction, baseline, project and leakage, which must come out as kg CO2e.
  void read_formula(const YamlNode& node, const std::string& name, std::optional<std::size_t>* part) {
    StepSpec step{.name = name, .text = node.text, .expr = {}};
    if (!node.is_scalar())
      return report_.mistake(node.place(), fmt::format("the formula '{}' must be one text", name),
                             "quote it when it contains a colon or begins with a bracket");
    std::set<std::string, std::less<>> tables;
    for (const auto& table : model_.tables) tables.insert(table->id);
    tables.insert(broken_.begin(), broken_.end());
    const TextPlaces places(report_.source(), node);
    const auto complain = [&](const FormulaError& error) {
      report_.mistake(places.place(error.begin, error.end), error.message, error.hint);
    };
    auto parsed = parse_formula(node.text, tables);
    bool good = false;
    if (const auto* syntax = std::get_if<FormulaError>(&parsed)) {
      complain(*syntax);
    } else {
      step.expr = std::move(std::get<Expr>(parsed));
      good = is_right(step, part != nullptr, complain);
    }
    if (!good) broken_.insert(name);
    if (part != nullptr) *part = model_.steps.size();
    made_.formulas.emplace_back(name, node.text);
    model_.steps.push_back(std::move(step));
  }

  /// Names, units and, for the last formula, the result.
  template <class Complain>
  bool is_right(StepSpec& step, bool is_part, Complain complain) {
    auto errors = check_formula(step.expr, step.text, {model_, is_project()});
    // What depends on a broken table, parameter or step has been said already.
    std::erase_if(errors, [&](const FormulaError& error) {
      const std::string_view where = std::string_view(step.text).substr(error.begin, error.end - error.begin);
      return std::any_of(broken_.begin(), broken_.end(), [&](const std::string& broken) { return has_word(where, broken); });
    });
    for (const FormulaError& error : errors) complain(error);
    if (step.expr.type != Type::number) return false;
    if (is_part)
      if (const auto error = check_is_co2e(step.expr)) complain(*error);
    collect_uses(step.expr);
    return true;
  }

  // ---- status: the weakest number used

  void weaken(Status status, const std::string& by) {
    if (!weakest_ || status > *weakest_) {
      weakest_ = status;
      weakest_by_ = by;
    }
  }

  void collect_uses(const Expr& expr) {
    if (expr.leaf == Leaf::parameter) {
      made_.parameters[expr.slot].used = true;
      weaken(made_.parameters[expr.slot].status, fmt::format("parameter '{}'", expr.text));
    }
    if (expr.op == Op::lookup && expr.table != nullptr) collect_rows(expr);
    for (const Expr& item : expr.items) collect_uses(item);
  }

  void collect_rows(const Expr& lookup) {
    const Table& table = *lookup.table;
    std::vector<std::optional<std::string>> words(table.keys.size());
    std::vector<int> years;
    for (std::size_t i = 0; i < table.keys.size(); ++i) {
      const Expr& key = lookup.items[i];
      if (key.op == Op::word) words[i] = key.text;
      if (table.keys[i].kind != TableKey::Kind::year) continue;
      if (key.op == Op::number && key.number > 1900 && key.number < 2200) years.push_back(floor(key.number).convert_to<int>());
      if (key.leaf == Leaf::year) {
        const int first = std::stoi(core::to_text(made_.from).substr(0, 4));
        years.push_back(first);
        for (const TableRow& row : table.rows)
          if (row.year > first) years.push_back(row.year);
      }
    }
    for (const TableRow* row : table.reachable(words, years, chains()))
      weaken(row->status, fmt::format("table '{}', row {}", table.id, row_text(table, *row)));
  }

  static std::string row_text(const Table& table, const TableRow& row) {
    std::string text;
    for (std::size_t i = 0; i < table.keys.size(); ++i) {
      text.append(i == 0 ? "" : ", ");
      if (table.keys[i].kind == TableKey::Kind::year)
        text += std::to_string(row.year);
      else if (table.keys[i].kind == TableKey::Kind::range)
        text += row.up_to ? "up to " + to_text(*row.up_to / table.keys[i].unit.scale) : "above";
      else
        text += row.words[i];
    }
    return text;
  }

  /// Chains of all regions in which an act may happen that this methodology quantifies.
  const std::vector<std::vector<std::string>>& chains() {
    if (!chains_.empty()) return chains_;
    for (const Region& region : library_.regions) {
      std::vector<std::string> chain = library_.chain(region.code);
      const bool inside = std::any_of(made_.regions.begin(), made_.regions.end(),
                                      [&](const std::string& code) { return std::find(chain.begin(), chain.end(), code) != chain.end(); });
      if (inside) chains_.push_back(std::move(chain));
    }
    return chains_;
  }

  void check_status() {
    const YamlNode* status = fields_.find("status");
    if (status == nullptr || !weakest_ || !all_statuses_known_ || !find_status(status->text) || made_.status == *weakest_) return;
    report_.mistake(
        status->place(),
        fmt::format("the status is '{}', but the weakest number used is '{}' ({})", name(made_.status), name(*weakest_), weakest_by_),
        fmt::format("status: {}", name(*weakest_)));
  }

  void read_rounding() {
    model_.rounding_unit = Rational(1, 1'000'000);
    const YamlNode* rounding = fields_.find("rounding");
    if (rounding == nullptr) return;
    Fields fields(*rounding, report_, "'rounding'", {"unit", "direction"});
    model_.round_up = fields.one_of("direction", {"down", "up"}, false).value_or("down") == "up";
    const YamlNode* node = fields.require("unit", "a mass: mg, g, kg, t, or 100 g");
    const auto unit = node != nullptr ? read_unit(*node, report_) : std::nullopt;
    if (!unit) return;
    if (with_co2e(unit->dimension) != mass_of_co2e())
      return report_.mistake(node->place(), fmt::format("'{}' is not a mass", node->text), "mg, g, kg, t, or 100 g");
    model_.rounding_text = node->text;
    model_.rounding_unit = unit->scale;
    if (model_.rounding_unit < Rational(1, 1'000'000)) report_.mistake(node->place(), "results are kept in milligrams", "mg or more");
    if (!is_project() && (model_.rounding_unit != Rational(1, 1'000'000) || model_.round_up))
      report_.mistake(rounding->place(), "an act is rounded down to the milligram", "leave 'rounding' out");
  }

  // ---- activities

  void read_activities() {
    const YamlNode* activities = fields_.require("activities", "[metro-ride], or {metro-ride: {mode: rail}}");
    if (activities == nullptr) return;
    std::vector<const YamlNode*> names;
    if (activities->is_map())
      for (const YamlNode& key : activities->keys) names.push_back(&key);
    else if (activities->is_list())
      for (const YamlNode& item : activities->items) names.push_back(&item);
    else
      return report_.mistake(activities->place(), "'activities' must be a list or a map", "[metro-ride], or {metro-ride: {mode: rail}}");
    if (is_project() && !names.empty()) report_.mistake(activities->place(), "a project has no activities", "activities: []");
    if (!is_project() && names.empty()) report_.mistake(activities->place(), "an act needs its activity types", "activities: [metro-ride]");
    for (std::size_t i = 0; i < names.size() && !is_project(); ++i) {
      const auto index = library_.activity_index.find(names[i]->text);
      if (index == library_.activity_index.end()) {
        std::vector<std::string_view> known;
        for (const ActivityType& type : library_.activities) known.push_back(type.id);
        const std::string_view best = nearest(names[i]->text, known);
        report_.mistake(names[i]->place(), fmt::format("unknown activity '{}'", names[i]->text),
                        (best.empty() ? std::string() : fmt::format("did you mean '{}'? ", best)) +
                            "activities stand in methodologies/activities.yaml");
        continue;
      }
      read_served(index->second, *names[i], activities->is_map() ? &activities->items[i] : nullptr);
    }
  }

  void read_served(std::size_t activity, const YamlNode& place, const YamlNode* bindings) {
    Served served;
    served.activity = activity;
    const ActivityType& type = library_.activities[activity];
    served.bounds.resize(type.quantities.size());
    if (bindings != nullptr) read_bindings(*bindings, served);
    bool first = true;
    for (const InputSpec& input : model_.inputs) {
      if (input.kind == InputSpec::Kind::word) {
        if (!served.words.contains(input.name) && !input.fallback_word)
          report_.mistake(
              place.place(), fmt::format("activity '{}' does not say what '{}' is", type.id, input.name),
              fmt::format("activities: {{{}: {{{}: {}}}}}", type.id, input.name, input.words.empty() ? "..." : input.words.front()));
        continue;
      }
      std::optional<std::size_t> column;
      for (std::size_t q = 0; q < type.quantities.size(); ++q)
        if (type.quantities[q].name == input.name) column = q;
      if (!column) {
        if (input.fallback) continue;
        std::string known;
        for (const QuantityType& quantity : type.quantities) known.append(known.empty() ? "" : ", ").append(quantity.name);
        report_.mistake(place.place(), fmt::format("activity '{}' has no quantity '{}'", type.id, input.name),
                        fmt::format("it has {}; give the input a default, or add the quantity to methodologies/activities.yaml", known));
        continue;
      }
      const auto scale = scale_of(input, type.quantities[*column]);
      if (!scale) {
        report_.mistake(place.place(),
                        fmt::format("input '{}' is in '{}', activity '{}' records it in '{}'", input.name, input.unit_text, type.id,
                                    type.quantities[*column].base_unit),
                        "both need the same dimension; counting units may differ");
        continue;
      }
      served.bounds[*column] = bounds_of(input, *scale, place);
      if (first) served.main = *column;
      first = false;
    }
    made_.serves.push_back(std::move(served));
  }

  void read_bindings(const YamlNode& bindings, Served& served) {
    if (bindings.kind == YamlNode::Kind::null) return;
    if (!bindings.is_map()) return report_.mistake(bindings.place(), "an activity binds choices by a map", "{mode: rail}");
    for (std::size_t i = 0; i < bindings.keys.size(); ++i) {
      const auto input = std::find_if(model_.inputs.begin(), model_.inputs.end(),
                                      [&](const InputSpec& spec) { return spec.name == bindings.keys[i].text; });
      if (input == model_.inputs.end() || input->kind != InputSpec::Kind::word)
        report_.mistake(bindings.keys[i].place(), fmt::format("there is no choice '{}'", bindings.keys[i].text),
                        "declare it in inputs: {choice: [...]}");
      else if (std::find(input->words.begin(), input->words.end(), bindings.items[i].text) == input->words.end())
        report_.mistake(bindings.items[i].place(),
                        fmt::format("'{}' is not one of the choices of '{}'", bindings.items[i].text, input->name));
      else
        served.words[input->name] = bindings.items[i].text;
    }
  }

  Bounds bounds_of(const InputSpec& input, const Rational& scale, const YamlNode& place) {
    constexpr std::int64_t kQuantityMax = 1'000'000'000'000;  // base units; without a bound of its own
    const auto lower = input.min ? to_int64(ceil(*input.min / scale)) : 0;
    const auto upper = input.max ? to_int64(floor(*input.max / scale)) : kQuantityMax;
    if (!lower || !upper || *lower < -kQuantityMax || *upper > kQuantityMax || *lower > *upper) {
      report_.mistake(place.place(), fmt::format("the bounds of '{}' leave no whole base unit, or are beyond 10^12", input.name));
      return {};
    }
    return {*lower, *upper};
  }

  // ---- limits, cap, double counting, evidence, texts

  std::optional<std::int64_t> limit(const YamlNode& range, const char* field, const char* unit, bool is_max) {
    const YamlNode* node = range.find(field);
    if (node == nullptr) return std::nullopt;
    const Unit base = unit_of(unit);
    if (node->is_scalar() && split_amount(node->text) && split_amount(node->text)->unit.empty()) {
      report_.mistake(node->place(), fmt::format("'{}' has no unit", node->text), fmt::format("as in {} {}", node->text, unit));
      return std::nullopt;
    }
    const auto value = read_amount(*node, unit, base, report_);
    return value ? to_int64(is_max ? floor(*value / base.scale) : ceil(*value / base.scale)) : std::nullopt;
  }

  void read_limits() {
    const YamlNode* limits = fields_.find("limits");
    if (limits == nullptr) return;
    Fields fields(*limits, report_, "'limits'", {"duration", "speed"});
    if (const YamlNode* duration = fields.find("duration")) {
      Fields range(*duration, report_, "'duration'", {"min", "max"});
      made_.limits.duration_ms_min = limit(*duration, "min", "ms", false);
      made_.limits.duration_ms_max = limit(*duration, "max", "ms", true);
    }
    if (const YamlNode* speed = fields.find("speed")) {
      Fields range(*speed, report_, "'speed'", {"min", "max"});
      made_.limits.speed_m_per_h_min = limit(*speed, "min", "m/h", false);
      made_.limits.speed_m_per_h_max = limit(*speed, "max", "m/h", true);
      if (std::none_of(model_.inputs.begin(), model_.inputs.end(),
                       [](const InputSpec& input) { return without_counts(input.unit.dimension) == unit_of("m").dimension; }))
        report_.warning(speed->place(), "a speed limit without a distance among the inputs",
                        "it is checked only where a record has a distance");
    }
  }

  void read_cap() {
    const YamlNode* node = fields_.find("cap");
    if (node == nullptr || node->kind == YamlNode::Kind::null) return;
    Fields fields(*node, report_, "'cap'", {"acts", "quantity", "reduction"});
    made_.cap.acts = fields.whole("acts", 1, 1'000'000);
    if (const YamlNode* reduction = node->find("reduction"))
      if (const auto mass = read_amount(*reduction, "g CO2e", Unit{Rational(1, 1000), mass_of_co2e()}, report_))
        made_.cap.reduction_mg = to_int64(floor(*mass * 1'000'000));
    const YamlNode* quantity = node->find("quantity");
    if (quantity == nullptr) return;
    const auto main = std::find_if(model_.inputs.begin(), model_.inputs.end(),
                                   [](const InputSpec& input) { return input.kind == InputSpec::Kind::number; });
    if (main == model_.inputs.end()) return report_.mistake(quantity->place(), "a cap on the quantity needs a number among the inputs");
    const auto amount = read_amount(*quantity, main->unit_text, main->unit, report_);
    made_.cap.has_quantity = true;
    for (Served& served : made_.serves) {
      const auto& quantities = library_.activities[served.activity].quantities;
      const auto scale = served.main < quantities.size() && quantities[served.main].name == main->name
                             ? scale_of(*main, quantities[served.main])
                             : std::nullopt;
      if (amount && scale)
        served.cap_quantity = to_int64(floor(*amount / *scale));
      else if (amount)
        report_.mistake(quantity->place(),
                        fmt::format("activity '{}' does not record '{}'", library_.activities[served.activity].id, main->name),
                        "cap by acts or reduction");
    }
  }

  void read_double_counting() {
    const YamlNode* node = fields_.find("double_counting");
    if (node == nullptr || node->kind == YamlNode::Kind::null) return;
    Fields fields(*node, report_, "'double_counting'", {"group", "scope", "when", "excludes", "rank", "baseline_mode", "key", "note"});
    DoubleCounting& rule = made_.double_counting;
    rule.groups = fields.words("group");
    for (const std::string& group : rule.groups)
      if (!group.starts_with("G-"))
        report_.mistake(node->find("group")->place(), fmt::format("'{}' is no group", group), "groups are called G-TRIP, G-ITEM ...");
    if (rule.groups.empty()) report_.mistake(node->place(), "'double_counting' has no 'group'", "group: G-TRIP");
    if (const auto scope = fields.one_of("scope", {"person", "object"}, true))
      rule.scope = *scope == "object" ? Scope::object : Scope::person;
    if (const auto when = fields.one_of("when", {"overlap", "same-day", "always"}, true))
      rule.when = *when == "overlap" ? When::overlap : *when == "same-day" ? When::same_day : When::always;
    rule.excludes = fields.words("excludes");
    rule.rank = int(fields.whole("rank", 0, 100).value_or(1));
    rule.baseline_mode = fields.one_of("baseline_mode", {"private-car", "public-transport", "mixed"}, false).value_or("");
  }

  void read_texts() {
    if (const YamlNode* evidence = fields_.require("evidence", "{grade: metered, required: {en: ..., zh: ...}}")) {
      Fields fields(*evidence, report_, "'evidence'", {"grade", "required"});
      made_.evidence_grade = fields.one_of("grade", {"metered", "inferred", "declared"}, true).value_or("");
      made_.evidence_required = fields.both_languages("required", true);
    }
    made_.boundary = fields_.both_languages("boundary", false);
    made_.additionality = fields_.both_languages("additionality", false);
    made_.monitoring = fields_.both_languages("monitoring", false);
    made_.leakage = fields_.both_languages("leakage", false);
    made_.ownership = fields_.both_languages("ownership", false);
    made_.notes = fields_.words("notes");
    for (const char* field : {"additionality", "monitoring"})
      if (fields_.find(field) == nullptr) report_.warning({}, fmt::format("'{}' is missing", field), "say it in English and Chinese");
  }

  // ---- examples

  void read_examples() {
    const YamlNode* examples = fields_.require("examples", "- {given: {distance: 13 km}, expect: 1019 g}");
    if (examples == nullptr) return;
    if (!examples->is_list() || examples->items.empty())
      return report_.mistake(examples->place(), "there must be at least one example", "- {given: {distance: 13 km}, expect: 1019 g}");
    for (const YamlNode& example : examples->items) read_example(example);
    made_.examples = model_.examples.size();
  }

  void read_example(const YamlNode& node) {
    Fields fields(node, report_, "the example", {"given", "expect", "expect_step", "vector", "region", "year", "activity", "note"});
    const YamlNode *given = fields.require("given", "{distance: 13 km}"), *expect = fields.require("expect", "1019 g");
    if (given == nullptr || expect == nullptr) return;
    ExampleSpec example;
    example.vector = int(fields.whole("vector", 1, 1000).value_or(0));
    example.place = node.place();
    const auto own = [&](const char* field) { return node.find(field) != nullptr ? node.find(field) : given->find(field); };
    const YamlNode *region = own("region"), *year = own("year");
    example.region = region != nullptr ? region->text : made_.region();
    if (region != nullptr && !library_.region_index.contains(region->text))
      report_.mistake(region->place(), fmt::format("unknown region '{}'", region->text), "regions stand in methodologies/regions.yaml");
    example.year = std::stoi(core::to_text(made_.from).substr(0, 4));
    if (year != nullptr) {
      const auto value = parse_number(year->text);
      if (value && boost::multiprecision::denominator(*value) == 1 && *value > 1900 && *value < 2200)
        example.year = value->convert_to<int>();
      else
        report_.mistake(year->place(), fmt::format("'{}' is not a year", year->text));
    }
    if (!choose_activity(node, *given, example)) return;
    const auto words = made_.serves.empty() ? std::map<std::string, std::string>{} : made_.serves[example.activity].words;
    if (auto inputs = read_case(*given, model_, words, true, report_))
      example.inputs = std::move(*inputs);
    else
      return;
    if (!read_expectation(*expect, mass_of_co2e(), example.expected, example.expected_step, example.unit_text)) return;
    example.expected_text = expect->text;
    if (const YamlNode* steps = fields.find("expect_step")) read_step_expectations(*steps, example);
    model_.examples.push_back(std::move(example));
  }

  bool choose_activity(const YamlNode& node, const YamlNode& given, ExampleSpec& example) {
    if (made_.serves.empty()) return true;
    const YamlNode* wanted = node.find("activity");
    std::vector<std::size_t> fitting;
    for (std::size_t i = 0; i < made_.serves.size(); ++i) {
      bool fits = wanted == nullptr || library_.activities[made_.serves[i].activity].id == wanted->text;
      for (const auto& [choice, word] : made_.serves[i].words)
        if (const YamlNode* value = given.find(choice); value != nullptr && value->text != word) fits = false;
      if (fits) fitting.push_back(i);
    }
    const bool alike = std::all_of(fitting.begin(), fitting.end(),
                                   [&](std::size_t i) { return made_.serves[i].words == made_.serves[fitting.front()].words; });
    if (fitting.empty() || !alike) {
      report_.mistake(node.place(), fitting.empty() ? "no activity fits the example" : "the example fits several activities",
                      "add activity: <one of its activities>");
      return false;
    }
    example.activity = fitting.front();
    return true;
  }

  /// "1019 g" of a dimension (the tag CO2e may be left out): coherent value, and coherent size of its last digit.
  bool read_expectation(const YamlNode& node, const Dimension& dimension, Rational& value, Rational& digit, std::string& unit_text) {
    const auto amount = node.is_scalar() ? split_amount(node.text) : std::nullopt;
    if (!amount) {
      report_.mistake(node.place(), fmt::format("'{}' is not an amount", node.text), "as in 1019 g");
      return false;
    }
    const auto parsed = parse_unit(amount->unit.empty() ? "1" : amount->unit);
    const Unit* unit = std::get_if<Unit>(&parsed);
    if (unit == nullptr || (unit->dimension != dimension && (dimension != mass_of_co2e() || with_co2e(unit->dimension) != dimension))) {
      report_.mistake(node.place(), fmt::format("'{}' is not in '{}'", node.text, to_text(dimension)), "as in 1019 g");
      return false;
    }
    value = amount->number * unit->scale;
    digit = unit->scale;
    for (int i = 0; i < amount->decimals; ++i) digit /= 10;
    unit_text = amount->unit;
    return true;
  }

  void read_step_expectations(const YamlNode& steps, ExampleSpec& example) {
    if (!steps.is_map()) return report_.mistake(steps.place(), "'expect_step' must be a map", "{step_name: 109 kg}");
    for (std::size_t i = 0; i < steps.keys.size(); ++i) {
      const auto step =
          std::find_if(model_.steps.begin(), model_.steps.end(), [&](const StepSpec& spec) { return spec.name == steps.keys[i].text; });
      if (step == model_.steps.end()) {
        report_.mistake(steps.keys[i].place(), fmt::format("there is no step '{}'", steps.keys[i].text),
                        "steps are those of let, and baseline, project, leakage, reduction");
        continue;
      }
      ExampleSpec::StepExpectation expectation{
          .name = step->name, .text = steps.items[i].text, .value = {}, .digit = {}, .place = steps.items[i].place()};
      std::string unit;
      if (step->expr.type == Type::number &&
          read_expectation(steps.items[i], step->expr.dimension, expectation.value, expectation.digit, unit))
        example.steps.push_back(std::move(expectation));
    }
  }

  const Library::State& library_;
  Reporter& report_;
  std::string stem_;
  Fields fields_;
  Methodology made_;
  Model model_;
  std::set<std::string> names_;
  std::set<std::string, std::less<>> broken_;  // tables, parameters and steps with mistakes, so that what uses them is not blamed again
  std::optional<Status> weakest_;
  bool all_statuses_known_ = true;
  std::string weakest_by_;
  std::vector<std::vector<std::string>> chains_;
};

class CaseReader {
 public:
  CaseReader(const std::map<std::string, std::string>& words, bool check_bounds, Reporter& report)
      : words_(words), check_bounds_(check_bounds), report_(report) {}

  std::vector<CaseValue> read(const YamlNode& node, const std::vector<InputSpec>& specs, bool is_top) {
    std::vector<CaseValue> values;
    if (!node.is_map()) {
      report_.mistake(node.place(), is_top ? "the inputs must be a map" : "an item of a list must be a map", "name: amount");
      return values;
    }
    std::vector<std::string_view> known;
    for (const InputSpec& spec : specs) known.push_back(spec.name);
    for (const YamlNode& key : node.keys)
      if (std::find(known.begin(), known.end(), key.text) == known.end() && !(is_top && (key.text == "region" || key.text == "year")))
        report_.mistake(key.place(), fmt::format("there is no input '{}'", key.text), hint_of(key.text, known, "inputs"));
    for (const InputSpec& spec : specs) values.push_back(read_value(node, spec, is_top));
    return values;
  }

 private:
  CaseValue read_value(const YamlNode& node, const InputSpec& spec, bool is_top) {
    const YamlNode* found = node.find(spec.name);
    if (found == nullptr || found->kind == YamlNode::Kind::null) return missing(node, spec, is_top);
    CaseValue value;
    value.text = found->text;
    if (spec.kind == InputSpec::Kind::number) {
      value.number = read_amount(*found, spec.unit_text, spec.unit, report_);
      if (value.number) check_bounds(*found, spec, *value.number);
    } else if (spec.kind == InputSpec::Kind::word) {
      value.word = found->text;
      const std::vector<std::string_view> words(spec.words.begin(), spec.words.end());
      if (std::find(words.begin(), words.end(), value.word) == words.end())
        report_.mistake(found->place(), fmt::format("'{}' is not one of the choices of '{}'", value.word, spec.name),
                        hint_of(value.word, words, "choices"));
    } else if (!found->is_list()) {
      report_.mistake(found->place(), fmt::format("'{}' must be a list", spec.name), "- {...}");
    } else if (found->items.size() > kListRowsMax) {
      report_.mistake(found->place(), fmt::format("'{}' has more than {} items", spec.name, kListRowsMax), "sum up within periods");
    } else {
      for (const YamlNode& item : found->items) value.rows.push_back(read(item, spec.fields, false));
    }
    return value;
  }

  CaseValue missing(const YamlNode& node, const InputSpec& spec, bool is_top) {
    CaseValue value;
    if (spec.kind == InputSpec::Kind::number && spec.fallback)
      value.number = *spec.fallback;
    else if (const auto bound = words_.find(spec.name); is_top && spec.kind == InputSpec::Kind::word && bound != words_.end())
      value.word = bound->second;
    else if (spec.kind == InputSpec::Kind::word && spec.fallback_word)
      value.word = *spec.fallback_word;
    else
      report_.mistake(node.place(), fmt::format("the input '{}' is missing", spec.name),
                      spec.kind == InputSpec::Kind::number ? fmt::format("as in {}: 5 {}", spec.name, spec.unit_text) : "");
    return value;
  }

  void check_bounds(const YamlNode& node, const InputSpec& spec, const Rational& value) {
    if (!check_bounds_) return;
    const auto shown = [&](const Rational& amount) { return fmt::format("{} {}", to_text(amount / spec.unit.scale), spec.unit_text); };
    if (spec.min && value < *spec.min)
      report_.mistake(node.place(), fmt::format("{} of '{}' is below the least, {}", shown(value), spec.name, shown(*spec.min)));
    if (spec.max && value > *spec.max)
      report_.mistake(node.place(), fmt::format("{} of '{}' is above the most, {}", shown(value), spec.name, shown(*spec.max)));
  }

  const std::map<std::string, std::string>& words_;
  bool check_bounds_;
  Reporter& report_;
};

}  // namespace

std::optional<Rational> scale_of(const InputSpec& input, const QuantityType& quantity) {
  const Unit base = unit_of(quantity.base_unit);
  if (base.dimension == input.unit.dimension || base.dimension == without_counts(input.unit.dimension)) return base.scale;
  // A record's number of days is a count to the record and a time to the formula.
  if (quantity.base_unit == "1" && input.unit_text == "day") return input.unit.scale;
  return std::nullopt;
}

std::shared_ptr<const Methodology> read_methodology(const YamlNode& root, const std::string& stem, const Library::State& library,
                                                    Reporter& report) {
  return MethodologyReader(root, stem, library, report).read();
}

std::optional<std::vector<CaseValue>> read_case(const YamlNode& given, const Model& model, const std::map<std::string, std::string>& words,
                                                bool check_bounds, Reporter& report) {
  const std::size_t before = report.mistakes();
  auto values = CaseReader(words, check_bounds, report).read(given, model.inputs, true);
  if (report.mistakes() != before) return std::nullopt;
  return values;
}

}  // namespace tanhui::methodology
