#include "cli/backup_commands.h"

#include <fmt/format.h>

#include "backup/backup.h"
#include "cli/report.h"
#include "cli/table.h"

namespace tanhui::cli {
namespace {

struct Options {
  std::string from, to;
};

void print_summary(const backup::Summary& summary, bool chinese) {
  fmt::print(fmt::runtime(chinese ? "  账户 {}\n  {} 张表 {} 行，{} 个日志段 {} 字节；已核对\n"
                                  : "  accounts {}\n  {} tables with {} rows, {} segments with {} bytes; checked\n"),
             summary.database, grouped(summary.tables), grouped(summary.rows), grouped(summary.segments), grouped(summary.segment_bytes));
}

int back_up(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  const auto made = backup::make_backup(opened, options.to);
  if (!made) return complain(made.error(), shell.chinese());
  fmt::print(fmt::runtime(shell.chinese() ? "已备份到 {}\n" : "backed up to {}\n"), options.to);
  print_summary(*made, shell.chinese());
  fmt::print("  {}\n", shell.chinese() ? "其中含 secret.key：谁持有备份，谁就持有这个实例"
                                       : "it holds secret.key: keep it as safe as the instance itself");
  return kOk;
}

int restore(const Options& options, const Shell& shell) {
  const auto restored = backup::restore(options.from, shell.instance, shell.database);
  if (!restored) return complain(restored.error(), shell.chinese());
  fmt::print(fmt::runtime(shell.chinese() ? "已恢复到 {}\n" : "restored to {}\n"), shell.instance.string());
  print_summary(*restored, shell.chinese());
  return kOk;
}

int migrate(const Options& options, const Shell& shell) {
  const auto moved = backup::migrate(options.from, options.to);
  if (!moved) return complain(moved.error(), shell.chinese());
  fmt::print("{}\n", shell.chinese()
                         ? "已迁移：两边每张表的行数与摘要、各资产合计与日志均一致"
                         : "migrated: rows and digest of every table, the totals of every asset and the log are the same on both sides");
  print_summary(*moved, shell.chinese());
  fmt::print("  {}\n",
             shell.chinese() ? "原数据库未改动；确认无误后可自行移走" : "the original is as it was; put it away when you are satisfied");
  return kOk;
}

}  // namespace

void add_backup_commands(CLI::App& app, const Shell& shell, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* save = app.add_subcommand("backup", "Copy the instance, accounts, keys and journal, to a new folder, while it goes on working");
  save->add_option("to", options->to, "folder that does not exist yet")->required();
  save->callback([options, &shell, &exit_code] { exit_code = back_up(*options, shell); });
  auto* back = app.add_subcommand("restore", "Make the instance from a backup, checking every file and the whole ledger");
  back->add_option("from", options->from, "folder that `tanhui backup` wrote")->required();
  back->footer("The instance is made in --instance, which must not hold anything; its accounts in --database, when that is given.");
  back->callback([options, &shell, &exit_code] { exit_code = restore(*options, shell); });
  auto* move = app.add_subcommand("migrate", "Move the accounts to another database, SQLite or PostgreSQL, and compare both sides");
  move->add_option("--from", options->from, "sqlite:FOLDER of an instance, sqlite:FILE, or postgresql://user@host/name")->required();
  move->add_option("--to", options->to, "an empty one: postgresql://user@host/name, sqlite:FOLDER of the instance, or sqlite:FILE")
      ->required();
  move->footer("An instance whose folder is named has its accounts in the new database from then on; the old one stays as it is.");
  move->callback([options, &shell, &exit_code] { exit_code = migrate(*options, shell); });
}

}  // namespace tanhui::cli
