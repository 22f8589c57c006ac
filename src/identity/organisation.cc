#include "identity/organisation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "core/invariant.h"
#include "core/text.h"
#include "identity/programmes.h"
#include "identity/trail.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
constexpr std::array<std::string_view, 8> kKinds{"enterprise", "merchant",        "partner", "project-owner",
                                                 "verifier",   "exchange-member", "bank",    "regulator"};
constexpr std::array<std::string_view, 3> kStates{"active", "suspended", "closed"};
constexpr std::size_t kNameBytesMax = 200, kCodeLength = 18;
constexpr std::string_view kCodeLetters = "0123456789ABCDEFGHJKLMNPQRTUWXY";  // in the order of their values, 0 to 30

template <class Enum, std::size_t N>
std::optional<Enum> find_in(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? std::nullopt : std::optional(Enum(found - names.begin()));
}

Error bad_code(std::string_view code, std::string_view why) {
  return {ErrorCode::invalid_input,
          "organisation.bad-credit-code",
          fmt::format("'{}' is not a unified social credit code: {}", code, why),
          "copy the 18 characters from the licence",
          {{"code", std::string(code)}}};
}

core::Status check_details(const OrganisationDetails& details) {
  for (const std::string* text : {&details.name.en, &details.name.zh})
    if (text->empty() || text->size() > kNameBytesMax || !core::is_utf8(*text))
      return Error{ErrorCode::invalid_input,
                   "organisation.bad-name",
                   fmt::format("a name of {} bytes cannot be kept", text->size()),
                   fmt::format("give the name in English and in Chinese, 1 to {} bytes of UTF-8 each", kNameBytesMax),
                   {{"bytes", std::to_string(text->size())}}};
  if (details.kinds.empty())
    return Error{ErrorCode::invalid_input,
                 "organisation.no-kind",
                 "the organisation is of no kind",
                 fmt::format("name one or more of {}", fmt::join(kKinds, ", ")),
                 {}};
  return details.credit_code.empty() ? core::Status(core::Done{}) : check_credit_code(details.credit_code);
}

core::Status check_code_is_free(db::Reader& reader, std::string_view id, std::string_view programme, const OrganisationDetails& details) {
  if (details.credit_code.empty()) return core::Done{};
  const auto other = reader.find<std::string>("SELECT id FROM organisation WHERE programme = $1 AND credit_code = $2 AND id <> $3",
                                              programme, details.credit_code, id);
  if (!other) return core::Done{};
  return Error{ErrorCode::conflict,
               "organisation.same-credit-code",
               fmt::format("'{}' has the unified social credit code {} already", *other, details.credit_code),
               "use that organisation; one company is one organisation of a programme",
               {{"organisation", *other}, {"code", details.credit_code}}};
}

std::optional<std::string_view> or_null(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

void store_kinds(db::Transaction& tx, std::string_view id, const std::set<OrganisationKind>& kinds) {
  tx.exec("DELETE FROM organisation_kind WHERE organisation = $1", id);
  for (const OrganisationKind kind : kinds) tx.exec("INSERT INTO organisation_kind (organisation, kind) VALUES ($1, $2)", id, name(kind));
}

/// What the trail takes the digest of.
std::string described(const OrganisationDetails& details) {
  std::vector<std::string_view> kinds;
  for (const OrganisationKind kind : details.kinds) kinds.push_back(name(kind));
  return fmt::format("{}\n{}\n{}\n{}\n{}", details.name.en, details.name.zh, fmt::join(kinds, ","), details.credit_code,
                     name(details.state));
}

Organisation organisation_of(const db::Row& row) {
  Organisation one;
  one.id = row.get<std::string>(0);
  one.programme = row.get<std::string>(1);
  one.details.name = {row.get<std::string>(2), row.get<std::string>(3)};
  one.details.credit_code = db::read_column<std::optional<std::string>>(row, 4).value_or("");
  const auto state = find_organisation_state(row.text(5));
  core::invariant(state.has_value(), "a stored state is one of the three");
  one.details.state = *state;
  one.version = row.integer(6);
  one.created_ms = row.integer(7);
  return one;
}

void read_kinds(db::Reader& reader, Organisation& organisation) {
  for (const auto& [kind] : reader.query<std::string>("SELECT kind FROM organisation_kind WHERE organisation = $1", organisation.id)) {
    const auto found = find_organisation_kind(kind);
    core::invariant(found.has_value(), "a stored kind is one of the eight");
    organisation.details.kinds.insert(*found);
  }
}

constexpr std::string_view kColumns = "id, programme, name_en, name_zh, credit_code, state, version, created_ms";

}  // namespace

std::string_view name(OrganisationKind kind) { return kKinds[std::size_t(kind)]; }
std::optional<OrganisationKind> find_organisation_kind(std::string_view name) { return find_in<OrganisationKind>(kKinds, name); }
std::string_view name(OrganisationState state) { return kStates[std::size_t(state)]; }
std::optional<OrganisationState> find_organisation_state(std::string_view name) { return find_in<OrganisationState>(kStates, name); }

core::Status check_credit_code(std::string_view code) {
  if (code.size() != kCodeLength) return bad_code(code, fmt::format("it has {} characters, not {}", code.size(), kCodeLength));
  unsigned sum = 0, weight = 1;
  for (const char c : code.substr(0, kCodeLength - 1)) {
    const std::size_t value = kCodeLetters.find(c);
    if (value == std::string_view::npos) return bad_code(code, fmt::format("it has the character '{}'", c));
    sum += unsigned(value) * weight;
    weight = weight * 3 % 31;
  }
  const char check = kCodeLetters[(31 - sum % 31) % 31];
  if (code.back() != check) return bad_code(code, fmt::format("its last character would have to be {}", check));
  return core::Done{};
}

core::Result<Organisation> find_organisation(db::Reader& reader, std::string_view id) {
  std::optional<Organisation> found;
  reader.each(
      fmt::format("SELECT {} FROM organisation WHERE id = $1", kColumns), [&](const db::Row& row) { found = organisation_of(row); }, id);
  if (!found)
    return Error{ErrorCode::not_found,
                 "organisation.not-found",
                 fmt::format("there is no organisation '{}'", id),
                 "check the id",
                 {{"organisation", std::string(id)}}};
  read_kinds(reader, *found);
  return *std::move(found);
}

std::vector<Organisation> organisations(db::Reader& reader, std::string_view programme, std::string_view after_id, std::size_t limit) {
  std::vector<Organisation> all;
  reader.each(
      fmt::format("SELECT {} FROM organisation WHERE (programme = $1 OR $1 = '') AND id > $2 ORDER BY id LIMIT $3", kColumns),
      [&](const db::Row& row) { all.push_back(organisation_of(row)); }, programme, after_id, std::int64_t(limit));
  for (Organisation& one : all) read_kinds(reader, one);
  return all;
}

core::Result<Organisation> create_organisation(db::Transaction& tx, const By& by, std::string_view id, std::string_view programme,
                                               const OrganisationDetails& details) {
  if (!is_id(id))
    return Error{ErrorCode::invalid_input,
                 "organisation.bad-id",
                 fmt::format("'{}' is not an id", id),
                 "an id is 1 to 60 of a-z, 0-9, - and .",
                 {{"organisation", std::string(id)}}};
  if (auto status = check_details(details); !status) return status.error();
  if (const auto there = stored_programme(tx, programme, by.at_ms); !there) return there.error();
  if (find_organisation(tx, id))
    return Error{ErrorCode::conflict,
                 "organisation.exists",
                 fmt::format("there is an organisation '{}' already", id),
                 "choose another id, or change that one",
                 {{"organisation", std::string(id)}}};
  if (auto free = check_code_is_free(tx, id, programme, details); !free) return free.error();
  tx.exec(
      "INSERT INTO organisation (id, programme, name_en, name_zh, credit_code, state, version, created_ms) "
      "VALUES ($1, $2, $3, $4, $5, $6, 1, $7)",
      id, programme, details.name.en, details.name.zh, or_null(details.credit_code), name(details.state), by.at_ms);
  store_kinds(tx, id, details.kinds);
  record_action(tx, by, "organisation.create", programme, id, "", described(details));
  return find_organisation(tx, id);
}

core::Result<Organisation> change_organisation(db::Transaction& tx, const By& by, std::string_view id, const OrganisationDetails& details,
                                               const Expected& expected) {
  const auto stored = find_organisation(tx, id);
  if (!stored) return stored.error();
  if (auto version = check_version("organisation", id, stored->version, expected); !version) return version.error();
  if (auto status = check_details(details); !status) return status.error();
  if (stored->details.state == OrganisationState::closed)
    return Error{ErrorCode::refused,
                 "organisation.closed",
                 fmt::format("'{}' is closed and stays as it is", id),
                 "create another organisation",
                 {{"organisation", std::string(id)}}};
  if (auto free = check_code_is_free(tx, id, stored->programme, details); !free) return free.error();
  tx.exec("UPDATE organisation SET name_en = $2, name_zh = $3, credit_code = $4, state = $5, version = version + 1 WHERE id = $1", id,
          details.name.en, details.name.zh, or_null(details.credit_code), name(details.state));
  store_kinds(tx, id, details.kinds);
  record_action(tx, by, "organisation.change", stored->programme, id, described(stored->details), described(details));
  return find_organisation(tx, id);
}

}  // namespace tanhui::identity
