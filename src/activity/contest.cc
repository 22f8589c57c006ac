#include "activity/contest.h"

#include <algorithm>
#include <tuple>

#include "activity/key_filter.h"
#include "activity/reconcile.h"

namespace tanhui::activity {

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

void judge_objects(std::span<Claim> claims, const KeySet& objects, std::span<const ActRule> rules, Verdicts& verdicts) {
  std::unordered_set<std::uint64_t> reversed;
  for (const Claim& claim : claims) {
    if (claim.act.reversal || claim.act.reason == Reason::reversed) reversed.insert(claim.act.event);
  }
  std::vector<const Claim*> sharing;
  for (const Claim& claim : claims) {
    if (claim.act.object == 0 || !objects.holds(claim.act.object)) continue;
    verdicts.judged_objects.insert(claim.act.object);
    if (claim.act.reversal || reversed.contains(claim.act.event)) continue;  // what was unwound holds no object
    const auto owner = verdicts.event_owner.find(claim.act.event);
    if (owner == verdicts.event_owner.end() || owner->second == claim.person) sharing.push_back(&claim);
  }
  const auto key = [&](const Claim* claim) { return std::tuple(claim->act.object, rules[claim->act.rule].collision.group); };
  std::sort(sharing.begin(), sharing.end(), [&](const Claim* a, const Claim* b) { return key(a) < key(b); });
  std::vector<Act> acts;
  for (std::size_t begin = 0, end = 0; begin < sharing.size(); begin = end) {
    for (end = begin; end < sharing.size() && key(sharing[end]) == key(sharing[begin]);) ++end;
    const auto group = std::span(sharing).subspan(begin, end - begin);
    if (rules[group[0]->act.rule].part == Part::reading) {
      const Claim* owner =
          *std::min_element(group.begin(), group.end(), [](const Claim* a, const Claim* b) { return first_come(*a) < first_come(*b); });
      verdicts.meter_owner[owner->act.object] = owner->person;
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
