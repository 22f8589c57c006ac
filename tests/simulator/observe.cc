#include <fmt/format.h>

#include <fstream>
#include <set>
#include <sstream>

#include "activity/audit.h"
#include "acts.h"
#include "ledger/ledger.h"
#include "request.h"

namespace tanhui::sim {
namespace {

namespace fs = std::filesystem;

std::string asset_text(const ledger::Asset& asset) {
  return asset.kind == ledger::AssetKind::points ? fmt::format("points {}", asset.period)
                                                 : fmt::format("reduction {} {}", asset.category, asset.period);
}

State state_of(identity::Instance& instance, int people) {
  State state;
  auto snapshot = instance.database().snapshot();
  for (int person = 0; person < people; ++person) {
    const core::PersonKey key = instance.secret().person(person_id(person));
    for (const auto& balance : ledger::balances(snapshot, key)) {
      state[fmt::format("balance {} {}", person, asset_text(balance.asset))] = balance.amount;
      state[fmt::format("held {} {}", person, asset_text(balance.asset))] = balance.held;
    }
    for (const auto& debt : ledger::debts(snapshot, key)) state[fmt::format("debt {} {}", person, asset_text(debt.asset))] = debt.amount;
  }
  for (const auto& total : ledger::totals(snapshot)) {
    const std::string asset = asset_text(total.asset);
    state["own issuance " + asset] = -total.issued;
    state["own redeemed " + asset] = total.redeemed;
    state["own expired " + asset] = total.expired;
    state["own pool " + asset] = total.pool;
  }
  state["runs"] = snapshot.find<std::int64_t>("SELECT count(*) FROM run").value_or(0);
  state["transfers"] = snapshot.find<std::int64_t>("SELECT count(*) FROM transfer").value_or(0);  // an expiry of nothing shows here only
  state["segments"] = snapshot.find<std::int64_t>("SELECT count(*) FROM segment").value_or(0);
  std::erase_if(state, [](const auto& one) { return one.second == 0; });
  snapshot.each("SELECT size, note FROM log_checkpoint", [&](const db::Row& row) {
    state[fmt::format("checkpoint {}", row.integer(0))] = std::int64_t(core::event_key(0, row.get<std::string>(1)));
  });
  return state;
}

// ---- what must hold after recovery, beside what the audit holds -----------------------------------------------------------------

std::string compare_files(identity::Instance& instance) {
  std::set<std::string> catalogued, found;
  instance.database().each("SELECT DISTINCT path FROM segment", [&](const db::Row& row) { catalogued.insert(row.get<std::string>(0)); });
  for (const auto& item : fs::recursive_directory_iterator(instance.journal()))
    if (item.is_regular_file()) found.insert(item.path().lexically_relative(instance.journal()).string());
  for (const std::string& path : catalogued)
    if (!found.contains(path)) return "catalogued but not there: " + path;
  for (const std::string& path : found)
    if (!catalogued.contains(path)) return "there but not catalogued: " + path;
  return "";
}

std::string find_half_runs(db::Reader& reader) {
  const struct {
    const char* what;
    const char* sql;
  } questions[] = {
      {"a run without its transfer", "SELECT count(*) FROM run WHERE NOT EXISTS (SELECT 1 FROM transfer WHERE transfer.key = run.key)"},
      {"a run's transfer without its run",
       "SELECT count(*) FROM transfer WHERE reason LIKE 'accounting run %' AND NOT EXISTS "
       "(SELECT 1 FROM run WHERE run.key = transfer.key)"},
      {"a segment without its run", "SELECT count(*) FROM segment WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.id = segment.run)"},
      {"a segment that the log does not have", "SELECT count(*) FROM segment WHERE position IS NULL"},
      {"a run whose counts in are not its counts out",
       "SELECT count(*) FROM run WHERE records <> accepted + duplicate + capped + rejected + held + no_consent"},
      {"a posting of no transfer",
       "SELECT count(*) FROM run_posting WHERE NOT EXISTS "
       "(SELECT 1 FROM transfer WHERE transfer.id = run_posting.transfer)"}};
  for (const auto& [what, sql] : questions)
    if (reader.find<std::int64_t>(sql).value_or(0) != 0) return what;
  return "";
}

}  // namespace

State parse_state(const std::string& text) {
  State state;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto tab = line.find('\t');
    if (tab != std::string::npos) state[line.substr(0, tab)] = std::stoll(line.substr(tab + 1));
  }
  return state;
}

void observe(const World& world, const Say& say) {
  auto instance = identity::Instance::open(world.folder, world.database);
  if (!instance) {
    if (instance.error().id == "instance.not-found") return;  // it was never made: nothing is there
    return say("refused " + instance.error().id);
  }
  auto opened = *std::move(instance);
  std::string text;
  for (const auto& [key, value] : state_of(opened, world.people)) text += fmt::format("{}\t{}\n", key, value);
  say(text);
}

void inspect(const World& world, const Say& say) {
  auto instance = identity::Instance::open(world.folder, world.database);
  if (!instance) return say("refused " + instance.error().id);
  auto opened = *std::move(instance);
  if (auto books = ledger::check(opened.database()); !books) return say("ledger: " + books.error().message);
  for (const std::string& problem : {find_half_runs(opened.database()), compare_files(opened)})
    if (!problem.empty()) return say(problem);
  activity::AuditRequest request;
  request.programme = [&](const std::string&) -> core::Result<identity::Programme> { return *world.programme; };
  request.threads = 1;
  request.memory_bytes = 16 << 20;
  const auto audited = activity::audit(opened, *world.corrected, request);
  say(audited ? "holds" : audited.error().id + ": " + audited.error().message);
}

}  // namespace tanhui::sim
