// identity/organisation.h: companies, merchants, partners and authorities, each at home in one programme.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/edit.h"
#include "identity/programme.h"

namespace tanhui::identity {

enum class OrganisationKind : std::uint8_t { enterprise, merchant, partner, project_owner, verifier, exchange_member, bank, regulator };
std::string_view name(OrganisationKind kind);  // "project-owner"
std::optional<OrganisationKind> find_organisation_kind(std::string_view name);

enum class OrganisationState : std::uint8_t { active, suspended, closed };
std::string_view name(OrganisationState state);
std::optional<OrganisationState> find_organisation_state(std::string_view name);

/// What an organisation says of itself; a change gives all of it.
struct OrganisationDetails {
  Text name = {};
  std::set<OrganisationKind> kinds = {};  // one at least
  std::string credit_code = {};           // unified social credit code; empty: none
  OrganisationState state = OrganisationState::active;
};
struct Organisation {
  std::string id, programme;
  OrganisationDetails details = {};
  std::int64_t version = 0;
  core::Millis created_ms = 0;
};

/// Unified social credit code of GB 32100: 18 of 0-9 and capitals without I, O, S, V, Z, the last one a check character.
/// Errors: organisation.bad-credit-code, with the check character that would be right.
core::Status check_credit_code(std::string_view code);

/// Errors: not_found organisation.not-found.
core::Result<Organisation> find_organisation(db::Reader& reader, std::string_view id);
/// By id, after `after_id`; `programme` empty: of all.
std::vector<Organisation> organisations(db::Reader& reader, std::string_view programme, std::string_view after_id, std::size_t limit);

/// Errors: organisation.bad-id, organisation.bad-name, organisation.no-kind, organisation.bad-credit-code, conflict organisation.exists,
/// organisation.same-credit-code (within a programme), programme.not-found.
core::Result<Organisation> create_organisation(db::Transaction& tx, const By& by, std::string_view id, std::string_view programme,
                                               const OrganisationDetails& details);
/// Closed is for good. Errors: as above, organisation.not-found, edit.conflict, organisation.closed.
core::Result<Organisation> change_organisation(db::Transaction& tx, const By& by, std::string_view id, const OrganisationDetails& details,
                                               const Expected& expected = {});

}  // namespace tanhui::identity
