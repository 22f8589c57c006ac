#include "identity/partner_key.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sodium.h>

#include <algorithm>
#include <array>

#include "core/invariant.h"
#include "identity/organisation.h"
#include "identity/programmes.h"
#include "identity/trail.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
constexpr std::array<std::string_view, 2> kAlgorithms{"hmac-sha256", "ed25519"};
constexpr std::size_t kSecretBytes = 32;
constexpr core::Millis kUsedGrainMs = 60'000;
static_assert(crypto_sign_PUBLICKEYBYTES == 32);

constexpr std::string_view kColumns =
    "id, organisation, programme, source, algorithm, sandbox, valid_from_ms, valid_to_ms, revoked_ms, used_ms, created_ms";

PartnerKey key_of(const db::Row& row) {
  using Instant = std::optional<core::Millis>;
  const auto algorithm = find_key_algorithm(row.text(4));
  core::invariant(algorithm.has_value(), "a stored algorithm is one of the two");
  return {row.get<std::string>(0),
          row.get<std::string>(1),
          row.get<std::string>(2),
          row.get<std::string>(3),
          *algorithm,
          row.integer(5) != 0,
          row.integer(6),
          db::read_column<Instant>(row, 7),
          db::read_column<Instant>(row, 8),
          db::read_column<Instant>(row, 9),
          row.integer(10)};
}

std::string bound_to(std::string_view id) { return fmt::format("partner key {}", id); }

std::string described(const PartnerKey& key) {
  return fmt::format("{} {} {} {} {} {}", key.organisation, key.programme, key.source, name(key.algorithm),
                     key.sandbox ? "sandbox" : "live", key.revoked_ms ? "revoked" : "good");
}

Error not_active(const Organisation& organisation) {
  return {ErrorCode::refused,
          "partner-key.not-active",
          fmt::format("the organisation '{}' is {}", organisation.id, name(organisation.details.state)),
          "the operator of its programme can make it active again",
          {{"organisation", organisation.id}}};
}

core::Status check_wanted(db::Reader& reader, const WantedKey& wanted, core::Millis now_ms) {
  const auto organisation = find_organisation(reader, wanted.organisation);
  if (!organisation) return organisation.error();
  if (organisation->details.state != OrganisationState::active) return not_active(*organisation);
  const auto programme = programme_at(reader, wanted.programme, now_ms);
  if (!programme) return stored_programme(reader, wanted.programme, now_ms).error();
  const auto line = line_of(reader, wanted.programme);
  if (std::find(line.begin(), line.end(), organisation->programme) == line.end())
    return Error{ErrorCode::refused,
                 "partner-key.other-programme",
                 fmt::format("'{}' is an organisation of '{}', and '{}' is neither that nor below it", organisation->id,
                             organisation->programme, wanted.programme),
                 "make an organisation in that programme for it",
                 {{"organisation", organisation->id}, {"programme", wanted.programme}}};
  if (programme->find_source(wanted.source) == nullptr) {
    std::vector<std::string> sources;
    for (const Source& source : programme->sources) sources.push_back(source.id);
    return Error{ErrorCode::invalid_input,
                 "partner-key.unknown-source",
                 fmt::format("the programme '{}' has no source '{}'", wanted.programme, wanted.source),
                 fmt::format("use one of {}, or add it to the programme's settings", fmt::join(sources, ", ")),
                 {{"source", wanted.source}}};
  }
  const auto* point = reinterpret_cast<const unsigned char*>(wanted.public_key.data());
  const bool is_public = wanted.public_key.size() == crypto_sign_PUBLICKEYBYTES && crypto_core_ed25519_is_valid_point(point) == 1;
  if (wanted.algorithm == KeyAlgorithm::ed25519 ? !is_public : !wanted.public_key.empty())
    return Error{ErrorCode::invalid_input,
                 "partner-key.bad-public-key",
                 "that is not a public key for this algorithm",
                 "give the 32 bytes of an Ed25519 public key with ed25519, and none with hmac-sha256",
                 {}};
  if (wanted.valid_to_ms && *wanted.valid_to_ms <= std::max(now_ms, wanted.valid_from_ms.value_or(now_ms)))
    return Error{
        ErrorCode::invalid_input, "partner-key.bad-period", "the key would be over before it begins", "give a later end, or none", {}};
  return core::Done{};
}

}  // namespace

std::string_view name(KeyAlgorithm algorithm) { return kAlgorithms[std::size_t(algorithm)]; }
std::optional<KeyAlgorithm> find_key_algorithm(std::string_view name) {
  const auto found = std::find(kAlgorithms.begin(), kAlgorithms.end(), name);
  return found == kAlgorithms.end() ? std::nullopt : std::optional(KeyAlgorithm(found - kAlgorithms.begin()));
}

core::Result<MadePartnerKey> create_partner_key(db::Transaction& tx, const By& by, const Box& box, const WantedKey& wanted) {
  core::invariant(sodium_init() >= 0, "libsodium has a source of randomness");
  if (auto status = check_wanted(tx, wanted, by.at_ms); !status) return status.error();
  MadePartnerKey made;
  made.key = {random_id("pk"),
              wanted.organisation,
              wanted.programme,
              wanted.source,
              wanted.algorithm,
              wanted.sandbox,
              wanted.valid_from_ms.value_or(by.at_ms),
              wanted.valid_to_ms,
              {},
              {},
              by.at_ms};
  std::string stored = wanted.public_key;
  if (wanted.algorithm == KeyAlgorithm::hmac_sha256) {
    made.secret.assign(kSecretBytes, '\0');
    randombytes_buf(made.secret.data(), made.secret.size());
    stored = box.seal(made.secret, bound_to(made.key.id));
  }
  const PartnerKey& key = made.key;
  tx.exec(
      "INSERT INTO partner_key (id, organisation, programme, source, algorithm, key, sandbox, valid_from_ms, valid_to_ms, revoked_ms, "
      "used_ms, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, NULL, $10)",
      key.id, key.organisation, key.programme, key.source, name(key.algorithm), db::Bytes{stored}, key.sandbox ? 1 : 0, key.valid_from_ms,
      key.valid_to_ms, key.created_ms);
  record_action(tx, by, "partner-key.create", key.programme, key.id, "", described(key));
  return made;
}

core::Result<MadePartnerKey> rotate_partner_key(db::Transaction& tx, const By& by, const Box& box, std::string_view id,
                                                core::Millis overlap_ms, std::string_view public_key) {
  const auto old = find_partner_key(tx, id);
  if (!old) return old.error();
  if (old->revoked_ms || (old->valid_to_ms && *old->valid_to_ms <= by.at_ms))
    return Error{ErrorCode::refused,
                 "partner-key.over",
                 fmt::format("the key '{}' is not good any more", id),
                 "make a new one",
                 {{"key", std::string(id)}}};
  const auto made = create_partner_key(
      tx, by, box, {old->organisation, old->programme, old->source, old->algorithm, std::string(public_key), old->sandbox});
  if (!made) return made.error();
  // Good for an instant at least, for a period has a length.
  const core::Millis end = std::max(by.at_ms + std::max<core::Millis>(overlap_ms, 0), old->valid_from_ms + 1);
  tx.exec("UPDATE partner_key SET valid_to_ms = $2 WHERE id = $1 AND (valid_to_ms IS NULL OR valid_to_ms > $2)", id, end);
  record_action(tx, by, "partner-key.rotate", old->programme, id, described(*old), described(made->key));
  return made;
}

core::Result<PartnerKey> revoke_partner_key(db::Transaction& tx, const By& by, std::string_view id) {
  const auto key = find_partner_key(tx, id);
  if (!key || key->revoked_ms) return key;
  tx.exec("UPDATE partner_key SET revoked_ms = $2 WHERE id = $1", id, by.at_ms);
  auto now = find_partner_key(tx, id);
  record_action(tx, by, "partner-key.revoke", key->programme, id, described(*key), described(*now));
  return now;
}

core::Result<PartnerKey> find_partner_key(db::Reader& reader, std::string_view id) {
  std::optional<PartnerKey> found;
  reader.each(
      fmt::format("SELECT {} FROM partner_key WHERE id = $1", kColumns), [&](const db::Row& row) { found = key_of(row); }, id);
  if (found) return *std::move(found);
  return Error{
      ErrorCode::not_found, "partner-key.not-found", fmt::format("there is no key '{}'", id), "check the id", {{"key", std::string(id)}}};
}

std::vector<PartnerKey> partner_keys(db::Reader& reader, std::string_view organisation) {
  std::vector<PartnerKey> keys;
  reader.each(
      fmt::format("SELECT {} FROM partner_key WHERE organisation = $1 OR $1 = '' ORDER BY created_ms DESC, id", kColumns),
      [&](const db::Row& row) { keys.push_back(key_of(row)); }, organisation);
  return keys;
}

core::Result<SigningKey> find_key(db::Reader& reader, const Box& box, std::string_view key_id, core::Millis now_ms) {
  const auto refused = [&](std::string_view id, std::string_view what, std::string_view action) {
    return Error{ErrorCode::refused,
                 std::string(id),
                 fmt::format("the key '{}' {}", key_id, what),
                 std::string(action),
                 {{"key", std::string(key_id)}}};
  };
  const auto key = find_partner_key(reader, key_id);
  if (!key) return refused("partner-key.unknown", "is unknown", "sign with a key that was made here");
  if (key->revoked_ms) return refused("partner-key.revoked", "was revoked", "sign with another one");
  if (now_ms < key->valid_from_ms)
    return refused("partner-key.not-yet", "is good from " + core::to_text_utc(key->valid_from_ms) + " on", "sign with the one before");
  if (!key->good_at(now_ms))
    return refused("partner-key.over", "was good until " + core::to_text_utc(*key->valid_to_ms), "sign with the next one");
  const auto organisation = find_organisation(reader, key->organisation);
  core::invariant(bool(organisation), "a key's organisation is there");
  if (organisation->details.state != OrganisationState::active) return not_active(*organisation);
  const std::string stored = *reader.find<std::string>("SELECT key FROM partner_key WHERE id = $1", key_id);
  if (key->algorithm == KeyAlgorithm::ed25519) return SigningKey{*key, stored};
  auto secret = box.open(stored, bound_to(key_id));
  core::invariant(secret.has_value(), "a partner's secret opens with the instance's key");
  return SigningKey{*key, *std::move(secret)};
}

bool note_key_used(db::Transaction& tx, std::string_view id, core::Millis now_ms) {
  return tx.exec("UPDATE partner_key SET used_ms = $2 WHERE id = $1 AND (used_ms IS NULL OR used_ms <= $3)", id, now_ms,
                 now_ms - kUsedGrainMs) > 0;
}

}  // namespace tanhui::identity
