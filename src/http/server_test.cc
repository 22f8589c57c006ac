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

// ---- what is not HTTP, or could be read in two ways

TEST(Server, RefusesWhatIsMalformed) {
  const RunningServer server(small_router());
  const std::string long_value(20'000, 'a');
  std::string many_fields;
  for (int i = 0; i < 101; ++i) many_fields += "X-" + std::to_string(i) + ": 1\r\n";
  const struct {
    std::string_view why;
    std::string request;
    int status;
    std::string_view id;
  } rows[] = {
      {"both lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
       "http.bad-request"},
      {"both, the other way round", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
       400, "http.bad-request"},
      {"two lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "http.bad-request"},
      {"two equal lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, "http.bad-request"},
      {"a list of lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc", 400, "http.bad-request"},
      {"a signed length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", 400, "http.bad-request"},
      {"a negative length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "http.bad-request"},
      {"a length beyond 64 bits", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551617\r\n\r\n", 400,
       "http.bad-request"},
      {"a length in hexadecimal", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc", 400, "http.bad-request"},
      {"gzip, chunked", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501,
       "http.unsupported-encoding"},
      {"chunked, identity", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501,
       "http.unsupported-encoding"},
      {"identity", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 501, "http.unsupported-encoding"},
      {"xchunked", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", 501, "http.unsupported-encoding"},
      {"chunked twice", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
       "http.bad-request"},
      {"chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "http.bad-request"},
      {"a space before the colon", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400,
       "http.bad-request"},
      {"a chunk size that is none", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n", 400,
       "http.bad-request"},
      {"a chunk longer than it says", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", 400,
       "http.bad-request"},
      {"a chunk size beyond 64 bits", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400,
       "http.bad-request"},
      {"a chunk of a size that wraps around",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffe\r\n" + long_value, 413, "http.body-too-large"},
      {"a line that ends in LF only", "GET /hello HTTP/1.1\nHost: x\n\n", 505, "http.unsupported-version"},
      {"no host", "GET /hello HTTP/1.1\r\n\r\n", 400, "http.bad-request"},
      {"two hosts", "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "http.bad-request"},
      {"a control character in a field", std::string("GET /hello HTTP/1.1\r\nHost: x\r\nX: a\x01z\r\n\r\n"), 400, "http.bad-request"},
      {"a NUL in a field", std::string("GET /hello HTTP/1.1\r\nHost: x\r\nX: a") + '\0' + "z\r\n\r\n", 400, "http.bad-request"},
      {"a target with a space", "GET /he llo HTTP/1.1\r\nHost: x\r\n\r\n", 505, "http.unsupported-version"},
      {"a target that is no path", "GET hello HTTP/1.1\r\nHost: x\r\n\r\n", 400, "http.bad-request"},
      {"a fragment", "GET /hello#x HTTP/1.1\r\nHost: x\r\n\r\n", 400, "http.bad-request"},
      {"another version", "GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", 505, "http.unsupported-version"},
      {"no version", "GET /hello\r\nHost: x\r\n\r\n", 400, "http.bad-request"},
      {"HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http.unsupported-version"},
      {"TLS on a plain port", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), 400, "http.bad-request"},
      {"a long header", "GET /hello HTTP/1.1\r\nHost: x\r\nX: " + long_value + "\r\n\r\n", 431, "http.header-too-large"},
      {"a long target", "GET /" + long_value + " HTTP/1.1\r\nHost: x\r\n\r\n", 431, "http.header-too-large"},
      {"many fields", "GET /hello HTTP/1.1\r\nHost: x\r\n" + many_fields + "\r\n", 431, "http.header-too-large"},
      {"a large body", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'x'), 413,
       "http.body-too-large"},
      {"a large body in chunks",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n", 413,
       "http.body-too-large"},
      {"a body where none is taken", "GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 413, "http.body-too-large"},
      {"an unknown expectation", "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nContent-Length: 1\r\n\r\nx", 417,
       "http.expectation-failed"},
      {"a chunk extension without end",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'x'), 400, "http.bad-request"},
  };
  for (const auto& [why, request, status, id] : rows) {
    // A second request is smuggled behind it: it must not be answered.
    const std::string answer = server.ask(request + "GET /people/smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(status_of(answer), status) << why << "\n" << answer.substr(0, 600);
    EXPECT_NE(answer.find("urn:tanhui:problem:" + std::string(id)), std::string::npos) << why << "\n" << answer.substr(0, 600);
    EXPECT_NE(answer.find("Connection: close"), std::string::npos) << why;
    EXPECT_EQ(answer.find("smuggled"), std::string::npos) << why << "\n" << answer;
  }
  EXPECT_EQ(status_of(server.ask("GET /hello" + std::string(kEnd))), 200) << "it goes on";
}

TEST(Server, HowARequestIsCutIntoPiecesDoesNotMatter) {
  const RunningServer server(small_router());
  const std::string requests =
      "GET /people/1 HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
      "GET /people/2 HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const std::size_t piece : {std::size_t(1), std::size_t(2), std::size_t(3), std::size_t(7), std::size_t(50)}) {
    RawClient client(server.port());
    for (std::size_t at = 0; at < requests.size(); at += piece) {
      client.send(requests.substr(at, piece));
      if (piece < 4 && at % 16 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));  // so that they arrive as they were sent
    }
    for (const std::string_view body : {"1", "hello", "abcde", "2"}) {
      const std::string answer = client.read_answer();
      EXPECT_TRUE(answer.ends_with("\r\n\r\n" + std::string(body))) << piece << "\n" << answer;
    }
  }
}

// ---- time

Settings impatient() {
  Settings settings;
  settings.limits.header_time = 300ms;
  settings.limits.body_time = 300ms;
  settings.limits.idle_time = 400ms;
  settings.limits.answer_time = 300ms;
  settings.limits.send_time = 500ms;
  return settings;
}

TEST(Server, SlowClientsAreToldAndCutOff) {
  const RunningServer server(small_router(), impatient());
  const struct {
    std::string_view why, sent;
    int status;  // 0: closed without a word
  } rows[] = {{"nothing at all", "", 0},
              {"half a header", "GET /hello HTTP/1.1\r\nHos", 408},
              {"half a body", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", 408}};
  for (const auto& [why, sent, status] : rows) {
    const auto begin = std::chrono::steady_clock::now();
    RawClient client(server.port());
    client.send(sent);
    const std::string answer = client.read_all();
    EXPECT_EQ(status_of(answer), status) << why << "\n" << answer;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s) << why;
  }
  // A byte now and then (slowloris) does not buy more time.
  RawClient dripping(server.port());
  const auto begin = std::chrono::steady_clock::now();
  for (const char c : std::string_view("GET /hello HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")) {
    dripping.send(std::string_view(&c, 1));
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(status_of(dripping.read_all()), 408);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

TEST(Server, AHandlerThatTakesTooLongIsAnsweredForIt) {
  const RunningServer server(small_router(), impatient());
  const std::string answer = server.ask("GET /slow?ms=3000" + std::string(kEnd) + "GET /hello" + std::string(kEnd));
  EXPECT_EQ(status_of(answer), 503);
  EXPECT_NE(answer.find("http.too-slow"), std::string::npos);
  EXPECT_EQ(answer.find("\r\n\r\nhello"), std::string::npos) << "nothing after it is answered";
}

TEST(Server, AClientThatDoesNotReadIsCutOffAndCostsBoundedMemory) {
  const RunningServer server(small_router(), impatient());
  RawClient client(server.port());
  std::string many;
  for (int i = 0; i < 100; ++i) many += "GET /large" + std::string(kEnd);
  client.send(many);
  std::this_thread::sleep_for(1500ms);
  EXPECT_LT(client.read_all().size(), 100'000'000U) << "not all of it was waiting for us";
}

TEST(Server, EarlyCloseDoesNoHarm) {
  const RunningServer server(small_router());
  for (int i = 0; i < 50; ++i) {
    RawClient client(server.port());
    client.send(i % 3 == 0   ? "GET /slow?ms=50" + std::string(kEnd)
                : i % 3 == 1 ? "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab"
                             : "GET /blocking" + std::string(kEnd));
    client.close();
  }
  EXPECT_EQ(status_of(server.ask("GET /hello" + std::string(kEnd))), 200);
}

// ---- numbers

TEST(Server, ConnectionsAndRequestsAreLimited) {
  Settings settings;
  settings.limits.connections_max = 2;
  settings.limits.requests_per_connection_max = 3;
  const RunningServer server(small_router(), std::move(settings));
  RawClient first(server.port()), second(server.port());
  first.send("GET /hello" + std::string(kEnd));
  second.send("GET /hello" + std::string(kEnd));
  EXPECT_EQ(status_of(first.read_answer()), 200);
  EXPECT_EQ(status_of(second.read_answer()), 200);
  RawClient third(server.port());
  const std::string full = third.read_all();
  EXPECT_EQ(status_of(full), 503);
  EXPECT_NE(full.find("Retry-After: 5"), std::string::npos);
  const std::size_t body = full.find("\r\n\r\n") + 4;
  EXPECT_NE(full.find("Content-Length: " + std::to_string(full.size() - body)), std::string::npos);
  first.send("GET /hello" + std::string(kEnd) + "GET /hello" + std::string(kEnd) + "GET /hello" + std::string(kEnd));
  const std::string rest = first.read_all();
  EXPECT_NE(rest.find("Connection: close"), std::string::npos);
  std::size_t answers = 0;
  for (std::size_t at = 0; (at = rest.find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++answers;
  EXPECT_EQ(answers, 2U) << "three in all";
}

TEST(Server, BlockingWorkThatFindsNoPlaceIsToldToComeBack) {
  Settings settings;
  settings.limits.blocking_threads = 1;
  settings.limits.blocking_waiting_max = 1;
  const RunningServer server(small_router(), std::move(settings));
  RawClient client(server.port());
  std::string five;
  for (int i = 0; i < 5; ++i) five += "GET /blocking" + std::string(kEnd);
  client.send(five);
  int busy = 0;
  for (int i = 0; i < 5; ++i) {
    const std::string answer = client.read_answer();
    busy += status_of(answer) == 503 && answer.find("Retry-After: ") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(busy, 3);
}

// ---- stop

TEST(Server, StopFinishesWhatHasBegun) {
  RunningServer server(small_router());
  RawClient busy(server.port()), idle(server.port());
  busy.send("GET /slow?ms=300" + std::string(kEnd));
  std::this_thread::sleep_for(100ms);
  const auto begin = std::chrono::steady_clock::now();
  server.stop_and_wait();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  const std::string answer = busy.read_all();
  EXPECT_EQ(status_of(answer), 200) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_THROW(RawClient late(server.port()), boost::system::system_error);
}

TEST(Server, StopCutsWhatDoesNotEnd) {
  Settings settings;
  settings.limits.stop_time = 300ms;
  RunningServer server(small_router(), std::move(settings));
  RawClient busy(server.port());
  busy.send("GET /slow?ms=2000" + std::string(kEnd));
  std::this_thread::sleep_for(100ms);
  server.stop_and_wait();
  EXPECT_EQ(busy.read_all(), "");
}

TEST(Server, SeveralThreadsShareTheConnections) {
  Settings settings;
  settings.threads = 3;
  const RunningServer server(small_router(), std::move(settings));
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 12; ++i) clients.push_back(std::make_unique<RawClient>(server.port()));
  for (int round = 0; round < 20; ++round) {
    for (const auto& client : clients) client->send("GET /people/" + std::to_string(round) + std::string(kEnd));
    for (const auto& client : clients) ASSERT_TRUE(client->read_answer().ends_with("\r\n\r\n" + std::to_string(round)));
  }
}

// ---- CORS, compression

TEST(Server, OnlyAllowedOriginsMayCall) {
  const std::string asks = "GET /hello HTTP/1.1\r\nHost: x\r\nOrigin: https://mall.example\r\n\r\n";
  const RunningServer closed(small_router());
  EXPECT_EQ(closed.ask(asks).find("Access-Control"), std::string::npos);
  Settings settings;
  settings.allowed_origins = {"https://mall.example"};
  const RunningServer open(small_router(), std::move(settings));
  EXPECT_NE(open.ask(asks).find("Access-Control-Allow-Origin: https://mall.example\r\n"), std::string::npos);
  EXPECT_EQ(open.ask("GET /hello HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n\r\n").find("Access-Control"), std::string::npos);
  const std::string preflight =
      open.ask("OPTIONS /echo HTTP/1.1\r\nHost: x\r\nOrigin: https://mall.example\r\nAccess-Control-Request-Method: POST\r\n\r\n");
  EXPECT_NE(preflight.find("Access-Control-Allow-Methods: POST, OPTIONS\r\n"), std::string::npos) << preflight;
  EXPECT_NE(preflight.find("Access-Control-Allow-Headers: "), std::string::npos) << preflight;
}

TEST(Server, LargeTextIsCompressedForWhoTakesIt) {
  const RunningServer server(small_router());
  const std::string packed = server.ask("GET /large HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br, gzip\r\n\r\n");
  EXPECT_NE(packed.find("Content-Encoding: gzip\r\n"), std::string::npos);
  EXPECT_LT(packed.size(), 20'000U);
  EXPECT_GT(server.ask("GET /large" + std::string(kEnd)).size(), 1'000'000U);
}

}  // namespace
}  // namespace tanhui::http
