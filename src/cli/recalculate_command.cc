#include "cli/recalculate_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include "activity/recalculate.h"
#include "cli/change_report.h"
#include "cli/interrupt.h"
#include "cli/progress_line.h"

namespace tanhui::cli {
namespace {

struct Options {
  std::string methodology, first, last, programme = "wuhan-demo";
  bool dry_run = false, quiet = false, json = false;
  unsigned threads = 2;
  std::size_t memory_mb = 700;
};

core::Result<core::Day> day_of(const std::string& option, const std::string& text) {
  if (const auto day = core::parse_day(text)) return *day;
  return core::Error{core::ErrorCode::invalid_input,
                     "recalculate.bad-day",
                     fmt::format("{} '{}' is not a day", option, text),
                     "write it as 2025-03-01",
                     {{"day", text}}};
}

core::Result<activity::RecalculateRequest> request_of(const Options& options) {
  activity::RecalculateRequest request;
  request.methodology = options.methodology;
  const auto first = day_of("--from", options.first);
  if (!first) return first.error();
  request.first = *first;
  if (!options.last.empty()) {
    const auto last = day_of("--to", options.last);
    if (!last) return last.error();
    request.last = *last;
  }
  request.dry_run = options.dry_run;
  request.threads = options.threads;
  request.memory_bytes = options.memory_mb << 20;
  request.now_ms = now_ms();
  return request;
}

int run(const Options& options, const Shell& shell) {
  auto asked = request_of(options);
  if (!asked) return complain(asked.error(), shell.chinese());
  activity::RecalculateRequest request = *std::move(asked);
  const auto programme = shell.programme(options.programme);
  if (!programme) return complain(programme.error(), shell.chinese());
  const auto library = shell.library();
  if (!library) return complain(library.error(), shell.chinese());
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());

  const InterruptGuard interrupt;
  ProgressLine line(shell.chinese());
  const bool draw = !options.quiet && is_terminal(STDERR_FILENO);
  request.progress = [&](const activity::Progress& progress) {
    if (interrupt.asked()) throw Interrupted();
    if (draw) line.draw(progress);
  };
  auto opened = *std::move(instance);
  const auto report = activity::recalculate(opened, *programme, *library, request);
  line.clear();
  if (!report) return complain(report.error(), shell.chinese());
  fmt::print("{}{}", options.json ? change_json(*report, *programme) : change_text(*report, *programme, *library, shell.chinese()),
             options.json ? "\n" : "");
  return kOk;
}

}  // namespace

void add_recalculate_command(CLI::App& app, const Shell& shell, int& exit_code) {
  auto* command = app.add_subcommand("recalculate", "Put right what older versions of a corrected methodology booked");
  auto options = std::make_shared<Options>();
  command->add_option("--methodology", options->methodology, "id of the methodology, without version")->required();
  command->add_option("--from", options->first, "first local day, 2025-03-01")->required();
  command->add_option("--to", options->last, "last local day (default: the last one in the journal)");
  command->add_option("-p,--programme", options->programme, "programme (default: wuhan-demo)");
  command->add_flag("--dry-run", options->dry_run, "compute and report everything, book nothing");
  command->add_flag("--json", options->json, "one JSON object instead of tables");
  command->add_flag("-q,--quiet", options->quiet, "no progress line");
  command->add_option("--threads", options->threads, "threads to use")->check(CLI::Range(1, 64));
  command->add_option("--memory", options->memory_mb, "MiB for records while they are decided; the rest goes to a temporary file")
      ->check(CLI::Range(16, 1 << 20));
  command->callback([options, &shell, &exit_code] { exit_code = run(*options, shell); });
}

}  // namespace tanhui::cli
