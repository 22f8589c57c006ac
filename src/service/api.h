// service/api.h: where operations are added to the service. An operation is a route with a rule of access; what every operation needs (who
// calls, how often, errors as problems) is done here, so that a handler only does its own work.
//
//   void add_people_routes(Api& api) {            // in routes_people.cc, called from routes.cc
//     api.add({.method = Method::get, .path = "/api/v1/people/{id}", .operation_id = "getPerson", .access = Access::staff("person.read")},
//             api.with_database([](Request& request, db::Database& database) -> Response { ... }));
//   }
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/time.h"
#include "db/pool.h"
#include "http/problem.h"
#include "http/router.h"
#include "http/server.h"
#include "service/access.h"
#include "service/committer.h"
#include "service/config.h"
#include "service/imports.h"

namespace tanhui::service {

using http::Method;
using http::Request;
using http::Response;
namespace asio = http::asio;

struct Operation {
  Method method = Method::get;
  std::string path;          // /api/v1/people/{id}
  std::string operation_id;  // getPerson, as in api/openapi.yaml
  Access access;
  std::vector<std::string> query = {};  // parameters it takes; others are refused
  std::size_t body_bytes_max = 0;       // 0: takes no body
  bool order_free = false;              // see http::Route
};

/// What handlers work with; all of it outlives them.
struct World {
  const Config& config;
  db::Pool& databases;
  Committer& committer;
  Imports* imports;
  std::filesystem::path instance;  // the folder
  std::function<core::Millis()> now;
  std::function<void(std::span<std::uint8_t>)> random;
};

class Api {
 public:
  Api(World& world, http::Router& router, Authenticator authenticator)
      : world_(world), router_(router), authenticator_(std::move(authenticator)) {}
  void add(Operation operation, http::Handler handler);
  World& world() { return world_; }

  /// A handler that works with a database connection, on the pool for blocking work. No free connection: 503 with Retry-After.
  http::Handler with_database(std::function<Response(Request&, db::Database&)> handler);

  const std::vector<Operation>& operations() const { return operations_; }

 private:
  World& world_;
  http::Router& router_;
  Authenticator authenticator_;
  std::vector<Operation> operations_;
};

}  // namespace tanhui::service
