// http/server.h: the HTTP/1.1 server. It decides nothing: routes do (http/router.h).
//
//   auto server = http::Server::open(settings, router);          // binds and listens; Result
//   server->run();                                                // until stop(), which any thread and signal handlers' threads may call
//
// Threads: `threads` of them, each with its own loop and its own share of the connections, which never move; one more pool for handlers
// that wait (BlockingHandler). Connections are kept alive. Pipelined requests are read while earlier ones are answered: safe methods and
// order-free routes run at the same time, others one after the other; answers go out in order, many in one write.
// stop(): no new connections; requests that have begun are answered, streams asked to end; after `stop_time` the rest is cut.
// Limits are all enforced, each with an answer that says so: 408, 413, 429, 431, 503.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "http/router.h"

namespace tanhui::http {

struct Limits {
  using Time = std::chrono::milliseconds;
  std::size_t header_bytes_max = 16 * 1024;
  std::size_t connections_max = 10'000;
  std::size_t requests_per_connection_max = 1'000'000;
  std::size_t pipeline_max = 256;              // requests of one connection that are read and not yet answered
  std::size_t unsent_bytes_max = 1024 * 1024;  // answers that the other side does not fetch; then no more is read from it
  Time tls_time{10'000};                       // for the handshake
  Time header_time{10'000};                    // from a request's first byte to the end of its header
  Time body_time{60'000};                      // from there to the end of its body
  Time answer_time{60'000};                    // a handler's; then 503, whatever the handler does
  Time idle_time{75'000};                      // between requests
  Time send_time{30'000};                      // without the other side taking a byte
  Time stop_time{20'000};                      // from stop() until what is left is cut
  std::size_t blocking_threads = 4;
  std::size_t blocking_waiting_max = 1'000;  // requests that wait for such a thread
};

struct Listen {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  // 0: one that is free
  bool tls = false;
};

/// PEM files. The key is readable by its owner only, or refused.
struct TlsFiles {
  std::filesystem::path certificate_chain, private_key;
};

/// One request and its answer, when the answer goes out.
struct Finished {
  const Request& request;
  std::string_view operation_id;  // empty when there was no route
  std::size_t route_index;        // SIZE_MAX when there was no route
  int status;
  std::string_view error_id;
  std::size_t body_bytes;  // 0 of a stream
  std::chrono::microseconds duration;
};

/// Hears of what happens; on the connection's thread, so it is quick and safe to call from several threads.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void finished(const Finished&) = 0;
  virtual void opened() {}
  virtual void closed() {}
  /// A handler threw: `what` is for the operator and not sent to anyone.
  virtual void failed(const Request&, std::string_view /*what*/) {}
};

struct Settings {
  std::vector<Listen> listen = {Listen{}};
  std::optional<TlsFiles> tls;
  Limits limits;
  unsigned threads = 1;
  std::vector<std::string> allowed_origins;  // CORS; empty: no other site's page may call
  std::vector<std::shared_ptr<Observer>> observers;
  std::function<core::Millis()> now;  // the wall clock, for Date
  std::uint64_t seed = 0;             // random; for request ids
};

class Server {
 public:
  /// Errors: http.cannot-listen (address in use, no right to the port), http.bad-certificate.
  static core::Result<std::unique_ptr<Server>> open(Settings settings, std::shared_ptr<const Router> router);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// The ports that are listened on, in the order of Settings::listen.
  std::vector<std::uint16_t> ports() const;
  /// Returns when stopped and every connection is gone.
  void run();
  void stop();
  /// Called once, on any thread, when stop() was: for event streams, which are asked to end.
  void on_stop(std::function<void()> hook);
  /// Certificate and key are read again, for connections that come from now on. On an error the old ones stay.
  core::Status reload_tls();

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Runs `work` on the pool of blocking work, and goes on where it was. For coroutine handlers. Throws what `work` throws, and Busy.
struct Busy : std::runtime_error {
  using std::runtime_error::runtime_error;
};
asio::awaitable<void> run_blocking(Request& request, std::function<void()> work);

}  // namespace tanhui::http
