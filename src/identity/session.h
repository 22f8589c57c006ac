// identity/session.h: who is logged in. A session is known by a token of 256 random bits that only its owner has; the database keeps its
// SHA-256. It ends when it was not seen for its idle time, at its end in any case, or when it is revoked.
//
// For cookies: csrf_token() is bound to the session and does not give away its token; a page sends it with every write, so that another
// site's form, which only has the cookie, changes nothing.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"

namespace tanhui::identity {

enum class SessionKind : std::uint8_t { staff, person };
std::string_view name(SessionKind kind);

struct SessionLimits {
  core::Millis idle_ms = 0, longest_ms = 0;
};
constexpr SessionLimits kStaffSession{30 * 60'000, 12 * 3'600'000};
constexpr SessionLimits kPersonSession{30 * core::kMillisPerDay, 180 * core::kMillisPerDay};
constexpr SessionLimits kPendingSession{5 * 60'000, 5 * 60'000};  // between the first factor and the second
constexpr std::size_t kSessionsMax = 20;                          // of one owner; the one not seen for longest ends first

struct Session {
  std::string id;
  SessionKind kind = SessionKind::staff;
  std::string owner;                                      // id of the member of staff or person
  bool pending = false;                                   // may only give the second factor
  core::Millis created_ms = 0, seen_ms = 0, ends_ms = 0;  // ends_ms: if it is not seen again
  std::string agent;
};
struct NewSession {
  std::string token;  // 43 characters; told once
  Session session;
};

/// `agent`: the User-Agent header, of which a summary is kept.
NewSession start_session(db::Transaction& tx, SessionKind kind, std::string_view owner, bool pending, const SessionLimits& limits,
                         std::string_view agent, core::Millis now_ms);
/// The session of a token, while it lasts. Errors: refused session.none.
core::Result<Session> find_session(db::Reader& reader, std::string_view token, core::Millis now_ms);
/// Notes that it was seen; worth a write only when see_again() says so.
bool see_again(const Session& session, core::Millis now_ms);
void note_seen(db::Transaction& tx, std::string_view id, core::Millis now_ms);
/// After the second factor: a new token for a session without `pending`; the pending one ends.
NewSession complete_session(db::Transaction& tx, const Session& pending, const SessionLimits& limits, core::Millis now_ms);

/// Those that last, the newest first.
std::vector<Session> sessions_of(db::Reader& reader, SessionKind kind, std::string_view owner, core::Millis now_ms);
/// One of somebody's own. Errors: not_found session.not-found.
core::Status revoke_session(db::Transaction& tx, SessionKind kind, std::string_view owner, std::string_view id, core::Millis now_ms);
/// All of somebody, but `keep`. Returns how many.
std::int64_t revoke_sessions(db::Transaction& tx, SessionKind kind, std::string_view owner, core::Millis now_ms,
                             std::string_view keep = "");
/// Takes out sessions that ended before `before_ms`.
std::int64_t clear_sessions(db::Transaction& tx, core::Millis before_ms);

std::string csrf_token(std::string_view token);
bool csrf_matches(std::string_view token, std::string_view csrf);  // in constant time

/// "Firefox on Windows": browser and system, as far as they are known; at most 120 bytes.
std::string summary_of_agent(std::string_view user_agent);

}  // namespace tanhui::identity
