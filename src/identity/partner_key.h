// identity/partner_key.h: with what partners sign their requests (RFC 9421). A key belongs to an organisation and to one source of one
// programme: what is signed by it are records of that source, nothing else.
//
//   hmac-sha256  a shared secret of 32 random bytes, told once; at rest sealed by the instance's key (identity/box.h)
//   ed25519      the partner's public key; nothing here can sign for the partner
//
// A key is good from valid_from_ms until valid_to_ms unless it was revoked. Rotation makes the next one and lets the old one go on for a
// while, so that a partner changes over without a gap. A sandbox key signs what is answered like the real thing and books nothing.
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

enum class KeyAlgorithm : std::uint8_t { hmac_sha256, ed25519 };
std::string_view name(KeyAlgorithm algorithm);  // as RFC 9421 registers it
std::optional<KeyAlgorithm> find_key_algorithm(std::string_view name);

struct PartnerKey {
  std::string id, organisation, programme, source;
  KeyAlgorithm algorithm = KeyAlgorithm::hmac_sha256;
  bool sandbox = false;
  core::Millis valid_from_ms = 0;
  std::optional<core::Millis> valid_to_ms = {}, revoked_ms = {}, used_ms = {};
  core::Millis created_ms = 0;
  bool good_at(core::Millis now_ms) const { return !revoked_ms && valid_from_ms <= now_ms && (!valid_to_ms || now_ms < *valid_to_ms); }
};

struct WantedKey {
  std::string organisation, programme, source;
  KeyAlgorithm algorithm = KeyAlgorithm::hmac_sha256;
  std::string public_key = {};  // of ed25519: 32 bytes
  bool sandbox = false;
  std::optional<core::Millis> valid_from_ms = {}, valid_to_ms = {};
};
struct MadePartnerKey {
  PartnerKey key;
  std::string secret;  // of hmac-sha256: 32 bytes, told here and never again
};

/// Errors: organisation.not-found, partner-key.not-active (the organisation is suspended or closed), programme.not-found,
/// partner-key.other-programme (neither the organisation's nor below it), partner-key.unknown-source, partner-key.bad-public-key,
/// partner-key.bad-period.
core::Result<MadePartnerKey> create_partner_key(db::Transaction& tx, const By& by, const Box& box, const WantedKey& wanted);
/// The next key for the same source; the old one is good for `overlap_ms` more at most. `public_key`: of ed25519.
/// Errors: partner-key.not-found, partner-key.over (it is not good any more), and those of create_partner_key.
core::Result<MadePartnerKey> rotate_partner_key(db::Transaction& tx, const By& by, const Box& box, std::string_view id,
                                                core::Millis overlap_ms, std::string_view public_key = "");
/// At once and for good. Errors: partner-key.not-found.
core::Result<PartnerKey> revoke_partner_key(db::Transaction& tx, const By& by, std::string_view id);

core::Result<PartnerKey> find_partner_key(db::Reader& reader, std::string_view id);
/// Of one organisation, or of all when it is empty; the newest first.
std::vector<PartnerKey> partner_keys(db::Reader& reader, std::string_view organisation);

/// What a signature is checked by.
struct SigningKey {
  PartnerKey key;
  std::string bytes;  // the secret, or the public key
};
/// Errors, refused: partner-key.unknown, partner-key.revoked, partner-key.not-yet, partner-key.over, partner-key.not-active.
core::Result<SigningKey> find_key(db::Reader& reader, const Box& box, std::string_view key_id, core::Millis now_ms);
/// Worth a write once a minute.
bool note_key_used(db::Transaction& tx, std::string_view id, core::Millis now_ms);

}  // namespace tanhui::identity
