// Sessions of staff: log in, give the second factor, see where one is logged in, log out; and one's own second factor.
#include "identity/staff.h"
#include "identity/totp.h"
#include "identity/trail.h"
#include "service/body.h"
#include "service/routes.h"
#include "service/staff_access.h"

namespace tanhui::service {
namespace {

namespace json = boost::json;
constexpr std::size_t kSmallBody = 8 * 1024;

json::object json_of(const identity::Session& session) {
  return {{"id", session.id},           {"created_ms", session.created_ms}, {"seen_ms", session.seen_ms},
          {"ends_ms", session.ends_ms}, {"pending", session.pending},       {"agent", session.agent}};
}

/// The token for programs, the same as a cookie for browsers: out of reach of scripts, sent to this site only.
Response begun(const Request& request, const identity::NewSession& made) {
  json::object body = json_of(made.session);
  body["token"] = made.token;
  body["csrf_token"] = identity::csrf_token(made.token);
  return json_answer(body, 201)
      .header("Set-Cookie",
              std::string(kStaffCookie) + "=" + made.token + "; Path=/; HttpOnly; SameSite=Strict" + (request.secure() ? "; Secure" : ""))
      .header("Cache-Control", "no-store");
}

/// Somebody who has to wait is told how long.
Response not_yet(const Request& request, const core::Error& error) {
  Response response = http::problem(request, error);
  for (const auto& [name, value] : error.params)
    if (error.id == "staff.wait" && name == "seconds") response.header("Retry-After", value);
  return response;
}

Response gone() { return no_content().header("Set-Cookie", std::string(kStaffCookie) + "=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"); }

json::object json_of(const identity::Membership& one) {
  return {{"id", one.id},
          {"staff", one.staff},
          {"role", identity::name(one.role)},
          {"programme", one.programme.empty() ? json::value(nullptr) : json::value(one.programme)},
          {"organisation", one.organisation.empty() ? json::value(nullptr) : json::value(one.organisation)}};
}

}  // namespace

void add_session_routes(Api& api) {
  World& world = api.world();
  const auto box = std::make_shared<identity::Box>(world.secret.key_for("second factors of staff"));

  api.add({.method = Method::post,
           .path = "/api/v1/staff-sessions",
           .operation_id = "logIn",
           .access = Access::everyone(),
           .body_bytes_max = kSmallBody},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            return with_body(request, {"email", "password"}, [&](const core::MemberReader& in) -> Response {
              const auto staff = identity::check_login(database, in.text("email"), in.text("password"), world.now(), {});
              if (!staff) return not_yet(request, staff.error());
              db::Transaction tx = database.begin();
              const auto made = identity::start_session(tx, identity::SessionKind::staff, staff->id, staff->has_totp,
                                                        staff->has_totp ? identity::kPendingSession : identity::kStaffSession,
                                                        request.header("User-Agent"), world.now());
              identity::record_action(tx, {staff->id, std::string(request.request_id()), world.now()}, "session.start", "", staff->id);
              tx.commit();
              return begun(request, made);
            });
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/staff-second-factor",
           .operation_id = "giveSecondFactor",
           .access = Access::staff(std::string(kSecondFactor)),
           .body_bytes_max = kSmallBody},
          api.with_database([&world, box](Request& request, db::Database& database) -> Response {
            return with_body(request, {"code"}, [&](const core::MemberReader& in) -> Response {
              const auto& pending = staff_of(request).session;
              const auto staff = identity::check_second_factor(database, *box, pending.owner, in.text("code"), world.now());
              if (!staff) return not_yet(request, staff.error());
              db::Transaction tx = database.begin();
              const auto made = identity::complete_session(tx, pending, identity::kStaffSession, world.now());
              tx.commit();
              return begun(request, made);
            });
          }));
  api.add({.method = Method::get, .path = "/api/v1/staff-sessions", .operation_id = "listSessions", .access = Access::staff("")},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            const auto& mine = staff_of(request).session;
            json::array items;
            for (const auto& one : identity::sessions_of(database, identity::SessionKind::staff, mine.owner, world.now())) {
              json::object item = json_of(one);
              item["current"] = one.id == mine.id;
              items.push_back(std::move(item));
            }
            return json_answer(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
          }));
  api.add({.method = Method::delete_, .path = "/api/v1/staff-sessions", .operation_id = "endOtherSessions", .access = Access::staff("")},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            const auto& mine = staff_of(request).session;
            db::Transaction tx = database.begin();
            identity::revoke_sessions(tx, identity::SessionKind::staff, mine.owner, world.now(), mine.id);
            tx.commit();
            return no_content();
          }));
  api.add(
      {.method = Method::delete_, .path = "/api/v1/staff-sessions/{session}", .operation_id = "endSession", .access = Access::staff("")},
      api.with_database([&world](Request& request, db::Database& database) -> Response {
        const auto& mine = staff_of(request).session;
        const std::string_view named = request.path_parameter("session");
        const std::string id(named == "current" ? std::string_view(mine.id) : named);
        db::Transaction tx = database.begin();
        if (const auto ended = identity::revoke_session(tx, identity::SessionKind::staff, mine.owner, id, world.now()); !ended)
          return http::problem(request, ended.error());
        tx.commit();
        return id == mine.id ? gone() : no_content();
      }));
  api.add({.method = Method::get, .path = "/api/v1/me", .operation_id = "getMe", .access = Access::staff("")},
          api.with_database([](Request& request, db::Database& database) -> Response {
            const auto& caller = staff_of(request);
            const auto staff = identity::find_staff(database, caller.session.owner);
            if (!staff) return http::problem(request, staff.error());
            json::array memberships;
            for (const auto& one : identity::memberships_of(database, staff->id)) memberships.push_back(json_of(one));
            return json_answer(json::object{{"id", staff->id},
                                            {"email", staff->email},
                                            {"name", staff->name},
                                            {"second_factor", staff->has_totp},
                                            {"recovery_codes_left", identity::recovery_codes_left(database, staff->id)},
                                            {"csrf_token", identity::csrf_token(caller.token)},
                                            {"memberships", std::move(memberships)}});
          }));
  api.add({.method = Method::post, .path = "/api/v1/me/totp", .operation_id = "proposeTotp", .access = Access::staff("")},
          api.with_database([&world, box](Request& request, db::Database& database) -> Response {
            const auto by = by_caller(request, world.now());
            const auto secret = database.transact([&](db::Transaction& tx) { return identity::propose_totp(tx, by, *box, by.staff); });
            if (!secret) return http::problem(request, secret.error());
            const auto staff = identity::find_staff(database, by.staff);
            return json_answer(json::object{{"secret", identity::to_base32(*secret)},
                                            {"address", identity::totp_address(*secret, "Tanhui", staff->email)}},
                               201);
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/me/totp/confirmation",
           .operation_id = "confirmTotp",
           .access = Access::staff(""),
           .body_bytes_max = kSmallBody},
          api.with_database([&world, box](Request& request, db::Database& database) -> Response {
            return with_body(request, {"code"}, [&](const core::MemberReader& in) -> Response {
              const auto by = by_caller(request, world.now());
              const auto codes =
                  database.transact([&](db::Transaction& tx) { return identity::confirm_totp(tx, by, *box, by.staff, in.text("code")); });
              return answer(request, codes, [](const std::vector<std::string>& list) {
                return json::object{{"recovery_codes", json::array(list.begin(), list.end())}};
              });
            });
          }));
  api.add({.method = Method::delete_, .path = "/api/v1/me/totp", .operation_id = "removeTotp", .access = Access::staff("")},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            const auto by = by_caller(request, world.now());
            return answer_done(request, database.transact([&](db::Transaction& tx) { return identity::remove_totp(tx, by, by.staff); }));
          }));
}

}  // namespace tanhui::service
