#include "service/webhooks.h"

#include <gtest/gtest.h>

#include "core/json.h"
#include "db/test_database.h"
#include "http/server_fixture.h"
#include "http/signature.h"

namespace tanhui::service {
namespace {

struct World {
  db::test::Place place;
  db::Database database = place.open();
  db::Pool pool{place.where()};
  identity::Box box{core::sha256("a key")};
  core::Millis now = 1'740'787'200'000;
  std::uint8_t next = 1;
  std::function<void(std::span<std::uint8_t>)> random = [this](std::span<std::uint8_t> bytes) {
    for (std::uint8_t& byte : bytes) byte = next++;
  };
  std::vector<WebhookSender::Sent> answers;
  std::vector<std::pair<std::string, std::string>> last_headers;
  std::string last_body;
  int sent = 0;
  WebhookSender sender{
      pool, box,
      [this](const std::string&, const std::vector<std::pair<std::string, std::string>>& headers, const std::string& body) {
        ++sent;
        last_headers = headers;
        last_body = body;
        if (answers.empty()) return WebhookSender::Sent{200, ""};
        const auto answer = answers.front();
        answers.erase(answers.begin());
        return answer;
      },
      [this] { return now + 1'000'000'000'000; },  // its thread finds nothing due: rounds are the test's
      random};

  NewWebhook create(const std::string& url = "https://metro.example/hook", std::vector<std::string> events = {}) {
    auto made = database.transact([&](db::Transaction& tx) {
      return create_webhook(tx, box, {"", "metro", "city", url, std::move(events), now}, {}, random);
    });
    EXPECT_TRUE(made) << made.error().message;
    return *std::move(made);
  }
  void tell(std::string_view type, std::string_view data = "{}") {
    db::Transaction tx = database.begin();
    service::tell(tx, "city", "metro", type, data, now);
    tx.commit();
  }
};

std::string_view header(const std::vector<std::pair<std::string, std::string>>& headers, std::string_view name) {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

TEST(Webhooks, AreSignedAndDeliveredOnce) {
  World world;
  const NewWebhook made = world.create();
  world.tell("import.finished", R"({"id":"a"})");
  EXPECT_EQ(world.sender.send_due(), 1);
  EXPECT_EQ(world.sender.send_due(), 0);
  EXPECT_EQ(world.sent, 1);
  const auto body = boost::json::parse(world.last_body).as_object();
  EXPECT_EQ(body.at("type"), "import.finished");
  EXPECT_EQ(body.at("data").at("id"), "a");
  // The receiver checks it with what it was told once.
  std::vector<http::FieldView> fields;
  for (const auto& [name, value] : world.last_headers) fields.emplace_back(name, value);
  const auto key = http::SignatureKey::hmac({reinterpret_cast<const std::uint8_t*>(made.secret.data()), made.secret.size()});
  http::SignatureVerifier verifier({.covered_fields = {"webhook-id"}});
  const auto verified = verifier.verify(
      {.method = "POST", .scheme = "https", .authority = "metro.example", .target = "/hook", .fields = fields, .body = world.last_body},
      [&](std::string_view id) { return id == made.webhook.id ? &*key : nullptr; }, nullptr, world.now + 1'000'000'000'000);
  EXPECT_TRUE(verified) << verified.error().message;
}

TEST(Webhooks, AreTriedAgainThenDeadThenReplayed) {
  World world;
  const NewWebhook made = world.create();
  world.tell("import.finished");
  for (int attempt = 1; attempt <= WebhookSender::kAttemptsMax; ++attempt) {
    world.answers = {attempt % 2 == 0 ? WebhookSender::Sent{503, ""} : WebhookSender::Sent{0, "timed out"}};
    EXPECT_EQ(world.sender.send_due(), 1) << attempt;
    EXPECT_EQ(world.sender.send_due(), 0) << "not before the pause is over";
    EXPECT_EQ(header(world.last_headers, "Webhook-Attempt"), std::to_string(attempt));
    world.now += WebhookSender::pause_after(attempt);
  }
  EXPECT_EQ(world.sender.send_due(), 0);
  auto dead = deliveries_of(world.database, made.webhook.id, "dead", 0, 10);
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].problem, "answered 503");
  ASSERT_TRUE(world.database.transact([&](db::Transaction& tx) { return replay(tx, made.webhook.id, dead[0].id, world.now); }));
  EXPECT_EQ(world.sender.send_due(), 1);
  EXPECT_EQ(deliveries_of(world.database, made.webhook.id, "delivered", 0, 10).size(), 1u);
}

TEST(Webhooks, GoToWhoAskedForThem) {
  World world;
  world.create("https://metro.example/all");
  world.create("https://metro.example/decided", {"records.decided"});
  world.tell("import.finished");
  EXPECT_EQ(world.sender.send_due(), 1);
  world.tell("records.decided");
  EXPECT_EQ(world.sender.send_due(), 2);
  {
    db::Transaction tx = world.database.begin();
    EXPECT_EQ(tell(tx, "other-city", "metro", "records.decided", "{}", world.now), 0);
    EXPECT_EQ(tell(tx, "city", "bus", "records.decided", "{}", world.now), 0);
    tx.commit();
  }
  const auto all = webhooks_of(world.database, "metro", "city");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_FALSE(world.database.transact([&](db::Transaction& tx) { return end_webhook(tx, "bus", "city", all[0].id, world.now); }))
      << "somebody else's";
  for (const Webhook& one : all)
    ASSERT_TRUE(world.database.transact([&](db::Transaction& tx) { return end_webhook(tx, "metro", "city", one.id, world.now); }));
  world.tell("records.decided");
  EXPECT_EQ(world.sender.send_due(), 0);
}

TEST(Webhooks, BadAddresses) {
  World world;
  for (const char* url : {"http://metro.example/", "https://", "ftp://metro.example/", "https://me:secret@metro.example/", "metro.example",
                          "https://metro.example/#x"}) {
    const auto refused = world.database.transact([&](db::Transaction& tx) {
      return create_webhook(tx, world.box, {"", "metro", "city", url, {}, 0}, {}, world.random);
    });
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().id, "webhook.bad-url");
  }
}

TEST(Webhooks, ReachARealServerButNoPrivateAddress) {
  auto router = std::make_shared<http::Router>();
  std::string got;
  router->add({http::Method::post, "/hook", "hook", {}, 10'000}, http::plain([&](http::Request& request) {
                got = request.body();
                return http::Response{.status = 204};
              }));
  http::test::RunningServer server(router);
  const std::string url = fmt::format("http://127.0.0.1:{}/hook", server.port());
  const auto refused = send_over_https({.plain_http = true})(url, {}, "x");
  EXPECT_EQ(refused.status, 0);
  EXPECT_EQ(got, "");
  EXPECT_EQ(send_over_https({.plain_http = true, .private_addresses = true})(url, {{"Content-Type", "application/json"}}, "{}").status,
            204);
  EXPECT_EQ(got, "{}");
}

}  // namespace
}  // namespace tanhui::service
