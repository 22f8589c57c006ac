// /health/live: the process answers. /health/ready: it can do its work: the database answers, the journal's folder can be written, the disk
// has room. For load balancers and orchestrators; what is wrong is said in words, without addresses or paths.
#include <unistd.h>

#include <filesystem>

#include "core/json.h"
#include "service/routes.h"

namespace tanhui::service {
namespace {

struct Check {
  std::string_view name;
  bool fine;
  std::string_view problem;
};

Response ready(const World& world, Request&) {
  bool database = false;
  try {
    if (auto lease = world.databases.take()) {
      auto taken = *std::move(lease);
      database = taken.database().find<std::int64_t>("SELECT CAST(1 AS BIGINT) AS one") == 1;
    }
  } catch (const db::Failure&) {
    database = false;
  }
  std::error_code problem;
  const auto space = std::filesystem::space(world.instance, problem);
  const auto journal = world.instance / "journal";
  const bool room = !problem && std::int64_t(space.available) >= world.config.disk.free_bytes_min;
  // The first run makes the journal's folder: until then the instance's must be writable.
  const auto& written = std::filesystem::exists(journal, problem) ? journal : world.instance;
  const bool writable = ::access(written.c_str(), W_OK | X_OK) == 0;
  const Check checks[] = {{"database", database, "the database does not answer"},
                          {"journal", writable, "the journal's folder cannot be written"},
                          {"disk", room, "the disk has less free than disk.free_bytes_min"}};
  boost::json::object told;
  bool fine = true;
  for (const Check& check : checks) {
    told[check.name] = check.fine ? std::string_view("ok") : check.problem;
    fine = fine && check.fine;
  }
  return {.status = fine ? 200 : 503,
          .body = boost::json::serialize(boost::json::object{{"status", fine ? "ready" : "not ready"}, {"checks", std::move(told)}})};
}

}  // namespace

void add_health_routes(Api& api) {
  api.add(
      {.method = Method::get, .path = "/health/live", .operation_id = "getLiveness", .access = Access::everyone(), .rate_limited = false},
      http::plain([](Request&) { return Response{.body = R"({"status":"live"})"}; }));
  api.add(
      {.method = Method::get, .path = "/health/ready", .operation_id = "getReadiness", .access = Access::everyone(), .rate_limited = false},
      http::blocking([&world = api.world()](Request& request) { return ready(world, request); }));
}

}  // namespace tanhui::service
