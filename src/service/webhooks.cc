#include "service/webhooks.h"

#include <boost/url.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "core/json.h"
#include "http/signature.h"
#include "identity/edit.h"

namespace tanhui::service {
namespace {

constexpr std::int64_t kWebhooksMax = 20, kTogether = 50;
constexpr std::size_t kUrlBytesMax = 2000;

std::string bound_to(std::string_view id) { return fmt::format("webhook {}", id); }

core::Status check_url(const std::string& url, const WebhookRules& rules) {
  const auto bad = [&](std::string_view why) {
    return core::Error{core::ErrorCode::invalid_input, "webhook.bad-url", fmt::format("the address {}", why),
                       "write https://host/path, without a name, password or fragment"};
  };
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed || url.size() > kUrlBytesMax) return bad("is not a URL of at most 2,000 bytes");
  if (parsed->scheme() != "https" && !(rules.plain_http && parsed->scheme() == "http")) return bad("does not begin with https://");
  if (parsed->host().empty() || parsed->has_userinfo() || parsed->has_fragment())
    return bad("has no host, or a name, password or fragment");
  return core::Done{};
}

std::string join(const std::vector<std::string>& events) {
  if (events.empty()) return "*";
  return fmt::format("{}", fmt::join(events, ","));
}
std::vector<std::string> split(std::string_view events) {
  std::vector<std::string> all;
  if (events == "*") return all;
  for (std::size_t at = 0; at <= events.size();) {
    const std::size_t end = std::min(events.find(',', at), events.size());
    all.emplace_back(events.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

Delivery delivery_of(const db::Row& row) {
  return {row.integer(0),          row.get<std::string>(1), row.get<std::string>(2), row.get<std::string>(3), row.get<std::string>(4),
          row.get<std::string>(5), row.integer(6),          row.integer(7),          row.integer(8),          row.integer(9)};
}
constexpr std::string_view kDeliveryColumns =
    "d.id, d.webhook, d.type, d.body, d.state, d.problem, d.created_ms, d.next_ms, d.attempts, d.answered";

}  // namespace

core::Result<NewWebhook> create_webhook(db::Transaction& tx, const identity::Box& box, const Webhook& wanted, const WebhookRules& rules,
                                        const std::function<void(std::span<std::uint8_t>)>& random) {
  if (auto status = check_url(wanted.url, rules); !status) return status.error();
  for (const std::string& event : wanted.events) {
    if (std::find(kWebhookEvents.begin(), kWebhookEvents.end(), event) == kWebhookEvents.end())
      return core::Error{core::ErrorCode::invalid_input,
                         "webhook.unknown-event",
                         fmt::format("there is no event '{}'", event),
                         fmt::format("choose of {}", fmt::join(kWebhookEvents, ", ")),
                         {{"event", event}}};
  }
  const auto count = tx.find<std::int64_t>("SELECT count(*) FROM webhook WHERE organisation = $1 AND programme = $2 AND ended_ms IS NULL",
                                           wanted.organisation, wanted.programme);
  if (count.value_or(0) >= kWebhooksMax)
    return core::Error{core::ErrorCode::refused, "webhook.too-many", fmt::format("there are {} webhooks already", kWebhooksMax),
                       "end one that is not needed"};
  NewWebhook made{wanted, std::string(32, '\0')};
  random({reinterpret_cast<std::uint8_t*>(made.secret.data()), made.secret.size()});
  made.webhook.id = identity::random_id("wh");
  const std::string sealed = box.seal(made.secret, bound_to(made.webhook.id));
  tx.exec("INSERT INTO webhook (id, organisation, programme, url, events, secret, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
          made.webhook.id, wanted.organisation, wanted.programme, wanted.url, join(wanted.events), db::Bytes{sealed}, wanted.created_ms);
  return made;
}

std::vector<Webhook> webhooks_of(db::Reader& reader, std::string_view organisation, std::string_view programme) {
  std::vector<Webhook> all;
  reader.each(
      "SELECT id, organisation, programme, url, events, created_ms FROM webhook WHERE organisation = $1 AND programme = $2 AND ended_ms IS "
      "NULL ORDER BY id",
      [&](const db::Row& row) {
        all.push_back({row.get<std::string>(0), row.get<std::string>(1), row.get<std::string>(2), row.get<std::string>(3),
                       split(row.text(4)), row.integer(5)});
      },
      organisation, programme);
  return all;
}

core::Status end_webhook(db::Transaction& tx, std::string_view organisation, std::string_view programme, std::string_view id,
                         core::Millis now_ms) {
  if (tx.exec("UPDATE webhook SET ended_ms = $4 WHERE id = $1 AND organisation = $2 AND programme = $3 AND ended_ms IS NULL", id,
              organisation, programme, now_ms) == 0)
    return core::Error{core::ErrorCode::not_found, "webhook.not-found", fmt::format("there is no webhook '{}'", id), "list them"};
  tx.exec("UPDATE webhook_delivery SET state = 'dead', problem = 'the webhook was ended' WHERE webhook = $1 AND state = 'waiting'", id);
  return core::Done{};
}

std::vector<Delivery> deliveries_of(db::Reader& reader, std::string_view webhook, std::string_view state, std::int64_t before_id,
                                    std::int64_t limit) {
  std::vector<Delivery> all;
  reader.each(
      fmt::format("SELECT {} FROM webhook_delivery d WHERE d.webhook = $1 AND ($2 = '' OR d.state = $2) AND ($3 = 0 OR d.id < $3) ORDER BY "
                  "d.id DESC LIMIT $4",
                  kDeliveryColumns),
      [&](const db::Row& row) { all.push_back(delivery_of(row)); }, webhook, state, before_id, limit);
  return all;
}

core::Status replay(db::Transaction& tx, std::string_view webhook, std::int64_t delivery, core::Millis now_ms) {
  if (tx.exec("UPDATE webhook_delivery SET state = 'waiting', attempts = 0, next_ms = $3, problem = '' WHERE webhook = $1 AND id = $2",
              webhook, delivery, now_ms) == 0)
    return core::Error{core::ErrorCode::not_found, "webhook.no-delivery", fmt::format("there is no delivery {}", delivery), "list them"};
  return core::Done{};
}

std::int64_t tell(db::Transaction& tx, std::string_view programme, std::string_view organisation, std::string_view type,
                  std::string_view data, core::Millis now_ms) {
  std::vector<std::string> ids;
  tx.each(
      "SELECT id, events FROM webhook WHERE programme = $1 AND ($2 = '' OR organisation = $2) AND ended_ms IS NULL ORDER BY id",
      [&](const db::Row& row) {
        const auto events = split(row.text(1));
        if (events.empty() || std::find(events.begin(), events.end(), type) != events.end()) ids.push_back(row.get<std::string>(0));
      },
      programme, organisation);
  const std::string body =
      fmt::format(R"({{"type":"{}","created":"{}","programme":"{}","data":{}}})", type, core::to_text_utc(now_ms), programme, data);
  for (const std::string& id : ids)
    tx.exec(
        "INSERT INTO webhook_delivery (id, webhook, type, body, created_ms, state, attempts, next_ms, answered, problem) SELECT "
        "coalesce(max(id), 0) + 1, $1, $2, $3, $4, 'waiting', 0, $4, 0, '' FROM webhook_delivery",
        id, type, body, now_ms);
  return std::int64_t(ids.size());
}

// ---- sending ---------------------------------------------------------------------------------------------------------------------

core::Millis WebhookSender::pause_after(std::int64_t attempts) {
  constexpr core::Millis pauses[] = {10'000, 60'000, 300'000, 1'800'000, 7'200'000};
  return attempts >= 1 && attempts <= std::int64_t(std::size(pauses)) ? pauses[attempts - 1] : 21'600'000;
}

WebhookSender::WebhookSender(db::Pool& databases, identity::Box box, Send send, std::function<core::Millis()> now,
                             std::function<void(std::span<std::uint8_t>)> random)
    : databases_(databases), box_(box), send_(std::move(send)), now_(std::move(now)), random_(std::move(random)), thread_([this] {
        loop();
      }) {}

WebhookSender::~WebhookSender() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  something_.notify_one();
  thread_.join();
}

void WebhookSender::wake() {
  {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
  }
  something_.notify_one();
}

void WebhookSender::loop() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      something_.wait_for(lock, std::chrono::seconds(2), [&] { return stopping_ || woken_; });
      if (stopping_) return;
      woken_ = false;
    }
    try {
      while (send_due() == kTogether) {
        const std::scoped_lock lock(mutex_);
        if (stopping_) return;
      }
    } catch (const std::exception&) {  // the database is away: it is asked again
    }
  }
}

std::int64_t WebhookSender::send_due() {
  struct Due {
    Delivery delivery;
    std::string url, secret;
  };
  std::vector<Due> due;
  auto lease = databases_.take();
  if (!lease) return 0;
  auto taken = *std::move(lease);
  taken.database().each(
      fmt::format("SELECT {}, w.url, w.secret FROM webhook_delivery d JOIN webhook w ON w.id = d.webhook WHERE d.state = 'waiting' AND "
                  "d.next_ms <= $1 ORDER BY d.next_ms, d.id LIMIT $2",
                  kDeliveryColumns),
      [&](const db::Row& row) {
        due.push_back({delivery_of(row), row.get<std::string>(10), std::string(row.bytes(11))});
      },
      now_(), kTogether);
  for (const Due& one : due) {
    const auto secret = box_.open(one.secret, bound_to(one.delivery.webhook));
    Sent sent = secret ? send_one(one.url, *secret, one.delivery.webhook, one.delivery) : Sent{0, "the secret cannot be opened"};
    const bool fine = sent.status >= 200 && sent.status < 300;
    if (!fine && sent.problem.empty()) sent.problem = fmt::format("answered {}", sent.status);
    const std::int64_t attempts = one.delivery.attempts + 1;
    const std::string_view state = fine ? "delivered" : attempts >= kAttemptsMax ? "dead" : "waiting";
    db::Transaction tx = taken.database().begin();
    tx.exec(
        "UPDATE webhook_delivery SET state = $2, attempts = $3, next_ms = $4, answered = $5, problem = $6 WHERE id = $1 AND state = "
        "'waiting'",
        one.delivery.id, state, attempts, now_() + pause_after(attempts), std::int64_t(sent.status), sent.problem);
    tx.commit();
  }
  return std::int64_t(due.size());
}

WebhookSender::Sent WebhookSender::send_one(const std::string& url, const std::string& secret, const std::string& webhook,
                                            const Delivery& delivery) {
  const auto parsed = boost::urls::parse_uri(url);
  const std::string digest = http::content_digest(delivery.body), id = std::to_string(delivery.id);
  const std::string authority(parsed->encoded_host_and_port().data(), parsed->encoded_host_and_port().size());
  std::string target(parsed->encoded_path().data(), parsed->encoded_path().size());
  if (target.empty()) target = "/";
  if (parsed->has_query()) target += "?" + std::string(parsed->encoded_query().data(), parsed->encoded_query().size());
  const std::string scheme(parsed->scheme().data(), parsed->scheme().size());
  const std::array<http::FieldView, 2> fields{{{"content-digest", digest}, {"webhook-id", id}}};
  const http::MessageView message{
      .method = "POST", .scheme = scheme, .authority = authority, .target = target, .fields = fields, .body = delivery.body};
  const std::array<std::string_view, 4> components{"@method", "@target-uri", "content-digest", "webhook-id"};
  std::array<std::uint8_t, 12> nonce{};
  random_(nonce);
  const auto key = http::SignatureKey::hmac({reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()});
  if (!key) return {0, key.error().message};
  const auto signature =
      http::sign(message, "sig", components, {.created_s = now_() / 1000, .keyid = webhook, .nonce = core::to_hex(nonce)}, *key);
  if (!signature) return {0, signature.error().message};
  return send_(url,
               {{"Content-Type", "application/json"},
                {"Webhook-Id", id},
                {"Webhook-Attempt", std::to_string(delivery.attempts + 1)},
                {"Content-Digest", digest},
                {"Signature-Input", signature->signature_input},
                {"Signature", signature->signature}},
               delivery.body);
}

}  // namespace tanhui::service
