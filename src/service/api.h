// service/api.h: where operations are added to the service. An operation is a route with a rule of access; what every operation needs (who
// calls, how often, errors as problems) is done here, so that a handler only does its own work.
//
//   void add_people_routes(Api& api) {            // in routes_people.cc, called from routes.cc
//     api.add({.method = Method::get, .path = "/api/v1/people/{id}", .operation_id = "getPerson", .access = Access::staff("person.read")},
//             api.with_database([](Request& request, db::Database& database) -> Response { ... }));
//   }
#pragma once
#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/time.h"
#include "db/pool.h"
#include "http/log.h"
#include "http/problem.h"
#include "http/rate_limit.h"
#include "http/router.h"
#include "http/server.h"
#include "service/access.h"
#include "service/config.h"
#include "service/page.h"

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
  bool rate_limited = true;             // counts against the caller's rate
};

/// What handlers work with; all of it outlives them.
struct World {
  const Config& config;
  db::Pool& databases;
  std::filesystem::path instance;  // the folder
  std::filesystem::path home;      // has api/, methodologies/, programmes/
  http::Log& log;
  const Cursors& cursors;
  std::function<core::Millis()> now;
  std::function<void(std::span<std::uint8_t>)> random;
  const core::KeySecret& secret;  // keys of other purposes come from it
};

class Api {
 public:
  Api(World& world, http::Router& router, Authenticator authenticator);
  void add(Operation operation, http::Handler handler);
  World& world() { return world_; }

  /// A handler that works with a database connection, on the pool for blocking work. No free connection: 503 with Retry-After. A store
  /// that fails: 503.
  http::Handler with_database(std::function<Response(Request&, db::Database&)> handler);
  /// A handler that writes: one transaction, done once for an Idempotency-Key (which is required), rolled back unless it answers 2xx.
  http::Handler with_transaction(std::function<Response(Request&, db::Transaction&)> handler);

  /// Something to do now and then with a connection, on a thread of its own: `work` tells how much it did. Before the service runs.
  void add_chore(std::string name, std::chrono::seconds every, std::function<std::int64_t(db::Database&)> work);
  struct Chore {
    std::string name;
    std::chrono::seconds every;
    std::function<std::int64_t(db::Database&)> work;
  };
  const std::vector<Chore>& chores() const { return chores_; }

  const std::vector<Operation>& operations() const { return operations_; }

 private:
  World& world_;
  http::Router& router_;
  Authenticator authenticator_;
  std::vector<Operation> operations_;
  std::vector<Chore> chores_;
  /// By kind of caller.
  std::array<std::unique_ptr<http::RateLimiter>, 4> limiters_;
};

}  // namespace tanhui::service
