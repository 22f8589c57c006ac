// identity/service_keys.h: secrets of the service that live in the database, wrapped by the master key (identity/sealed.h): who steals the
// database has none of them.
//
//   contact    finds a contact by a keyed hash          code     hashes one-time codes
//   rekey      second hash of weaker pseudonyms         pseudonym  see identity/pseudonym.h
#pragma once
#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/sealed.h"

namespace tanhui::identity {

/// What everything that seals and opens needs.
struct Safe {
  KeyVault& vault;
  Randomness randomness;
};

/// The newest secret of that name; made when there is none. Errors: those of the vault.
core::Result<DataKey> service_key(db::Transaction& tx, Safe& safe, std::string_view name, core::Millis now_ms);
/// As above, without making it: not_found keys.none.
core::Result<DataKey> find_service_key(db::Reader& reader, KeyVault& vault, std::string_view name);

/// Where a secret of that name and version stands, for wrap and unwrap.
std::string service_key_row(std::string_view name, std::int64_t version);

struct Rewrapped {
  std::int64_t service_keys = 0, people = 0;
};
/// Wraps everything by the present master key that is wrapped by another one, at most `limit` rows: call until nothing is done, then
/// nothing needs the older master keys. Errors: those of the vault.
core::Result<Rewrapped> rewrap(db::Transaction& tx, Safe& safe, std::int64_t limit);

}  // namespace tanhui::identity
