#include "simulation.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

namespace tanhui::sim {
namespace {

namespace fs = std::filesystem;
using Kind = Request::Kind;

constexpr core::Millis kFirstClock = 1'746'057'600'000;  // 2025-05-01, after every act
constexpr core::Millis kClocks = 610LL * 86'400'000;     // to the end of 2026: points end meanwhile
constexpr long kCallsGuess = 60;
constexpr int kDepthMax = 3;  // crashes of one request in a row

/// The accounts, and how many runs and segments there are; without the checkpoints, which tell when and by which key.
State comparable(State state) {
  std::erase_if(state, [](const auto& one) { return one.first.starts_with("checkpoint "); });
  return state;
}

std::string difference(const State& a, const State& b) {
  for (const auto& [key, value] : a)
    if (const auto found = b.find(key); found == b.end() || found->second != value)
      return fmt::format("'{}' is {} here and {} there", key, value, found == b.end() ? 0 : found->second);
  for (const auto& [key, value] : b)
    if (!a.contains(key)) return fmt::format("'{}' is 0 here and {} there", key, value);
  return "";
}

}  // namespace

Simulation::Simulation(std::uint64_t seed, const Options& options, const World& rules, Tally& tally)
    : seed_(seed), options_(options), tally_(tally), random_(seed), acts_(random_), oracle_(acts_) {
  world_ = rules;
  world_.people = acts_.people();
  for (std::size_t i = 0; i < acts_.reports().size(); ++i) waiting_.push_back(i);
  random_.shuffle(waiting_);
}

// ---- what happens ----------------------------------------------------------------------------------------------------------------

core::Millis Simulation::any_clock() { return kFirstClock + core::Millis(random_.below(std::uint64_t(kClocks))); }

Request Simulation::account() {
  Request request{.kind = Kind::account, .key = fmt::format("f{}", number_)};
  const std::size_t fresh = std::min<std::size_t>(waiting_.size(), 1 + random_.below(14));
  request.reports.assign(waiting_.end() - std::ptrdiff_t(fresh), waiting_.end());
  waiting_.resize(waiting_.size() - fresh);
  for (std::uint64_t again = random_.below(5); again > 0; --again) request.reports.push_back(random_.below(acts_.reports().size()));
  random_.shuffle(request.reports);
  request.file = (options_.folder / fmt::format("in-{}.csv", number_)).string();
  std::ofstream out(request.file, std::ios::binary);
  out << Acts::kHeader;
  for (const std::size_t i : request.reports) out << acts_.reports()[i].row << '\n';
  return request;
}

Move Simulation::any_move(const std::string& key) {
  Move move{.key = key,
            .from = int(random_.below(std::uint64_t(acts_.people()))),
            .to = kRedeemed,
            .period = 202603,
            .amount = random_.between(1, 60)};
  std::vector<std::int64_t> lots;  // mostly one that is there
  const std::string prefix = fmt::format("balance {} points ", move.from);
  for (auto one = state_.lower_bound(prefix); one != state_.end() && one->first.starts_with(prefix); ++one)
    lots.push_back(std::stoll(one->first.substr(prefix.size())));
  if (!lots.empty()) move.period = random_.any(lots);
  if (random_.percent(50)) move.to = (move.from + 1) % acts_.people();
  return move;
}

Request Simulation::points_request(Kind kind) {
  Request request{.kind = kind, .key = fmt::format("{}{}", name(kind), number_)};
  if (kind == Kind::post) request.moves.push_back(any_move(request.key));
  if (kind == Kind::batch)
    for (std::uint64_t i = 0, count = 2 + random_.below(5); i < count; ++i)
      request.moves.push_back(any_move(fmt::format("{}-{}", request.key, i)));
  if (kind == Kind::place) {
    request.moves.push_back(any_move(request.key));
    request.now_ms = any_clock();
    request.expires_ms = request.now_ms + random_.between(1, 400LL * 86'400'000);
  }
  if (kind != Kind::settle && kind != Kind::release) return request;
  if (oracle_.holds().empty()) {
    request.hold = "none";
    request.moves.push_back(any_move(request.key));
  } else {
    const auto one = std::next(oracle_.holds().begin(), std::ptrdiff_t(random_.below(oracle_.holds().size())));
    request.hold = one->first;
    request.moves.push_back({request.key, one->second.person, random_.percent(50) ? kRedeemed : (one->second.person + 1) % acts_.people(),
                             one->second.period, random_.between(1, one->second.amount)});
  }
  if (kind == Kind::release) request.moves.clear();
  return request;
}

Request Simulation::choose() {
  ++number_;
  Request request;
  const std::uint64_t dice = random_.below(100);
  if (number_ == 1 || dice < 36) {
    request = account();
  } else if (dice < 46 && !sent_.empty()) {
    request = random_.any(sent_);  // once more, by another process
  } else if (dice < 53 && !later_.empty()) {
    request = later_.front();
    later_.erase(later_.begin());
  } else if (dice < 82) {
    constexpr Kind kinds[] = {Kind::post, Kind::post, Kind::batch, Kind::place, Kind::place, Kind::settle, Kind::settle, Kind::release};
    request = points_request(kinds[random_.below(std::size(kinds))]);
  } else {
    constexpr Kind kinds[] = {Kind::expire,  Kind::expire, Kind::sweep,  Kind::compact,    Kind::compact,
                              Kind::compact, Kind::rotate, Kind::backup, Kind::recalculate};
    const Kind kind = kinds[random_.below(std::size(kinds))];
    request = {.kind = kind, .key = fmt::format("{}{}", name(kind), number_)};
    if (kind == Kind::backup) request.to = options_.folder / request.key;
  }
  if (request.kind != Kind::place) request.now_ms = any_clock();  // clocks jump, back too; a hold's is part of what it asks
  return request;
}

Fault Simulation::choose_fault(Kind kind) {
  if (options_.only || !random_.percent(55)) return {};
  const auto last = !options_.server.empty() ? FAULT_LOST_SERVER : FAULT_SYNC_ALWAYS;
  const auto fault = fault_kind(1 + random_.below(std::uint64_t(last)));
  const long calls = calls_[int(kind)] == 0 ? kCallsGuess : calls_[int(kind)];
  return {fault, 1 + long(random_.below(std::uint64_t(calls)))};
}

// ---- what comes of it ------------------------------------------------------------------------------------------------------------

/// The folder is another one every time; the trace is the same.
void Simulation::say(std::string line) {
  const std::string folder = options_.folder.string();
  for (std::size_t at = line.find(folder); at != std::string::npos; at = line.find(folder, at)) line.replace(at, folder.size(), "<folder>");
  trace_.push_back(std::move(line));
}

Outcome Simulation::send(const Request& request, Fault fault) {
  ++tally_.requests[int(request.kind)];
  const Outcome outcome = in_child(fault, [&](const Say& answer) { perform(world_, request, answer); });
  if (outcome.fired > 0) ++tally_.fired[fault.kind];
  if (fault.kind == FAULT_NONE) calls_[int(request.kind)] = std::max(calls_[int(request.kind)], outcome.calls);
  say(fmt::format("{:4} {}{} -> {}{}", trace_.size() + 1, to_text(request),
                  outcome.fired == 0 ? "" : fmt::format(" | {} at call {}: {}", fault_name(fault.kind), fault.at, outcome.where),
                  outcome.answer.empty() ? "no answer" : outcome.answer, outcome.killed ? " (killed)" : ""));
  if (outcome.broken) fail("a process ended as none should");
  return outcome;
}

World Simulation::new_world(const std::string& folder) {
  World world = world_;
  world.folder = options_.folder / folder;
  if (options_.server.empty()) return world;
  schemas_.push_back(fmt::format("sim_{}_{}_{}", seed_, ::getpid(), schemas_.size()));
  const Outcome made = in_child({}, [&](const Say& answer) { make_schema(options_.server, schemas_.back(), answer); });
  if (made.answer != "booked") fail("no schema on the server: " + made.answer);
  world.database = fmt::format("{}{}options=-csearch_path%3D{}", options_.server,
                               options_.server.find('?') == std::string::npos ? '?' : '&', schemas_.back());
  return world;
}

void Simulation::drop_schemas() {
  for (const std::string& schema : schemas_) in_child({}, [&](const Say& answer) { drop_schema(options_.server, schema, answer); });
}

State Simulation::look(const World& world) {
  const Outcome seen = in_child({}, [&](const Say& answer) { observe(world, answer); });
  if (seen.broken || seen.answer.starts_with("failed") || seen.answer.starts_with("refused"))
    fail("the instance cannot be read: " + seen.answer);
  State state = parse_state(seen.answer);
  if (const std::string law = broken_law(state); !law.empty()) fail(law);
  return state;
}

void Simulation::attempt(Request request, Fault fault, int depth) {
  request.corrected = oracle_.corrected();
  Oracle after = oracle_;
  const std::set<std::string> right = after.apply(request, state_);
  const Outcome outcome = send(request, fault);
  const State now = look(world_);
  for (const auto& [key, value] : state_)  // whoever kept a checkpoint finds it again
    if (key.starts_with("checkpoint ") && (!now.contains(key) || now.at(key) != value)) fail("the log lost or changed its " + key);
  const State before = std::exchange(state_, now);
  const bool answer = !outcome.answer.empty() && !outcome.answer.starts_with("failed");
  if (answer) return answered(request, outcome, after, right);
  if (outcome.fired == 0) fail("it failed though nothing was done to it");
  ++tally_.recoveries;
  const bool absent = comparable(now) == comparable(before);
  const std::string problem = after.problem(now);
  if (!problem.empty() && (!absent || !oracle_.problem(now).empty())) fail("neither whole nor absent: " + problem);
  ++(absent ? tally_.absent : tally_.present);
  if (!absent && !outcome.killed) ++tally_.failed_but_booked;
  say(absent ? "       absent" : "       whole");
  if (problem.empty() && !absent) keep(request, after);
  not_answered(request, outcome, after, depth);
}

void Simulation::keep(const Request& request, const Oracle& after) {
  oracle_ = after;
  effective_.push_back(request);
}

void Simulation::answered(const Request& request, const Outcome& outcome, const Oracle& after, const std::set<std::string>& right) {
  if (!right.contains(outcome.answer)) fail(fmt::format("the answer must be '{}'", *right.begin()));
  if (const std::string problem = after.problem(state_); !problem.empty()) fail(problem);
  keep(request, after);
  if (request.kind != Kind::recover && sent_.size() < 20) sent_.push_back(request);
  if (request.kind == Kind::backup) check_backup(request, outcome.answer == "booked");
  if (outcome.killed || outcome.fired > 0) recover();
}

void Simulation::not_answered(const Request& request, const Outcome&, const Oracle&, int depth) {
  if (request.kind == Kind::recover || depth == kDepthMax || random_.percent(70)) {
    const bool again = depth < kDepthMax && random_.percent(30);
    attempt(request, again ? choose_fault(request.kind) : Fault{}, depth + 1);
  } else {
    later_.push_back(request);
  }
  if (depth == 0) recover();
}

void Simulation::recover() {
  const Request request{.kind = Kind::recover, .key = "", .now_ms = any_clock()};
  const Outcome outcome = send(request, {});
  if (outcome.answer != "booked") fail("the instance does not recover");
  state_ = look(world_);
  if (const std::string problem = oracle_.problem(state_); !problem.empty()) fail(problem);
  check(world_, "after recovery");
}

void Simulation::check(const World& world, const char* when) {
  const Outcome checked = in_child({}, [&](const Say& answer) { inspect(world, answer); });
  if (checked.answer != "holds") fail(fmt::format("{}: {}", when, checked.answer));
}

void Simulation::check_backup(const Request& request, bool made_now) {
  const World second = new_world(fmt::format("restored-{}", ++restores_));
  const Outcome restored = in_child({}, [&](const Say& answer) { restore(second, request.to, answer); });
  if (restored.answer != "booked") fail("a backup cannot be restored: " + restored.answer);
  if (const std::string other = difference(state_, look(second)); made_now && !other.empty())
    fail("what was restored is different: " + other);
  check(second, "after a restore");
}

void Simulation::twins() {
  ++number_;
  Request request = random_.percent(50) ? account() : points_request(Kind::post);
  request.now_ms = any_clock();
  request.corrected = oracle_.corrected();
  Oracle after = oracle_;
  after.apply(request, state_);
  const pid_t other = ::fork();
  if (other == 0) {
    const Outcome outcome = in_child({}, [&](const Say& answer) { perform(world_, request, answer); });
    ::_exit(outcome.broken || outcome.answer.empty() || outcome.answer.starts_with("failed") ? 1 : 0);
  }
  const Outcome mine = in_child({}, [&](const Say& answer) { perform(world_, request, answer); });
  int status = 0;
  ::waitpid(other, &status, 0);
  say(fmt::format("{:4} {} by two processes at once", trace_.size() + 1, to_text(request)));
  if (status != 0 || mine.broken || mine.answer.empty() || mine.answer.starts_with("failed"))
    fail("one of two equal requests failed: " + mine.answer);
  state_ = look(world_);
  if (const std::string problem = after.problem(state_); !problem.empty()) fail("after two equal requests at once: " + problem);
  keep(request, after);
}

void Simulation::compare_with_undisturbed() {
  const World plain = new_world("undisturbed");
  const Outcome outcome = in_child({}, [&](const Say& answer) {
    std::string failed;
    for (const Request& request : effective_)
      perform(plain, request, [&](const std::string& word) { failed += word.starts_with("failed") ? word : ""; });
    answer(failed.empty() ? "done" : failed);
  });
  if (outcome.answer != "done") fail("the undisturbed instance: " + outcome.answer);
  if (const std::string other = difference(comparable(state_), comparable(look(plain))); !other.empty())
    fail("an undisturbed instance is different: " + other);
}

std::string Simulation::run() {
  fs::create_directories(options_.folder);
  try {
    world_ = new_world("disturbed");
    for (int step = 0; step < options_.steps; ++step) {
      const Request request = choose();
      const bool chosen = options_.only && step == options_.steps - 1;
      attempt(request, chosen ? *options_.only : choose_fault(request.kind));
      if (chosen) calls_of_last_step_ = calls_[int(request.kind)];
      if (step == options_.damage_at) in_child({}, [&](const Say& answer) { damage(world_, answer); });
    }
    while (!later_.empty()) {
      const Request request = later_.back();
      later_.pop_back();
      attempt(request, {});
    }
    if (!waiting_.empty() && random_.percent(50)) twins();
    recover();
    compare_with_undisturbed();
    drop_schemas();
  } catch (const Failed& failed) {
    return failed.what;
  }
  return "";
}

}  // namespace tanhui::sim
