// identity/people.h: people who registered here. A person is a random id; contacts are sealed under a key of the person; records and
// balances belong to pseudonyms (core::PersonKey), which are linked to the person while the person is here.
//
// Who may do what is decided elsewhere (identity/rights.h); that it was done is recorded here: staff read contacts through look_at(), which
// writes who, when, why and what in the same transaction, and the person sees it.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/pseudonym.h"
#include "identity/service_keys.h"

namespace tanhui::identity {

struct PersonId {
  std::array<std::uint8_t, 16> bytes{};
  std::string text() const;  // 32 hex digits
  friend bool operator==(const PersonId&, const PersonId&) = default;
};
std::optional<PersonId> parse_person_id(std::string_view text);

enum class ContactKind : std::uint8_t { phone, mail, wechat };
std::string_view name(ContactKind kind);
/// Errors: contact.unknown-kind.
core::Result<ContactKind> parse_contact_kind(std::string_view name);

/// A way to reach somebody, in its one way of writing: +8613800138000, a mail address whose part after @ is lower-case, an openid.
struct Contact {
  ContactKind kind = ContactKind::phone;
  std::string value;
  core::Millis verified_ms = 0;
};
/// Errors: those of normalise_id for phones, contact.bad-mail, contact.bad-openid. No message holds the value.
core::Result<Contact> normalise_contact(ContactKind kind, std::string_view value);

struct Link {
  core::PersonKey key;
  Strength strength = Strength::blinded;
  std::uint32_t version = 1;
  core::Millis linked_ms = 0;
};

struct Person {
  PersonId id;
  core::Millis joined_ms = 0;
  std::optional<core::Millis> erased_ms;
  std::vector<Link> links;
};

enum class AccessPurpose : std::uint8_t { support, correction, legal_request, audit, delivery, request_of_person };
std::string_view name(AccessPurpose purpose);
/// Errors: access.unknown-purpose.
core::Result<AccessPurpose> parse_access_purpose(std::string_view name);

struct Access {
  core::Millis at_ms = 0;
  std::string actor;  // id of a member of staff, or console
  AccessPurpose purpose = AccessPurpose::support;
  std::string fields;  // names with commas: contacts, records, …
};

class People {
 public:
  /// `secret` makes keys of pseudonyms, as intake does.
  People(Safe& safe, const core::KeySecret& secret) : safe_(safe), secret_(secret) {}

  struct Registered {
    PersonId id;
    bool now = false;  // false: was here already
  };
  /// The person of a contact that was just verified (a one-time code, WeChat's word); a new one when nobody has it. A phone links the
  /// pseudonyms that partners come to for it, under every live version. Errors: those of the vault.
  core::Result<Registered> register_by(db::Transaction& tx, const Contact& contact, core::Millis now_ms);
  /// Adds a contact, or puts another one of that kind in its place. The pseudonyms of a phone that is given up stay linked: the acts were
  /// this person's. Errors: conflict contact.taken, person.not-found, those of the vault.
  core::Status set_contact(db::Transaction& tx, const PersonId& id, const Contact& contact, core::Millis now_ms);
  /// Errors: conflict contact.last (somebody without a contact could not come back), person.not-found, not_found contact.none.
  core::Status remove_contact(db::Transaction& tx, const PersonId& id, ContactKind kind);
  /// Links the pseudonym by which a partner names this person. Errors: pseudonym.bad-text, conflict pseudonym.taken (another person's),
  /// refused pseudonym.erased, person.not-found.
  core::Result<Link> link(db::Transaction& tx, const PersonId& id, std::string_view pseudonym, core::Millis now_ms);

  /// Errors: not_found person.not-found (also when the person was erased).
  core::Result<std::vector<Contact>> contacts(db::Reader& reader, const PersonId& id) const;
  std::optional<PersonId> find_by_contact(db::Reader& reader, const Contact& contact) const;
  /// Of a pseudonym's text. For keys see person_of.
  core::PersonKey key_of(std::string_view pseudonym) const { return secret_.person(pseudonym); }

  /// Destroys the person's key, contacts and links; pseudonyms become tombstones, and what comes under them is refused. Balances and
  /// records stay, without a person. Returns how many pseudonyms. The caller commits, then compacts the store (db::Database::compact of
  /// kErasedTables), for stores keep old bytes. Errors: person.not-found.
  core::Result<std::int64_t> erase(db::Transaction& tx, const PersonId& id, core::Millis now_ms);

  /// The hash that finds a contact. Errors: those of the vault; keys.none.
  core::Result<core::Digest> lookup_of(db::Reader& reader, const Contact& contact) const;

 private:
  core::Result<DataKey> key_of_person(db::Reader& reader, const PersonId& id) const;
  core::Status write_contact(db::Transaction& tx, const PersonId& id, const Contact& contact, core::Millis now_ms);
  core::Status link_phone(db::Transaction& tx, const PersonId& id, const Contact& contact, core::Millis now_ms);
  Safe& safe_;
  const core::KeySecret& secret_;
};

/// Of which an erasure takes rows.
constexpr std::string_view kErasedTables[] = {"person", "contact", "person_pseudonym", "one_time_code"};

std::optional<Person> find_person(db::Reader& reader, const PersonId& id);
std::optional<PersonId> person_of(db::Reader& reader, const core::PersonKey& key);
bool is_erased(db::Reader& reader, const core::PersonKey& key);
/// People in the order of their ids after `after`, at most `limit`; no personal data.
std::vector<Person> people_after(db::Reader& reader, const std::optional<PersonId>& after, std::int64_t limit);
struct PeopleCount {
  std::int64_t here = 0, erased = 0;
};
PeopleCount count_people(db::Reader& reader);

/// Writes down that `actor` is about to see `fields` of a person. Errors: person.not-found.
core::Status look_at(db::Transaction& tx, const PersonId& id, std::string_view actor, AccessPurpose purpose, std::string_view fields,
                     core::Millis now_ms);
/// The newest first.
std::vector<Access> accesses(db::Reader& reader, const PersonId& id, std::int64_t limit);

}  // namespace tanhui::identity
