#include "activity/programme_rules.h"

namespace tanhui::activity {

methodology::Enabled enabled_of(const identity::MethodologyChoice& choice) {
  methodology::Enabled enabled;
  enabled.statuses.clear();
  for (const std::string& status : choice.statuses) {
    if (const auto found = methodology::find_status(status)) enabled.statuses.insert(*found);
  }
  enabled.also.insert(choice.illustrative.begin(), choice.illustrative.end());
  enabled.only.insert(choice.only.begin(), choice.only.end());
  enabled.never.insert(choice.off.begin(), choice.off.end());
  return enabled;
}

RuleBook::Lookup lookup_of(const identity::Programme& programme, const methodology::Library& library) {
  RuleBook::Lookup lookup;
  for (const auto& [activity, cap] : programme.caps) {
    if (const auto index = library.find_activity(activity))
      lookup.caps[*index] = {cap.acts.value_or(kNoLimit), kNoLimit, cap.milligrams.value_or(kNoLimit)};
  }
  if (!programme.trial) return lookup;
  lookup.as_region = programme.trial->as_region;
  lookup.as_day = programme.trial->as_day;
  for (const auto& [activity, region] : programme.trial->elsewhere) {
    if (const auto index = library.find_activity(activity)) lookup.elsewhere[*index] = region;
  }
  return lookup;
}

}  // namespace tanhui::activity
