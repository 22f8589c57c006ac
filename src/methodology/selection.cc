// Which methodology quantifies an act.
#include "methodology/methodology.h"

namespace tanhui::methodology {
namespace {

bool is_enabled(const Methodology& methodology, const Enabled& enabled) {
  if (enabled.never.contains(methodology.id)) return false;
  if (enabled.also.contains(methodology.id)) return true;
  if (!enabled.only.empty()) return enabled.only.contains(methodology.id) && enabled.statuses.contains(methodology.status);
  return enabled.statuses.contains(methodology.status);
}

/// Better first.
bool goes_before(const Methodology* a, const Methodology* b) {
  if (a->from != b->from) return a->from > b->from;
  if (a->id != b->id) return a->id < b->id;
  return a->version > b->version;
}

}  // namespace

Selection::Selection(const Library& library, const Enabled& enabled) : library_(library) {
  for (const auto& methodology : library.methodologies())
    if (is_enabled(*methodology, enabled))
      for (const Served& served : methodology->serves) by_activity_[served.activity].push_back(methodology.get());
  for (auto& [activity, candidates] : by_activity_) std::sort(candidates.begin(), candidates.end(), goes_before);
}

const Methodology* Selection::choose(std::size_t activity, std::string_view region, core::Day day) const {
  return choose(activity, region, &day);
}

const Methodology* Selection::choose_any_day(std::size_t activity, std::string_view region) const {
  return choose(activity, region, nullptr);
}

const Methodology* Selection::choose(std::size_t activity, std::string_view region, const core::Day* day) const {
  const auto candidates = by_activity_.find(activity);
  if (candidates == by_activity_.end()) return nullptr;
  for (const std::string& code : library_.region_chain(region))
    for (const Methodology* methodology : candidates->second) {
      const bool there = std::find(methodology->regions.begin(), methodology->regions.end(), code) != methodology->regions.end();
      if (there && (day == nullptr || methodology->in_force(*day))) return methodology;
    }
  return nullptr;
}

std::vector<const Methodology*> Selection::all() const {
  std::set<const Methodology*> seen;
  std::vector<const Methodology*> all;
  for (const auto& [activity, candidates] : by_activity_)
    for (const Methodology* methodology : candidates)
      if (seen.insert(methodology).second) all.push_back(methodology);
  return all;
}

}  // namespace tanhui::methodology
