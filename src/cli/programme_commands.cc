#include "cli/programme_commands.h"

#include <fmt/format.h>

#include "cli/table.h"
#include "identity/consent.h"
#include "ledger/ledger.h"

namespace tanhui::cli {
namespace {

struct Options {
  std::string programme = "wuhan-demo", day, person, source, purpose = "crediting", wording;
};

/// The day that was asked for, else today; never one that is still to come, for what has expired does not come back.
core::Result<core::Day> day_of_expiry(const Options& options, const identity::Programme& programme) {
  const auto zone = core::Zone::find(programme.time_zone);
  if (!zone) return zone.error();
  const core::Day today = zone->local_day(now_ms());
  if (options.day.empty()) return today;
  const auto day = core::parse_day(options.day);
  if (!day || *day > today)
    return core::Error{core::ErrorCode::invalid_input,
                       "points.bad-day",
                       day ? fmt::format("the day {} is still to come", options.day) : fmt::format("'{}' is not a day", options.day),
                       fmt::format("give a day like 2025-09-01, at most {}", core::to_text(today)),
                       {{"day", options.day}}};
  return *day;
}

int expire(const Options& options, const Shell& shell) {
  const bool chinese = shell.chinese();
  const auto programme = shell.programme(options.programme);
  if (!programme) return complain(programme.error(), chinese);
  const auto day = day_of_expiry(options, *programme);
  if (!day) return complain(day.error(), chinese);
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), chinese);
  auto opened = *std::move(instance);
  const std::string text = core::to_text(*day), key = fmt::format("points of {} expired on {}", programme->id, text);
  const auto totals = opened.database().transact([&](db::Transaction& tx) { return ledger::expire_points(tx, key, programme->id, *day); });
  if (!totals && totals.error().id == "ledger.run-booked") {
    fmt::print(fmt::runtime(chinese ? "{} 的过期积分此前已处理，无变动\n" : "points over on {} had expired before; nothing changed\n"),
               text);
    return kOk;
  }
  if (!totals) return complain(totals.error(), chinese);
  std::int64_t points = 0;
  for (const auto& asset : totals->per_asset) points -= asset.booked;
  fmt::print(fmt::runtime(chinese ? "{} 前到期：{} 人的 {} 积分已过期\n" : "over on {}: of {} people {} points expired\n"), text,
             grouped(totals->people), grouped(points));
  return kOk;
}

core::Result<std::string> source_of(const Options& options, const identity::Programme& programme) {
  if (options.source.empty()) return std::string(identity::kEverySource);
  std::string known;
  for (const auto& source : programme.sources) {
    if (source.id == options.source) return source.id;
    known += (known.empty() ? "" : ", ") + source.id;
  }
  return core::Error{core::ErrorCode::not_found,
                     "consent.unknown-source",
                     fmt::format("the programme '{}' has no source '{}'", programme.id, options.source),
                     "use one of these, or leave --source out for all of them: " + known,
                     {{"source", options.source}}};
}

int consent(const Options& options, const Shell& shell, bool given) {
  const bool chinese = shell.chinese();
  const auto programme = shell.programme(options.programme);
  if (!programme) return complain(programme.error(), chinese);
  const auto source = source_of(options, *programme);
  if (!source) return complain(source.error(), chinese);
  const auto purpose = identity::parse_purpose(options.purpose);
  if (!purpose) return complain(purpose.error(), chinese);
  auto instance = shell.open_or_create_instance();
  if (!instance) return complain(instance.error(), chinese);
  auto opened = *std::move(instance);
  const core::PersonKey person = person_key(opened, options.person);
  db::Transaction tx = opened.database().begin();
  const bool said = identity::change_consent(tx, programme->id, person, *source, given, now_ms(),
                                             {*purpose, identity::SaidBy::operator_, options.wording});
  tx.commit();
  std::string what = *source == identity::kEverySource ? (chinese ? "全部来源" : "every source") : *source;
  if (*purpose != identity::Purpose::crediting) what += fmt::format(" ({})", identity::name(*purpose));
  const char* state = given ? (chinese ? "同意" : "given") : (chinese ? "撤回" : "withdrawn");
  const char* change = said ? "" : (chinese ? "（此前已如此，无变动）" : " (as before; nothing changed)");
  fmt::print(fmt::runtime(chinese ? "{} 对{}（{}）的授权：{}{}\n" : "consent of {} in {} for {}: {}{}\n"), options.person, programme->id,
             what, state, change);
  return kOk;
}

}  // namespace

void add_programme_commands(CLI::App& app, const Shell& shell, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* points = app.add_subcommand("points", "A programme's points");
  points->require_subcommand(1);
  auto* over = points->add_subcommand("expire", "End the points whose last month is over; what is held ends after its hold");
  over->add_option("-p,--programme", options->programme, "programme (default wuhan-demo)");
  over->add_option("--on", options->day, "as on this local day, like 2025-09-01 (default: today)");
  over->callback([options, &shell, &exit_code] { exit_code = expire(*options, shell); });

  auto* words = app.add_subcommand("consent", "What people agree to; the last word counts from the next run on");
  words->require_subcommand(1);
  for (const bool given : {true, false}) {
    auto* word = words->add_subcommand(given ? "give" : "withdraw", given ? "Records may be credited" : "Records are no longer credited");
    word->add_option("person", options->person, "id as partners send it, or the 32 digits of the account")->required();
    word->add_option("-p,--programme", options->programme, "programme (default wuhan-demo)");
    word->add_option("--source", options->source, "only records of this source (default: all of them)");
    word->add_option("--purpose", options->purpose, "crediting (default), statistics, marketing or sharing");
    word->add_option("--wording", options->wording, "version of the text that was shown")->check([](const std::string& text) {
      return text.size() <= 60 ? std::string() : std::string("has more than 60 characters");
    });
    word->callback([options, given, &shell, &exit_code] { exit_code = consent(*options, shell, given); });
  }
}

}  // namespace tanhui::cli
