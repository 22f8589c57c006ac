#include "activity/programme_rules.h"

#include <fmt/format.h>

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

core::Status check_names(const identity::Programme& programme, const methodology::Library& library) {
  const auto unknown = [&](std::string_view field, std::string_view what, const std::string& word) {
    return core::Error{
        core::ErrorCode::invalid_input,
        "programme.unknown-word",
        fmt::format("'{}' of the programme '{}' names the {} '{}', which the library does not have", field, programme.id, what, word),
        "see `tanhui methodology list`, or take it out",
        {{"programme", programme.id}, {"field", std::string(field)}, {"word", word}}};
  };
  const identity::MethodologyChoice& choice = programme.methodologies;
  const std::pair<std::string_view, const std::vector<std::string>*> lists[] = {
      {"methodologies.illustrative", &choice.illustrative}, {"methodologies.only", &choice.only}, {"methodologies.off", &choice.off}};
  for (const auto& [field, ids] : lists) {
    for (const std::string& id : *ids) {
      if (library.find(id) == nullptr) return unknown(field, "methodology", id);
    }
  }
  for (const auto& [activity, cap] : programme.caps) {
    if (!library.find_activity(activity)) return unknown("caps", "activity", activity);
  }
  if (!programme.trial) return core::Done{};
  for (const auto& [activity, region] : programme.trial->elsewhere) {
    if (!library.find_activity(activity)) return unknown("trial.elsewhere", "activity", activity);
  }
  return core::Done{};
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
