// service/webhooks.h: organisations are told over HTTP what happened to their records. What is told commits with what it tells of; then it
// is sent, signed, until the receiver takes it with a 2xx, with growing pauses; after kAttemptsMax it is dead, and stays until somebody
// sends it again. A receiver may get the same event twice and knows it by Webhook-Id.
//
//   POST <url>   Content-Type: application/json   Webhook-Id: 17   Webhook-Attempt: 1   Content-Digest, Signature-Input, Signature (RFC
//   9421,
//                hmac-sha256 with the webhook's secret, keyid its id, over @method @target-uri content-digest webhook-id)
//   {"type":"import.finished","created":"2025-12-29T09:20:00.000Z","programme":"...","data":{...}}
//
// Events: import.finished (the import, without its report), records.decided (the outcomes of records that had waited for a run).
#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "db/pool.h"
#include "identity/box.h"

namespace tanhui::service {

constexpr std::array<std::string_view, 2> kWebhookEvents = {"import.finished", "records.decided"};

struct Webhook {
  std::string id, organisation, programme, url;
  std::vector<std::string> events;  // empty: all
  core::Millis created_ms = 0;
};
struct NewWebhook {
  Webhook webhook;
  std::string secret;  // 32 bytes, told once
};
struct Delivery {
  std::int64_t id = 0;
  std::string webhook, type, body, state, problem;
  core::Millis created_ms = 0, next_ms = 0;
  std::int64_t attempts = 0, answered = 0;
};

struct WebhookRules {
  bool plain_http = false;         // http:// too
  bool private_addresses = false;  // loopback and private networks too
};

/// Errors: webhook.bad-url (no https://host/…, with credentials or a fragment), webhook.unknown-event, refused webhook.too-many.
core::Result<NewWebhook> create_webhook(db::Transaction& tx, const identity::Box& box, const Webhook& wanted, const WebhookRules& rules,
                                        const std::function<void(std::span<std::uint8_t>)>& random);
/// Those that are not ended, by id.
std::vector<Webhook> webhooks_of(db::Reader& reader, std::string_view organisation, std::string_view programme);
/// Errors: not_found webhook.not-found (also when it is another organisation's).
core::Status end_webhook(db::Transaction& tx, std::string_view organisation, std::string_view programme, std::string_view id,
                         core::Millis now_ms);
/// The newest first, before `before_id` (0: all); `state` empty: any.
std::vector<Delivery> deliveries_of(db::Reader& reader, std::string_view webhook, std::string_view state, std::int64_t before_id,
                                    std::int64_t limit);
/// Tries a delivery again, delivered or dead. Errors: not_found webhook.no-delivery.
core::Status replay(db::Transaction& tx, std::string_view webhook, std::int64_t delivery, core::Millis now_ms);

/// Tells everybody of the programme (of `organisation`, when it is not empty) who wants to know. `data` is a JSON object. Returns how many.
std::int64_t tell(db::Transaction& tx, std::string_view programme, std::string_view organisation, std::string_view type,
                  std::string_view data, core::Millis now_ms);

class WebhookSender {
 public:
  struct Sent {
    long status = 0;      // 0: no answer
    std::string problem;  // empty when there was an answer
  };
  using Send =
      std::function<Sent(const std::string& url, const std::vector<std::pair<std::string, std::string>>& headers, const std::string& body)>;
  static constexpr int kAttemptsMax = 10;
  static core::Millis pause_after(std::int64_t attempts);  // 10 s, 1 min, 5 min, 30 min, 2 h, then 6 h

  WebhookSender(db::Pool& databases, identity::Box box, Send send, std::function<core::Millis()> now,
                std::function<void(std::span<std::uint8_t>)> random);
  ~WebhookSender();
  void wake();
  /// One round: sends what is due, at most 50. Returns how many were sent.
  std::int64_t send_due();

 private:
  void loop();
  Sent send_one(const std::string& url, const std::string& secret, const std::string& webhook, const Delivery& delivery);
  db::Pool& databases_;
  identity::Box box_;
  Send send_;
  std::function<core::Millis()> now_;
  std::function<void(std::span<std::uint8_t>)> random_;
  std::mutex mutex_;
  std::condition_variable something_;
  bool stopping_ = false, woken_ = false;
  std::thread thread_;
};

/// Over HTTPS, by libcurl: 10 s, no redirects, at most 64 KiB of answer, no private address unless the rules say so.
WebhookSender::Send send_over_https(WebhookRules rules);

}  // namespace tanhui::service
