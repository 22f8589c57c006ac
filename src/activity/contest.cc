#include "activity/contest.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "activity/derive.h"
#include "activity/key_filter.h"
#include "activity/reconcile.h"

namespace tanhui::activity {

std::uint64_t meter_day_key(std::uint64_t meter, core::Day day) {
  std::uint64_t mixed = meter ^ (std::uint64_t(std::uint32_t(day.count)) + 1) * 0x9E3779B97F4A7C15;  // days far apart in all bits
  mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;  // the finalizer of splitmix64: one to one
  mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
  mixed ^= mixed >> 31;
  return mixed == 0 ? 1 : mixed;
}

std::uint64_t claim_key(std::uint64_t object, const ActRule& rule, core::Day day) {
  if (object == 0 || rule.part != Part::reading) return object;
  return rule.collision.scope == Collision::Scope::object ? meter_day_key(object, day) : 0;
}

void DistinctUses::thin_out() {
  std::sort(held_.begin(), held_.end());
  held_.erase(std::unique(held_.begin(), held_.end()), held_.end());
  if (held_.size() > kHeldMax / 2) flush();
}

void DistinctUses::flush() {
  std::sort(held_.begin(), held_.end());
  held_.erase(std::unique(held_.begin(), held_.end()), held_.end());
  for (const KeyUse& use : held_) new (writer_.add(use.key)) KeyUse(use);
  held_.clear();
}

Contested find_contested(Shuffle& uses) {
  Contested found;
  std::vector<KeyUse> part;
  for (std::size_t partition = 0; partition < Shuffle::kPartitions; ++partition) {
    part.clear();
    uses.each_block(partition, [&](const std::uint64_t* words, std::size_t rows) {
      const auto* first = reinterpret_cast<const KeyUse*>(words);
      part.insert(part.end(), first, first + rows);
    });
    uses.release(partition);
    std::sort(part.begin(), part.end(), [](const KeyUse& a, const KeyUse& b) { return a.key < b.key; });
    for (std::size_t begin = 0, end = 0; begin < part.size(); begin = end) {
      bool many_people = false, any_new = false, any_object = false;
      for (end = begin; end < part.size() && part[end].key == part[begin].key; ++end) {
        many_people |= part[end].person != part[begin].person;
        any_new |= !part[end].earlier();
        any_object |= part[end].object();
      }
      if (!any_new || end == begin + 1) continue;
      if (many_people) (any_object ? found.objects : found.events).push_back(part[begin].key);
      for (std::size_t i = begin; i < end; ++i) {
        if (part[i].earlier()) found.earlier_days.push_back(part[i].day());
      }
    }
    std::sort(found.earlier_days.begin(), found.earlier_days.end());
    found.earlier_days.erase(std::unique(found.earlier_days.begin(), found.earlier_days.end()), found.earlier_days.end());
  }
  return found;
}

namespace {

std::tuple<core::Millis, core::Millis, std::int64_t, core::PersonKey> first_come(const Claim& claim) {
  return {claim.act.start_ms, claim.act.end_ms, claim.act.quantity, claim.person};
}

void judge_events(std::span<Claim> claims, const KeySet& events, Verdicts& verdicts) {
  std::unordered_map<std::uint64_t, const Claim*> first;
  for (const Claim& claim : claims) {
    if (!events.holds(claim.act.event)) continue;
    const Claim*& owner = first[claim.act.event];
    if (owner == nullptr || first_come(claim) < first_come(*owner)) owner = &claim;
  }
  for (const auto& [event, owner] : first) verdicts.event_owner[event] = owner->person;
}

std::uint64_t claim_key(const Act& act, std::span<const ActRule> rules) { return claim_key(act.object, rules[act.rule], act.day); }

// Whose a meter's day is. An incomplete day earns nothing and is no baseline, so it goes behind a complete one.
Verdicts::MeterDay judge_meter_day(std::span<const Claim*> readings) {
  std::sort(readings.begin(), readings.end(), [](const Claim* a, const Claim* b) {
    return std::tuple(a->person, a->act.start_ms, a->act.event, a->act.end_ms) <
           std::tuple(b->person, b->act.start_ms, b->act.event, b->act.end_ms);
  });
  using Standing = std::tuple<Evidence, std::uint8_t, bool, core::PersonKey>;  // the least is the best
  std::optional<Standing> best;
  Verdicts::MeterDay kept;
  for (std::size_t begin = 0, end = 0; begin < readings.size(); begin = end) {
    const Act& first = readings[begin]->act;
    Evidence evidence = first.evidence;
    std::uint8_t priority = first.priority;
    core::Millis covered = 0, reached = first.start_ms;
    for (end = begin; end < readings.size() && readings[end]->person == readings[begin]->person; ++end) {
      const Act& act = readings[end]->act;
      evidence = std::min(evidence, act.evidence);
      priority = std::min(priority, act.priority);
      covered += std::max<core::Millis>(0, act.end_ms - std::max(act.start_ms, reached));
      reached = std::max(reached, act.end_ms);
    }
    const Standing standing{evidence, priority, covered < kCompleteDayMs, readings[begin]->person};
    if (best && *best < standing) continue;
    best = standing;
    kept = {readings[begin]->person, first.event};
  }
  return kept;
}

void judge_objects(std::span<Claim> claims, const KeySet& objects, std::span<const ActRule> rules, Verdicts& verdicts) {
  std::unordered_set<std::uint64_t> reversed;
  for (const Claim& claim : claims) {
    if (claim.act.reversal || claim.act.reason == Reason::reversed) reversed.insert(claim.act.event);
  }
  std::vector<const Claim*> sharing;
  for (const Claim& claim : claims) {
    const std::uint64_t claimed = claim_key(claim.act, rules);
    if (claimed == 0 || !objects.holds(claimed)) continue;
    verdicts.judged_objects.insert(claimed);
    if (claim.act.reversal || reversed.contains(claim.act.event)) continue;  // what was unwound holds no object
    const auto owner = verdicts.event_owner.find(claim.act.event);
    if (owner == verdicts.event_owner.end() || owner->second == claim.person) sharing.push_back(&claim);
  }
  const auto key = [&](const Claim* claim) { return std::pair(claim_key(claim->act, rules), rules[claim->act.rule].collision.group); };
  std::sort(sharing.begin(), sharing.end(), [&](const Claim* a, const Claim* b) { return key(a) < key(b); });
  std::vector<Act> acts;
  for (std::size_t begin = 0, end = 0; begin < sharing.size(); begin = end) {
    for (end = begin; end < sharing.size() && key(sharing[end]) == key(sharing[begin]);) ++end;
    const auto group = std::span(sharing).subspan(begin, end - begin);
    if (rules[group[0]->act.rule].part == Part::reading) {
      verdicts.meter_days[key(group[0])] = judge_meter_day(group);
      continue;
    }
    acts.clear();
    for (const Claim* claim : group) acts.push_back(claim->act);
    settle_object(acts, rules);
    for (const Act& act : acts) {
      if (act.reason == Reason::same_object) verdicts.lost_object[act.event] = act.winner;
    }
  }
}

}  // namespace

Verdicts judge(std::vector<Claim> claims, const Contested& contested, std::span<const ActRule> rules) {
  Verdicts verdicts;
  judge_events(claims, KeySet(contested.events), verdicts);
  judge_objects(claims, KeySet(contested.objects), rules, verdicts);
  for (const Claim& claim : claims) verdicts.people.push_back(claim.person);
  std::sort(verdicts.people.begin(), verdicts.people.end());
  verdicts.people.erase(std::unique(verdicts.people.begin(), verdicts.people.end()), verdicts.people.end());
  return verdicts;
}

}  // namespace tanhui::activity
