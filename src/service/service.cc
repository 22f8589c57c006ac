#include "service/service.h"

#include <fmt/format.h>

#include "identity/instance.h"
#include "service/routes.h"

namespace tanhui::service {

struct Service::State {
  State(Options given, identity::Instance opened, std::string where)
      : options(std::move(given)),
        instance(std::move(opened)),
        databases(std::move(where),
                  {std::size_t(options.config.database.connections_max), std::chrono::milliseconds(options.config.database.patience_ms)}),
        world{options.config, databases, options.instance, options.now, options.random},
        router(std::make_shared<http::Router>()),
        api(world, *router, options.authenticator) {}
  Options options;
  identity::Instance instance;
  db::Pool databases;
  World world;
  std::shared_ptr<http::Router> router;
  Api api;
  std::unique_ptr<http::Server> server;
};

Service::Service(std::unique_ptr<State> state) : state_(std::move(state)) {}
Service::~Service() = default;

core::Result<std::unique_ptr<Service>> Service::open(Options options) {
  auto instance = identity::Instance::open_or_create(options.instance, options.database);
  if (!instance) return instance.error();
  auto where = identity::Instance::database_of(options.instance, options.database);
  if (!where) return where.error();
  auto state = std::make_unique<State>(std::move(options), *std::move(instance), *where);
  add_routes(state->api);
  const Config::Http& http = state->options.config.http;
  http::Settings settings;
  const bool tls = !http.tls_certificate.empty();
  settings.listen = {{http.address, std::uint16_t(http.port), tls}};
  if (tls) settings.tls = http::TlsFiles{http.tls_certificate, http.tls_key};
  const auto ms = [](std::int64_t count) { return std::chrono::milliseconds(count); };
  settings.limits = {.header_bytes_max = std::size_t(http.header_bytes_max),
                     .connections_max = std::size_t(http.connections_max),
                     .requests_per_connection_max = std::size_t(http.requests_per_connection_max),
                     .pipeline_max = std::size_t(http.pipeline_max),
                     .unsent_bytes_max = std::size_t(http.unsent_bytes_max),
                     .tls_time = ms(http.header_time_ms),
                     .header_time = ms(http.header_time_ms),
                     .body_time = ms(http.body_time_ms),
                     .answer_time = ms(http.answer_time_ms),
                     .idle_time = ms(http.idle_time_ms),
                     .send_time = ms(http.send_time_ms),
                     .stop_time = ms(http.stop_time_ms),
                     .blocking_threads = std::size_t(http.blocking_threads),
                     .blocking_waiting_max = std::size_t(http.blocking_waiting_max)};
  settings.threads = unsigned(http.threads);
  settings.allowed_origins = http.allowed_origins;
  settings.now = state->options.now;
  std::array<std::uint8_t, 8> seed{};
  state->options.random(seed);
  for (const std::uint8_t byte : seed) settings.seed = settings.seed << 8 | byte;
  auto server = http::Server::open(std::move(settings), state->router);
  if (!server) return server.error();
  state->server = *std::move(server);
  return std::unique_ptr<Service>(new Service(std::move(state)));
}

std::string Service::address() const {
  const Config::Http& http = state_->options.config.http;
  const bool v6 = http.address.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", http.tls_certificate.empty() ? "http" : "https", v6 ? "[" : "", http.address, v6 ? "]" : "",
                     state_->server->ports().front());
}

void Service::run() { state_->server->run(); }
void Service::stop() { state_->server->stop(); }
const std::vector<Operation>& Service::operations() const { return state_->api.operations(); }

}  // namespace tanhui::service
