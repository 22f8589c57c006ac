#include "cli/staff_commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>

#include "cli/console.h"
#include "cli/table.h"
#include "core/json.h"
#include "identity/organisation.h"
#include "identity/rights.h"
#include "identity/staff.h"

namespace tanhui::cli {
namespace {

constexpr std::size_t kPage = 500;

struct Options {
  std::string who, name, role, place;                               // staff
  bool administrator = false, no_password = false, remove = false;  // staff
  std::string id, programme, name_en, name_zh, credit_code;         // organisation
  std::vector<std::string> kinds;
  std::size_t limit = 50;
  bool json = false;
};

core::Error unknown(std::string_view id, std::string_view what, std::string_view given, const std::string& known) {
  return {core::ErrorCode::invalid_input,
          std::string(id),
          fmt::format("there is no {} '{}'", what, given),
          "use one of " + known,
          {{"given", std::string(given)}}};
}

/// By id or by address.
core::Result<identity::Staff> staff_of(db::Reader& reader, const std::string& who) {
  if (who.find('@') == std::string::npos) return identity::find_staff(reader, who);
  if (auto found = identity::find_staff_by_email(reader, who)) return *std::move(found);
  return core::Error{core::ErrorCode::not_found,
                     "staff.not-found",
                     fmt::format("there is no member of staff '{}'", who),
                     "list them by `tanhui staff list`",
                     {{"staff", who}}};
}

core::Result<identity::Role> role_of(const std::string& name) {
  if (const auto role = identity::find_role(name)) return *role;
  std::vector<std::string_view> roles;
  for (std::size_t role = 0; role < identity::kRoles; ++role) roles.push_back(identity::name(identity::Role(role)));
  return unknown("staff.unknown-role", "role", name, fmt::format("{}", fmt::join(roles, ", ")));
}

core::Result<std::string> new_password(const Options& options, const std::string& email, bool chinese) {
  if (options.no_password) return std::string();
  const auto password = ask_password(chinese);
  if (!password) return password;
  return identity::hash_password(*password, email, {});
}

int create(const Options& options, const Shell& shell) {
  const bool chinese = shell.chinese();
  auto instance = shell.open_or_create_instance();
  if (!instance) return complain(instance.error(), chinese);
  auto opened = *std::move(instance);
  const auto email = identity::normal_email(options.who);
  if (!email) return complain(email.error(), chinese);
  const auto hash = new_password(options, *email, chinese);
  if (!hash) return complain(hash.error(), chinese);
  const auto made = at_console(opened, [&](db::Transaction& tx) -> core::Result<identity::Staff> {
    const auto by = by_console();
    auto staff = identity::create_staff(tx, by, *email, options.name.empty() ? *email : options.name, *hash);
    if (!staff || !options.administrator) return staff;
    if (const auto member = identity::add_member(tx, by, staff->id, identity::Role::administrator, ""); !member) return member.error();
    return staff;
  });
  if (!made) return complain(made.error(), chinese);
  fmt::print("{}  {}{}\n", made->id, made->email, options.administrator ? "  administrator" : "");
  return kOk;
}

std::string roles_in_words(db::Reader& reader, const std::string& staff) {
  std::vector<std::string> words;
  for (const auto& one : identity::memberships_of(reader, staff)) {
    const std::string& place = one.programme.empty() ? one.organisation : one.programme;
    words.push_back(place.empty() ? std::string(identity::name(one.role)) : fmt::format("{} of {}", identity::name(one.role), place));
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

int list(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  Table table({Align::left, Align::left, Align::left, Align::left, Align::left});
  table.head(shell.chinese() ? std::vector<std::string>{"编号", "邮箱", "状态", "第二因素", "角色"}
                             : std::vector<std::string>{"id", "address", "state", "second factor", "roles"});
  boost::json::array json;
  for (std::string after;;) {
    const auto page = identity::all_staff(opened.database(), after, kPage);
    for (const auto& one : page) {
      const std::string roles = roles_in_words(opened.database(), one.id);
      table.row({one.id, one.email, one.active ? "active" : "disabled", one.has_totp ? "yes" : "no", roles});
      json.push_back({{"id", one.id},
                      {"email", one.email},
                      {"name", one.name},
                      {"active", one.active},
                      {"password", one.has_password},
                      {"second_factor", one.has_totp},
                      {"roles", roles}});
    }
    if (page.size() < kPage) break;
    after = page.back().id;
  }
  fmt::print("{}", options.json ? boost::json::serialize(json) + "\n" : table.text());
  return kOk;
}

/// Whatever happens to one account.
int change(const Options& options, const Shell& shell, const std::function<core::Status(db::Transaction&, const identity::Staff&)>& work) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  const auto done = at_console(opened, [&](db::Transaction& tx) -> core::Result<identity::Staff> {
    const auto staff = staff_of(tx, options.who);
    if (!staff) return staff.error();
    if (auto status = work(tx, *staff); !status) return status.error();
    return identity::find_staff(tx, staff->id);
  });
  if (!done) return complain(done.error(), shell.chinese());
  fmt::print("{}  {}  {}  {}\n", done->id, done->email, done->active ? "active" : "disabled", roles_in_words(opened.database(), done->id));
  return kOk;
}

core::Status status_of(const core::Result<identity::Staff>& result) {
  return result ? core::Status(core::Done{}) : core::Status(result.error());
}

int set_active(const Options& options, const Shell& shell, bool active) {
  return change(options, shell, [&](db::Transaction& tx, const identity::Staff& staff) {
    return status_of(identity::set_active(tx, by_console(), staff.id, active));
  });
}

int reset(const Options& options, const Shell& shell) {
  const auto hash = new_password(options, options.who, shell.chinese());
  if (!hash) return complain(hash.error(), shell.chinese());
  return change(options, shell, [&](db::Transaction& tx, const identity::Staff& staff) {
    return status_of(identity::reset_staff(tx, by_console(), staff.id, *hash));
  });
}

int member(const Options& options, const Shell& shell) {
  const auto role = role_of(options.role);
  if (!role) return complain(role.error(), shell.chinese());
  return change(options, shell, [&](db::Transaction& tx, const identity::Staff& staff) -> core::Status {
    const auto found = identity::add_member(tx, by_console(), staff.id, *role, options.place);
    if (!found) return found.error();
    return options.remove ? identity::remove_member(tx, by_console(), found->id) : core::Status(core::Done{});
  });
}

int trail(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  Table table({Align::right, Align::left, Align::left, Align::left, Align::left, Align::left});
  table.head(shell.chinese() ? std::vector<std::string>{"序号", "时间", "人员", "动作", "项目", "对象"}
                             : std::vector<std::string>{"id", "time", "staff", "action", "programme", "object"});
  const auto last = opened.database().find<std::int64_t>("SELECT COALESCE(MAX(id), 0) FROM staff_action").value_or(0);
  const std::int64_t after = options.programme.empty() ? std::max<std::int64_t>(0, last - std::int64_t(options.limit)) : 0;
  for (const auto& one : identity::actions_after(opened.database(), options.programme, after, options.limit))
    table.row({std::to_string(one.id), core::to_text_utc(one.at_ms), one.staff, one.action, one.programme, one.object});
  fmt::print("{}", table.text());
  return kOk;
}

int create_organisation(const Options& options, const Shell& shell) {
  const bool chinese = shell.chinese();
  identity::OrganisationDetails details{{options.name_en, options.name_zh.empty() ? options.name_en : options.name_zh}};
  details.credit_code = options.credit_code;
  for (const std::string& name : options.kinds) {
    const auto kind = identity::find_organisation_kind(name);
    if (!kind)
      return complain(unknown("organisation.unknown-kind", "kind", name,
                              "enterprise, merchant, partner, project-owner, verifier, exchange-member, bank, regulator"),
                      chinese);
    details.kinds.insert(*kind);
  }
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), chinese);
  auto opened = *std::move(instance);
  const auto made = at_console(
      opened, [&](db::Transaction& tx) { return identity::create_organisation(tx, by_console(), options.id, options.programme, details); });
  if (!made) return complain(made.error(), chinese);
  fmt::print("{}  {}\n", made->id, made->programme);
  return kOk;
}

int list_organisations(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  Table table({Align::left, Align::left, Align::left, Align::left, Align::left, Align::left});
  table.head(shell.chinese() ? std::vector<std::string>{"编号", "项目", "名称", "类型", "统一社会信用代码", "状态"}
                             : std::vector<std::string>{"id", "programme", "name", "kinds", "credit code", "state"});
  for (std::string after;;) {
    const auto page = identity::organisations(opened.database(), options.programme, after, kPage);
    for (const auto& one : page) {
      std::vector<std::string_view> kinds;
      for (const auto kind : one.details.kinds) kinds.push_back(identity::name(kind));
      table.row({one.id, one.programme, one.details.name.in(shell.chinese()), fmt::format("{}", fmt::join(kinds, ", ")),
                 one.details.credit_code, std::string(identity::name(one.details.state))});
    }
    if (page.size() < kPage) break;
    after = page.back().id;
  }
  fmt::print("{}", table.text());
  return kOk;
}

}  // namespace

void add_staff_commands(CLI::App& app, const Shell& shell, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* staff = app.add_subcommand("staff", "Accounts of those who run programmes, their roles, and what they did");
  staff->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, int (*run)(const Options&, const Shell&)) {
    auto* command = staff->add_subcommand(name, help);
    command->callback([options, &shell, &exit_code, run] { exit_code = run(*options, shell); });
    return command;
  };
  const auto who = [&](CLI::App* command, const char* help) { command->add_option("who", options->who, help)->required(); };
  auto* made = add("create", "A new account; the password is asked for, or the first line of standard input", create);
  who(made, "e-mail address");
  made->add_option("--name", options->name, "name (default: the address)");
  made->add_flag("--admin", options->administrator, "as an administrator of the instance");
  made->add_flag("--no-password", options->no_password, "logs in by other means only");
  add("list", "All accounts and their roles", list)->add_flag("--json", options->json, "for machines");
  auto* joined = add("member", "Gives a role, or takes it", member);
  who(joined, "id or e-mail address");
  joined
      ->add_option("role", options->role,
                   "administrator, operator, reviewer, auditor, regulator, enterprise-admin, merchant-clerk, partner")
      ->required();
  joined->add_option("--of", options->place, "the programme or organisation");
  joined->add_flag("--remove", options->remove, "takes it");
  who(add("disable", "The account and its sessions end", [](const Options& o, const Shell& s) { return set_active(o, s, false); }),
      "id or e-mail address");
  who(add("enable", "The account works again", [](const Options& o, const Shell& s) { return set_active(o, s, true); }),
      "id or e-mail address");
  auto* again = add("reset", "A new password, no second factor, no sessions", reset);
  who(again, "id or e-mail address");
  again->add_flag("--no-password", options->no_password, "logs in by other means only");
  add("rights", "Which role may do what: docs/rights.md", [](const Options&, const Shell&) {
    fmt::print("{}", identity::rights_as_markdown());
    return int(kOk);
  });
  auto* did = add("trail", "What staff did, the newest last", trail);
  did->add_option("-p,--programme", options->programme, "only this programme, from the first act on");
  did->add_option("--limit", options->limit, "lines to show");

  auto* organisation = app.add_subcommand("organisation", "Companies, merchants, partners and authorities of a programme");
  organisation->require_subcommand(1);
  auto* founded = organisation->add_subcommand("create", "A new organisation");
  founded->add_option("id", options->id, "a-z, 0-9, - and .")->required();
  founded->add_option("-p,--programme", options->programme, "the programme it is at home in")->required();
  founded->add_option("--name", options->name_en, "name")->required();
  founded->add_option("--name-zh", options->name_zh, "name in Chinese (default: the name)");
  founded
      ->add_option("--kind", options->kinds,
                   "enterprise, merchant, partner, project-owner, verifier, exchange-member, bank, regulator; more than once")
      ->required();
  founded->add_option("--credit-code", options->credit_code, "unified social credit code");
  founded->callback([options, &shell, &exit_code] { exit_code = create_organisation(*options, shell); });
  auto* all = organisation->add_subcommand("list", "All organisations");
  all->add_option("-p,--programme", options->programme, "only this programme");
  all->callback([options, &shell, &exit_code] { exit_code = list_organisations(*options, shell); });
}

}  // namespace tanhui::cli
