// Event streams, WebSockets, TLS and the client, over real sockets.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>

#include "http/client.h"
#include "http/event_stream.h"
#include "http/problem.h"
#include "http/server_fixture.h"

namespace tanhui::http {
namespace {

using test::RawClient;
using test::RunningServer;
using test::status_of;
using namespace std::chrono_literals;

std::shared_ptr<Router> event_router(EventHub& hub) {
  auto router = std::make_shared<Router>();
  router->add({Method::get, "/events", "events"}, plain([&hub](Request& request) { return event_stream(hub, request, {"news"}); }));
  router->add({Method::get, "/socket", "socket", {"last_event_id"}},
              SocketHandler{nullptr, [&hub](Request& request, WebSocket& socket) { return serve_events(hub, request, socket, {"news"}); }});
  router->add({Method::get, "/closed", "closed"},
              SocketHandler{[](Request& request) -> asio::awaitable<std::optional<Response>> {
                              co_return problem(request, core::Error{core::ErrorCode::refused, "access.unauthenticated", "no", ""});
                            },
                            [](Request&, WebSocket&) -> asio::awaitable<void> { co_return; }});
  router->add({Method::get, "/hello", "hello"}, plain([](Request&) { return Response{.content_type = kText, .body = "hello"}; }));
  return router;
}

void wait_for_listeners(const EventHub& hub, std::size_t count) {
  for (int i = 0; i < 500 && hub.listeners() != count; ++i) std::this_thread::sleep_for(10ms);
  ASSERT_EQ(hub.listeners(), count);
}

const std::string kListen = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";
std::string listen_after(const std::string& id) { return "GET /events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: " + id + "\r\n\r\n"; }

TEST(EventStream, CarriesWhatIsPublished) {
  EventHub hub({}, 0xabc);
  RunningServer server(event_router(hub));
  RawClient client(server.port());
  client.send(kListen);
  EXPECT_NE(client.read_until("retry: 2000\n\n").find("Content-Type: text/event-stream\r\n"), std::string::npos);
  wait_for_listeners(hub, 1);
  EXPECT_TRUE(hub.wants("news"));
  EXPECT_FALSE(hub.wants("other"));
  hub.publish("other", "x", "0");
  hub.publish("news", "credit", "{\"a\":1}\n{\"b\":2}");
  EXPECT_NE(client.read_until("\n\n").find("id: abc-2\nevent: credit\ndata: {\"a\":1}\ndata: {\"b\":2}\n\n"), std::string::npos);
  // Who comes back gets what was missed.
  client.close();
  hub.publish("news", "credit", "3");
  RawClient again(server.port());
  again.send(listen_after("abc-2"));
  EXPECT_NE(again.read_until("data: 3\n").find("id: abc-3\n"), std::string::npos);
  // An id of another process, or one that is no longer kept, is a gap.
  for (const char* id : {"def-1", "abc-99", "nonsense"}) {
    RawClient lost(server.port());
    lost.send(listen_after(id));
    EXPECT_NE(lost.read_until("event: gap\n").find("event: gap"), std::string::npos) << id;
  }
  server.stop_and_wait();
  EXPECT_NE(again.read_all().find("event: end\ndata: {\"reason\":\"stopping\"}\n\n"), std::string::npos);
}

TEST(EventStream, WhatIsNoLongerKeptIsAGap) {
  EventHub hub({.kept_per_topic = 2}, 1);
  const auto listener = hub.listen({"news"}, "");
  for (int i = 0; i < 4; ++i) hub.publish("news", "n", std::to_string(i));
  const RunningServer server(event_router(hub));
  RawClient late(server.port()), in_time(server.port());
  late.send(listen_after("1-1"));
  EXPECT_NE(late.read_until("event: gap\n").find("event: gap"), std::string::npos);
  in_time.send(listen_after("1-2"));
  EXPECT_EQ(in_time.read_until("data: 3\n").find("event: gap"), std::string::npos);
}

TEST(EventStream, SilenceIsBrokenByAHeartbeat) {
  EventHub hub({.heartbeat = 100ms}, 1);
  const RunningServer server(event_router(hub));
  RawClient client(server.port());
  client.send(kListen);
  client.read_until("retry: 2000\n\n");
  EXPECT_NE(client.read_until(":\n\n").find(":\n\n"), std::string::npos);
  client.close();
  wait_for_listeners(hub, 0);  // the heartbeat finds out that nobody is there
}

TEST(EventStream, ASlowListenerIsDroppedWithAWord) {
  EventHub hub({.waiting_max = 10}, 1);
  const RunningServer server(event_router(hub));
  RawClient client(server.port());
  const int small = 4096;
  ::setsockopt(client.handle(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  client.send(kListen);
  client.read_until("retry: 2000\n\n");
  wait_for_listeners(hub, 1);
  const std::string large(100'000, 'x');
  for (int i = 0; i < 400; ++i) hub.publish("news", "big", large);  // more than sockets and queue hold
  const std::string all = client.read_until("{\"reason\":\"slow\"}");
  EXPECT_NE(all.find("event: end\ndata: {\"reason\":\"slow\"}"), std::string::npos);
  EXPECT_LT(all.size(), 40'000'000U);
  wait_for_listeners(hub, 0);
}

TEST(EventStream, ListenersAreLimited) {
  EventHub hub({.listeners_max = 1}, 1);
  const RunningServer server(event_router(hub));
  RawClient first(server.port()), second(server.port());
  first.send(kListen);
  first.read_until("retry: 2000\n\n");
  second.send(kListen);
  EXPECT_EQ(status_of(second.read_answer()), 503);
}

TEST(WebSocket, CarriesTheSameEvents) {
  EventHub hub({}, 0xabc);
  RunningServer server(event_router(hub));
  asio::io_context io;
  boost::beast::websocket::stream<asio::ip::tcp::socket> socket(io);
  socket.next_layer().connect({asio::ip::make_address("127.0.0.1"), server.port()});
  socket.handshake("x", "/socket");
  wait_for_listeners(hub, 1);
  hub.publish("news", "credit", R"({"points":10})");
  boost::beast::flat_buffer buffer;
  socket.read(buffer);
  EXPECT_EQ(boost::beast::buffers_to_string(buffer.data()), R"({"id":"abc-1","type":"credit","data":{"points":10}})");
  server.stop_and_wait();
  buffer.clear();
  socket.read(buffer);
  EXPECT_EQ(boost::beast::buffers_to_string(buffer.data()), R"({"id":null,"type":"end","data":{"reason":"stopping"}})");
}

TEST(WebSocket, IsRefusedBeforeItOpens) {
  EventHub hub({}, 1);
  const RunningServer server(event_router(hub));
  const std::string asks =
      "HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
      "dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const struct {
    std::string request;
    int status;
  } rows[] = {{"GET /socket HTTP/1.1\r\nHost: x\r\n\r\n", 426},
              {"GET /closed " + asks + "\r\n", 401},
              {"GET /socket " + asks + "Origin: https://evil.example\r\n\r\n", 403}};
  for (const auto& [request, status] : rows) EXPECT_EQ(status_of(server.ask(request)), status) << request;
  RawClient own(server.port());
  own.send("GET /socket " + asks + "Origin: http://x\r\n\r\n");
  // RFC 6455, 1.3: the answer to this key.
  EXPECT_NE(own.read_until("\r\n\r\n").find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos);
}

// ---- TLS

/// A certificate for localhost that signs itself, in two files of a folder that goes away.
class Certificate {
 public:
  Certificate() : folder_(std::filesystem::temp_directory_path() / ("tanhui_tls_test_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* alternative = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(certificate, alternative, -1);
    X509_EXTENSION_free(alternative);
    X509_sign(certificate, key, EVP_sha256());
    FILE* file = std::fopen(files().certificate_chain.c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(files().private_key.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    std::filesystem::permissions(files().private_key, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~Certificate() { std::filesystem::remove_all(folder_); }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  TlsFiles files() const { return {folder_ / "chain.pem", folder_ / "key.pem"}; }

 private:
  std::filesystem::path folder_;
};

Settings with_tls(const Certificate& certificate) {
  Settings settings;
  settings.listen = {{"127.0.0.1", 0, true}};
  settings.tls = certificate.files();
  return settings;
}

core::Result<ClientResponse> fetch_now(const ClientRequest& request, const ClientLimits& limits) {
  asio::io_context io;
  std::optional<core::Result<ClientResponse>> answer;
  asio::co_spawn(
      io, [&]() -> asio::awaitable<void> { answer.emplace(co_await fetch(request, limits)); },
      [](const std::exception_ptr& failure) {
        if (failure != nullptr) std::rethrow_exception(failure);
      });
  io.run();
  return *std::move(answer);
}

TEST(Tls, SpeaksOneThreeOnly) {
  const Certificate certificate;
  EventHub hub({}, 1);
  const RunningServer server(event_router(hub), with_tls(certificate));
  const auto try_version = [&](int version) {
    asio::io_context io;
    asio::ssl::context context(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context.native_handle(), version);
    SSL_CTX_set_max_proto_version(context.native_handle(), version);
    asio::ssl::stream<asio::ip::tcp::socket> stream(io, context);
    stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), server.port()});
    boost::system::error_code problem;
    stream.handshake(asio::ssl::stream_base::client, problem);
    return !problem;
  };
  EXPECT_TRUE(try_version(TLS1_3_VERSION));
  EXPECT_FALSE(try_version(TLS1_2_VERSION));
  RawClient plain_client(server.port());
  plain_client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(status_of(plain_client.read_all()), 0) << "nothing is said in the clear";
}

TEST(Tls, ClientAndServerMeet) {
  const Certificate certificate;
  EventHub hub({}, 1);
  const RunningServer server(event_router(hub), with_tls(certificate));
  const std::string url = "https://localhost:" + std::to_string(server.port()) + "/hello";
  ClientLimits trusting{.private_addresses = true, .trusted_file = certificate.files().certificate_chain.string()};
  const auto answer = fetch_now({.url = url}, trusting);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "hello");
  EXPECT_EQ(answer->header("strict-transport-security"), "max-age=31536000");
  EXPECT_FALSE(fetch_now({.url = url}, {.private_addresses = true})) << "nobody signed this certificate";
  EXPECT_FALSE(fetch_now({.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/hello"}, trusting)) << "it is not for this name";
}

TEST(Tls, RefusesAKeyThatOthersCanRead) {
  const Certificate certificate;
  std::filesystem::permissions(certificate.files().private_key, std::filesystem::perms::group_read, std::filesystem::perm_options::add);
  Settings settings = with_tls(certificate);
  settings.now = [] { return core::Millis(0); };
  const auto opened = Server::open(std::move(settings), std::make_shared<Router>());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().id, "http.bad-certificate");
}

// ---- the client

TEST(Client, IsCarefulAboutWhomItCalls) {
  EventHub hub({}, 1);
  const RunningServer server(event_router(hub));
  const std::string base = "http://localhost:" + std::to_string(server.port());
  const auto inside = fetch_now({.url = base + "/hello"}, {});
  ASSERT_FALSE(inside);
  EXPECT_EQ(inside.error().id, "http.private-address");
  const auto allowed = fetch_now({.url = base + "/hello"}, {.private_addresses = true});
  ASSERT_TRUE(allowed) << allowed.error().message;
  EXPECT_EQ(allowed->status, 200);
  EXPECT_EQ(allowed->body, "hello");
  EXPECT_FALSE(fetch_now({.url = base + "/hello"}, {.body_bytes_max = 4, .private_addresses = true})) << "too large";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(fetch_now({.url = base + "/events"}, {.time = 200ms, .private_addresses = true})) << "an answer without end";
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_FALSE(fetch_now({.url = base + "/hello", .headers = {{"X", "a\r\nY: b"}}}, {.private_addresses = true}));
}

}  // namespace
}  // namespace tanhui::http
