// cli/report.h: an accounting report for people (a table, English or Chinese) and for machines (JSON).
#pragma once
#include <string>

#include "activity/account.h"
#include "cli/shell.h"

namespace tanhui::cli {

std::string report_text(const activity::AccountReport& report, const identity::Programme& programme, const methodology::Library& library,
                        bool chinese);
/// One JSON object; amounts are whole numbers of milligrams and points. Documented in docs/reports.md.
std::string report_json(const activity::AccountReport& report, const identity::Programme& programme);

}  // namespace tanhui::cli
