#include "service/idempotency.h"

#include <fmt/format.h>

#include "core/invariant.h"
#include "core/json.h"

namespace tanhui::service {
namespace {

core::Digest digest_of(std::initializer_list<std::string_view> parts) {
  core::Sha256 hash;
  for (const std::string_view part : parts) {
    const std::string length = std::to_string(part.size()) + ":";
    hash.update(length);
    hash.update(part);
  }
  return hash.finish();
}

std::string headers_text(const http::Response& response) {
  boost::json::array all;
  for (const auto& [name, value] : response.headers) all.push_back(boost::json::array{name, value});
  return boost::json::serialize(all);
}

http::Response stored_answer(std::int64_t status, const std::string& headers, std::string body) {
  http::Response response{.status = int(status), .body = std::move(body)};
  const auto read = core::parse_json(headers);
  core::invariant(read && read->is_array(), "the headers of a kept answer are a list");
  for (const auto& pair : read->get_array()) {
    const auto& both = pair.as_array();
    response.header(std::string(both.at(0).as_string()), std::string(both.at(1).as_string()));
  }
  response.header("Idempotency-Replayed", "true");
  return response;
}

struct Row {
  core::Digest request{};
  std::int64_t begun_ms = 0;
  std::optional<std::int64_t> status;
  std::string headers, body;
};

std::optional<Row> find_row(db::Transaction& tx, const IdempotencyKey& key) {
  std::optional<Row> found;
  tx.each(
      "SELECT request, begun_ms, status, headers, body FROM idempotency WHERE caller = $1 AND key = $2",
      [&](const db::Row& row) {
        Row& one = found.emplace();
        one.request = row.get<core::Digest>(0);
        one.begun_ms = row.integer(1);
        if (row.is_null(2)) return;
        one.status = row.integer(2);
        one.headers = row.text(3);
        one.body = row.bytes(4);
      },
      key.caller, key.key);
  return found;
}

core::Error other_content() {
  return {core::ErrorCode::conflict, "idempotency.other-content", "this Idempotency-Key was used for another request",
          "send the same request as before, or a new key"};
}

}  // namespace

core::Result<IdempotencyKey> read_idempotency_key(const http::Request& request, const Caller& caller) {
  if (!request.has_header("Idempotency-Key")) {
    return core::Error{core::ErrorCode::invalid_input, "idempotency.key-missing", "the request has no Idempotency-Key",
                       "send one, new for each thing that shall be done, for example a UUID"};
  }
  const std::string_view sent = request.header("Idempotency-Key");
  const bool visible = std::all_of(sent.begin(), sent.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (sent.empty() || sent.size() > kIdempotencyKeyMax || !visible) {
    return core::Error{core::ErrorCode::invalid_input, "idempotency.bad-key",
                       fmt::format("the Idempotency-Key is not 1 to {} visible ASCII characters", kIdempotencyKeyMax),
                       "send for example a UUID"};
  }
  return IdempotencyKey{digest_of({name_of(caller.kind), caller.id}),
                        digest_of({http::name_of(request.method()), request.target(), request.body()}), std::string(sent)};
}

core::Result<std::optional<http::Response>> find_answer(db::Transaction& tx, const IdempotencyKey& key, core::Millis now) {
  const auto row = find_row(tx, key);
  if (!row || row->begun_ms <= now - kIdempotencyKept) return std::optional<http::Response>();
  if (row->request != key.request) return other_content();
  if (!row->status) return std::optional<http::Response>();
  return std::optional(stored_answer(*row->status, row->headers, row->body));
}

core::Result<http::Response> run_once(db::Transaction& tx, const IdempotencyKey& key, core::Millis now,
                                      const std::function<http::Response()>& work) {
  auto before = find_answer(tx, key, now);
  if (!before) return before.error();
  if (*before) return **before;
  const auto taken = claim(tx, key, now, 0);
  if (!taken) return taken.error();
  http::Response response = work();
  if (response.status < 300) keep_answer(tx, key, response);
  return response;
}

core::Result<std::optional<http::Response>> claim(db::Transaction& tx, const IdempotencyKey& key, core::Millis now,
                                                  core::Millis patience_ms) {
  auto before = find_answer(tx, key, now);
  if (!before || *before) return before;
  // A row that is there is a claim, or older than a day.
  const auto row = find_row(tx, key);
  if (row && !row->status && row->begun_ms > now - patience_ms) {
    return core::Error{core::ErrorCode::conflict, "idempotency.in-progress",
                       "the first request with this Idempotency-Key is still being worked on", "ask again after the time in Retry-After"};
  }
  tx.exec(
      "INSERT INTO idempotency (caller, key, request, begun_ms, status, headers, body) VALUES ($1, $2, $3, $4, NULL, NULL, NULL) "
      "ON CONFLICT (caller, key) DO UPDATE SET request = excluded.request, begun_ms = excluded.begun_ms, status = NULL, headers = NULL, "
      "body = NULL",
      key.caller, key.key, key.request, now);
  return std::optional<http::Response>();
}

void keep_answer(db::Transaction& tx, const IdempotencyKey& key, const http::Response& response) {
  core::invariant(response.status >= 200 && response.status < 300 && !response.stream && response.body.size() <= kIdempotencyBodyMax,
                  "an answer that is kept is a success of at most a megabyte");
  const auto changed =
      tx.exec("UPDATE idempotency SET status = $3, headers = $4, body = $5 WHERE caller = $1 AND key = $2 AND request = $6", key.caller,
              key.key, std::int64_t(response.status), headers_text(response), db::Bytes{response.body}, key.request);
  core::invariant(changed == 1, "an answer is kept for a key that was claimed");
}

void release(db::Transaction& tx, const IdempotencyKey& key) {
  tx.exec("DELETE FROM idempotency WHERE caller = $1 AND key = $2 AND status IS NULL", key.caller, key.key);
}

void forget_caller(db::Transaction& tx, const Caller& caller) {
  tx.exec("DELETE FROM idempotency WHERE caller = $1", digest_of({name_of(caller.kind), caller.id}));
}

std::int64_t sweep_idempotency(db::Transaction& tx, core::Millis now, std::int64_t rows_max) {
  return tx.exec(
      "DELETE FROM idempotency WHERE (caller, key) IN (SELECT caller, key FROM idempotency WHERE begun_ms <= $1 ORDER BY begun_ms LIMIT "
      "$2)",
      now - kIdempotencyKept, rows_max);
}

}  // namespace tanhui::service
