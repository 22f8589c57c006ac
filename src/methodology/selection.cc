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

bool is_in(const Methodology& methodology, std::string_view region) {
  return std::find(methodology.regions.begin(), methodology.regions.end(), region) != methodology.regions.end();
}

bool is_in_any(const Methodology& methodology, const std::vector<std::string>& regions) {
  return std::any_of(regions.begin(), regions.end(), [&](const std::string& region) { return is_in(methodology, region); });
}

/// A higher version of a methodology takes the place of a lower one wherever both are in force, whichever began first.
bool is_corrected(const Methodology& methodology, const std::vector<const Methodology*>& fitting) {
  return std::any_of(fitting.begin(), fitting.end(),
                     [&](const Methodology* other) { return other->id == methodology.id && other->version > methodology.version; });
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
  const std::vector<std::string> chain = library_.region_chain(region);
  std::vector<const Methodology*> fitting;
  for (const Methodology* methodology : candidates->second) {
    if (is_in_any(*methodology, chain) && (day == nullptr || methodology->in_force(*day))) fitting.push_back(methodology);
  }
  for (const std::string& code : chain)
    for (const Methodology* methodology : fitting)
      if (is_in(*methodology, code) && !is_corrected(*methodology, fitting)) return methodology;
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
