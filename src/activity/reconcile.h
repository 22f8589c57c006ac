// activity/reconcile.h: one act, one reduction. Pure functions over the acts of one person, independent of their order of arrival:
// the same set of records gives the same outcomes, whichever file or run they came in. docs/reconciliation.md has the pictures.
#pragma once
#include "activity/act.h"

namespace tanhui::activity {

class Reconciler {
 public:
  explicit Reconciler(std::span<const ActRule> rules) : rules_(rules) {}

  /// `acts` of one person, sorted by in_order(). Step by step; each step only looks at acts that are still open.
  /// 1. Same source and event id: the first in order stays.
  void settle_repeats(std::span<Act> acts);
  /// 2. A reversal unwinds the record with its event id; a reversal of nothing is held.
  void settle_reversals(std::span<Act> acts);
  /// 3. Same day, excluded by a car-free day, overlapping time.
  void settle_collisions(std::span<Act> acts);

 private:
  void settle_same_day(std::span<Act> acts);
  void settle_excluded(std::span<Act> acts);
  void settle_overlaps(std::span<Act> acts);
  void keep_disjoint(std::span<Act> acts, std::vector<std::uint32_t>& cluster);
  core::Millis end_of(const Act& act) const;

  struct Interval {
    core::Millis start, end;
    std::uint64_t event;
  };
  std::span<const ActRule> rules_;
  std::vector<std::uint32_t> order_;  // buffers are kept between people
  std::vector<std::uint32_t> clusters_[Collision::kGroupsMax];
  std::vector<Interval> kept_;
};

/// Among acts of one object and group, whoever reported them: which stay. Marks the losers; `acts` may be of many people.
void settle_object(std::span<Act> acts, std::span<const ActRule> rules);

}  // namespace tanhui::activity
