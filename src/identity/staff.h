// identity/staff.h: accounts of staff, and how they get in: an e-mail address with a password, then a code of an authenticator application
// (or a recovery code). Other ways in are identity/passkey.h and identity/oidc.h.
//
//   password   argon2id, kept as libsodium writes it; made anew at the next login when the cost was raised
//   code       TOTP of RFC 6238 (identity/totp.h): a code works once; the secret is sealed by the instance's key (identity/box.h)
//   recovery   ten codes of 80 random bits, each works once; only their digests are kept
//   guessing   every attempt is counted before it is judged. From the fifth one in a row on an address waits, a second at first, twice as
//              long each time, kWaitMaxMs at most: slow for whoever guesses, never for ever for whoever forgot
//
// An unknown address is counted, costs the same time as a wrong password and gets the same answer.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/box.h"
#include "identity/edit.h"

namespace tanhui::identity {

constexpr std::size_t kPasswordLettersMin = 12, kPasswordBytesMax = 1024;
constexpr std::int64_t kFreeAttempts = 4;
constexpr core::Millis kWaitMaxMs = 15 * 60'000;
constexpr std::size_t kRecoveryCodes = 10;

/// What one password costs whoever guesses it. The default is libsodium's MODERATE: 256 MiB, about a second of a core.
struct PasswordCost {
  std::uint64_t operations = 3;
  std::size_t memory_bytes = std::size_t{256} << 20;
};

struct Staff {
  std::string id, email, name;
  bool active = true;
  bool has_password = false, has_totp = false;
  std::int64_t version = 0;
  core::Millis created_ms = 0;
};

/// Errors: not_found staff.not-found.
core::Result<Staff> find_staff(db::Reader& reader, std::string_view id);
std::optional<Staff> find_staff_by_email(db::Reader& reader, std::string_view email);
std::vector<Staff> all_staff(db::Reader& reader, std::string_view after_id, std::size_t limit);  // by id

/// Lower-case; errors staff.bad-email.
core::Result<std::string> normal_email(std::string_view email);

/// A hash to keep. Takes the time and memory of `cost`, so call it outside of transactions. At most two at once in one process; others
/// wait. Errors: staff.bad-password (too short, too long, the address itself).
core::Result<std::string> hash_password(std::string_view password, std::string_view email, const PasswordCost& cost);

/// `password_hash` empty: no password, other ways in only. Errors: staff.bad-email, staff.bad-name, conflict staff.exists.
core::Result<Staff> create_staff(db::Transaction& tx, const By& by, std::string_view email, std::string_view name,
                                 std::string_view password_hash);
/// Ends all sessions too. Errors: staff.not-found, edit.conflict, staff.last-administrator when the last one would be disabled.
core::Result<Staff> set_active(db::Transaction& tx, const By& by, std::string_view id, bool active, const Expected& expected = {});
/// A new password, no second factor, no passkeys, no account at a provider, no waiting, no sessions: for somebody who lost them. Errors:
/// staff.not-found.
core::Result<Staff> reset_staff(db::Transaction& tx, const By& by, std::string_view id, std::string_view password_hash);

// ---- getting in -------------------------------------------------------------------------------------------------------------------

/// The first step. With a second factor the account stays counted until that is given too. Takes the time of a password hash: give it a
/// connection that nothing waits for. Errors: staff.bad-email, refused staff.wrong-login, refused staff.wait (param seconds).
core::Result<Staff> check_login(db::Database& database, std::string_view email, std::string_view password, core::Millis now_ms,
                                const PasswordCost& cost);
/// The second: a code of the application, or a recovery code. Errors: refused staff.wrong-code, refused staff.wait, staff.no-totp.
core::Result<Staff> check_second_factor(db::Database& database, const Box& box, std::string_view id, std::string_view code,
                                        core::Millis now_ms);
/// Forgets attempts of long ago.
std::int64_t clear_attempts(db::Transaction& tx, core::Millis before_ms);

// ---- the second factor ------------------------------------------------------------------------------------------------------------

/// A new secret, not in force before it is confirmed by a code. Errors: staff.not-found, conflict staff.has-totp.
core::Result<std::string> propose_totp(db::Transaction& tx, const By& by, const Box& box, std::string_view id);
/// In force from now on. Returns the recovery codes, which are shown once: "k3x9-q0fv-8r2m-wz41". Errors: staff.wrong-code, staff.no-totp.
core::Result<std::vector<std::string>> confirm_totp(db::Transaction& tx, const By& by, const Box& box, std::string_view id,
                                                    std::string_view code);
/// Errors: staff.no-totp.
core::Status remove_totp(db::Transaction& tx, const By& by, std::string_view id);
std::int64_t recovery_codes_left(db::Reader& reader, std::string_view id);

}  // namespace tanhui::identity
