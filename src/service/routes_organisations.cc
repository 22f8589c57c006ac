// Organisations of a programme, staff and their roles, keys of partners.
#include "http/entity_tag.h"
#include "identity/base64url.h"
#include "identity/organisation.h"
#include "identity/partner_key.h"
#include "identity/staff.h"
#include "service/body.h"
#include "service/routes.h"
#include "service/staff_access.h"

namespace tanhui::service {
namespace {

namespace json = boost::json;
using identity::Action;
constexpr std::size_t kSmallBody = 8 * 1024;

json::object json_of(const identity::Organisation& one) {
  json::array kinds;
  for (const auto kind : one.details.kinds) kinds.emplace_back(identity::name(kind));
  return {{"id", one.id},
          {"programme", one.programme},
          {"name", json::object{{"en", one.details.name.en}, {"zh", one.details.name.zh}}},
          {"kinds", std::move(kinds)},
          {"credit_code", one.details.credit_code.empty() ? json::value(nullptr) : json::value(one.details.credit_code)},
          {"state", identity::name(one.details.state)},
          {"version", one.version},
          {"created_ms", one.created_ms}};
}

identity::OrganisationDetails details_from(const core::MemberReader& in) {
  const core::MemberReader name(in.value("name"), "the name");
  identity::OrganisationDetails details{{name.text("en"), name.text("zh")}};
  for (const json::value& value : in.array("kinds")) {
    const auto kind = value.is_string() ? identity::find_organisation_kind(value.get_string()) : std::nullopt;
    if (!kind) in.fail("kinds", "has something that is no kind of organisation");
    details.kinds.insert(*kind);
  }
  if (in.has("credit_code")) details.credit_code = in.text_or_null("credit_code").value_or("");
  if (in.has("state")) {
    const auto state = identity::find_organisation_state(in.text("state"));
    if (!state) in.fail("state", "is not one of active, suspended, closed");
    details.state = *state;
  }
  return details;
}

Response organisation_answer(const Request& request, const core::Result<identity::Organisation>& one, int status = 200) {
  if (!one) return http::problem(request, one.error());
  return http::with_entity_tag(request, json_answer(json_of(*one), status), http::entity_tag(one->version));
}

json::object json_of(const identity::Membership& one) {
  return {{"id", one.id},
          {"staff", one.staff},
          {"role", identity::name(one.role)},
          {"programme", one.programme.empty() ? json::value(nullptr) : json::value(one.programme)},
          {"organisation", one.organisation.empty() ? json::value(nullptr) : json::value(one.organisation)}};
}

json::object json_of(const identity::Staff& one) {
  return {{"id", one.id},           {"email", one.email},           {"name", one.name},
          {"active", one.active},   {"password", one.has_password}, {"second_factor", one.has_totp},
          {"version", one.version}, {"created_ms", one.created_ms}};
}

json::object json_of(const identity::PartnerKey& key) {
  return {{"id", key.id},
          {"organisation", key.organisation},
          {"programme", key.programme},
          {"source", key.source},
          {"algorithm", identity::name(key.algorithm)},
          {"sandbox", key.sandbox},
          {"valid_from_ms", key.valid_from_ms},
          {"valid_to_ms", or_null(key.valid_to_ms)},
          {"revoked_ms", or_null(key.revoked_ms)},
          {"used_ms", or_null(key.used_ms)}};
}

json::object json_of(const identity::MadePartnerKey& made) {
  json::object out = json_of(made.key);
  out["secret"] = made.secret.empty() ? json::value(nullptr) : json::value(identity::to_base64(made.secret));
  return out;
}

template <class List>
Response whole_list(const List& list) {
  json::array items;
  for (const auto& one : list) items.push_back(json_of(one));
  return json_answer(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
}

/// One page of what `read(after, limit)` tells by id.
template <class Read>
Response page_by_id(const Request& request, const World& world, Read read) {
  const auto page = read_page(request, world.cursors);
  if (!page) return http::problem(request, page.error());
  auto list = read(page->after.value_or(""), std::size_t(page->limit) + 1);
  std::optional<std::string> next;
  if (std::int64_t(list.size()) > page->limit) {
    list.pop_back();
    next = list.back().id;
  }
  json::array items;
  for (const auto& one : list) items.push_back(json_of(one));
  return page_of(request, world.cursors, std::move(items), next);
}

void add_organisation_operations(Api& api) {
  World& world = api.world();
  api.add({.method = Method::get,
           .path = "/api/v1/programmes/{programme}/organisations",
           .operation_id = "listOrganisations",
           .access = Access::staff("organisation.read"),
           .query = {"limit", "cursor"}},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            return page_by_id(request, world, [&](const std::string& after, std::size_t limit) {
              return identity::organisations(database, request.path_parameter("programme"), after, limit);
            });
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/programmes/{programme}/organisations",
           .operation_id = "createOrganisation",
           .access = Access::staff("organisation.write"),
           .body_bytes_max = kSmallBody},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            return with_body(request, {"id", "name", "kinds", "credit_code", "state"}, [&](const core::MemberReader& in) -> Response {
              return organisation_answer(request,
                                         identity::create_organisation(tx, by_caller(request, world.now()), in.text("id"),
                                                                       request.path_parameter("programme"), details_from(in)),
                                         201);
            });
          }));
  api.add({.method = Method::get,
           .path = "/api/v1/organisations/{organisation}",
           .operation_id = "getOrganisation",
           .access = Access::staff("organisation.read")},
          api.with_database([](Request& request, db::Database& database) -> Response {
            return organisation_answer(request, identity::find_organisation(database, request.path_parameter("organisation")));
          }));
  api.add({.method = Method::put,
           .path = "/api/v1/organisations/{organisation}",
           .operation_id = "changeOrganisation",
           .access = Access::staff("organisation.write"),
           .body_bytes_max = kSmallBody},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            return with_body(request, {"name", "kinds", "credit_code", "state"}, [&](const core::MemberReader& in) -> Response {
              const auto stored = identity::find_organisation(tx, request.path_parameter("organisation"));
              if (!stored) return http::problem(request, stored.error());
              if (const auto match = http::check_if_match(request, http::entity_tag(stored->version)); !match)
                return http::problem(request, match.error());
              return organisation_answer(request, identity::change_organisation(tx, by_caller(request, world.now()), stored->id,
                                                                                details_from(in), stored->version));
            });
          }));
}

void add_member_operations(Api& api) {
  World& world = api.world();
  const std::tuple<const char*, const char*, const char*, const char*> places[] = {
      {"programme", "/api/v1/programmes/{programme}/members", "listProgrammeMembers", "addProgrammeMember"},
      {"organisation", "/api/v1/organisations/{organisation}/members", "listOrganisationMembers", "addOrganisationMember"}};
  for (const auto& [kind, path, list, add] : places) {
    const std::string parameter = kind;
    const bool of_programme = parameter == "programme";
    api.add({.method = Method::get, .path = path, .operation_id = list, .access = Access::staff("staff.read")},
            api.with_database([parameter, of_programme](Request& request, db::Database& database) -> Response {
              const std::string_view id = request.path_parameter(parameter);
              return whole_list(of_programme ? identity::members_of(database, id, "") : identity::members_of(database, "", id));
            }));
    api.add({.method = Method::post,
             .path = path,
             .operation_id = add,
             .access = Access::staff(of_programme ? "member.programme" : "member.organisation"),
             .body_bytes_max = kSmallBody},
            api.with_transaction([&world, parameter, of_programme](Request& request, db::Transaction& tx) -> Response {
              return with_body(request, {"staff", "role"}, [&](const core::MemberReader& in) -> Response {
                const std::string place(request.path_parameter(parameter));
                const auto role = identity::find_role(in.text("role"));
                const auto wanted = of_programme ? identity::Where::programme : identity::Where::organisation;
                if (!role || identity::where(*role) != wanted) in.fail("role", "is no role that is held there");
                const identity::Target target = of_programme ? identity::Target{place, ""} : identity::Target{"", place};
                if (const auto right = require(tx, request, identity::action_to_grant(*role), target); !right)
                  return http::problem(request, right.error());
                return answer(
                    request, identity::add_member(tx, by_caller(request, world.now()), in.text("staff"), *role, place),
                    [](const auto& one) { return json_of(one); }, 201);
              });
            }));
  }
  api.add({.method = Method::delete_, .path = "/api/v1/members/{membership}", .operation_id = "removeMember", .access = Access::staff("")},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            const auto membership = identity::find_membership(tx, request.path_parameter("membership"));
            if (!membership) return http::problem(request, membership.error());
            if (const auto right =
                    require(tx, request, identity::action_to_grant(membership->role), {membership->programme, membership->organisation});
                !right)
              return http::problem(request, right.error());
            return answer_done(request, identity::remove_member(tx, by_caller(request, world.now()), membership->id));
          }));
}

void add_staff_operations(Api& api) {
  World& world = api.world();
  const auto at_the_instance = [](db::Reader& reader, const Request& request, Action action) {
    return require(reader, request, action, {});
  };
  api.add({.method = Method::get,
           .path = "/api/v1/staff",
           .operation_id = "listStaff",
           .access = Access::staff("staff.write"),
           .query = {"limit", "cursor"}},
          api.with_database([&world, at_the_instance](Request& request, db::Database& database) -> Response {
            if (const auto right = at_the_instance(database, request, Action::staff_write); !right)
              return http::problem(request, right.error());
            return page_by_id(request, world,
                              [&](const std::string& after, std::size_t limit) { return identity::all_staff(database, after, limit); });
          }));
  // The password is hashed before the transaction: that takes a second, and the answer holds no secret.
  api.add({.method = Method::post,
           .path = "/api/v1/staff",
           .operation_id = "createStaff",
           .access = Access::staff("staff.write"),
           .body_bytes_max = kSmallBody},
          api.with_database([&world, at_the_instance](Request& request, db::Database& database) -> Response {
            return with_body(request, {"email", "name", "password"}, [&](const core::MemberReader& in) -> Response {
              if (const auto right = at_the_instance(database, request, Action::staff_write); !right)
                return http::problem(request, right.error());
              const auto password = in.has("password") ? in.text_or_null("password") : std::nullopt;
              const auto hash =
                  password ? identity::hash_password(*password, in.text("email"), {}) : core::Result<std::string>(std::string());
              if (!hash) return http::problem(request, hash.error());
              const auto made = database.transact([&](db::Transaction& tx) {
                return identity::create_staff(tx, by_caller(request, world.now()), in.text("email"), in.text("name"), *hash);
              });
              return answer(
                  request, made, [](const auto& one) { return json_of(one); }, 201);
            });
          }));
  api.add({.method = Method::patch,
           .path = "/api/v1/staff/{staff}",
           .operation_id = "changeStaff",
           .access = Access::staff("staff.write"),
           .body_bytes_max = kSmallBody},
          api.with_transaction([&world, at_the_instance](Request& request, db::Transaction& tx) -> Response {
            return with_body(request, {"active"}, [&](const core::MemberReader& in) -> Response {
              if (const auto right = at_the_instance(tx, request, Action::staff_write); !right)
                return http::problem(request, right.error());
              const auto staff = identity::find_staff(tx, request.path_parameter("staff"));
              if (!staff) return http::problem(request, staff.error());
              if (const auto match = http::check_if_match(request, http::entity_tag(staff->version)); !match)
                return http::problem(request, match.error());
              if (!in.value("active").is_bool()) in.fail("active", "is not true or false");
              const auto changed = identity::set_active(tx, by_caller(request, world.now()), staff->id, in.value("active").get_bool());
              if (!changed) return http::problem(request, changed.error());
              return json_answer(json_of(*changed)).header("ETag", http::entity_tag(changed->version));
            });
          }));
}

void add_key_operations(Api& api) {
  World& world = api.world();
  const auto box = std::make_shared<identity::Box>(world.secret.key_for("partner keys"));
  api.add({.method = Method::get,
           .path = "/api/v1/organisations/{organisation}/partner-keys",
           .operation_id = "listPartnerKeys",
           .access = Access::staff("partner-key.read")},
          api.with_database([](Request& request, db::Database& database) -> Response {
            return whole_list(identity::partner_keys(database, request.path_parameter("organisation")));
          }));
  // No answer is kept for an Idempotency-Key where it holds a secret: whoever loses it revokes the key and makes another.
  api.add({.method = Method::post,
           .path = "/api/v1/organisations/{organisation}/partner-keys",
           .operation_id = "createPartnerKey",
           .access = Access::staff("partner-key.write"),
           .body_bytes_max = kSmallBody},
          api.with_database([&world, box](Request& request, db::Database& database) -> Response {
            return with_body(request, {"programme", "source", "algorithm", "public_key", "sandbox", "valid_from_ms", "valid_to_ms"},
                             [&](const core::MemberReader& in) -> Response {
                               const auto algorithm = identity::find_key_algorithm(in.text("algorithm"));
                               if (!algorithm) in.fail("algorithm", "is not hmac-sha256 or ed25519");
                               identity::WantedKey wanted{std::string(request.path_parameter("organisation")), in.text("programme"),
                                                          in.text("source"), *algorithm};
                               if (in.has("public_key")) {
                                 const auto text = in.text_or_null("public_key");
                                 const auto bytes = text ? identity::from_base64(*text) : std::optional<std::string>("");
                                 if (!bytes) in.fail("public_key", "is not base64");
                                 wanted.public_key = *bytes;
                               }
                               if (in.has("sandbox")) {
                                 if (!in.value("sandbox").is_bool()) in.fail("sandbox", "is not true or false");
                                 wanted.sandbox = in.value("sandbox").get_bool();
                               }
                               wanted.valid_from_ms = integer_or_none(in, "valid_from_ms");
                               wanted.valid_to_ms = integer_or_none(in, "valid_to_ms");
                               const auto made = database.transact([&](db::Transaction& tx) {
                                 return identity::create_partner_key(tx, by_caller(request, world.now()), *box, wanted);
                               });
                               return answer(
                                   request, made, [](const auto& one) { return json_of(one); }, 201);
                             });
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/partner-keys/{key}/rotation",
           .operation_id = "rotatePartnerKey",
           .access = Access::staff("partner-key.write"),
           .body_bytes_max = kSmallBody},
          api.with_database([&world, box](Request& request, db::Database& database) -> Response {
            return with_body(request, {"overlap_ms", "public_key"}, [&](const core::MemberReader& in) -> Response {
              const auto text = in.has("public_key") ? in.text_or_null("public_key") : std::nullopt;
              const auto bytes = text ? identity::from_base64(*text) : std::optional<std::string>("");
              if (!bytes) in.fail("public_key", "is not base64");
              constexpr std::int64_t kOverlapMaxMs = 90 * core::kMillisPerDay;
              const std::int64_t overlap_ms = in.integer("overlap_ms");
              if (overlap_ms < 0 || overlap_ms > kOverlapMaxMs) in.fail("overlap_ms", "is not a time from 0 to 90 days");
              const auto made = database.transact([&](db::Transaction& tx) {
                return identity::rotate_partner_key(tx, by_caller(request, world.now()), *box, request.path_parameter("key"), overlap_ms,
                                                    *bytes);
              });
              return answer(
                  request, made, [](const auto& one) { return json_of(one); }, 201);
            });
          }));
  api.add({.method = Method::delete_,
           .path = "/api/v1/partner-keys/{key}",
           .operation_id = "revokePartnerKey",
           .access = Access::staff("partner-key.write")},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            return answer(request, identity::revoke_partner_key(tx, by_caller(request, world.now()), request.path_parameter("key")),
                          [](const auto& one) { return json_of(one); });
          }));
}

}  // namespace

void add_organisation_routes(Api& api) {
  add_organisation_operations(api);
  add_member_operations(api);
  add_staff_operations(api);
  add_key_operations(api);
}

}  // namespace tanhui::service
