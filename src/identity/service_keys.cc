#include "identity/service_keys.h"

#include <fmt/format.h>

#include "core/bytes.h"

namespace tanhui::identity {

std::string service_key_row(std::string_view name, std::int64_t version) { return core::ByteWriter().str(name).i64(version).take(); }

core::Result<DataKey> find_service_key(db::Reader& reader, KeyVault& vault, std::string_view name) {
  const auto found = reader.find<std::int64_t, std::string>(
      "SELECT version, wrapped FROM service_key WHERE name = $1 AND wrapped IS NOT NULL ORDER BY version DESC LIMIT 1", name);
  if (!found)
    return core::Error{core::ErrorCode::not_found,
                       "keys.none",
                       fmt::format("the service has no key '{}' yet", name),
                       "register a person or name one by a pseudonym first",
                       {{"name", std::string(name)}}};
  const auto& [version, wrapped] = *found;
  return vault.unwrap(wrapped, {"service_key", "wrapped", service_key_row(name, version)});
}

core::Result<DataKey> service_key(db::Transaction& tx, Safe& safe, std::string_view name, core::Millis now_ms) {
  auto found = find_service_key(tx, safe.vault, name);
  if (found || found.error().id != "keys.none") return found;
  DataKey made = DataKey::random(safe.randomness);
  const auto wrapped = safe.vault.wrap(made, {"service_key", "wrapped", service_key_row(name, 1)}, safe.randomness);
  if (!wrapped) return wrapped.error();
  tx.exec("INSERT INTO service_key (name, version, wrapped, made_ms) VALUES ($1, 1, $2, $3)", name, db::Bytes{*wrapped}, now_ms);
  return made;
}

core::Result<Rewrapped> rewrap(db::Transaction& tx, Safe& safe, std::int64_t limit) {
  Rewrapped done;
  const auto again = [&](std::string_view old, const SealedPlace& place) -> core::Result<std::string> {
    const auto key = safe.vault.unwrap(old, place);
    if (!key) return key.error();
    return safe.vault.wrap(*key, place, safe.randomness);
  };
  for (const auto& [name, version, wrapped] : tx.query<std::string, std::int64_t, std::string>(
           "SELECT name, version, wrapped FROM service_key WHERE wrapped IS NOT NULL ORDER BY name, version")) {
    if (!safe.vault.is_old(wrapped)) continue;
    const auto fresh = again(wrapped, {"service_key", "wrapped", service_key_row(name, version)});
    if (!fresh) return fresh.error();
    done.service_keys += tx.exec("UPDATE service_key SET wrapped = $3 WHERE name = $1 AND version = $2", name, version, db::Bytes{*fresh});
  }
  std::vector<std::pair<std::string, std::string>> people;
  tx.each("SELECT id, wrapped_key FROM person WHERE wrapped_key IS NOT NULL ORDER BY id", [&](const db::Row& row) {
    if (std::int64_t(people.size()) < limit && safe.vault.is_old(row.bytes(1))) people.emplace_back(row.bytes(0), row.bytes(1));
  });
  for (const auto& [id, wrapped] : people) {
    const auto fresh = again(wrapped, {"person", "wrapped_key", id});
    if (!fresh) return fresh.error();
    done.people += tx.exec("UPDATE person SET wrapped_key = $2 WHERE id = $1", db::Bytes{id}, db::Bytes{*fresh});
  }
  return done;
}

}  // namespace tanhui::identity
