#include "cli/seal_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include "activity/open_window.h"
#include "cli/interrupt.h"
#include "cli/table.h"
#include "core/json.h"
#include "journal/catalogue.h"
#include "journal/compaction.h"
#include "journal/publication.h"

namespace tanhui::cli {
namespace {

struct Options {
  std::string programme;
  std::size_t files_min = 2;
  bool compact = false, json = false;
};

// What a service credited and did not seal, and what waits for a run.
core::Status settle_windows(identity::Instance& instance, const Shell& shell) {
  const std::vector<std::string> open = activity::open_windows(instance.database());
  if (open.empty()) return core::Done{};
  const auto library = shell.library();
  if (!library) return library.error();
  for (const std::string& id : open) {
    const auto programme = shell.programme(id);
    if (!programme) return programme.error();
    const auto settled = activity::settle_left_open(instance, *programme, *library, now_ms());
    if (!settled) return settled.error();
    fmt::print(fmt::runtime(shell.chinese() ? "已封存 {} 的开放窗口\n" : "Sealed the open window of {}.\n"), id);
  }
  return core::Done{};
}

int seal(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  auto lock = opened.lock_for_run();
  if (!lock) return complain(lock.error(), shell.chinese());
  auto log = journal::Log::open(opened.folder(), opened.database(), now_ms());
  if (!log) return complain(log.error(), shell.chinese());
  const auto settled =
      journal::recover(opened.journal(), [&](journal::RunId run) { return journal::find_run(opened.database(), run).has_value(); });
  journal::recover_compactions(opened.database(), opened.journal());
  if (auto status = settle_windows(opened, shell); !status) return complain(status.error(), shell.chinese());
  if (!options.compact) {
    fmt::print(fmt::runtime(shell.chinese() ? "已收尾：发布 {} 个批次，清除 {} 个未完成的批次\n"
                                            : "Settled what was left open: {} runs published, {} unfinished ones cleared away.\n"),
               settled.published.size(), settled.discarded.size());
    return kOk;
  }
  const InterruptGuard interrupt;
  const bool terminal = is_terminal(STDERR_FILENO);
  const auto report =
      journal::compact(opened.database(), *log, opened.journal(), options.programme, options.files_min, now_ms(), [&](core::Day day) {
        if (interrupt.asked()) throw Interrupted();
        if (terminal) fmt::print(stderr, "\r\033[K{} {}", shell.chinese() ? "整理" : "compacting", core::to_text(day));
      });
  if (terminal) fmt::print(stderr, "\r\033[K");
  if (!report) return complain(report.error(), shell.chinese());
  if (options.json) {
    fmt::print("{}\n", boost::json::serialize(boost::json::object{{"days", report->days},
                                                                  {"files_before", report->files_before},
                                                                  {"files_after", report->files_after},
                                                                  {"records", report->records},
                                                                  {"bytes_before", report->bytes_before},
                                                                  {"bytes_after", report->bytes_after}}));
    return kOk;
  }
  if (report->days == 0) {
    fmt::print("{}\n", shell.chinese() ? "没有可整理的：每天都只有一个文件" : "Nothing to compact: every day lies in one file.");
    return kOk;
  }
  fmt::print(fmt::runtime(shell.chinese() ? "{} 天：{} 个文件合为 {} 个，{} 条记录，{} → {} 字节；已有证明仍然有效\n"
                                          : "{} days: {} files became {}, {} records, {} -> {} bytes; every proof stays valid\n"),
             report->days, report->files_before, report->files_after, grouped(std::int64_t(report->records)),
             grouped(std::int64_t(report->bytes_before)), grouped(std::int64_t(report->bytes_after)));
  return kOk;
}

}  // namespace

void add_seal_command(CLI::App& app, const Shell& shell, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "seal",
      "Finish what a killed run or a stopped service left open; with --compact also gather the small segments of each day into one file");
  command->add_flag("--compact", options->compact, "one file a day; proofs stay valid");
  command->add_option("-p,--programme", options->programme, "only this programme");
  command->add_option("--files", options->files_min, "days that lie in at least so many files (default 2)");
  command->add_flag("--json", options->json, "for machines");
  command->callback([options, &shell, &exit_code] { exit_code = seal(*options, shell); });
}

}  // namespace tanhui::cli
