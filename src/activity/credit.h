// activity/credit.h: what is left of a quantified act after the day's limits, and the points for it. Pure functions over one person.
#pragma once
#include "activity/act.h"

namespace tanhui::activity {

/// Points for grams: milligrams * numerator / denominator, rounded down over the person's day, at most `daily_cap` a day.
struct PointRate {
  std::int64_t numerator = 0, denominator = 1;
  std::int64_t daily_cap = kNoLimit;
};

class Crediting {
 public:
  Crediting(std::span<const ActRule> rules, PointRate points, Quantify quantify)
      : rules_(rules), points_(points), quantify_(std::move(quantify)) {}

  /// Open acts of one person in order of start: applies daily caps per activity, then points per day. Acts that end with nothing
  /// say why. The caller has set `milligrams` of open acts to the full quantified amount.
  void run(std::span<Act> acts);

 private:
  struct Used {
    std::uint16_t activity;
    std::int64_t acts = 0, quantity = 0, milligrams = 0;
  };
  void cap(Act& act);
  void give_points(Act& act);
  std::span<const ActRule> rules_;
  PointRate points_;
  Quantify quantify_;
  core::Day day_;
  std::vector<Used> used_;
  std::int64_t day_milligrams_ = 0, day_points_ = 0;
};

}  // namespace tanhui::activity
