#include "cli/methodology_commands.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "cli/table.h"
#include "methodology/methodology.h"

namespace tanhui::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using methodology::Given;
using methodology::InputField;
using methodology::Language;
using methodology::Library;
using methodology::Methodology;
using methodology::Problem;
using methodology::Text;

constexpr int kDone = 0, kFoundProblems = 1, kBadUsage = 2;

struct Options {
  const fs::path* home = nullptr;
  const std::string* default_language = nullptr;
  std::string library, region, kind, status, activity, id, language, inputs_file;
  bool json = false, no_warnings = false;
  std::vector<std::string> files, inputs;
  int year = 0;

  Language text_language() const {
    const bool chinese = language.empty() ? default_language != nullptr && *default_language == "zh" : language == "zh";
    return chinese ? Language::chinese : Language::english;
  }
  fs::path library_folder() const;
};

/// --library, else TANHUI_METHODOLOGIES, else the folder `methodologies` in the home, or in the working folder or above it.
fs::path Options::library_folder() const {
  if (!library.empty()) return library;
  if (const char* from_environment = std::getenv("TANHUI_METHODOLOGIES")) return from_environment;
  if (fs::exists(fs::path("methodologies") / "activities.yaml")) return "methodologies";
  if (home != nullptr) return *home / "methodologies";
  for (fs::path at = fs::current_path(); at != at.root_path(); at = at.parent_path())
    if (fs::exists(at / "methodologies" / "activities.yaml")) return at / "methodologies";
  return "methodologies";
}

class Commands {
 public:
  Commands(std::ostream& out, std::ostream& err) : out_(out), err_(err) {}
  int list(const Options& options);
  int show(const Options& options);
  int check(const Options& options);
  int explain(const Options& options);

 private:
  int refuse(const core::Error& error) {
    err_ << "tanhui: " << error.message << "\n";
    if (!error.action.empty()) err_ << "        " << error.action << "\n";
    return kBadUsage;
  }
  core::Result<Library> library(const Options& options);
  core::Result<const Methodology*> find(const Library& library, const std::string& id);
  void show_page(const Library& library, const Methodology& methodology, Language language);
  void show_inputs(const std::vector<InputField>& inputs, Language language);

  std::ostream& out_;
  std::ostream& err_;
};

std::string counted(std::size_t n, std::string_view one, std::string_view many) { return fmt::format("{} {}", n, n == 1 ? one : many); }

json::object both(const Text& text) { return {{"en", text.en}, {"zh", text.zh}}; }

std::string validity(const Methodology& methodology) {
  return core::to_text(methodology.from) + (methodology.to ? " .. " + core::to_text(*methodology.to) : " ..");
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

json::array strings(const std::vector<std::string>& words) {
  json::array array;
  for (const std::string& word : words) array.emplace_back(word);
  return array;
}

std::vector<std::string> activity_ids(const Library& library, const Methodology& methodology) {
  std::vector<std::string> ids;
  for (const auto& served : methodology.serves) ids.push_back(library.activities()[served.activity].id);
  return ids;
}

json::object to_json(const Library& library, const Methodology& methodology) {
  json::array parameters, formulas;
  for (const auto& parameter : methodology.parameters)
    parameters.push_back(json::object{{"name", parameter.name},
                                      {"value", parameter.value},
                                      {"unit", parameter.unit},
                                      {"grade", parameter.grade},
                                      {"status", name(parameter.status)},
                                      {"source", parameter.source},
                                      {"used", parameter.used}});
  for (const auto& [step, formula] : methodology.formulas) formulas.push_back(json::object{{"name", step}, {"formula", formula}});
  json::array inputs;
  for (const auto& input : methodology.inputs)
    inputs.push_back(json::object{{"name", input.name},
                                  {"unit", input.unit},
                                  {"min", input.min},
                                  {"max", input.max},
                                  {"default", input.fallback},
                                  {"meaning", both(input.meaning)}});
  return {{"id", methodology.id},
          {"version", methodology.version},
          {"kind", name(methodology.kind)},
          {"status", name(methodology.status)},
          {"name", both(methodology.name)},
          {"regions", strings(methodology.regions)},
          {"from", core::to_text(methodology.from)},
          {"to", methodology.to ? json::value(core::to_text(*methodology.to)) : json::value(nullptr)},
          {"category", methodology.category},
          {"tradable", methodology.tradable},
          {"activities", strings(activity_ids(library, methodology))},
          {"group", methodology.double_counting.group()},
          {"evidence", methodology.evidence_grade},
          {"document", methodology.document},
          {"grade", methodology.grade},
          {"inputs", std::move(inputs)},
          {"parameters", std::move(parameters)},
          {"formulas", std::move(formulas)},
          {"notes", strings(methodology.notes)},
          {"file", methodology.file},
          {"digest", methodology.digest}};
}

core::Result<Library> Commands::library(const Options& options) {
  std::vector<Problem> problems;
  auto library = Library::load(options.library_folder(), problems);
  const auto mistakes = std::count_if(problems.begin(), problems.end(), [](const Problem& problem) { return !problem.warning; });
  if (library && mistakes > 0)
    err_ << fmt::format("tanhui: {} in the library, the files with mistakes are left out; see: tanhui methodology check\n",
                        counted(std::size_t(mistakes), "mistake", "mistakes"));
  return library;
}

core::Result<const Methodology*> Commands::find(const Library& library, const std::string& id) {
  if (const Methodology* found = library.find(id)) return found;
  std::vector<std::string> like;
  for (const auto& methodology : library.methodologies())
    if (methodology->id.find(id) != std::string::npos && like.size() < 8) like.push_back(methodology->id);
  return core::Error{core::ErrorCode::not_found,
                     "methodology.unknown",
                     fmt::format("there is no methodology '{}'", id),
                     like.empty() ? "see them all: tanhui methodology list" : "did you mean " + joined(like) + "?",
                     {{"methodology", id}}};
}

int Commands::list(const Options& options) {
  const auto library = this->library(options);
  if (!library) return refuse(library.error());
  std::optional<methodology::Status> status;
  std::optional<methodology::Kind> kind;
  if (!options.status.empty() && !(status = methodology::find_status(options.status)))
    return refuse({core::ErrorCode::invalid_input, "methodology.unknown-status", fmt::format("'{}' is no status", options.status),
                   "official, reported-by-platform, derived or illustrative"});
  if (!options.kind.empty() && !(kind = methodology::find_kind(options.kind)))
    return refuse({core::ErrorCode::invalid_input, "methodology.unknown-kind", fmt::format("'{}' is no kind", options.kind),
                   "quantitative, qualitative or project"});
  std::vector<const Methodology*> chosen;
  for (const auto& methodology : library->methodologies()) {
    const auto& regions = methodology->regions;
    const bool there = options.region.empty() || std::find(regions.begin(), regions.end(), options.region) != regions.end();
    const auto acts = activity_ids(*library, *methodology);
    const bool serves = options.activity.empty() || std::find(acts.begin(), acts.end(), options.activity) != acts.end();
    if (there && serves && (!status || methodology->status == *status) && (!kind || methodology->kind == *kind))
      chosen.push_back(methodology.get());
  }
  if (options.json) {
    json::array all;
    for (const Methodology* methodology : chosen) all.push_back(to_json(*library, *methodology));
    out_ << json::serialize(all) << "\n";
    return kDone;
  }
  Table table({Align::left, Align::left, Align::left, Align::left, Align::left, Align::left});
  table.head({"id", "name", "region", "kind", "status", "valid"});
  for (const Methodology* methodology : chosen)
    table.row({methodology->id, methodology->name.in(options.text_language()), joined(methodology->regions),
               std::string(name(methodology->kind)), std::string(name(methodology->status)), validity(*methodology)});
  out_ << table.text(0) << counted(chosen.size(), "methodology", "methodologies") << "\n";
  return kDone;
}

int Commands::show(const Options& options) {
  const auto library = this->library(options);
  if (!library) return refuse(library.error());
  const auto found = find(*library, options.id);
  if (!found) return refuse(found.error());
  if (options.json)
    out_ << json::serialize(to_json(*library, **found)) << "\n";
  else
    show_page(*library, **found, options.text_language());
  return kDone;
}

void Commands::show_page(const Library& library, const Methodology& methodology, Language language) {
  out_ << methodology.id << "  " << methodology.name.in(language) << "\n";
  Table facts({Align::left, Align::left});
  const auto fact = [&](const char* title, const std::string& text) {
    if (!text.empty()) facts.row({title, text});
  };
  std::string regions;
  for (const std::string& code : methodology.regions) {
    const auto* region = library.find_region(code);
    regions.append(regions.empty() ? "" : ", ").append(code).append(region != nullptr ? " " + region->name.in(language) : "");
  }
  fact("version", std::to_string(methodology.version));
  fact("kind", std::string(name(methodology.kind)));
  fact("status", std::string(name(methodology.status)) + (methodology.status == methodology::Status::illustrative
                                                              ? "  (off unless a programme switches it on; not an official reduction)"
                                                              : ""));
  fact("region", regions);
  fact("valid", validity(methodology));
  fact("basis", fmt::format("{} [{}]", methodology.document, methodology.grade));
  fact("category", methodology.category);
  fact("tradable", methodology.tradable);
  fact("activities", joined(activity_ids(library, methodology)));
  fact("double counting", joined(methodology.double_counting.groups));
  fact("evidence", fmt::format("{}: {}", methodology.evidence_grade, methodology.evidence_required.in(language)));
  fact("boundary", methodology.boundary.in(language));
  fact("additionality", methodology.additionality.in(language));
  fact("monitoring", methodology.monitoring.in(language));
  fact("leakage", methodology.leakage.in(language));
  fact("ownership", methodology.ownership.in(language));
  fact("tables", joined(methodology.shared_tables));
  fact("file", methodology.file);
  fact("digest", methodology.digest);
  out_ << facts.text(2);
  out_ << "inputs\n";
  show_inputs(methodology.inputs, language);
  if (!methodology.parameters.empty()) out_ << "parameters\n";
  Table parameters({Align::left, Align::right, Align::left, Align::left, Align::left, Align::left});
  for (const auto& parameter : methodology.parameters)
    parameters.row(
        {parameter.name, parameter.value, parameter.unit, parameter.grade, std::string(name(parameter.status)), parameter.source});
  out_ << parameters.text(2) << "formula\n";
  Table formulas({Align::left, Align::left});
  for (const auto& [step, formula] : methodology.formulas) {
    std::string line = formula;
    std::replace(line.begin(), line.end(), '\n', ' ');
    formulas.row({step, "= " + line});
  }
  out_ << formulas.text(2);
  if (!methodology.notes.empty()) out_ << "notes\n";
  for (const std::string& note : methodology.notes) out_ << "  - " << note << "\n";
}

void Commands::show_inputs(const std::vector<InputField>& inputs, Language language) {
  Table table({Align::left, Align::left, Align::left, Align::left});
  const auto add = [&](const InputField& input, const std::string& prefix) {
    std::string range = input.words.empty() ? "" : joined(input.words);
    if (!input.min.empty() || !input.max.empty())
      range = fmt::format("{} to {}", input.min.empty() ? "..." : input.min, input.max.empty() ? "..." : input.max);
    if (!input.fallback.empty()) range += (range.empty() ? "" : ", ") + ("default " + input.fallback);
    table.row({prefix + input.name, input.fields.empty() ? (input.unit.empty() ? "choice" : input.unit) : "list", range,
               input.meaning.in(language)});
  };
  for (const InputField& input : inputs) {
    add(input, "");
    for (const InputField& field : input.fields) add(field, "  .");
  }
  out_ << table.text(2);
}

int Commands::check(const Options& options) {
  std::vector<Problem> problems;
  const std::vector<fs::path> files(options.files.begin(), options.files.end());
  for (const fs::path& file : files)
    if (!fs::is_regular_file(file))
      return refuse({core::ErrorCode::not_found, "methodology.no-file", fmt::format("there is no file '{}'", file.string()),
                     "give methodology files, or none for the whole library"});
  const auto library = Library::load(options.library_folder(), files, problems);
  if (!library) return refuse(library.error());
  const auto is_meant = [&](const std::string& file) {
    return files.empty() || std::any_of(files.begin(), files.end(), [&](const fs::path& path) {
             std::error_code error;
             return path.string() == file || fs::equivalent(path, file, error);
           });
  };
  std::size_t examples = 0;
  for (const auto& methodology : library->methodologies()) {
    if (!is_meant(methodology->file)) continue;
    examples += methodology->examples;
    library->check_examples(*methodology, problems);
  }
  std::size_t mistakes = 0, warnings = 0;
  for (const Problem& problem : problems) {
    if (!is_meant(problem.file)) continue;
    ++(problem.warning ? warnings : mistakes);
    if (!problem.warning || !options.no_warnings) out_ << problem.text;
  }
  const std::string read = files.empty() ? counted(library->methodologies().size(), "methodology loaded", "methodologies loaded")
                                         : counted(files.size(), "file checked", "files checked");
  out_ << read << ", " << counted(examples, "example", "examples") << " computed: " << counted(mistakes, "mistake", "mistakes") << ", "
       << counted(warnings, "warning", "warnings") << "\n";
  return mistakes == 0 ? kDone : kFoundProblems;
}

int Commands::explain(const Options& options) {
  const auto library = this->library(options);
  if (!library) return refuse(library.error());
  const auto found = find(*library, options.id);
  if (!found) return refuse(found.error());
  Given given;
  for (const std::string& input : options.inputs) {
    const std::size_t equals = input.find('=');
    if (equals == std::string::npos || equals == 0)
      return refuse({core::ErrorCode::invalid_input, "methodology.bad-input", fmt::format("'{}' is not name=amount", input),
                     "as in --input distance=13km"});
    given.values.emplace_back(input.substr(0, equals), input.substr(equals + 1));
  }
  if (!options.inputs_file.empty()) {
    std::ifstream in(options.inputs_file, std::ios::binary);
    std::ostringstream text;
    if (!in || fs::is_directory(options.inputs_file) || !(text << in.rdbuf()))
      return refuse({core::ErrorCode::not_found, "methodology.no-file", fmt::format("the file '{}' cannot be read", options.inputs_file),
                     "give a YAML or JSON file with a map of inputs"});
    given.document = text.str();
    given.document_name = options.inputs_file;
  }
  given.region = options.region;
  if (options.year != 0) given.year = options.year;
  const auto page = methodology::explain(*library, **found, given, options.text_language());
  if (!page) return refuse(page.error());
  out_ << *page;
  return kDone;
}

}  // namespace

void add_methodology_commands(CLI::App& app, int& exit_code, std::ostream& out, std::ostream& err, const fs::path* home,
                              const std::string* language) {
  auto options = std::make_shared<Options>();
  options->home = home;
  options->default_language = language;
  auto commands = std::make_shared<Commands>(out, err);
  CLI::App* group = app.add_subcommand("methodology", "the digital methodology library: list, show, check, explain");
  group->require_subcommand(1);
  group->add_option("--library", options->library, "folder of the library (default: methodologies/)");

  CLI::App* list = group->add_subcommand("list", "a table of the library");
  list->add_option("--region", options->region, "only this region, as in 420100");
  list->add_option("--kind", options->kind, "quantitative, qualitative or project");
  list->add_option("--status", options->status, "official, reported-by-platform, derived or illustrative");
  list->add_option("--activity", options->activity, "only those that quantify this activity");
  list->add_flag("--json", options->json, "for machines");
  list->callback([options, commands, &exit_code] { exit_code = commands->list(*options); });

  CLI::App* show = group->add_subcommand("show", "one methodology: inputs, numbers with their sources, formula, texts");
  show->add_option("id", options->id, "as in cn-420100-rail-2024")->required();
  show->add_flag("--json", options->json, "for machines");
  show->callback([options, commands, &exit_code] { exit_code = commands->show(*options); });

  CLI::App* check = group->add_subcommand("check", "check files, or the whole library: names, units, sources, status, examples");
  check->add_option("files", options->files, "methodology files");
  check->add_flag("--no-warnings", options->no_warnings, "mistakes only");
  check->callback([options, commands, &exit_code] { exit_code = commands->check(*options); });

  CLI::App* explain = group->add_subcommand("explain", "work a case out step by step");
  explain->add_option("id", options->id, "as in cn-420100-rail-2024")->required();
  explain->add_option("--input", options->inputs, "name=amount, as in distance=13km; repeat")->allow_extra_args(false);
  explain->add_option("--inputs", options->inputs_file, "YAML or JSON file of inputs, for lists");
  explain->add_option("--region", options->region, "region of the act (default: the methodology's)");
  explain->add_option("--year", options->year, "year of the act (default: the first of validity)");
  explain->callback([options, commands, &exit_code] { exit_code = commands->explain(*options); });
  for (CLI::App* command : {list, show, explain})
    command->add_option("--lang", options->language, "en or zh")->check(CLI::IsMember({"en", "zh"}));
}

}  // namespace tanhui::cli
