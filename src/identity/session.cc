#include "identity/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/hash.h"
#include "identity/base64url.h"
#include "identity/box.h"
#include "identity/edit.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
constexpr std::size_t kTokenLength = 43, kAgentBytesMax = 120;
constexpr core::Millis kSeenGrainMs = 60'000;  // not a write for each request

constexpr std::string_view kColumns = "id, kind, owner, pending, created_ms, seen_ms, idle_ms, end_ms, agent";
constexpr std::string_view kLasts = "revoked_ms IS NULL AND end_ms > $1 AND seen_ms + idle_ms > $1";

Session session_of(const db::Row& row) {
  return {row.get<std::string>(0),
          row.text(1) == "staff" ? SessionKind::staff : SessionKind::person,
          row.get<std::string>(2),
          row.integer(3) != 0,
          row.integer(4),
          row.integer(5),
          std::min(row.integer(5) + row.integer(6), row.integer(7)),
          row.get<std::string>(8)};
}

}  // namespace

std::string_view name(SessionKind kind) { return kind == SessionKind::staff ? "staff" : "person"; }

NewSession start_session(db::Transaction& tx, SessionKind kind, std::string_view owner, bool pending, const SessionLimits& limits,
                         std::string_view agent, core::Millis now_ms) {
  const auto last = sessions_of(tx, kind, owner, now_ms);
  for (std::size_t i = kSessionsMax - 1; i < last.size(); ++i)
    tx.exec("UPDATE session SET revoked_ms = $2 WHERE id = $1", last[i].id, now_ms);
  NewSession made{random_token(),
                  {random_id("se"), kind, std::string(owner), pending, now_ms, now_ms,
                   std::min(now_ms + limits.idle_ms, now_ms + limits.longest_ms), summary_of_agent(agent)}};
  tx.exec(
      "INSERT INTO session (id, token, kind, owner, pending, created_ms, seen_ms, idle_ms, end_ms, revoked_ms, agent) "
      "VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, NULL, $9)",
      made.session.id, core::sha256(made.token), name(kind), owner, pending ? 1 : 0, now_ms, limits.idle_ms, now_ms + limits.longest_ms,
      made.session.agent);
  return made;
}

core::Result<Session> find_session(db::Reader& reader, std::string_view token, core::Millis now_ms) {
  std::optional<Session> found;
  if (token.size() == kTokenLength)
    reader.each(
        fmt::format("SELECT {} FROM session WHERE {} AND token = $2", kColumns, kLasts),
        [&](const db::Row& row) { found = session_of(row); }, now_ms, core::sha256(token));
  if (found) return *std::move(found);
  return Error{ErrorCode::refused, "session.none", "you are not logged in, or your session has ended", "log in again", {}};
}

bool see_again(const Session& session, core::Millis now_ms) { return now_ms - session.seen_ms >= kSeenGrainMs; }

void note_seen(db::Transaction& tx, std::string_view id, core::Millis now_ms) {
  tx.exec("UPDATE session SET seen_ms = $2 WHERE id = $1 AND seen_ms < $2", id, now_ms);
}

NewSession complete_session(db::Transaction& tx, const Session& pending, const SessionLimits& limits, core::Millis now_ms) {
  tx.exec("UPDATE session SET revoked_ms = $2 WHERE id = $1 AND revoked_ms IS NULL", pending.id, now_ms);
  NewSession made = start_session(tx, pending.kind, pending.owner, false, limits, "", now_ms);
  made.session.agent = pending.agent;
  tx.exec("UPDATE session SET agent = $2 WHERE id = $1", made.session.id, pending.agent);
  return made;
}

std::vector<Session> sessions_of(db::Reader& reader, SessionKind kind, std::string_view owner, core::Millis now_ms) {
  std::vector<Session> sessions;
  reader.each(
      fmt::format("SELECT {} FROM session WHERE {} AND kind = $2 AND owner = $3 ORDER BY seen_ms DESC, id", kColumns, kLasts),
      [&](const db::Row& row) { sessions.push_back(session_of(row)); }, now_ms, name(kind), owner);
  return sessions;
}

core::Status revoke_session(db::Transaction& tx, SessionKind kind, std::string_view owner, std::string_view id, core::Millis now_ms) {
  if (tx.exec("UPDATE session SET revoked_ms = $4 WHERE id = $1 AND kind = $2 AND owner = $3 AND revoked_ms IS NULL", id, name(kind), owner,
              now_ms) > 0)
    return core::Done{};
  return Error{ErrorCode::not_found,
               "session.not-found",
               fmt::format("you have no session '{}'", id),
               "list your sessions",
               {{"session", std::string(id)}}};
}

std::int64_t revoke_sessions(db::Transaction& tx, SessionKind kind, std::string_view owner, core::Millis now_ms, std::string_view keep) {
  return tx.exec("UPDATE session SET revoked_ms = $3 WHERE kind = $1 AND owner = $2 AND revoked_ms IS NULL AND id <> $4", name(kind), owner,
                 now_ms, keep);
}

std::int64_t clear_sessions(db::Transaction& tx, core::Millis before_ms) {
  return tx.exec("DELETE FROM session WHERE end_ms < $1 OR seen_ms + idle_ms < $1 OR revoked_ms < $1", before_ms);
}

std::string csrf_token(std::string_view token) {
  const core::Digest mac = core::hmac_sha256(token, "tanhui csrf");
  return to_base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
}
bool csrf_matches(std::string_view token, std::string_view csrf) { return equal_in_constant_time(csrf_token(token), csrf); }

std::string summary_of_agent(std::string_view user_agent) {
  // The first that fits: most browsers claim to be others as well.
  constexpr std::pair<std::string_view, std::string_view> browsers[] = {
      {"MicroMessenger", "WeChat"}, {"Edg", "Edge"},       {"OPR/", "Opera"}, {"Firefox/", "Firefox"},
      {"Chrome/", "Chrome"},        {"Safari/", "Safari"}, {"curl/", "curl"}};
  constexpr std::pair<std::string_view, std::string_view> systems[] = {
      {"HarmonyOS", "HarmonyOS"}, {"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"},
      {"Windows", "Windows"},     {"Mac OS X", "macOS"},  {"Linux", "Linux"}};
  std::string_view browser, system;
  for (const auto& [mark, word] : browsers)
    if (browser.empty() && user_agent.find(mark) != std::string_view::npos) browser = word;
  for (const auto& [mark, word] : systems)
    if (system.empty() && user_agent.find(mark) != std::string_view::npos) system = word;
  if (!browser.empty() && !system.empty()) return fmt::format("{} on {}", browser, system);
  if (!browser.empty() || !system.empty()) return std::string(browser.empty() ? system : browser);
  std::string plain;  // an unknown program: the first word it says of itself
  for (const char c : user_agent.substr(0, user_agent.find(' ')))
    if (c > ' ' && c < '\x7f' && plain.size() < kAgentBytesMax) plain.push_back(c);
  return plain;
}

}  // namespace tanhui::identity
