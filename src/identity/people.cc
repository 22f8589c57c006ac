#include "identity/people.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/json.h"
#include "core/text.h"
#include "identity/person_id.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
constexpr std::string_view kContactKinds[] = {"phone", "mail", "wechat"};
constexpr std::string_view kPurposes[] = {"support", "correction", "legal-request", "audit", "delivery", "request-of-person"};
constexpr std::size_t kMailMax = 254, kOpenidMax = 128;

db::Bytes bytes(const PersonId& id) { return {text_of(id.bytes)}; }
PersonId id_from(std::string_view bytes) {
  PersonId id;
  if (bytes.size() != id.bytes.size()) throw db::Failure("a person's id has 16 bytes");
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

Error not_found(const PersonId& id) {
  return {ErrorCode::not_found,
          "person.not-found",
          fmt::format("there is no person {}", id.text()),
          "check the id; a person who was erased is not here any more",
          {{"person", id.text()}}};
}

SealedPlace place_of_key(const PersonId& id) { return {"person", "wrapped_key", text_of(id.bytes)}; }
std::string contact_row(const PersonId& id, ContactKind kind) { return std::string(text_of(id.bytes)) + std::string(name(kind)); }

std::optional<ContactKind> kind_of(std::string_view text) {
  for (const ContactKind kind : {ContactKind::phone, ContactKind::mail, ContactKind::wechat})
    if (name(kind) == text) return kind;
  return std::nullopt;
}

Person person_from(db::Reader& reader, const PersonId& id, core::Millis joined_ms, std::optional<core::Millis> erased_ms) {
  Person person{id, joined_ms, erased_ms, {}};
  for (const auto& [key, strength, version, linked_ms] : reader.query<core::PersonKey, std::string, std::int64_t, std::int64_t>(
           "SELECT key, strength, version, linked_ms FROM person_pseudonym WHERE person = $1 ORDER BY linked_ms, key", bytes(id)))
    person.links.push_back(
        {key, strength == name(Strength::blinded) ? Strength::blinded : Strength::hashed, std::uint32_t(version), linked_ms});
  return person;
}

core::Status write_link(db::Transaction& tx, const PersonId& id, const core::PersonKey& key, const Pseudonym& pseudonym,
                        core::Millis now_ms) {
  if (is_erased(tx, key))
    return Error{ErrorCode::refused, "pseudonym.erased", "this pseudonym belonged to a person who was erased",
                 "nothing: what an erased person did stays without a person"};
  tx.exec(
      "INSERT INTO person_pseudonym (key, person, strength, version, linked_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO NOTHING",
      key, bytes(id), name(pseudonym.strength), pseudonym.version, now_ms);
  if (person_of(tx, key) == id) return core::Done{};
  return Error{ErrorCode::conflict, "pseudonym.taken", "this pseudonym belongs to another person",
               "have the partner check whom it names so; two people cannot share one"};
}

}  // namespace

std::string PersonId::text() const { return core::to_hex(bytes); }
std::optional<PersonId> parse_person_id(std::string_view text) {
  PersonId id;
  return text.size() == 32 && core::from_hex(text, id.bytes) ? std::optional(id) : std::nullopt;
}

std::string_view name(ContactKind kind) { return kContactKinds[std::size_t(kind)]; }
core::Result<ContactKind> parse_contact_kind(std::string_view text) {
  if (const auto kind = kind_of(text)) return *kind;
  return Error{ErrorCode::invalid_input,
               "contact.unknown-kind",
               fmt::format("there is no kind of contact '{}'", text),
               "use phone, mail or wechat",
               {{"kind", std::string(text)}}};
}

std::string_view name(AccessPurpose purpose) { return kPurposes[std::size_t(purpose)]; }
core::Result<AccessPurpose> parse_access_purpose(std::string_view text) {
  for (std::size_t i = 0; i < std::size(kPurposes); ++i)
    if (kPurposes[i] == text) return AccessPurpose(i);
  return Error{ErrorCode::invalid_input,
               "access.unknown-purpose",
               fmt::format("there is no purpose '{}'", text),
               "use support, correction, legal-request, audit, delivery or request-of-person",
               {{"purpose", std::string(text)}}};
}

core::Result<Contact> normalise_contact(ContactKind kind, std::string_view value) {
  if (kind == ContactKind::phone) {
    auto phone = normalise_id(IdKind::phone, value);
    if (!phone) return phone.error();
    return Contact{kind, phone->substr(std::string_view("tel:").size())};
  }
  const std::size_t first = value.find_first_not_of(" \t\r\n");
  const std::string bare(first == std::string_view::npos ? "" : value.substr(first, value.find_last_not_of(" \t\r\n") - first + 1));
  const bool plain = std::all_of(bare.begin(), bare.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (kind == ContactKind::wechat) {
    if (bare.empty() || bare.size() > kOpenidMax || !plain)
      return Error{ErrorCode::invalid_input, "contact.bad-openid", "this is not an openid", "send what code2session answered"};
    return Contact{kind, bare};
  }
  // What SMTP can be told without quoting or SMTPUTF8: dot-atoms at a domain with a dot (RFC 5321 4.1.2).
  const std::size_t at = bare.find('@');
  const auto atoms = [](std::string_view text, std::string_view also) {
    return !text.empty() && text.front() != '.' && text.back() != '.' && text.find("..") == std::string_view::npos &&
           std::all_of(text.begin(), text.end(), [&](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                    also.find(c) != std::string_view::npos;
           });
  };
  const bool good = bare.size() <= kMailMax && at != std::string::npos && at <= 64 &&
                    atoms(std::string_view(bare).substr(0, at), "!#$%&'*+-/=?^_`{|}~") &&
                    atoms(std::string_view(bare).substr(at + 1), "-") && bare.find('.', at) != std::string::npos;
  if (!good)
    return Error{ErrorCode::invalid_input, "contact.bad-mail", "this is not a mail address that can be written to",
                 "write it like name@example.org"};
  Contact mail{kind, bare};
  std::transform(mail.value.begin() + std::ptrdiff_t(at), mail.value.end(), mail.value.begin() + std::ptrdiff_t(at),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c + ('a' - 'A')) : c; });
  return mail;
}

std::optional<Person> find_person(db::Reader& reader, const PersonId& id) {
  const auto row =
      reader.find<std::int64_t, std::optional<std::int64_t>>("SELECT joined_ms, erased_ms FROM person WHERE id = $1", bytes(id));
  if (!row) return std::nullopt;
  return person_from(reader, id, std::get<0>(*row), std::get<1>(*row));
}

std::optional<PersonId> person_of(db::Reader& reader, const core::PersonKey& key) {
  const auto found = reader.find<std::string>("SELECT person FROM person_pseudonym WHERE key = $1", key);
  return found ? std::optional(id_from(*found)) : std::nullopt;
}

bool is_erased(db::Reader& reader, const core::PersonKey& key) {
  return reader.find<std::int64_t>("SELECT 1 FROM erased_pseudonym WHERE key = $1", key).has_value();
}

std::vector<Person> people_after(db::Reader& reader, const std::optional<PersonId>& after, std::int64_t limit) {
  std::vector<Person> people;
  const std::string from = after ? std::string(text_of(after->bytes)) : "";
  for (const auto& [id, joined_ms, erased_ms] : reader.query<std::string, std::int64_t, std::optional<std::int64_t>>(
           "SELECT id, joined_ms, erased_ms FROM person WHERE id > $1 ORDER BY id LIMIT $2", db::Bytes{from}, limit))
    people.push_back(person_from(reader, id_from(id), joined_ms, erased_ms));
  return people;
}

PeopleCount count_people(db::Reader& reader) {
  const auto row = reader.find<std::int64_t, std::int64_t>("SELECT COUNT(*), COUNT(erased_ms) FROM person");
  return {std::get<0>(*row) - std::get<1>(*row), std::get<1>(*row)};
}

core::Status look_at(db::Transaction& tx, const PersonId& id, std::string_view actor, AccessPurpose purpose, std::string_view fields,
                     core::Millis now_ms) {
  if (!find_person(tx, id)) return not_found(id);
  const auto last = tx.find<std::int64_t>("SELECT COALESCE(MAX(id), 0) FROM person_access");
  tx.exec("INSERT INTO person_access (id, person, at_ms, actor, purpose, fields) VALUES ($1, $2, $3, $4, $5, $6)", *last + 1, bytes(id),
          now_ms, actor, name(purpose), fields);
  return core::Done{};
}

std::vector<Access> accesses(db::Reader& reader, const PersonId& id, std::int64_t limit) {
  std::vector<Access> all;
  for (const auto& [at_ms, actor, purpose, fields] : reader.query<std::int64_t, std::string, std::string, std::string>(
           "SELECT at_ms, actor, purpose, fields FROM person_access WHERE person = $1 ORDER BY id DESC LIMIT $2", bytes(id), limit))
    all.push_back({at_ms, actor, *parse_access_purpose(purpose), fields});
  return all;
}

core::Result<DataKey> People::key_of_person(db::Reader& reader, const PersonId& id) const {
  const auto wrapped = reader.find<std::string>("SELECT wrapped_key FROM person WHERE id = $1 AND erased_ms IS NULL", bytes(id));
  if (!wrapped) return not_found(id);
  return safe_.vault.unwrap(*wrapped, place_of_key(id));
}

core::Result<core::Digest> People::lookup_of(db::Reader& reader, const Contact& contact) const {
  const auto key = find_service_key(reader, safe_.vault, "contact");
  if (!key) return key.error();
  return keyed_hash(Suite::standard, *key, fmt::format("{}:{}", name(contact.kind), contact.value));
}

std::optional<PersonId> People::find_by_contact(db::Reader& reader, const Contact& contact) const {
  const auto lookup = lookup_of(reader, contact);
  if (!lookup) return std::nullopt;
  const auto found = reader.find<std::string>("SELECT person FROM contact WHERE lookup = $1", *lookup);
  return found ? std::optional(id_from(*found)) : std::nullopt;
}

core::Status People::write_contact(db::Transaction& tx, const PersonId& id, const Contact& contact, core::Millis now_ms) {
  const auto key = key_of_person(tx, id);
  if (!key) return key.error();
  if (const auto made = service_key(tx, safe_, "contact", now_ms); !made) return made.error();
  const auto lookup = lookup_of(tx, contact);
  if (!lookup) return lookup.error();
  const std::string row = contact_row(id, contact.kind);
  const std::string sealed = seal(safe_.vault.suite(), *key, {"contact", "sealed", row}, contact.value, safe_.randomness);
  const auto owner = tx.find<std::string>("SELECT person FROM contact WHERE lookup = $1", *lookup);
  if (owner && id_from(*owner) != id)
    return Error{ErrorCode::conflict, "contact.taken", fmt::format("another account has this {}", name(contact.kind)),
                 "log in to that account, or give another one"};
  tx.exec(
      "INSERT INTO contact (person, kind, lookup, sealed, verified_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (person, kind) DO UPDATE "
      "SET "
      "lookup = excluded.lookup, sealed = excluded.sealed, verified_ms = excluded.verified_ms",
      bytes(id), name(contact.kind), *lookup, db::Bytes{sealed}, now_ms);
  return link_phone(tx, id, contact, now_ms);
}

core::Status People::link_phone(db::Transaction& tx, const PersonId& id, const Contact& contact, core::Millis now_ms) {
  if (contact.kind != ContactKind::phone) return core::Done{};
  const auto keys = PseudonymKeys::load_or_make(tx, safe_, now_ms);
  if (!keys) return keys.error();
  const auto pseudonyms = keys->pseudonyms_of("tel:" + contact.value);
  if (!pseudonyms) return pseudonyms.error();
  for (const Pseudonym& pseudonym : *pseudonyms) {
    const core::PersonKey key = secret_.person(pseudonym.text());
    // A number goes from one owner to the next. What the earlier one did stays theirs, and an erased person's stays nobody's: then this
    // person starts without it, and is not refused the door.
    if (is_erased(tx, key) || person_of(tx, key).value_or(id) != id) continue;
    if (auto status = write_link(tx, id, key, pseudonym, now_ms); !status) return status;
  }
  return core::Done{};
}

core::Result<People::Registered> People::register_by(db::Transaction& tx, const Contact& contact, core::Millis now_ms) {
  if (const auto known = find_by_contact(tx, contact)) {
    tx.exec("UPDATE contact SET verified_ms = $3 WHERE person = $1 AND kind = $2", bytes(*known), name(contact.kind), now_ms);
    if (auto status = link_phone(tx, *known, contact, now_ms); !status) return status.error();  // a version may be new since
    return Registered{*known, false};
  }
  PersonId id;
  safe_.randomness(id.bytes);
  const auto wrapped = safe_.vault.wrap(DataKey::random(safe_.randomness), place_of_key(id), safe_.randomness);
  if (!wrapped) return wrapped.error();
  tx.exec("INSERT INTO person (id, wrapped_key, joined_ms) VALUES ($1, $2, $3)", bytes(id), db::Bytes{*wrapped}, now_ms);
  if (auto status = write_contact(tx, id, contact, now_ms); !status) return status.error();
  return Registered{id, true};
}

core::Status People::set_contact(db::Transaction& tx, const PersonId& id, const Contact& contact, core::Millis now_ms) {
  return write_contact(tx, id, contact, now_ms);
}

core::Status People::remove_contact(db::Transaction& tx, const PersonId& id, ContactKind kind) {
  const auto person = find_person(tx, id);
  if (!person || person->erased_ms) return not_found(id);
  const auto count = tx.find<std::int64_t>("SELECT COUNT(*) FROM contact WHERE person = $1", bytes(id));
  const bool has = tx.find<std::int64_t>("SELECT 1 FROM contact WHERE person = $1 AND kind = $2", bytes(id), name(kind)).has_value();
  if (!has)
    return Error{ErrorCode::not_found, "contact.none", fmt::format("there is no {} to remove", name(kind)),
                 "look which contacts there are"};
  if (*count == 1)
    return Error{ErrorCode::conflict, "contact.last",
                 fmt::format("the {} is the last contact, and without one nobody can log in", name(kind)),
                 "add another contact first, or have the account erased"};
  tx.exec("DELETE FROM contact WHERE person = $1 AND kind = $2", bytes(id), name(kind));
  return core::Done{};
}

core::Result<Link> People::link(db::Transaction& tx, const PersonId& id, std::string_view text, core::Millis now_ms) {
  const auto pseudonym = parse_pseudonym(text);
  if (!pseudonym)
    return Error{ErrorCode::invalid_input, "pseudonym.bad-text", "this is not a pseudonym",
                 "send it as it was made: o or h, a version, a dot, 43 characters"};
  const auto person = find_person(tx, id);
  if (!person || person->erased_ms) return not_found(id);
  const Link link{secret_.person(text), pseudonym->strength, pseudonym->version, now_ms};
  if (auto status = write_link(tx, id, link.key, *pseudonym, now_ms); !status) return status.error();
  return link;
}

core::Result<std::vector<Contact>> People::contacts(db::Reader& reader, const PersonId& id) const {
  const auto key = key_of_person(reader, id);
  if (!key) return key.error();
  std::vector<Contact> all;
  for (const auto& [kind_text, sealed, verified_ms] : reader.query<std::string, std::string, std::int64_t>(
           "SELECT kind, sealed, verified_ms FROM contact WHERE person = $1 ORDER BY kind", bytes(id))) {
    const ContactKind kind = *kind_of(kind_text);
    const std::string row = contact_row(id, kind);
    auto value = unseal(*key, {"contact", "sealed", row}, sealed);
    if (!value) return value.error();
    all.push_back({kind, *std::move(value), verified_ms});
  }
  return all;
}

core::Result<std::int64_t> People::erase(db::Transaction& tx, const PersonId& id, core::Millis now_ms) {
  const auto person = find_person(tx, id);
  if (!person || person->erased_ms) return not_found(id);
  tx.exec("UPDATE person SET wrapped_key = NULL, erased_ms = $2 WHERE id = $1", bytes(id), now_ms);
  tx.exec("DELETE FROM one_time_code WHERE lookup IN (SELECT lookup FROM contact WHERE person = $1)", bytes(id));
  tx.exec("DELETE FROM contact WHERE person = $1", bytes(id));
  for (const Link& link : person->links) tx.exec("INSERT INTO erased_pseudonym (key, erased_ms) VALUES ($1, $2)", link.key, now_ms);
  return tx.exec("DELETE FROM person_pseudonym WHERE person = $1", bytes(id));
}

}  // namespace tanhui::identity
