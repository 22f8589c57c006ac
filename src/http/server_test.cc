#include "http/server.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>

#include "http/problem.h"
#include "http/server_fixture.h"

namespace tanhui::http {
namespace {

using test::RawClient;
using test::RunningServer;
using test::status_of;
using namespace std::chrono_literals;

asio::awaitable<void> pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

/// What the tests ask for.
std::shared_ptr<Router> small_router() {
  auto router = std::make_shared<Router>();
  router->add({Method::get, "/hello", "hello"}, plain([](Request&) { return Response{.content_type = kText, .body = "hello"}; }));
  router->add({Method::get, "/people/{id}", "person", {"year"}},
              plain([](Request& request) { return Response{.content_type = kText, .body = std::string(request.path_parameter("id"))}; }));
  router->add({.method = Method::post, .path = "/echo", .operation_id = "echo", .body_bytes_max = 1000},
              coroutine([](Request& request) -> asio::awaitable<Response> {
                co_return Response{.content_type = kText, .body = request.take_body()};
              }));
  router->add({Method::get, "/slow", "slow", {"ms"}}, coroutine([](Request& request) -> asio::awaitable<Response> {
                const auto wait = request.query().whole("ms", 0, 10'000);
                if (!wait) co_return problem(request, wait.error());
                co_await pause(std::chrono::milliseconds((*wait).value_or(100)));
                co_return Response{.content_type = kText, .body = "slow"};
              }));
  router->add({Method::get, "/blocking", "blocking"}, blocking([](Request&) {
                std::this_thread::sleep_for(50ms);
                return Response{.content_type = kText, .body = "blocking"};
              }));
  router->add({Method::get, "/throws", "throws"}, blocking([](Request&) -> Response { throw std::runtime_error("secret of the house"); }));
  router->add({Method::get, "/large", "large"},
              plain([](Request&) { return Response{.content_type = kText, .body = std::string(1'000'000, 'x')}; }));
  router->add({Method::get, "/stream", "stream"}, plain([](Request&) {
                return Response{.content_type = kText, .stream = [](BodyWriter& writer) -> asio::awaitable<void> {
                                  for (int i = 0; i < 3; ++i) co_await writer.write("piece" + std::to_string(i));
                                }};
              }));
  return router;
}

constexpr std::string_view kEnd = " HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(Server, Answers) {
  const RunningServer server(small_router());
  const struct {
    std::string_view why, request;
    int status;
    std::string_view contains;
  } rows[] = {
      {"a route", "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", 200, "\r\nContent-Length: 5\r\n"},
      {"the date is the clock's", "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", 200, "Date: Sat, 01 Mar 2025 00:00:00 GMT\r\n"},
      {"a path parameter is decoded", "GET /people/%E5%BC%A0%2F1 HTTP/1.1\r\nHost: x\r\n\r\n", 200, "\r\n\r\n张/1"},
      {"a known parameter", "GET /people/1?year=2025 HTTP/1.1\r\nHost: x\r\n\r\n", 200, "\r\n\r\n1"},
      {"an unknown parameter", "GET /people/1?yeer=2025 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "urn:tanhui:problem:http.unknown-parameter"},
      {"a parameter given twice", "GET /people/1?year=1&year=2 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "http.repeated-parameter"},
      {"a query that is not encoded", "GET /people/1?year=%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "http.bad-query"},
      {"a path that is not encoded", "GET /people/%ff HTTP/1.1\r\nHost: x\r\n\r\n", 404, "http.not-found"},
      {"no route", "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "\"request_id\":\""},
      {"an empty segment is no parameter", "GET /people/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "http.not-found"},
      {"another method", "DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n", 405, "\r\nAllow: GET, HEAD, OPTIONS\r\n"},
      {"a method nobody knows", "BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n", 405, "Allow: GET"},
      {"options", "OPTIONS /echo HTTP/1.1\r\nHost: x\r\n\r\n", 204, "\r\nAllow: POST, OPTIONS\r\n"},
      {"head has no body", "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n", 200, "Content-Length: 5\r\n"},
      {"absolute form", "GET http://x/hello HTTP/1.1\r\nHost: x\r\n\r\n", 200, "hello"},
      {"a body", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 200, "\r\n\r\nabc"},
      {"a chunked body",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nTrailer: 1\r\n\r\n", 200,
       "\r\n\r\nabc"},
      {"a handler that waits", "GET /slow?ms=10 HTTP/1.1\r\nHost: x\r\n\r\n", 200, "slow"},
      {"a handler on the pool", "GET /blocking HTTP/1.1\r\nHost: x\r\n\r\n", 200, "blocking"},
      {"a handler that throws says nothing of why", "GET /throws HTTP/1.1\r\nHost: x\r\n\r\n", 500, "http.failed"},
      {"a stream is chunked", "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", 200, "6\r\npiece0\r\n6\r\npiece1\r\n6\r\npiece2\r\n0\r\n\r\n"},
      {"a stream to HTTP/1.0 ends with the connection", "GET /stream HTTP/1.0\r\n\r\n", 200, "\r\n\r\npiece0piece1piece2"},
      {"HTTP/1.0 closes", "GET /hello HTTP/1.0\r\n\r\n", 200, "\r\nConnection: close\r\n"},
      {"HTTP/1.0 kept alive by wish", "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, "\r\nConnection: keep-alive\r\n"},
      {"the trace id of a traceparent",
       "GET /hello HTTP/1.1\r\nHost: x\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n", 200,
       "X-Request-Id: 4bf92f3577b34da6a3ce929d0e0e4736\r\n"},
      {"expect", "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"},
  };
  for (const auto& [why, request, status, contains] : rows) {
    const std::string answer = server.ask(request);
    EXPECT_EQ(status_of(answer), status) << why << "\n" << answer;
    EXPECT_NE(answer.find(contains), std::string::npos) << why << "\n" << answer;
    EXPECT_EQ(answer.find("secret"), std::string::npos) << why;
  }
  const std::string head = server.ask("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
  const RunningServer server(small_router());
  std::string requests;
  for (int i = 0; i < 300; ++i) {
    requests += i % 50 == 0 ? "GET /slow?ms=20" + std::string(kEnd) : "GET /people/" + std::to_string(i) + std::string(kEnd);
  }
  RawClient client(server.port());
  client.send(requests);
  for (int i = 0; i < 300; ++i) {
    const std::string answer = client.read_answer();
    ASSERT_TRUE(answer.ends_with(i % 50 == 0 ? "\r\n\r\nslow" : "\r\n\r\n" + std::to_string(i))) << i << "\n" << answer;
  }
}

TEST(Server, SafeRequestsRunAtTheSameTimeOthersDoNot) {
  std::atomic<int> running = 0, most = 0;
  const auto handler = [&](Request&) -> asio::awaitable<Response> {
    most = std::max(most.load(), ++running);
    co_await pause(30ms);
    --running;
    co_return Response{.content_type = kText, .body = "x"};
  };
  auto router = std::make_shared<Router>();
  router->add({Method::get, "/get", "get"}, coroutine(handler));
  router->add({Method::post, "/post", "post"}, coroutine(handler));
  router->add({.method = Method::post, .path = "/free", .operation_id = "free", .order_free = true}, coroutine(handler));
  const RunningServer server(router);
  const struct {
    std::string_view request;
    int most;
  } rows[] = {{"GET /get", 4}, {"POST /post", 1}, {"POST /free", 4}};
  for (const auto& row : rows) {
    most = 0;
    RawClient client(server.port());
    std::string four;
    for (int i = 0; i < 4; ++i) four.append(row.request).append(kEnd);
    client.send(four);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(status_of(client.read_answer()), 200);
    EXPECT_EQ(most, row.most) << row.request;
  }
}

}  // namespace
}  // namespace tanhui::http
