#include "identity/rights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "core/invariant.h"
#include "identity/organisation.h"
#include "identity/programmes.h"
#include "identity/trail.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;

struct RoleRow {
  std::string_view name;
  Where where;
  std::string_view says;
};
constexpr std::array<RoleRow, kRoles> kRoleRows{{
    {"administrator", Where::instance, "runs the installation: accounts of staff, programmes without a parent, the log's key"},
    {"operator", Where::programme, "runs a programme from day to day"},
    {"reviewer", Where::programme, "judges what is held, and decides what an operator proposes"},
    {"auditor", Where::programme, "reads everything of a programme and changes nothing"},
    {"regulator", Where::programme, "reads a programme and everything below it in the tree"},
    {"enterprise-admin", Where::organisation, "runs an organisation: its members, its figures"},
    {"merchant-clerk", Where::organisation, "takes coupons at a merchant's counter"},
    {"partner", Where::organisation, "connects a partner that sends records: its keys"},
}};

struct Right {
  std::string_view name, says;
  std::array<Reach, kRoles> reach;  // in the order of the roles
};
constexpr Reach NO = Reach::none, OWN = Reach::own, BELOW = Reach::below, ANY = Reach::anywhere;
// The table. A new action gets a row here and nothing elsewhere; rights_test.cc tries every cell.
constexpr std::array<Right, kActions> kRights{{
    //                                                                            admin. oper.  review audit  regul. enterp clerk partner
    {"programme.read", "see a programme that is not public, its settings and states", {ANY, OWN, OWN, OWN, BELOW, NO, NO, NO}},
    {"programme.create", "create a programme below", {ANY, OWN, NO, NO, NO, NO, NO, NO}},
    {"programme.settings", "change a programme's settings", {NO, OWN, NO, NO, NO, NO, NO, NO}},
    {"programme.state", "stage, open, pause and close a programme", {NO, OWN, NO, NO, NO, NO, NO, NO}},
    {"organisation.read", "see an organisation", {ANY, OWN, OWN, OWN, BELOW, OWN, OWN, OWN}},
    {"organisation.write", "create and change organisations", {NO, OWN, NO, NO, NO, NO, NO, NO}},
    {"staff.read", "see who is staff and in which roles", {ANY, OWN, NO, OWN, NO, OWN, NO, NO}},
    {"staff.write", "create, disable and reset accounts of staff", {ANY, NO, NO, NO, NO, NO, NO, NO}},
    {"member.administrator", "make administrators and regulators, and end that", {ANY, NO, NO, NO, NO, NO, NO, NO}},
    {"member.programme", "give and take roles in a programme", {ANY, OWN, NO, NO, NO, NO, NO, NO}},
    {"member.organisation", "give and take roles in an organisation", {ANY, OWN, NO, NO, NO, OWN, NO, NO}},
    {"partner-key.read", "see which keys a partner has", {NO, OWN, NO, OWN, NO, NO, NO, OWN}},
    {"partner-key.write", "make and revoke keys of a partner", {NO, OWN, NO, NO, NO, NO, NO, OWN}},
    {"records.read", "see activity records by pseudonym", {NO, OWN, OWN, OWN, BELOW, NO, NO, NO}},
    {"records.import", "import files of records", {NO, OWN, NO, NO, NO, NO, NO, NO}},
    {"records.review", "decide about records that are held", {NO, NO, OWN, NO, NO, NO, NO, NO}},
    {"people.read", "see a person's account without contact data", {NO, OWN, OWN, OWN, NO, NO, NO, NO}},
    {"people.contact", "see a person's contact data; the person sees that it was seen", {NO, OWN, NO, NO, NO, NO, NO, NO}},
    {"people.erase", "carry out a person's wish to be erased", {NO, OWN, NO, NO, NO, NO, NO, NO}},
    {"statistics.read", "see figures that name nobody", {NO, OWN, OWN, OWN, BELOW, OWN, NO, NO}},
    {"coupon.redeem", "redeem a coupon at the merchant", {NO, NO, NO, NO, NO, NO, OWN, NO}},
    {"proposal.read", "see proposals and decisions", {NO, OWN, OWN, OWN, BELOW, NO, NO, NO}},
    {"proposal.make", "propose what needs a second pair of eyes", {NO, OWN, NO, NO, NO, NO, NO, NO}},
    {"proposal.decide", "approve or reject somebody else's proposal", {NO, OWN, OWN, NO, NO, NO, NO, NO}},
    {"trail.read", "read what staff did", {ANY, NO, NO, OWN, BELOW, NO, NO, NO}},
    {"log.key", "change the key that signs the log", {ANY, NO, NO, NO, NO, NO, NO, NO}},
}};

constexpr std::string_view name(Reach reach) {
  constexpr std::string_view names[] = {"", "own", "below", "anywhere"};
  return names[std::size_t(reach)];
}

std::string_view name(Where where) {
  constexpr std::string_view names[] = {"the instance", "a programme", "an organisation"};
  return names[std::size_t(where)];
}

bool reaches(const Membership& membership, Action action, const Place& place) {
  const Reach far = reach(membership.role, action);
  switch (where(membership.role)) {
    case Where::instance:
      return far == Reach::anywhere;
    case Where::programme: {
      const auto at = std::find(place.line.begin(), place.line.end(), membership.programme);
      return at != place.line.end() && (far == Reach::below || (far == Reach::own && at == place.line.begin()));
    }
    case Where::organisation:
      return far == Reach::own && !place.organisation.empty() && membership.organisation == place.organisation;
  }
  return false;
}

Membership membership_of(const db::Row& row) {
  const auto role = find_role(row.text(2));
  core::invariant(role.has_value(), "a stored role is one of the table");
  return {row.get<std::string>(0),
          row.get<std::string>(1),
          *role,
          db::read_column<std::optional<std::string>>(row, 3).value_or(""),
          db::read_column<std::optional<std::string>>(row, 4).value_or(""),
          row.integer(5)};
}

constexpr std::string_view kSelect = "SELECT m.id, m.staff, m.role, m.programme, m.organisation, m.created_ms FROM membership m ";

/// Under which programme the trail keeps it.
std::string programme_of(db::Reader& reader, const Membership& membership) {
  if (membership.organisation.empty()) return membership.programme;
  const auto organisation = find_organisation(reader, membership.organisation);
  return organisation ? organisation->programme : "";
}

std::string described(const Membership& membership) {
  return fmt::format("{} {} {} {}", membership.staff, name(membership.role), membership.programme, membership.organisation);
}

}  // namespace

std::string_view name(Role role) { return kRoleRows[std::size_t(role)].name; }
Where where(Role role) { return kRoleRows[std::size_t(role)].where; }
std::optional<Role> find_role(std::string_view name) {
  const auto found = std::find_if(kRoleRows.begin(), kRoleRows.end(), [&](const RoleRow& row) { return row.name == name; });
  return found == kRoleRows.end() ? std::nullopt : std::optional(Role(found - kRoleRows.begin()));
}
std::string_view name(Action action) { return kRights[std::size_t(action)].name; }
std::string_view says(Action action) { return kRights[std::size_t(action)].says; }
std::optional<Action> find_action(std::string_view name) {
  const auto found = std::find_if(kRights.begin(), kRights.end(), [&](const Right& right) { return right.name == name; });
  return found == kRights.end() ? std::nullopt : std::optional(Action(found - kRights.begin()));
}
Reach reach(Role role, Action action) { return kRights[std::size_t(action)].reach[std::size_t(role)]; }

std::string rights_as_markdown() {
  std::string text =
      "# Who may do what\n\n"
      "Written by `tanhui staff rights` from the table that the program itself asks (`src/identity/rights.cc`).\n\n"
      "A role is held in the instance, in a programme or in an organisation. `own` reaches that programme with its organisations, or that\n"
      "organisation alone; `below` also every programme below it in the tree; `anywhere` the whole instance. What is empty is refused.\n\n"
      "| role | held in | what for |\n|---|---|---|\n";
  for (const RoleRow& row : kRoleRows) text += fmt::format("| {} | {} | {} |\n", row.name, name(row.where), row.says);
  text += "\n| action | lets one |";
  for (const RoleRow& row : kRoleRows) text += fmt::format(" {} |", row.name);
  text += "\n|---|---|";
  for (std::size_t i = 0; i < kRoles; ++i) text += "---|";
  for (const Right& right : kRights) {
    text += fmt::format("\n| `{}` | {} |", right.name, right.says);
    for (const Reach far : right.reach) text += fmt::format(" {} |", name(far));
  }
  return text + "\n";
}

// ---- memberships ------------------------------------------------------------------------------------------------------------------

std::vector<Membership> memberships_of(db::Reader& reader, std::string_view staff) {
  std::vector<Membership> found;
  reader.each(
      fmt::format("{} JOIN staff s ON s.id = m.staff WHERE m.staff = $1 AND s.state = 'active' ORDER BY m.id", kSelect),
      [&](const db::Row& row) { found.push_back(membership_of(row)); }, staff);
  return found;
}

std::vector<Membership> members_of(db::Reader& reader, std::string_view programme, std::string_view organisation) {
  std::vector<Membership> found;
  const auto visit = [&](const db::Row& row) { found.push_back(membership_of(row)); };
  if (!organisation.empty())
    reader.each(fmt::format("{} WHERE m.organisation = $1 ORDER BY m.id", kSelect), visit, organisation);
  else if (!programme.empty())
    reader.each(
        fmt::format("{} WHERE m.programme = $1 OR m.organisation IN (SELECT id FROM organisation WHERE programme = $1) ORDER BY m.id",
                    kSelect),
        visit, programme);
  else
    reader.each(fmt::format("{} WHERE m.programme IS NULL AND m.organisation IS NULL ORDER BY m.id", kSelect), visit);
  return found;
}

core::Result<Membership> add_member(db::Transaction& tx, const By& by, std::string_view staff, Role role, std::string_view place) {
  if (!tx.find<std::string>("SELECT id FROM staff WHERE id = $1", staff))
    return Error{ErrorCode::not_found,
                 "staff.not-found",
                 fmt::format("there is no member of staff '{}'", staff),
                 "check the id",
                 {{"staff", std::string(staff)}}};
  Membership made{random_id("mb"), std::string(staff), role, "", "", by.at_ms};
  if (where(role) == Where::programme) made.programme = place;
  if (where(role) == Where::organisation) made.organisation = place;
  if (place.empty() != (where(role) == Where::instance))
    return Error{ErrorCode::invalid_input,
                 "membership.no-place",
                 fmt::format("the role {} is held in {}", name(role), name(where(role))),
                 where(role) == Where::instance ? "name no programme and no organisation" : "name it",
                 {{"role", std::string(name(role))}}};
  if (auto there = place_of(tx, {made.programme, made.organisation}); !there) return there.error();
  std::optional<Membership> earlier;
  tx.each(
      fmt::format("{} WHERE m.staff = $1 AND m.role = $2 AND COALESCE(m.programme, '') = $3 AND COALESCE(m.organisation, '') = $4",
                  kSelect),
      [&](const db::Row& row) { earlier = membership_of(row); }, staff, name(role), made.programme, made.organisation);
  if (earlier) return *earlier;
  const auto or_null = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
  tx.exec("INSERT INTO membership (id, staff, role, programme, organisation, created_ms) VALUES ($1, $2, $3, $4, $5, $6)", made.id, staff,
          name(role), or_null(made.programme), or_null(made.organisation), by.at_ms);
  record_action(tx, by, "member.add", programme_of(tx, made), made.staff, "", described(made));
  return made;
}

core::Result<Membership> find_membership(db::Reader& reader, std::string_view id) {
  std::optional<Membership> found;
  reader.each(
      fmt::format("{} WHERE m.id = $1", kSelect), [&](const db::Row& row) { found = membership_of(row); }, id);
  if (found) return *std::move(found);
  return Error{ErrorCode::not_found,
               "membership.not-found",
               fmt::format("there is no membership '{}'", id),
               "list the members to see which there are",
               {{"membership", std::string(id)}}};
}

core::Status remove_member(db::Transaction& tx, const By& by, std::string_view membership) {
  const auto found = find_membership(tx, membership);
  if (!found) return found.error();
  if (found->role == Role::administrator) {
    const auto others = tx.find<std::int64_t>(
        "SELECT count(*) FROM membership m JOIN staff s ON s.id = m.staff WHERE m.role = 'administrator' AND s.state = 'active' "
        "AND m.id <> $1",
        membership);
    if (others.value_or(0) == 0)
      return Error{ErrorCode::refused,
                   "membership.last-administrator",
                   "the instance would have no administrator",
                   "make somebody else administrator first",
                   {}};
  }
  tx.exec("DELETE FROM membership WHERE id = $1", membership);
  record_action(tx, by, "member.remove", programme_of(tx, *found), found->staff, described(*found), "");
  return core::Done{};
}

Action action_to_grant(Role role) {
  if (role == Role::administrator || role == Role::regulator) return Action::member_administrator;
  return where(role) == Where::programme ? Action::member_programme : Action::member_organisation;
}

// ---- the question -----------------------------------------------------------------------------------------------------------------

bool allows(std::span<const Membership> memberships, Action action, const Place& place) {
  return std::any_of(memberships.begin(), memberships.end(), [&](const Membership& one) { return reaches(one, action, place); });
}

core::Result<Place> place_of(db::Reader& reader, const Target& target) {
  Place place;
  std::string programme = target.programme;
  if (!target.organisation.empty()) {
    const auto organisation = find_organisation(reader, target.organisation);
    if (!organisation) return organisation.error();
    place.organisation = organisation->id;
    programme = organisation->programme;
  }
  if (programme.empty()) return place;
  place.line = line_of(reader, programme);
  if (place.line.empty()) return stored_programme(reader, programme, 0).error();
  return place;
}

core::Status may(db::Reader& reader, std::string_view staff, Action action, const Target& target) {
  const auto place = place_of(reader, target);
  if (!place) return place.error();
  if (allows(memberships_of(reader, staff), action, *place)) return core::Done{};
  std::vector<std::string_view> roles;
  for (std::size_t role = 0; role < kRoles; ++role)
    if (reach(Role(role), action) != Reach::none) roles.push_back(name(Role(role)));
  return Error{ErrorCode::refused,
               "rights.refused",
               fmt::format("you may not {} there", says(action)),
               fmt::format("ask for one of these roles there: {}", fmt::join(roles, ", ")),
               {{"action", std::string(name(action))}}};
}

}  // namespace tanhui::identity
