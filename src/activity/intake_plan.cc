#include "activity/intake_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "activity/csv.h"
#include "activity/gbfs.h"
#include "core/invariant.h"

namespace tanhui::activity {
namespace {

using core::Error;
using core::ErrorCode;
using core::Result;
using core::Status;

constexpr std::string_view kMainQuantity = "quantity";

// The word itself, or every word a map can give.
std::vector<std::string> possible_words(const TextFrom& from) {
  std::vector<std::string> words;
  if (from.constant) words.push_back(*from.constant);
  for (const auto& [text, meaning] : from.map) words.push_back(meaning);
  return words;
}

// Activities a profile can give; empty when the file says any.
std::vector<std::string> possible_activities(const Profile& profile) {
  std::vector<std::string> activities = possible_words(profile.activity);
  if (profile.unpivot && activities.empty() && profile.activity.columns == std::vector<ColumnName>{"$name"}) {
    for (const auto& [column, label] : profile.unpivot->columns) activities.push_back(label);
  }
  return activities;
}

// Leaves binding at the first missing column; caught by bind.
struct MissingColumn {
  std::string column;
};

class Binder {
 public:
  Binder(Plan& plan, const Names& names, const std::vector<std::string>* found)
      : plan_(plan), profile_(*plan.profile), names_(names), found_(found) {}

  void bind_all() {
    if (profile_.only_rows) plan_.only_rows_slot = slot(profile_.only_rows->column, false);
    if (profile_.unpivot) bind_unpivot();
    plan_.person = text(profile_.person);
    plan_.event = text(profile_.event);
    plan_.object = text(profile_.object);
    plan_.activity = text(profile_.activity);
    plan_.source = text(profile_.source);
    plan_.region = text(profile_.region);
    plan_.evidence = text(profile_.evidence);
    plan_.consent = text(profile_.consent);
    plan_.reversal = text(profile_.reversal);
    plan_.start = time(profile_.start);
    plan_.end = time(profile_.end);
    if (profile_.duration) plan_.duration = number(*profile_.duration);
    plan_.from = position(profile_.from);
    plan_.to = position(profile_.to);
    for (const QuantityFrom& quantity : profile_.quantities) bind_quantity(quantity);
    if (profile_.quantities_by_header) bind_quantities_by_header();
  }

 private:
  int slot(const ColumnName& column, bool optional) {
    if (column.empty()) return kNoSlot;
    if (column == "$value" && profile_.unpivot) return plan_.value_slot;
    if (column == "$name" && profile_.unpivot) return plan_.name_slot;
    if (column == "$index" && profile_.unpivot) return plan_.index_slot;
    if (column == "$column" && profile_.unpivot) return plan_.column_slot;
    const auto known = std::find(plan_.columns.begin(), plan_.columns.end(), column);
    if (known != plan_.columns.end()) return int(known - plan_.columns.begin());
    const bool of_section = profile_.sections && std::any_of(profile_.sections->keep.begin(), profile_.sections->keep.end(),
                                                             [&](const auto& kept) { return "$" + kept.first == column; });
    if (found_ != nullptr && !of_section && !find_column(*found_, profile_.header || !profile_.header_names.empty(), column)) {
      if (optional) return kNoSlot;
      throw MissingColumn{column};
    }
    plan_.columns.push_back(column);
    return int(plan_.columns.size()) - 1;
  }

  // The cells and the three names for them come first, because other columns refer to them.
  void bind_unpivot() {
    for (const auto& [column, label] : profile_.unpivot->columns) plan_.unpivoted.push_back(slot(column, false));
    for (int* pseudo : {&plan_.value_slot, &plan_.name_slot, &plan_.index_slot, &plan_.column_slot}) {
      *pseudo = int(plan_.columns.size());
      plan_.columns.push_back(fmt::format("${}", plan_.columns.size()));  // a name no file column is asked by
    }
  }

  TextPlan text(const TextFrom& from) {
    TextPlan plan;
    plan.from = &from;
    plan.constant = from.constant;
    if (from.whole_row) {
      if (found_ != nullptr) {
        for (std::size_t i = 0; i < found_->size(); ++i) plan.slots.push_back(slot(fmt::format("#{}", i + 1), false));
      } else {
        plan.slots.push_back(slot("$row", false));
      }
    }
    for (const ColumnName& column : from.columns) {
      if (const int place = slot(column, from.optional); place != kNoSlot) plan.slots.push_back(place);
    }
    return plan;
  }

  NumberPlan number(const NumberFrom& from) {
    NumberPlan plan;
    plan.from = &from;
    plan.constant = from.constant;
    plan.slot = slot(from.column, from.optional);
    // A unit column beside a column that says its unit already may be missing: the native profile has it so.
    plan.unit_slot = slot(from.unit_column, true);
    return plan;
  }

  TimePlan time(const TimeFrom& from) {
    TimePlan plan;
    plan.from = &from;
    plan.text = text(from.text);
    if (from.plus) plan.plus = number(*from.plus);
    return plan;
  }

  PositionPlan position(const PositionFrom& from) {
    return {slot(from.latitude, false), slot(from.longitude, false), slot(from.station, false)};
  }

  void bind_quantity(const QuantityFrom& from) {
    QuantityPlan plan;
    plan.between_positions = from.between_positions;
    if (from.between_positions) {
      const auto detour = core::parse_decimal(from.detour);
      core::invariant(detour && detour->scale >= 0 && detour->scale <= 9, "a detour is a decimal the profile reader has checked");
      plan.detour = {detour->digits, 1};
      for (int i = 0; i < detour->scale; ++i) plan.detour.denominator *= 10;
    } else {
      plan.number = number(from.number);
      if (!plan.number.given()) return;
    }
    aim(plan, from);
    plan_.quantities.push_back(std::move(plan));
  }

  void bind_quantities_by_header() {
    std::vector<std::string> done{std::string(kMainQuantity)};
    for (const QuantityFrom& quantity : profile_.quantities) done.push_back(quantity.name);
    for (const ActivityType& activity : names_.activities()) {
      for (const auto& quantity : activity.quantities) {
        if (std::find(done.begin(), done.end(), quantity.name) != done.end()) continue;
        done.push_back(quantity.name);
        if (found_ != nullptr && !find_column(*found_, true, quantity.name)) continue;
        QuantityPlan plan;
        by_header_.push_back(std::make_shared<NumberFrom>());
        by_header_.back()->column = quantity.name;
        plan.number.from = by_header_.back().get();
        plan.number.slot = slot(quantity.name, true);
        QuantityFrom from;
        from.name = quantity.name;
        aim(plan, from);
        plan_.quantities.push_back(std::move(plan));
      }
    }
  }

  void aim(QuantityPlan& plan, const QuantityFrom& from) {
    const auto unit = from.number.unit.empty() ? std::nullopt : find_unit(from.number.unit);
    const std::vector<std::string> possible = possible_activities(profile_);
    for (const ActivityType& activity : names_.activities()) {
      QuantityPlan::Target& target = plan.targets.emplace_back();
      if (!possible.empty() && std::find(possible.begin(), possible.end(), activity.id) == possible.end()) continue;
      for (std::size_t i = 0; i < activity.quantities.size() && i <= kExtraQuantities; ++i) {
        if (!from.only_for.empty() && std::find(from.only_for.begin(), from.only_for.end(), activity.id) == from.only_for.end()) continue;
        if (!(from.name == activity.quantities[i].name || (i == 0 && from.name == kMainQuantity))) continue;
        target.slot = int(i);
        target.base = activity.quantities[i].unit;
        if (from.between_positions) target.unit_fits = target.base == "m";
        if (unit) {
          target.unit_fits = unit->base == target.base;
          target.factor = unit->factor;
        }
        plan_.extras = std::max(plan_.extras, i);
        break;
      }
    }
  }

  Plan& plan_;
  const Profile& profile_;
  const Names& names_;
  const std::vector<std::string>* found_;

 public:
  std::vector<std::shared_ptr<NumberFrom>> by_header_;
};

// Keeps what the plan points to alive with it.
struct OwnedPlan : Plan {
  std::vector<std::shared_ptr<NumberFrom>> by_header;
};

}  // namespace

std::optional<std::size_t> find_column(const std::vector<std::string>& header, bool named, std::string_view column) {
  const auto found = std::find(header.begin(), header.end(), column);
  if (named && found != header.end()) return std::size_t(found - header.begin());
  std::string_view digits = column;
  if (digits.starts_with("#"))
    digits.remove_prefix(1);
  else if (named)
    return std::nullopt;
  std::size_t number = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (problem != std::errc{} || end != digits.data() + digits.size() || number < 1 || number > header.size()) return std::nullopt;
  return number - 1;
}

Result<std::shared_ptr<const Plan>> bind(std::shared_ptr<const Profile> profile, const Names& names,
                                         std::shared_ptr<const Stations> stations, const std::vector<std::string>* found,
                                         const std::string& file) {
  auto plan = std::make_shared<OwnedPlan>();
  plan->profile = std::move(profile);
  plan->stations = std::move(stations);
  Binder binder(*plan, names, found);
  try {
    binder.bind_all();
  } catch (const MissingColumn& missing) {
    return Error{ErrorCode::invalid_input,
                 "input.missing-column",
                 fmt::format("{}: column '{}' is missing; columns found: {}", file, missing.column, fmt::join(*found, ", ")),
                 fmt::format("send the column, or choose the profile that fits the file (profile '{}' was used)", plan->profile->id),
                 {{"file", file}, {"column", missing.column}}};
  }
  plan->by_header = std::move(binder.by_header_);
  if (found != nullptr) {
    for (const std::string& column : plan->columns) {
      if (std::count(found->begin(), found->end(), column) > 1) {
        return Error{ErrorCode::invalid_input,
                     "input.duplicate-column",
                     fmt::format("{}: column '{}' stands twice in the header", file, column),
                     "rename one of them; which one is meant cannot be guessed",
                     {{"file", file}, {"column", column}}};
      }
    }
  }
  return std::shared_ptr<const Plan>(std::move(plan));
}

Status check_against(const Profile& profile, const Names& names) {
  std::vector<std::string> activities = possible_activities(profile);
  for (const QuantityFrom& quantity : profile.quantities)
    activities.insert(activities.end(), quantity.only_for.begin(), quantity.only_for.end());
  for (const std::string& word : activities) {
    if (names.find_activity(word) != Names::kUnknown) continue;
    std::vector<std::string> known;
    for (const auto& activity : names.activities()) known.push_back(activity.id);
    return Error{ErrorCode::invalid_input,
                 "profile.unknown-activity",
                 fmt::format("profile '{}': activity '{}' is not in the catalogue", profile.id, word),
                 fmt::format("use one of {}", fmt::join(known, ", ")),
                 {{"activity", word}}};
  }
  for (const std::string& word : possible_words(profile.source)) {
    if (names.find_source(word) != Names::kUnknown) continue;
    std::vector<std::string> known;
    for (const auto& source : names.sources()) known.push_back(source.id);
    return Error{ErrorCode::invalid_input,
                 "profile.unknown-source",
                 fmt::format("profile '{}': source '{}' is not registered in the programme", profile.id, word),
                 fmt::format("register it, or use one of {}", fmt::join(known, ", ")),
                 {{"source", word}}};
  }
  for (const QuantityFrom& quantity : profile.quantities) {
    bool meant = false;
    for (const std::string& word : activities) {
      if (!quantity.only_for.empty() && std::find(quantity.only_for.begin(), quantity.only_for.end(), word) == quantity.only_for.end())
        continue;
      const ActivityType& activity = names.activities()[names.find_activity(word)];
      for (std::size_t i = 0; i < activity.quantities.size(); ++i) {
        if (quantity.name != activity.quantities[i].name && !(i == 0 && quantity.name == kMainQuantity)) continue;
        meant = true;
        const auto unit = quantity.number.unit.empty() ? std::nullopt : find_unit(quantity.number.unit);
        if ((unit && unit->base != activity.quantities[i].unit) || (quantity.between_positions && activity.quantities[i].unit != "m")) {
          return Error{ErrorCode::invalid_input,
                       "profile.other-unit",
                       fmt::format("profile '{}': {} of {} is counted in {}, not in {}", profile.id, quantity.name, activity.id,
                                   activity.quantities[i].unit, unit ? quantity.number.unit : "m"),
                       "give a unit of the same kind",
                       {{"quantity", quantity.name}, {"activity", activity.id}}};
        }
      }
    }
    if (!meant && profile.activity.constant) {
      return Error{ErrorCode::invalid_input,
                   "profile.unknown-quantity",
                   fmt::format("profile '{}': {} has no quantity '{}'", profile.id, *profile.activity.constant, quantity.name),
                   "use a quantity of the activity in methodologies/activities.yaml",
                   {{"quantity", quantity.name}}};
    }
  }
  return core::Done{};
}

Result<std::shared_ptr<const Stations>> load_stations(const Profile& profile) {
  auto stations = std::make_shared<Stations>();
  if (!profile.stations) return std::shared_ptr<const Stations>(std::move(stations));
  const auto file = profile.stations->file.is_absolute() ? profile.stations->file : profile.folder / profile.stations->file;
  const auto problem = [&](std::string message) {
    return Error{ErrorCode::invalid_input,
                 "profile.station-table",
                 fmt::format("{}: {}", file.string(), message),
                 "the table is a CSV file with a header, or a GBFS 3 station_information; see stations in the profile",
                 {{"file", file.string()}}};
  };
  auto stream = open_file(file, nullptr);
  if (!stream) return problem("the table of stations cannot be opened");
  constexpr std::size_t bytes_max = std::size_t{64} << 20;
  std::string text(bytes_max, '\0');
  const auto size = (*stream)->read(text.data(), bytes_max);
  if (!size || *size == bytes_max) return problem("the table of stations cannot be read, or is over 64 MB");
  text.resize(*size);
  if (file.extension() == ".json") {
    const auto gbfs = read_gbfs_stations(text);
    if (!gbfs) return problem(gbfs.error().message);
    for (const GbfsStation& station : gbfs->data) stations->emplace(station.id, station.position);
    if (stations->empty()) return problem("no station with a position was found");
    return std::shared_ptr<const Stations>(std::move(stations));
  }
  const std::size_t header_end = text.find('\n');
  const auto header = CsvTokeniser::first_row(std::string_view(text).substr(0, header_end), {});
  std::vector<std::uint32_t> wanted;
  for (const auto& column : {profile.stations->key, profile.stations->latitude, profile.stations->longitude}) {
    const auto place = find_column(header, true, column);
    if (!place || header_end == std::string::npos)
      return problem(fmt::format("column '{}' is missing; columns found: {}", column, fmt::join(header, ", ")));
    wanted.push_back(std::uint32_t(*place));
  }
  text.erase(0, header_end + 1);
  const std::size_t body = text.size();
  text.resize(body + Table::kSlack + 1);
  Table table;
  CsvTokeniser({}).tokenise({text.data(), body}, {header.size(), false}, wanted, table);
  for (std::size_t row = 0; row < table.rows; ++row) {
    const auto position = read_position(table.at(1, row), table.at(2, row));
    if (table.reasons[row] == Reason::none && position) stations->emplace(table.at(0, row), *position);
  }
  if (stations->empty()) return problem("no station with a position was found");
  return std::shared_ptr<const Stations>(std::move(stations));
}

}  // namespace tanhui::activity
