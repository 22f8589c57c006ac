// POST /api/v1/imports: a partner sends a file of its records (CSV, NDJSON, Parquet, compressed or not). The answer is where to ask how far
// it is.
#include <fmt/format.h>

#include "core/json.h"
#include "service/imports.h"
#include "service/partners.h"
#include "service/routes.h"

namespace tanhui::service {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{64} << 20;

std::string_view name(activity::Progress::Step step) {
  switch (step) {
    case activity::Progress::Step::intake:
      return "intake";
    case activity::Progress::Step::look_back:
      return "look-back";
    case activity::Progress::Step::settle:
      return "settle";
    case activity::Progress::Step::book:
      return "book";
  }
  return "";
}

boost::json::object told(const Import& import, const Imports& imports) {
  boost::json::object json{{"id", import.id},
                           {"state", import.state},
                           {"programme", import.programme},
                           {"source", import.source.empty() ? boost::json::value(nullptr) : boost::json::value(import.source)},
                           {"profile", import.profile.empty() ? boost::json::value(nullptr) : boost::json::value(import.profile)},
                           {"bytes", import.bytes},
                           {"created", core::to_text_utc(import.created_ms)}};
  if (const auto progress = imports.progress_of(import.id)) {
    json["state"] = "running";
    json["progress"] = {
        {"step", name(progress->step)}, {"records", progress->records}, {"done", progress->done}, {"total", progress->total}};
  }
  if (import.finished_ms) json["finished"] = core::to_text_utc(*import.finished_ms);
  if (import.run) json["run"] = *import.run;
  if (!import.report.empty()) json[import.state == "done" ? "report" : "problem"] = boost::json::parse(import.report);
  return json;
}

core::Error not_found(std::string_view id) {
  return {core::ErrorCode::not_found,
          "import.not-found",
          fmt::format("there is no import '{}'", id),
          "use the id that the answer gave",
          {{"import", std::string(id)}}};
}

}  // namespace

void add_import_routes(Api& api) {
  World& world = api.world();
  api.add(
      {.method = Method::post,
       .path = "/api/v1/imports",
       .operation_id = "postImport",
       .access = Access::partner(),
       .query = {"profile"},
       .body_bytes_max = kFileBytesMax},
      http::blocking([&world](Request& request) -> Response {
        const Partner& partner = partner_of(request);
        if (request.body().empty())
          return http::problem(request, {core::ErrorCode::invalid_input, "import.empty", "the body is empty", "send the file as the body"});
        const auto profile = request.query().text("profile", 64);
        if (!profile) return http::problem(request, profile.error());
        auto import = world.records.imports().add({partner.programme, partner.source, partner.key_id, std::string(profile->value_or(""))},
                                                  request.body());
        if (!import) return http::problem(request, import.error());
        return Response{.status = 202, .body = boost::json::serialize(told(*import, world.records.imports()))}.header(
            "Location", "/api/v1/imports/" + import->id);
      }));
  api.add({.method = Method::get, .path = "/api/v1/imports/{id}", .operation_id = "getImport", .access = Access::partner()},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            const Partner& partner = partner_of(request);
            const std::string_view id = request.path_parameter("id");
            const auto import = find_import(database, id);
            if (!import || import->programme != partner.programme || import->source != partner.source)
              return http::problem(request, not_found(id));
            return Response{.body = boost::json::serialize(told(*import, world.records.imports()))};
          }));
  api.add({.method = Method::get, .path = "/api/v1/imports", .operation_id = "listImports", .access = Access::partner()},
          api.with_database([&world](Request& request, db::Database& database) -> Response {
            const Partner& partner = partner_of(request);
            boost::json::array list;
            for (Import& import : imports_of(database, partner.programme, partner.source, 100)) {
              import.report.clear();
              list.push_back(told(import, world.records.imports()));
            }
            return Response{.body = boost::json::serialize(boost::json::object{{"imports", std::move(list)}})};
          }));
}

}  // namespace tanhui::service
