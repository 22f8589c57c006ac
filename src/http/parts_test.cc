// The parts that need no server: queries, routes, problems, rates, tags, compression, log lines, addresses.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <zlib.h>

#include <filesystem>

#include "core/files.h"
#include "core/json.h"
#include "http/client.h"
#include "http/compress.h"
#include "http/entity_tag.h"
#include "http/log.h"
#include "http/metrics.h"
#include "http/problem.h"
#include "http/query.h"
#include "http/rate_limit.h"
#include "http/request_reader.h"
#include "http/router.h"

namespace tanhui::http {
namespace {

/// A request as the server would have read it.
void read_into(Request& request, const std::string& text) {
  RequestReader reader(request, 64 * 1024);
  std::size_t at = 0;
  while (!reader.done() && at < text.size()) {
    const auto taken = reader.feed(std::string_view(text).substr(at));
    ASSERT_TRUE(taken) << taken.error().message;
    if (reader.has_header()) {
      const auto limited = reader.limit_body(1 << 20);
      ASSERT_TRUE(limited);
    }
    at += *taken;
  }
  ASSERT_TRUE(reader.done());
}

std::unique_ptr<Request> request_of(const std::string& line, const std::string& fields = "") {
  auto request = std::make_unique<Request>();
  read_into(*request, line + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
  return request;
}

TEST(Query, ReadsWhatIsMeant) {
  Query query;
  ASSERT_TRUE(query.parse("limit=20&name=%E5%BC%A0+San&empty=&flag&day=2025-03-01&on=true"));
  EXPECT_EQ(**query.whole("limit", 1, 100), 20);
  EXPECT_EQ(query.find("name"), "张 San");
  EXPECT_EQ(query.find("empty"), "");
  EXPECT_EQ(query.find("flag"), "");
  EXPECT_EQ(query.find("none"), std::nullopt);
  EXPECT_EQ(core::to_text(**query.day("day")), "2025-03-01");
  EXPECT_EQ(*query.boolean("on"), true);
  EXPECT_EQ(*query.whole("none", 1, 2), std::nullopt);
  const auto refused = query.whole("limit", 1, 10);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "http.bad-parameter");
  EXPECT_EQ(refused.error().message, "parameter 'limit' is '20', which is not a whole number from 1 to 10");
  for (const char* bad : {"%", "%4", "%zz", "a=%ff", "a=%00", "%c0%80=1"}) EXPECT_FALSE(query.parse(bad)) << bad;
}

RC_GTEST_PROP(QueryProperty, WhatIsEncodedIsRead, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
  Query query;
  RC_ASSERT(bool(query.parse("a=" + encode_component(text) + "&b=1")));
  RC_ASSERT(query.find("a") == text);
  RC_ASSERT(query.find("b") == "1");
}

TEST(Router, FindsTheMostSpecificRoute) {
  Router router;
  const Handler handler = plain([](Request&) { return Response{}; });
  for (const auto& [path, id] : std::initializer_list<std::pair<const char*, const char*>>{{"/", "root"},
                                                                                           {"/a", "a"},
                                                                                           {"/a/{x}", "a-x"},
                                                                                           {"/a/b", "a-b"},
                                                                                           {"/a/{x}/c", "a-x-c"},
                                                                                           {"/a/b/d", "a-b-d"},
                                                                                           {"/{y}/c/{z}", "y-c-z"}}) {
    router.add({Method::get, path, id}, handler);
  }
  router.add({Method::post, "/a/b", "post-a-b"}, handler);
  const struct {
    std::string path, id;
    std::vector<std::pair<std::string, std::string>> parameters;
  } rows[] = {{"/", "root", {}},
              {"/a", "a", {}},
              {"/a/b", "a-b", {}},
              {"/a/q", "a-x", {{"x", "q"}}},
              {"/a/b/c", "a-x-c", {{"x", "b"}}},  // back from the written-out b
              {"/a/b/d", "a-b-d", {}},
              {"/q/c/%E5%BC%A0", "y-c-z", {{"y", "q"}, {"z", "张"}}},
              {"/a/", "", {}},
              {"/b", "", {}},
              {"//", "", {}},
              {"/a/b/c/d", "", {}},
              {"/A", "", {}}};
  for (const auto& [path, id, parameters] : rows) {
    const auto request = request_of("GET " + path);
    const auto found = router.find(*request);
    EXPECT_EQ(found.entry == nullptr ? "" : found.entry->route.operation_id, id) << path;
    for (const auto& [name, value] : parameters) EXPECT_EQ(request->path_parameter(name), value) << path;
  }
  EXPECT_EQ(allow_list(router.find(*request_of("DELETE /a/b")).allowed), "GET, HEAD, POST, OPTIONS");
  EXPECT_THROW(router.add({Method::get, "/a", "again"}, handler), std::logic_error);
  EXPECT_THROW(router.add({Method::get, "/other", "a"}, handler), std::logic_error);
}

TEST(Problem, SaysWhatHappenedInOneForm) {
  const auto request = request_of("GET /x");
  const core::Error error{core::ErrorCode::refused, "ledger.short", "the account has 3 and 5 are needed", "wait", {{"has", "3"}}};
  const Response response = problem(*request, error);
  EXPECT_EQ(response.status, 403);
  const auto json = core::parse_json(response.body)->as_object();
  EXPECT_EQ(json.at("type").as_string(), "urn:tanhui:problem:ledger.short");
  EXPECT_EQ(json.at("title").as_string(), "Short");
  EXPECT_EQ(json.at("status").as_int64(), 403);
  EXPECT_EQ(json.at("params").as_object().at("has").as_string(), "3");
  EXPECT_EQ(json.at("request_id").as_string().size(), 32U);
  const core::Error both[] = {error, {core::ErrorCode::invalid_input, "a.b", "second", ""}};
  EXPECT_EQ(core::parse_json(problem(*request, both).body)->as_object().at("errors").as_array().size(), 2U);
  const struct {
    core::ErrorCode code;
    std::string id;
    int status;
  } rows[] = {{core::ErrorCode::invalid_input, "x.y", 400},
              {core::ErrorCode::not_found, "x.y", 404},
              {core::ErrorCode::conflict, "x.y", 409},
              {core::ErrorCode::refused, "x.y", 403},
              {core::ErrorCode::refused, "db.busy", 503},
              {core::ErrorCode::refused, "http.rate-limited", 429},
              {core::ErrorCode::refused, "access.unauthenticated", 401},
              {core::ErrorCode::conflict, "http.precondition-failed", 412}};
  for (const auto& [code, id, status] : rows) EXPECT_EQ(status_of({code, id, "", ""}), status) << id;
}

TEST(RateLimiter, LetsTheBurstThroughAndThenTheRate) {
  RateLimiter limiter({.per_second = 2, .burst = 3}, 7);
  const core::Millis start = 1'000'000;
  for (int left = 2; left >= 0; --left) {
    const auto decision = limiter.take("a", start);
    EXPECT_TRUE(decision.allowed);
    EXPECT_EQ(decision.remaining, left);
  }
  const auto refused = limiter.take("a", start);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after_s, 1);
  EXPECT_TRUE(limiter.take("b", start).allowed) << "another key has its own";
  EXPECT_FALSE(limiter.take("a", start + 499).allowed);
  EXPECT_TRUE(limiter.take("a", start + 500).allowed) << "half a second is one request";
  EXPECT_FALSE(limiter.take("a", start + 500).allowed);
  EXPECT_EQ(limiter.take("a", start + 10'000).remaining, 2) << "never more than the burst";
}

RC_GTEST_PROP(RateLimiterProperty, NeverMoreThanBurstAndRate, ()) {
  const RatePolicy policy{*rc::gen::inRange(1, 20), *rc::gen::inRange(1, 20)};
  RateLimiter limiter(policy, 1);
  core::Millis now = 0;
  std::int64_t allowed = 0;
  for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 200))) {
    now += step;
    allowed += limiter.take("k", now).allowed ? 1 : 0;
    RC_ASSERT(allowed <= policy.burst + now * policy.per_second / 1000 + 1);
  }
}

TEST(RateLimiter, ForgetsKeysRatherThanGrow) {
  RateLimiter limiter({.per_second = 1000, .burst = 1}, 7, 1600);
  for (int i = 0; i < 20'000; ++i) limiter.take("key" + std::to_string(i), i);
  EXPECT_LE(limiter.keys(), 1616U);
}

TEST(EntityTag, IsCompared) {
  const struct {
    std::string list;
    bool strong, weak;
  } rows[] = {{R"("v1")", true, true}, {R"("v2", "v1")", true, true}, {R"(W/"v1")", false, true},
              {"*", true, true},       {R"("v1-gzip")", true, true},  {R"("v2")", false, false},
              {"v1", false, false},    {R"("v1)", false, false},      {"", false, false}};
  for (const auto& [list, strong, weak] : rows) {
    EXPECT_EQ(names_tag(list, R"("v1")", false), strong) << list;
    EXPECT_EQ(names_tag(list, R"("v1")", true), weak) << list;
  }
  EXPECT_EQ(with_entity_tag(*request_of("GET /", "If-None-Match: \"v1\"\r\n"), Response{.body = "x"}, entity_tag(std::int64_t(1))).status,
            304);
  EXPECT_EQ(with_entity_tag(*request_of("GET /"), Response{.body = "x"}, entity_tag(std::int64_t(1))).status, 200);
  EXPECT_EQ(status_of(check_if_match(*request_of("GET /"), R"("v1")").error()), 428);
  EXPECT_EQ(status_of(check_if_match(*request_of("GET /", "If-Match: \"v0\"\r\n"), R"("v1")").error()), 412);
  EXPECT_TRUE(check_if_match(*request_of("GET /", "If-Match: \"v1\"\r\n"), R"("v1")"));
}

TEST(Compress, OnlyForWhoTakesIt) {
  const std::pair<const char*, bool> rows[] = {{"gzip", true},
                                               {"br, gzip;q=0.5", true},
                                               {"*", true},
                                               {"", false},
                                               {"identity", false},
                                               {"gzip;q=0", false},
                                               {"gzip; q=0.000", false},
                                               {"br", false},
                                               {"*, gzip;q=0", false},
                                               {"*;q=0", false},
                                               {"deflate, x-gzip", true}};
  for (const auto& [accept, takes] : rows) EXPECT_EQ(takes_gzip(accept), takes) << accept;
  const auto request = request_of("GET /", "Accept-Encoding: gzip\r\n");
  const std::string text(100'000, 'a');
  Response response = Response{.body = text}.header("ETag", "\"v1\"");
  compress(*request, response);
  EXPECT_EQ(response.headers.front().second, "\"v1-gzip\"");
  std::string unpacked(text.size() + 1, '\0');
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(response.body.data());
  stream.avail_in = uInt(response.body.size());
  stream.next_out = reinterpret_cast<Bytef*>(unpacked.data());
  stream.avail_out = uInt(unpacked.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  unpacked.resize(stream.total_out);
  inflateEnd(&stream);
  EXPECT_EQ(unpacked, text);
  Response image{.content_type = "image/png", .body = text};
  compress(*request, image);
  EXPECT_EQ(image.body.size(), text.size());
}

TEST(Log, WritesJsonAndNothingPersonal) {
  const auto file = std::filesystem::temp_directory_path() / ("tanhui_log_test_" + std::to_string(::getpid()));
  {
    const auto log = Log::to_file(file.string(), Log::Level::info, [] { return core::Millis(1'740'787'200'007); });
    AccessLog access(log, AccessLog::Which::all);
    const auto request = request_of("GET /people/wang?phone=13800000000", "Cookie: session=secret\r\n");
    access.finished({*request, "getPerson", 0, 200, "", 12, std::chrono::microseconds(34)});
    log->write(Log::Level::debug, "unseen", {});
    log->write(Log::Level::error, "a \"quoted\"\nevent", {{"count", std::int64_t(1)}});
  }
  const std::string text = core::read_file(file).value_or("");
  std::filesystem::remove(file);
  std::string no_id;  // this request came by no server
  for (int i = 0; i < 32; ++i) no_id += "\\u0000";
  EXPECT_EQ(text, R"({"time":"2025-03-01T00:00:00.007Z","level":"info","event":"request","request_id":")" + no_id +
                      R"(","operation":"getPerson","status":200,"duration_us":34,"bytes":12})" + "\n" +
                      R"({"time":"2025-03-01T00:00:00.007Z","level":"error","event":"a \"quoted\"\u000aevent","count":1})" + "\n");
}

TEST(Url, IsReadStrictly) {
  const struct {
    const char* text;
    const char* host;  // empty: refused
    int port;
    const char* target;
  } rows[] = {{"https://a.example/hook?x=1", "a.example", 443, "/hook?x=1"},
              {"http://a.example", "a.example", 80, "/"},
              {"http://a.example:8080?x", "a.example", 8080, "/?x"},
              {"https://[2001:db8::1]:8443/", "2001:db8::1", 8443, "/"},
              {"ftp://a.example/", "", 0, ""},
              {"https://user@a.example/", "", 0, ""},
              {"https://a.example#x", "", 0, ""},
              {"https://a example/", "", 0, ""},
              {"https:///x", "", 0, ""},
              {"https://a.example:0/", "", 0, ""},
              {"https://a.example:65536/", "", 0, ""},
              {"https://[::1/", "", 0, ""},
              {"https://a.example/\r\nX: y", "", 0, ""},
              {"https://a.example\\@b.example/", "", 0, ""}};
  for (const auto& [text, host, port, target] : rows) {
    const auto url = parse_url(text);
    EXPECT_EQ(bool(url), *host != '\0') << text;
    if (!url) continue;
    EXPECT_EQ(url->host, host) << text;
    EXPECT_EQ(url->port, port) << text;
    EXPECT_EQ(url->target, target) << text;
  }
}

TEST(Address, PrivateOnesAreRecognised) {
  const std::pair<const char*, bool> rows[] = {{"127.0.0.1", true},
                                               {"10.1.2.3", true},
                                               {"172.16.0.1", true},
                                               {"172.32.0.1", false},
                                               {"192.168.1.1", true},
                                               {"169.254.169.254", true},
                                               {"100.64.0.1", true},
                                               {"0.0.0.0", true},
                                               {"224.0.0.1", true},
                                               {"255.255.255.255", true},
                                               {"8.8.8.8", false},
                                               {"::1", true},
                                               {"::", true},
                                               {"fe80::1", true},
                                               {"fd00::1", true},
                                               {"::ffff:127.0.0.1", true},
                                               {"::ffff:8.8.8.8", false},
                                               {"64:ff9b::7f00:1", true},
                                               {"2002:7f00:1::", true},
                                               {"2001:db8::1", true},
                                               {"2606:4700::1", false},
                                               {"ff02::1", true}};
  for (const auto& [text, is_private] : rows) EXPECT_EQ(is_private_address(asio::ip::make_address(text)), is_private) << text;
}

TEST(Metrics, CountsByOperation) {
  Router router;
  router.add({Method::get, "/people/{id}", "getPerson"}, plain([](Request&) { return Response{}; }));
  Metrics metrics(router);
  const auto request = request_of("GET /people/wang");
  metrics.finished({*request, "getPerson", 0, 200, "", 12, std::chrono::microseconds(34)});
  metrics.finished({*request, "", SIZE_MAX, 404, "http.not-found", 1, std::chrono::microseconds(34)});
  const std::string text = metrics.text();
  EXPECT_NE(text.find("tanhui_http_requests_total{operation=\"getPerson\",status=\"200\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("tanhui_http_requests_total{operation=\"none\",status=\"404\"} 1\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("wang"), std::string::npos);
}

}  // namespace
}  // namespace tanhui::http
