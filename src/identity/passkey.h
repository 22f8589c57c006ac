// identity/passkey.h: staff log in by a passkey (W3C Web Authentication, level 2): a key pair in a phone, a computer or a security key,
// which signs a challenge after its owner has unlocked it. Both factors in one: something had, and a finger, a face or a PIN.
//
// The server asks for user verification and no attestation ("none"): which make an authenticator is of does not matter here. Browsers give
// the authenticator data as it is (getAuthenticatorData()), so nothing here reads an attestation object. libfido2 reads the data and
// verifies signatures: ES256, EdDSA, RS256.
//
//   checked   client data: type, challenge (known, of this purpose, not too old, good for one success), origin, not cross-origin
//             authenticator data: hash of the relying party's id, user present and verified, an attested key at registration
//             signature over both by the stored key; a counter that does not grow is a copy and refused
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/edit.h"
#include "identity/staff.h"

namespace tanhui::identity {

constexpr core::Millis kChallengeMs = 5 * 60'000;
constexpr std::size_t kPasskeysMax = 10;  // of one member of staff

struct RelyingParty {
  std::string id, origin;  // "console.example.org", "https://console.example.org"
};
struct Passkey {
  std::string id, staff, name;
  core::Millis created_ms = 0;
  std::optional<core::Millis> used_ms = {};
};

/// base64url of 32 random bytes, for one registration. Errors: staff.not-found, passkey.too-many.
core::Result<std::string> challenge_for_new_passkey(db::Transaction& tx, std::string_view staff, core::Millis now_ms);
/// For one login by whoever comes: a passkey knows whose it is.
std::string challenge_for_login(db::Transaction& tx, core::Millis now_ms);

/// What a browser brings; bytes, not base64.
struct NewPasskey {
  std::string credential, client_data, authenticator_data;
  std::string name;  // "my phone"
};
/// Errors, refused: passkey.bad (and why), conflict passkey.exists.
core::Result<Passkey> add_passkey(db::Transaction& tx, const By& by, const RelyingParty& party, const NewPasskey& made);

struct PasskeyLogin {
  std::string credential, client_data, authenticator_data, signature;
};
/// Errors, refused: passkey.bad (and why), passkey.unknown.
core::Result<Staff> check_passkey(db::Transaction& tx, const RelyingParty& party, const PasskeyLogin& login, core::Millis now_ms);

std::vector<Passkey> passkeys_of(db::Reader& reader, std::string_view staff);
/// Errors: not_found passkey.not-found.
core::Status remove_passkey(db::Transaction& tx, const By& by, std::string_view staff, std::string_view id);

// ---- parts, for tests -------------------------------------------------------------------------------------------------------------

/// The key that authenticator data bring at registration.
struct AttestedKey {
  std::string credential;
  int algorithm = 0;       // COSE
  std::string public_key;  // as libfido2 keeps it
  std::int64_t counter = 0;
};
/// Errors: passkey.bad.
core::Result<AttestedKey> parse_attested_key(std::string_view authenticator_data);

}  // namespace tanhui::identity
