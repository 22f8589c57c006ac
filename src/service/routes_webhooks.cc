// /api/v1/webhooks: a partner says where its organisation is told what happened, sees what was delivered, and has it sent again.
#include <fmt/format.h>

#include <charconv>

#include "core/json.h"
#include "http/query.h"
#include "service/partners.h"
#include "service/routes.h"

namespace tanhui::service {
namespace {

constexpr std::size_t kBodyBytesMax = 16 * 1024;

boost::json::object told(const Webhook& webhook) {
  boost::json::array events;
  for (const std::string& event : webhook.events) events.emplace_back(event);
  return {{"id", webhook.id}, {"url", webhook.url}, {"events", std::move(events)}, {"created", core::to_text_utc(webhook.created_ms)}};
}

boost::json::object told(const Delivery& delivery) {
  return {{"id", delivery.id},
          {"type", delivery.type},
          {"state", delivery.state},
          {"attempts", delivery.attempts},
          {"status", delivery.answered},
          {"problem", delivery.problem},
          {"created", core::to_text_utc(delivery.created_ms)},
          {"body", boost::json::parse(delivery.body)}};
}

core::Result<Webhook> read(const Request& request) {
  boost::system::error_code problem;
  const auto value = boost::json::parse(request.body(), problem);
  const auto bad = [](std::string_view what) {
    return core::Error{core::ErrorCode::invalid_input, "webhook.bad-body", std::string(what),
                       R"(send {"url": "https://...", "events": ["import.finished"]})"};
  };
  if (problem || !value.is_object()) return bad("the body is not a JSON object");
  Webhook webhook;
  for (const auto& [name, member] : value.as_object()) {
    if (name == "url" && member.is_string()) {
      webhook.url = member.as_string();
    } else if (name == "events" && member.is_array()) {
      for (const auto& event : member.as_array()) {
        if (!event.is_string()) return bad("an event is not a text");
        webhook.events.emplace_back(event.as_string());
      }
    } else {
      return bad(fmt::format("member '{}' is not known, or of another type", std::string_view(name)));
    }
  }
  return webhook;
}

/// One of the partner's own.
core::Result<std::string> own(db::Reader& reader, const Partner& partner, std::string_view id) {
  for (const Webhook& webhook : webhooks_of(reader, partner.organisation, partner.programme))
    if (webhook.id == id) return webhook.id;
  return core::Error{core::ErrorCode::not_found, "webhook.not-found", fmt::format("there is no webhook '{}'", id), "list them"};
}

Response json(boost::json::object object, int status = 200) {
  return {.status = status, .body = boost::json::serialize(boost::json::value(std::move(object)))};
}

}  // namespace

void add_webhook_routes(Api& api) {
  World& world = api.world();
  const WebhookRules rules{world.config.activities.webhooks_plain_http, world.config.activities.webhooks_private_addresses};
  api.add({.method = Method::post,
           .path = "/api/v1/webhooks",
           .operation_id = "postWebhook",
           .access = Access::partner(),
           .body_bytes_max = kBodyBytesMax},
          api.with_transaction([&world, rules](Request& request, db::Transaction& tx) -> Response {
            const Partner& partner = partner_of(request);
            auto wanted = read(request);
            if (!wanted) return http::problem(request, wanted.error());
            Webhook webhook = *std::move(wanted);
            webhook.organisation = partner.organisation;
            webhook.programme = partner.programme;
            webhook.created_ms = world.now();
            const auto made = create_webhook(tx, world.records.webhook_box(), webhook, rules, world.random);
            if (!made) return http::problem(request, made.error());
            auto object = told(made->webhook);
            object["secret"] = core::to_hex({reinterpret_cast<const std::uint8_t*>(made->secret.data()), made->secret.size()});
            return json(std::move(object), 201);
          }));
  api.add({.method = Method::get, .path = "/api/v1/webhooks", .operation_id = "listWebhooks", .access = Access::partner()},
          api.with_database([](Request& request, db::Database& database) -> Response {
            const Partner& partner = partner_of(request);
            boost::json::array list;
            for (const Webhook& webhook : webhooks_of(database, partner.organisation, partner.programme)) list.push_back(told(webhook));
            return json({{"webhooks", std::move(list)}});
          }));
  api.add({.method = Method::delete_, .path = "/api/v1/webhooks/{id}", .operation_id = "deleteWebhook", .access = Access::partner()},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            const Partner& partner = partner_of(request);
            const auto ended = end_webhook(tx, partner.organisation, partner.programme, request.path_parameter("id"), world.now());
            if (!ended) return http::problem(request, ended.error());
            return {.status = 204};
          }));
  api.add(
      {.method = Method::get,
       .path = "/api/v1/webhooks/{id}/deliveries",
       .operation_id = "listDeliveries",
       .access = Access::partner(),
       .query = {"state", "before", "limit"}},
      api.with_database([](Request& request, db::Database& database) -> Response {
        const auto state = request.query().one_of("state", {"waiting", "delivered", "dead"});
        const auto before = request.query().whole("before", 1, INT64_MAX);
        const auto limit = request.query().whole("limit", 1, 500);
        for (const auto* error : {state ? nullptr : &state.error(), before ? nullptr : &before.error(), limit ? nullptr : &limit.error()})
          if (error != nullptr) return http::problem(request, *error);
        const auto id = own(database, partner_of(request), request.path_parameter("id"));
        if (!id) return http::problem(request, id.error());
        boost::json::array list;
        for (const Delivery& delivery : deliveries_of(database, *id, state->value_or(""), before->value_or(0), limit->value_or(50)))
          list.push_back(told(delivery));
        return json({{"deliveries", std::move(list)}});
      }));
  api.add({.method = Method::post,
           .path = "/api/v1/webhooks/{id}/deliveries/{delivery}/replay",
           .operation_id = "replayDelivery",
           .access = Access::partner()},
          api.with_transaction([&world](Request& request, db::Transaction& tx) -> Response {
            const auto id = own(tx, partner_of(request), request.path_parameter("id"));
            if (!id) return http::problem(request, id.error());
            std::int64_t delivery = 0;
            const std::string_view text = request.path_parameter("delivery");
            std::from_chars(text.data(), text.data() + text.size(), delivery);
            const auto again = replay(tx, *id, delivery, world.now());
            if (!again) return http::problem(request, again.error());
            world.records.webhooks().wake();
            return {.status = 202, .body = "{}"};
          }));
}

}  // namespace tanhui::service
