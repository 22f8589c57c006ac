#include "cli/pseudonym_commands.h"

#include <fmt/format.h>

#include <fstream>

#include "cli/output_file.h"
#include "cli/table.h"
#include "core/base64.h"
#include "core/files.h"
#include "identity/blinding.h"

namespace tanhui::cli {
namespace {

using identity::BatchReport, identity::DataKey, identity::LocalVault, identity::PseudonymKeys, identity::Safe;

struct Options {
  std::string ids, kind = "phone", public_key, state, requests, responses, output, key, hashes, partner, day;
  std::uint32_t version = 1;
  bool skip_bad = false, make = false;
};

core::Error cannot_read(const std::string& file) {
  return {core::ErrorCode::not_found,
          "file.not-found",
          fmt::format("'{}' cannot be read", file),
          "check the path and the rights",
          {{"file", file}}};
}

/// Problems by line, on standard error; never the ids.
void print_problems(const BatchReport& report, bool chinese) {
  for (const auto& problem : report.problems)
    fmt::print(stderr, "{} {}: {}\n", chinese ? "第" : "line", problem.line, problem.error.message);
  if (report.bad() > std::int64_t(report.problems.size()))
    fmt::print(stderr, fmt::runtime(chinese ? "另有 {} 行\n" : "and {} more lines\n"), report.bad() - std::int64_t(report.problems.size()));
}

core::Result<identity::oprf::Element> public_key_option(const std::string& text) {
  identity::oprf::Element key;
  if (core::parse_base64url_exactly(text, key)) return key;
  return core::Error{core::ErrorCode::invalid_input, "pseudonym.bad-public-key", "the public key is not 32 bytes in base64url",
                     "copy it as the platform published it (tanhui pseudonym keys)"};
}

/// A secret that a partner keeps in a file of mode 0600.
core::Result<DataKey> read_partner_key(const std::string& file) {
  const auto text = core::read_file(file);
  if (!text) return cannot_read(file);
  DataKey key;
  constexpr std::string_view kHead = "tanhui-partner-key ";
  std::string_view rest = *text;
  while (rest.ends_with('\n')) rest.remove_suffix(1);
  if (rest.starts_with(kHead) && core::parse_base64url_exactly(rest.substr(kHead.size()), key.bytes())) return key;
  return core::Error{core::ErrorCode::invalid_input,
                     "pseudonym.bad-partner-key",
                     fmt::format("'{}' holds no partner key", file),
                     "make one: tanhui pseudonym partner-key -o FILE",
                     {{"file", file}}};
}

int blind(const Options& options, const Shell& shell) {
  const auto kind = identity::parse_id_kind(options.kind);
  if (!kind) return complain(kind.error(), shell.chinese());
  const auto public_key = public_key_option(options.public_key);
  if (!public_key) return complain(public_key.error(), shell.chinese());
  std::ifstream ids(options.ids, std::ios::binary);
  if (!ids) return complain(cannot_read(options.ids), shell.chinese());
  OutputFile requests(options.output), state(options.state);
  BatchReport report;
  const auto blinded = identity::blind_lines(ids, requests.stream(), {*kind, options.version, *public_key, options.skip_bad},
                                             identity::system_randomness(), report);
  print_problems(report, shell.chinese());
  if (!blinded) return complain(blinded.error(), shell.chinese());
  state.stream() << blinded->state.text();
  state.keep();
  requests.keep();
  fmt::print(
      fmt::runtime(shell.chinese() ? "已盲化 {} 行，跳过 {} 行；请保密 {}\n" : "blinded {} ids, left out {} lines; keep {} to yourself\n"),
      grouped(report.good), grouped(report.bad()), options.state);
  return kOk;
}

int evaluate(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  auto vault = LocalVault::open(opened.master_keys());
  if (!vault) return complain(vault.error(), shell.chinese());
  auto master = *std::move(vault);
  const auto keys = PseudonymKeys::load(opened.database(), master);
  if (!keys) return complain(keys.error(), shell.chinese());
  std::ifstream requests(options.requests, std::ios::binary);
  if (!requests) return complain(cannot_read(options.requests), shell.chinese());
  OutputFile responses(options.output);
  const auto count = identity::evaluate_lines(requests, responses.stream(), *keys, identity::system_randomness());
  if (!count) return complain(count.error(), shell.chinese());
  responses.keep();
  fmt::print(fmt::runtime(shell.chinese() ? "已计算 {} 个盲化元素\n" : "evaluated {} elements\n"), grouped(*count));
  return kOk;
}

int finish(const Options& options, const Shell& shell) {
  const auto text = core::read_file(options.state);
  if (!text) return complain(cannot_read(options.state), shell.chinese());
  const auto state = identity::parse_blind_state(*text);
  if (!state) return complain(state.error(), shell.chinese());
  std::ifstream ids(options.ids, std::ios::binary), responses(options.responses, std::ios::binary);
  if (!ids || !responses) return complain(cannot_read(ids ? options.responses : options.ids), shell.chinese());
  OutputFile pseudonyms(options.output);
  const auto report = identity::finish_lines(ids, responses, pseudonyms.stream(), *state);
  if (!report) return complain(report.error(), shell.chinese());
  pseudonyms.keep();
  fmt::print(
      fmt::runtime(shell.chinese() ? "得到 {} 个假名，证明已核对；{} 行为空\n" : "{} pseudonyms, proofs checked; {} lines stay empty\n"),
      grouped(report->good), grouped(report->bad()));
  return kOk;
}

const char* weaker(bool chinese) {
  return chinese ? "注意：这是较弱的方式：同一人在不同伙伴处不能对应，持有两把密钥者可枚举电话号码（docs/privacy.md）"
                 : "note: this is the weaker mode: one person is not recognised across partners, and who has both keys can try all numbers "
                   "(docs/privacy.md)";
}

int hash(const Options& options, const Shell& shell) {
  const auto kind = identity::parse_id_kind(options.kind);
  if (!kind) return complain(kind.error(), shell.chinese());
  const auto key = read_partner_key(options.key);
  if (!key) return complain(key.error(), shell.chinese());
  std::ifstream ids(options.ids, std::ios::binary);
  if (!ids) return complain(cannot_read(options.ids), shell.chinese());
  OutputFile hashes(options.output);
  BatchReport report;
  const auto hashed = identity::hash_lines(ids, hashes.stream(), *kind, options.skip_bad, *key, report);
  print_problems(report, shell.chinese());
  if (!hashed) return complain(hashed.error(), shell.chinese());
  hashes.keep();
  fmt::print(fmt::runtime(shell.chinese() ? "已散列 {} 行，跳过 {} 行\n{}\n" : "hashed {} ids, left out {} lines\n{}\n"),
             grouped(report.good), grouped(report.bad()), weaker(shell.chinese()));
  return kOk;
}

int partner_key(const Options& options, const Shell& shell) {
  OutputFile file(options.output);
  const DataKey key = DataKey::random(identity::system_randomness());
  file.stream() << "tanhui-partner-key " << core::to_base64url(key.bytes()) << '\n';
  file.keep();
  fmt::print(fmt::runtime(shell.chinese() ? "已生成 {}；请妥善保管\n{}\n" : "made {}; keep it safe and to yourself\n{}\n"), options.output,
             weaker(shell.chinese()));
  return kOk;
}

/// Runs `work(tx, safe)` on the instance, which is made when there is none, with its master keys.
template <class Work>
auto with_safe(const Shell& shell, Work work) -> decltype(work(std::declval<db::Transaction&>(), std::declval<Safe&>())) {
  auto instance = shell.open_or_create_instance();
  if (!instance) return instance.error();
  auto opened = *std::move(instance);
  auto vault = LocalVault::open_or_create(opened.master_keys(), identity::Suite::standard, identity::system_randomness());
  if (!vault) return vault.error();
  auto master = *std::move(vault);
  Safe safe{master, identity::system_randomness()};
  return opened.database().transact([&](db::Transaction& tx) { return work(tx, safe); });
}

int rekey(const Options& options, const Shell& shell) {
  const auto key = with_safe(shell, [](db::Transaction& tx, Safe& safe) { return identity::service_key(tx, safe, "rekey", now_ms()); });
  if (!key) return complain(key.error(), shell.chinese());
  std::ifstream hashes(options.hashes, std::ios::binary);
  if (!hashes) return complain(cannot_read(options.hashes), shell.chinese());
  OutputFile pseudonyms(options.output);
  const auto count = identity::rekey_lines(hashes, pseudonyms.stream(), *key, options.partner);
  if (!count) return complain(count.error(), shell.chinese());
  pseudonyms.keep();
  fmt::print(fmt::runtime(shell.chinese() ? "得到 {} 个假名\n{}\n" : "{} pseudonyms\n{}\n"), grouped(*count), weaker(shell.chinese()));
  return kOk;
}

int keys(const Options& options, const Shell& shell) {
  using Infos = std::vector<identity::PseudonymKeyInfo>;
  const auto infos = with_safe(shell, [&](db::Transaction& tx, Safe& safe) -> core::Result<Infos> {
    if (options.make)
      if (const auto made = PseudonymKeys::load_or_make(tx, safe, now_ms()); !made) return made.error();
    return identity::pseudonym_keys(tx);
  });
  if (!infos) return complain(infos.error(), shell.chinese());
  if (infos->empty())
    return complain(
        {core::ErrorCode::not_found, "keys.none", "there is no pseudonym key yet", "make the first one: tanhui pseudonym keys --make"},
        shell.chinese());
  Table table({Align::right, Align::left, Align::left, Align::left});
  table.head(shell.chinese() ? std::vector<std::string>{"版本", "公钥", "行为日期自", "状态"}
                             : std::vector<std::string>{"version", "public key", "for acts from", "state"});
  for (const auto& key : *infos)
    table.row({std::to_string(key.version), core::to_base64url(key.public_key), key.from_day ? core::to_text(*key.from_day) : "-",
               key.retired ? (shell.chinese() ? "已销毁" : "retired") : (shell.chinese() ? "使用中" : "live")});
  fmt::print("{}", table.text());
  return kOk;
}

int rotate(const Options& options, const Shell& shell) {
  const auto day = core::parse_day(options.day);
  if (!day)
    return complain({core::ErrorCode::invalid_input,
                     "pseudonym.bad-day",
                     fmt::format("'{}' is not a day", options.day),
                     "write it like 2026-03-01",
                     {{"day", options.day}}},
                    shell.chinese());
  const auto made = with_safe(shell, [&](db::Transaction& tx, Safe& safe) { return PseudonymKeys::rotate(tx, safe, *day, now_ms()); });
  if (!made) return complain(made.error(), shell.chinese());
  fmt::print(fmt::runtime(shell.chinese() ? "版本 {}，公钥 {}：用于 {} 起的行为\n" : "version {}, public key {}: for acts from {} on\n"),
             made->version, core::to_base64url(made->public_key), options.day);
  return kOk;
}

int retire(const Options& options, const Shell& shell) {
  const auto done = with_safe(shell, [&](db::Transaction& tx, Safe&) { return PseudonymKeys::retire(tx, options.version, now_ms()); });
  if (!done) return complain(done.error(), shell.chinese());
  fmt::print(fmt::runtime(shell.chinese() ? "版本 {} 已销毁\n" : "version {} is destroyed\n"), options.version);
  return kOk;
}

}  // namespace

void add_pseudonym_commands(CLI::App& app, const Shell& shell, int& exit_code) {
  auto* group = app.add_subcommand("pseudonym", "names for people that nobody can enumerate (docs/privacy.md)");
  group->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* help, int (*run)(const Options&, const Shell&)) {
    auto* command = group->add_subcommand(name, help);
    command->callback([run, options, &shell, &exit_code] { exit_code = run(*options, shell); });
    return command;
  };
  const auto add_ids = [&](CLI::App* command) {
    command->add_option("ids", options->ids, "file with one id a line")->required();
    command->add_option("--kind", options->kind, "phone (default), resident-id or other");
    command->add_flag("--skip-bad", options->skip_bad, "leave out lines that are no ids; their lines stay empty");
  };
  const auto add_output = [&](CLI::App* command, const char* help) {
    command->add_option("-o,--output", options->output, help)->required();
  };

  auto* blind_command = add("blind", "partner: ids to requests for the platform", blind);
  add_ids(blind_command);
  blind_command->add_option("--public-key", options->public_key, "the platform's, of that version")->required();
  blind_command->add_option("--key-version", options->version, "version of the platform's key (default 1)");
  blind_command->add_option("--state", options->state, "file to write what finish needs; private")->required();
  add_output(blind_command, "file of requests to write");

  auto* evaluate_command = add("evaluate", "platform: requests to responses", evaluate);
  evaluate_command->add_option("requests", options->requests, "file of requests")->required();
  add_output(evaluate_command, "file of responses to write");

  auto* finish_command = add("finish", "partner: responses to pseudonyms, in the order of the ids", finish);
  finish_command->add_option("ids", options->ids, "the file that was blinded")->required();
  finish_command->add_option("responses", options->responses, "file of responses")->required();
  finish_command->add_option("--state", options->state, "the file that blind wrote")->required();
  add_output(finish_command, "file of pseudonyms to write");

  auto* hash_command = add("hmac", "partner, the weaker mode: ids to hashes", hash);
  add_ids(hash_command);
  hash_command->add_option("--key", options->key, "file with the partner's key")->required();
  add_output(hash_command, "file of hashes to write");

  add_output(add("partner-key", "partner, the weaker mode: make the key", partner_key), "file to write; private");

  auto* rekey_command = add("rekey", "platform, the weaker mode: hashes to pseudonyms", rekey);
  rekey_command->add_option("hashes", options->hashes, "file of hashes")->required();
  rekey_command->add_option("--partner", options->partner, "id of the partner that hashed")->required();
  add_output(rekey_command, "file of pseudonyms to write");

  add("keys", "platform: versions and public keys", keys)->add_flag("--make", options->make, "make the first one when there is none");
  add("rotate", "platform: a new version for acts from a day on", rotate)
      ->add_option("--from", options->day, "day, like 2026-03-01")
      ->required();
  add("retire", "platform: destroy a version that no record needs any more", retire)
      ->add_option("version", options->version, "")
      ->required();
}

}  // namespace tanhui::cli
