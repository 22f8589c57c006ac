// service/staff_access.h: who calls as staff, and whether they may. A session comes as `Authorization: Bearer …`, or as the cookie
// tanhui_staff; then a request that changes something must bring the session's X-CSRF-Token too.
//
// What is acted on is named by the path: {programme}, {organisation}, {key}, {proposal}, {membership}. Then the table of rights
// (identity/rights.h) is asked about that very thing. A path that names none lets in who may do the action somewhere; its handler asks
// again with require(), when it has read what it is about.
#pragma once
#include <memory>
#include <string>

#include "db/pool.h"
#include "identity/edit.h"
#include "identity/rights.h"
#include "identity/session.h"
#include "service/access.h"
#include "service/api.h"

namespace tanhui::service {

constexpr std::string_view kStaffCookie = "tanhui_staff";
/// Actions that are no rows of the table of rights: any staff, and a session whose second factor is still to come.
constexpr std::string_view kAnyStaff = "", kSecondFactor = "second-factor";

struct StaffCaller {
  identity::Session session;
  std::string token;
};
/// Of an operation for staff.
const StaffCaller& staff_of(const http::Request& request);
/// For the trail.
identity::By by_caller(const http::Request& request, core::Millis now_ms);

/// Errors: access.unauthenticated, access.csrf, access.forbidden, and not-found of what the path names.
Authenticator staff_authenticator(db::Pool& databases, std::function<core::Millis()> now);
/// Errors: access.forbidden, and those of identity::place_of.
core::Status require(db::Reader& reader, const http::Request& request, identity::Action action, const identity::Target& target);

}  // namespace tanhui::service
