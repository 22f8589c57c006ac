#include "cli/account_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include "activity/profile.h"
#include "cli/interrupt.h"
#include "cli/progress_line.h"
#include "cli/report.h"

namespace tanhui::cli {
namespace {

struct Options {
  std::vector<std::string> inputs;
  std::string programme, profile, report = "table", rejects;
  bool dry_run = false, quiet = false;
  unsigned threads = 2;
  std::size_t memory_mb = 700;
};

core::Result<std::string> programme_of(const Options& options, const std::filesystem::path& profile) {
  if (!options.programme.empty()) return options.programme;
  if (!profile.empty()) {
    auto loaded = activity::load_profile(profile);
    if (!loaded) return loaded.error();
    if (!loaded->programme.empty()) return loaded->programme;
  }
  return std::string("wuhan-demo");
}

int run(const Options& options, const Shell& shell) {
  activity::AccountRequest request;
  request.inputs = options.inputs;
  if (!options.profile.empty() && options.profile != "native") {
    auto profile = shell.profile(options.profile);
    if (!profile) return complain(profile.error(), shell.chinese());
    request.profile = *profile;
  }
  const auto programme_id = programme_of(options, request.profile);
  if (!programme_id) return complain(programme_id.error(), shell.chinese());
  const auto programme = shell.open_programme(*programme_id);
  if (!programme) return complain(programme.error(), shell.chinese());
  const auto library = shell.library();
  if (!library) return complain(library.error(), shell.chinese());
  auto instance = shell.open_or_create_instance();
  if (!instance) return complain(instance.error(), shell.chinese());

  request.dry_run = options.dry_run;
  if (!options.rejects.empty()) request.rejects = options.rejects;
  request.threads = options.threads;
  request.memory_bytes = options.memory_mb << 20;
  request.now_ms = now_ms();
  const InterruptGuard interrupt;
  ProgressLine line(shell.chinese());
  const bool draw = !options.quiet && is_terminal(STDERR_FILENO);
  request.progress = [&](const activity::Progress& progress) {
    if (interrupt.asked()) throw Interrupted();
    if (draw) line.draw(progress);
  };
  auto opened = *std::move(instance);
  const auto report = activity::account(opened, *programme, *library, request);
  line.clear();
  if (!report) return complain(report.error(), shell.chinese());
  fmt::print("{}{}",
             options.report == "json" ? report_json(*report, *programme) : report_text(*report, *programme, *library, shell.chinese()),
             options.report == "json" ? "\n" : "");
  return kOk;
}

}  // namespace

void add_account_command(CLI::App& app, const Shell& shell, int& exit_code) {
  auto* command = app.add_subcommand("account", "Account activity records: files in, credited accounts and a report out");
  auto options = std::make_shared<Options>();
  command->add_option("files", options->inputs, "CSV, NDJSON, JSON or Parquet, plain, gzip or zstd; folders; - for standard input")
      ->required();
  command->add_option("-p,--programme", options->programme, "programme the records belong to (default: the profile's, else wuhan-demo)");
  command->add_option("--profile", options->profile, "how the files are read: a name of profiles/ or a file (default: native)");
  command->add_option("--report", options->report, "table or json")->check(CLI::IsMember({"table", "json"}));
  command->add_option("--rejects", options->rejects,
                      "write every record that did not simply count, with line and reason, to this CSV file");
  command->add_flag("--dry-run", options->dry_run, "compute and report everything, book nothing");
  command->add_flag("-q,--quiet", options->quiet, "no progress line");
  command->add_option("--threads", options->threads, "threads to use")->check(CLI::Range(1, 64));
  command->add_option("--memory", options->memory_mb, "MiB for records between intake and settling; the rest goes to a temporary file")
      ->check(CLI::Range(16, 1 << 20));
  command->callback([options, &shell, &exit_code] { exit_code = run(*options, shell); });
}

}  // namespace tanhui::cli
