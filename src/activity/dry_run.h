// activity/dry_run.h: what a programme's new settings would have made of records that are booked already. Nothing is booked.
//
// The records of the last days that the journal has are settled once more, person by person, as a run does it (activity/recheck.h), by the
// new settings: point rule, caps, priorities of sources, methodologies that are no longer on. What they cannot show: records that were
// refused when they came, for those are not in the journal; so a methodology or a source that is switched on anew shows nothing here.
#pragma once
#include <map>
#include <string>

#include "activity/recheck.h"

namespace tanhui::activity {

struct DryRunRequest {
  int days = 7;  // 1 to 366, the newest of the journal
  unsigned threads = 2;
  std::size_t memory_bytes = std::size_t{700} << 20;
};
struct DryRun {
  core::Day first{0}, last{-1};  // an empty range when the journal holds nothing of the programme
  std::uint64_t records = 0, changed = 0, people = 0, people_changed = 0;
  std::map<std::string, Tally::Change> categories = {};  // before: as credited; after: as it would have been
  Tally::Change all() const;
};
/// Errors: dry-run.bad-days, those of resettle() and check_names().
core::Result<DryRun> dry_run(identity::Instance& instance, const identity::Programme& settings, const methodology::Library& library,
                             const DryRunRequest& request);

}  // namespace tanhui::activity
