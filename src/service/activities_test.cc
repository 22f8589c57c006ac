#include <gtest/gtest.h>

#include "core/json.h"
#include "service/service_fixture.h"

namespace tanhui::service {
namespace {

using http::test::status_of;
using test::RunningService;

constexpr core::Millis kMorning = activity::test::kNow - core::kMillisPerDay / 2;

std::string ride(std::string_view event, std::string_view person, core::Millis start_ms = kMorning) {
  return fmt::format(R"({{"event_id":"{}","person":"{}","activity":"metro-ride","start":"{}","end":"{}","quantity":9000}})"
                     "\n",
                     event, person, core::to_text_utc(start_ms), core::to_text_utc(start_ms + 1'800'000));
}

boost::json::object body_of(const std::string& answer) {
  const auto at = answer.find("\r\n\r\n");
  return boost::json::parse(std::string_view(answer).substr(at + 4)).as_object();
}

TEST(Activities, ArePaidAtOnceAndAnsweredOneByOne) {
  RunningService service;
  const std::string answer = service.post("metro-1", ride("a", "li") + ride("b", "wu") + "{\"event_id\": broken\n" + ride("a", "li"));
  ASSERT_EQ(status_of(answer), 200) << answer;
  const auto body = body_of(answer);
  EXPECT_EQ(body.at("accepted").as_int64(), 2);
  EXPECT_EQ(body.at("duplicate").as_int64(), 1);
  EXPECT_EQ(body.at("rejected").as_int64(), 1);
  const auto& results = body.at("results").as_array();
  ASSERT_EQ(results.size(), 4u);
  const std::int64_t milligrams = results[0].at("milligrams").as_int64();
  EXPECT_GT(milligrams, 0);
  EXPECT_EQ(results[2].at("reason").as_string(), "bad-row");
  EXPECT_EQ(results[3].at("first").at("milligrams").as_int64(), milligrams) << "sent again: the first answer";
  service.stop();
  auto instance = service.instance();
  std::int64_t held = 0;
  for (const auto& one : ledger::balances(instance.database(), instance.secret().person("li")))
    if (one.asset.kind == ledger::AssetKind::reduction) held += one.amount;
  EXPECT_EQ(held, milligrams);
}

TEST(Activities, NobodySendsThemWithoutAGoodSignature) {
  RunningService service;
  const std::string body = ride("a", "li");
  const std::string good = service.signed_request("metro-1", "/api/v1/activities", body);
  const auto refused = [&](std::string request, std::string_view reason) {
    const std::string answer = service.ask(request);
    EXPECT_EQ(status_of(answer), 401) << answer;
    EXPECT_NE(answer.find(reason), std::string::npos) << answer;
  };
  std::string other = good;
  other.replace(other.find("9000"), 4, "9001");
  refused(other, "digest.wrong");
  refused(service.signed_request("stranger", "/api/v1/activities", body), "signature.unknown-key");
  refused(fmt::format("POST /api/v1/activities HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}", body.size(), body),
          "signature.missing");
  EXPECT_EQ(status_of(service.ask(good)), 200);
  refused(good, "signature.replayed");
  service.now_ms += 600'000;
  refused(good, "signature.outside-window");
}

TEST(Activities, ASandboxKeyIsAnsweredAndNothingIsKept) {
  RunningService service;
  const std::string answer = service.post("sandbox-1", ride("a", "li"));
  EXPECT_EQ(body_of(answer).at("accepted").as_int64(), 1) << answer;
  EXPECT_EQ(body_of(service.post("metro-1", ride("a", "li"))).at("accepted").as_int64(), 1) << "not even its event id is";
  service.stop();
}

TEST(Activities, ABodyThatIsNoneIsAProblem) {
  RunningService service;
  EXPECT_EQ(status_of(service.post("metro-1", " \n ")), 400);
  const std::string answer = service.post("metro-1", "[{\"event_id\":\"a\"},");
  EXPECT_EQ(status_of(answer), 400);
  EXPECT_NE(answer.find("body.broken-json"), std::string::npos) << answer;
  std::string many;
  for (int i = 0; i < 10'001; ++i) many += "{}\n";
  EXPECT_NE(service.post("metro-1", many).find("body.too-many-records"), std::string::npos);
}

TEST(Activities, PipelinedRequestsCommitTogetherAndAreAnsweredInOrder) {
  RunningService service;
  std::string all;
  constexpr int kRequests = 100;
  for (int i = 0; i < kRequests; ++i)
    all += service.signed_request("metro-1", "/api/v1/activities", ride(fmt::format("e{}", i), fmt::format("p{}", i)));
  http::test::RawClient client(service.port());
  client.send(all);
  for (int i = 0; i < kRequests; ++i) EXPECT_EQ(body_of(client.read_answer()).at("accepted").as_int64(), 1) << i;
}

TEST(Activities, WhatWasAnsweredOutlivesTheProcess) {
  RunningService service;
  EXPECT_EQ(body_of(service.post("metro-1", ride("a", "li"))).at("accepted").as_int64(), 1);
  service.stop();
  service.now_ms += 1000;
  service.start();
  EXPECT_EQ(body_of(service.post("metro-1", ride("a", "li"))).at("duplicate").as_int64(), 1);
}

}  // namespace
}  // namespace tanhui::service
