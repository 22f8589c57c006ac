#include "cli/people_commands.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "activity/record.h"
#include "cli/table.h"
#include "journal/catalogue.h"
#include "journal/segment.h"
#include "ledger/ledger.h"

namespace tanhui::cli {
namespace {

struct Options {
  std::string person, programme, first, last;
  bool json = false;
  std::size_t limit = 30;
  std::int64_t top = 0;
};

/// A line of a statement: a record as one run booked it, or an adjustment.
struct Line {
  core::Millis start_ms = 0;
  std::int64_t milligrams = 0, points = 0, quantity = 0;
  std::uint64_t event = 0;
  std::uint16_t revision = 0;
  journal::RunId run = 0;
  std::string programme, activity, source, methodology, outcome, reason;
  core::Day day;
};

core::Result<std::vector<Line>> lines_of(identity::Instance& instance, const core::PersonKey& person, const Options& options,
                                         core::Day first, core::Day last) {
  std::vector<Line> lines;
  journal::Names names;
  journal::Columns columns;
  for (const std::string& programme : journal::programmes_with_segments(instance.database())) {
    if (!options.programme.empty() && programme != options.programme) continue;
    for (const auto& segment : journal::files_between(instance.database(), programme, first, last)) {
      if (person < segment.info.person_min || person > segment.info.person_max) continue;
      auto reader = journal::SegmentReader::open(instance.journal() / segment.info.path);
      if (!reader) return reader.error();
      auto opened = *std::move(reader);
      for (const std::size_t group : opened.row_groups_with(person, person)) {
        if (auto status = opened.read_person(group, person, names, columns); !status) return status.error();
        for (std::size_t i = 0; i < columns.size(); ++i) {
          lines.push_back({columns.start_ms[i], columns.milligrams[i], columns.points[i], columns.quantity[i], columns.event[i],
                           columns.revision[i], columns.run.empty() ? segment.run : journal::RunId(columns.run[i]), programme,
                           names.activities[columns.activity[i]], names.sources[columns.source[i]],
                           columns.methodology[i] == journal::kNoName ? "" : names.methodologies[columns.methodology[i]],
                           names.outcomes[columns.outcome[i]], names.reasons[columns.reason[i]], segment.day});
        }
      }
    }
  }
  std::sort(lines.begin(), lines.end(),
            [](const Line& a, const Line& b) { return std::tuple(b.start_ms, a.revision) < std::tuple(a.start_ms, b.revision); });
  return lines;
}

std::string asset_text(const ledger::Asset& asset, bool chinese) {
  if (asset.kind == ledger::AssetKind::points) {
    const std::string until = asset.period == 0
                                  ? (chinese ? "长期有效" : "never ends")
                                  : fmt::format("{} {}-{:02}", chinese ? "有效至" : "until", asset.period / 100, asset.period % 100);
    return fmt::format("{} ({})", chinese ? "积分" : "points", until);
  }
  return fmt::format("{} {} {}", chinese ? "减排量" : "reduction", asset.category, asset.period);
}

std::string amount_text(const ledger::Asset& asset, std::int64_t amount) {
  return asset.kind == ledger::AssetKind::points ? grouped(amount) : kilograms(amount) + " kg";
}

std::string outcome_text(const Line& line, bool chinese) {
  for (std::size_t reason = 0; chinese && reason < activity::kReasons; ++reason) {
    if (activity::name(activity::Reason(reason)) == line.reason) return std::string(activity::explanation(activity::Reason(reason), true));
  }
  return line.reason == "credited" ? line.outcome : fmt::format("{}: {}", line.outcome, line.reason);
}

void print_statement(identity::Instance& instance, const core::PersonKey& person, const std::vector<Line>& lines, const Options& options,
                     const Shell& shell, const core::Zone& zone) {
  const bool chinese = shell.chinese();
  fmt::print("{} {}\n\n", chinese ? "账户" : "account", core::to_hex(person));
  Table balances({Align::left, Align::left, Align::right});
  balances.head(chinese ? std::vector<std::string>{"项目", "资产", "余额"} : std::vector<std::string>{"programme", "asset", "balance"});
  for (const auto& balance : ledger::balances(instance.database(), person)) {
    balances.row({balance.asset.programme, asset_text(balance.asset, chinese), amount_text(balance.asset, balance.amount)});
    if (balance.held == 0) continue;
    balances.row({"", chinese ? "　其中冻结" : "  of it held", amount_text(balance.asset, balance.held)});
    balances.row({"", chinese ? "　可用" : "  available", amount_text(balance.asset, balance.available())});
  }
  for (const auto& debt : ledger::debts(instance.database(), person)) {
    balances.row({debt.asset.programme, fmt::format("{} {}", chinese ? "欠" : "owed", asset_text(debt.asset, chinese)),
                  amount_text(debt.asset, -debt.amount)});
  }
  fmt::print("{}\n", balances.text());
  Table table({Align::left, Align::left, Align::left, Align::right, Align::right, Align::left, Align::left});
  table.head(chinese ? std::vector<std::string>{"时间", "行为", "来源", "kg CO2e", "积分", "结果", "方法学"}
                     : std::vector<std::string>{"time", "activity", "source", "kg CO2e", "points", "outcome", "methodology"});
  for (std::size_t i = 0; i < std::min(options.limit, lines.size()); ++i) {
    const Line& line = lines[i];
    std::string time = core::to_text_utc(zone.local_millis(line.start_ms)).substr(0, 16);
    time[10] = ' ';
    const std::string mark = line.revision > 0 ? fmt::format(" ({} {})", chinese ? "调整" : "adjusted by run", line.run) : "";
    table.row({time, line.activity, line.source, kilograms(line.milligrams), grouped(line.points), outcome_text(line, chinese) + mark,
               line.methodology});
  }
  fmt::print("{}", table.text());
  if (lines.size() > options.limit) {
    fmt::print(fmt::runtime(chinese ? "  另有 {} 条更早的记录（--limit 显示更多）\n" : "  and {} earlier lines (--limit shows more)\n"),
               lines.size() - options.limit);
  }
}

std::string statement_json(identity::Instance& instance, const core::PersonKey& person, const std::vector<Line>& lines) {
  boost::json::array balances, debts, records;
  const auto asset = [](const ledger::Balance& balance) {
    return boost::json::object{{"kind", ledger::name(balance.asset.kind)},
                               {"programme", balance.asset.programme},
                               {"category", balance.asset.category},
                               {"period", balance.asset.period},
                               {"amount", balance.amount},
                               {"held", balance.held},
                               {"available", balance.available()}};
  };
  for (const auto& balance : ledger::balances(instance.database(), person)) balances.push_back(asset(balance));
  for (const auto& debt : ledger::debts(instance.database(), person)) {
    auto owed = asset(debt);
    owed.erase("held");
    owed.erase("available");
    debts.push_back(std::move(owed));
  }
  for (const Line& line : lines) {
    records.push_back({{"start", core::to_text_utc(line.start_ms)},
                       {"day", core::to_text(line.day)},
                       {"programme", line.programme},
                       {"activity", line.activity},
                       {"source", line.source},
                       {"event", fmt::format("{:016x}", line.event)},
                       {"quantity", line.quantity},
                       {"milligrams", line.milligrams},
                       {"points", line.points},
                       {"outcome", line.outcome},
                       {"reason", line.reason},
                       {"methodology", line.methodology},
                       {"revision", line.revision},
                       {"run", line.run}});
  }
  return boost::json::serialize(boost::json::object{
      {"person", core::to_hex(person)}, {"balances", std::move(balances)}, {"debts", std::move(debts)}, {"records", std::move(records)}});
}

core::Result<core::Day> day_option(const std::string& text, core::Day otherwise) {
  if (text.empty()) return otherwise;
  if (const auto day = core::parse_day(text)) return *day;
  return core::Error{core::ErrorCode::invalid_input,
                     "statement.bad-day",
                     fmt::format("'{}' is not a day", text),
                     "write it like 2025-03-01",
                     {{"day", text}}};
}

// Times are shown as the programme's people read them; with several programmes, as those of the newest record.
core::Result<core::Zone> zone_of(const std::vector<Line>& lines, const Options& options, const Shell& shell) {
  const std::string id = !options.programme.empty() ? options.programme : lines.empty() ? "" : lines.front().programme;
  const auto programme = shell.programme(id);
  return core::Zone::find(programme ? programme->time_zone : "UTC");
}

int statement(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  const auto first = day_option(options.first, core::kFirstDay), last = day_option(options.last, core::kLastDay);
  if (!first) return complain(first.error(), shell.chinese());
  if (!last) return complain(last.error(), shell.chinese());
  const core::PersonKey person = person_key(opened, options.person);
  const auto lines = lines_of(opened, person, options, *first, *last);
  if (!lines) return complain(lines.error(), shell.chinese());
  if (lines->empty() && ledger::balances(opened.database(), person).empty()) {
    return complain({core::ErrorCode::not_found,
                     "statement.unknown-person",
                     fmt::format("nothing is known of '{}'", options.person),
                     "give the id as the partner sends it, or the 32 digits of the account",
                     {{"person", options.person}}},
                    shell.chinese());
  }
  const auto zone = zone_of(*lines, options, shell);
  if (!zone) return complain(zone.error(), shell.chinese());
  if (options.json) {
    fmt::print("{}\n", statement_json(opened, person, *lines));
  } else {
    print_statement(opened, person, *lines, options, shell, *zone);
  }
  return kOk;
}

int balance(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  if (auto status = ledger::check(opened.database()); !status) return complain(status.error(), shell.chinese());
  const bool chinese = shell.chinese();
  boost::json::array json;
  Table table({Align::left, Align::left, Align::right, Align::right, Align::right});
  table.head(chinese ? std::vector<std::string>{"项目", "资产", "持有", "账户数", "签发"}
                     : std::vector<std::string>{"programme", "asset", "held", "accounts", "issued"});
  for (const auto& total : ledger::totals(opened.database())) {
    if (!options.programme.empty() && total.asset.programme != options.programme) continue;
    table.row({total.asset.programme, asset_text(total.asset, chinese), amount_text(total.asset, total.held), grouped(total.holders),
               amount_text(total.asset, total.issued)});
    json.push_back({{"kind", ledger::name(total.asset.kind)},
                    {"programme", total.asset.programme},
                    {"category", total.asset.category},
                    {"period", total.asset.period},
                    {"held", total.held},
                    {"accounts", total.holders},
                    {"issued", total.issued},
                    {"redeemed", total.redeemed},
                    {"expired", total.expired},
                    {"pool", total.pool},
                    {"debts", total.debts}});
  }
  if (options.json) {
    fmt::print("{}\n", boost::json::serialize(json));
    return kOk;
  }
  fmt::print("{}\n  {}\n", table.text(),
             chinese ? "账目相符：各资产合计为零，余额等于分录之和"
                     : "The books balance: every asset sums to zero, every balance is the sum of its postings.");
  if (options.top > 0) {
    Table top({Align::left, Align::right});
    for (const auto& account : ledger::top_accounts(opened.database(), ledger::AssetKind::reduction,
                                                    options.programme.empty() ? "wuhan-demo" : options.programme, options.top)) {
      top.row({core::to_hex(account.person), kilograms(account.amount) + " kg"});
    }
    fmt::print("\n{}", top.text());
  }
  return kOk;
}

}  // namespace

void add_people_commands(CLI::App& app, const Shell& shell, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* show = app.add_subcommand("statement", "What stands in a person's account, and the records behind it");
  show->add_option("person", options->person, "id as partners send it, or the 32 digits of the account")->required();
  show->add_option("-p,--programme", options->programme, "only this programme");
  show->add_option("--from", options->first, "first local day, like 2025-03-01");
  show->add_option("--to", options->last, "last local day");
  show->add_option("--limit", options->limit, "lines to show");
  show->add_flag("--json", options->json, "for machines: everything");
  show->callback([options, &shell, &exit_code] { exit_code = statement(*options, shell); });
  auto* all = app.add_subcommand("balance", "Totals of every asset, after checking that the books balance");
  all->add_option("-p,--programme", options->programme, "only this programme");
  all->add_option("--top", options->top, "also the largest accounts of the programme");
  all->add_flag("--json", options->json, "for machines");
  all->callback([options, &shell, &exit_code] { exit_code = balance(*options, shell); });
}

}  // namespace tanhui::cli
