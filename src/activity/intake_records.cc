#include "activity/intake_records.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/invariant.h"

namespace tanhui::activity {
namespace {

constexpr std::uint32_t kNoWord = 0xFFFFFFFF;
constexpr char kEmpty[Table::kSlack] = {};  // an empty word whose following bytes can be read, as a WordCache wants

void refuse(Reason& reason, Reason why) {
  if (reason == Reason::none) reason = why;
}

// What a file's word means: through the profile's map when there is one.
std::string_view meaning(const TextFrom& from, std::string_view word) {
  if (from.map.empty()) return word;
  const auto found = from.map.find(word);
  return found == from.map.end() ? std::string_view{} : std::string_view(found->second);
}

std::uint32_t find_evidence(std::string_view word) {
  for (const Evidence evidence : {Evidence::metered, Evidence::inferred, Evidence::declared}) {
    if (name(evidence) == word) return std::uint32_t(evidence);
  }
  return kNoWord;
}

TimeReader time_reader(const TimePlan& plan, const Profile& profile, const Context& context) {
  const std::string& zone = !plan.from->zone.empty() ? plan.from->zone : !profile.zone.empty() ? profile.zone : context.zone;
  auto reader = TimeReader::make(plan.from->formats, zone);
  core::invariant(bool(reader), "time formats and zones were checked when the profile and the programme were read");
  return *std::move(reader);
}

}  // namespace

RecordBuilder::RecordBuilder(std::shared_ptr<const Plan> plan, const Context& context)
    : plan_(std::move(plan)),
      profile_(*plan_->profile),
      context_(context),
      activities_(
          [this](std::string_view word) -> std::uint32_t { return context_.names->find_activity(meaning(*plan_->activity.from, word)); }),
      sources_([this](std::string_view word) -> std::uint32_t { return context_.names->find_source(meaning(*plan_->source.from, word)); }),
      regions_([this](std::string_view word) -> std::uint32_t {
        const std::string_view code = word.empty() ? std::string_view(context_.region) : meaning(*plan_->region.from, word);
        if (code.empty() || (context_.region_known && !context_.region_known(code))) return Names::kUnknown;
        return context_.names->region(code);
      }),
      evidences_([this](std::string_view word) { return find_evidence(meaning(*plan_->evidence.from, word)); }),
      units_([this](std::string_view word) {
        const auto unit = find_unit(word);
        if (!unit) return kNoWord;
        known_units_.push_back(*unit);
        return std::uint32_t(known_units_.size() - 1);
      }),
      start_{&plan_->start, time_reader(plan_->start, profile_, context)},
      end_{&plan_->end, time_reader(plan_->end, profile_, context)},
      quantity_words_(plan_->quantities.size()) {
  const auto prepare = [this](const NumberPlan& number, TableWords& words) {
    if (number.from == nullptr || number.from->table.empty()) return;
    for (const auto& [text, value] : number.from->table) words.values.push_back(core::parse_decimal(value));
    words.cache.emplace([from = number.from](std::string_view word) {
      const auto found = from->table.find(word);
      return found == from->table.end() ? kNoWord : std::uint32_t(std::distance(from->table.begin(), found));
    });
  };
  prepare(plan_->duration, duration_words_);
  prepare(plan_->start.plus, start_plus_words_);
  prepare(plan_->end.plus, end_plus_words_);
  for (std::size_t i = 0; i < quantity_words_.size(); ++i) prepare(plan_->quantities[i].number, quantity_words_[i]);
  if (!profile_.unpivot) return;
  const auto put = [this](const std::string& text, std::vector<Field>& fields) {
    fields.push_back({std::uint32_t(labels_.size()), std::uint32_t(text.size())});
    labels_ += text;
  };
  for (const auto& [column, label] : profile_.unpivot->columns) {
    put(column, column_fields_);
    put(std::to_string(label_fields_.size()), index_fields_);
    put(label, label_fields_);
  }
  labels_.resize(labels_.size() + Table::kSlack);
}

void RecordBuilder::build(Table& table, std::uint32_t first_line, RecordBatch& out) {
  if (plan_->only_rows_slot != kNoSlot) drop_other_rows(table);
  const Table& rows = profile_.unpivot ? unpivot(table) : table;
  const std::size_t count = rows.rows;
  out.reason.assign(rows.reasons.begin(), rows.reasons.begin() + std::ptrdiff_t(count));
  out.line.resize(count);
  for (std::size_t i = 0; i < count; ++i) out.line[i] = first_line + rows.lines[i];
  read_flags(rows, out);
  read_words(plan_->activity, activities_, rows, Reason::unknown_activity, out.activity, out);
  read_words(plan_->source, sources_, rows, Reason::unknown_source, out.source, out);
  read_words(plan_->region, regions_, rows, Reason::unknown_region, out.region, out);
  read_persons(rows, out);
  read_events(rows, out);
  read_objects(rows, out);
  read_times(start_, rows, true, out.start_ms, out);
  read_times(end_, rows, false, out.end_ms, out);
  if (plan_->duration.given()) read_duration(rows, out);
  read_evidence(rows, out);
  if (plan_->from.given()) read_positions(rows, out);
  read_quantities(rows, out);
  if (profile_.checks.moved_min || profile_.checks.path_ratio_max) check_ways(out);
}

// Rows of other kinds (section headings, totals) are no records.
void RecordBuilder::drop_other_rows(Table& table) const {
  const auto wanted = [&](std::size_t row) {
    const std::string_view text = table.at(std::size_t(plan_->only_rows_slot), row);
    return std::find(profile_.only_rows->equals.begin(), profile_.only_rows->equals.end(), text) != profile_.only_rows->equals.end();
  };
  std::size_t kept = 0;
  for (std::size_t row = 0; row < table.rows; ++row) {
    if (!wanted(row) && !table.columns[std::size_t(plan_->only_rows_slot)][row].is_absent()) continue;
    for (auto& column : table.columns) column[kept] = column[row];
    table.lines[kept] = table.lines[row];
    table.reasons[kept++] = table.reasons[row];
  }
  table.rows = kept;
}

const Table& RecordBuilder::unpivot(const Table& table) {
  const Unpivot& unpivot = *profile_.unpivot;
  const std::size_t cells = plan_->unpivoted.size();
  unpivoted_.reserve(table.rows * cells, plan_->columns.size());
  unpivoted_.texts = table.texts;
  unpivoted_.texts.resize(plan_->columns.size());
  for (const int slot : {plan_->name_slot, plan_->index_slot, plan_->column_slot}) unpivoted_.texts[std::size_t(slot)] = labels_.data();
  unpivoted_.texts[std::size_t(plan_->value_slot)] = table.texts[std::size_t(plan_->unpivoted.front())];
  std::size_t out = 0;
  for (std::size_t row = 0; row < table.rows; ++row) {
    for (std::size_t cell = 0; cell < cells; ++cell) {
      const auto slot = std::size_t(plan_->unpivoted[cell]);
      const bool bad = table.reasons[row] != Reason::none;
      if (bad && cell > 0) break;  // a broken row is one record
      if (!bad && !unpivot.keep_empty && is_null(table.at(slot, row))) continue;
      for (std::size_t column = 0; column < table.columns.size(); ++column) unpivoted_.columns[column][out] = table.columns[column][row];
      core::invariant(table.texts[slot] == unpivoted_.texts[std::size_t(plan_->value_slot)], "unpivoted cells lie in one text");
      unpivoted_.columns[std::size_t(plan_->value_slot)][out] = table.columns[slot][row];
      unpivoted_.columns[std::size_t(plan_->name_slot)][out] = label_fields_[cell];
      unpivoted_.columns[std::size_t(plan_->index_slot)][out] = index_fields_[cell];
      unpivoted_.columns[std::size_t(plan_->column_slot)][out] = column_fields_[cell];
      unpivoted_.lines[out] = table.lines[row];
      unpivoted_.reasons[out++] = table.reasons[row];
    }
  }
  unpivoted_.rows = out;
  return unpivoted_;
}

bool RecordBuilder::is_null(std::string_view text) const {
  if (text.empty()) return true;
  return std::find(profile_.null_words.begin(), profile_.null_words.end(), text) != profile_.null_words.end();
}

bool RecordBuilder::refused(const TextPlan& plan, std::string_view text) const {
  if (is_null(text)) return true;
  return std::any_of(plan.from->refuse.begin(), plan.from->refuse.end(),
                     [&](const auto& pattern) { return matches_pattern(text, pattern); });
}

std::string_view RecordBuilder::joined(const TextPlan& plan, const Table& table, std::size_t row, Joined how) {
  if (plan.constant) return *plan.constant;
  if (plan.slots.size() == 1) {
    const std::string_view text = table.at(std::size_t(plan.slots.front()), row);
    return refused(plan, text) ? std::string_view{} : text;
  }
  scratch_.clear();
  std::size_t present = 0;
  for (std::size_t part = 0; part < plan.slots.size(); ++part) {
    const std::string_view text = table.at(std::size_t(plan.slots[part]), row);
    const bool there = !refused(plan, text);
    if (!there && how == Joined::all_parts) return {};
    if (part > 0) scratch_ += plan.from->joiner;
    if (there) scratch_ += text;
    present += there;
  }
  return present == 0 ? std::string_view{} : std::string_view(scratch_);
}

void RecordBuilder::read_flags(const Table& table, RecordBatch& out) const {
  const auto says = [](const std::vector<std::string>& words, std::string_view text) {
    return std::find(words.begin(), words.end(), text) != words.end();
  };
  if (plan_->consent.given()) {
    for (std::size_t i = 0; i < table.rows; ++i) {
      const bool yes = says(profile_.consent_yes, plan_->consent.constant ? std::string_view(*plan_->consent.constant)
                                                                          : table.at(std::size_t(plan_->consent.slots.front()), i));
      if (!yes) refuse(out.reason[i], Reason::no_consent);
    }
  }
  out.reversal.clear();
  if (plan_->reversal.slots.empty()) return;
  out.reversal.resize(table.rows);
  for (std::size_t i = 0; i < table.rows; ++i)
    out.reversal[i] = says(profile_.reversal_yes, table.at(std::size_t(plan_->reversal.slots.front()), i));
}

void RecordBuilder::read_words(const TextPlan& plan, WordCache& cache, const Table& table, Reason unknown,
                               std::vector<std::uint16_t>& column, RecordBatch& out) {
  column.resize(table.rows);
  if (plan.slots.empty()) {  // constant, or the run's default
    const auto word = std::uint16_t(cache.find(plan.constant ? std::string_view(*plan.constant) : std::string_view(kEmpty, 0)));
    std::fill(column.begin(), column.end(), word);
    if (word == Names::kUnknown) {
      for (Reason& reason : out.reason) refuse(reason, unknown);
    }
    return;
  }
  if (plan.slots.size() == 1 && profile_.null_words.empty() && plan.from->refuse.empty()) {
    const auto slot = std::size_t(plan.slots.front());
    for (std::size_t i = 0; i < table.rows; ++i) {
      column[i] = std::uint16_t(cache.find(table.at(slot, i)));
      if (column[i] == Names::kUnknown) refuse(out.reason[i], unknown);
    }
    return;
  }
  for (std::size_t i = 0; i < table.rows; ++i) {
    const std::string_view text = joined(plan, table, i, Joined::any_part);
    column[i] = std::uint16_t(cache.find(text.empty() ? std::string_view(kEmpty, 0) : text));
    if (column[i] == Names::kUnknown) refuse(out.reason[i], unknown);
  }
}

void RecordBuilder::read_persons(const Table& table, RecordBatch& out) {
  out.person.resize(table.rows);
  if (plan_->person.plain() && profile_.null_words.empty()) {
    const auto slot = std::size_t(plan_->person.slots.front());
    for (std::size_t i = 0; i < table.rows; ++i) {
      const std::string_view id = table.at(slot, i);
      out.person[i] = context_.secret->person(id);
      if (id.empty()) refuse(out.reason[i], Reason::missing_person);
    }
    return;
  }
  for (std::size_t i = 0; i < table.rows; ++i) {
    const std::string_view id = joined(plan_->person, table, i, Joined::all_parts);
    out.person[i] = context_.secret->person(id);
    if (id.empty()) refuse(out.reason[i], Reason::missing_person);
  }
}

void RecordBuilder::read_events(const Table& table, RecordBatch& out) {
  out.event.resize(table.rows);
  const auto seed = [&](std::size_t i) { return out.source[i] == Names::kUnknown ? 0 : context_.names->source_seed(out.source[i]); };
  if (plan_->event.plain() && profile_.null_words.empty() && !profile_.unpivot) {
    const auto slot = std::size_t(plan_->event.slots.front());
    for (std::size_t i = 0; i < table.rows; ++i) {
      const std::string_view id = table.at(slot, i);
      out.event[i] = core::event_key(seed(i), id);
      if (id.empty()) refuse(out.reason[i], Reason::missing_event);
    }
    return;
  }
  std::string id;
  for (std::size_t i = 0; i < table.rows; ++i) {
    id = joined(plan_->event, table, i, Joined::any_part);
    if (id.empty()) refuse(out.reason[i], Reason::missing_event);
    if (profile_.unpivot) id.append("\x1F").append(table.at(std::size_t(plan_->column_slot), i));  // each cell is an act of its own
    out.event[i] = core::event_key(seed(i), id);
  }
}

void RecordBuilder::read_objects(const Table& table, RecordBatch& out) {
  out.object.clear();
  if (!plan_->object.given()) return;
  out.object.resize(table.rows);
  for (std::size_t i = 0; i < table.rows; ++i) {
    const std::string_view id = joined(plan_->object, table, i, Joined::all_parts);
    out.object[i] = id.empty() ? 0 : core::event_key(kObjectSeed, id);
  }
}

void RecordBuilder::read_times(Times& times, const Table& table, bool must, std::vector<core::Millis>& column, RecordBatch& out) {
  column.resize(table.rows);
  const TextPlan& plan = times.plan->text;
  if (!plan.given()) {
    std::fill(column.begin(), column.end(), kMissing);
    return;
  }
  if (plan.plain() && profile_.null_words.empty() && !times.plan->plus.given()) {
    const auto slot = std::size_t(plan.slots.front());
    for (std::size_t i = 0; i < table.rows; ++i) {
      const std::string_view text = table.at(slot, i);
      column[i] = times.reader.read(text);
      if (column[i] == kMissing && (must || !text.empty())) refuse(out.reason[i], Reason::bad_time);
    }
    return;
  }
  TableWords& words = must ? start_plus_words_ : end_plus_words_;
  for (std::size_t i = 0; i < table.rows; ++i) {
    const std::string_view text = joined(plan, table, i, Joined::all_parts);
    column[i] = times.reader.read(text);
    if (column[i] == kMissing) {
      if (must || !text.empty()) refuse(out.reason[i], Reason::bad_time);
    } else if (times.plan->plus.given()) {
      Reason problem = Reason::none;
      const NumberFrom& from = *times.plan->plus.from;
      core::Factor factor = from.unit.empty() ? core::Factor{} : find_unit(from.unit)->factor;
      factor.numerator *= 1000 * times.plan->from->plus_times;
      const auto more = number(times.plan->plus, words, table, i, factor, problem);
      if (!more || __builtin_add_overflow(column[i], *more, &column[i]) || !is_time(column[i])) refuse(out.reason[i], Reason::bad_time);
    }
  }
}

void RecordBuilder::read_duration(const Table& table, RecordBatch& out) {
  const NumberFrom& from = *plan_->duration.from;
  for (std::size_t i = 0; i < table.rows; ++i) {
    if (out.start_ms[i] == kMissing) continue;
    Reason problem = Reason::none;
    core::Factor factor = from.unit.empty() ? core::Factor{} : find_unit(from.unit)->factor;
    if (plan_->duration.unit_slot != kNoSlot) {
      const std::string_view text = table.at(std::size_t(plan_->duration.unit_slot), i);
      const auto unit = find_unit(text);
      if (!unit || unit->base != "s")
        problem = Reason::other_unit;
      else
        factor = unit->factor;
    }
    factor.numerator *= 1000;
    const auto length = number(plan_->duration, duration_words_, table, i, factor, problem);
    if (problem == Reason::missing_quantity) continue;  // the end is not known
    if (problem != Reason::none || !length || __builtin_add_overflow(out.start_ms[i], *length, &out.end_ms[i]) || !is_time(out.end_ms[i]))
      refuse(out.reason[i], Reason::bad_time);
  }
}

void RecordBuilder::read_evidence(const Table& table, RecordBatch& out) {
  out.evidence.resize(table.rows);
  const auto& sources = context_.names->sources();
  for (std::size_t i = 0; i < table.rows; ++i)
    out.evidence[i] = out.source[i] == Names::kUnknown ? Evidence::declared : sources[out.source[i]].evidence;
  if (!plan_->evidence.given()) return;
  for (std::size_t i = 0; i < table.rows; ++i) {
    const std::string_view text = joined(plan_->evidence, table, i, Joined::all_parts);
    if (text.empty()) continue;
    // A word that is not known says nothing better than that a person declared it.
    const std::uint32_t word = evidences_.find(text);
    out.evidence[i] = word == kNoWord ? Evidence::declared : Evidence(word);
  }
}

std::optional<Position> RecordBuilder::position(const PositionPlan& plan, const Table& table, std::size_t row, Reason& problem) const {
  if (plan.station == kNoSlot)
    return activity::read_position(table.at(std::size_t(plan.latitude), row), table.at(std::size_t(plan.longitude), row));
  const std::string_view station = table.at(std::size_t(plan.station), row);
  if (is_null(station)) return std::nullopt;
  const auto found = plan_->stations->find(std::string(station));
  if (found != plan_->stations->end()) return found->second;
  problem = Reason::unknown_station;
  return std::nullopt;
}

void RecordBuilder::read_positions(const Table& table, RecordBatch& out) {
  straight_millimetres_.assign(table.rows, kMissing);
  std::optional<std::pair<Position, Position>> box;
  if (profile_.checks.box)
    box = {*activity::read_position(profile_.checks.box->south, profile_.checks.box->west),
           *activity::read_position(profile_.checks.box->north, profile_.checks.box->east)};
  const auto outside = [&](const std::optional<Position>& at) {
    return box && at &&
           (at->latitude < box->first.latitude || at->latitude > box->second.latitude || at->longitude < box->first.longitude ||
            at->longitude > box->second.longitude);
  };
  for (std::size_t i = 0; i < table.rows; ++i) {
    Reason problem = Reason::none;
    const auto from = position(plan_->from, table, i, problem);
    const auto to = plan_->to.given() ? position(plan_->to, table, i, problem) : std::nullopt;
    if (outside(from) || outside(to)) problem = Reason::position_out_of_range;
    if (problem != Reason::none) refuse(out.reason[i], problem);
    if (!from || !to) continue;
    straight_millimetres_[i] = distance_millimetres(*from, *to);
  }
}

std::optional<std::int64_t> RecordBuilder::number(const NumberPlan& plan, TableWords& words, const Table& table, std::size_t row,
                                                  core::Factor factor, Reason& problem) {
  const std::string_view text = plan.constant ? std::string_view(*plan.constant) : table.at(std::size_t(plan.slot), row);
  if (is_null(text)) {
    problem = Reason::missing_quantity;
    return std::nullopt;
  }
  std::optional<std::int64_t> value;
  if (words.cache) {
    const std::uint32_t word = words.cache->find(text);
    if (word == kNoWord) {  // the table has no number for it
      problem = Reason::missing_quantity;
      return std::nullopt;
    }
    value = core::scale_to_whole(*words.values[word], factor);
  } else {
    value = read_number(text, plan.constant ? NumberFormat{} : profile_.numbers, factor);
  }
  if (!value) problem = Reason::bad_number;
  return value;
}

void RecordBuilder::read_quantities(const Table& table, RecordBatch& out) {
  out.quantity.assign(table.rows, kMissing);
  for (std::size_t k = 0; k < kExtraQuantities; ++k) {
    out.extra[k].clear();
    if (k < plan_->extras) out.extra[k].assign(table.rows, kMissing);
  }
  for (std::size_t q = 0; q < plan_->quantities.size(); ++q) read_quantity(q, table, out);
}

void RecordBuilder::read_quantity(std::size_t index, const Table& table, RecordBatch& out) {
  const QuantityPlan& plan = plan_->quantities[index];
  TableWords& words = quantity_words_[index];
  constexpr std::int64_t factor_max = 1'000'000'000;  // times eight digits stays in int64
  const bool plain = plan.number.slot != kNoSlot && !words.cache && profile_.null_words.empty();
  for (std::size_t i = 0; i < table.rows; ++i) {
    if (out.activity[i] == Names::kUnknown) continue;
    const QuantityPlan::Target& target = plan.targets[out.activity[i]];
    if (target.slot < 0) continue;
    Reason problem = target.unit_fits ? Reason::none : Reason::other_unit;
    std::optional<std::int64_t> value;
    if (plan.between_positions) {
      if (straight_millimetres_[i] != kMissing) {
        value = core::scale_to_whole({straight_millimetres_[i], 3}, plan.detour);
      }
    } else {
      core::Factor factor = target.factor;
      if (plan.number.unit_slot != kNoSlot) {
        const std::string_view word = table.at(std::size_t(plan.number.unit_slot), i);
        if (!word.empty()) {
          const std::uint32_t unit = units_.find(word);
          if (unit == kNoWord || known_units_[unit].base != target.base)
            problem = Reason::other_unit;
          else
            factor = known_units_[unit].factor;
        }
      }
      const std::string_view text = plain ? table.at(std::size_t(plan.number.slot), i) : std::string_view{};
      const std::int64_t small = plain ? read_small_whole(text.data(), text.size()) : -1;
      if (small >= 0 && factor.denominator == 1 && factor.numerator <= factor_max) [[likely]]
        value = small * factor.numerator;
      else
        value = number(plan.number, words, table, i, factor, problem);
      // Which quantities an act must have is its methodology's affair: entry taps and some acts have none.
      if (problem == Reason::missing_quantity) problem = Reason::none;
    }
    if (problem != Reason::none) refuse(out.reason[i], problem);
    std::int64_t& place = (target.slot == 0 ? out.quantity : out.extra[std::size_t(target.slot - 1)])[i];
    if (value && place == kMissing) place = *value;  // "quantity" goes before a column that names the same quantity
  }
}

// A way may wind and may return to where it began, but it leads somewhere, and not without limit: a track that is many times the
// straight line has jumped.
void RecordBuilder::check_ways(RecordBatch& out) const {
  const auto metres = [](const std::optional<std::string>& text) { return text ? *read_number(*text, {}, {}) : 0; };
  const std::int64_t moved_min = metres(profile_.checks.moved_min), ratio_from = metres(profile_.checks.path_ratio_from);
  const auto ratio = profile_.checks.path_ratio_max ? core::parse_decimal(*profile_.checks.path_ratio_max) : std::nullopt;
  for (std::size_t i = 0; i < out.reason.size(); ++i) {
    if (out.activity[i] == Names::kUnknown || straight_millimetres_[i] == kMissing) continue;
    const bool recorded = out.quantity[i] != kMissing && context_.names->activities()[out.activity[i]].quantities.front().unit == "m";
    const std::int64_t straight = straight_millimetres_[i] / 1000;
    if (straight < moved_min && (!recorded || out.quantity[i] < moved_min)) refuse(out.reason[i], Reason::not_moved);
    if (!ratio || !recorded || out.quantity[i] <= ratio_from) continue;
    const auto most = core::scale_to_whole(*ratio, {straight, 1});
    if (most && out.quantity[i] > *most) refuse(out.reason[i], Reason::path_jumps);
  }
}

}  // namespace tanhui::activity
