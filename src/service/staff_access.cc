#include "service/staff_access.h"

#include "core/invariant.h"
#include "http/server.h"
#include "identity/partner_key.h"
#include "identity/proposal.h"

namespace tanhui::service {
namespace {

using core::Error, core::ErrorCode;

Error unauthenticated(std::string message) {
  return {ErrorCode::refused, "access.unauthenticated", std::move(message), "log in, then send the session's token", {}};
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

struct Token {
  std::string_view text;
  bool by_cookie = false;
};
Token token_of(const http::Request& request) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view header = request.header("Authorization");
  if (header.starts_with(kBearer)) return {header.substr(kBearer.size())};
  return {cookie_of(request, kStaffCookie), true};
}

bool names(const http::Request& request, std::string_view parameter) {
  return request.route().path.find("{" + std::string(parameter) + "}") != std::string::npos;
}

/// What the path names; nothing when it names nothing that rights are about.
core::Result<std::optional<identity::Target>> target_of(db::Reader& reader, const http::Request& request) {
  const auto value = [&](std::string_view name) { return std::string(request.path_parameter(name)); };
  using Found = std::optional<identity::Target>;
  if (names(request, "organisation")) return Found({"", value("organisation")});
  if (names(request, "programme")) return Found({value("programme"), ""});
  if (names(request, "key")) {
    const auto key = identity::find_partner_key(reader, value("key"));
    if (!key) return key.error();
    return Found({"", key->organisation});
  }
  if (names(request, "proposal")) {
    const auto proposal = identity::find_proposal(reader, value("proposal"), 0);
    if (!proposal) return proposal.error();
    return Found({proposal->programme, ""});
  }
  return Found();
}

Error forbidden(const Error& why) { return {ErrorCode::refused, "access.forbidden", why.message, why.action, why.params}; }

core::Status check_right(db::Reader& reader, const http::Request& request, const std::string& staff, const std::string& name) {
  if (name == kAnyStaff) return core::Done{};
  const auto action = identity::find_action(name);
  core::invariant(action.has_value(), "an operation names an action of the table of rights");
  const auto target = target_of(reader, request);
  if (!target) return target.error();
  if (*target) {
    auto allowed = identity::may(reader, staff, *action, **target);
    return !allowed && allowed.error().id == "rights.refused" ? core::Status(forbidden(allowed.error())) : allowed;
  }
  for (const auto& membership : identity::memberships_of(reader, staff))
    if (identity::reach(membership.role, *action) != identity::Reach::none) return core::Done{};
  return Error{ErrorCode::refused,
               "access.forbidden",
               "you may not do this anywhere: " + std::string(identity::says(*action)),
               "ask an administrator for a role that may",
               {{"action", name}}};
}

core::Result<Caller> authenticate(db::Pool& databases, const http::Request& request, const Access& access, core::Millis now_ms) {
  if (access.kind != Kind::staff) return unauthenticated("this is not for staff");
  const Token token = token_of(request);
  if (token.text.empty()) return unauthenticated("this is only for staff who are logged in");
  auto lease = databases.take();
  if (!lease) return lease.error();
  auto taken = *std::move(lease);
  db::Database& database = taken.database();
  const auto session = identity::find_session(database, token.text, now_ms);
  if (!session || session->kind != identity::SessionKind::staff) return unauthenticated("you are not logged in, or your session has ended");
  if (token.by_cookie && !http::is_safe(request.method()) && !identity::csrf_matches(token.text, request.header("X-CSRF-Token")))
    return Error{ErrorCode::refused, "access.csrf", "a cookie alone changes nothing", "send the session's csrf_token as X-CSRF-Token", {}};
  if (session->pending != (access.action == kSecondFactor))
    return unauthenticated(session->pending ? "the second factor is still to come" : "this session has its second factor already");
  if (!session->pending) {
    if (auto right = check_right(database, request, session->owner, access.action); !right) return right.error();
  }
  if (identity::see_again(*session, now_ms)) {
    db::Transaction tx = database.begin();
    identity::note_seen(tx, session->id, now_ms);
    tx.commit();
  }
  return Caller{Kind::staff, session->owner, std::make_shared<StaffCaller>(StaffCaller{*session, std::string(token.text)})};
}

}  // namespace

const StaffCaller& staff_of(const http::Request& request) {
  const Caller& caller = caller_of(request);
  core::invariant(caller.kind == Kind::staff && caller.session != nullptr, "the operation is for staff");
  return *static_cast<const StaffCaller*>(caller.session.get());
}

identity::By by_caller(const http::Request& request, core::Millis now_ms) {
  return {staff_of(request).session.owner, std::string(request.request_id()), now_ms};
}

Authenticator staff_authenticator(db::Pool& databases, std::function<core::Millis()> now) {
  return [&databases, now = std::move(now)](http::Request& request, const Access& access) -> http::asio::awaitable<core::Result<Caller>> {
    std::optional<core::Result<Caller>> found;
    co_await http::run_blocking(request, [&] { found = authenticate(databases, request, access, now()); });
    co_return *std::move(found);
  };
}

core::Status require(db::Reader& reader, const http::Request& request, identity::Action action, const identity::Target& target) {
  auto allowed = identity::may(reader, staff_of(request).session.owner, action, target);
  return !allowed && allowed.error().id == "rights.refused" ? core::Status(forbidden(allowed.error())) : allowed;
}

}  // namespace tanhui::service
