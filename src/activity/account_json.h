// activity/account_json.h: an accounting report for machines. Amounts are whole numbers of milligrams and points. docs/reports.md has the
// members.
#pragma once
#include <boost/json.hpp>

#include "activity/account.h"
#include "identity/programme.h"

namespace tanhui::activity {

boost::json::object report_json(const AccountReport& report, const identity::Programme& programme);
/// Its list `changes`: how late records or corrections changed earlier ones.
boost::json::array changes_json(const AccountReport& report);

}  // namespace tanhui::activity
