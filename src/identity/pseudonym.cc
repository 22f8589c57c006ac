#include "identity/pseudonym.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base64.h"
#include "core/bytes.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
constexpr oprf::Mode kMode = oprf::Mode::voprf;
constexpr std::string_view kName = "pseudonym";

PseudonymBytes hmac(const DataKey& key, std::string_view text) {
  PseudonymBytes bytes;
  crypto_auth_hmacsha256(bytes.data(), bytes_of(text).data(), text.size(), key.data());
  return bytes;
}

Error unknown_version(std::uint32_t version) {
  return {ErrorCode::not_found,
          "pseudonym.unknown-version",
          fmt::format("version {} of the pseudonym key is not in use", version),
          "ask for the versions that are, and blind again",
          {{"version", std::to_string(version)}}};
}

core::Result<oprf::KeyPair> make_version(db::Transaction& tx, Safe& safe, std::uint32_t version, std::optional<core::Day> from_day,
                                         core::Millis now_ms) {
  oprf::KeyPair pair = oprf::random_key_pair(safe.randomness);
  const auto wrapped = safe.vault.wrap(pair.secret, {"service_key", "wrapped", service_key_row(kName, version)}, safe.randomness);
  if (!wrapped) return wrapped.error();
  tx.exec("INSERT INTO service_key (name, version, wrapped, public_key, from_day, made_ms) VALUES ($1, $2, $3, $4, $5, $6)", kName, version,
          db::Bytes{*wrapped}, db::Bytes{text_of(pair.public_key)}, from_day ? std::optional(core::to_text(*from_day)) : std::nullopt,
          now_ms);
  return pair;
}

}  // namespace

std::string_view name(Strength strength) { return strength == Strength::blinded ? "blinded" : "hashed"; }

std::string Pseudonym::text() const {
  return fmt::format("{}{}.{}", strength == Strength::blinded ? 'o' : 'h', version, core::to_base64url(bytes));
}

std::optional<Pseudonym> parse_pseudonym(std::string_view text) {
  if (text.empty() || (text.front() != 'o' && text.front() != 'h')) return std::nullopt;
  Pseudonym pseudonym{.strength = text.front() == 'o' ? Strength::blinded : Strength::hashed};
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos || text[1] == '0') return std::nullopt;
  const auto end = std::from_chars(text.data() + 1, text.data() + dot, pseudonym.version);
  if (end.ec != std::errc() || end.ptr != text.data() + dot || pseudonym.version == 0) return std::nullopt;
  if (!core::parse_base64url_exactly(text.substr(dot + 1), pseudonym.bytes)) return std::nullopt;
  return pseudonym;
}

Pseudonym blinded_pseudonym(std::uint32_t version, const oprf::Output& output) {
  Pseudonym pseudonym{.strength = Strength::blinded, .version = version};
  std::copy_n(output.begin(), pseudonym.bytes.size(), pseudonym.bytes.begin());
  return pseudonym;
}

PseudonymBytes partner_hash(const DataKey& partner_key, std::string_view normalised_id) { return hmac(partner_key, normalised_id); }

Pseudonym rekeyed_pseudonym(const DataKey& rekey, std::string_view partner, const PseudonymBytes& hash) {
  const std::string text = core::ByteWriter().raw("tanhui rekey 1").str(partner).raw(text_of(hash)).take();
  return {.strength = Strength::hashed, .version = 1, .bytes = hmac(rekey, text)};
}

std::vector<PseudonymKeyInfo> pseudonym_keys(db::Reader& reader) {
  std::vector<PseudonymKeyInfo> keys;
  reader.each(
      "SELECT version, public_key, from_day, retired_ms FROM service_key WHERE name = $1 ORDER BY version",
      [&](const db::Row& row) {
        PseudonymKeyInfo key{.version = std::uint32_t(row.integer(0))};
        const auto bytes = bytes_of(row.bytes(1));
        std::copy(bytes.begin(), bytes.end(), key.public_key.begin());
        if (!row.is_null(2)) key.from_day = core::parse_day(row.text(2));
        key.retired = !row.is_null(3);
        keys.push_back(key);
      },
      kName);
  return keys;
}

core::Result<PseudonymKeys> PseudonymKeys::load(db::Reader& reader, KeyVault& vault) {
  std::vector<Key> keys;
  for (const auto& [version, wrapped] : reader.query<std::int64_t, std::string>(
           "SELECT version, wrapped FROM service_key WHERE name = $1 AND wrapped IS NOT NULL ORDER BY version", kName)) {
    const auto secret = vault.unwrap(wrapped, {"service_key", "wrapped", service_key_row(kName, version)});
    if (!secret) return secret.error();
    auto pair = oprf::key_pair_of(*secret);
    if (!pair) return pair.error();
    keys.push_back({std::uint32_t(version), *std::move(pair)});
  }
  if (keys.empty())
    return Error{ErrorCode::not_found, "keys.none", "there is no pseudonym key yet", "make one: tanhui pseudonym keys --make"};
  return PseudonymKeys(std::move(keys));
}

core::Result<PseudonymKeys> PseudonymKeys::load_or_make(db::Transaction& tx, Safe& safe, core::Millis now_ms) {
  if (pseudonym_keys(tx).empty()) {
    const auto made = make_version(tx, safe, 1, std::nullopt, now_ms);
    if (!made) return made.error();
  }
  return load(tx, safe.vault);
}

core::Result<PseudonymKeyInfo> PseudonymKeys::rotate(db::Transaction& tx, Safe& safe, core::Day from_day, core::Millis now_ms) {
  const auto keys = pseudonym_keys(tx);
  const auto live = std::size_t(std::count_if(keys.begin(), keys.end(), [](const PseudonymKeyInfo& key) { return !key.retired; }));
  if (live >= kLiveMax)
    return Error{ErrorCode::conflict, "pseudonym.two-live", "two versions of the pseudonym key are in use already",
                 "retire the older one when no late record of its days can come any more: tanhui pseudonym retire VERSION"};
  if (!keys.empty() && keys.back().from_day && *keys.back().from_day >= from_day)
    return Error{ErrorCode::invalid_input,
                 "pseudonym.bad-day",
                 fmt::format("the present version is for acts from {} on, so the next one cannot begin on {}",
                             core::to_text(*keys.back().from_day), core::to_text(from_day)),
                 "give a later day",
                 {{"day", core::to_text(from_day)}}};
  const std::uint32_t version = keys.empty() ? 1 : keys.back().version + 1;
  const auto pair = make_version(tx, safe, version, from_day, now_ms);
  if (!pair) return pair.error();
  return PseudonymKeyInfo{version, pair->public_key, from_day, false};
}

core::Status PseudonymKeys::retire(db::Transaction& tx, std::uint32_t version, core::Millis now_ms) {
  const auto keys = pseudonym_keys(tx);
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.version == version && !key.retired; });
  if (found == keys.end()) return unknown_version(version);
  if (found + 1 == keys.end())
    return Error{ErrorCode::conflict,
                 "pseudonym.last-version",
                 fmt::format("version {} is the newest one", version),
                 "make a new one first: tanhui pseudonym rotate --from DAY",
                 {{"version", std::to_string(version)}}};
  tx.exec("UPDATE service_key SET wrapped = NULL, retired_ms = $3 WHERE name = $1 AND version = $2", kName, version, now_ms);
  return core::Done{};
}

core::Result<oprf::Evaluation> PseudonymKeys::evaluate(std::uint32_t version, std::span<const oprf::Element> blinded,
                                                       const Randomness& randomness) const {
  for (const Key& key : keys_)
    if (key.version == version) return oprf::evaluate(kMode, key.pair, blinded, randomness);
  return unknown_version(version);
}

core::Result<std::vector<Pseudonym>> PseudonymKeys::pseudonyms_of(std::string_view normalised_id) const {
  std::vector<Pseudonym> pseudonyms;
  for (const Key& key : keys_) {
    const auto output = oprf::evaluate_directly(kMode, key.pair.secret, normalised_id);
    if (!output) return output.error();
    pseudonyms.push_back(blinded_pseudonym(key.version, *output));
  }
  return pseudonyms;
}

}  // namespace tanhui::identity
