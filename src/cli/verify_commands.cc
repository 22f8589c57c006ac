#include "cli/verify_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>

#include "activity/audit.h"
#include "cli/table.h"
#include "core/json.h"
#include "journal/log.h"
#include "journal/note.h"

namespace tanhui::cli {
namespace {

struct Options {
  std::string proof, key;
  bool all = false, json = false;
};

/// A public key as text, or the name of a file that holds one.
core::Result<journal::PublicKey> key_option(const std::string& text) {
  std::string key = text;
  if (std::ifstream in(text); in) std::getline(in, key);
  return journal::parse_public_key(key);
}

void print_audit(const activity::AuditReport& report, const Shell& shell, double seconds) {
  const bool chinese = shell.chinese();
  Table table({Align::left, Align::right, Align::left});
  const auto row = [&](std::string_view english, std::string_view in_chinese, std::uint64_t count, std::string_view said,
                       std::string_view said_chinese) {
    table.row({std::string(chinese ? in_chinese : english), grouped(std::int64_t(count)), std::string(chinese ? said_chinese : said)});
  };
  table.head(chinese ? std::vector<std::string>{"对象", "数量", "核验"} : std::vector<std::string>{"what", "count", "verified"});
  row("log entries", "日志条目", report.log.entries, "hash to every checkpoint's root", "哈希与每个检查点的根一致");
  row("checkpoints", "检查点", report.log.checkpoints, "signed by the log's key, one grows into the next", "由日志密钥签名，前后一致");
  row("log files", "日志文件", report.log.files, "are those of the entries", "与条目逐字节一致");
  row("runs", "核算批次", report.runs, "are what the log says", "与日志一致");
  row("segments", "封存段", report.segments, "have their root, sums and counts", "根、合计与计数一致");
  row("journal files", "账本文件", report.files, "have their SHA-256; no other file is there", "SHA-256 一致，且无多余文件");
  row("records", "记录", report.records, "hash into their segment", "哈希归入所在段");
  row("records", "记录", report.recomputed, "milligrams recomputed by their methodology", "按所记方法学重新计算减排量");
  row("person-runs", "个人批次", report.people_of_runs, "were posted what their records add up to", "入账等于记录之和");
  fmt::print("{}\n", table.text());
  fmt::print("  {}  {} kg CO2e, {} {}\n", chinese ? "核验无误" : "Everything holds.", kilograms(report.milligrams), grouped(report.points),
             chinese ? "积分" : "points");
  fmt::print("  {}: {} · {:.1f} s\n", chinese ? "日志" : "log", report.log.origin, seconds);
}

std::string audit_json(const activity::AuditReport& report) {
  return boost::json::serialize(boost::json::object{{"holds", true},
                                                    {"origin", report.log.origin},
                                                    {"entries", report.log.entries},
                                                    {"checkpoints", report.log.checkpoints},
                                                    {"keys", report.log.keys},
                                                    {"log_files", report.log.files},
                                                    {"runs", report.runs},
                                                    {"segments", report.segments},
                                                    {"files", report.files},
                                                    {"bytes", report.bytes},
                                                    {"records", report.records},
                                                    {"recomputed", report.recomputed},
                                                    {"people_of_runs", report.people_of_runs},
                                                    {"milligrams", report.milligrams},
                                                    {"points", report.points},
                                                    {"checkpoint", report.log.newest_checkpoint}});
}

int verify_all(const Options& options, const Shell& shell) {
  auto instance = identity::Instance::open(shell.instance);
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  const auto library = shell.library();
  if (!library) return complain(library.error(), shell.chinese());
  activity::AuditRequest request;
  if (!options.key.empty()) {
    const auto key = key_option(options.key);
    if (!key) return complain(key.error(), shell.chinese());
    request.first_key = *key;
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  double shown = 0;
  const bool terminal = is_terminal(STDERR_FILENO);
  if (terminal) {
    request.progress = [&](std::uint64_t records, std::uint64_t of) {
      if (seconds() - shown < 0.2) return;
      shown = seconds();
      fmt::print(stderr, "\r\033[K{} {} / {}", shell.chinese() ? "核验记录" : "verifying records", grouped(std::int64_t(records)),
                 grouped(std::int64_t(of)));
    };
  }
  const auto report = activity::audit(opened, *library, request);
  if (terminal) fmt::print(stderr, "\r\033[K");
  if (!report) {
    if (options.json)
      fmt::print("{}\n", boost::json::serialize(
                             boost::json::object{{"holds", false}, {"error", report.error().id}, {"message", report.error().message}}));
    complain(report.error(), shell.chinese());
    return kProblems;
  }
  if (options.json) {
    fmt::print("{}\n", audit_json(*report));
  } else {
    print_audit(*report, shell, seconds());
  }
  return kOk;
}

}  // namespace

void add_verify_commands(CLI::App& app, const Shell& shell, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* verify = app.add_subcommand("verify", "Check a proof, or with --all replay the whole instance");
  verify->add_flag("--all", options->all,
                   "log, files, records, postings and balances of the instance; names the first thing that does not hold");
  verify->add_option("--key", options->key, "the log's first public key, or a file with it (default: the instance's own word)");
  verify->add_flag("--json", options->json, "for machines");
  verify->callback([options, &shell, &exit_code] { exit_code = verify_all(*options, shell); });
}

}  // namespace tanhui::cli
