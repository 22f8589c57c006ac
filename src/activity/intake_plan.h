// activity/intake_plan.h: a profile against a run's names and a file's columns: which places to read and what to make of them.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "activity/geo.h"
#include "activity/intake.h"

namespace tanhui::activity {

constexpr int kNoSlot = -1;

/// A text as slots of a table.
struct TextPlan {
  std::vector<int> slots;
  std::optional<std::string> constant;
  const TextFrom* from = nullptr;
  bool given() const { return constant || !slots.empty(); }
  bool plain() const { return slots.size() == 1 && from->refuse.empty() && from->map.empty(); }
};

struct NumberPlan {
  int slot = kNoSlot;
  std::optional<std::string> constant;
  const NumberFrom* from = nullptr;
  int unit_slot = kNoSlot;
  bool given() const { return slot != kNoSlot || constant; }
};

struct TimePlan {
  TextPlan text;
  NumberPlan plus;
  const TimeFrom* from = nullptr;
};

struct PositionPlan {
  int latitude = kNoSlot, longitude = kNoSlot, station = kNoSlot;
  bool given() const { return latitude != kNoSlot || station != kNoSlot; }
};

struct QuantityPlan {
  /// Where the quantity goes for one activity: 0 main, 1 to kExtraQuantities; -1 when the activity has no such quantity.
  struct Target {
    int slot = -1;
    std::string_view base;  // unit
    core::Factor factor;    // from the profile's unit; meaningless when the row says the unit
    bool unit_fits = true;
  };
  NumberPlan number;
  bool between_positions = false;
  core::Factor detour;
  std::vector<Target> targets;  // by activity
};

using Stations = std::unordered_map<std::string, Position>;

struct Plan {
  std::shared_ptr<const Profile> profile;
  std::vector<std::string> columns;  // the table's columns, in order; those that begin with $ do not come from the file
  int value_slot = kNoSlot, name_slot = kNoSlot, index_slot = kNoSlot, column_slot = kNoSlot;
  std::vector<int> unpivoted;  // slots of the cells
  int only_rows_slot = kNoSlot;
  TextPlan person, event, object, activity, source, region, evidence, consent, reversal;
  TimePlan start, end;
  NumberPlan duration;
  std::vector<QuantityPlan> quantities;
  std::size_t extras = 0;  // highest slot in use
  PositionPlan from, to;
  std::shared_ptr<const Stations> stations;
};

/// Binds a profile to the columns a file has. `found` is empty where columns cannot be known before (JSON): then every column may be absent
/// in every row. Errors: input.missing-column, input.duplicate-column.
core::Result<std::shared_ptr<const Plan>> bind(std::shared_ptr<const Profile> profile, const Names& names,
                                               std::shared_ptr<const Stations> stations, const std::vector<std::string>* found,
                                               const std::string& file);

/// Errors that do not depend on a file: profile.unknown-activity, profile.unknown-source, profile.other-unit.
core::Status check_against(const Profile& profile, const Names& names);

/// Errors: profile.station-table.
core::Result<std::shared_ptr<const Stations>> load_stations(const Profile& profile);

/// Position of a column in a header: by name, or by number from 1 ("#3"; a bare number where the file has no header).
std::optional<std::size_t> find_column(const std::vector<std::string>& header, bool named, std::string_view column);

}  // namespace tanhui::activity
