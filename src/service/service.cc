#include "service/service.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/files.h"
#include "core/invariant.h"
#include "http/metrics.h"
#include "identity/instance.h"
#include "service/idempotency.h"
#include "service/mqtt.h"
#include "service/partners.h"
#include "service/person_access.h"
#include "service/record_metrics.h"
#include "service/routes.h"
#include "service/staff_access.h"

namespace tanhui::service {
namespace {

constexpr std::int64_t kSweptRows = 1'000;  // in one transaction, so that writers wait for milliseconds only

http::Log::Level level_of(std::string_view name) {
  if (name == "debug") return http::Log::Level::debug;
  if (name == "warning") return http::Log::Level::warning;
  return name == "error" ? http::Log::Level::error : http::Log::Level::info;
}

http::AccessLog::Which which_of(std::string_view name) {
  if (name == "none") return http::AccessLog::Which::none;
  return name == "errors" ? http::AccessLog::Which::errors : http::AccessLog::Which::all;
}

std::int64_t sweep_all(db::Database& database, core::Millis now) {
  std::int64_t all = 0;
  for (std::int64_t rows = kSweptRows; rows == kSweptRows; all += rows) {
    db::Transaction tx = database.begin();
    rows = sweep_idempotency(tx, now, kSweptRows);
    tx.commit();
  }
  return all;
}

}  // namespace

struct Service::State {
  State(Options given, identity::Instance opened, std::string where, std::string_view secret)
      : options(std::move(given)),
        instance(std::move(opened)),
        databases(std::move(where),
                  {std::size_t(options.config.database.connections_max), std::chrono::milliseconds(options.config.database.patience_ms)}),
        cursors(secret),
        log(http::Log::to_standard_output(level_of(options.config.log.level), options.now)),
        router(std::make_shared<http::Router>()) {}
  Options options;
  identity::Instance instance;  // of the records' committer, as soon as there is one
  db::Pool databases;
  std::unique_ptr<Records> records;
  std::unique_ptr<MqttIntake> mqtt;  // ends before the records do
  Cursors cursors;
  std::shared_ptr<http::Log> log;
  std::optional<World> world;
  std::shared_ptr<http::Router> router;
  std::optional<Api> api;
  std::unique_ptr<http::EventHub> events;
  std::unique_ptr<RecordMetrics> record_metrics;
  std::unique_ptr<http::Server> server, metrics_server;
  std::shared_ptr<http::Metrics> metrics;
  void do_chores(const std::stop_token& over);
};

Service::Service(std::unique_ptr<State> state) : state_(std::move(state)) {}
Service::~Service() = default;

core::Result<std::unique_ptr<Service>> Service::open(Options options) {
  auto instance = identity::Instance::open_or_create(options.instance, options.database);
  if (!instance) return instance.error();
  auto where = identity::Instance::database_of(options.instance, options.database);
  if (!where) return where.error();
  const auto secret = core::read_file(options.instance / "secret.key");
  core::invariant(secret.has_value(), "an instance that was opened has its key");
  auto state = std::make_unique<State>(std::move(options), *std::move(instance), *where, *secret);
  const Options& given = state->options;
  auto records =
      Records::start(state->instance, state->databases, given.config.activities, {given.home, given.instance}, given.now, given.random);
  if (!records) return records.error();
  state->records = *std::move(records);
  std::array<std::uint8_t, 8> epoch{};
  given.random(epoch);
  std::uint64_t epoch_number = 0;
  for (const std::uint8_t byte : epoch) epoch_number = epoch_number << 8 | byte;
  state->events = std::make_unique<http::EventHub>(http::EventLimits{}, epoch_number);
  state->records->publish_to(*state->events);
  state->world.emplace(World{given.config, state->databases, *state->records, given.instance, given.home, *state->log, state->cursors,
                             *state->events, given.now, given.random, state->instance.secret()});
  state->api.emplace(*state->world, *state->router,
                     given.authenticator ? given.authenticator
                                         : by_kind(state->records->partners(), person_authenticator(state->databases, given.now),
                                                    staff_authenticator(state->databases, given.now)));
  if (const auto added = add_routes(*state->api); !added) return added.error();
  // The committer leaves this to others: its requests would wait for it.
  state->api->add_chore("checkpoint", std::chrono::seconds(1), [](db::Database& database) {
    database.checkpoint();
    return std::int64_t(0);
  });
  state->api->add_chore("forget old answers", std::chrono::minutes(10),
                        [now = state->options.now](db::Database& database) { return sweep_all(database, now()); });
  state->metrics = std::make_shared<http::Metrics>(*state->router);
  if (const Config::Mqtt& mqtt = given.config.mqtt; !mqtt.host.empty()) {
    MqttOptions broker{.host = mqtt.host,
                       .port = int(mqtt.port),
                       .client_id = mqtt.client_id,
                       .user = mqtt.user,
                       .password = mqtt.password,
                       .ca_file = mqtt.ca_file};
    auto intake = MqttIntake::start(state->instance, state->records->committer(), std::move(broker), given.now, given.random);
    if (!intake) return intake.error();
    state->mqtt = *std::move(intake);
  }
  state->record_metrics = std::make_unique<RecordMetrics>(state->records->committer(), state->mqtt ? &state->mqtt->counts() : nullptr,
                                                          state->metrics->registry());
  const Config::Http& http = state->options.config.http;
  http::Settings settings;
  const bool tls = !http.tls_certificate.empty();
  settings.listen = {{http.address, std::uint16_t(http.port), tls}};
  if (tls) settings.tls = http::TlsFiles{http.tls_certificate, http.tls_key};
  const auto ms = [](std::int64_t count) { return std::chrono::milliseconds(count); };
  settings.limits = http::Limits{.header_bytes_max = std::size_t(http.header_bytes_max),
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
  settings.observers = {state->metrics, std::make_shared<http::AccessLog>(state->log, which_of(state->options.config.log.requests))};
  auto server = http::Server::open(std::move(settings), state->router);
  if (!server) return server.error();
  state->server = *std::move(server);
  state->server->on_stop([events = state->events.get()] { events->stop(); });
  if (state->options.config.metrics.port != 0) {
    auto router = std::make_shared<http::Router>();
    router->add({Method::get, "/metrics", "getMetrics"},
                http::blocking([metrics = state->metrics, records = state->record_metrics.get()](Request&) {
                  records->update();
                  return Response{.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics->text()};
                }));
    http::Settings own;
    own.listen = {{state->options.config.metrics.address, std::uint16_t(state->options.config.metrics.port), false}};
    own.limits.connections_max = 100;
    own.limits.blocking_threads = 1;
    own.limits.stop_time = std::chrono::milliseconds(500);
    own.now = state->options.now;
    own.seed = settings.seed + 1;
    auto metrics_server = http::Server::open(std::move(own), std::move(router));
    if (!metrics_server) return metrics_server.error();
    state->metrics_server = *std::move(metrics_server);
  }
  return std::unique_ptr<Service>(new Service(std::move(state)));
}

std::string Service::address() const {
  const Config::Http& http = state_->options.config.http;
  const bool v6 = http.address.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", http.tls_certificate.empty() ? "http" : "https", v6 ? "[" : "", http.address, v6 ? "]" : "",
                     state_->server->ports().front());
}

/// Each chore in its turn; one that fails is logged and comes again.
void Service::State::do_chores(const std::stop_token& over) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::vector<std::chrono::steady_clock::time_point> due;
  for (const Api::Chore& chore : api->chores()) due.push_back(std::chrono::steady_clock::now() + chore.every);
  while (!over.stop_requested() && !due.empty()) {
    const auto next = std::min_element(due.begin(), due.end());
    {
      std::unique_lock lock(mutex);
      if (wake.wait_until(lock, over, *next, [] { return false; }); over.stop_requested()) return;
    }
    const Api::Chore& chore = api->chores()[std::size_t(next - due.begin())];
    try {
      auto lease = databases.take();
      if (lease) {
        auto taken = *std::move(lease);
        const std::int64_t done = chore.work(taken.database());
        if (done > 0) log->write(http::Log::Level::info, "chore", {{"name", chore.name}, {"done", done}});
      }
    } catch (const std::exception& failure) {
      log->write(http::Log::Level::error, "chore failed", {{"name", chore.name}, {"what", std::string_view(failure.what())}});
    }
    *next = std::chrono::steady_clock::now() + chore.every;
  }
}

void Service::run() {
  std::jthread chores([this](const std::stop_token& over) { state_->do_chores(over); });
  std::jthread metrics;
  if (state_->metrics_server != nullptr) metrics = std::jthread([this] { state_->metrics_server->run(); });
  const auto stop_metrics = [this] {
    if (state_->metrics_server != nullptr) state_->metrics_server->stop();
  };
  state_->log->write(http::Log::Level::info, "started", {{"address", address()}});
  try {
    state_->server->run();
  } catch (...) {
    stop_metrics();
    throw;
  }
  stop_metrics();
  state_->log->write(http::Log::Level::info, "stopped", {});
}

void Service::stop() { state_->server->stop(); }
const std::vector<Operation>& Service::operations() const { return state_->api->operations(); }
std::string Service::metrics_address() const {
  if (state_->metrics_server == nullptr) return "";
  return fmt::format("http://{}:{}", state_->options.config.metrics.address, state_->metrics_server->ports().front());
}

}  // namespace tanhui::service
