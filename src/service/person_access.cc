#include "service/person_access.h"

#include "core/invariant.h"
#include "http/server.h"

namespace tanhui::service {
namespace {

using core::Error, core::ErrorCode;

Error unauthenticated(std::string message) {
  return {ErrorCode::refused, "access.unauthenticated", std::move(message), "log in, then send the session's token"};
}

/// The value of a cookie (RFC 6265), empty when it is not there.
std::string_view cookie_of(const http::Request& request, std::string_view name) {
  std::string_view rest = request.header("Cookie");
  while (!rest.empty()) {
    std::string_view one = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
    if (one.starts_with(name) && one.size() > name.size() && one[name.size()] == '=') return one.substr(name.size() + 1);
  }
  return {};
}

core::Result<Caller> authenticate(db::Pool& databases, const http::Request& request, core::Millis now_ms) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view header = request.header("Authorization");
  const bool by_cookie = !header.starts_with(kBearer);
  const std::string token(by_cookie ? cookie_of(request, kPersonCookie) : header.substr(kBearer.size()));
  if (token.empty()) return unauthenticated("this is only for people who are logged in");
  auto lease = databases.take();
  if (!lease) return lease.error();
  auto taken = *std::move(lease);
  db::Database& database = taken.database();
  const auto session = identity::find_session(database, token, now_ms);
  if (!session || session->kind != identity::SessionKind::person)
    return unauthenticated("you are not logged in, or your session has ended");
  if (by_cookie && !http::is_safe(request.method()) && !identity::csrf_matches(token, request.header("X-CSRF-Token")))
    return Error{ErrorCode::refused, "access.csrf", "a cookie alone changes nothing", "send the session's csrf_token as X-CSRF-Token"};
  const auto id = identity::parse_person_id(session->owner);
  core::invariant(id.has_value(), "a person's session belongs to a person");
  if (identity::see_again(*session, now_ms)) {
    db::Transaction tx = database.begin();
    identity::note_seen(tx, session->id, now_ms);
    tx.commit();
  }
  return Caller{Kind::person, session->owner, std::make_shared<PersonCaller>(PersonCaller{*session, *id, token})};
}

}  // namespace

const PersonCaller& person_of(const http::Request& request) {
  const Caller& caller = caller_of(request);
  core::invariant(caller.kind == Kind::person && caller.session != nullptr, "the operation is for people");
  return *static_cast<const PersonCaller*>(caller.session.get());
}

Authenticator person_authenticator(db::Pool& databases, std::function<core::Millis()> now) {
  return [&databases, now = std::move(now)](http::Request& request, const Access&) -> http::asio::awaitable<core::Result<Caller>> {
    std::optional<core::Result<Caller>> found;
    co_await http::run_blocking(request, [&] { found = authenticate(databases, request, now()); });
    co_return *std::move(found);
  };
}

}  // namespace tanhui::service
