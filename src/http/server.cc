#include "http/server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <openssl/err.h>

#include <mutex>
#include <thread>

#include "core/invariant.h"
#include "core/threads.h"
#include "http/connection.h"
#include "http/engine.h"

namespace tanhui::http {
namespace {

using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable_t<Executor>());

/// What a connection over the limit is told, without a byte of it being read.
const std::string& full_answer() {
  static const std::string text = [] {
    const std::string_view body =
        R"({"type":"urn:tanhui:problem:http.too-many-connections","title":"Too many connections","status":503,)"
        R"("detail":"the server has as many connections as it takes","action":"try again after 5 s","params":{}})";
    return fmt::format(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Type: "
        "application/problem+json\r\nContent-Length: "
        "{}\r\n\r\n{}",
        body.size(), body);
  }();
  return text;
}

core::Result<std::shared_ptr<asio::ssl::context>> make_tls(const TlsFiles& files) {
  const auto wrong = [](const std::filesystem::path& file, const std::string& why) {
    return core::Error{core::ErrorCode::invalid_input,
                       "http.bad-certificate",
                       fmt::format("{}: {}", file.string(), why),
                       "give a PEM file that holds the certificate and those that signed it, and one with its private key",
                       {{"file", file.string()}}};
  };
  std::error_code ignored;
  const auto rights = std::filesystem::status(files.private_key, ignored).permissions();
  if (!ignored && (rights & (std::filesystem::perms::group_all | std::filesystem::perms::others_all)) != std::filesystem::perms::none) {
    return wrong(files.private_key, "others than its owner can read the private key (chmod 600)");
  }
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_3_VERSION);
  SSL_CTX_set_max_early_data(context->native_handle(), 0);  // early data can be replayed
  boost::system::error_code problem;
  context->use_certificate_chain_file(files.certificate_chain.string(), problem);
  if (problem) return wrong(files.certificate_chain, problem.message());
  context->use_private_key_file(files.private_key.string(), asio::ssl::context::pem, problem);
  if (problem) return wrong(files.private_key, problem.message());
  if (SSL_CTX_check_private_key(context->native_handle()) != 1)
    return wrong(files.private_key, "the key does not belong to the certificate");
  SSL_CTX_set_alpn_select_cb(
      context->native_handle(),
      [](SSL*, const unsigned char** out, unsigned char* length, const unsigned char* offered, unsigned int offered_length, void*) {
        static constexpr unsigned char kHttp11[] = "\x08http/1.1";
        return SSL_select_next_proto(const_cast<unsigned char**>(out), length, kHttp11, sizeof kHttp11 - 1, offered, offered_length) ==
                       OPENSSL_NPN_NEGOTIATED
                   ? SSL_TLSEXT_ERR_OK
                   : SSL_TLSEXT_ERR_ALERT_FATAL;
      },
      nullptr);
  return context;
}

}  // namespace

struct Server::State {
  Shared shared;
  std::vector<std::unique_ptr<Engine>> engines;
  std::vector<std::pair<Acceptor, bool>> acceptors;  // and whether it speaks TLS
  std::mutex tls_mutex;
  std::shared_ptr<asio::ssl::context> tls;
  std::size_t next_engine = 0;
  std::mutex stop_mutex;
  bool stopped = false;
  std::vector<std::function<void()>> stop_hooks;

  std::shared_ptr<asio::ssl::context> current_tls() {
    const std::scoped_lock lock(tls_mutex);
    return tls;
  }
  asio::awaitable<void, Executor> accept(Acceptor& acceptor, bool secure);
  void take(Engine& engine, Socket socket, bool secure);
};

asio::awaitable<void, Executor> Server::State::accept(Acceptor& acceptor, bool secure) {
  Timer pause(engines.front()->io());
  while (acceptor.is_open()) {
    Engine& engine = *engines[next_engine++ % engines.size()];
    auto [problem, socket] = co_await acceptor.async_accept(engine.io().get_executor(), kTuple);
    if (!acceptor.is_open()) co_return;
    if (problem) {  // no more file descriptors, for example: what is open goes on
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(kTuple);
      continue;
    }
    take(engine, std::move(socket), secure);
  }
}

void Server::State::take(Engine& engine, Socket socket, bool secure) {
  boost::system::error_code problem;
  if (shared.connections.fetch_add(1) >= shared.settings.limits.connections_max) {
    shared.connections.fetch_sub(1);
    if (!secure) {
      socket.non_blocking(true, problem);
      socket.write_some(asio::buffer(full_answer()), problem);
    }
    socket.shutdown(asio::ip::tcp::socket::shutdown_send, problem);
    return;
  }
  const auto peer = socket.remote_endpoint(problem);
  std::string address = problem ? std::string() : peer.address().to_string();
  asio::post(engine.io(), [this, &engine, secure, socket = std::move(socket), address = std::move(address)]() mutable {
    if (secure) {
      std::make_shared<Connection<TlsStream>>(engine, std::move(socket), std::move(address), current_tls())->start();
    } else {
      std::make_shared<Connection<Socket>>(engine, std::move(socket), std::move(address), nullptr)->start();
    }
  });
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

core::Result<std::unique_ptr<Server>> Server::open(Settings settings, std::shared_ptr<const Router> router) {
  auto state = std::make_unique<State>();
  core::invariant(settings.threads >= 1 && settings.now != nullptr, "a server has a thread and a clock");
  if (settings.tls) {
    auto context = make_tls(*settings.tls);
    if (!context) return context.error();
    state->tls = *std::move(context);
  }
  state->shared.settings = std::move(settings);
  state->shared.router = std::move(router);
  const Settings& kept = state->shared.settings;
  state->shared.blocking = std::make_unique<asio::thread_pool>(kept.limits.blocking_threads);
  std::seed_seq seeds{std::uint32_t(kept.seed), std::uint32_t(kept.seed >> 32)};
  std::vector<std::uint32_t> engine_seeds(2 * kept.threads);
  seeds.generate(engine_seeds.begin(), engine_seeds.end());
  for (unsigned i = 0; i < kept.threads; ++i) {
    state->engines.push_back(std::make_unique<Engine>(state->shared, std::uint64_t(engine_seeds[2 * i]) << 32 | engine_seeds[2 * i + 1]));
  }
  for (const Listen& listen : kept.listen) {
    const auto wrong = [&](const std::string& why) {
      return core::Error{core::ErrorCode::refused,
                         "http.cannot-listen",
                         fmt::format("cannot listen on {} port {}: {}", listen.address, listen.port, why),
                         "free the port or choose another address",
                         {{"address", listen.address}, {"port", std::to_string(listen.port)}}};
    };
    if (listen.tls && state->tls == nullptr) return wrong("TLS needs a certificate and a key");
    boost::system::error_code problem;
    const auto address = asio::ip::make_address(listen.address, problem);
    if (problem) return wrong("the address is no IP address");
    const asio::ip::tcp::endpoint endpoint(address, listen.port);
    Acceptor acceptor(state->engines.front()->io());
    acceptor.open(endpoint.protocol(), problem);
    if (!problem) acceptor.set_option(asio::socket_base::reuse_address(true), problem);
    if (!problem) acceptor.bind(endpoint, problem);
    if (!problem) acceptor.listen(asio::socket_base::max_listen_connections, problem);
    if (problem) return wrong(problem.message());
    state->acceptors.emplace_back(std::move(acceptor), listen.tls);
  }
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

std::vector<std::uint16_t> Server::ports() const {
  std::vector<std::uint16_t> ports;
  for (const auto& [acceptor, secure] : state_->acceptors) ports.push_back(acceptor.local_endpoint().port());
  return ports;
}

void Server::run() {
  for (auto& [acceptor, secure] : state_->acceptors) {
    asio::co_spawn(state_->engines.front()->io(), state_->accept(acceptor, secure), [](const std::exception_ptr& failure) {
      if (failure != nullptr) std::rethrow_exception(failure);
    });
  }
  core::on_threads(
      unsigned(state_->engines.size()), [&](unsigned thread) { state_->engines[thread]->run(); },
      [&](const std::exception_ptr&) { stop(); });
  state_->shared.blocking->join();
}

void Server::stop() {
  std::vector<std::function<void()>> hooks;
  {
    const std::scoped_lock lock(state_->stop_mutex);
    if (std::exchange(state_->stopped, true)) return;
    hooks = state_->stop_hooks;
  }
  asio::post(state_->engines.front()->io(), [this] {
    boost::system::error_code ignored;
    for (auto& [acceptor, secure] : state_->acceptors) acceptor.close(ignored);
    for (const auto& engine : state_->engines) engine->stop();
  });
  for (const auto& hook : hooks) hook();
}

void Server::on_stop(std::function<void()> hook) {
  const std::scoped_lock lock(state_->stop_mutex);
  state_->stop_hooks.push_back(std::move(hook));
}

core::Status Server::reload_tls() {
  if (!state_->shared.settings.tls) return core::Done{};
  auto context = make_tls(*state_->shared.settings.tls);
  if (!context) return context.error();
  const std::scoped_lock lock(state_->tls_mutex);
  state_->tls = *std::move(context);
  return core::Done{};
}

asio::awaitable<void> run_blocking(Request& request, std::function<void()> work) {
  Shared& shared = Engine::shared_of(request);
  const asio::any_io_executor here = co_await asio::this_coro::executor;
  std::exception_ptr failure;
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [&](auto handler) {
        auto held = std::make_shared<decltype(handler)>(std::move(handler));
        const bool taken = shared.post_blocking([&failure, work = std::move(work), held, guard = asio::make_work_guard(here)]() mutable {
          try {
            work();
          } catch (...) {
            failure = std::current_exception();
          }
          asio::post(guard.get_executor(), [held = std::move(held)] { std::move (*held)(); });
        });
        if (taken) return;
        failure = std::make_exception_ptr(Busy("too many requests wait already"));
        asio::post(here, [held = std::move(held)] { std::move (*held)(); });
      },
      asio::use_awaitable);
  if (failure != nullptr) std::rethrow_exception(failure);
}

}  // namespace tanhui::http
