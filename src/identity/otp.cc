#include "identity/otp.h"

#include <fmt/format.h>

#include "core/hash.h"
#include "core/json.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
constexpr std::string_view kPurposes[] = {"login", "contact", "erase"};
constexpr core::Millis kHour = 3'600'000;

/// Uniform: a draw that would favour the smaller codes is thrown away.
std::string random_code(const Randomness& randomness) {
  constexpr std::uint32_t kCodes = 1'000'000, kFair = 4'294'000'000;  // the greatest multiple of a million below 2^32
  while (true) {
    std::array<std::uint8_t, 4> bytes;
    randomness(bytes);
    const std::uint32_t number = std::uint32_t(bytes[0]) << 24 | std::uint32_t(bytes[1]) << 16 | std::uint32_t(bytes[2]) << 8 | bytes[3];
    if (number < kFair) return fmt::format("{:06}", number % kCodes);
  }
}

core::Digest digest_of(const DataKey& key, std::string_view id, CodePurpose purpose, std::string_view code) {
  return keyed_hash(Suite::standard, key, fmt::format("{}:{}:{}", id, name(purpose), code));
}

Error too_often(core::Millis wait_ms) {
  const std::int64_t wait_s = (wait_ms + 999) / 1000;
  return {ErrorCode::refused,
          "code.too-often",
          "a code was sent a short time ago",
          fmt::format("wait {} s, then ask again", wait_s),
          {{"wait_s", std::to_string(wait_s)}}};
}
Error wrong() {
  return {ErrorCode::refused, "code.wrong", "this code is not the one that was sent, or it is over",
          "look at the newest message, or ask for another code"};
}

}  // namespace

std::string_view name(CodePurpose purpose) { return kPurposes[std::size_t(purpose)]; }
std::string CodeQuestion::text() const { return core::to_hex(id); }

core::Result<NewCode> Codes::ask(db::Transaction& tx, CodePurpose purpose, const Contact& to, bool chinese, core::Millis now_ms) {
  if (const auto made = service_key(tx, safe_, "contact", now_ms); !made) return made.error();
  const auto key = service_key(tx, safe_, "code", now_ms);
  if (!key) return key.error();
  const auto lookup = people_.lookup_of(tx, to);
  if (!lookup) return lookup.error();
  const auto sent_since = [&](core::Millis since_ms) {
    return *tx.find<std::int64_t, std::int64_t>(
        "SELECT COUNT(*), COALESCE(MIN(sent_ms), 0) FROM one_time_code WHERE lookup = $1 AND sent_ms > $2", *lookup, since_ms);
  };
  for (const auto& [most, span] :
       {std::pair{std::int64_t(1), limits_.between_ms}, {limits_.per_hour, kHour}, {limits_.per_day, 24 * kHour}})
    if (const auto [count, oldest] = sent_since(now_ms - span); count >= most) return too_often(oldest + span - now_ms);

  NewCode made;
  safe_.randomness(made.question.id);
  made.question.expires_ms = now_ms + limits_.lifetime_ms;
  made.message = {to, purpose, random_code(safe_.randomness), made.question.expires_ms, chinese};
  const core::Digest digest = digest_of(*key, text_of(made.question.id), purpose, made.message.code);
  // An older code of that purpose is over: one question, one answer.
  tx.exec("UPDATE one_time_code SET used_ms = $3 WHERE lookup = $1 AND purpose = $2 AND used_ms IS NULL", *lookup, name(purpose), now_ms);
  tx.exec("INSERT INTO one_time_code (id, purpose, lookup, digest, tries, sent_ms, expires_ms) VALUES ($1, $2, $3, $4, 0, $5, $6)",
          db::Bytes{text_of(made.question.id)}, name(purpose), *lookup, digest, now_ms, made.question.expires_ms);
  return made;
}

core::Status Codes::answer(db::Transaction& tx, CodePurpose purpose, const Contact& contact, std::string_view question,
                           std::string_view code, core::Millis now_ms) {
  std::array<std::uint8_t, 16> id{};
  if (!core::from_hex(question, id)) return wrong();
  const auto key = find_service_key(tx, safe_.vault, "code");
  const auto lookup = people_.lookup_of(tx, contact);
  if (!key || !lookup) return wrong();
  const auto found = tx.find<core::Digest>(
      "SELECT digest FROM one_time_code WHERE id = $1 AND purpose = $2 AND lookup = $3 AND used_ms IS NULL AND expires_ms > $4 AND tries < "
      "$5",
      db::Bytes{text_of(id)}, name(purpose), *lookup, now_ms, limits_.tries_max);
  if (!found) return wrong();
  const core::Digest given = digest_of(*key, text_of(id), purpose, code);
  if (sodium_memcmp(found->data(), given.data(), given.size()) != 0) {
    tx.exec("UPDATE one_time_code SET tries = tries + 1 WHERE id = $1", db::Bytes{text_of(id)});
    return wrong();
  }
  tx.exec("UPDATE one_time_code SET used_ms = $2 WHERE id = $1", db::Bytes{text_of(id)}, now_ms);
  return core::Done{};
}

std::int64_t Codes::clear(db::Transaction& tx, core::Millis before_ms) {
  return tx.exec("DELETE FROM one_time_code WHERE sent_ms < $1", before_ms);
}

core::Status SandboxSender::send(const CodeMessage& message) {
  const std::scoped_lock lock(mutex_);
  if (messages_.size() == kMessagesMax) messages_.pop_back();
  messages_.insert(messages_.begin(), message);
  return core::Done{};
}
std::vector<CodeMessage> SandboxSender::messages() const {
  const std::scoped_lock lock(mutex_);
  return messages_;
}

CodeText text_of_code(const CodeMessage& message, std::string_view service) {
  if (message.chinese) {
    constexpr std::string_view kWhat[] = {"登录", "绑定联系方式", "注销账户"};
    return {fmt::format("{}验证码", service),
            fmt::format("您正在{}（{}），验证码：{}\n5 分钟内有效，请勿告诉他人。如非本人操作，请忽略。\n",
                        kWhat[std::size_t(message.purpose)], service, message.code)};
  }
  constexpr std::string_view kWhat[] = {"log in", "add this contact", "erase your account"};
  return {
      fmt::format("Your code for {}", service),
      fmt::format("{} is your code to {} at {}.\nIt is good for five minutes. Tell it to nobody. If you did not ask for it, do nothing.\n",
                  message.code, kWhat[std::size_t(message.purpose)], service)};
}

}  // namespace tanhui::identity
