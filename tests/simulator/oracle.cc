#include "oracle.h"

#include <fmt/format.h>

#include "core/time.h"

namespace tanhui::sim {
namespace {

using Kind = Request::Kind;

std::int64_t at(const State& state, const std::string& key) {
  const auto found = state.find(key);
  return found == state.end() ? 0 : found->second;
}
std::string lot(int person, std::int64_t period) { return fmt::format("{} points {}", person, period); }

/// "balance 2 points 202603" begins with "balance " and names the asset behind its second blank.
std::string asset_of(const std::string& key) { return key.substr(key.find(' ', key.find(' ') + 1) + 1); }

std::int64_t sum(const State& state, const std::string& prefix) {
  std::int64_t total = 0;
  for (auto one = state.lower_bound(prefix); one != state.end() && one->first.starts_with(prefix); ++one) total += one->second;
  return total;
}

std::int64_t month_of(core::Millis ms) {
  const std::string day = core::to_text_utc(ms);
  return std::stoll(day.substr(0, 4)) * 100 + std::stoll(day.substr(5, 2));
}

}  // namespace

std::string Oracle::book(const Move& move, const State& state, std::map<std::string, std::int64_t>& taken) {
  if (done_.contains(move.key)) return "earlier";
  const std::string from = lot(move.from, move.period);
  if (at(state, "balance " + from) - at(state, "held " + from) - taken[from] < move.amount) return "refused ledger.short";
  done_.insert(move.key);
  taken[from] += move.amount;
  if (move.to != kRedeemed) taken[lot(move.to, move.period)] -= move.amount;
  leave(move.from, move.amount);
  leave(move.to, -move.amount);
  return "booked";
}

std::set<std::string> Oracle::settle(const Request& request) {
  if (done_.contains(request.key)) return {"earlier"};
  const auto found = holds_.find(request.hold);
  if (found == holds_.end()) return {"refused ledger.unknown-hold"};
  Hold& hold = found->second;
  if (!hold.open) return {"refused ledger.hold-closed", "refused ledger.hold-expired"};
  if (request.now_ms >= hold.expires_ms) return {"refused ledger.hold-expired"};
  if (request.moves[0].amount > hold.amount) return {"refused ledger.hold-exceeded"};
  hold.open = false;
  done_.insert(request.key);
  leave(request.moves[0].from, request.moves[0].amount);
  leave(request.moves[0].to, -request.moves[0].amount);
  return {"booked"};
}

void Oracle::expire(const Request& request, const State& state) {
  for (int person = 0; person < acts_->people(); ++person) {
    const std::string prefix = fmt::format("balance {} points ", person);
    for (auto one = state.lower_bound(prefix); one != state.end() && one->first.starts_with(prefix); ++one) {
      const std::int64_t period = std::stoll(one->first.substr(prefix.size()));
      if (period == 0 || period >= month_of(request.now_ms)) continue;
      const std::int64_t ended = one->second - at(state, "held " + lot(person, period));
      left_[std::size_t(person)] += ended;
      expired_ += ended;
    }
  }
}

std::set<std::string> Oracle::apply(const Request& request, const State& state) {
  std::map<std::string, std::int64_t> taken;
  switch (request.kind) {
    case Kind::account:
      arrived_.insert(request.reports.begin(), request.reports.end());
      return done_.insert(request.key).second ? std::set<std::string>{"run", "nothing new"} : std::set<std::string>{"nothing new"};
    case Kind::post:
      return {book(request.moves[0], state, taken)};
    case Kind::batch: {
      std::string words;
      for (const Move& move : request.moves) words += (words.empty() ? "" : ",") + book(move, state, taken);
      done_.insert(request.key);
      return {words};
    }
    case Kind::place: {
      const Move& move = request.moves[0];
      if (done_.contains(move.key)) return {"earlier"};
      const std::string from = lot(move.from, move.period);
      if (at(state, "balance " + from) - at(state, "held " + from) < move.amount) return {"refused ledger.short"};
      done_.insert(move.key);
      holds_[move.key] = {move.from, move.period, move.amount, request.expires_ms, true};
      return {"booked"};
    }
    case Kind::settle:
      return settle(request);
    case Kind::release: {
      const auto found = holds_.find(request.hold);
      if (found == holds_.end()) return {"refused ledger.unknown-hold"};
      if (!found->second.open) return {"earlier", "refused ledger.hold-closed"};
      found->second.open = false;
      return {"booked"};
    }
    case Kind::sweep:
      for (auto& [key, hold] : holds_)
        if (hold.expires_ms <= request.now_ms) hold.open = false;
      return {"booked"};
    case Kind::expire:
      if (!done_.insert(request.key).second) return {"refused ledger.run-booked"};
      expire(request, state);
      return {"booked"};
    case Kind::recalculate:
      if (std::exchange(corrected_, true)) return {"nothing new", "refused recalculate.no-records"};
      return {"run", "nothing new", "refused recalculate.no-records"};  // the last when no act was recorded yet
    case Kind::backup:
      return {"booked", "refused backup.not-empty"};  // the second when it was finished and nobody heard of it
    default:
      return {"booked"};
  }
}

std::string Oracle::problem(const State& state) const {
  const std::vector<Worth> worth = acts_->worth(arrived_, corrected_);
  for (int person = 0; person < acts_->people(); ++person) {
    const auto net = [&](const char* kind) {
      return sum(state, fmt::format("balance {} {} ", person, kind)) - sum(state, fmt::format("debt {} {} ", person, kind));
    };
    const Worth& mine = worth[std::size_t(person)];
    if (net("reduction") != mine.milligrams)
      return fmt::format("person {} has {} mg less debts, their acts are worth {}", person, net("reduction"), mine.milligrams);
    if (net("points") != mine.points - left_[std::size_t(person)])
      return fmt::format("person {} has {} points less debts, they earned {} and {} left them", person, net("points"), mine.points,
                         left_[std::size_t(person)]);
  }
  std::map<std::string, std::int64_t> held;
  for (const auto& [key, hold] : holds_)
    if (hold.open) held["held " + lot(hold.person, hold.period)] += hold.amount;
  for (auto one = state.lower_bound("held "); one != state.end() && one->first.starts_with("held "); ++one)
    if (one->second != held[one->first]) return fmt::format("'{}' is {}, open holds are {}", one->first, one->second, held[one->first]);
  for (const auto& [key, amount] : held)
    if (amount != at(state, key)) return fmt::format("'{}' is {}, open holds are {}", key, at(state, key), amount);
  if (sum(state, "own redeemed points ") != redeemed_) return fmt::format("redeemed is not {}", redeemed_);
  if (sum(state, "own expired points ") != expired_) return fmt::format("expired is not {}", expired_);
  return "";
}

std::string broken_law(const State& state) {
  std::map<std::string, std::int64_t> sums;
  for (const auto& [key, value] : state) {
    const bool balance = key.starts_with("balance ");
    if (balance || key.starts_with("own ")) sums[asset_of(key)] += value;
    if ((balance || key.starts_with("held ") || key.starts_with("debt ")) && value < 0) return fmt::format("'{}' is {}", key, value);
    if (key.starts_with("held ") && value > at(state, "balance " + key.substr(5))) return fmt::format("'{}' is more than is there", key);
  }
  for (const auto& [asset, value] : sums)
    if (value != 0) return fmt::format("the sum over all accounts of '{}' is {}", asset, value);
  return "";
}

}  // namespace tanhui::sim
