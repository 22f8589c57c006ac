#include "service/api.h"

namespace tanhui::service {
namespace {

/// Runs what the handler is, from a coroutine.
asio::awaitable<Response> run(const http::Handler& handler, Request& request) {
  if (const auto* plain = std::get_if<http::PlainHandler>(&handler)) co_return (*plain)(request);
  if (const auto* waits = std::get_if<http::CoroutineHandler>(&handler)) co_return co_await (*waits)(request);
  const auto& blocking = std::get<http::BlockingHandler>(handler);
  Response response;
  co_await http::run_blocking(request, [&] { response = blocking.run(request); });
  co_return response;
}

Response refuse(const Request& request, const core::Error& error) {
  Response response = http::problem(request, error);
  if (response.status == 401) response.header("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

void Api::add(Operation operation, http::Handler handler) {
  http::Route route{.method = operation.method,
                    .path = operation.path,
                    .operation_id = operation.operation_id,
                    .query = operation.query,
                    .body_bytes_max = operation.body_bytes_max,
                    .order_free = operation.order_free};
  operations_.push_back(operation);
  if (operation.access.kind == Kind::everyone) return router_.add(std::move(route), std::move(handler));
  router_.add(std::move(route), http::coroutine([this, handler = std::move(handler),
                                                 access = operation.access](Request& request) -> asio::awaitable<Response> {
                auto caller = co_await authenticator_(request, access);
                if (!caller) co_return refuse(request, caller.error());
                request.context = *std::move(caller);
                co_return co_await run(handler, request);
              }));
}

http::Handler Api::with_database(std::function<Response(Request&, db::Database&)> handler) {
  return http::blocking([this, handler = std::move(handler)](Request& request) -> Response {
    auto lease = world_.databases.take();
    if (!lease) return http::problem(request, lease.error()).header("Retry-After", "1");
    auto taken = *std::move(lease);
    return handler(request, taken.database());
  });
}

}  // namespace tanhui::service
