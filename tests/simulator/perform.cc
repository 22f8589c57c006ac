#include <fmt/format.h>

#include "activity/account.h"
#include "activity/recalculate.h"
#include "acts.h"
#include "backup/backup.h"
#include "core/invariant.h"
#include "journal/catalogue.h"
#include "journal/compaction.h"
#include "journal/log.h"
#include "journal/publication.h"
#include "ledger/holds.h"
#include "ledger/ledger.h"
#include "request.h"

namespace tanhui::sim {
namespace {

using Kind = Request::Kind;

constexpr const char* kKindNames[kRequestKinds] = {"account", "post",    "batch",  "place",  "settle",      "release", "sweep",
                                                   "expire",  "compact", "rotate", "backup", "recalculate", "recover"};

ledger::Asset points(const World& world, std::int64_t period) { return {ledger::AssetKind::points, world.programme->id, "", period}; }

ledger::Owner owner(const identity::Instance& instance, int person) {
  if (person == kRedeemed) return ledger::Own::redeemed;
  return instance.secret().person(person_id(person));
}

ledger::Transfer transfer_of(const World& world, identity::Instance& instance, db::Transaction& tx, const Move& move) {
  const ledger::AssetId asset = ledger::asset_id(tx, points(world, move.period));
  return {move.key, "simulated", {{owner(instance, move.from), asset, -move.amount}, {owner(instance, move.to), asset, move.amount}}};
}

std::string word(const core::Result<ledger::Posted>& posted) {
  if (!posted) return "refused " + posted.error().id;
  return *posted == ledger::Posted::now ? "booked" : "earlier";
}

core::Result<ledger::Posted> move_points(const World& world, identity::Instance& instance, db::Transaction& tx, const Request& request) {
  switch (request.kind) {
    case Kind::post:
      return ledger::post(tx, transfer_of(world, instance, tx, request.moves[0]));
    case Kind::settle: {
      const std::string holds[] = {request.hold};
      return ledger::settle_holds(tx, transfer_of(world, instance, tx, request.moves[0]), holds, request.now_ms);
    }
    case Kind::release:
      return ledger::release_hold(tx, request.hold);
    default: {
      const Move& move = request.moves[0];
      const ledger::Hold hold{move.key,
                              "simulated",
                              std::get<core::PersonKey>(owner(instance, move.from)),
                              ledger::asset_id(tx, points(world, move.period)),
                              move.amount,
                              request.expires_ms};
      return ledger::place_hold(tx, hold, request.now_ms);
    }
  }
}

std::string batch(const World& world, identity::Instance& instance, const Request& request) {
  db::Transaction tx = instance.database().begin();
  std::vector<ledger::Transfer> transfers;
  for (const Move& move : request.moves) transfers.push_back(transfer_of(world, instance, tx, move));
  std::string words;
  for (const auto& posted : ledger::post_batch(tx, transfers)) words += (words.empty() ? "" : ",") + word(posted);
  tx.commit();
  return words;
}

const methodology::Library& library_of(const World& world, const Request& request) {
  return request.corrected ? *world.corrected : *world.library;
}

std::string recalculate(const World& world, identity::Instance& instance, const Request& request) {
  activity::RecalculateRequest run{.methodology = "cn-420100-rail-2024", .first = core::day_of(2025, 1, 1)};
  run.threads = 1;
  run.memory_bytes = std::size_t{16} << 20;
  run.now_ms = request.now_ms;
  const auto report = activity::recalculate(instance, *world.programme, *world.corrected, run);
  if (!report) return "refused " + report.error().id;
  return report->run == 0 ? "nothing new" : "run";
}

std::string account(const World& world, identity::Instance& instance, const Request& request) {
  activity::AccountRequest run;
  run.inputs = {request.file};
  run.threads = 1;  // the same calls in the same order every time
  run.memory_bytes = std::size_t{16} << 20;
  run.now_ms = request.now_ms;
  const auto report = activity::account(instance, *world.programme, library_of(world, request), run);
  if (!report) return "refused " + report.error().id;
  if (report->tally.all() != request.reports.size())
    return fmt::format("of {} records in the file {} came out", request.reports.size(), report->tally.all());
  return report->run == 0 ? "nothing new" : "run";
}

std::string with_log(identity::Instance& instance, const Request& request) {
  auto lock = instance.lock_for_run();
  if (!lock) return "refused " + lock.error().id;
  auto found = journal::Log::open(instance.folder(), instance.database(), request.now_ms);
  if (!found) return "refused " + found.error().id;
  auto log = *std::move(found);
  journal::recover(instance.journal(), [&](journal::RunId run) { return journal::find_run(instance.database(), run).has_value(); });
  journal::recover_compactions(instance.database(), instance.journal());
  if (request.kind == Kind::rotate) {
    const auto rotated = log.rotate_key(instance.database(), request.now_ms);
    return rotated ? "booked" : "refused " + rotated.error().id;
  }
  if (request.kind == Kind::compact) {
    const auto report = journal::compact(instance.database(), log, instance.journal(), "", 2, request.now_ms);
    return report ? "booked" : "refused " + report.error().id;
  }
  return "booked";
}

std::string answer(const World& world, identity::Instance& instance, const Request& request) {
  switch (request.kind) {
    case Kind::account:
      return account(world, instance, request);
    case Kind::recalculate:
      return recalculate(world, instance, request);
    case Kind::batch:
      return batch(world, instance, request);
    case Kind::sweep: {
      const auto swept = instance.database().transact(
          [&](db::Transaction& tx) -> core::Result<std::int64_t> { return ledger::release_expired(tx, request.now_ms, 1000); });
      return swept ? "booked" : "refused " + swept.error().id;
    }
    case Kind::expire: {
      const core::Day today{std::int32_t(request.now_ms / 86'400'000)};
      const auto ended = instance.database().transact(
          [&](db::Transaction& tx) { return ledger::expire_points(tx, request.key, world.programme->id, today); });
      return ended ? "booked" : "refused " + ended.error().id;
    }
    case Kind::backup: {
      const auto made = backup::make_backup(instance, request.to);
      return made ? "booked" : "refused " + made.error().id;
    }
    case Kind::compact:
    case Kind::rotate:
    case Kind::recover:
      return with_log(instance, request);
    default:
      return word(instance.database().transact([&](db::Transaction& tx) { return move_points(world, instance, tx, request); }));
  }
}

}  // namespace

const char* name(Kind kind) { return kKindNames[int(kind)]; }

std::string to_text(const Request& request) {
  std::string text = fmt::format("{} {}", name(request.kind), request.key);
  if (request.kind == Kind::account) text += fmt::format(" ({} records)", request.reports.size());
  for (const Move& move : request.moves)
    text += fmt::format(" [{}: {} of {} from {} to {}]", move.key, move.amount, move.period, move.from, move.to);
  if (!request.hold.empty()) text += " hold " + request.hold;
  return fmt::format("{} at {}", text, core::to_text_utc(request.now_ms));
}

void perform(const World& world, const Request& request, const Say& say) {
  auto instance = identity::Instance::open_or_create(world.folder, world.database);
  if (!instance) return say("refused " + instance.error().id);
  auto opened = *std::move(instance);
  say(answer(world, opened, request));
}

void restore(const World& world, const std::filesystem::path& from, const Say& say) {
  const auto restored = backup::restore(from, world.folder, world.database);
  say(restored ? "booked" : "refused " + restored.error().id);
}

void make_schema(const std::string& address, const std::string& name, const Say& say) {
  auto database = *db::Database::open(address);
  db::Transaction tx = database.begin();
  tx.exec("CREATE SCHEMA " + name);
  tx.commit();
  say("booked");
}

void drop_schema(const std::string& address, const std::string& name, const Say& say) {
  auto database = *db::Database::open(address);
  db::Transaction tx = database.begin();
  tx.exec(fmt::format("DROP SCHEMA IF EXISTS {} CASCADE", name));
  tx.commit();
  say("booked");
}

void damage(const World& world, const Say& say) {
  auto instance = *identity::Instance::open(world.folder, world.database);
  db::Transaction tx = instance.database().begin();
  tx.exec("UPDATE balance SET amount = amount - 1 WHERE amount > held");
  tx.commit();
  say("booked");
}

}  // namespace tanhui::sim
