// identity/rights.h: who may do what. One table, role by action (kRights in rights.cc), is all there is: the server asks it, and
// docs/rights.md is written from it (`tanhui staff rights`). What the table does not allow is refused.
//
// A member of staff has roles, each somewhere: in the instance, in a programme or in an organisation. A cell of the table says how far the
// role reaches from there:
//
//   own       the programme itself and its organisations; for a role in an organisation that organisation alone
//   below     and every programme below it in the tree
//   anywhere  the whole instance; only a role in the instance has that
//
// A programme below another is a tenant of its own: only a cell that says `below` crosses into it, and nothing ever goes up or sideways.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/edit.h"

namespace tanhui::identity {

enum class Role : std::uint8_t {
  administrator,
  operator_of_programme,
  reviewer,
  auditor,
  regulator,
  enterprise_admin,
  merchant_clerk,
  partner
};
constexpr std::size_t kRoles = 8;
enum class Where : std::uint8_t { instance, programme, organisation };
std::string_view name(Role role);  // "operator", "merchant-clerk"
std::optional<Role> find_role(std::string_view name);
Where where(Role role);

enum class Action : std::uint8_t {
  programme_read,
  programme_create,  // below the programme that is asked about
  programme_settings,
  programme_state,
  organisation_read,
  organisation_write,
  staff_read,
  staff_write,  // accounts, at the instance
  member_administrator,
  member_programme,
  member_organisation,
  partner_key_read,
  partner_key_write,
  records_read,
  records_import,
  records_review,
  people_read,
  people_contact,
  people_erase,
  statistics_read,
  coupon_redeem,
  proposal_read,
  proposal_make,
  proposal_decide,
  trail_read,
  log_key,
};
constexpr std::size_t kActions = 26;
std::string_view name(Action action);  // "programme.settings"
std::string_view says(Action action);  // what it lets one do, in words
std::optional<Action> find_action(std::string_view name);

enum class Reach : std::uint8_t { none, own, below, anywhere };
Reach reach(Role role, Action action);

/// The table as docs/rights.md has it.
std::string rights_as_markdown();

// ---- memberships ------------------------------------------------------------------------------------------------------------------

struct Membership {
  std::string id, staff;
  Role role = Role::auditor;
  std::string programme, organisation;  // where, by the role: neither, the first or the second
  core::Millis created_ms = 0;
};

/// Errors: not_found membership.not-found.
core::Result<Membership> find_membership(db::Reader& reader, std::string_view id);
/// By id. Nobody whose account is disabled has one.
std::vector<Membership> memberships_of(db::Reader& reader, std::string_view staff);
/// In a programme and its organisations, or in an organisation alone; both empty: in the instance.
std::vector<Membership> members_of(db::Reader& reader, std::string_view programme, std::string_view organisation);

/// `place`: id of the programme or organisation, empty for a role in the instance. Again is harmless and gives the one that is there.
/// Errors: staff.not-found, programme.not-found, organisation.not-found, membership.no-place.
core::Result<Membership> add_member(db::Transaction& tx, const By& by, std::string_view staff, Role role, std::string_view place);
/// Errors: not_found membership.not-found; refused membership.last-administrator.
core::Status remove_member(db::Transaction& tx, const By& by, std::string_view membership);
/// What somebody must be allowed who gives or takes away the role.
Action action_to_grant(Role role);

// ---- the question -----------------------------------------------------------------------------------------------------------------

/// What is acted on: an organisation (then its programme is known), a programme, or with neither the instance.
struct Target {
  std::string programme = {}, organisation = {};
};
/// Where it stands: its programme and those above it, the nearest first; none for the instance.
struct Place {
  std::vector<std::string> line = {};
  std::string organisation = {};
};
/// Pure: the table over memberships.
bool allows(std::span<const Membership> memberships, Action action, const Place& place);

/// Errors: programme.not-found, organisation.not-found.
core::Result<Place> place_of(db::Reader& reader, const Target& target);
/// Errors: refused rights.refused (the action and the roles that may), and those of place_of.
core::Status may(db::Reader& reader, std::string_view staff, Action action, const Target& target);

}  // namespace tanhui::identity
