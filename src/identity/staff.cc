#include "identity/staff.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <semaphore>

#include "core/invariant.h"
#include "core/text.h"
#include "identity/session.h"
#include "identity/totp.h"
#include "identity/trail.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
constexpr std::size_t kEmailBytesMax = 254, kNameBytesMax = 200;
constexpr core::Millis kWaitFirstMs = 1'000;

// Each takes the memory of its cost, so that only a few may be at it at once.
constexpr std::ptrdiff_t kHashingMax = 2;
std::counting_semaphore<kHashingMax> hashing{kHashingMax};
struct Hashing {
  Hashing() { hashing.acquire(); }
  ~Hashing() { hashing.release(); }
  Hashing(const Hashing&) = delete;
  Hashing& operator=(const Hashing&) = delete;
};

std::string hashed(std::string_view password, const PasswordCost& cost) {
  core::invariant(sodium_init() >= 0, "libsodium has a source of randomness");
  const Hashing one_of_few;
  std::array<char, crypto_pwhash_STRBYTES> text{};
  if (crypto_pwhash_str(text.data(), password.data(), password.size(), cost.operations, cost.memory_bytes) != 0)
    throw std::bad_alloc();  // the only reason
  return text.data();
}

bool verifies(const std::string& hash, std::string_view password) {
  const Hashing one_of_few;
  return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

/// Of an account that nobody has: what an unknown address is judged by, so that it takes as long.
const std::string& nobody(const PasswordCost& cost) {
  static const std::string hash = hashed("nobody", cost);
  return hash;
}

// SQLite says 0 and 1 for a truth, PostgreSQL has a type for it: CASE gives both a number.
constexpr std::string_view kSelect =
    "SELECT id, email, name, state, CASE WHEN password IS NULL THEN 0 ELSE 1 END, totp_confirmed, version, created_ms FROM staff";
std::string select_staff(std::string_view rest) { return fmt::format("{}{}", kSelect, rest); }

Staff staff_of(const db::Row& row) {
  return {row.get<std::string>(0), row.get<std::string>(1), row.get<std::string>(2), row.text(3) == "active",
          row.integer(4) != 0,     row.integer(5) != 0,     row.integer(6),          row.integer(7)};
}

std::optional<Staff> find_one(db::Reader& reader, std::string_view rest, std::string_view value) {
  std::optional<Staff> found;
  reader.each(
      select_staff(rest), [&](const db::Row& row) { found = staff_of(row); }, value);
  return found;
}

Error not_found(std::string_view id) {
  return {ErrorCode::not_found,
          "staff.not-found",
          fmt::format("there is no member of staff '{}'", id),
          "check the id",
          {{"staff", std::string(id)}}};
}

Error wrong_login() {
  return {ErrorCode::refused,
          "staff.wrong-login",
          "the address and the password do not belong together",
          "check both; an administrator can reset a password",
          {}};
}

Error wrong_code() {
  return {ErrorCode::refused,
          "staff.wrong-code",
          "the code is not the one of now, or was used already",
          "wait for the next code of the application, or give a recovery code",
          {}};
}

Error no_totp() { return {ErrorCode::refused, "staff.no-totp", "the account has no second factor", "set one up first", {}}; }

/// How long an account waits after so many attempts in a row.
core::Millis wait_after(std::int64_t failures) {
  if (failures <= kFreeAttempts) return 0;
  const std::int64_t doublings = std::min<std::int64_t>(failures - kFreeAttempts - 1, 20);
  return std::min<core::Millis>(kWaitFirstMs << doublings, kWaitMaxMs);
}

core::Digest address_digest(std::string_view email) { return core::sha256("tanhui login " + std::string(email)); }

/// Counts one attempt, before anything is judged, so that many at once are as slow as one after the other.
core::Status count_attempt(db::Transaction& tx, const core::Digest& address, core::Millis now_ms) {
  const auto row = tx.find<std::int64_t, core::Millis>("SELECT attempts, until_ms FROM login_attempt WHERE address = $1", address);
  const std::int64_t attempts = row ? std::get<0>(*row) : 0;
  const core::Millis until_ms = row ? std::get<1>(*row) : 0;
  if (now_ms < until_ms) {
    const core::Millis seconds = (until_ms - now_ms + 999) / 1'000;
    return Error{ErrorCode::refused,
                 "staff.wait",
                 fmt::format("there were {} attempts in a row: the account waits {} s", attempts, seconds),
                 "try again after that",
                 {{"seconds", std::to_string(seconds)}}};
  }
  tx.exec(
      "INSERT INTO login_attempt (address, attempts, until_ms) VALUES ($1, $2, $3) "
      "ON CONFLICT (address) DO UPDATE SET attempts = excluded.attempts, until_ms = excluded.until_ms",
      address, attempts + 1, now_ms + wait_after(attempts + 1));
  return core::Done{};
}

void forget(db::Transaction& tx, const core::Digest& address) { tx.exec("DELETE FROM login_attempt WHERE address = $1", address); }

std::string bound_to(std::string_view id) { return fmt::format("totp {}", id); }

std::string recovery_code() {
  constexpr std::string_view letters = "0123456789abcdefghjkmnpqrstvwxyz";
  std::array<std::uint8_t, 16> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::string code;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0 && i % 4 == 0) code.push_back('-');
    code.push_back(letters[bytes[i] & 31]);
  }
  return code;
}

/// As people type it: blanks, lines and capitals do not matter.
core::Digest recovery_digest(std::string_view id, std::string_view code) {
  std::string plain;
  for (const char c : code) {
    if (c == '-' || c == ' ') continue;
    plain.push_back(c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c);
  }
  return core::sha256(fmt::format("tanhui recovery {} {}", id, plain));
}

struct Totp {
  std::string secret;
  bool confirmed = false;
  std::int64_t step = 0;
};
std::optional<Totp> totp_of(db::Reader& reader, const Box& box, std::string_view id) {
  const auto row = reader.find<std::optional<std::string>, std::int64_t, std::int64_t>(
      "SELECT totp, totp_confirmed, totp_step FROM staff WHERE id = $1", id);
  if (!row || !std::get<0>(*row)) return std::nullopt;
  const auto secret = box.open(*std::get<0>(*row), bound_to(id));
  core::invariant(secret.has_value(), "a second factor opens with the instance's key");
  return Totp{*secret, std::get<1>(*row) != 0, std::get<2>(*row)};
}

core::Status keep_an_administrator(db::Reader& reader, std::string_view without) {
  const auto is = reader.find<std::int64_t>("SELECT 1 FROM membership WHERE staff = $1 AND role = 'administrator'", without);
  const auto others = reader.find<std::int64_t>(
      "SELECT count(*) FROM membership m JOIN staff s ON s.id = m.staff WHERE m.role = 'administrator' AND s.state = 'active' AND s.id <> "
      "$1",
      without);
  if (!is || others.value_or(0) > 0) return core::Done{};
  return Error{ErrorCode::refused,
               "staff.last-administrator",
               "the instance would have no administrator",
               "make somebody else administrator first",
               {}};
}

}  // namespace

core::Result<Staff> find_staff(db::Reader& reader, std::string_view id) {
  auto found = find_one(reader, " WHERE id = $1", id);
  if (!found) return not_found(id);
  return *std::move(found);
}

std::optional<Staff> find_staff_by_email(db::Reader& reader, std::string_view email) {
  const auto normal = normal_email(email);
  return normal ? find_one(reader, " WHERE email = $1", *normal) : std::nullopt;
}

std::vector<Staff> all_staff(db::Reader& reader, std::string_view after_id, std::size_t limit) {
  std::vector<Staff> all;
  reader.each(
      select_staff(" WHERE id > $1 ORDER BY id LIMIT $2"), [&](const db::Row& row) { all.push_back(staff_of(row)); }, after_id,
      std::int64_t(limit));
  return all;
}

core::Result<std::string> normal_email(std::string_view email) {
  std::string normal(email);
  for (char& c : normal) c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  const std::size_t at = normal.find('@');
  const bool plain = std::all_of(normal.begin(), normal.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  const bool parts = at != std::string::npos && at > 0 && normal.find('@', at + 1) == std::string::npos && at + 1 < normal.size() &&
                     normal.find('.', at) != std::string::npos && normal.back() != '.' && normal[at + 1] != '.';
  if (plain && parts && normal.size() <= kEmailBytesMax) return normal;
  return Error{ErrorCode::invalid_input,
               "staff.bad-email",
               "the e-mail address cannot be one",
               "write it like name@example.org, at most 254 characters",
               {}};
}

core::Result<std::string> hash_password(std::string_view password, std::string_view email, const PasswordCost& cost) {
  const auto letters = std::size_t(std::count_if(password.begin(), password.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  const auto bad = [](std::string message) {
    return Error{ErrorCode::invalid_input,
                 "staff.bad-password",
                 std::move(message),
                 fmt::format("use {} characters or more, at most {} bytes, and not the address", kPasswordLettersMin, kPasswordBytesMax),
                 {}};
  };
  if (letters < kPasswordLettersMin) return bad(fmt::format("the password has {} characters", letters));
  if (password.size() > kPasswordBytesMax) return bad(fmt::format("the password has {} bytes", password.size()));
  if (password == email) return bad("the password is the e-mail address");
  return hashed(password, cost);
}

core::Result<Staff> create_staff(db::Transaction& tx, const By& by, std::string_view email, std::string_view name,
                                 std::string_view password_hash) {
  const auto normal = normal_email(email);
  if (!normal) return normal.error();
  if (name.empty() || name.size() > kNameBytesMax || !core::is_utf8(name))
    return Error{ErrorCode::invalid_input,
                 "staff.bad-name",
                 fmt::format("a name of {} bytes cannot be kept", name.size()),
                 fmt::format("give 1 to {} bytes of UTF-8", kNameBytesMax),
                 {{"bytes", std::to_string(name.size())}}};
  if (find_staff_by_email(tx, *normal))
    return Error{ErrorCode::conflict,
                 "staff.exists",
                 "there is a member of staff with this e-mail address already",
                 "use that account, or reset it",
                 {}};
  const std::string id = random_id("st");
  tx.exec(
      "INSERT INTO staff (id, email, name, state, password, totp, totp_confirmed, totp_step, version, created_ms) "
      "VALUES ($1, $2, $3, 'active', $4, NULL, 0, 0, 1, $5)",
      id, *normal, name, password_hash.empty() ? std::nullopt : std::optional(password_hash), by.at_ms);
  record_action(tx, by, "staff.create", "", id, "", "active");
  return find_staff(tx, id);
}

core::Result<Staff> set_active(db::Transaction& tx, const By& by, std::string_view id, bool active, const Expected& expected) {
  const auto staff = find_staff(tx, id);
  if (!staff) return staff.error();
  if (auto version = check_version("member of staff", id, staff->version, expected); !version) return version.error();
  if (staff->active == active) return *staff;
  if (!active) {
    if (auto left = keep_an_administrator(tx, id); !left) return left.error();
    revoke_sessions(tx, SessionKind::staff, id, by.at_ms);
  }
  tx.exec("UPDATE staff SET state = $2, version = version + 1 WHERE id = $1", id, active ? "active" : "disabled");
  record_action(tx, by, active ? "staff.enable" : "staff.disable", "", id, staff->active ? "active" : "disabled",
                active ? "active" : "disabled");
  return find_staff(tx, id);
}

core::Result<Staff> reset_staff(db::Transaction& tx, const By& by, std::string_view id, std::string_view password_hash) {
  const auto staff = find_staff(tx, id);
  if (!staff) return staff.error();
  tx.exec("UPDATE staff SET password = $2, totp = NULL, totp_confirmed = 0, version = version + 1 WHERE id = $1", id,
          password_hash.empty() ? std::nullopt : std::optional(password_hash));
  for (const char* table : {"staff_recovery", "staff_passkey", "staff_subject"})
    tx.exec(fmt::format("DELETE FROM {} WHERE staff = $1", table), id);
  forget(tx, address_digest(staff->email));
  revoke_sessions(tx, SessionKind::staff, id, by.at_ms);
  record_action(tx, by, "staff.reset", "", id);
  return find_staff(tx, id);
}

// ---- getting in -------------------------------------------------------------------------------------------------------------------

core::Result<Staff> check_login(db::Database& database, std::string_view email, std::string_view password, core::Millis now_ms,
                                const PasswordCost& cost) {
  const auto normal = normal_email(email);
  if (!normal) return normal.error();
  const core::Digest address = address_digest(*normal);
  if (auto counted = database.transact([&](db::Transaction& tx) { return count_attempt(tx, address, now_ms); }); !counted)
    return counted.error();
  const auto row = database.find<std::string, std::optional<std::string>, std::int64_t>(
      "SELECT id, password, totp_confirmed FROM staff WHERE email = $1 AND state = 'active'", *normal);
  const std::optional<std::string> hash = row ? std::get<1>(*row) : std::nullopt;
  password = password.substr(0, kPasswordBytesMax + 1);
  const bool right = verifies(hash ? *hash : nobody(cost), password) && password.size() <= kPasswordBytesMax;
  if (!hash || !right) return wrong_login();
  std::optional<std::string> anew;
  if (crypto_pwhash_str_needs_rehash(hash->c_str(), cost.operations, cost.memory_bytes) != 0) anew = hashed(password, cost);
  const auto& [id, kept, has_totp] = *row;
  return database.transact([&, id = id, has_totp = has_totp](db::Transaction& tx) -> core::Result<Staff> {
    // It may have been reset or disabled while the password was judged.
    const auto now = tx.find<std::optional<std::string>>("SELECT password FROM staff WHERE id = $1 AND state = 'active'", id);
    if (!now || *now != hash) return wrong_login();
    if (anew) tx.exec("UPDATE staff SET password = $2 WHERE id = $1", id, *anew);
    if (has_totp == 0) {
      forget(tx, address);
    } else {  // this attempt was none; those at the second factor stay counted
      tx.exec("UPDATE login_attempt SET attempts = attempts - 1 WHERE address = $1 AND attempts > 1", address);
      tx.exec("UPDATE login_attempt SET until_ms = $2 WHERE address = $1", address, now_ms);
    }
    return find_staff(tx, id);
  });
}

core::Result<Staff> check_second_factor(db::Database& database, const Box& box, std::string_view id, std::string_view code,
                                        core::Millis now_ms) {
  const auto staff = find_staff(database, id);
  if (!staff) return staff.error();
  const core::Digest address = address_digest(staff->email);
  if (auto counted = database.transact([&](db::Transaction& tx) { return count_attempt(tx, address, now_ms); }); !counted)
    return counted.error();
  return database.transact([&](db::Transaction& tx) -> core::Result<Staff> {
    const auto totp = totp_of(tx, box, id);
    if (!totp || !totp->confirmed) return no_totp();
    const auto step = find_totp_step(totp->secret, code, now_ms, totp->step);
    if (step) {
      tx.exec("UPDATE staff SET totp_step = $2 WHERE id = $1", id, *step);
    } else if (tx.exec("UPDATE staff_recovery SET used_ms = $3 WHERE staff = $1 AND digest = $2 AND used_ms IS NULL", id,
                       recovery_digest(id, code), now_ms) == 0) {
      return wrong_code();
    }
    forget(tx, address);
    return find_staff(tx, id);
  });
}

std::int64_t clear_attempts(db::Transaction& tx, core::Millis before_ms) {
  return tx.exec("DELETE FROM login_attempt WHERE until_ms < $1", before_ms);
}

// ---- the second factor ------------------------------------------------------------------------------------------------------------

core::Result<std::string> propose_totp(db::Transaction& tx, const By& by, const Box& box, std::string_view id) {
  const auto staff = find_staff(tx, id);
  if (!staff) return staff.error();
  if (staff->has_totp)
    return Error{ErrorCode::conflict, "staff.has-totp", "the account has a second factor already", "remove it first", {}};
  std::string secret(kTotpSecretBytes, '\0');
  randombytes_buf(secret.data(), secret.size());
  tx.exec("UPDATE staff SET totp = $2, totp_confirmed = 0, totp_step = 0 WHERE id = $1", id, db::Bytes{box.seal(secret, bound_to(id))});
  record_action(tx, by, "staff.totp-propose", "", id);
  return secret;
}

core::Result<std::vector<std::string>> confirm_totp(db::Transaction& tx, const By& by, const Box& box, std::string_view id,
                                                    std::string_view code) {
  const auto totp = totp_of(tx, box, id);
  if (!totp || totp->confirmed) return no_totp();
  const auto step = find_totp_step(totp->secret, code, by.at_ms, totp->step);
  if (!step) return wrong_code();
  tx.exec("UPDATE staff SET totp_confirmed = 1, totp_step = $2, version = version + 1 WHERE id = $1", id, *step);
  tx.exec("DELETE FROM staff_recovery WHERE staff = $1", id);
  std::vector<std::string> codes;
  for (std::size_t i = 0; i < kRecoveryCodes; ++i) {
    codes.push_back(recovery_code());
    tx.exec("INSERT INTO staff_recovery (staff, digest, used_ms) VALUES ($1, $2, NULL)", id, recovery_digest(id, codes.back()));
  }
  record_action(tx, by, "staff.totp-confirm", "", id);
  return codes;
}

core::Status remove_totp(db::Transaction& tx, const By& by, std::string_view id) {
  if (tx.exec("UPDATE staff SET totp = NULL, totp_confirmed = 0, version = version + 1 WHERE id = $1 AND totp IS NOT NULL", id) == 0)
    return no_totp();
  tx.exec("DELETE FROM staff_recovery WHERE staff = $1", id);
  record_action(tx, by, "staff.totp-remove", "", id);
  return core::Done{};
}

std::int64_t recovery_codes_left(db::Reader& reader, std::string_view id) {
  return reader.find<std::int64_t>("SELECT count(*) FROM staff_recovery WHERE staff = $1 AND used_ms IS NULL", id).value_or(0);
}

}  // namespace tanhui::identity
