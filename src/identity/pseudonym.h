// identity/pseudonym.h: the text by which partners name a person, and the platform's keys that make it.
//
//   o<version>.<43 characters>   blinded: base64url of the first 32 of the 64 bytes that VOPRF (identity/oprf.h) gives for the
//                                normalised id (identity/person_id.h). The platform never saw the id, the partner never had the key.
//   h<version>.<43 characters>   WEAKER, for partners that can only hash: HMAC-SHA256(rekey, "tanhui rekey 1" partner hash), where
//                                hash = HMAC-SHA256(partner's key, normalised id) is all that the partner sends. One-way twice; but each
//                                partner has its own, so the same person's acts at two partners are not seen to be one person's, and
//                                whoever has both keys can try all telephone numbers.
//
// This text is what intake takes as a person (decision 0004 turns it into a core::PersonKey). At most two versions live at a time; the day
// of an act decides which one names it, so that two partners name one act alike also while a key is being changed (docs/privacy.md).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/oprf.h"
#include "identity/service_keys.h"

namespace tanhui::identity {

enum class Strength : std::uint8_t { blinded, hashed };
std::string_view name(Strength strength);

using PseudonymBytes = std::array<std::uint8_t, 32>;
struct Pseudonym {
  Strength strength = Strength::blinded;
  std::uint32_t version = 1;
  PseudonymBytes bytes{};
  std::string text() const;
};
/// Nothing when it is not of the two forms; one way to write each.
std::optional<Pseudonym> parse_pseudonym(std::string_view text);
Pseudonym blinded_pseudonym(std::uint32_t version, const oprf::Output& output);

/// What a partner that can only hash sends: base64url of 32 bytes.
PseudonymBytes partner_hash(const DataKey& partner_key, std::string_view normalised_id);
Pseudonym rekeyed_pseudonym(const DataKey& rekey, std::string_view partner, const PseudonymBytes& partner_hash);

/// The public side of a version: what partners get to know.
struct PseudonymKeyInfo {
  std::uint32_t version = 1;
  oprf::Element public_key{};
  std::optional<core::Day> from_day = {};  // acts of this day on; nothing: since ever
  bool retired = false;
};
std::vector<PseudonymKeyInfo> pseudonym_keys(db::Reader& reader);  // all, ascending

/// The versions that live, with their secrets.
class PseudonymKeys {
 public:
  static constexpr std::size_t kLiveMax = 2;
  /// Makes version 1 when there is none. Errors: those of the vault.
  static core::Result<PseudonymKeys> load_or_make(db::Transaction& tx, Safe& safe, core::Millis now_ms);
  /// Errors: keys.none, and those of the vault.
  static core::Result<PseudonymKeys> load(db::Reader& reader, KeyVault& vault);
  /// A new version for acts of `from_day` on. Errors: pseudonym.two-live (retire one first), pseudonym.bad-day (not after the last one's).
  static core::Result<PseudonymKeyInfo> rotate(db::Transaction& tx, Safe& safe, core::Day from_day, core::Millis now_ms);
  /// Destroys the secret: nobody is named by this version again. Errors: pseudonym.unknown-version, pseudonym.last-version.
  static core::Status retire(db::Transaction& tx, std::uint32_t version, core::Millis now_ms);

  struct Key {
    std::uint32_t version;
    oprf::KeyPair pair;
  };
  const std::vector<Key>& live() const { return keys_; }
  /// Errors: pseudonym.unknown-version, and those of oprf::evaluate.
  core::Result<oprf::Evaluation> evaluate(std::uint32_t version, std::span<const oprf::Element> blinded,
                                          const Randomness& randomness) const;
  /// What partners come to for this id, under every live version: for ids that people gave us themselves. Errors: oprf.bad-input.
  core::Result<std::vector<Pseudonym>> pseudonyms_of(std::string_view normalised_id) const;

 private:
  explicit PseudonymKeys(std::vector<Key> keys) : keys_(std::move(keys)) {}
  std::vector<Key> keys_;
};

}  // namespace tanhui::identity
