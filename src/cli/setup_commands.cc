#include "cli/setup_commands.h"

#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "activity/dry_run.h"
#include "activity/programme_rules.h"
#include "cli/console.h"
#include "cli/table.h"
#include "core/files.h"
#include "core/json.h"
#include "identity/base64url.h"
#include "identity/partner_key.h"
#include "identity/programmes.h"

namespace tanhui::cli {
namespace {

using identity::ProgrammeState;

struct Options {
  std::string id, file, on;
  std::vector<std::string> files;
  bool all = false, json = false, sandbox = false, dry_run = false;
  int days = 7;
  std::int64_t expected = 0, number = 0;                                    // 0: none
  std::string organisation, source, algorithm = "hmac-sha256", public_key;  // partner key
  std::int64_t overlap_hours = 24;
};

core::Result<std::string> read_settings(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  if (auto text = core::read_file(path)) return *std::move(text);
  return core::Error{core::ErrorCode::not_found,
                     "programme.not-found",
                     fmt::format("the programme file '{}' cannot be read", path),
                     "check the path",
                     {{"file", path}}};
}

/// A day that begins in the programme's time zone, or an instant in milliseconds.
core::Result<std::optional<core::Millis>> instant_option(const Options& options, const std::string& time_zone) {
  if (options.on.empty()) return std::optional<core::Millis>();
  const auto day = core::parse_day(options.on);
  const auto zone = core::Zone::find(time_zone);
  if (!zone) return zone.error();
  if (day) return std::optional(zone->start_of(*day));
  return core::Error{core::ErrorCode::invalid_input,
                     "programme.bad-day",
                     fmt::format("'{}' is not a day", options.on),
                     "write it like 2026-01-01; it begins at midnight where the programme is",
                     {{"day", options.on}}};
}

identity::Expected expected_of(const Options& options) {
  return options.expected > 0 ? identity::Expected(options.expected) : identity::Expected();
}

std::string local_text(core::Millis instant, const std::string& time_zone) {
  const auto zone = core::Zone::find(time_zone);
  if (!zone) return core::to_text_utc(instant);
  std::string text = core::to_text_utc(zone->local_millis(instant)).substr(0, 16);
  text[10] = ' ';
  return text;
}

/// Settings that name what the methodology library does not have would be without effect, and nobody would see it.
core::Status check_names_in(const Shell& shell, const std::string& yaml) {
  const auto programme = identity::parse_programme(yaml, "the settings");
  if (!programme) return programme.error();
  const auto library = shell.library();
  if (!library) return library.error();
  return activity::check_names(*programme, *library);
}

/// Settings come as a file; what they are changed by happens at the console.
template <class Work>
int with_settings(const Options& options, const Shell& shell, Work work) {
  const auto yaml = read_settings(options.file);
  if (!yaml) return complain(yaml.error(), shell.chinese());
  if (auto words = check_names_in(shell, *yaml); !words) return complain(words.error(), shell.chinese());
  auto instance = shell.open_or_create_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  return work(opened, *yaml);
}

void print_programme(const identity::StoredProgramme& stored) {
  fmt::print("{}  {}  settings {}  version {}\n", stored.id, identity::name(stored.state), stored.settings, stored.version);
}

int create(const Options& options, const Shell& shell) {
  return with_settings(options, shell, [&](identity::Instance& instance, const std::string& yaml) {
    const auto made = at_console(instance, [&](db::Transaction& tx) { return identity::create_programme(tx, by_console(), yaml); });
    if (!made) return complain(made.error(), shell.chinese());
    print_programme(*made);
    return int(kOk);
  });
}

int import(const Options& options, const Shell& shell) {
  std::vector<std::string> yamls;
  std::vector<std::string> files = options.files;
  if (options.all) {
    const auto programmes = identity::read_programmes(shell.home / "programmes");
    if (!programmes) return complain(programmes.error(), shell.chinese());
    for (const auto& one : *programmes) files.push_back((shell.home / "programmes" / (one.id + ".yaml")).string());
  }
  for (const std::string& file : files) {
    auto yaml = read_settings(file);
    if (!yaml) return complain(yaml.error(), shell.chinese());
    if (auto words = check_names_in(shell, *yaml); !words) return complain(words.error(), shell.chinese());
    yamls.push_back(*std::move(yaml));
  }
  auto instance = shell.open_or_create_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  const auto imported = at_console(opened, [&](db::Transaction& tx) { return identity::import_programmes(tx, by_console(), yamls); });
  if (!imported) return complain(imported.error(), shell.chinese());
  constexpr std::string_view words[] = {"created and opened", "changed", "as before"};
  for (const auto& one : *imported) fmt::print("{}  {}  settings {}\n", one.id, words[std::size_t(one.what)], one.settings);
  return kOk;
}

int list(const Options& options, const Shell& shell) {
  const bool chinese = shell.chinese();
  Table table({Align::left, Align::left, Align::left, Align::left, Align::right});
  table.head(chinese ? std::vector<std::string>{"编号", "名称", "上级", "状态", "设置"}
                     : std::vector<std::string>{"id", "name", "below", "state", "settings"});
  boost::json::array json;
  std::vector<std::string> seen;
  const auto row = [&](const identity::Programme& programme, std::string_view state, std::int64_t settings) {
    seen.push_back(programme.id);
    table.row({programme.id, programme.name.in(chinese), programme.parent.value_or(""), std::string(state),
               settings == 0 ? "" : std::to_string(settings)});
    json.push_back({{"id", programme.id}, {"parent", programme.parent.value_or("")}, {"state", state}, {"settings", settings}});
  };
  auto instance = shell.open_instance();
  if (!instance && instance.error().id != "instance.not-found") return complain(instance.error(), chinese);
  if (instance) {
    auto opened = *std::move(instance);
    for (const auto& stored : identity::stored_programmes(opened.database(), now_ms()))
      if (const auto programme = identity::programme_at(opened.database(), stored.id, now_ms()))
        row(*programme, identity::name(stored.state), stored.settings);
  }
  const auto files = identity::read_programmes(shell.home / "programmes");
  if (!files) return complain(files.error(), chinese);
  for (const auto& programme : *files)
    if (std::find(seen.begin(), seen.end(), programme.id) == seen.end()) row(programme, "file", 0);
  fmt::print("{}", options.json ? boost::json::serialize(json) + "\n" : table.text());
  return kOk;
}

int show(const Options& options, const Shell& shell) {
  const bool chinese = shell.chinese();
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), chinese);
  auto opened = *std::move(instance);
  auto& database = opened.database();
  const auto stored = identity::stored_programme(database, options.id, now_ms());
  if (!stored) return complain(stored.error(), chinese);
  if (options.number > 0) {
    const auto text = identity::settings_text(database, options.id, options.number);
    if (!text)
      return complain({core::ErrorCode::not_found,
                       "programme.no-such-version",
                       fmt::format("the settings of '{}' have no version {}", options.id, options.number),
                       "see which there are by `tanhui programme show`",
                       {{"programme", options.id}}},
                      chinese);
    fmt::print("{}", *text);
    return kOk;
  }
  const std::string zone = identity::programme_at(database, options.id, now_ms())->time_zone;
  print_programme(*stored);
  Table settings({Align::right, Align::left, Align::left, Align::left});
  settings.head(chinese ? std::vector<std::string>{"设置", "生效", "作者", "SHA-256"}
                        : std::vector<std::string>{"settings", "in force from", "author", "SHA-256"});
  for (const auto& one : identity::settings_versions(database, options.id))
    settings.row({std::to_string(one.number), local_text(one.valid_from_ms, zone), one.author, core::to_hex(one.digest).substr(0, 16)});
  Table states({Align::right, Align::left, Align::left, Align::left});
  states.head(chinese ? std::vector<std::string>{"序号", "状态", "起", "作者"}
                      : std::vector<std::string>{"order", "state", "from", "author"});
  for (const auto& one : identity::state_orders(database, options.id))
    states.row({std::to_string(one.number), std::string(identity::name(one.state)), local_text(one.from_ms, zone), one.author});
  fmt::print("\n{}\n{}", settings.text(), states.text());
  return kOk;
}

int try_settings(const Options& options, const Shell& shell, identity::Instance& instance, const identity::Programme& programme) {
  const bool chinese = shell.chinese();
  const auto library = shell.library();
  if (!library) return complain(library.error(), chinese);
  const auto told = activity::dry_run(instance, programme, *library, {.days = options.days});
  if (!told) return complain(told.error(), chinese);
  if (told->first > told->last) {
    fmt::print("{}\n", chinese ? "账本中没有本项目的记录" : "the journal holds no records of the programme");
    return kOk;
  }
  fmt::print(fmt::runtime(chinese ? "{} 至 {}：{} 条记录、{} 人；按新设置有 {} 条、{} 人不同\n\n"
                                  : "{} to {}: {} records of {} people; by these settings {} records of {} people would differ\n\n"),
             core::to_text(told->first), core::to_text(told->last), grouped(std::int64_t(told->records)),
             grouped(std::int64_t(told->people)), grouped(std::int64_t(told->changed)), grouped(std::int64_t(told->people_changed)));
  Table table({Align::left, Align::right, Align::right, Align::right, Align::right, Align::right});
  table.head(chinese ? std::vector<std::string>{"类别", "记录", "原 kg CO2e", "新 kg CO2e", "原积分", "新积分"}
                     : std::vector<std::string>{"category", "records", "kg CO2e", "would be", "points", "would be"});
  const auto row = [&](const std::string& name, const activity::Tally::Change& one) {
    table.row({name, grouped(std::int64_t(one.records)), kilograms(one.milligrams_before), kilograms(one.milligrams_after),
               grouped(one.points_before), grouped(one.points_after)});
  };
  for (const auto& [category, change] : told->categories) row(category, change);
  table.line();
  row(chinese ? "合计" : "all", told->all());
  fmt::print("{}", table.text());
  return kOk;
}

int settings(const Options& options, const Shell& shell) {
  return with_settings(options, shell, [&](identity::Instance& instance, const std::string& yaml) {
    const auto parsed = identity::parse_programme(yaml, options.file);
    if (!parsed) return complain(parsed.error(), shell.chinese());
    if (options.dry_run) return try_settings(options, shell, instance, *parsed);
    const auto from = instant_option(options, parsed->time_zone);
    if (!from) return complain(from.error(), shell.chinese());
    const auto changed = at_console(instance, [&](db::Transaction& tx) {
      return identity::change_settings(tx, by_console(), options.id, yaml, *from, expected_of(options));
    });
    if (!changed) return complain(changed.error(), shell.chinese());
    fmt::print("{}  settings {}  in force from {}\n", options.id, changed->number, local_text(changed->valid_from_ms, parsed->time_zone));
    return int(kOk);
  });
}

int move(const Options& options, const Shell& shell, ProgrammeState to) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  const auto programme = identity::programme_at(opened.database(), options.id, now_ms());
  const auto from = instant_option(options, programme ? programme->time_zone : "UTC");
  if (!from) return complain(from.error(), shell.chinese());
  const auto moved = at_console(
      opened, [&](db::Transaction& tx) { return identity::move_programme(tx, by_console(), options.id, to, *from, expected_of(options)); });
  if (!moved) return complain(moved.error(), shell.chinese());
  print_programme(*moved);
  if (*from) fmt::print("{} from {}\n", identity::name(to), local_text(**from, programme->time_zone));
  return kOk;
}

// ---- keys of partners -------------------------------------------------------------------------------------------------------------

identity::Box key_box(const identity::Instance& instance) { return identity::Box(instance.secret().key_for("partner keys")); }

core::Result<std::string> public_key_of(const std::string& base64) {
  auto bytes = identity::from_base64(base64);
  if (!bytes)
    return core::Error{core::ErrorCode::invalid_input,
                       "partner-key.bad-public-key",
                       "the public key is not base64",
                       "give the 32 bytes of an Ed25519 public key as base64",
                       {}};
  return *std::move(bytes);
}

void print_key(const identity::MadePartnerKey& made) {
  fmt::print("{}  {}  {}/{}{}\n", made.key.id, identity::name(made.key.algorithm), made.key.programme, made.key.source,
             made.key.sandbox ? "  sandbox" : "");
  if (made.secret.empty()) return;
  fmt::print("secret  {}\n", identity::to_base64(made.secret));
}

int new_key(const Options& options, const Shell& shell) {
  const auto algorithm = identity::find_key_algorithm(options.algorithm);
  const auto public_key = public_key_of(options.public_key);
  if (!public_key) return complain(public_key.error(), shell.chinese());
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  const auto made = at_console(opened, [&](db::Transaction& tx) {
    return identity::create_partner_key(tx, by_console(), key_box(opened),
                                        {options.organisation, options.id, options.source, *algorithm, *public_key, options.sandbox});
  });
  if (!made) return complain(made.error(), shell.chinese());
  print_key(*made);
  return kOk;
}

int rotate_key(const Options& options, const Shell& shell) {
  const auto public_key = public_key_of(options.public_key);
  if (!public_key) return complain(public_key.error(), shell.chinese());
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  const auto made = at_console(opened, [&](db::Transaction& tx) {
    return identity::rotate_partner_key(tx, by_console(), key_box(opened), options.id, options.overlap_hours * 3'600'000, *public_key);
  });
  if (!made) return complain(made.error(), shell.chinese());
  print_key(*made);
  return kOk;
}

int revoke_key(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  const auto key = at_console(opened, [&](db::Transaction& tx) { return identity::revoke_partner_key(tx, by_console(), options.id); });
  if (!key) return complain(key.error(), shell.chinese());
  fmt::print("{}  revoked\n", key->id);
  return kOk;
}

int list_keys(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  Table table({Align::left, Align::left, Align::left, Align::left, Align::left, Align::left});
  table.head(shell.chinese() ? std::vector<std::string>{"编号", "机构", "来源", "算法", "状态", "最后使用"}
                             : std::vector<std::string>{"id", "organisation", "source", "algorithm", "state", "last used"});
  const core::Millis now = now_ms();
  for (const auto& key : identity::partner_keys(opened.database(), options.organisation)) {
    const std::string state = key.revoked_ms            ? "revoked"
                              : key.good_at(now)        ? key.valid_to_ms ? "good until " + core::to_text_utc(*key.valid_to_ms) : "good"
                              : key.valid_from_ms > now ? "good from " + core::to_text_utc(key.valid_from_ms)
                                                        : "over";
    table.row({key.id, key.organisation, fmt::format("{}/{}{}", key.programme, key.source, key.sandbox ? " (sandbox)" : ""),
               std::string(identity::name(key.algorithm)), state, key.used_ms ? core::to_text_utc(*key.used_ms) : ""});
  }
  fmt::print("{}", table.text());
  return kOk;
}

}  // namespace

void add_setup_commands(CLI::App& app, const Shell& shell, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* programme = app.add_subcommand("programme", "Programmes of the instance: their settings over time, and whether they are open");
  programme->require_subcommand(1);
  const auto add = [options, &shell, &exit_code](CLI::App* parent, const char* name, const char* help, auto run) {
    auto* command = parent->add_subcommand(name, help);
    command->callback([options, &shell, &exit_code, run] { exit_code = run(*options, shell); });
    return command;
  };
  const auto file = [&](CLI::App* command) {
    command->add_option("file", options->file, "YAML like those of programmes/; - for standard input")->required();
  };
  const auto id = [&](CLI::App* command) { command->add_option("id", options->id, "the programme")->required(); };
  const auto expected = [&](CLI::App* command) {
    command->add_option("--expect", options->expected, "the version that the change was made from; another one refuses it")
        ->check(CLI::PositiveNumber);
  };
  file(add(programme, "create", "A draft from a file", create));
  auto* brought = add(programme, "import", "Files as programmes: new ones are created and opened, others get new settings", import);
  brought->add_option("files", options->files, "YAML files");
  brought->add_flag("--all", options->all, "those of programmes/");
  add(programme, "list", "Those of the instance, then those that are files", list)->add_flag("--json", options->json, "for machines");
  auto* shown = add(programme, "show", "Its settings and states over time", show);
  id(shown);
  shown->add_option("--settings", options->number, "the text of this version instead")->check(CLI::PositiveNumber);
  auto* changed = add(programme, "settings", "New settings, from now on or from a day on", settings);
  id(changed);
  file(changed);
  changed->add_option("--from", options->on, "local day on which they begin to count, like 2026-01-01 (default: now)");
  changed->add_flag("--dry-run", options->dry_run, "only show what they would have made of the newest days' records");
  changed->add_option("--days", options->days, "with --dry-run: how many days of the journal (default 7)")->check(CLI::Range(1, 366));
  expected(changed);
  const std::tuple<const char*, const char*, ProgrammeState> moves[] = {
      {"draft", "Back to setting up", ProgrammeState::draft},
      {"stage", "Ready to open: nobody is credited yet", ProgrammeState::staged},
      {"open", "Records are credited", ProgrammeState::open},
      {"pause", "Nothing is credited until it is opened again", ProgrammeState::paused},
      {"close", "The end of it", ProgrammeState::closed}};
  for (const auto& [name, help, to] : moves) {
    auto* moved = add(programme, name, help, [to = to](const Options& o, const Shell& s) { return move(o, s, to); });
    id(moved);
    moved->add_option("--on", options->on, "local day on which it happens, like 2026-01-01 (default: now)");
    expected(moved);
  }

  auto* partner = app.add_subcommand("partner", "Partners that send records");
  partner->require_subcommand(1);
  auto* key = partner->add_subcommand("key", "With what they sign their requests");
  key->require_subcommand(1);
  auto* made = add(key, "new", "A key for one source; a secret is shown once", new_key);
  made->add_option("organisation", options->organisation, "whose key it is")->required();
  made->add_option("-p,--programme", options->id, "programme")->required();
  made->add_option("--source", options->source, "source of the programme")->required();
  made->add_option("--algorithm", options->algorithm, "hmac-sha256 or ed25519")->check(CLI::IsMember({"hmac-sha256", "ed25519"}));
  made->add_option("--public-key", options->public_key, "base64 of 32 bytes, for ed25519");
  made->add_flag("--sandbox", options->sandbox, "what it signs books nothing");
  auto* keys = add(key, "list", "All keys, the newest first", list_keys);
  keys->add_option("organisation", options->organisation, "only its keys");
  auto* next = add(key, "rotate", "The next key; the old one goes on for a while", rotate_key);
  next->add_option("id", options->id, "the key")->required();
  next->add_option("--overlap", options->overlap_hours, "hours that the old one goes on (default 24)")->check(CLI::Range(0, 24 * 90));
  next->add_option("--public-key", options->public_key, "base64 of 32 bytes, for ed25519");
  add(key, "revoke", "At once and for good", revoke_key)->add_option("id", options->id, "the key")->required();
}

}  // namespace tanhui::cli
