#include "cli/person_commands.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "activity/person_records.h"
#include "cli/output_file.h"
#include "cli/table.h"
#include "identity/people.h"

namespace tanhui::cli {
namespace {

using identity::AccessPurpose, identity::LocalVault, identity::People, identity::PersonId, identity::Safe;
constexpr std::int64_t kListMax = 1'000, kAccessesShown = 20;
constexpr std::string_view kConsole = "console";

struct Options {
  std::string person, kind = "phone", contact, pseudonym, purpose = "support", output, after, suite = "standard";
  std::int64_t limit = 100;
  bool yes = false, compact = false;
};

/// An instance with its master keys, and people on both.
struct House {
  identity::Instance instance;
  LocalVault vault;
  Safe safe{vault, identity::system_randomness()};
  People people{safe, instance.secret()};
  House(identity::Instance opened, LocalVault master) : instance(std::move(opened)), vault(std::move(master)) {}
  House(const House&) = delete;
  House& operator=(const House&) = delete;
  db::Database& database() { return instance.database(); }
};

/// Opens the house and runs `work(house)`, which returns a Result of an exit code.
template <class Work>
int in_house(const Shell& shell, bool create, Work work) {
  auto instance = create ? shell.open_or_create_instance() : shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  auto vault = create ? LocalVault::open_or_create(opened.master_keys(), identity::Suite::standard, identity::system_randomness())
                      : LocalVault::open(opened.master_keys());
  if (!vault) return complain(vault.error(), shell.chinese());
  House house(std::move(opened), *std::move(vault));
  const core::Result<int> code = work(house);
  return code ? *code : complain(code.error(), shell.chinese());
}

core::Result<PersonId> id_option(const std::string& text) {
  if (const auto id = identity::parse_person_id(text)) return *id;
  return core::Error{core::ErrorCode::invalid_input,
                     "person.bad-id",
                     fmt::format("'{}' is not the id of a person", text),
                     "give the 32 digits that `tanhui person list` shows",
                     {{"person", text}}};
}

int list(const Options& options, const Shell& shell) {
  return in_house(shell, false, [&](House& house) -> core::Result<int> {
    const auto after = options.after.empty() ? core::Result<PersonId>(PersonId{}) : id_option(options.after);
    if (!after) return after.error();
    const auto people = identity::people_after(house.database(), *after, std::clamp<std::int64_t>(options.limit, 1, kListMax));
    Table table({Align::left, Align::left, Align::left, Align::right});
    table.head(shell.chinese() ? std::vector<std::string>{"编号", "加入", "状态", "假名数"}
                               : std::vector<std::string>{"person", "joined", "state", "pseudonyms"});
    for (const auto& person : people)
      table.row({person.id.text(), core::to_text_utc(person.joined_ms).substr(0, 10),
                 person.erased_ms ? (shell.chinese() ? "已注销" : "erased") : (shell.chinese() ? "正常" : "here"),
                 std::to_string(person.links.size())});
    const auto count = identity::count_people(house.database());
    fmt::print("{}", table.text());
    fmt::print(fmt::runtime(shell.chinese() ? "  {} 人，另有 {} 人已注销\n" : "  {} people here, {} erased\n"), grouped(count.here),
               grouped(count.erased));
    return int(kOk);
  });
}

/// Registers somebody whose contact the operator has verified by other means (at a counter).
int add(const Options& options, const Shell& shell) {
  return in_house(shell, true, [&](House& house) -> core::Result<int> {
    const auto kind = identity::parse_contact_kind(options.kind);
    if (!kind) return kind.error();
    const auto contact = identity::normalise_contact(*kind, options.contact);
    if (!contact) return contact.error();
    const auto registered =
        house.database().transact([&](db::Transaction& tx) { return house.people.register_by(tx, *contact, now_ms()); });
    if (!registered) return registered.error();
    fmt::print(fmt::runtime(shell.chinese() ? "{}（{}）\n" : "{} ({})\n"), registered->id.text(),
               registered->now ? (shell.chinese() ? "新注册" : "new") : (shell.chinese() ? "已在册" : "was here already"));
    return int(kOk);
  });
}

int link(const Options& options, const Shell& shell) {
  return in_house(shell, false, [&](House& house) -> core::Result<int> {
    const auto id = id_option(options.person);
    if (!id) return id.error();
    const auto linked =
        house.database().transact([&](db::Transaction& tx) { return house.people.link(tx, *id, options.pseudonym, now_ms()); });
    if (!linked) return linked.error();
    const bool weaker = linked->strength == identity::Strength::hashed;
    fmt::print("{} -> {}{}\n", core::to_hex(linked->key), id->text(), weaker ? (shell.chinese() ? "（较弱）" : " (weaker)") : "");
    return int(kOk);
  });
}

int show(const Options& options, const Shell& shell) {
  return in_house(shell, false, [&](House& house) -> core::Result<int> {
    const auto id = id_option(options.person);
    if (!id) return id.error();
    const auto purpose = identity::parse_access_purpose(options.purpose);
    if (!purpose) return purpose.error();
    const auto noted = house.database().transact(
        [&](db::Transaction& tx) { return identity::look_at(tx, *id, kConsole, *purpose, "contacts,pseudonyms,accesses", now_ms()); });
    if (!noted) return noted.error();
    const auto contacts = house.people.contacts(house.database(), *id);
    if (!contacts) return contacts.error();
    const auto person = *identity::find_person(house.database(), *id);
    const bool chinese = shell.chinese();
    fmt::print(fmt::runtime(chinese ? "{}  {} 加入\n" : "{}  joined {}\n"), id->text(), core::to_text_utc(person.joined_ms).substr(0, 10));
    for (const auto& contact : *contacts) fmt::print("  {:<8}{}\n", identity::name(contact.kind), contact.value);
    for (const auto& one : person.links)
      fmt::print("  {:<8}{}  {} {}{}\n", chinese ? "假名" : "key", core::to_hex(one.key), identity::name(one.strength), one.version,
                 one.strength == identity::Strength::hashed ? (chinese ? "（较弱）" : " (weaker)") : "");
    for (const auto& access : identity::accesses(house.database(), *id, kAccessesShown))
      fmt::print("  {:<8}{}  {}  {}: {}\n", chinese ? "查看" : "access", core::to_text_utc(access.at_ms).substr(0, 16), access.actor,
                 identity::name(access.purpose), access.fields);
    return int(kOk);
  });
}

int export_all(const Options& options, const Shell& shell) {
  return in_house(shell, false, [&](House& house) -> core::Result<int> {
    const auto id = id_option(options.person);
    if (!id) return id.error();
    const auto purpose = identity::parse_access_purpose(options.purpose);
    if (!purpose) return purpose.error();
    OutputFile file(options.output);
    const auto noted = house.database().transact(
        [&](db::Transaction& tx) { return identity::look_at(tx, *id, kConsole, *purpose, "everything", now_ms()); });
    if (!noted) return noted.error();
    const auto everything = activity::export_of(house.database(), house.instance.journal(), house.people, *id, now_ms());
    if (!everything) return everything.error();
    file.stream() << boost::json::serialize(*everything) << '\n';
    file.keep();
    fmt::print(fmt::runtime(shell.chinese() ? "已导出到 {}（记录 {} 条）\n" : "everything is in {} ({} records)\n"), options.output,
               everything->at("records").as_array().size());
    return int(kOk);
  });
}

int erase(const Options& options, const Shell& shell) {
  return in_house(shell, false, [&](House& house) -> core::Result<int> {
    const auto id = id_option(options.person);
    if (!id) return id.error();
    if (!options.yes)
      return core::Error{core::ErrorCode::refused, "person.not-confirmed", fmt::format("erasing {} cannot be undone", id->text()),
                         "say --yes; balances and records stay, without a person"};
    const auto erased = house.database().transact([&](db::Transaction& tx) -> core::Result<std::int64_t> {
      if (auto status = identity::look_at(tx, *id, kConsole, AccessPurpose::request_of_person, "erased", now_ms()); !status)
        return status.error();
      return house.people.erase(tx, *id, now_ms());
    });
    if (!erased) return erased.error();
    const bool forgotten = !options.compact || house.database().compact(identity::kErasedTables);
    fmt::print(fmt::runtime(shell.chinese() ? "已注销 {}：密钥与联系方式已销毁，{} 个假名不再受理\n"
                                            : "erased {}: key and contacts are destroyed, {} pseudonyms are refused from now on\n"),
               id->text(), *erased);
    if (!options.compact || !forgotten)
      fmt::print("{}\n", shell.chinese() ? "  旧字节仍可能留在存储文件中，直到 tanhui person compact"
                                         : "  old bytes may stay in the store's files until `tanhui person compact`");
    fmt::print("{}\n", shell.chinese() ? "  此前的备份仍含其数据；从备份恢复后须再次注销"
                                       : "  backups made before still hold the data: erase again after a restore");
    return int(kOk);
  });
}

int compact(const Options&, const Shell& shell) {
  return in_house(shell, false, [&](House& house) -> core::Result<int> {
    if (!house.database().compact(identity::kErasedTables))
      return core::Error{core::ErrorCode::conflict, "db.busy", "somebody is still reading older pages",
                         "try again when other programs are done"};
    fmt::print("{}\n", shell.chinese() ? "存储文件已重写" : "the store's files are rewritten");
    return int(kOk);
  });
}

int rotate_master(const Options& options, const Shell& shell) {
  return in_house(shell, true, [&](House& house) -> core::Result<int> {
    const auto suite = identity::parse_suite(options.suite);
    if (!suite) return suite.error();
    if (auto status = house.vault.rotate(*suite, house.safe.randomness); !status) return status.error();
    constexpr std::int64_t kAtOnce = 10'000;
    std::int64_t service_keys = 0, people = 0;
    while (true) {
      const auto done = house.database().transact([&](db::Transaction& tx) { return identity::rewrap(tx, house.safe, kAtOnce); });
      if (!done) return done.error();
      if (done->service_keys + done->people == 0) break;
      service_keys += done->service_keys;
      people += done->people;
    }
    fmt::print(fmt::runtime(shell.chinese() ? "主密钥 {}（{}）：已重新包装 {} 个服务密钥、{} 个个人密钥\n"
                                            : "master key {} ({}): wrapped {} keys of the service and {} of people anew\n"),
               house.vault.present(), identity::name(*suite), grouped(service_keys), grouped(people));
    return int(kOk);
  });
}

int retire_master(const Options& options, const Shell& shell) {
  return in_house(shell, false, [&](House& house) -> core::Result<int> {
    const auto left = house.database().transact([&](db::Transaction& tx) { return identity::rewrap(tx, house.safe, 1); });
    if (!left) return left.error();
    if (left->people + left->service_keys > 0)
      return core::Error{core::ErrorCode::conflict, "keys.in-use", "something was still wrapped by an older master key", "run it again"};
    if (!options.yes)
      return core::Error{core::ErrorCode::refused, "keys.not-confirmed",
                         "backups that were made under the older master keys will not open any more",
                         "say --yes when that is meant: it also ends what they hold of people who were erased"};
    const std::size_t before = house.vault.size();
    if (auto status = house.vault.retire_old(); !status) return status.error();
    fmt::print(fmt::runtime(shell.chinese() ? "已销毁 {} 个旧主密钥\n" : "{} older master keys are destroyed\n"), before - 1);
    return int(kOk);
  });
}

}  // namespace

void add_person_commands(CLI::App& app, const Shell& shell, int& exit_code) {
  const auto options = std::make_shared<Options>();
  const auto add_to = [&](CLI::App* group, const char* name, const char* help, int (*run)(const Options&, const Shell&)) {
    auto* command = group->add_subcommand(name, help);
    command->callback([run, options, &shell, &exit_code] { exit_code = run(*options, shell); });
    return command;
  };
  const auto add_person = [&](CLI::App* command) { command->add_option("person", options->person, "32 digits")->required(); };
  const auto add_purpose = [&](CLI::App* command) {
    command->add_option("--purpose", options->purpose,
                        "why: support (default), correction, legal-request, audit, delivery, request-of-person; the person sees it");
  };
  auto* person = app.add_subcommand("person", "people who registered; every look is recorded, and the person sees it");
  person->require_subcommand(1);
  auto* listing = add_to(person, "list", "ids, without personal data", list);
  listing->add_option("--after", options->after, "go on after this id");
  listing->add_option("--limit", options->limit, "at most so many (default 100)");
  auto* adding = add_to(person, "add", "register somebody whose contact was verified otherwise", add);
  adding->add_option("contact", options->contact, "number or address")->required();
  adding->add_option("--kind", options->kind, "phone (default), mail or wechat");
  auto* linking = add_to(person, "link", "a pseudonym of a partner is this person", link);
  add_person(linking);
  linking->add_option("pseudonym", options->pseudonym, "as the partner sends it")->required();
  auto* showing = add_to(person, "show", "contacts, pseudonyms and who looked", show);
  add_person(showing);
  add_purpose(showing);
  auto* exporting = add_to(person, "export", "everything about a person, as JSON", export_all);
  add_person(exporting);
  add_purpose(exporting);
  exporting->add_option("-o,--output", options->output, "file to write")->required();
  auto* erasing = add_to(person, "erase", "destroy the person's key, contacts and links", erase);
  add_person(erasing);
  erasing->add_flag("--yes", options->yes, "it cannot be undone");
  erasing->add_flag("--compact", options->compact, "also rewrite the store's files, so that old bytes are gone (takes time)");
  add_to(person, "compact", "rewrite the store's files, so that bytes of people who were erased are gone", compact);

  auto* keys = app.add_subcommand("keys", "the master keys that wrap all other keys of people and pseudonyms");
  keys->require_subcommand(1);
  add_to(keys, "rotate", "a new master key, and everything wrapped by it", rotate_master)
      ->add_option("--suite", options->suite, "standard (default) or national (SM4, SM3)");
  add_to(keys, "retire", "destroy all master keys but the present one", retire_master)
      ->add_flag("--yes", options->yes, "older backups will not open");
}

}  // namespace tanhui::cli
