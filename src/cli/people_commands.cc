#include "cli/people_commands.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "activity/person_records.h"
#include "activity/record.h"
#include "cli/table.h"
#include "ledger/ledger.h"

namespace tanhui::cli {
namespace {

struct Options {
  std::string person, programme, first, last;
  bool json = false;
  std::size_t limit = 30;
  std::int64_t top = 0;
};

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

std::string outcome_text(const activity::PersonRecord& line, bool chinese) {
  for (std::size_t reason = 0; chinese && reason < activity::kReasons; ++reason) {
    if (activity::name(activity::Reason(reason)) == line.reason) return std::string(activity::explanation(activity::Reason(reason), true));
  }
  return line.reason == "credited" ? line.outcome : fmt::format("{}: {}", line.outcome, line.reason);
}

void print_statement(identity::Instance& instance, const core::PersonKey& person, const std::vector<activity::PersonRecord>& lines,
                     const Options& options, const Shell& shell, const core::Zone& zone) {
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
    const activity::PersonRecord& line = lines[i];
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

std::string statement_json(identity::Instance& instance, const core::PersonKey& person, const std::vector<activity::PersonRecord>& lines) {
  boost::json::array records;
  for (const auto& line : lines) records.push_back(activity::to_json(line));
  boost::json::object statement{{"person", core::to_hex(person)}};
  for (auto& member : activity::accounts_json(instance.database(), person)) statement.emplace(member.key(), std::move(member.value()));
  statement.emplace("records", std::move(records));
  return boost::json::serialize(statement);
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
core::Result<core::Zone> zone_of(const std::vector<activity::PersonRecord>& lines, const Options& options, const Shell& shell) {
  const std::string id = !options.programme.empty() ? options.programme : lines.empty() ? "" : lines.front().programme;
  const auto programme = shell.programme(id);
  return core::Zone::find(programme ? programme->time_zone : "UTC");
}

/// Whoever registered here sees that the console looked.
core::Status note_access(identity::Instance& instance, const core::PersonKey& key) {
  const auto person = identity::person_of(instance.database(), key);
  if (!person) return core::Done{};
  return instance.database().transact([&](db::Transaction& tx) {
    return identity::look_at(tx, *person, "console", identity::AccessPurpose::support, "balances,records", now_ms());
  });
}

int statement(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  const auto first = day_option(options.first, core::kFirstDay), last = day_option(options.last, core::kLastDay);
  if (!first) return complain(first.error(), shell.chinese());
  if (!last) return complain(last.error(), shell.chinese());
  const core::PersonKey person = person_key(opened, options.person);
  const std::array people{person};
  const auto lines = activity::records_of(opened.database(), opened.journal(), people, options.programme, *first, *last);
  if (!lines) return complain(lines.error(), shell.chinese());
  if (lines->empty() && ledger::balances(opened.database(), person).empty()) {
    return complain({core::ErrorCode::not_found,
                     "statement.unknown-person",
                     fmt::format("nothing is known of '{}'", options.person),
                     "give the id as the partner sends it, or the 32 digits of the account",
                     {{"person", options.person}}},
                    shell.chinese());
  }
  if (auto status = note_access(opened, person); !status) return complain(status.error(), shell.chinese());
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
