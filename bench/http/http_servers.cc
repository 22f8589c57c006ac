// http_servers: the two sides of the bench. Both answer GET /hello with the same five bytes on one thread and print their port.
//   http_servers tanhui [log]   src/http as the service uses it: router, limits, request ids, metrics; with `log` a line for each request
//   too http_servers beast          the least that Boost.Beast can do: a coroutine that reads, answers and reads again; no router, no
//   limits
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <string_view>

#include "http/log.h"
#include "http/metrics.h"
#include "http/server.h"

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> session(tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  stream.socket().set_option(tcp::no_delay(true));
  beast::flat_buffer buffer;
  for (;;) {
    beast::http::request<beast::http::string_body> request;
    const auto [problem, count] = co_await beast::http::async_read(stream, buffer, request, kTuple);
    if (problem) co_return;
    beast::http::response<beast::http::string_body> response(
        request.target() == "/hello" ? beast::http::status::ok : beast::http::status::not_found, request.version());
    response.set(beast::http::field::content_type, "text/plain; charset=utf-8");
    response.keep_alive(request.keep_alive());
    response.body() = "hello";
    response.prepare_payload();
    const auto [failure, written] = co_await beast::http::async_write(stream, response, kTuple);
    if (failure || !response.keep_alive()) co_return;
  }
}

asio::awaitable<void> listen(tcp::acceptor acceptor) {
  for (;;) {
    auto [problem, socket] = co_await acceptor.async_accept(kTuple);
    if (!problem) asio::co_spawn(acceptor.get_executor(), session(std::move(socket)), asio::detached);
  }
}

void serve_beast() {
  asio::io_context io(1);
  tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
  fmt::print("{}\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  asio::co_spawn(io, listen(std::move(acceptor)), asio::detached);
  io.run();
}

void serve_tanhui(bool log) {
  using namespace tanhui;
  auto router = std::make_shared<http::Router>();
  router->add({http::Method::get, "/hello", "hello"},
              http::plain([](http::Request&) { return http::Response{.content_type = http::kText, .body = "hello"}; }));
  router->add({http::Method::get, "/hello/coroutine", "helloCoroutine"},
              http::coroutine([](http::Request&) -> asio::awaitable<http::Response> {
                co_return http::Response{.content_type = http::kText, .body = "hello"};
              }));
  http::Settings settings;
  settings.listen = {{"127.0.0.1", 0}};
  settings.now = [] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  };
  settings.limits.requests_per_connection_max = 1'000'000'000;  // the load keeps its connections
  settings.observers.push_back(std::make_shared<http::Metrics>(*router));
  if (log)
    settings.observers.push_back(std::make_shared<http::AccessLog>(http::Log::to_file("/dev/null", http::Log::Level::info, settings.now),
                                                                   http::AccessLog::Which::all));
  auto server = http::Server::open(std::move(settings), router);
  if (!server) throw std::runtime_error(server.error().message);
  const auto running = *std::move(server);
  fmt::print("{}\n", running->ports().front());
  std::fflush(stdout);
  running->run();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view which = argc > 1 ? argv[1] : "";
  if (which == "beast") {
    serve_beast();
  } else if (which == "tanhui") {
    serve_tanhui(argc > 2 && std::string_view(argv[2]) == "log");
  } else {
    fmt::print(stderr, "http_servers beast|tanhui [log]\n");
    return 2;
  }
}
