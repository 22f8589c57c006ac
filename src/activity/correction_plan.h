// activity/correction_plan.h: what a recalculation is about to put right, before anything is read: versions and days.
#pragma once
#include <vector>

#include "activity/recalculate.h"
#include "db/db.h"
#include "journal/correction.h"

namespace tanhui::activity {

struct CorrectionPlan {
  Corrected corrected;
  std::vector<journal::Correction> corrections;  // each version of the methodology that the programme has switched on
};
/// Errors: those of recalculate() but for category-changed.
core::Result<CorrectionPlan> plan_correction(db::Reader& reader, const identity::Programme& programme, const methodology::Library& library,
                                             const methodology::Selection& selection, const RecalculateRequest& request);

}  // namespace tanhui::activity
