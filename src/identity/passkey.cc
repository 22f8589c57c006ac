#include "identity/passkey.h"

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#include <fmt/format.h>

#include <memory>
#include <mutex>

#include "core/bytes.h"
#include "core/invariant.h"
#include "core/json.h"
#include "core/text.h"
#include "identity/base64url.h"
#include "identity/trail.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
constexpr std::size_t kBytesMax = 8192, kCredentialBytesMax = 1023, kNameBytesMax = 100, kHeadBytes = 37;  // hash, flags, counter
constexpr std::uint8_t kUserPresent = 0x01, kUserVerified = 0x04, kAttested = 0x40;

Error bad(std::string why) {
  return {ErrorCode::refused,
          "passkey.bad",
          "the passkey's answer does not hold: " + why,
          "try again, or log in another way",
          {{"why", std::move(why)}}};
}

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

struct FreeCredential {
  void operator()(fido_cred_t* one) const { fido_cred_free(&one); }
};
struct FreeAssertion {
  void operator()(fido_assert_t* one) const { fido_assert_free(&one); }
};

void begin_library() {
  static std::once_flag once;
  std::call_once(once, [] { fido_init(0); });
}

std::string new_challenge(db::Transaction& tx, std::string_view kind, std::optional<std::string_view> staff, core::Millis now_ms) {
  std::string challenge = random_token();
  tx.exec("DELETE FROM login_flow WHERE expires_ms <= $1", now_ms);
  tx.exec("INSERT INTO login_flow (token, kind, staff, secret, expires_ms) VALUES ($1, $2, $3, NULL, $4)", core::sha256(challenge), kind,
          staff, now_ms + kChallengeMs);
  return challenge;
}

/// Whose the challenge was, empty for a login. Gone with the transaction that commits.
core::Result<std::string> take_challenge(db::Transaction& tx, std::string_view client_data, std::string_view type, std::string_view kind,
                                         const RelyingParty& party, core::Millis now_ms) {
  if (client_data.size() > kBytesMax) return bad(fmt::format("its client data have {} bytes", client_data.size()));
  const auto document = core::parse_json(client_data);
  if (!document) return bad("its client data are no JSON");
  try {
    const core::MemberReader in(*document, "the client data");
    if (in.text("type") != type) in.fail("type", "is something else");
    if (in.text("origin") != party.origin) in.fail("origin", "is another site");
    if (in.has("crossOrigin") && in.value("crossOrigin") != boost::json::value(false)) in.fail("crossOrigin", "is another site");
    const core::Digest token = core::sha256(in.text("challenge"));
    const auto staff = tx.find<std::optional<std::string>>(
        "SELECT staff FROM login_flow WHERE token = $1 AND kind = $2 AND expires_ms > $3", token, kind, now_ms);
    if (!staff) in.fail("challenge", "is not one of ours, was used, or is too old");
    tx.exec("DELETE FROM login_flow WHERE token = $1", token);
    return staff->value_or("");
  } catch (const core::BadMember& problem) {
    return bad(problem.what());
  }
}

core::Status check_head(std::string_view data, const RelyingParty& party, std::uint8_t wanted) {
  if (data.size() < kHeadBytes || data.size() > kBytesMax) return bad(fmt::format("its authenticator data have {} bytes", data.size()));
  const core::Digest hash = core::sha256(party.id);
  if (data.substr(0, 32) != std::string_view(reinterpret_cast<const char*>(hash.data()), hash.size())) return bad("it is for another site");
  const auto flags = std::uint8_t(data[32]);
  if ((flags & wanted) != wanted) return bad((flags & kUserVerified) == 0 ? "its owner did not unlock it" : "it brings no key");
  return core::Done{};
}

/// Any of the three kinds of keys, as libfido2 takes it.
template <class Visit>
bool with_key(int algorithm, std::string_view key, Visit visit) {
  const auto made = [&](auto* (*create)(), int (*read)(std::remove_pointer_t<decltype(create())>*, const void*, std::size_t), auto free) {
    auto* object = create();
    core::invariant(object != nullptr, "there is memory for a key");
    const bool good = read(object, key.data(), key.size()) == FIDO_OK && visit(object);
    free(&object);
    return good;
  };
  if (algorithm == COSE_ES256) return made(es256_pk_new, es256_pk_from_ptr, es256_pk_free);
  if (algorithm == COSE_EDDSA) return made(eddsa_pk_new, eddsa_pk_from_ptr, eddsa_pk_free);
  return made(rs256_pk_new, rs256_pk_from_ptr, rs256_pk_free);
}

}  // namespace

core::Result<std::string> challenge_for_new_passkey(db::Transaction& tx, std::string_view staff, core::Millis now_ms) {
  if (const auto found = find_staff(tx, staff); !found) return found.error();
  if (passkeys_of(tx, staff).size() >= kPasskeysMax)
    return Error{ErrorCode::refused,
                 "passkey.too-many",
                 fmt::format("the account has {} passkeys", kPasskeysMax),
                 "remove one first",
                 {{"most", std::to_string(kPasskeysMax)}}};
  return new_challenge(tx, "passkey-new", staff, now_ms);
}

std::string challenge_for_login(db::Transaction& tx, core::Millis now_ms) {
  return new_challenge(tx, "passkey-login", std::nullopt, now_ms);
}

core::Result<Passkey> add_passkey(db::Transaction& tx, const By& by, const RelyingParty& party, const NewPasskey& made) {
  begin_library();
  const auto staff = take_challenge(tx, made.client_data, "webauthn.create", "passkey-new", party, by.at_ms);
  if (!staff) return staff.error();
  if (auto head = check_head(made.authenticator_data, party, kUserPresent | kUserVerified | kAttested); !head) return head.error();
  if (made.name.empty() || made.name.size() > kNameBytesMax || !core::is_utf8(made.name)) return bad("its name cannot be kept");
  const auto key = parse_attested_key(made.authenticator_data);
  if (!key) return key.error();
  if (key->credential != made.credential) return bad("its id is not the one of its data");
  if (tx.find<std::string>("SELECT id FROM staff_passkey WHERE credential = $1", db::Bytes{key->credential}))
    return Error{ErrorCode::conflict, "passkey.exists", "this passkey is known already", "log in with it", {}};
  const std::string id = random_id("pa");
  tx.exec(
      "INSERT INTO staff_passkey (credential, id, staff, name, algorithm, public_key, counter, created_ms, used_ms) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL)",
      db::Bytes{key->credential}, id, *staff, made.name, key->algorithm, db::Bytes{key->public_key}, key->counter, by.at_ms);
  record_action(tx, by, "staff.passkey-add", "", *staff, "", id);
  return Passkey{id, *staff, made.name, by.at_ms, {}};
}

core::Result<AttestedKey> parse_attested_key(std::string_view authenticator_data) {
  begin_library();
  if (authenticator_data.size() > kBytesMax) return bad(fmt::format("its authenticator data have {} bytes", authenticator_data.size()));
  for (const int algorithm : {COSE_ES256, COSE_EDDSA, COSE_RS256}) {  // the data say which, but the library wants to be told first
    const std::unique_ptr<fido_cred_t, FreeCredential> credential(fido_cred_new());
    core::invariant(credential != nullptr, "there is memory for a credential");
    if (fido_cred_set_type(credential.get(), algorithm) != FIDO_OK ||
        fido_cred_set_authdata_raw(credential.get(), bytes(authenticator_data), authenticator_data.size()) != FIDO_OK)
      continue;
    const auto text = [](const unsigned char* data, std::size_t length) {
      return data == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(data), length);
    };
    AttestedKey key{text(fido_cred_id_ptr(credential.get()), fido_cred_id_len(credential.get())), algorithm,
                    text(fido_cred_pubkey_ptr(credential.get()), fido_cred_pubkey_len(credential.get())),
                    std::int64_t(fido_cred_sigcount(credential.get()))};
    if (key.credential.empty() || key.credential.size() > kCredentialBytesMax || key.public_key.empty()) break;
    return key;
  }
  return bad("it brings no key that can be read");
}

core::Result<Staff> check_passkey(db::Transaction& tx, const RelyingParty& party, const PasskeyLogin& login, core::Millis now_ms) {
  begin_library();
  if (const auto nobody = take_challenge(tx, login.client_data, "webauthn.get", "passkey-login", party, now_ms); !nobody)
    return nobody.error();
  if (auto head = check_head(login.authenticator_data, party, kUserPresent | kUserVerified); !head) return head.error();
  const auto row = tx.find<std::string, std::int64_t, std::string, std::int64_t>(
      "SELECT staff, algorithm, public_key, counter FROM staff_passkey WHERE credential = $1", db::Bytes{login.credential});
  const Error unknown{ErrorCode::refused,
                      "passkey.unknown",
                      "this passkey is not known here, or its account is disabled",
                      "log in another way, then add the passkey",
                      {}};
  if (!row) return unknown;
  const auto& [id, algorithm, key, counter] = *row;
  const std::unique_ptr<fido_assert_t, FreeAssertion> assertion(fido_assert_new());
  core::invariant(assertion != nullptr, "there is memory for an assertion");
  fido_assert_t* const checked = assertion.get();
  const core::Digest client_hash = core::sha256(login.client_data);
  const bool taken =
      fido_assert_set_clientdata_hash(checked, client_hash.data(), client_hash.size()) == FIDO_OK &&
      fido_assert_set_rp(checked, party.id.c_str()) == FIDO_OK && fido_assert_set_up(checked, FIDO_OPT_TRUE) == FIDO_OK &&
      fido_assert_set_uv(checked, FIDO_OPT_TRUE) == FIDO_OK && fido_assert_set_count(checked, 1) == FIDO_OK &&
      fido_assert_set_authdata_raw(checked, 0, bytes(login.authenticator_data), login.authenticator_data.size()) == FIDO_OK &&
      fido_assert_set_sig(checked, 0, bytes(login.signature), login.signature.size()) == FIDO_OK;
  if (!taken) return bad("its data cannot be read");
  const bool signed_by_key = with_key(int(algorithm), key, [&, algorithm = algorithm](const auto* public_key) {
    return fido_assert_verify(checked, 0, int(algorithm), public_key) == FIDO_OK;
  });
  if (!signed_by_key) return bad("its key did not sign it");
  const std::int64_t now_counter = fido_assert_sigcount(checked, 0);
  if ((now_counter != 0 || counter != 0) && now_counter <= counter) return bad("its counter did not grow: it may be a copy");
  tx.exec("UPDATE staff_passkey SET counter = $2, used_ms = $3 WHERE credential = $1", db::Bytes{login.credential}, now_counter, now_ms);
  auto staff = find_staff(tx, id);
  if (!staff || !staff->active) return unknown;
  return staff;
}

std::vector<Passkey> passkeys_of(db::Reader& reader, std::string_view staff) {
  std::vector<Passkey> found;
  reader.each(
      "SELECT id, staff, name, created_ms, used_ms FROM staff_passkey WHERE staff = $1 ORDER BY created_ms, id",
      [&](const db::Row& row) {
        found.push_back({row.get<std::string>(0), row.get<std::string>(1), row.get<std::string>(2), row.integer(3),
                         db::read_column<std::optional<core::Millis>>(row, 4)});
      },
      staff);
  return found;
}

core::Status remove_passkey(db::Transaction& tx, const By& by, std::string_view staff, std::string_view id) {
  if (tx.exec("DELETE FROM staff_passkey WHERE staff = $1 AND id = $2", staff, id) == 0)
    return Error{ErrorCode::not_found,
                 "passkey.not-found",
                 fmt::format("the account has no passkey '{}'", id),
                 "list its passkeys",
                 {{"passkey", std::string(id)}}};
  record_action(tx, by, "staff.passkey-remove", "", staff, id, "");
  return core::Done{};
}

}  // namespace tanhui::identity
