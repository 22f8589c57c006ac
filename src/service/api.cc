#include "service/api.h"

#include "service/idempotency.h"

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

/// What everybody's answer needs besides: the rate that is left; nothing personal stays in caches.
void finish_answer(Response& response, const Operation& operation, const http::RateLimiter* limiter,
                   const http::RateLimiter::Decision& decision) {
  if (limiter != nullptr) http::add_rate_headers(response, limiter->policy(), decision);
  const auto is_cache_control = [](const auto& header) { return header.first == "Cache-Control"; };
  if (operation.access.kind != Kind::everyone && std::none_of(response.headers.begin(), response.headers.end(), is_cache_control)) {
    response.header("Cache-Control", "no-store");
  }
}

}  // namespace

Api::Api(World& world, http::Router& router, Authenticator authenticator)
    : world_(world), router_(router), authenticator_(std::move(authenticator)) {
  const Config::Rates& rates = world.config.rates;
  const std::pair<std::int64_t, std::int64_t> of_kinds[] = {{rates.everyone_per_second, rates.everyone_burst},
                                                            {rates.partner_per_second, rates.partner_burst},
                                                            {rates.person_per_second, rates.person_burst},
                                                            {rates.staff_per_second, rates.staff_burst}};
  for (std::size_t i = 0; i < limiters_.size(); ++i) {
    if (of_kinds[i].first == 0) continue;
    std::array<std::uint8_t, 8> seed{};
    world.random(seed);
    std::uint64_t number = 0;
    for (const std::uint8_t byte : seed) number = number << 8 | byte;
    limiters_[i] = std::make_unique<http::RateLimiter>(http::RatePolicy{of_kinds[i].first, of_kinds[i].second}, number);
  }
}

void Api::add(Operation operation, http::Handler handler) {
  http::Route route{.method = operation.method,
                    .path = operation.path,
                    .operation_id = operation.operation_id,
                    .query = operation.query,
                    .body_bytes_max = operation.body_bytes_max,
                    .order_free = operation.order_free};
  operations_.push_back(operation);
  http::RateLimiter* limiter = operation.rate_limited ? limiters_[std::size_t(operation.access.kind)].get() : nullptr;
  const bool open = operation.access.kind == Kind::everyone;
  if (open && limiter == nullptr) return router_.add(std::move(route), std::move(handler));
  if (auto* socket = std::get_if<http::SocketHandler>(&handler)) {
    const auto admit = [this, operation, limiter, open,
                        inner = socket->admit](Request& request) -> asio::awaitable<std::optional<Response>> {
      Caller caller;
      if (!open) {
        auto found = co_await authenticator_(request, operation.access);
        if (!found) co_return refuse(request, found.error());
        caller = *std::move(found);
      }
      if (limiter != nullptr) {
        const auto decision = limiter->take(open ? request.peer() : caller.id, world_.now());
        if (!decision.allowed) {
          Response refused = http::problem(request, http::rate_limited(decision));
          http::add_rate_headers(refused, limiter->policy(), decision);
          co_return refused;
        }
      }
      request.context = std::move(caller);
      if (inner) co_return co_await inner(request);
      co_return std::nullopt;
    };
    return router_.add(std::move(route), http::SocketHandler{admit, socket->run});
  }
  if (const auto* plain = std::get_if<http::PlainHandler>(&handler); plain != nullptr && open) {
    return router_.add(std::move(route), http::plain([this, run = *plain, operation, limiter](Request& request) {
                         const auto decision = limiter->take(request.peer(), world_.now());
                         Response response = decision.allowed ? run(request) : http::problem(request, http::rate_limited(decision));
                         finish_answer(response, operation, limiter, decision);
                         return response;
                       }));
  }
  router_.add(std::move(route), http::coroutine([this, handler = std::move(handler), operation, limiter,
                                                 open](Request& request) -> asio::awaitable<Response> {
                http::RateLimiter::Decision decision;
                Caller caller;
                if (!open) {
                  auto found = co_await authenticator_(request, operation.access);
                  if (!found) co_return refuse(request, found.error());
                  caller = *std::move(found);
                }
                if (limiter != nullptr) decision = limiter->take(open ? request.peer() : caller.id, world_.now());
                Response response;
                if (decision.allowed) {
                  request.context = std::move(caller);
                  response = co_await run(handler, request);
                } else {
                  response = http::problem(request, http::rate_limited(decision));
                }
                finish_answer(response, operation, limiter, decision);
                co_return response;
              }));
}

http::Handler Api::with_database(std::function<Response(Request&, db::Database&)> handler) {
  return http::blocking([this, handler = std::move(handler)](Request& request) -> Response {
    try {
      auto lease = world_.databases.take();
      if (!lease) return http::problem(request, lease.error()).header("Retry-After", "1");
      auto taken = *std::move(lease);
      return handler(request, taken.database());
    } catch (const db::ConstraintBroken&) {
      throw;  // a mistake of this program; asking again does not help
    } catch (const db::Failure& failure) {
      world_.log.write(http::Log::Level::error, "database failed",
                       {{"request_id", request.request_id()}, {"what", std::string_view(failure.what())}});
      return http::problem(request,
                           core::Error{core::ErrorCode::refused, "db.failed", "the database failed; whether this was done is not known",
                                       "try again, with the same Idempotency-Key where there was one"})
          .header("Retry-After", "2");
    }
  });
}

http::Handler Api::with_transaction(std::function<Response(Request&, db::Transaction&)> handler) {
  return with_database([this, handler = std::move(handler)](Request& request, db::Database& database) -> Response {
    const auto key = read_idempotency_key(request, caller_of(request));
    if (!key) return http::problem(request, key.error());
    db::Transaction tx = database.begin();
    auto response = run_once(tx, *key, world_.now(), [&] { return handler(request, tx); });
    if (!response) return http::problem(request, response.error());
    if ((*response).status < 300) tx.commit();
    return *std::move(response);
  });
}

void Api::add_chore(std::string name, std::chrono::seconds every, std::function<std::int64_t(db::Database&)> work) {
  chores_.push_back({std::move(name), every, std::move(work)});
}

}  // namespace tanhui::service
