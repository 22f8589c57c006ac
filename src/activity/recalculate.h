// activity/recalculate.h: a methodology was corrected by a new version; what the journal holds of the days concerned is decided anew. The
// difference is booked as adjustments, in a run of its own; nothing is edited. docs/reconciliation.md, "Recalculation".
//
//   which        records of the days whose rule is an older version of the methodology than the one that is in force for them today
//   what follows the same people's other records of those days (caps, points, collisions), wherever a corrected record changes them
//   by what      the version of the same methodology that the library says is right: never another methodology
//
// All of it happens, or nothing. Done again it changes nothing and books nothing: the versions that were put right are remembered
// (journal/correction.h), and every later run decides those records by them too. Memory and threads as in activity/account.h.
#pragma once
#include <optional>
#include <string>

#include "activity/account.h"

namespace tanhui::activity {

struct RecalculateRequest {
  std::string methodology;          // its id, without version
  core::Day first;                  // local days, both included
  std::optional<core::Day> last{};  // none: the last day of the journal
  bool dry_run = false;
  unsigned threads = 2;
  std::size_t memory_bytes = std::size_t{700} << 20;
  core::Millis now_ms = 0;
  std::function<void(const Progress&)> progress{};
};

/// The report of a run without new records; its `corrected` and the tally's `changes` say what changed.
/// Errors: recalculate.unknown-methodology, recalculate.not-for-acts (a project), recalculate.methodology-off, recalculate.bad-range,
/// recalculate.no-records (the journal holds nothing of the programme in these days), recalculate.category-changed; those of the instance.
core::Result<AccountReport> recalculate(identity::Instance& instance, const identity::Programme& programme,
                                        const methodology::Library& library, const RecalculateRequest& request);

}  // namespace tanhui::activity
