#include "activity/reconcile.h"

#include <algorithm>
#include <tuple>

namespace tanhui::activity {

bool in_order(const Act& a, const Act& b) {
  // A record of an earlier run stands before its own repetition, and the first line before the later one.
  return std::tuple(a.start_ms, a.event, a.reversal, a.end_ms, a.quantity, !a.earlier, a.line) <
         std::tuple(b.start_ms, b.event, b.reversal, b.end_ms, b.quantity, !b.earlier, b.line);
}

bool preferred(const Act& a, const Act& b, std::span<const ActRule> rules) {
  return std::tuple(rules[a.rule].collision.rank, a.evidence, a.priority, a.start_ms, a.event, a.end_ms, a.quantity) <
         std::tuple(rules[b.rule].collision.rank, b.evidence, b.priority, b.start_ms, b.event, b.end_ms, b.quantity);
}

void Reconciler::settle_repeats(std::span<Act> acts) {
  order_.clear();
  for (std::uint32_t i = 0; i < acts.size(); ++i) {
    if (acts[i].repeated && acts[i].open()) order_.push_back(i);
  }
  if (order_.size() < 2) return;
  // Stable: within an event the acts stay in order, so the first of each run of equal keys is the one that stays.
  std::stable_sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tuple(acts[a].event, acts[a].reversal) < std::tuple(acts[b].event, acts[b].reversal);
  });
  for (std::size_t i = 1; i < order_.size(); ++i) {
    const Act& before = acts[order_[i - 1]];
    Act& act = acts[order_[i]];
    if (act.event == before.event && act.reversal == before.reversal) act.decide(Outcome::duplicate, Reason::same_event, act.event);
  }
}

void Reconciler::settle_reversals(std::span<Act> acts) {
  for (Act& reversal : acts) {
    if (!reversal.reversal || !reversal.open()) continue;
    bool found = false;
    for (Act& act : acts) {
      if (act.reversal || act.event != reversal.event || !act.open()) continue;
      act.decide(Outcome::rejected, Reason::reversed, reversal.event);
      found = true;
    }
    if (found) {
      reversal.decide(Outcome::accepted, Reason::reversal, reversal.event);
    } else {
      reversal.decide(Outcome::held, Reason::unknown_reversal);
    }
  }
}

void Reconciler::settle_collisions(std::span<Act> acts) {
  settle_same_day(acts);
  settle_excluded(acts);
  settle_overlaps(acts);
}

void Reconciler::settle_same_day(std::span<Act> acts) {
  order_.clear();
  for (std::uint32_t i = 0; i < acts.size(); ++i) {
    const Collision& collision = rules_[acts[i].rule].collision;
    if (acts[i].open() && collision.group != Collision::kNoGroup && collision.scope == Collision::Scope::person &&
        collision.when != Collision::When::overlap) {
      order_.push_back(i);
    }
  }
  if (order_.size() < 2) return;
  const auto key = [&](std::uint32_t i) {
    const Collision& collision = rules_[acts[i].rule].collision;
    return std::tuple(collision.group, collision.when == Collision::When::always ? 0 : acts[i].day.count);
  };
  std::sort(order_.begin(), order_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return key(a) != key(b) ? key(a) < key(b) : preferred(acts[a], acts[b], rules_); });
  for (std::size_t i = 1, kept = 0; i < order_.size(); ++i) {
    if (key(order_[i]) != key(order_[kept])) {
      kept = i;
    } else {
      acts[order_[i]].decide(Outcome::duplicate, Reason::same_day, acts[order_[kept]].event);
    }
  }
}

void Reconciler::settle_excluded(std::span<Act> acts) {
  for (const Act& whole_day : acts) {
    const std::uint64_t excludes = rules_[whole_day.rule].collision.excludes;
    if (excludes == 0 || !whole_day.open()) continue;
    for (Act& act : acts) {
      const Collision& collision = rules_[act.rule].collision;
      if (act.open() && act.day == whole_day.day && collision.car_baseline && collision.group != Collision::kNoGroup &&
          (excludes >> collision.group & 1) != 0 && collision.excludes == 0) {
        act.decide(Outcome::duplicate, Reason::overlap, whole_day.event);
      }
    }
  }
}

core::Millis Reconciler::end_of(const Act& act) const {
  return act.end_ms > act.start_ms ? act.end_ms : act.start_ms + rules_[act.rule].collision.window_ms;
}

void Reconciler::settle_overlaps(std::span<Act> acts) {
  // Acts come sorted by start. A cluster of a group grows while the next act starts before everything in it has ended.
  core::Millis cluster_end[Collision::kGroupsMax];
  std::uint64_t used = 0;
  for (std::uint32_t i = 0; i < acts.size(); ++i) {
    const Collision& collision = rules_[acts[i].rule].collision;
    if (!acts[i].open() || collision.group == Collision::kNoGroup || collision.scope != Collision::Scope::person ||
        collision.when != Collision::When::overlap) {
      continue;
    }
    const core::Millis end = end_of(acts[i]);
    if (end == acts[i].start_ms) continue;  // steps of a day, say: no interval that could overlap
    auto& cluster = clusters_[collision.group];
    if ((used >> collision.group & 1) == 0) {
      used |= std::uint64_t{1} << collision.group;
      cluster.clear();
      cluster_end[collision.group] = end;
    } else if (acts[i].start_ms >= cluster_end[collision.group]) {
      keep_disjoint(acts, cluster);
      cluster.clear();
      cluster_end[collision.group] = end;
    }
    cluster.push_back(i);
    cluster_end[collision.group] = std::max(cluster_end[collision.group], end);
  }
  for (std::size_t group = 0; used != 0; ++group, used >>= 1) {
    if ((used & 1) != 0) keep_disjoint(acts, clusters_[group]);
  }
}

// The best report stays, then the best of those that do not overlap it, and so on.
void Reconciler::keep_disjoint(std::span<Act> acts, std::vector<std::uint32_t>& cluster) {
  if (cluster.size() < 2) return;
  std::sort(cluster.begin(), cluster.end(), [&](std::uint32_t a, std::uint32_t b) { return preferred(acts[a], acts[b], rules_); });
  kept_.clear();  // disjoint, so sorted by start is sorted by end too
  for (const std::uint32_t i : cluster) {
    const Interval mine{acts[i].start_ms, end_of(acts[i]), acts[i].event};
    const auto next = std::partition_point(kept_.begin(), kept_.end(), [&](const Interval& kept) { return kept.end <= mine.start; });
    if (next != kept_.end() && next->start < mine.end) {
      acts[i].decide(Outcome::duplicate, Reason::overlap, next->event);
    } else {
      kept_.insert(next, mine);
    }
  }
}

void settle_object(std::span<Act> acts, std::span<const ActRule> rules) {
  std::sort(acts.begin(), acts.end(), [&](const Act& a, const Act& b) { return preferred(a, b, rules); });
  const auto end_of = [&](const Act& act) {
    return act.end_ms > act.start_ms ? act.end_ms : act.start_ms + rules[act.rule].collision.window_ms;
  };
  for (std::size_t i = 1; i < acts.size(); ++i) {
    const Collision& mine = rules[acts[i].rule].collision;
    for (std::size_t kept = 0; kept < i && acts[i].open(); ++kept) {
      if (!acts[kept].open() || acts[kept].event == acts[i].event) continue;
      const bool collide = mine.when == Collision::When::always ? true
                           : mine.when == Collision::When::same_day
                               ? acts[kept].day == acts[i].day
                               : acts[kept].start_ms < end_of(acts[i]) && acts[i].start_ms < end_of(acts[kept]);
      if (collide) acts[i].decide(Outcome::duplicate, Reason::same_object, acts[kept].event);
    }
  }
}

}  // namespace tanhui::activity
