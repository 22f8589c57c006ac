// service/person_access.h: who calls as a person. A session comes as `Authorization: Bearer …`, or as the cookie tanhui_person; then a
// request that changes something must bring the session's X-CSRF-Token too. A person acts on their own data only, so there are no rights.
#pragma once
#include <memory>
#include <string>

#include "db/pool.h"
#include "identity/people.h"
#include "identity/session.h"
#include "service/access.h"

namespace tanhui::service {

constexpr std::string_view kPersonCookie = "tanhui_person";

struct PersonCaller {
  identity::Session session;
  identity::PersonId id;
  std::string token;
};
/// Of an operation for people.
const PersonCaller& person_of(const http::Request& request);

/// Errors: access.unauthenticated, access.csrf.
Authenticator person_authenticator(db::Pool& databases, std::function<core::Millis()> now);

}  // namespace tanhui::service
