// service/idempotency.h: the same request again within a day gets the first answer, and its work is not done twice.
//
// A key belongs to one caller. Its first request is kept as a digest of method, target and body: the same key with something else is
// refused (idempotency.other-content, 422). Only success is kept: what was refused may be sent again with the same key.
//
// Work that is one transaction: run() inside of it. Then key, work and answer commit together, and of two requests at the same time one
// waits for the store's write lock and finds the other's answer. Work that is not (it commits in several steps, or in a batch with others):
// claim() in a transaction before it, keep() in one after it; meanwhile the same key is answered idempotency.in-progress (409), and when
// the process died in between, the claim lapses after `patience_ms`: such work must recognise itself when it is done again.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "core/hash.h"
#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "http/message.h"
#include "service/access.h"

namespace tanhui::service {

constexpr core::Millis kIdempotencyKept = core::kMillisPerDay;
constexpr std::size_t kIdempotencyKeyMax = 255, kIdempotencyBodyMax = 1024 * 1024;

struct IdempotencyKey {
  core::Digest caller, request;
  std::string key;
};

/// From the header Idempotency-Key: 1 to 255 visible ASCII characters. Errors: idempotency.key-missing, idempotency.bad-key.
core::Result<IdempotencyKey> read_idempotency_key(const http::Request& request, const Caller& caller);

/// The first answer, if this was done before. Errors: idempotency.other-content.
core::Result<std::optional<http::Response>> find_answer(db::Transaction& tx, const IdempotencyKey& key, core::Millis now);

/// Does `work` in `tx` unless it was done before. The caller commits when the answer's status is below 400, and rolls back otherwise.
core::Result<http::Response> run_once(db::Transaction& tx, const IdempotencyKey& key, core::Millis now,
                                      const std::function<http::Response()>& work);

/// Takes the key, for work that is not one transaction: nothing when it is free now and taken, or the first answer. Errors:
/// idempotency.other-content, idempotency.in-progress.
core::Result<std::optional<http::Response>> claim(db::Transaction& tx, const IdempotencyKey& key, core::Millis now,
                                                  core::Millis patience_ms);
/// The claimed work is done, with this answer; or it was not done, and the key is free again.
void keep_answer(db::Transaction& tx, const IdempotencyKey& key, const http::Response& response);
void release(db::Transaction& tx, const IdempotencyKey& key);

/// All kept answers of a caller: when a person is erased, what they were answered goes too.
void forget_caller(db::Transaction& tx, const Caller& caller);

/// Forgets what is older than a day, at most `rows_max`; returns how many.
std::int64_t sweep_idempotency(db::Transaction& tx, core::Millis now, std::int64_t rows_max);

}  // namespace tanhui::service
