#include "cli/report.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "activity/account_json.h"
#include "cli/change_report.h"
#include "cli/table.h"
#include "core/invariant.h"

namespace tanhui::cli {
namespace {

using activity::AccountReport;
using activity::Outcome;
using activity::Reason;
using activity::Tally;

constexpr std::uint64_t kMiB = 1024 * 1024;

std::string outcome_title(Outcome outcome, bool chinese) {
  constexpr std::array<std::string_view, activity::kOutcomes> names{"入账", "重复", "触及上限", "拒绝", "待核", "未授权"};
  return std::string(chinese ? names[std::size_t(outcome)] : activity::name(outcome));
}

std::string share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "" : fmt::format("{:.2f} %", 100.0 * double(part) / double(whole));
}

std::string outcomes_table(const AccountReport& report, bool chinese) {
  Table table({Align::left, Align::right, Align::right, Align::left});
  table.head(chinese ? std::vector<std::string>{"结果", "记录数", "占比", "原因"}
                     : std::vector<std::string>{"outcome", "records", "share", "reason"});
  const std::uint64_t all = report.tally.all();
  for (std::size_t i = 0; i < activity::kOutcomes; ++i) {
    const auto& reasons = report.tally.records[i];
    if (report.tally.of(Outcome(i)) == 0) continue;
    std::vector<std::size_t> order;
    for (std::size_t j = 0; j < activity::kReasons; ++j) {
      if (reasons[j] > 0) order.push_back(j);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return reasons[a] > reasons[b]; });
    if (order.size() > 1)
      table.row({outcome_title(Outcome(i), chinese), grouped(std::int64_t(report.tally.of(Outcome(i)))),
                 share(report.tally.of(Outcome(i)), all), ""});
    for (const std::size_t j : order) {
      const std::string label = order.size() > 1 ? "" : outcome_title(Outcome(i), chinese);
      table.row({label, grouped(std::int64_t(reasons[j])), share(reasons[j], all),
                 fmt::format("{}: {}", activity::name(Reason(j)), activity::explanation(Reason(j), chinese))});
    }
  }
  table.line();
  table.row({chinese ? "合计" : "all", grouped(std::int64_t(all)), share(all, all), ""});
  return table.text();
}

std::string activities_table(const AccountReport& report, const identity::Programme& programme, const methodology::Library& library,
                             bool chinese) {
  Table table({Align::left, Align::left, Align::right, Align::right, Align::right, Align::right});
  table.head(chinese ? std::vector<std::string>{"行为", "来源", "记录数", "入账", "减排量 (kg)", "积分"}
                     : std::vector<std::string>{"activity", "source", "records", "credited", "kg CO2e", "points"});
  Tally tally = report.tally;
  Tally::Cell sum;
  for (std::size_t activity = 0; activity < library.activities().size(); ++activity) {
    for (std::size_t source = 0; source < programme.sources.size(); ++source) {
      const Tally::Cell& cell = tally.cell(std::uint16_t(activity), std::uint16_t(source));
      if (cell.records == 0) continue;
      const auto& name = library.activities()[activity].name;
      table.row({chinese ? name.zh : name.en, programme.sources[source].name.in(chinese), grouped(std::int64_t(cell.records)),
                 grouped(std::int64_t(cell.credited)), kilograms(cell.milligrams), grouped(cell.points)});
      sum.records += cell.records;
      sum.credited += cell.credited;
    }
  }
  const std::uint64_t unread = tally.all() - sum.records;
  if (unread > 0)
    table.row({chinese ? "（无法识别的行）" : "(rows that could not be read)", "", grouped(std::int64_t(unread)), "0", "0.000", "0"});
  table.line();
  table.row({chinese ? "合计" : "all", "", grouped(std::int64_t(tally.all())), grouped(std::int64_t(sum.credited)),
             kilograms(tally.milligrams), grouped(tally.points)});
  return table.text();
}

std::string facts(const AccountReport& report, bool chinese) {
  Table table({Align::left, Align::left});
  const auto add = [&](std::string_view english, std::string_view zh, std::string value) {
    table.row({std::string(chinese ? zh : english), std::move(value)});
  };
  const Tally& tally = report.tally;
  add("credited", "入账减排量", fmt::format("{} kg CO2e", kilograms(tally.milligrams)));
  add("points", "积分", grouped(tally.points));
  add("people credited", "入账人数", grouped(std::int64_t(tally.people_credited)));
  if (tally.adjusted > 0) {
    add("earlier records adjusted", "调整的历史记录",
        fmt::format("{} ({} kg, {} {})", grouped(std::int64_t(tally.adjusted)), kilograms(tally.adjusted_milligrams),
                    grouped(tally.adjusted_points), chinese ? "积分" : "points"));
  }
  if (report.first_day <= report.last_day)
    add("local days", "日期范围", fmt::format("{} .. {}", core::to_text(report.first_day), core::to_text(report.last_day)));
  if (report.segments > 0) {
    add("journal", "日志",
        fmt::format("{} {}, {} {}, {:.1f} MiB ({:.1f} {})", grouped(std::int64_t(report.segments)), chinese ? "个分段" : "segments",
                    grouped(std::int64_t(report.segment_rows)), chinese ? "行" : "rows", double(report.segment_bytes) / double(kMiB),
                    double(report.segment_bytes) / double(std::max<std::uint64_t>(report.segment_rows, 1)),
                    chinese ? "字节/行" : "bytes a row"));
  }
  const double seconds = std::max(report.seconds(), 1e-9);
  add("time", "用时",
      fmt::format("{:.2f} s: {} {:.2f}, {} {:.2f}, {} {:.2f}, {} {:.2f}", seconds, chinese ? "读取" : "intake", report.seconds_intake,
                  chinese ? "回查" : "look back", report.seconds_look_back, chinese ? "核算" : "settle", report.seconds_settle,
                  chinese ? "入账" : "book", report.seconds_book));
  add("rate", "速度", fmt::format("{} {}", grouped(std::int64_t(double(tally.all()) / seconds)), chinese ? "条/秒" : "records/s"));
  add("peak memory", "内存峰值", fmt::format("{} MiB", grouped(std::int64_t(peak_memory_bytes() / kMiB))));
  return table.text();
}

std::string warnings(const AccountReport& report, const identity::Programme& programme, bool chinese) {
  std::string text;
  if (programme.trial) text += fmt::format("\n  {}\n", programme.trial->warning.in(chinese));
  if (!report.illustrative.empty()) {
    text += chinese
                ? "\n  以下方法学使用示例参数（未经官方公布），其结果不得作为官方减排量：\n"
                : "\n  These methods use illustrative numbers (not officially published); what they give is not an official reduction:\n";
    for (const std::string& id : report.illustrative) text += "    " + id + "\n";
  }
  return text;
}

std::string headline(const AccountReport& report, const identity::Programme& programme, bool chinese) {
  std::string text = fmt::format("{} · {}", programme.name.in(chinese), report.profile);
  if (report.dry_run) {
    text += chinese ? " · 试算，未入账" : " · dry run, nothing was booked";
  } else if (report.run == 0) {
    text += fmt::format(fmt::runtime(chinese ? " · 第 {} 次核算已处理相同输入，无新增"
                                             : " · the same input was accounted as run {}; nothing new was booked"),
                        report.repeats.value_or(0));
  } else {
    text += fmt::format(fmt::runtime(chinese ? " · 第 {} 次核算" : " · run {}"), report.run);
    if (report.repeats)
      text += fmt::format(fmt::runtime(chinese ? "（输入与第 {} 次相同）" : " (the same input as run {})"), *report.repeats);
  }
  return text;
}

}  // namespace

std::string report_text(const AccountReport& report, const identity::Programme& programme, const methodology::Library& library,
                        bool chinese) {
  return headline(report, programme, chinese) + "\n\n" + outcomes_table(report, chinese) + "\n" +
         activities_table(report, programme, library, chinese) + "\n" + facts(report, chinese) + warnings(report, programme, chinese);
}

std::string report_json(const AccountReport& report, const identity::Programme& programme) {
  boost::json::object json = activity::report_json(report, programme);
  json["peak_memory_bytes"] = peak_memory_bytes();
  return boost::json::serialize(json);
}

}  // namespace tanhui::cli
