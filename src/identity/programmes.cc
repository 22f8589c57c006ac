#include "identity/programmes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/invariant.h"
#include "identity/trail.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
using State = ProgrammeState;
constexpr std::array<std::string_view, 5> kStates{"draft", "staged", "open", "paused", "closed"};
constexpr std::string_view kFileName = "the settings";  // what messages call a text that is no file

// The latest that has come, and the last order that has come.
constexpr std::string_view kSettingsAt =
    "SELECT number FROM programme_settings WHERE programme = $1 AND valid_from_ms <= $2 ORDER BY valid_from_ms DESC, number DESC LIMIT 1";
constexpr std::string_view kStateAt =
    "SELECT state FROM programme_state WHERE programme = $1 AND from_ms <= $2 ORDER BY number DESC LIMIT 1";

State state_from(std::string_view text) {
  const auto state = find_programme_state(text);
  core::invariant(state.has_value(), "a stored state is one of the five");
  return *state;
}

State state_at(db::Reader& reader, std::string_view id, core::Millis at_ms) {
  const auto state = reader.find<std::string>(kStateAt, id, at_ms);
  return state ? state_from(*state) : State::draft;
}

/// Everything that a settings text must be besides readable. `line`: the programmes above it, the nearest first.
core::Status check_region(db::Reader& reader, const Programme& programme, core::Millis at_ms) {
  if (programme.parent) {
    const auto above = programme_at(reader, *programme.parent, at_ms);
    if (above && !lies_inside(programme.region, above->region))
      return Error{ErrorCode::invalid_input,
                   "programme.region",
                   fmt::format("the region {} of '{}' does not lie inside the region {} of '{}' above it", programme.region, programme.id,
                               above->region, above->id),
                   "give it the same region or one inside, or put it below a programme that covers it",
                   {{"programme", programme.id}, {"region", programme.region}, {"outer", above->region}}};
  }
  const auto children = reader.query<std::string>("SELECT id FROM programme WHERE parent = $1 ORDER BY id", std::string_view(programme.id));
  for (const auto& [child] : children) {
    const auto settings = programme_at(reader, child, at_ms);
    if (settings && !lies_inside(settings->region, programme.region))
      return Error{ErrorCode::invalid_input,
                   "programme.region",
                   fmt::format("the region {} of '{}', which is below, would not lie inside the region {} of '{}'", settings->region, child,
                               programme.region, programme.id),
                   "keep a region that covers those below",
                   {{"programme", programme.id}, {"region", settings->region}, {"outer", programme.region}}};
  }
  return core::Done{};
}

core::Result<Programme> parse_settings(std::string_view yaml) {
  if (yaml.size() > kSettingsBytesMax)
    return Error{ErrorCode::invalid_input,
                 "programme.invalid",
                 fmt::format("the settings are {} bytes long", yaml.size()),
                 fmt::format("keep them below {} bytes", kSettingsBytesMax),
                 {{"bytes", std::to_string(yaml.size())}}};
  return parse_programme(yaml, kFileName);
}

Error parent_closed(std::string_view id, std::string_view parent) {
  return {ErrorCode::refused,
          "programme.parent-closed",
          fmt::format("'{}' is below '{}', which is closed", id, parent),
          "choose another parent; a closed programme stays closed",
          {{"programme", std::string(id)}, {"parent", std::string(parent)}}};
}

Error backwards(std::string_view id, core::Millis from_ms, core::Millis now_ms) {
  return {
      ErrorCode::refused,
      "programme.backwards",
      fmt::format("a change of '{}' from {} on would be backwards: it is {}", id, core::to_text_utc(from_ms), core::to_text_utc(now_ms)),
      "give an instant that is still to come, or none for now",
      {{"programme", std::string(id)}, {"from", core::to_text_utc(from_ms)}}};
}

void store_settings(db::Transaction& tx, const By& by, const Programme& programme, std::int64_t number, std::string_view yaml,
                    core::Millis valid_from_ms) {
  tx.exec(
      "INSERT INTO programme_settings (programme, number, valid_from_ms, yaml, digest, author, created_ms) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7)",
      programme.id, number, valid_from_ms, yaml, programme.digest, by.staff, by.at_ms);
}

std::int64_t last_number(db::Reader& reader, std::string_view table, std::string_view id) {
  return reader.find<std::int64_t>(fmt::format("SELECT number FROM {} WHERE programme = $1 ORDER BY number DESC LIMIT 1", table), id)
      .value_or(0);
}

void order_state(db::Transaction& tx, const By& by, std::string_view id, State state, core::Millis from_ms) {
  tx.exec("INSERT INTO programme_state (programme, number, state, from_ms, author, at_ms) VALUES ($1, $2, $3, $4, $5, $6)", id,
          last_number(tx, "programme_state", id) + 1, name(state), from_ms, by.staff, by.at_ms);
}

void grow_version(db::Transaction& tx, std::string_view id) { tx.exec("UPDATE programme SET version = version + 1 WHERE id = $1", id); }

std::vector<std::string> not_closed_below(db::Reader& reader, std::string_view id, core::Millis at_ms) {
  std::vector<std::string> open = below(reader, id);
  std::erase_if(open, [&](const std::string& one) { return state_at(reader, one, at_ms) == State::closed; });
  return open;
}

}  // namespace

std::string_view name(State state) { return kStates[std::size_t(state)]; }

std::optional<State> find_programme_state(std::string_view name) {
  const auto found = std::find(kStates.begin(), kStates.end(), name);
  return found == kStates.end() ? std::nullopt : std::optional(State(found - kStates.begin()));
}

bool may_follow(State from, State to) {
  switch (from) {
    case State::draft:
      return to == State::staged || to == State::closed;
    case State::staged:
      return to == State::draft || to == State::open || to == State::closed;
    case State::open:
      return to == State::paused || to == State::closed;
    case State::paused:
      return to == State::open || to == State::closed;
    case State::closed:
      return false;
  }
  return false;
}

bool lies_inside(std::string_view region, std::string_view outer) {
  const auto is_code = [](std::string_view code) {
    return code.size() == 6 && code.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (region == outer) return true;
  if (!is_code(region) || !is_code(outer)) return false;
  std::string_view covered = outer;
  while (covered.ends_with("00")) covered.remove_suffix(2);
  return region.starts_with(covered);
}

core::Status check_open(const StoredProgramme& programme) {
  if (programme.state == State::open) return core::Done{};
  return Error{ErrorCode::refused,
               "programme.not-open",
               fmt::format("the programme '{}' is {}: nothing is credited in it", programme.id, name(programme.state)),
               programme.state == State::closed ? "use another programme; a closed one stays closed" : "open it first",
               {{"programme", programme.id}, {"state", std::string(name(programme.state))}}};
}

// ---- questions --------------------------------------------------------------------------------------------------------------------

core::Result<StoredProgramme> stored_programme(db::Reader& reader, std::string_view id, core::Millis at_ms) {
  const auto row = reader.find<std::optional<std::string>, std::int64_t, core::Millis>(
      "SELECT parent, version, created_ms FROM programme WHERE id = $1", id);
  if (!row)
    return Error{ErrorCode::not_found,
                 "programme.not-found",
                 fmt::format("the instance has no programme '{}'", id),
                 "create or import it first",
                 {{"programme", std::string(id)}}};
  const auto& [parent, version, created_ms] = *row;
  return StoredProgramme{std::string(id),
                         parent,
                         version,
                         created_ms,
                         state_at(reader, id, at_ms),
                         reader.find<std::int64_t>(kSettingsAt, id, at_ms).value_or(0)};
}

std::vector<StoredProgramme> stored_programmes(db::Reader& reader, core::Millis at_ms) {
  std::map<std::string, std::vector<std::string>> children;
  for (const auto& [id, parent] : reader.query<std::string, std::optional<std::string>>("SELECT id, parent FROM programme ORDER BY id"))
    children[parent.value_or("")].push_back(id);
  std::vector<StoredProgramme> all;
  std::vector<std::string> level = children[""];
  for (std::size_t depth = 0; depth < kTreeDepthMax && !level.empty(); ++depth) {
    std::vector<std::string> next;
    for (const std::string& id : level) {
      all.push_back(*stored_programme(reader, id, at_ms));
      const auto& under = children[id];
      next.insert(next.end(), under.begin(), under.end());
    }
    level = std::move(next);
  }
  return all;
}

std::optional<Programme> programme_at(db::Reader& reader, std::string_view id, core::Millis at_ms) {
  const auto number = reader.find<std::int64_t>(kSettingsAt, id, at_ms);
  if (!number) return std::nullopt;
  const auto programme = parse_programme(*settings_text(reader, id, *number), fmt::format("{}, version {}", id, *number));
  core::invariant(bool(programme), "settings that were accepted are read again");
  return *programme;
}

std::vector<SettingsVersion> settings_versions(db::Reader& reader, std::string_view id) {
  std::vector<SettingsVersion> versions;
  reader.each(
      "SELECT number, valid_from_ms, created_ms, digest, author FROM programme_settings WHERE programme = $1 ORDER BY number",
      [&](const db::Row& row) {
        versions.push_back({row.integer(0), row.integer(1), row.integer(2), row.get<core::Digest>(3), row.get<std::string>(4)});
      },
      id);
  return versions;
}

std::optional<std::string> settings_text(db::Reader& reader, std::string_view id, std::int64_t number) {
  return reader.find<std::string>("SELECT yaml FROM programme_settings WHERE programme = $1 AND number = $2", id, number);
}

std::vector<StateOrder> state_orders(db::Reader& reader, std::string_view id) {
  std::vector<StateOrder> orders;
  reader.each(
      "SELECT number, state, from_ms, at_ms, author FROM programme_state WHERE programme = $1 ORDER BY number",
      [&](const db::Row& row) {
        orders.push_back({row.integer(0), state_from(row.text(1)), row.integer(2), row.integer(3), row.get<std::string>(4)});
      },
      id);
  return orders;
}

std::vector<std::string> line_of(db::Reader& reader, std::string_view id) {
  std::vector<std::string> line;
  std::optional<std::string> at{std::string(id)};
  while (at) {
    const auto parent = reader.find<std::optional<std::string>>("SELECT parent FROM programme WHERE id = $1", *at);
    if (!parent) break;
    core::invariant(line.size() < kTreeDepthMax, "the tree of programmes is not deeper than it may be");
    line.push_back(*at);
    at = *parent;
  }
  return line;
}

std::vector<std::string> below(db::Reader& reader, std::string_view id) {
  std::vector<std::string> found;
  std::vector<std::string> level{std::string(id)};
  for (std::size_t depth = 0; depth < kTreeDepthMax && !level.empty(); ++depth) {
    std::vector<std::string> next;
    for (const std::string& one : level)
      for (const auto& [child] : reader.query<std::string>("SELECT id FROM programme WHERE parent = $1 ORDER BY id", one))
        next.push_back(child);
    found.insert(found.end(), next.begin(), next.end());
    level = std::move(next);
  }
  return found;
}

// ---- changes ----------------------------------------------------------------------------------------------------------------------

core::Result<StoredProgramme> create_programme(db::Transaction& tx, const By& by, std::string_view yaml) {
  const auto programme = parse_settings(yaml);
  if (!programme) return programme.error();
  if (!line_of(tx, programme->id).empty())
    return Error{ErrorCode::conflict,
                 "programme.exists",
                 fmt::format("there is a programme '{}' already", programme->id),
                 "change its settings, or choose another id",
                 {{"programme", programme->id}}};
  if (programme->parent) {
    const auto line = line_of(tx, *programme->parent);
    if (line.empty())
      return Error{ErrorCode::invalid_input,
                   "programme.parent",
                   fmt::format("'{}' has the parent '{}', which the instance does not have", programme->id, *programme->parent),
                   "create the parent first, or leave parent out",
                   {{"programme", programme->id}, {"parent", *programme->parent}}};
    if (line.size() >= kTreeDepthMax)
      return Error{ErrorCode::refused,
                   "programme.too-deep",
                   fmt::format("'{}' would be more than {} levels deep", programme->id, kTreeDepthMax),
                   "put it higher up",
                   {{"programme", programme->id}}};
    if (state_at(tx, line.front(), by.at_ms) == State::closed) return parent_closed(programme->id, line.front());
  }
  if (auto region = check_region(tx, *programme, by.at_ms); !region) return region.error();
  tx.exec("INSERT INTO programme (id, parent, version, created_ms) VALUES ($1, $2, 1, $3)", programme->id, programme->parent, by.at_ms);
  store_settings(tx, by, *programme, 1, yaml, by.at_ms);
  order_state(tx, by, programme->id, State::draft, by.at_ms);
  record_action(tx, by, "programme.create", programme->id, programme->id, "", yaml);
  return stored_programme(tx, programme->id, by.at_ms);
}

core::Result<SettingsVersion> change_settings(db::Transaction& tx, const By& by, std::string_view id, std::string_view yaml,
                                              std::optional<core::Millis> valid_from_ms, const Expected& expected) {
  const auto stored = stored_programme(tx, id, by.at_ms);
  if (!stored) return stored.error();
  if (auto version = check_version("programme", id, stored->version, expected); !version) return version.error();
  const auto programme = parse_settings(yaml);
  if (!programme) return programme.error();
  if (programme->id != id)
    return Error{ErrorCode::invalid_input,
                 "programme.other-id",
                 fmt::format("the settings are those of '{}', not of '{}'", programme->id, id),
                 "write the programme's own id",
                 {{"programme", std::string(id)}, {"other", programme->id}}};
  if (programme->parent != stored->parent)
    return Error{ErrorCode::refused,
                 "programme.parent-fixed",
                 fmt::format("'{}' is below '{}' and stays there", id, stored->parent.value_or("nothing")),
                 "keep the parent; a programme elsewhere in the tree is another programme",
                 {{"programme", std::string(id)}, {"parent", stored->parent.value_or("")}}};
  if (stored->state == State::closed)
    return Error{ErrorCode::refused,
                 "programme.closed",
                 fmt::format("'{}' is closed: its settings stay as they are", id),
                 "create another programme",
                 {{"programme", std::string(id)}}};
  const core::Millis from_ms = valid_from_ms.value_or(by.at_ms);
  if (from_ms < by.at_ms && stored->state != State::draft) return backwards(id, from_ms, by.at_ms);
  if (auto region = check_region(tx, *programme, from_ms); !region) return region.error();
  const auto versions = settings_versions(tx, id);
  const auto number_then = tx.find<std::int64_t>(kSettingsAt, id, from_ms);
  if (number_then && versions[std::size_t(*number_then - 1)].digest == programme->digest) return versions[std::size_t(*number_then - 1)];
  const std::int64_t number = std::int64_t(versions.size()) + 1;
  store_settings(tx, by, *programme, number, yaml, from_ms);
  grow_version(tx, id);
  record_action(tx, by, "programme.settings", id, fmt::format("{} {}", id, number),
                number_then ? *settings_text(tx, id, *number_then) : std::string(), yaml);
  return settings_versions(tx, id).back();
}

core::Result<StoredProgramme> move_programme(db::Transaction& tx, const By& by, std::string_view id, State to,
                                             std::optional<core::Millis> from_ms, const Expected& expected) {
  const auto stored = stored_programme(tx, id, by.at_ms);
  if (!stored) return stored.error();
  if (auto version = check_version("programme", id, stored->version, expected); !version) return version.error();
  const core::Millis from = from_ms.value_or(by.at_ms);
  if (from < by.at_ms) return backwards(id, from, by.at_ms);
  const State then = state_at(tx, id, from);
  if (!may_follow(then, to)) {
    std::vector<std::string_view> next;
    for (std::size_t state = 0; state < kStates.size(); ++state)
      if (may_follow(then, State(state))) next.push_back(kStates[state]);
    return Error{ErrorCode::refused,
                 "programme.move",
                 fmt::format("'{}' is {} and cannot become {}", id, name(then), name(to)),
                 next.empty() ? "create another programme; a closed one stays closed"
                              : fmt::format("from {} it goes to {}", name(then), fmt::join(next, " or ")),
                 {{"programme", std::string(id)}, {"from", std::string(name(then))}, {"to", std::string(name(to))}}};
  }
  if (stored->parent && to != State::closed && state_at(tx, *stored->parent, from) == State::closed)
    return parent_closed(id, *stored->parent);
  if (to == State::closed) {
    const auto open = not_closed_below(tx, id, from);
    if (!open.empty())
      return Error{ErrorCode::refused,
                   "programme.has-open-children",
                   fmt::format("programmes below '{}' are not closed: {}", id, fmt::join(open, ", ")),
                   "close them first",
                   {{"programme", std::string(id)}}};
  }
  order_state(tx, by, id, to, from);
  grow_version(tx, id);
  record_action(tx, by, fmt::format("programme.{}", name(to)), id, id, name(then), fmt::format("{} {}", name(to), from));
  return stored_programme(tx, id, by.at_ms);
}

core::Result<std::vector<ImportedProgramme>> import_programmes(db::Transaction& tx, const By& by, std::span<const std::string> yamls) {
  std::vector<std::pair<Programme, std::string_view>> waiting;
  for (const std::string& yaml : yamls) {
    auto programme = parse_settings(yaml);
    if (!programme) return programme.error();
    waiting.emplace_back(*std::move(programme), yaml);
  }
  std::sort(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) { return a.first.id < b.first.id; });
  std::vector<ImportedProgramme> imported;
  while (!waiting.empty()) {
    // One whose parent does not wait. In a circle there is none: then the first one says what is wrong.
    auto ready = std::find_if(waiting.begin(), waiting.end(), [&](const auto& one) {
      return std::none_of(waiting.begin(), waiting.end(), [&](const auto& other) { return other.first.id == one.first.parent; });
    });
    if (ready == waiting.end()) ready = waiting.begin();
    const auto [programme, yaml] = std::move(*ready);
    waiting.erase(ready);
    const auto stored = stored_programme(tx, programme.id, by.at_ms);
    if (stored) {
      const auto changed = change_settings(tx, by, programme.id, yaml);
      if (!changed) return changed.error();
      using What = ImportedProgramme::What;
      imported.push_back({programme.id, changed->number == stored->settings ? What::same : What::changed, changed->number});
      continue;
    }
    if (const auto created = create_programme(tx, by, yaml); !created) return created.error();
    for (const State state : {State::staged, State::open}) {
      if (const auto moved = move_programme(tx, by, programme.id, state); !moved) return moved.error();
    }
    imported.push_back({programme.id, ImportedProgramme::What::created, 1});
  }
  return imported;
}

}  // namespace tanhui::identity
