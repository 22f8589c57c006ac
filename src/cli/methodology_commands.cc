#include "cli/methodology_commands.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "core/text.h"
#include "methodology/methodology.h"

namespace tanhui::cli {
namespace {

namespace fs = std::filesystem;
using methodology::Language;
using methodology::Library;
using methodology::Methodology;
using methodology::Problem;

constexpr int kDone = 0, kProblems = 1, kBadUsage = 2;

struct Options {
  std::string library;
  std::string region, kind, status, id;
  bool json = false, quiet = false;
  std::vector<std::string> files, inputs;
  std::string inputs_file, language = "en";
  int year = 0;
};

/// --library, else TANHUI_METHODOLOGIES, else the folder `methodologies` here or above.
fs::path library_folder(const Options& options) {
  if (!options.library.empty()) return options.library;
  if (const char* from_environment = std::getenv("TANHUI_METHODOLOGIES")) return from_environment;
  for (fs::path at = fs::current_path(); !at.empty(); at = at.parent_path()) {
    if (fs::exists(at / "methodologies" / "activities.yaml")) return at == fs::current_path() ? fs::path("methodologies") : at / "methodologies";
    if (at == at.root_path()) break;
  }
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
  std::ostream& out_;
  std::ostream& err_;
};

int Commands::check(const Options& options) {
  std::vector<Problem> problems;
  std::vector<fs::path> files(options.files.begin(), options.files.end());
  for (const fs::path& file : files)
    if (!fs::is_regular_file(file))
      return refuse({core::ErrorCode::not_found, "methodology.no-file", fmt::format("there is no file '{}'", file.string()), "give methodology files, or none for the whole library"});
  const auto library = Library::load(library_folder(options), files, problems);
  if (!library) return refuse(library.error());
  const auto is_meant = [&](const std::string& file) {
    return files.empty() || std::any_of(files.begin(), files.end(), [&](const fs::path& path) {
             std::error_code error;
             return path.string() == file || fs::equivalent(path, file, error);
           });
  };
  std::set<std::string> checked;
  std::size_t examples = 0;
  for (const auto& methodology : library->methodologies()) {
    if (!is_meant(methodology->file)) continue;
    checked.insert(methodology->file);
    examples += methodology->examples;
    library->check_examples(*methodology, problems);
  }
  std::size_t mistakes = 0, warnings = 0;
  for (const Problem& problem : problems) {
    if (!is_meant(problem.file)) continue;
    checked.insert(problem.file);
    ++(problem.warning ? warnings : mistakes);
    if (!problem.warning || !options.quiet) out_ << problem.text;
  }
  const auto counted = [](std::size_t n, std::string_view one, std::string_view many) { return fmt::format("{} {}", n, n == 1 ? one : many); };
  const std::size_t read = files.empty() ? library->methodologies().size() : files.size();
  out_ << counted(read, files.empty() ? "methodology loaded" : "file checked", files.empty() ? "methodologies loaded" : "files checked") << ", "
       << counted(examples, "example", "examples") << " computed: " << counted(mistakes, "mistake", "mistakes") << ", " << counted(warnings, "warning", "warnings") << "\n";
  return mistakes == 0 ? kDone : kProblems;
}

int Commands::list(const Options&) { return kDone; }
int Commands::show(const Options&) { return kDone; }
int Commands::explain(const Options&) { return kDone; }

}  // namespace

void add_methodology_commands(CLI::App& app, int& exit_code, std::ostream& out, std::ostream& err) {
  auto options = std::make_shared<Options>();
  auto commands = std::make_shared<Commands>(out, err);
  CLI::App* group = app.add_subcommand("methodology", "the digital methodology library: list, show, check, explain");
  group->require_subcommand(1);
  group->add_option("--library", options->library, "folder of the library (default: methodologies, here or above)");
  CLI::App* check = group->add_subcommand("check", "check files, or the whole library: names, units, sources, status, examples");
  check->add_option("files", options->files, "methodology files");
  check->add_flag("--no-warnings", options->quiet, "mistakes only");
  check->callback([options, commands, &exit_code] { exit_code = commands->check(*options); });
}

}  // namespace tanhui::cli
