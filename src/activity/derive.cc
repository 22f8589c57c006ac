#include "activity/derive.h"

#include <algorithm>
#include <tuple>

#include "core/int128.h"

namespace tanhui::activity {

Reason implausible(const Quantities& quantities, core::Millis duration_ms, const ActRule& rule) {
  const Limits& limits = rule.limits;
  for (std::size_t i = 0; i < kQuantities; ++i) {
    if (quantities[i] == kMissing) {
      if (i == rule.main) return Reason::missing_quantity;
      continue;  // the method has a default, or does not take it
    }
    if (quantities[i] < limits.quantity_min[i]) return Reason::quantity_too_small;
    if (quantities[i] > limits.quantity_max[i]) return Reason::quantity_too_large;
  }
  if (duration_ms == kMissing) return Reason::none;
  if (duration_ms < limits.duration_min_ms) return Reason::too_short;
  if (duration_ms > limits.duration_max_ms) return Reason::too_long;
  if (rule.distance == 0xFF || quantities[rule.distance] == kMissing) return Reason::none;
  constexpr std::int64_t kMillisPerHour = 3'600'000;
  const core::Int128 way = core::Int128(quantities[rule.distance]) * kMillisPerHour;  // metres per hour times milliseconds
  if (limits.speed_max_mph != kNoLimit && way > core::Int128(limits.speed_max_mph) * duration_ms) return Reason::too_fast;
  if (limits.speed_min_mph > 0 && way < core::Int128(limits.speed_min_mph) * duration_ms) return Reason::too_slow;
  return Reason::none;
}

namespace {

// Taps of one kind of act in order of time. Where a clock is too coarse to tell (many taps in one hour), an exit that closes an open
// ride goes before an entry that would open the next.
class TapPairing {
 public:
  TapPairing(std::span<Act> acts, std::span<const ActRule> rules) : acts_(acts), rules_(rules) {}

  void run(std::uint16_t activity) {
    taps_.clear();
    for (Act& act : acts_) {
      const ActRule& rule = rules_[act.rule];
      if (act.open() && rule.activity == activity && (rule.part == Part::entry || rule.part == Part::exit)) taps_.push_back(&act);
    }
    Act* entry = nullptr;
    for (std::size_t at = 0; at < taps_.size(); ++at) {
      if (entry != nullptr && part(at) == Part::entry) bring_forward(at, Part::exit);
      if (entry == nullptr && part(at) == Part::exit) bring_forward(at, Part::entry);
      if (part(at) == Part::entry) {
        if (entry != nullptr) entry->decide(Outcome::held, Reason::awaiting_exit);
        entry = taps_[at];
      } else if (entry == nullptr) {
        taps_[at]->decide(Outcome::held, Reason::awaiting_entry);
      } else {
        pair(*entry, *taps_[at]);
        if (!entry->open()) entry = nullptr;
      }
    }
    if (entry != nullptr) entry->decide(Outcome::held, Reason::awaiting_exit);
  }

 private:
  Part part(std::size_t at) const { return rules_[taps_[at]->rule].part; }

  // Swaps the first tap of the wanted part within the same instant to `at`.
  void bring_forward(std::size_t at, Part wanted) {
    for (std::size_t later = at + 1; later < taps_.size() && taps_[later]->start_ms == taps_[at]->start_ms; ++later) {
      if (part(later) == wanted) {
        std::rotate(taps_.begin() + std::ptrdiff_t(at), taps_.begin() + std::ptrdiff_t(later), taps_.begin() + std::ptrdiff_t(later) + 1);
        return;
      }
    }
  }

  void pair(Act& entry, Act& exit) {
    const ActRule& rule = rules_[exit.rule];
    const core::Millis duration = exit.start_ms - entry.start_ms;
    if (duration > rule.limits.duration_max_ms) {  // another ride's exit: this entry never got its own
      entry.decide(Outcome::held, Reason::awaiting_exit);
      exit.decide(Outcome::held, Reason::awaiting_entry);
      return;
    }
    Quantities quantities;
    quantities.fill(kMissing);
    quantities[rule.main] = exit.quantity;
    // Two taps in the same instant come from a clock too coarse to tell how long the ride was.
    const Reason reason = implausible(quantities, duration > 0 ? duration : kMissing, rule);
    if (reason != Reason::none) {
      entry.decide(Outcome::rejected, reason);
      exit.decide(Outcome::rejected, reason);
      return;
    }
    exit.end_ms = exit.start_ms;
    exit.start_ms = entry.start_ms;
    exit.day = entry.day;
    entry.decide(Outcome::accepted, Reason::paired, exit.event);
  }

  std::span<Act> acts_;
  std::span<const ActRule> rules_;
  std::vector<Act*> taps_;
};

struct MeterDay {
  core::Day day;
  std::int64_t used = 0;
  core::Millis covered_ms = 0;
  std::vector<Act*> readings;
};

void settle_day(std::span<const MeterDay> days, std::size_t at, std::span<const ActRule> rules) {
  Act& last = *days[at].readings.back();
  for (Act* reading : days[at].readings) {
    if (reading != &last) reading->decide(Outcome::accepted, Reason::reading, last.event);
  }
  std::int64_t sum = 0;
  bool known = days[at].covered_ms >= kCompleteDayMs && at >= std::size_t(kBaselineDays);
  for (int back = 1; known && back <= kBaselineDays; ++back) {
    const MeterDay& before = days[at - std::size_t(back)];
    known = before.day.count == days[at].day.count - back && before.covered_ms >= kCompleteDayMs;
    sum += before.used;
  }
  if (!known) return last.decide(Outcome::rejected, Reason::no_baseline);
  const std::int64_t saved = sum / kBaselineDays - days[at].used;
  if (saved <= 0 || days[at].used == 0) return last.decide(Outcome::accepted, Reason::nothing_saved);
  const ActRule& rule = rules[last.rule];
  if (saved > rule.limits.quantity_max[rule.main]) return last.decide(Outcome::rejected, Reason::quantity_too_large);
  if (saved < rule.limits.quantity_min[rule.main]) return last.decide(Outcome::accepted, Reason::nothing_saved);
  last.quantity = saved;
}

}  // namespace

void pair_taps(std::span<Act> acts, std::span<const ActRule> rules) {
  std::vector<std::uint16_t> activities;
  for (const Act& act : acts) {
    const ActRule& rule = rules[act.rule];
    if (rule.part != Part::entry && rule.part != Part::exit) continue;
    if (std::find(activities.begin(), activities.end(), rule.activity) == activities.end()) activities.push_back(rule.activity);
  }
  TapPairing pairing(acts, rules);
  for (const std::uint16_t activity : activities) pairing.run(activity);
}

void save_from_readings(std::span<Act> acts, std::span<const ActRule> rules) {
  std::vector<Act*> readings;
  for (Act& act : acts) {
    if (act.open() && rules[act.rule].part == Part::reading) readings.push_back(&act);
  }
  std::stable_sort(readings.begin(), readings.end(), [](const Act* a, const Act* b) {
    return std::tuple(a->object, a->start_ms, a->evidence, a->priority) < std::tuple(b->object, b->start_ms, b->evidence, b->priority);
  });
  std::vector<MeterDay> days;
  for (std::size_t i = 0; i < readings.size();) {
    const std::uint64_t meter = readings[i]->object;
    days.clear();
    const Act* before = nullptr;
    for (; i < readings.size() && readings[i]->object == meter; ++i) {
      Act& reading = *readings[i];
      if (before != nullptr && reading.start_ms < before->end_ms) {
        reading.decide(Outcome::duplicate, Reason::overlap, before->event);
        continue;
      }
      before = &reading;
      if (days.empty() || days.back().day != reading.day) days.push_back({reading.day, 0, 0, {}});
      days.back().used += reading.quantity;
      days.back().covered_ms += reading.end_ms - reading.start_ms;
      days.back().readings.push_back(&reading);
    }
    for (std::size_t at = 0; at < days.size(); ++at) settle_day(days, at, rules);
  }
}

}  // namespace tanhui::activity
