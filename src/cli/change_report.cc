#include "cli/change_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "activity/account_json.h"
#include "cli/shell.h"
#include "cli/table.h"

namespace tanhui::cli {
namespace {

using activity::AccountReport;
using activity::Outcome;
using activity::Tally;

std::string signed_text(const std::string& text, std::int64_t value) { return value > 0 ? "+" + text : text; }

std::string versions_text(const AccountReport& report, const Tally::ChangeKey& key) {
  const std::string& before = report.methodologies[key.methodology_before];
  if (key.methodology_before == key.methodology_after) return before;
  const std::string& after = report.methodologies[key.methodology_after];
  return fmt::format("{} → {}", before, after.substr(after.rfind('@')));
}

std::string headline(const AccountReport& report, const identity::Programme& programme, bool chinese) {
  const activity::Corrected& corrected = *report.corrected;
  std::string text = fmt::format("{} · {} · {} .. {}", programme.name.in(chinese), corrected.methodology, core::to_text(corrected.first),
                                 core::to_text(corrected.last));
  if (report.dry_run) return text + (chinese ? " · 试算，未入账" : " · dry run, nothing was booked");
  if (report.run > 0) return text + fmt::format(fmt::runtime(chinese ? " · 第 {} 次核算" : " · run {}"), report.run);
  if (!report.repeats) return text + (chinese ? " · 无需更正" : " · nothing to put right");
  return text +
         fmt::format(fmt::runtime(chinese ? " · 第 {} 次核算已作此更正，无新增" : " · run {} put this right; nothing new was booked"),
                     *report.repeats);
}

std::string changes_table(const AccountReport& report, const methodology::Library& library, bool chinese) {
  Table table({Align::left, Align::left, Align::right, Align::right, Align::right, Align::right, Align::right, Align::right, Align::right,
               Align::right});
  table.head(chinese ? std::vector<std::string>{"行为", "方法学", "记录数", "调整", "原 kg", "现 kg", "差额 kg", "原积分", "现积分", "差额"}
                     : std::vector<std::string>{"activity", "methodology", "records", "adjusted", "kg before", "kg now", "change",
                                                "points before", "now", "change"});
  const auto row = [&](std::string name, std::string methodology, const Tally::Change& change) {
    const std::int64_t milligrams = change.milligrams_after - change.milligrams_before;
    const std::int64_t points = change.points_after - change.points_before;
    table.row({std::move(name), std::move(methodology), grouped(std::int64_t(change.records)), grouped(std::int64_t(change.adjusted)),
               kilograms(change.milligrams_before), kilograms(change.milligrams_after), signed_text(kilograms(milligrams), milligrams),
               grouped(change.points_before), grouped(change.points_after), signed_text(grouped(points), points)});
  };
  Tally::Change all;
  for (const auto& [key, change] : report.tally.changes) {
    row(library.activities()[key.activity].name.en.empty() || chinese ? library.activities()[key.activity].name.zh
                                                                      : library.activities()[key.activity].name.en,
        versions_text(report, key), change);
    all.add(change);
  }
  table.line();
  row(chinese ? "合计" : "all", "", all);
  return table.text();
}

std::string turned_text(const AccountReport& report) {
  std::string text;
  for (std::size_t before = 0; before < activity::kOutcomes; ++before) {
    for (std::size_t after = 0; after < activity::kOutcomes; ++after) {
      const std::uint64_t count = report.tally.turned[before][after];
      if (count == 0 || before == after) continue;
      text += fmt::format("{}{} {} → {}", text.empty() ? "" : ", ", grouped(std::int64_t(count)), activity::name(Outcome(before)),
                          activity::name(Outcome(after)));
    }
  }
  return text;
}

std::string facts(const AccountReport& report, bool chinese) {
  Table table({Align::left, Align::left});
  const Tally& tally = report.tally;
  table.row({chinese ? "改用新版本的记录" : "decided by another version", grouped(std::int64_t(report.corrected->records))});
  table.row({chinese ? "调整的记录" : "records adjusted", grouped(std::int64_t(tally.adjusted))});
  if (const std::string turned = turned_text(report); !turned.empty()) table.row({chinese ? "结果变化" : "outcomes changed", turned});
  table.row({chinese ? "涉及人数" : "people", grouped(std::int64_t(tally.people_adjusted))});
  if (report.debts > 0) table.row({chinese ? "新增欠额" : "new debts", grouped(report.debts)});
  if (report.segments > 0)
    table.row(
        {chinese ? "日志" : "journal", fmt::format("{} {}, {} {}", grouped(std::int64_t(report.segments)), chinese ? "个分段" : "segments",
                                                   grouped(std::int64_t(report.segment_rows)), chinese ? "行" : "rows")});
  table.row({chinese ? "用时" : "time", fmt::format("{:.2f} s", report.seconds())});
  table.row({chinese ? "内存峰值" : "peak memory", fmt::format("{} MiB", grouped(std::int64_t(peak_memory_bytes() >> 20)))});
  return table.text();
}

}  // namespace

std::string change_text(const AccountReport& report, const identity::Programme& programme, const methodology::Library& library,
                        bool chinese) {
  std::string text = headline(report, programme, chinese) + "\n\n";
  if (!report.tally.changes.empty()) text += changes_table(report, library, chinese) + "\n";
  text += facts(report, chinese);
  if (programme.trial) text += fmt::format("\n  {}\n", programme.trial->warning.in(chinese));
  return text;
}

std::string change_json(const AccountReport& report, const identity::Programme& programme) {
  const Tally& tally = report.tally;
  boost::json::array turned;
  for (std::size_t before = 0; before < activity::kOutcomes; ++before) {
    for (std::size_t after = 0; after < activity::kOutcomes; ++after) {
      if (tally.turned[before][after] == 0) continue;
      turned.push_back({{"outcome_before", activity::name(Outcome(before))},
                        {"outcome", activity::name(Outcome(after))},
                        {"records", tally.turned[before][after]}});
    }
  }
  boost::json::object json;
  json["programme"] = report.programme;
  json["methodology"] = report.corrected->methodology;
  json["versions"] = boost::json::value_from(report.corrected->versions);
  json["days"] = {{"first", core::to_text(report.corrected->first)}, {"last", core::to_text(report.corrected->last)}};
  json["run"] = report.run == 0 ? boost::json::value(nullptr) : boost::json::value(report.run);
  json["repeats"] = report.repeats ? boost::json::value(*report.repeats) : boost::json::value(nullptr);
  json["dry_run"] = report.dry_run;
  json["trial"] = programme.trial.has_value();
  json["corrected"] = report.corrected->records;
  json["adjusted"] = {{"records", tally.adjusted}, {"milligrams", tally.adjusted_milligrams}, {"points", tally.adjusted_points}};
  json["people"] = tally.people_adjusted;
  json["new_debts"] = report.debts;
  json["changes"] = activity::changes_json(report);
  json["outcomes"] = std::move(turned);
  json["journal"] = {{"segments", report.segments}, {"rows", report.segment_rows}, {"bytes", report.segment_bytes}};
  json["seconds"] = report.seconds();
  json["peak_memory_bytes"] = peak_memory_bytes();
  return boost::json::serialize(json);
}

}  // namespace tanhui::cli
