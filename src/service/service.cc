#include "service/service.h"

#include <fmt/format.h>

#include "identity/box.h"
#include "identity/instance.h"
#include "identity/partner_key.h"
#include "identity/programmes.h"
#include "methodology/methodology.h"
#include "service/committer.h"
#include "service/imports.h"
#include "service/partners.h"
#include "service/routes.h"

namespace tanhui::service {

namespace {

// Keys that partners sign with, from the database.
std::optional<PartnerKey> find_partner_key(db::Pool& databases, const identity::Box& box, std::string_view key_id, core::Millis now_ms) {
  auto lease = databases.take();
  if (!lease) throw db::Failure(lease.error().message);
  auto taken = *std::move(lease);
  auto found = identity::find_key(taken.database(), box, key_id, now_ms);
  if (!found) return std::nullopt;
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(found->bytes.data()), found->bytes.size());
  auto key =
      found->key.algorithm == identity::KeyAlgorithm::ed25519 ? http::SignatureKey::ed25519_public(bytes) : http::SignatureKey::hmac(bytes);
  if (!key) return std::nullopt;
  return PartnerKey{{found->key.id, found->key.organisation, found->key.programme, found->key.source, found->key.sandbox},
                    *std::move(key),
                    found->key.valid_from_ms,
                    found->key.valid_to_ms.value_or(0)};
}

}  // namespace

struct Service::State {
  State(Options given, identity::Instance opened, std::string where, methodology::Library methodologies)
      : options(std::move(given)),
        instance(std::move(opened)),
        library(std::move(methodologies)),
        databases(std::move(where),
                  {std::size_t(options.config.database.connections_max), std::chrono::milliseconds(options.config.database.patience_ms)}),
        router(std::make_shared<http::Router>()) {}
  Options options;
  identity::Instance instance;  // of the committer
  methodology::Library library;
  db::Pool databases;
  std::unique_ptr<Committer> committer;
  std::unique_ptr<Imports> imports;
  std::optional<World> world;
  std::shared_ptr<http::Router> router;
  std::optional<Api> api;

  Authenticator authenticate() {
    const identity::Box box(instance.secret().key_for("partner keys"));
    auto keys = std::make_shared<PartnerKeys>(
        [this, box](std::string_view key_id) { return service::find_partner_key(databases, box, key_id, options.now()); });
    const Config::Activities& config = options.config.activities;
    return by_kind(partner_authenticator(std::move(keys), std::make_shared<http::NonceStore>(options.now()), options.now,
                                         {config.public_scheme, config.public_authority}),
                   {}, {});
  }
  std::unique_ptr<http::Server> server;
};

namespace {

CommitterOptions options_of(const Config::Activities& config) {
  CommitterOptions options;
  options.waiting_records_max = std::size_t(config.waiting_records_max);
  options.batch_records_max = std::size_t(config.batch_records_max);
  options.window.open_days = int(config.open_days);
  options.window.memory_bytes = std::size_t(config.memory_mib) << 20;
  options.window.book_every_ms = config.book_every_ms;
  options.seal_every_ms = config.seal_every_hours * 3'600'000;
  options.settle_waiting_every_ms = config.settle_waiting_every_s * 1000;
  return options;
}

core::Result<methodology::Library> load_library(const std::filesystem::path& home) {
  std::vector<methodology::Problem> problems;
  auto library = methodology::Library::load(home / "methodologies", problems);
  if (!library) return library.error();
  if (!problems.empty())
    return core::Error{core::ErrorCode::refused,
                       "methodology.invalid",
                       fmt::format("{} mistakes in the methodology library", problems.size()),
                       "tanhui methodology check tells them",
                       {}};
  return library;
}

}  // namespace

namespace {

// Those that are open now, with the settings that are in force now.
core::Status open_programmes(Committer& committer, core::Millis now_ms) {
  auto stored = committer.run([&] { return identity::stored_programmes(committer.instance().database(), now_ms); }).get();
  for (const identity::StoredProgramme& one : stored) {
    if (one.state != identity::ProgrammeState::open) continue;
    auto programme = committer.run([&] { return identity::programme_at(committer.instance().database(), one.id, now_ms); }).get();
    if (!programme) continue;
    auto opened = committer.open(*std::move(programme));
    if (!opened) return opened.error();
  }
  return core::Done{};
}

}  // namespace

Service::Service(std::unique_ptr<State> state) : state_(std::move(state)) {}
Service::~Service() = default;

core::Result<std::unique_ptr<Service>> Service::open(Options options) {
  auto instance = identity::Instance::open_or_create(options.instance, options.database);
  if (!instance) return instance.error();
  auto where = identity::Instance::database_of(options.instance, options.database);
  if (!where) return where.error();
  auto library = load_library(options.home);
  if (!library) return library.error();
  auto state = std::make_unique<State>(std::move(options), *std::move(instance), *where, *std::move(library));
  auto committer = Committer::start(state->instance, state->library, options_of(state->options.config.activities), state->options.now);
  if (!committer) return committer.error();
  state->committer = *std::move(committer);
  if (auto status = open_programmes(*state->committer, state->options.now()); !status) return status.error();
  state->imports = std::make_unique<Imports>(*state->committer, state->databases, state->options.home, state->options.instance,
                                             state->options.now, state->options.random);
  state->world.emplace(World{state->options.config, state->databases, *state->committer, state->imports.get(), state->options.instance,
                             state->options.now, state->options.random});
  state->api.emplace(*state->world, *state->router, state->options.authenticator ? state->options.authenticator : state->authenticate());
  add_routes(*state->api);
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
const std::vector<Operation>& Service::operations() const { return state_->api->operations(); }

}  // namespace tanhui::service
