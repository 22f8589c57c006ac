#include "activity/credit.h"

#include <algorithm>

#include "core/int128.h"
#include "core/quantity.h"

namespace tanhui::activity {

void Crediting::run(std::span<Act> acts) {
  day_ = {std::numeric_limits<std::int32_t>::min()};
  for (Act& act : acts) {
    if (!act.open()) continue;
    if (act.day != day_) {
      day_ = act.day;
      used_.clear();
      day_milligrams_ = day_points_ = 0;
    }
    if (!rules_[act.rule].cap.none()) cap(act);
    if (act.open() && act.milligrams == 0) act.reason = Reason::nothing_saved;
    give_points(act);
  }
}

void Crediting::cap(Act& act) {
  const ActRule& rule = rules_[act.rule];
  auto used = std::find_if(used_.begin(), used_.end(), [&](const Used& one) { return one.activity == rule.activity; });
  if (used == used_.end()) used = used_.insert(used_.end(), Used{rule.activity});
  const std::int64_t quantity_left =
      rule.cap.quantity == kNoLimit ? kNoLimit : std::max<std::int64_t>(0, rule.cap.quantity - used->quantity);
  const std::int64_t milligrams_left =
      rule.cap.milligrams == kNoLimit ? kNoLimit : std::max<std::int64_t>(0, rule.cap.milligrams - used->milligrams);
  if (used->acts >= rule.cap.acts || quantity_left == 0 || milligrams_left == 0) {
    act.decide(Outcome::capped, Reason::daily_cap);
    return;
  }
  const std::int64_t full = act.milligrams;
  const std::int64_t counted = std::min(act.quantity, quantity_left);
  if (counted < act.quantity) act.milligrams = std::min(full, quantify_(act, counted));
  act.milligrams = std::min(act.milligrams, milligrams_left);
  ++used->acts;
  used->quantity = core::add_or_throw(used->quantity, counted);
  used->milligrams = core::add_or_throw(used->milligrams, act.milligrams);
  if (act.milligrams < full) {
    act.outcome = Outcome::capped;
    act.reason = Reason::daily_cap_part;
  }
}

void Crediting::give_points(Act& act) {
  if (act.milligrams == 0 || points_.numerator == 0) return;
  day_milligrams_ = core::add_or_throw(day_milligrams_, act.milligrams);
  const core::Int128 earned = core::Int128(day_milligrams_) * points_.numerator / points_.denominator;
  const auto total = std::int64_t(std::min<core::Int128>(earned, points_.daily_cap));
  act.points = total - day_points_;
  day_points_ = total;
}

}  // namespace tanhui::activity
