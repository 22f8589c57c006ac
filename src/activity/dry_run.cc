#include "activity/dry_run.h"

#include <fmt/format.h>

#include "activity/programme_rules.h"
#include "journal/catalogue.h"

namespace tanhui::activity {

constexpr int kDaysMax = 366;

Tally::Change DryRun::all() const {
  Tally::Change sum;
  for (const auto& [category, change] : categories) sum.add(change);
  return sum;
}

core::Result<DryRun> dry_run(identity::Instance& instance, const identity::Programme& settings, const methodology::Library& library,
                             const DryRunRequest& request) {
  if (request.days < 1 || request.days > kDaysMax)
    return core::Error{core::ErrorCode::invalid_input,
                       "dry-run.bad-days",
                       fmt::format("settings cannot be tried over {} days", request.days),
                       fmt::format("give 1 to {} days", kDaysMax),
                       {{"days", std::to_string(request.days)}}};
  if (auto names = check_names(settings, library); !names) return names.error();
  DryRun told;
  const auto segments = journal::segments_between(instance.database(), settings.id, core::kFirstDay, core::kLastDay);
  if (segments.empty()) return told;
  for (const auto& segment : segments) told.last = std::max(told.last, segment.day);
  told.first = {told.last.count - request.days + 1};
  ResettleRequest resettled;
  resettled.first = told.first, resettled.last = told.last;
  resettled.threads = request.threads;
  resettled.memory_bytes = request.memory_bytes;
  resettled.try_settings = true;
  const auto settled = resettle(instance, settings, library, resettled);
  if (!settled) return settled.error();
  told.records = settled->records;
  told.changed = settled->differing;
  told.people = settled->people;
  told.people_changed = settled->people_differing;
  told.categories = settled->categories;
  return told;
}

}  // namespace tanhui::activity
