// Programmes: the tree, their settings over time, their states. Settings are the YAML text of identity/programme.h, as it is in files.
#include "activity/programme_rules.h"
#include "http/entity_tag.h"
#include "identity/programmes.h"
#include "service/body.h"
#include "service/routes.h"
#include "service/staff_access.h"

namespace tanhui::service {
namespace {

namespace json = boost::json;
using identity::Action;
constexpr std::size_t kSettingsBody = 2'500'000;  // a million bytes of YAML as a JSON text, with room for escapes

json::object json_of(const identity::StoredProgramme& stored, const std::optional<identity::Programme>& settings) {
  json::object out{{"id", stored.id},
                   {"parent", or_null(stored.parent)},
                   {"state", identity::name(stored.state)},
                   {"settings", stored.settings},
                   {"version", stored.version},
                   {"created_ms", stored.created_ms}};
  if (!settings) return out;
  out["name"] = json::object{{"en", settings->name.en}, {"zh", settings->name.zh}};
  out["region"] = settings->region;
  out["time_zone"] = settings->time_zone;
  out["languages"] = json::array(settings->languages.begin(), settings->languages.end());
  return out;
}

json::object json_of(const identity::SettingsVersion& one) {
  return {{"number", one.number},
          {"valid_from_ms", one.valid_from_ms},
          {"created_ms", one.created_ms},
          {"sha256", core::to_hex(one.digest)},
          {"author", one.author}};
}

Response programme_answer(const Request& request, db::Reader& reader, const core::Result<identity::StoredProgramme>& stored,
                          core::Millis now_ms, int status = 200) {
  if (!stored) return http::problem(request, stored.error());
  return http::with_entity_tag(request, json_answer(json_of(*stored, identity::programme_at(reader, stored->id, now_ms)), status),
                               http::entity_tag(stored->version));
}

/// That the client edits what it has seen.
core::Result<identity::StoredProgramme> to_edit(const Request& request, db::Reader& reader, core::Millis now_ms) {
  auto stored = identity::stored_programme(reader, request.path_parameter("programme"), now_ms);
  if (!stored) return stored;
  if (const auto match = http::check_if_match(request, http::entity_tag(stored->version)); !match) return match.error();
  return stored;
}

/// What settings name must be in the methodology library.
core::Status check_names(const World& world, const std::string& yaml) {
  const auto programme = identity::parse_programme(yaml, "settings");
  if (!programme) return programme.error();
  std::vector<methodology::Problem> problems;
  const auto library = methodology::Library::load(world.home / "methodologies", problems);
  if (!library) return library.error();
  return activity::check_names(*programme, *library);
}

}  // namespace

void add_programme_routes(Api& api) {
  World& world = api.world();
  api.add({.method = Method::get,
           .path = "/api/v1/programmes",
           .operation_id = "listProgrammes",
           .access = Access::staff("programme.read"),
           .query = {"limit", "cursor"}},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            const auto page = read_page(request, world.cursors);
            if (!page) return http::problem(request, page.error());
            db::Snapshot reader = database.snapshot();
            const auto memberships = identity::memberships_of(reader, staff_of(request).session.owner);
            json::array items;
            std::optional<std::string> next;
            bool passed = !page->after;
            std::string last;
            for (const auto& stored : identity::stored_programmes(reader, world.now())) {
              if (!identity::allows(memberships, Action::programme_read, {identity::line_of(reader, stored.id), ""})) continue;
              if (passed && std::int64_t(items.size()) == page->limit) {
                next = last;
                break;
              }
              if (passed) {
                items.push_back(json_of(stored, identity::programme_at(reader, stored.id, world.now())));
                last = stored.id;
              }
              passed = passed || stored.id == *page->after;
            }
            return page_of(request, world.cursors, std::move(items), next);
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/programmes",
           .operation_id = "createProgramme",
           .access = Access::staff("programme.create"),
           .body_bytes_max = kSettingsBody},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            return with_body(request, {"settings"}, [&](const core::MemberReader& in) -> Response {
              const std::string yaml = in.text("settings");
              const auto programme = identity::parse_programme(yaml, "settings");
              if (!programme) return http::problem(request, programme.error());
              if (const auto right = require(tx, request, Action::programme_create, {programme->parent.value_or(""), ""}); !right)
                return http::problem(request, right.error());
              if (const auto names = check_names(world, yaml); !names) return http::problem(request, names.error());
              return programme_answer(request, tx, identity::create_programme(tx, by_caller(request, world.now()), yaml), world.now(), 201);
            });
          }));
  api.add({.method = Method::get,
           .path = "/api/v1/programmes/{programme}",
           .operation_id = "getProgramme",
           .access = Access::staff("programme.read")},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            return programme_answer(request, database,
                                    identity::stored_programme(database, request.path_parameter("programme"), world.now()), world.now());
          }));
  api.add({.method = Method::get,
           .path = "/api/v1/programmes/{programme}/settings",
           .operation_id = "listSettings",
           .access = Access::staff("programme.read")},
          api.with_database([](Request& request, db::Database& database) -> Response {
            json::array items;
            for (const auto& one : identity::settings_versions(database, request.path_parameter("programme")))
              items.push_back(json_of(one));
            return json_answer(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
          }));
  api.add({.method = Method::get,
           .path = "/api/v1/programmes/{programme}/settings/{number}",
           .operation_id = "getSettings",
           .access = Access::staff("programme.read")},
          api.with_database([](Request& request, db::Database& database) -> Response {
            const std::string id(request.path_parameter("programme")), text(request.path_parameter("number"));
            const bool whole = text.size() <= 9 && text.find_first_not_of("0123456789") == std::string::npos;
            const std::int64_t number = whole ? std::stoll(text) : 0;
            for (const auto& one : identity::settings_versions(database, id)) {
              if (one.number != number) continue;
              json::object body = json_of(one);
              body["yaml"] = *identity::settings_text(database, id, number);
              return json_answer(body);
            }
            return http::problem(request, {core::ErrorCode::not_found,
                                           "programme.no-such-version",
                                           "the settings of '" + id + "' have no version " + text,
                                           "list the versions",
                                           {{"programme", id}, {"number", text}}});
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/programmes/{programme}/settings",
           .operation_id = "changeSettings",
           .access = Access::staff("programme.settings"),
           .body_bytes_max = kSettingsBody},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            return with_body(request, {"settings", "valid_from_ms"}, [&](const core::MemberReader& in) -> Response {
              const auto stored = to_edit(request, tx, world.now());
              if (!stored) return http::problem(request, stored.error());
              const std::string yaml = in.text("settings");
              if (const auto names = check_names(world, yaml); !names) return http::problem(request, names.error());
              const auto changed = identity::change_settings(tx, by_caller(request, world.now()), stored->id, yaml,
                                                             integer_or_none(in, "valid_from_ms"), stored->version);
              Response response = answer(
                  request, changed, [](const auto& one) { return json_of(one); }, 201);
              if (changed) response.header("ETag", http::entity_tag(identity::stored_programme(tx, stored->id, world.now())->version));
              return response;
            });
          }));
  api.add({.method = Method::get,
           .path = "/api/v1/programmes/{programme}/states",
           .operation_id = "listStates",
           .access = Access::staff("programme.read")},
          api.with_database([](Request& request, db::Database& database) -> Response {
            json::array items;
            for (const auto& one : identity::state_orders(database, request.path_parameter("programme")))
              items.push_back(json::object{{"number", one.number},
                                           {"state", identity::name(one.state)},
                                           {"from_ms", one.from_ms},
                                           {"ordered_ms", one.at_ms},
                                           {"author", one.author}});
            return json_answer(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
          }));
  api.add({.method = Method::post,
           .path = "/api/v1/programmes/{programme}/states",
           .operation_id = "moveProgramme",
           .access = Access::staff("programme.state"),
           .body_bytes_max = 8 * 1024},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            return with_body(request, {"state", "from_ms"}, [&](const core::MemberReader& in) -> Response {
              const auto stored = to_edit(request, tx, world.now());
              if (!stored) return http::problem(request, stored.error());
              const auto state = identity::find_programme_state(in.text("state"));
              if (!state) in.fail("state", "is not one of draft, staged, open, paused, closed");
              return programme_answer(request, tx,
                                      identity::move_programme(tx, by_caller(request, world.now()), stored->id, *state,
                                                               integer_or_none(in, "from_ms"), stored->version),
                                      world.now(), 201);
            });
          }));
}

}  // namespace tanhui::service
