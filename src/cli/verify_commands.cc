#include "cli/verify_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <iostream>
#include <iterator>

#include "activity/audit.h"
#include "activity/recheck.h"
#include "cli/table.h"
#include "core/files.h"
#include "core/json.h"
#include "journal/catalogue.h"
#include "journal/log.h"
#include "journal/note.h"
#include "journal/proof.h"
#include "journal/witness.h"

namespace tanhui::cli {
namespace {

struct Options {
  std::string record, person, programme, out;      // prove
  std::string proof, key;                          // verify
  std::vector<std::string> witnesses;              // verify
  bool all = false, settle = false, json = false;  // verify, log
  std::string witness_key, log_key, memory, name;  // witness
  std::uint64_t old_size = 0;                      // log request
};

core::Error no_file(const std::string& path) {
  return {core::ErrorCode::not_found, "verify.no-file", fmt::format("'{}' cannot be read", path), "check the path", {{"path", path}}};
}

/// A file, or "-" for standard input.
core::Result<std::string> read_input(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  auto bytes = core::read_file(path);
  if (!bytes) return no_file(path);
  return *std::move(bytes);
}

/// A public key as text, or the name of a file that holds one.
core::Result<journal::PublicKey> key_option(const std::string& text) {
  const auto file = core::read_file(text);
  return journal::parse_public_key(file ? *file : text);
}

core::Error settled_otherwise(const std::string& programme, const activity::Resettled& settled) {
  const activity::Divergence& first = settled.divergences.front();
  const std::string record = fmt::format("{:016x}", first.event);
  return {
      core::ErrorCode::refused,
      "verify.settlement",
      fmt::format("{} of {} records of programme {} are not booked as settling their people again would book them; the first: event {} of "
                  "person {}, {} UTC, by {}: booked {}, {} mg, {} points; settled {}, {} mg, {} points",
                  settled.differing, settled.records, programme, record, core::to_hex(first.person), core::to_text_utc(first.start_ms),
                  first.methodology, first.booked, first.milligrams_booked, first.points_booked, first.expected, first.milligrams_expected,
                  first.points_expected),
      "if the programme's points, limits or source priorities were changed since, this is their effect; else what is booked is wrong: "
      "look at `tanhui statement` of that person",
      {{"programme", programme}, {"event", record}, {"person", core::to_hex(first.person)}}};
}

/// Settles all people of every programme again; how many records ended as they are booked, or the first one that did not.
core::Result<std::uint64_t> settle_again(identity::Instance& instance, const methodology::Library& library, const Shell& shell) {
  std::uint64_t records = 0;
  for (const std::string& id : journal::programmes_with_segments(instance.database())) {
    const auto programme = shell.programme(id);
    if (!programme) return programme.error();
    const auto settled = activity::resettle(instance, *programme, library, {});
    if (!settled) return settled.error();
    if (settled->differing > 0) return settled_otherwise(id, *settled);
    records += settled->records;
  }
  return records;
}

void print_audit(const activity::AuditReport& report, std::optional<std::uint64_t> settled, const Shell& shell, double seconds) {
  const bool chinese = shell.chinese();
  Table table({Align::left, Align::right, Align::left});
  const auto row = [&](std::string_view english, std::string_view in_chinese, std::uint64_t count, std::string_view said,
                       std::string_view said_chinese) {
    table.row({std::string(chinese ? in_chinese : english), grouped(std::int64_t(count)), std::string(chinese ? said_chinese : said)});
  };
  table.head(chinese ? std::vector<std::string>{"对象", "数量", "核验"} : std::vector<std::string>{"what", "count", "verified"});
  row("log entries", "日志条目", report.log.entries, "hash to every checkpoint's root", "哈希与每个检查点的根一致");
  row("checkpoints", "检查点", report.log.checkpoints, "signed by the log's key, one grows into the next", "由日志密钥签名，前后一致");
  row("log files", "日志文件", report.log.files, "are those of the entries", "与条目逐字节一致");
  row("runs", "核算批次", report.runs, "are what the log says", "与日志一致");
  row("segments", "封存段", report.segments, "have their root, sums and counts", "根、合计与计数一致");
  row("journal files", "账本文件", report.files, "have their SHA-256; no other file is there", "SHA-256 一致，且无多余文件");
  row("records", "记录", report.records, "hash into their segment", "哈希归入所在段");
  row("records", "记录", report.recomputed, "milligrams recomputed by their methodology", "按所记方法学重新计算减排量");
  row("records", "记录", report.not_alone, "adjustments and readings: add up with others", "调整与抄表：与其他记录合并核对");
  if (settled) row("records", "记录", *settled, "end as booked when all people are settled again", "全体重新归并结算后与入账一致");
  if (report.staff_actions + report.staff_actions_waiting > 0)
    row("acts of staff", "人员操作", std::uint64_t(report.staff_actions), "have the Merkle roots that the log has",
        "与日志中的默克尔根一致");
  if (report.staff_actions_waiting > 0)
    row("acts of staff", "人员操作", std::uint64_t(report.staff_actions_waiting), "wait for their entry in the log", "尚待写入日志");
  row("person-runs", "个人批次", report.people_of_runs, "were posted what their records add up to", "入账等于记录之和");
  fmt::print("{}\n", table.text());
  fmt::print("  {}  {} kg CO2e, {} {}\n", chinese ? "核验无误" : "Everything holds.", kilograms(report.milligrams), grouped(report.points),
             chinese ? "积分" : "points");
  fmt::print("  {}: {} · {:.1f} s\n", chinese ? "日志" : "log", report.log.origin, seconds);
}

std::string audit_json(const activity::AuditReport& report, std::optional<std::uint64_t> settled) {
  return boost::json::serialize(boost::json::object{{"holds", true},
                                                    {"origin", report.log.origin},
                                                    {"entries", report.log.entries},
                                                    {"checkpoints", report.log.checkpoints},
                                                    {"keys", report.log.keys},
                                                    {"log_files", report.log.files},
                                                    {"runs", report.runs},
                                                    {"segments", report.segments},
                                                    {"files", report.files},
                                                    {"bytes", report.bytes},
                                                    {"records", report.records},
                                                    {"recomputed", report.recomputed},
                                                    {"not_alone", report.not_alone},
                                                    {"settled", settled ? boost::json::value(*settled) : boost::json::value(nullptr)},
                                                    {"people_of_runs", report.people_of_runs},
                                                    {"milligrams", report.milligrams},
                                                    {"points", report.points},
                                                    {"staff_actions", report.staff_actions},
                                                    {"staff_actions_waiting", report.staff_actions_waiting},
                                                    {"checkpoint", report.log.newest_checkpoint}});
}

int verify_all(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  const auto library = shell.library();
  if (!library) return complain(library.error(), shell.chinese());
  activity::AuditRequest request;
  request.programme = [&shell](const std::string& id) { return shell.programme(id); };
  if (!options.key.empty()) {
    const auto key = key_option(options.key);
    if (!key) return complain(key.error(), shell.chinese());
    request.first_key = *key;
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  double shown = 0;
  const bool terminal = is_terminal(STDERR_FILENO);
  if (terminal) {
    request.progress = [&](std::uint64_t records, std::uint64_t of) {
      if (seconds() - shown < 0.2) return;
      shown = seconds();
      fmt::print(stderr, "\r\033[K{} {} / {}", shell.chinese() ? "核验记录" : "verifying records", grouped(std::int64_t(records)),
                 grouped(std::int64_t(of)));
    };
  }
  const auto report = activity::audit(opened, *library, request);
  if (terminal) fmt::print(stderr, "\r\033[K");
  const auto does_not_hold = [&](const core::Error& error) {
    if (options.json)
      fmt::print("{}\n", boost::json::serialize(boost::json::object{{"holds", false}, {"error", error.id}, {"message", error.message}}));
    return complain(error, shell.chinese());
  };
  if (!report) {
    does_not_hold(report.error());
    if (report.error().id == "verify.log-file" || report.error().id == "verify.file")
      fmt::print(stderr, "{}\n",
                 shell.chinese() ? "  若刚有批次被中断：先运行 tanhui seal 收尾，再核验"
                                 : "  if a run was killed just now: `tanhui seal` finishes what it left, then verify again");
    return kProblems;
  }
  std::optional<std::uint64_t> settled;
  if (options.settle) {
    const auto again = settle_again(opened, *library, shell);
    if (!again) {
      const int code = does_not_hold(again.error());
      return again.error().id == "verify.settlement" ? kProblems : code;
    }
    settled = *again;
  }
  if (options.json) {
    fmt::print("{}\n", audit_json(*report, settled));
  } else {
    print_audit(*report, settled, shell, seconds());
  }
  return kOk;
}

/// "metro-gate/g-1", or the 16 digits of an event's key.
std::uint64_t event_of(const std::string& record) {
  std::uint64_t key = 0;
  const auto read = std::from_chars(record.data(), record.data() + record.size(), key, 16);
  if (record.size() == 16 && read.ptr == record.data() + record.size()) return key;
  const std::size_t slash = record.find('/');
  if (slash == std::string::npos) return 0;
  return core::event_key(core::name_seed(record.substr(0, slash)), record.substr(slash + 1));
}

int prove(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  journal::ProofRequest request{event_of(options.record), {}, options.programme};
  if (request.event == 0)
    return complain({core::ErrorCode::invalid_input,
                     "prove.bad-record",
                     fmt::format("'{}' names no record", options.record),
                     "give SOURCE/EVENT_ID as the partner sent it, or the 16 digits that `tanhui statement --json` shows",
                     {{"record", options.record}}},
                    shell.chinese());
  if (!options.person.empty()) request.person = person_key(opened, options.person);
  auto snapshot = opened.database().snapshot();
  const auto proof = journal::make_proof(snapshot, opened.folder(), request);
  if (!proof) return complain(proof.error(), shell.chinese());
  if (options.out.empty()) {
    fmt::print("{}\n", *proof);
    return kOk;
  }
  core::write_file(std::filesystem::absolute(options.out), *proof + "\n", 0644);
  fmt::print("{}: {}\n", options.out,
             shell.chinese() ? "证明已写入；核验：tanhui verify 文件 --key 日志公钥"
                             : "the proof; check it with tanhui verify FILE --key THE_LOGS_PUBLIC_KEY");
  return kOk;
}

void print_proven(const journal::ProvenRecords& proven, const Shell& shell) {
  const bool chinese = shell.chinese();
  Table table({Align::left, Align::left, Align::left, Align::right, Align::right, Align::left, Align::left});
  table.head(chinese ? std::vector<std::string>{"开始 (UTC)", "行为", "来源", "kg CO2e", "积分", "结果", "方法学"}
                     : std::vector<std::string>{"start (UTC)", "activity", "source", "kg CO2e", "points", "outcome", "methodology"});
  for (const auto& [record, segment] : proven.records) {
    const std::string mark = record.revision > 0 ? fmt::format(" ({} {})", chinese ? "调整，批次" : "adjusted by run", segment.run) : "";
    table.row({core::to_text_utc(record.start_ms), record.activity, record.source, kilograms(record.milligrams), grouped(record.points),
               record.outcome + mark, record.methodology});
  }
  fmt::print("{}\n", table.text());
  fmt::print(fmt::runtime(chinese ? "  证明成立：{} 条记录在日志 {} 中，检查点含 {} 条，由 {:08x} 签名\n"
                                  : "  The proof holds: records {} in the log {} of {} entries, signed by key {:08x}\n"),
             proven.records.size(), proven.checkpoint.origin, proven.checkpoint.size, proven.signed_by.id);
  for (const std::string& witness : proven.witnesses) fmt::print("  {}: {}\n", chinese ? "见证" : "witnessed by", witness);
  fmt::print("  {} {}  {} kg CO2e, {} {}\n", chinese ? "账户" : "account", core::to_hex(proven.records.front().record.person),
             kilograms(proven.milligrams), grouped(proven.points), chinese ? "积分" : "points");
}

int verify_one(const Options& options, const Shell& shell) {
  const auto document = read_input(options.proof);
  if (!document) return complain(document.error(), shell.chinese());
  if (options.key.empty())
    return complain({core::ErrorCode::invalid_input,
                     "verify.no-key",
                     "a proof is checked with the log's public key, and none was given",
                     "give --key KEY or --key FILE; the operator publishes it as log/key.pub, and keep the one you saw first",
                     {}},
                    shell.chinese());
  const auto key = key_option(options.key);
  if (!key) return complain(key.error(), shell.chinese());
  std::vector<journal::PublicKey> witnesses;
  for (const std::string& text : options.witnesses) {
    const auto witness = key_option(text);
    if (!witness) return complain(witness.error(), shell.chinese());
    witnesses.push_back(*witness);
  }
  const auto proven = journal::verify_proof(*document, *key, witnesses);
  if (!proven) {
    complain(proven.error(), shell.chinese());
    return proven.error().code == core::ErrorCode::refused ? kProblems : kRefused;
  }
  if (options.json) {
    fmt::print("{}\n", boost::json::serialize(boost::json::object{{"holds", true},
                                                                  {"records", proven->records.size()},
                                                                  {"milligrams", proven->milligrams},
                                                                  {"points", proven->points},
                                                                  {"origin", proven->checkpoint.origin},
                                                                  {"size", proven->checkpoint.size}}));
  } else {
    print_proven(*proven, shell);
  }
  return kOk;
}

int verify(const Options& options, const Shell& shell) {
  if (options.all == !options.proof.empty())
    return complain(
        {core::ErrorCode::invalid_input, "verify.what", "nothing to verify, or two things", "give a proof's file, or --all", {}},
        shell.chinese());
  return options.all ? verify_all(options, shell) : verify_one(options, shell);
}

// ---- the log and its witnesses ----------------------------------------------------------------------------------------------------

int show_log(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  auto snapshot = opened.database().snapshot();
  const auto newest = journal::newest_checkpoint(snapshot);
  if (!newest)
    return complain({core::ErrorCode::not_found, "log.empty", "this instance has no log yet", "account something first", {}},
                    shell.chinese());
  const auto keys = journal::log_keys(snapshot);
  if (!keys) return complain(keys.error(), shell.chinese());
  if (options.json) {
    boost::json::array periods;
    for (const auto& period : *keys)
      periods.push_back({{"key", period.key.text()},
                         {"from", period.from},
                         {"to", period.to == 0 ? boost::json::value(nullptr) : boost::json::value(period.to)}});
    fmt::print("{}\n", boost::json::serialize(boost::json::object{
                           {"checkpoint", *newest}, {"size", journal::log_size(snapshot)}, {"keys", std::move(periods)}}));
    return kOk;
  }
  fmt::print("{}\n", *newest);
  for (const auto& period : *keys)
    fmt::print("{}  {}\n", period.key.text(),
               period.to == 0 ? fmt::format(fmt::runtime(shell.chinese() ? "自第 {} 条起" : "from entry {} on"), period.position)
                              : fmt::format(fmt::runtime(shell.chinese() ? "第 {} 条至第 {} 条" : "entries {} to {}"), period.position,
                                            period.to - 1));
  return kOk;
}

int rotate_key(const Options&, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  auto lock = opened.lock_for_run();
  if (!lock) return complain(lock.error(), shell.chinese());
  auto log = journal::Log::open(opened.folder(), opened.database(), now_ms());
  if (!log) return complain(log.error(), shell.chinese());
  auto held = *std::move(log);
  const auto rotated = held.rotate_key(opened.database(), now_ms());
  if (!rotated) return complain(rotated.error(), shell.chinese());
  fmt::print("{}\n{}\n", held.key().text(),
             shell.chinese()
                 ? "新密钥已由旧密钥在日志中交接；请公布新公钥，旧公钥仍可核验旧证明与新证明"
                 : "The new key stands in the log, named by the old one. Publish it; who knows the old key can check old and new proofs.");
  return kOk;
}

int request_cosignature(const Options& options, const Shell& shell) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  auto snapshot = opened.database().snapshot();
  const auto request = journal::witness_request(snapshot, opened.folder(), options.old_size);
  if (!request) return complain(request.error(), shell.chinese());
  fmt::print("{}", *request);
  return kOk;
}

int add_cosignature(const Options& options, const Shell& shell) {
  const auto key = key_option(options.witness_key);
  if (!key) return complain(key.error(), shell.chinese());
  const auto line = read_input(options.proof);
  if (!line) return complain(line.error(), shell.chinese());
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  auto log = journal::Log::open(opened.folder(), opened.database(), now_ms());
  if (!log) return complain(log.error(), shell.chinese());
  const auto newest = journal::newest_checkpoint(opened.database());
  const auto status = opened.database().transact([&](db::Transaction& tx) { return journal::add_cosignature(tx, *newest + *line, *key); });
  if (!status) return complain(status.error(), shell.chinese());
  log->publish(opened.database());
  fmt::print("{}\n", shell.chinese() ? "检查点已附上见证签名" : "The checkpoint now carries the witness's line.");
  return kOk;
}

int make_witness(const Options& options, const Shell& shell) {
  if (std::filesystem::exists(options.witness_key))
    return complain({core::ErrorCode::conflict,
                     "witness.key-exists",
                     fmt::format("'{}' is there already", options.witness_key),
                     "give another path; a key is never overwritten",
                     {{"path", options.witness_key}}},
                    shell.chinese());
  if (options.name.empty() || options.name.find_first_of(" +\n") != std::string::npos)
    return complain({core::ErrorCode::invalid_input,
                     "witness.bad-name",
                     fmt::format("'{}' is no name for a key", options.name),
                     "give one like witness.example/city, without blanks and plus signs",
                     {{"name", options.name}}},
                    shell.chinese());
  const auto signer = journal::Signer::generate(options.name, journal::KeyType::witness);
  core::write_file(std::filesystem::absolute(options.witness_key), signer.text(), 0600);
  fmt::print("{}\n", signer.key().text());
  return kOk;
}

int cosign(const Options& options, const Shell& shell) {
  const auto text = core::read_file(options.witness_key);
  if (!text) return complain(no_file(options.witness_key), shell.chinese());
  const auto signer = journal::Signer::parse(*text);
  if (!signer) return complain(signer.error(), shell.chinese());
  if (signer->key().type != journal::KeyType::witness)
    return complain(
        {core::ErrorCode::invalid_input, "log.not-a-witness", "the key is not a witness's", "make one with `tanhui witness new`", {}},
        shell.chinese());
  const auto log = key_option(options.log_key);
  if (!log) return complain(log.error(), shell.chinese());
  const auto request = read_input("-");
  if (!request) return complain(request.error(), shell.chinese());
  const std::string memory = options.memory.empty() ? options.witness_key + ".seen" : options.memory;
  const auto answer =
      journal::Witness(*signer, *log, std::filesystem::absolute(memory)).add_checkpoint(*request, std::uint64_t(now_ms() / 1000));
  if (answer.status == 200) {
    fmt::print("{}", answer.body);
    return kOk;
  }
  fmt::print(stderr, "{} {}", answer.status, answer.body);
  return kProblems;
}

void add_log_commands(CLI::App& app, const std::shared_ptr<Options>& options, const Shell& shell, int& exit_code) {
  auto* log = app.add_subcommand("log", "The transparency log: newest checkpoint, keys, witnesses");
  log->require_subcommand(1);
  auto* show = log->add_subcommand("show", "Newest checkpoint and the log's public keys");
  show->add_flag("--json", options->json, "for machines");
  show->callback([options, &shell, &exit_code] { exit_code = show_log(*options, shell); });
  auto* rotate = log->add_subcommand("rotate-key", "Sign with a new key from now on; the old one hands over in the log");
  rotate->callback([options, &shell, &exit_code] { exit_code = rotate_key(*options, shell); });
  auto* request = log->add_subcommand("request", "What to send a witness: consistency proof and newest checkpoint (C2SP tlog-witness)");
  request->add_option("--old", options->old_size, "how many entries the witness remembers");
  request->callback([options, &shell, &exit_code] { exit_code = request_cosignature(*options, shell); });
  auto* add = log->add_subcommand("add-cosignature", "Adds a witness's answer to the newest checkpoint");
  add->add_option("file", options->proof, "the line that the witness answered, or -")->required();
  add->add_option("--witness", options->witness_key, "the witness's public key, or a file with it")->required();
  add->callback([options, &shell, &exit_code] { exit_code = add_cosignature(*options, shell); });

  auto* witness = app.add_subcommand("witness", "For somebody who is not the operator: remember a log and sign only what grows from it");
  witness->require_subcommand(1);
  auto* make = witness->add_subcommand("new", "Makes a witness's key and prints its public half");
  make->add_option("key", options->witness_key, "file for the private key")->required();
  make->add_option("--name", options->name, "name of the witness, like witness.example/city")->required();
  make->callback([options, &shell, &exit_code] { exit_code = make_witness(*options, shell); });
  auto* sign = witness->add_subcommand("cosign", "Reads a request from standard input, answers with a cosignature line");
  sign->add_option("key", options->witness_key, "file of the private key")->required();
  sign->add_option("--log", options->log_key, "the log's public key, or a file with it")->required();
  sign->add_option("--memory", options->memory, "file with the largest checkpoint seen (default: KEY.seen)");
  sign->callback([options, &shell, &exit_code] { exit_code = cosign(*options, shell); });
}

}  // namespace

void add_verify_commands(CLI::App& app, const Shell& shell, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* proof = app.add_subcommand("prove", "A self-contained proof that a record is in the log");
  proof->add_option("record", options->record, "SOURCE/EVENT_ID as the partner sent it, or the 16 digits of the event's key")->required();
  proof->add_option("--person", options->person, "whose record it is: much faster on a large journal");
  proof->add_option("-p,--programme", options->programme, "only this programme");
  proof->add_option("-o,--output", options->out, "file to write (default: standard output)");
  proof->callback([options, &shell, &exit_code] { exit_code = prove(*options, shell); });
  auto* check = app.add_subcommand("verify", "Check a proof, or with --all replay the whole instance");
  check->add_option("proof", options->proof, "file that `tanhui prove` wrote, or -");
  check->add_flag("--all", options->all,
                  "log, files, records, postings and balances of the instance; names the first thing that does not hold");
  check
      ->add_flag("--settle", options->settle,
                 "with --all: also settle everybody again (collisions, limits, readings, points) and hold it against what is booked")
      ->needs("--all");
  check->add_option("--key", options->key,
                    "the log's public key, or a file with it (with --all: its first one; default the instance's own word)");
  check->add_option("--witness", options->witnesses, "public key of a witness that must have cosigned the proof's checkpoint");
  check->add_flag("--json", options->json, "for machines");
  check->callback([options, &shell, &exit_code] { exit_code = verify(*options, shell); });
  add_log_commands(app, options, shell, exit_code);
}

}  // namespace tanhui::cli
