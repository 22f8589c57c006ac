#include "service/ocpi.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>

#include "core/json.h"
#include "service/subject_claims.h"

namespace tanhui::service {
namespace {

using activity::BadField;
using activity::FieldReader;

constexpr std::size_t kRolesMax = 100, kTokenMax = 64;
constexpr std::array kOcpiRoles{"CPO", "EMSP", "HUB", "NAP", "NSP", "OTHER", "SCSP"};

core::Error ocpi_error(core::ErrorCode code, std::string_view id, std::string message, std::string action) {
  return {code, std::string(id), std::move(message), std::move(action)};
}

std::string base64url(std::span<const std::uint8_t> bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  text.resize(text.size() - 1);
  return text;
}

std::string new_token(const Random& random) {
  std::array<std::uint8_t, 32> secret{};
  random(secret);
  std::string token = base64url(secret);
  sodium_memzero(secret.data(), secret.size());
  return token;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes(text.size(), '\0');
  std::size_t size = 0;
  for (const int variant : {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING}) {
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(), text.size(), nullptr, &size, nullptr,
                          variant) == 0)
      return bytes.substr(0, size);
  }
  return std::nullopt;
}

struct OcpiRole {
  std::string country_code, party_id, role, name;
};
struct Credentials {
  std::string url;
  std::vector<OcpiRole> roles;
};

core::Result<Credentials> read_credentials(std::string_view body) {
  const auto tree = core::parse_json_tree(body);
  if (!tree) return tree.error();
  try {
    const FieldReader fields(*tree, "", "ocpi");
    if (!activity::ci_string(fields.text("token", kTokenMax), kTokenMax))
      fields.fail("token", "holds other characters than printable ASCII");
    Credentials read{fields.text("url", 255), {}};
    const core::JsonTree& roles = fields.list("roles");
    if (roles.items.empty() || roles.items.size() > kRolesMax)
      fields.fail("roles", fmt::format("has {} elements; 1 to {} are taken", roles.items.size(), kRolesMax));
    for (std::size_t i = 0; i < roles.items.size(); ++i) {
      const FieldReader role = fields.element(roles, "roles", i);
      OcpiRole one{*activity::ci_string(role.text("country_code", 2), 2), *activity::ci_string(role.text("party_id", 3), 3),
                   role.text("role", 10), role.object("business_details").text("name", 400)};
      if (one.country_code.size() != 2) role.fail("country_code", "is not a code of two letters");
      if (std::find(kOcpiRoles.begin(), kOcpiRoles.end(), one.role) == kOcpiRoles.end())
        role.fail("role", fmt::format("'{}' is no role", one.role));
      read.roles.push_back(std::move(one));
    }
    return read;
  } catch (const BadField& bad) {
    return bad.error;
  } catch (const std::bad_optional_access&) {
    return activity::field_error("ocpi.bad-field", "roles", "holds other characters than printable ASCII");
  }
}

// Only who registered as the operator, or as a hub that passes on what operators send, brings CDRs.
bool speaks_for(db::Reader& reader, const OcpiParty& party, const activity::OcpiCdr& cdr) {
  return reader
             .find<std::int64_t>(
                 "SELECT count(*) FROM ocpi_role WHERE party = $1 AND (role = 'HUB' OR (role = 'CPO' AND country_code = $2 "
                 "AND party_id = $3))",
                 party.id, cdr.country_code, cdr.party_id)
             .value_or(0) > 0;
}

}  // namespace

core::Result<OcpiInvitation> invite_ocpi_party(db::Transaction& tx, const identity::Programme& programme, std::string_view source,
                                               core::Millis now_ms, const Random& random) {
  if (programme.find_source(source) == nullptr)
    return core::Error{core::ErrorCode::not_found,
                       "source.unknown",
                       fmt::format("programme {} has no source '{}'", programme.id, source),
                       "name one of the programme's sources",
                       {{"programme", programme.id}, {"source", std::string(source)}}};
  std::array<std::uint8_t, 12> id{};
  random(id);
  OcpiInvitation made{"ocpi-" + base64url(id), new_token(random)};
  tx.exec(
      "INSERT INTO ocpi_party (id, programme, source, token, state, url, created_ms, registered_ms) VALUES ($1, $2, $3, $4, 'invited', '', "
      "$5, NULL)",
      made.id, programme.id, source, core::sha256(made.token), now_ms);
  return made;
}

core::Status revoke_ocpi_party(db::Transaction& tx, std::string_view id) {
  if (tx.exec("UPDATE ocpi_party SET state = 'revoked' WHERE id = $1", id) == 0)
    return ocpi_error(core::ErrorCode::not_found, "ocpi.unknown-party", fmt::format("there is no OCPI party '{}'", id.substr(0, 80)),
                      "tanhui ocpi list shows them");
  return core::Done{};
}

std::vector<OcpiParty> list_ocpi_parties(db::Reader& reader) {
  std::vector<OcpiParty> parties;
  for (const auto& [id, programme, source, state, url, created] :
       reader.query<std::string, std::string, std::string, std::string, std::string, std::int64_t>(
           "SELECT id, programme, source, state, url, created_ms FROM ocpi_party ORDER BY created_ms, id"))
    parties.push_back({id, programme, source, state == "registered", url, created, state == "revoked"});
  return parties;
}

std::optional<std::string> ocpi_token(std::string_view authorization) {
  constexpr std::string_view scheme = "Token ";
  if (!authorization.starts_with(scheme)) return std::nullopt;
  const std::string_view sent = authorization.substr(scheme.size());
  const auto decoded = from_base64(sent);
  const bool text = decoded && activity::ci_string(*decoded, kTokenMax).has_value();
  return text ? *decoded : std::string(sent);
}

std::optional<OcpiParty> ocpi_party_of(db::Reader& reader, std::string_view authorization) {
  constexpr std::string_view scheme = "Token ";
  if (!authorization.starts_with(scheme)) return std::nullopt;
  const std::string_view sent = authorization.substr(scheme.size());
  if (sent.empty() || sent.size() > 2 * kTokenMax) return std::nullopt;
  // What is looked up is the digest of 256 random bits: that the index compares it byte by byte tells nothing.
  for (const auto& token : {from_base64(sent), std::optional(std::string(sent))}) {
    if (!token) continue;
    const auto row = reader.find<std::string, std::string, std::string, std::string, std::string, std::int64_t>(
        "SELECT id, programme, source, state, url, created_ms FROM ocpi_party WHERE token = $1 AND state <> 'revoked'",
        core::sha256(*token));
    if (!row) continue;
    const auto& [id, programme, source, state, url, created] = *row;
    return OcpiParty{id, programme, source, state == "registered", url, created};
  }
  return std::nullopt;
}

std::string ocpi_envelope(OcpiStatus status, std::string_view message, std::string_view data, core::Millis now_ms) {
  std::string body = "{";
  if (!data.empty()) body += fmt::format("\"data\":{},", data);
  body += fmt::format("\"status_code\":{},", int(status));
  if (!message.empty()) body += fmt::format("\"status_message\":{},", boost::json::serialize(boost::json::string(message)));
  return body + fmt::format("\"timestamp\":\"{}\"}}", activity::ocpi_time(now_ms));
}

std::string ocpi_versions(const OcpiSelf& self) {
  return boost::json::serialize(boost::json::array{{{"version", "2.2.1"}, {"url", self.base_url + "/2.2.1"}}});
}

std::string ocpi_version_details(const OcpiSelf& self) {
  return boost::json::serialize(boost::json::object{
      {"version", "2.2.1"},
      {"endpoints",
       boost::json::array{
           boost::json::object{{"identifier", "credentials"}, {"role", "RECEIVER"}, {"url", self.base_url + "/2.2.1/credentials"}},
           boost::json::object{{"identifier", "cdrs"}, {"role", "RECEIVER"}, {"url", self.base_url + "/emsp/2.2.1/cdrs"}}}}});
}

std::string ocpi_credentials(const OcpiSelf& self, std::string_view token) {
  return boost::json::serialize(
      boost::json::object{{"token", token},
                          {"url", self.base_url + "/versions"},
                          {"roles", boost::json::array{boost::json::object{{"role", "EMSP"},
                                                                           {"business_details", boost::json::object{{"name", self.name}}},
                                                                           {"party_id", self.party_id},
                                                                           {"country_code", self.country_code}}}}});
}

core::Result<std::string> register_ocpi_party(db::Transaction& tx, const OcpiParty& party, std::string_view body, bool first,
                                              core::Millis now_ms, const Random& random) {
  if (first && party.registered)
    return ocpi_error(core::ErrorCode::conflict, "ocpi.registered", "the party is registered already", "change it by PUT");
  if (!first && !party.registered)
    return ocpi_error(core::ErrorCode::conflict, "ocpi.not-registered", "the party is not registered", "register by POST");
  const auto read = read_credentials(body);
  if (!read) return read.error();
  std::string token = new_token(random);
  tx.exec("UPDATE ocpi_party SET token = $2, state = 'registered', url = $3, registered_ms = $4 WHERE id = $1", party.id,
          core::sha256(token), read->url, now_ms);
  tx.exec("DELETE FROM ocpi_role WHERE party = $1", party.id);
  for (const OcpiRole& role : read->roles)
    tx.exec("INSERT INTO ocpi_role (party, country_code, party_id, role, name) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            party.id, role.country_code, role.party_id, role.role, role.name);
  return token;
}

core::Result<ReceivedCdr> receive_cdr(db::Transaction& tx, const core::KeySecret& secret, const OcpiParty& party, std::string_view body,
                                      core::Millis now_ms) {
  if (!party.registered)
    return ocpi_error(core::ErrorCode::refused, "ocpi.not-registered", "the party is not registered", "POST its credentials first");
  auto read = activity::read_cdr(body);
  if (!read) return read.error();
  const activity::OcpiCdr& cdr = *read;
  if (!speaks_for(tx, party, cdr))
    return ocpi_error(core::ErrorCode::refused, "ocpi.not-yours",
                      fmt::format("party_id: {}*{} is no operator that these credentials name", cdr.country_code, cdr.party_id),
                      "name it in the roles of your credentials");
  const std::string document = core::canonical_json(cdr.document);
  const core::Digest digest = core::sha256(document + core::to_hex(secret.person(cdr.subject)));
  const core::Digest place = core::sha256(party.id + "/" + cdr.event());
  ReceivedCdr received{activity::charge_record(cdr, claims_of(tx, secret, party.programme, party.source)),
                       core::to_hex(std::span(place).first(16)), false};
  activity::ForeignRecord& record = received.record;
  if (!record.person) record.person = secret.person(cdr.subject);
  // Whom the unwound CDR was credited to, whatever the credit CDR or a later claim says.
  if (cdr.credits) {
    const auto original = tx.find<core::PersonKey, std::string, std::int64_t, std::int64_t, std::int64_t>(
        "SELECT person, object, start_ms, end_ms, energy_wh FROM ocpi_cdr WHERE party = $1 AND event = $2", party.id, record.event);
    if (original) std::tie(record.person, record.object, record.start_ms, record.end_ms, record.quantity) = *original;
  } else if (!cdr.evse_id.empty()) {
    // The charge that was first on this EVSE at that time, else this one.
    record.object = tx.find<std::string>(
                          "SELECT object FROM ocpi_cdr WHERE programme = $1 AND evse = $2 AND end_ms > $3 AND start_ms < $4 AND "
                          "event <> $5 ORDER BY start_ms, event LIMIT 1",
                          party.programme, cdr.evse_id, cdr.start_ms, cdr.end_ms, cdr.event())
                        .value_or(cdr.event());
  }
  if (const auto known = tx.find<core::Digest, core::PersonKey, std::string>(
          "SELECT digest, person, object FROM ocpi_cdr WHERE party = $1 AND event = $2", party.id, cdr.event())) {
    const auto& [before, person, object] = *known;
    if (before != digest)
      return ocpi_error(core::ErrorCode::conflict, "ocpi.changed-cdr",
                        fmt::format("id: CDR {} was sent before with other contents", cdr.id),
                        "send a credit CDR that names it, then a CDR with another id");
    record.person = person;
    record.object = object;
    received.known = true;
    return received;
  }
  // A credit CDR occupies no time on its EVSE.
  tx.exec(
      "INSERT INTO ocpi_cdr (location, party, programme, event, digest, person, evse, object, start_ms, end_ms, energy_wh, received_ms, "
      "document) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
      received.location, party.id, party.programme, cdr.event(), digest, *record.person, cdr.credits ? std::string() : cdr.evse_id,
      record.object, cdr.start_ms, cdr.end_ms, cdr.energy_wh, now_ms, document);
  return received;
}

std::optional<std::string> pushed_cdr(db::Reader& reader, const OcpiParty& party, std::string_view location) {
  return reader.find<std::string>("SELECT document FROM ocpi_cdr WHERE party = $1 AND location = $2", party.id, location);
}

}  // namespace tanhui::service
