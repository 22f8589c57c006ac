// identity/programmes.h: the programmes of an instance, in its database. What a programme says is the YAML text of identity/programme.h,
// kept as it was given: versions that are never changed, each in force from an instant on.
//
//   tree      a programme is made below its parent and stays there, because rights follow the tree: so there is no circle. Its region is
//             its parent's, or lies inside it. At most kTreeDepthMax levels.
//   settings  at an instant the version counts whose valid_from_ms is the latest that has come; of equal ones the higher number. A change
//             is made for now or for later, never backwards; of a draft for any time.
//   state     draft, staged (ready, nobody is credited yet), open, paused, closed for good. A move is ordered for now or for later; a new
//             order overrules those that are planned for after it.
//
//             draft ─► staged ─► open ◄─► paused        staged ─► draft        everything but closed ─► closed
//
//             A closed programme has nothing below it that is not closed.
//
// Every change is a row of the trail (identity/trail.h).
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/edit.h"
#include "identity/programme.h"

namespace tanhui::identity {

constexpr std::size_t kTreeDepthMax = 16;
constexpr std::size_t kSettingsBytesMax = 1'000'000;

enum class ProgrammeState : std::uint8_t { draft, staged, open, paused, closed };
std::string_view name(ProgrammeState state);
std::optional<ProgrammeState> find_programme_state(std::string_view name);
bool may_follow(ProgrammeState from, ProgrammeState to);

struct StoredProgramme {
  std::string id;
  std::optional<std::string> parent;
  std::int64_t version = 0;
  core::Millis created_ms = 0;
  ProgrammeState state = ProgrammeState::draft;  // at the instant that was asked for
  std::int64_t settings = 0;                     // number of the version in force then
};
struct SettingsVersion {
  std::int64_t number = 0;
  core::Millis valid_from_ms = 0, created_ms = 0;
  core::Digest digest{};  // of the YAML text
  std::string author;
};
struct StateOrder {
  std::int64_t number = 0;
  ProgrammeState state = ProgrammeState::draft;
  core::Millis from_ms = 0, at_ms = 0;
  std::string author;
};

// ---- questions --------------------------------------------------------------------------------------------------------------------

/// Errors: not_found programme.not-found.
core::Result<StoredProgramme> stored_programme(db::Reader& reader, std::string_view id, core::Millis at_ms);
/// Parents before children, then by id.
std::vector<StoredProgramme> stored_programmes(db::Reader& reader, core::Millis at_ms);
/// The settings in force at an instant; nothing when the programme is not in the database or had none yet.
std::optional<Programme> programme_at(db::Reader& reader, std::string_view id, core::Millis at_ms);
std::vector<SettingsVersion> settings_versions(db::Reader& reader, std::string_view id);  // by number
std::optional<std::string> settings_text(db::Reader& reader, std::string_view id, std::int64_t number);
std::vector<StateOrder> state_orders(db::Reader& reader, std::string_view id);  // by number
/// The programme and those above it, the nearest first; empty when it is not there.
std::vector<std::string> line_of(db::Reader& reader, std::string_view id);
/// Ids of all programmes below, not the programme itself.
std::vector<std::string> below(db::Reader& reader, std::string_view id);

/// Whether something is credited in this state. Refused programme.not-open.
core::Status check_open(const StoredProgramme& programme);

/// "420102" lies inside "420100" and "420000", everything inside "000000". Codes are those of GB/T 2260, or equal texts.
bool lies_inside(std::string_view region, std::string_view outer);

// ---- changes ----------------------------------------------------------------------------------------------------------------------

/// A draft. Errors: programme.invalid, conflict programme.exists, programme.parent, programme.region, programme.too-deep,
/// programme.parent-closed.
core::Result<StoredProgramme> create_programme(db::Transaction& tx, const By& by, std::string_view yaml);
/// `valid_from_ms`: none is now. The same text as that in force then is no new version and comes back as it is.
/// Errors: programme.invalid, programme.not-found, edit.conflict, programme.other-id, programme.parent-fixed, programme.region,
/// programme.closed, programme.backwards.
core::Result<SettingsVersion> change_settings(db::Transaction& tx, const By& by, std::string_view id, std::string_view yaml,
                                              std::optional<core::Millis> valid_from_ms = {}, const Expected& expected = {});
/// Errors: programme.not-found, edit.conflict, programme.move (the states that may follow), programme.backwards, programme.parent-closed,
/// programme.has-open-children.
core::Result<StoredProgramme> move_programme(db::Transaction& tx, const By& by, std::string_view id, ProgrammeState to,
                                             std::optional<core::Millis> from_ms = {}, const Expected& expected = {});

struct ImportedProgramme {
  std::string id;
  enum class What : std::uint8_t { created, changed, same } what = What::same;
  std::int64_t settings = 0;
};
/// Files as programmes of the instance: what is not there is created and opened, what has other settings gets a new version from now on.
/// In any order. Errors: those of the above.
core::Result<std::vector<ImportedProgramme>> import_programmes(db::Transaction& tx, const By& by, std::span<const std::string> yamls);

}  // namespace tanhui::identity
