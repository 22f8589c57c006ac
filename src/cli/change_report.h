// cli/change_report.h: the difference report of a recalculation: what was booked before, what is booked now, by activity and version.
#pragma once
#include <boost/json.hpp>

#include <string>

#include "activity/account.h"
#include "identity/programme.h"
#include "methodology/methodology.h"

namespace tanhui::cli {

std::string change_text(const activity::AccountReport& report, const identity::Programme& programme, const methodology::Library& library,
                        bool chinese);
/// One JSON object; amounts are whole numbers of milligrams and points. Documented in docs/reports.md.
std::string change_json(const activity::AccountReport& report, const identity::Programme& programme);

}  // namespace tanhui::cli
