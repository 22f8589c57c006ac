#include "activity/person_stage.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <unordered_map>

#include "core/invariant.h"

namespace tanhui::activity {
namespace {

constexpr std::size_t kGatherMax = std::size_t{4} << 20;  // rows of a partition; more means somebody has far too many

// Least significant digit first, 11 bits at a time: cheap for a partition that fits the cache.
void radix_sort(auto& items, auto& scratch) {
  constexpr unsigned kBits = 11, kPasses = 6;
  scratch.resize(items.size());
  for (unsigned pass = 0; pass < kPasses; ++pass) {
    const unsigned shift = pass * kBits;
    std::array<std::uint32_t, 1U << kBits> count{};
    for (const auto& item : items) ++count[item.key >> shift & ((1U << kBits) - 1)];
    if (!items.empty() && count[items.front().key >> shift & ((1U << kBits) - 1)] == items.size()) continue;  // all the same digit
    std::uint32_t sum = 0;
    for (std::uint32_t& entry : count) sum += std::exchange(entry, sum);
    for (const auto& item : items) scratch[count[item.key >> shift & ((1U << kBits) - 1)]++] = item;
    items.swap(scratch);
  }
}

}  // namespace

PersonStage::PersonStage(const StageInput& input, core::Zone zone, AssetBook& assets)
    : input_(input),
      zone_(std::move(zone)),
      assets_(assets, input.rules->categories()),
      reconciler_(input.rules->rules()),
      has_object_(input.fresh_layout.object || input.earlier != nullptr),
      extras_(input.earlier != nullptr ? kExtraQuantities : input.fresh_layout.extras),
      crediting_(input.rules->rules(), input.points,
                 [this](const Act& act, std::int64_t quantity) { return quantify_one(act, quantity); }) {
  for (const ActRule& rule : input.rules->rules()) {
    any_parts_ |= rule.part != Part::whole;
    any_objects_ |= rule.part != Part::reading && rule.collision.scope == Collision::Scope::object;
  }
}

PartitionResult PersonStage::run(std::size_t partition) {
  PartitionResult result(*input_.empty_tally);
  row_days_.clear();
  fresh_.layout = input_.fresh_layout;
  gather(*input_.fresh, partition, fresh_, result);
  reserve(result, fresh_.size());
  earlier_.count = 0;
  if (input_.earlier != nullptr) {
    earlier_.layout = input_.earlier_layout;
    gather(*input_.earlier, partition, earlier_, result);
  }
  settle_everybody(result);
  by_day(result);
  return result;
}

PartitionResult PersonStage::run(std::span<const std::uint64_t> fresh, std::span<const std::uint64_t> earlier) {
  PartitionResult result(*input_.empty_tally);
  row_days_.clear();
  take(fresh, input_.fresh_layout, fresh_);
  take(earlier, input_.earlier_layout, earlier_);
  settle_everybody(result);
  return result;
}

void PersonStage::take(std::span<const std::uint64_t> words, const Layout& layout, Gathered& into) {
  into.layout = layout;
  into.words.assign(words.begin(), words.end());
  into.count = words.size() / layout.words();
  mark_repeated(into);
  quantify_all(into);
}

void PersonStage::settle_everybody(PartitionResult& result) {
  std::size_t fresh_at = 0, earlier_at = 0;
  while (fresh_at < fresh_.size() || earlier_at < earlier_.size()) {
    const bool any_fresh = fresh_at < fresh_.size(), any_earlier = earlier_at < earlier_.size();
    const core::PersonKey* fresh_person = any_fresh ? &fresh_.at(fresh_at).row().person : nullptr;
    const core::PersonKey* earlier_person = any_earlier ? &earlier_.at(earlier_at).row().person : nullptr;
    if (any_earlier && (!any_fresh || *earlier_person < *fresh_person) && !anything_new(*earlier_person, earlier_at)) {
      const core::PersonKey passed = *earlier_person;
      while (earlier_at < earlier_.size() && earlier_.at(earlier_at).row().person == passed) ++earlier_at;
      continue;
    }
    const core::PersonKey key = !any_earlier || (any_fresh && *fresh_person < *earlier_person) ? *fresh_person : *earlier_person;
    person(key, fresh_at, earlier_at, result);
  }
}

// About somebody without a new record.
bool PersonStage::anything_new(const core::PersonKey& person, std::size_t earlier_at) const {
  if (input_.who == StageInput::Who::everybody || input_.verdicts.concerns(person)) return true;
  for (std::size_t at = earlier_at;
       input_.who == StageInput::Who::corrected && at < earlier_.size() && earlier_.at(at).row().person == person; ++at) {
    if (earlier_.at(at).row().corrected()) return true;
  }
  return false;
}

void PersonStage::gather(const Shuffle& shuffle, std::size_t partition, Gathered& into, PartitionResult& result) {
  const std::size_t words_per_row = into.layout.words();
  into.words.clear();
  into.order.clear();
  const std::size_t rows = shuffle.rows(partition);
  std::unordered_map<std::uint64_t, std::size_t> count;  // only for a partition that is far too large
  if (rows > kGatherMax) {
    shuffle.each_block(partition, [&](const std::uint64_t* words, std::size_t in_block) {
      for (std::size_t i = 0; i < in_block; ++i, words += words_per_row) ++count[words[1]];
    });
  }
  into.words.reserve(count.empty() ? rows * words_per_row : 0);
  shuffle.each_block(partition, [&](const std::uint64_t* words, std::size_t in_block) {
    if (count.empty()) {
      into.words.insert(into.words.end(), words, words + in_block * words_per_row);
      return;
    }
    for (std::size_t i = 0; i < in_block; ++i, words += words_per_row) {
      if (count[words[1]] <= kRecordsOfPersonMax || into.layout.booked) {
        into.words.insert(into.words.end(), words, words + words_per_row);
        continue;
      }
      const Row& row = *reinterpret_cast<const Row*>(words);
      result.tally.count(Outcome::held, Reason::too_many_records);
      ++result.tally.cell(row.activity(), row.source()).records;
      if (input_.note_lines) result.noted.push_back({row.line, 0, 0, Outcome::held, Reason::too_many_records});
    }
  });
  sort(into);
  mark_repeated(into);
  quantify_all(into);
}

// By person, then start. The key holds 32 bits of the person below the partition's and the start in seconds; people who share those 32
// bits are told apart afterwards.
void PersonStage::sort(Gathered& rows) {
  const std::size_t words_per_row = rows.layout.words();
  const std::size_t count = rows.words.size() / words_per_row;
  const auto row = [&](std::uint32_t index) -> const Row& {
    return *reinterpret_cast<const Row*>(rows.words.data() + index * words_per_row);
  };
  std::uint64_t first_second = ~std::uint64_t{0};
  for (std::uint32_t i = 0; i < count; ++i) first_second = std::min(first_second, (row(i).when >> 20) / 1000);
  rows.order.resize(count);
  rows.count = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t second = std::min<std::uint64_t>((row(i).when >> 20) / 1000 - first_second, 0xFFFFFFFF);
    rows.order[i] = {(row(i).person.high >> 24 & 0xFFFFFFFF) << 32 | second, i};
  }
  radix_sort(rows.order, sort_scratch_);
  for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
    bool mixed = false;
    for (end = begin; end < count && rows.order[end].key >> 32 == rows.order[begin].key >> 32; ++end) {
      mixed |= row(rows.order[end].index).person != row(rows.order[begin].index).person;
    }
    if (!mixed) continue;
    std::stable_sort(rows.order.begin() + std::ptrdiff_t(begin), rows.order.begin() + std::ptrdiff_t(end),
                     [&](const SortKey& a, const SortKey& b) { return row(a.index).person < row(b.index).person; });
  }
  // Everything after this walks the rows in their order: one pass of scattered reads now instead of one for each step.
  reordered_.resize(rows.words.size());
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(reordered_.data() + i * words_per_row, rows.words.data() + rows.order[i].index * words_per_row, 8 * words_per_row);
  }
  rows.words.swap(reordered_);
  rows.count = count;
}

void PersonStage::mark_repeated(Gathered& rows) const {
  constexpr std::size_t ahead = 16;  // far enough for the memory to answer meanwhile
  rows.repeated.assign(rows.size(), 1);
  if (input_.repeated == nullptr) return;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + ahead < rows.size()) input_.repeated->expect(rows.at(i + ahead).row().event);
    rows.repeated[i] = input_.repeated->holds(rows.at(i).row().event) ? 1 : 0;
  }
}

// Rule by rule, so that each method runs over columns.
void PersonStage::quantify_all(Gathered& rows) {
  const std::size_t count = rows.size();
  rows.milligrams.assign(count, 0);
  const std::span<const ActRule> rules = input_.rules->rules();
  std::vector<std::uint32_t> starts(rules.size() + 1, 0), positions(count);
  for (std::size_t i = 0; i < count; ++i) ++starts[rows.at(i).row().rule + std::size_t{1}];
  for (std::size_t rule = 0; rule < rules.size(); ++rule) starts[rule + 1] += starts[rule];
  std::vector<std::uint32_t> next(starts.begin(), starts.end() - 1);
  for (std::size_t i = 0; i < count; ++i) positions[next[rows.at(i).row().rule]++] = std::uint32_t(i);
  std::array<std::vector<std::int64_t>, kQuantities> columns;
  std::vector<std::int64_t> results;
  for (std::size_t rule = 0; rule < rules.size(); ++rule) {
    const std::span<const std::uint32_t> mine(positions.data() + starts[rule], starts[rule + 1] - starts[rule]);
    if (mine.empty() || rules[rule].part == Part::entry || rules[rule].part == Part::reading) continue;
    const std::size_t width = std::min(input_.rules->quantities(std::uint16_t(rule)), kQuantities);
    std::array<std::span<const std::int64_t>, kQuantities> spans;
    for (std::size_t column = 0; column < width; ++column) {
      if (column > rows.layout.extras) continue;  // nobody sent it: the method's default
      columns[column].resize(mine.size());
      for (std::size_t i = 0; i < mine.size(); ++i) columns[column][i] = rows.at(mine[i]).quantity(column);
      spans[column] = columns[column];
    }
    results.resize(mine.size());
    input_.rules->quantify(std::uint16_t(rule), std::span(spans).first(width), results);
    for (std::size_t i = 0; i < mine.size(); ++i) rows.milligrams[mine[i]] = results[i];
  }
}

std::int64_t PersonStage::quantify_one(const Act& act, std::int64_t quantity) {
  const Gathered& rows = rows_of(act);
  const std::size_t width = std::min(input_.rules->quantities(act.rule), kQuantities);
  std::array<std::int64_t, kQuantities> values;
  std::array<std::span<const std::int64_t>, kQuantities> spans;
  for (std::size_t column = 0; column < width; ++column) {
    if (column > rows.layout.extras) continue;
    values[column] = column == input_.rules->rules()[act.rule].main ? quantity : rows.at(act.index).quantity(column);
    spans[column] = {&values[column], 1};
  }
  std::int64_t milligrams = 0;
  input_.rules->quantify(act.rule, std::span(spans).first(width), {&milligrams, 1});
  return milligrams;
}

Act act_of(const RowView& view, const ActRule& rule, std::uint8_t source_priority, const core::Zone& zone, bool earlier) {
  const Row& row = view.row();
  Act act;
  act.start_ms = row.start_ms();
  act.end_ms = act.start_ms + row.duration_ms();
  act.event = row.event;
  act.object = view.object();
  const std::int64_t quantity = view.quantity(rule.main);
  act.quantity = quantity == kMissing ? 0 : quantity;
  act.day = zone.local_day(act.start_ms);
  act.line = earlier ? 0 : row.line;
  act.rule = row.rule;
  act.source = row.source();
  act.priority = source_priority;
  act.evidence = row.evidence();
  act.earlier = earlier;
  act.reversal = row.reversal();
  return act;
}

Reason refused_now(const RowView& view, const ActRule& rule) {
  const Row& row = view.row();
  if (row.reversal() || rule.part != Part::whole) return Reason::none;  // judged as part of what they complete
  Quantities quantities;
  for (std::size_t i = 0; i < kQuantities; ++i) quantities[i] = view.quantity(i);
  return implausible(quantities, row.has_end() ? row.duration_ms() : kMissing, rule);
}

Act PersonStage::act_at(const Gathered& rows, std::size_t position, bool earlier) const {
  const RowView view = rows.at(position);
  Act act = act_of(view, input_.rules->rules()[view.row().rule], input_.priorities[view.row().source()], zone_, earlier);
  act.index = std::uint32_t(position);
  act.repeated = rows.repeated[position] != 0;
  return act;
}

void PersonStage::person(const core::PersonKey& person, std::size_t& fresh_at, std::size_t& earlier_at, PartitionResult& result) {
  acts_.clear();
  booked_.clear();
  for (; earlier_at < earlier_.size() && earlier_.at(earlier_at).row().person == person; ++earlier_at) {
    acts_.push_back(act_at(earlier_, earlier_at, true));
    acts_.back().booking = std::uint32_t(booked_.size());
    booked_.push_back(earlier_.at(earlier_at).booked());
  }
  fold_revisions();
  const std::size_t first_fresh = fresh_at;
  for (; fresh_at < fresh_.size() && fresh_.at(fresh_at).row().person == person; ++fresh_at) {
    acts_.push_back(act_at(fresh_, fresh_at, false));
  }
  // The filter only knows new keys; earlier records may repeat each other too.
  if (!booked_.empty()) {
    for (Act& act : acts_) act.repeated = true;
  }
  if (fresh_at - first_fresh > kRecordsOfPersonMax) {
    std::erase_if(acts_, [](const Act& act) { return act.earlier; });
    for (Act& act : acts_) act.decide(Outcome::held, Reason::too_many_records);
  } else {
    if (!std::is_sorted(acts_.begin(), acts_.end(), in_order)) std::sort(acts_.begin(), acts_.end(), in_order);
    settle(person);
  }
  book(person, result);
}

// A record and its adjustments stand as several rows in the journal; together they are what is booked for it now.
void PersonStage::fold_revisions() {
  if (acts_.size() < 2) return;
  std::sort(acts_.begin(), acts_.end(), in_order);
  std::size_t kept = 0;
  for (std::size_t i = 1; i < acts_.size(); ++i) {
    const Act& act = acts_[i];
    Act& before = acts_[kept];
    if (act.event != before.event || act.reversal != before.reversal || act.start_ms != before.start_ms || act.end_ms != before.end_ms ||
        act.quantity != before.quantity) {
      acts_[++kept] = act;
      continue;
    }
    const Booked& later = booked_[act.booking];
    Booked& sum = booked_[before.booking];
    const bool newer = later.revision > sum.revision;
    sum = {core::add_or_throw(sum.milligrams, later.milligrams),
           sum.points + later.points,
           std::max(sum.revision, later.revision),
           newer ? later.outcome : sum.outcome,
           newer ? later.reason : sum.reason,
           newer ? later.winner : sum.winner};
  }
  acts_.resize(kept + 1);
}

void PersonStage::settle(const core::PersonKey& person) {
  for (Act& act : acts_) {
    const Reason refused = act.earlier ? refused_now(earlier_.at(act.index), input_.rules->rules()[act.rule]) : Reason::none;
    if (refused != Reason::none) act.decide(refusal_outcome(refused), refused);
    if (act.earlier && act.open() && !input_.off.empty() && input_.off[act.rule]) act.decide(Outcome::rejected, Reason::no_methodology);
  }
  reconciler_.settle_repeats(acts_);  // before anything else: which repetition is known must not depend on what became of the first
  for (Act& act : acts_) {
    if (!act.earlier || !act.open()) continue;
    const Booked& booked = booked_[act.booking];
    if (stands(act, booked)) act.decide(booked.outcome, booked.reason, booked.winner);
    if (input_.window.of(act.day) >= Window::Place::inner) continue;
    // Too far out to change: context only.
    const bool loses = booked.outcome == Outcome::duplicate || booked.outcome == Outcome::held ||
                       (booked.outcome == Outcome::rejected && booked.reason != Reason::no_baseline);
    if (loses && act.open()) act.decide(booked.outcome, booked.reason, booked.winner);
  }
  if (!input_.verdicts.empty()) apply_verdicts(person);
  reconciler_.settle_reversals(acts_);
  if (!input_.verdicts.meter_days.empty()) lose_meter_days(person);
  if (any_objects_) settle_objects();
  if (any_parts_) {
    pair_taps(acts_, input_.rules->rules());
    save_from_readings(acts_, input_.rules->rules());
    std::sort(acts_.begin(), acts_.end(), in_order);  // a ride starts at its entry tap
  }
  reconciler_.settle_collisions(acts_);
  for (Act& act : acts_) {
    if (!act.open()) continue;
    const bool reading = input_.rules->rules()[act.rule].part == Part::reading;
    act.milligrams = reading ? quantify_one(act, act.quantity) : rows_of(act).milligrams[act.index];
  }
  crediting_.run(acts_);
}

// What a record lost to may be another person's, or lie beyond the days in view: then it stays where it is, unless this run judged the key
// again. (Days on which new records' keys occur are always in view.)
bool PersonStage::stands(const Act& act, const Booked& booked) const {
  const auto nobody = [&](auto&& is) { return std::none_of(acts_.begin(), acts_.end(), is); };
  if (act.reversal) return nobody([&](const Act& other) { return other.event == act.event && !other.reversal; });
  switch (booked.reason) {
    case Reason::event_reused:
      return !input_.verdicts.event_owner.contains(act.event);
    case Reason::same_object:
      return !input_.verdicts.judged_objects.contains(claim_key(act.object, input_.rules->rules()[act.rule], act.day)) &&
             nobody([&](const Act& other) { return other.event == booked.winner; });
    case Reason::reversed:
      return nobody([&](const Act& other) { return other.event == act.event && other.reversal; });
    case Reason::same_event:
      return nobody([&](const Act& other) {
        const bool lost_too = other.earlier && booked_[other.booking].reason == Reason::same_event;
        return other.event == act.event && !other.reversal && !lost_too;
      });
    default:
      return false;
  }
}

void PersonStage::apply_verdicts(const core::PersonKey& person) {
  const Verdicts& verdicts = input_.verdicts;
  for (Act& act : acts_) {
    if (!act.open()) continue;
    const auto owner = verdicts.event_owner.find(act.event);
    if (owner != verdicts.event_owner.end() && owner->second != person) {
      act.decide(Outcome::held, Reason::event_reused);
      continue;
    }
    const auto lost = act.reversal ? verdicts.lost_object.end() : verdicts.lost_object.find(act.event);
    if (lost != verdicts.lost_object.end()) act.decide(Outcome::duplicate, Reason::same_object, lost->second);
  }
}

// Readings of days that are somebody else's. Those that were taken back are not among them: nobody lost what he did not claim.
void PersonStage::lose_meter_days(const core::PersonKey& person) {
  for (Act& act : acts_) {
    const ActRule& rule = input_.rules->rules()[act.rule];
    if (!act.open() || rule.part != Part::reading) continue;
    const auto day = input_.verdicts.meter_days.find({claim_key(act.object, rule, act.day), rule.collision.group});
    if (day != input_.verdicts.meter_days.end() && day->second.owner != person)
      act.decide(Outcome::duplicate, Reason::same_object, day->second.event);
  }
}

// Objects that only this person reports.
void PersonStage::settle_objects() {
  const std::span<const ActRule> rules = input_.rules->rules();
  object_order_.clear();
  for (std::uint32_t i = 0; i < acts_.size(); ++i) {
    const ActRule& rule = rules[acts_[i].rule];
    if (acts_[i].open() && acts_[i].object != 0 && rule.part != Part::reading && rule.collision.scope == Collision::Scope::object) {
      object_order_.push_back(i);
    }
  }
  const auto key = [&](std::uint32_t i) { return std::tuple(acts_[i].object, rules[acts_[i].rule].collision.group); };
  std::sort(object_order_.begin(), object_order_.end(), [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
  for (std::size_t begin = 0, end = 0; begin < object_order_.size(); begin = end) {
    object_acts_.clear();
    for (end = begin; end < object_order_.size() && key(object_order_[end]) == key(object_order_[begin]); ++end) {
      object_acts_.push_back(acts_[object_order_[end]]);
    }
    if (object_acts_.size() < 2) continue;
    settle_object(object_acts_, rules);
    for (const Act& settled : object_acts_) {
      if (settled.open()) continue;
      for (std::size_t i = begin; i < end; ++i) {
        Act& act = acts_[object_order_[i]];
        if (act.index == settled.index && act.earlier == settled.earlier) act.decide(settled.outcome, settled.reason, settled.winner);
      }
    }
  }
}

void PersonStage::book(const core::PersonKey& person, PartitionResult& result) {
  person_deltas_.clear();
  const std::size_t first_row = result.rows.size();
  const std::uint64_t adjusted_before = result.tally.adjusted;
  bool credited = false;
  for (const Act& act : acts_) {
    credited |= act.milligrams > 0 && !act.earlier;
    if (act.earlier) {
      book_earlier(person, act, result);
    } else {
      book_fresh(person, act, result);
    }
  }
  result.tally.people_credited += credited;
  result.tally.people_adjusted += result.tally.adjusted > adjusted_before ? 1 : 0;
  for (const Delta& delta : person_deltas_) {
    if (delta.amount != 0) result.deltas.push_back({person, delta.asset, delta.amount});
  }
  core::invariant(row_days_.size() == result.rows.size() && first_row <= row_days_.size(), "every journal row has its day");
}

void PersonStage::book_fresh(const core::PersonKey& person, const Act& act, PartitionResult& result) {
  const Row& row = fresh_.at(act.index).row();
  Tally& tally = result.tally;
  tally.count(act.outcome, act.reason);
  Tally::Cell& cell = tally.cell(row.activity(), row.source());
  ++cell.records;
  if (input_.answers != nullptr)
    (*input_.answers)[act.line] = {act.outcome, act.reversal && act.outcome == Outcome::accepted ? Reason::reversal : act.reason,
                                   act.milligrams, act.points, act.winner};
  if (input_.note_lines && (act.outcome != Outcome::accepted)) note(act, result);
  // A repetition of a known record adds nothing; too many records of one id are nobody's.
  if (act.reason == Reason::same_event || act.reason == Reason::too_many_records) return;
  if (act.milligrams > 0) {
    ++cell.credited;
    cell.quantity = core::add_or_throw(cell.quantity, act.quantity);
    cell.milligrams = core::add_or_throw(cell.milligrams, act.milligrams);
    cell.points = core::add_or_throw(cell.points, act.points);
    tally.milligrams = core::add_or_throw(tally.milligrams, act.milligrams);
    tally.points = core::add_or_throw(tally.points, act.points);
    add_delta(act, act.milligrams, act.points);
  }
  write_row(person, act, act.milligrams, act.points, 0, result);
}

void PersonStage::book_earlier(const core::PersonKey& person, const Act& act, PartitionResult& result) {
  const Window::Place place = input_.window.of(act.day);
  if (place < Window::Place::inner) return;
  const Booked& booked = booked_[act.booking];
  // A reversal keeps its flag in the reason column, so only its outcome can be compared.
  const bool same_reason = act.reversal || act.reason == booked.reason;
  // Whoever keeps an object is another person at times, whose records a later run may not look at: then the winner is all it goes by.
  const bool same_winner = act.reason != Reason::same_object || act.winner == booked.winner;
  const bool adjusted =
      act.milligrams != booked.milligrams || act.points != booked.points || act.outcome != booked.outcome || !same_reason || !same_winner;
  if (input_.checked) return compare(person, act, booked, !adjusted, result);
  if (adjusted || earlier_.at(act.index).row().corrected()) count_change(act, booked, adjusted, result.tally);
  if (!adjusted) return;
  if (place == Window::Place::edge) throw WindowTooNarrow{};
  const std::int64_t milligrams = act.milligrams - booked.milligrams, points = act.points - booked.points;
  ++result.tally.adjusted;
  result.tally.adjusted_milligrams = core::add_or_throw(result.tally.adjusted_milligrams, milligrams);
  result.tally.adjusted_points = core::add_or_throw(result.tally.adjusted_points, points);
  add_delta(act, milligrams, points);
  write_row(person, act, milligrams, points, std::uint16_t(booked.revision + 1), result);
}

void PersonStage::compare(const core::PersonKey& person, const Act& act, const Booked& booked, bool same, PartitionResult& result) const {
  const RowView view = earlier_.at(act.index);
  const core::Millis start = view.row().start_ms();  // a ride's act has moved to its entry
  if (!input_.checked->hold(act.day)) return;
  ++result.checked;
  result.categories[input_.rules->rules()[act.rule].category].add(
      {1, same ? 0U : 1U, booked.milligrams, act.milligrams, booked.points, act.points});
  if (std::exchange(result.last_checked, person) != person) ++result.people;
  if (same) return;
  if (std::exchange(result.last_changed, person) != person) ++result.people_changed;
  ++result.tally.adjusted;
  result.tally.adjusted_milligrams = core::add_or_throw(result.tally.adjusted_milligrams, act.milligrams - booked.milligrams);
  result.tally.adjusted_points = core::add_or_throw(result.tally.adjusted_points, act.points - booked.points);
  count_change(act, booked, true, result.tally);
  if (result.divergences.size() == kDivergencesMax) return;
  const auto told = [](Outcome outcome, Reason reason) { return fmt::format("{}: {}", name(outcome), name(reason)); };
  const std::uint16_t methodology = input_.rules->rules()[act.rule].methodology;
  result.divergences.push_back({.person = person,
                                .event = act.event,
                                .start_ms = start,
                                .milligrams_expected = act.milligrams,
                                .milligrams_booked = booked.milligrams,
                                .points_expected = act.points,
                                .points_booked = booked.points,
                                .expected = told(act.outcome, act.reversal ? Reason::reversal : act.reason),
                                .booked = told(booked.outcome, booked.reason),
                                .methodology = input_.rules->methodologies()[methodology]});
}

void PersonStage::count_change(const Act& act, const Booked& booked, bool adjusted, Tally& tally) const {
  const Row& row = earlier_.at(act.index).row();
  const std::span<const ActRule> rules = input_.rules->rules();
  tally.changes[{row.activity(), rules[row.booked_rule()].methodology, rules[row.rule].methodology}].add(
      {1, adjusted ? 1U : 0U, booked.milligrams, act.milligrams, booked.points, act.points});
  if (adjusted) ++tally.turned[std::size_t(booked.outcome)][std::size_t(act.outcome)];
}

void PersonStage::write_words(const Act& act, const RowView& view, std::int64_t milligrams, std::int64_t points, std::uint16_t revision,
                              std::vector<std::uint64_t>& words) {
  constexpr Layout layout = kBookedLayout;
  const std::size_t begin = words.size();
  words.resize(begin + layout.words());
  std::uint64_t* at = words.data() + begin;
  Row* row = new (at) Row(view.row());
  row->line = row->rule;
  at += sizeof(Row) / 8;
  *at++ = view.object();
  for (std::size_t i = 0; i < layout.extras; ++i) *at++ = std::uint64_t(view.extra(i));
  new (at) Booked{milligrams, std::int32_t(points), revision, act.outcome, act.reversal ? Reason::reversal : act.reason, act.winner};
}

void PersonStage::write_row(const core::PersonKey& person, const Act& act, std::int64_t milligrams, std::int64_t points,
                            std::uint16_t revision, PartitionResult& result) {
  const Gathered& source = rows_of(act);
  const RowView view = source.at(act.index);
  if (input_.as_words) return write_words(act, view, milligrams, points, revision, result.words);
  const Row& row = view.row();
  journal::Columns& rows = result.rows;
  rows.person.push_back(person);
  rows.start_ms.push_back(row.start_ms());
  rows.duration_ms.push_back(row.has_end() ? row.duration_ms() : journal::kMissing);
  rows.activity.push_back(row.activity());
  rows.source.push_back(row.source());
  rows.region.push_back(row.region);
  rows.methodology.push_back(input_.rules->rules()[row.rule].methodology);
  rows.event.push_back(row.event);
  if (has_object_) rows.object.push_back(view.object());
  rows.evidence.push_back(std::uint8_t(row.evidence()));
  rows.quantity.push_back(view.quantity(0));
  for (std::size_t i = 0; i < extras_; ++i) rows.extra[i].push_back(view.extra(i));
  rows.outcome.push_back(std::uint8_t(act.outcome));
  rows.reason.push_back(std::uint8_t(act.reversal ? Reason::reversal : act.reason));
  rows.milligrams.push_back(milligrams);
  rows.points.push_back(points);
  rows.winner.push_back(act.winner);
  rows.revision.push_back(revision);
  row_days_.push_back(zone_.local_day(row.start_ms()));
}

// The reduction stands in the year of the act, the points in the month in which they end.
void PersonStage::add_delta(const Act& act, std::int64_t milligrams, std::int64_t points) {
  const auto add = [&](std::uint32_t asset, std::int64_t amount) {
    for (Delta& delta : person_deltas_) {
      if (delta.asset == asset) {
        delta.amount = core::add_or_throw(delta.amount, amount);
        return;
      }
    }
    person_deltas_.push_back({{}, asset, amount});
  };
  if (milligrams != 0) add(assets_.reduction(act.day, input_.rules->rules()[act.rule].category), milligrams);
  if (points != 0) add(assets_.points(act.day), points);
}

void PersonStage::note(const Act& act, PartitionResult& result) const {
  std::uint32_t winner_line = 0;
  for (const Act& other : acts_) {
    if (other.event == act.winner && !other.earlier && &other != &act && other.outcome != Outcome::duplicate) winner_line = other.line;
  }
  result.noted.push_back({act.line, winner_line, act.winner, act.outcome, act.reason});
}

// As many rows as there are records is the usual case; growing seventeen columns step by step would cost more than filling them.
void PersonStage::reserve(PartitionResult& result, std::size_t rows) const {
  journal::Columns& columns = result.rows;
  const auto make_room = [rows](auto&... column) { (column.reserve(rows), ...); };
  make_room(columns.person, columns.start_ms, columns.duration_ms, columns.activity, columns.source, columns.region, columns.methodology,
            columns.event, columns.evidence, columns.quantity, columns.outcome, columns.reason, columns.milligrams, columns.points,
            columns.winner, columns.revision);
}

// Journal files are by day, so the rows are too; within a day they stay in person order, and start order within a person.
void PersonStage::by_day(PartitionResult& result) {
  const journal::Columns& rows = result.rows;
  if (rows.size() == 0) return;
  const auto [first, last] = std::minmax_element(row_days_.begin(), row_days_.end());
  const std::int32_t first_day = first->count;
  std::vector<std::uint32_t> next(std::size_t(last->count - first_day) + 2, 0), order(rows.size());
  for (const core::Day day : row_days_) ++next[std::size_t(day.count - first_day) + 1];
  for (std::size_t day = 1; day < next.size(); ++day) next[day] += next[day - 1];
  for (std::uint32_t i = 0; i < order.size(); ++i) order[next[std::size_t(row_days_[i].count - first_day)]++] = i;
  // Rows of a person come in the order of their acts, which is that of their starts but for ties and rides.
  const auto before = [&](std::uint32_t a, std::uint32_t b) {
    if (row_days_[a] != row_days_[b] || rows.person[a] != rows.person[b]) return false;
    return std::tuple(rows.start_ms[a], rows.source[a], rows.event[a], rows.revision[a]) <
           std::tuple(rows.start_ms[b], rows.source[b], rows.event[b], rows.revision[b]);
  };
  for (std::size_t i = 1; i < order.size(); ++i) {
    for (std::size_t at = i; at > 0 && before(order[at], order[at - 1]); --at) std::swap(order[at], order[at - 1]);
  }
  const auto permute = [&](auto& column) {
    if (column.empty()) return;
    std::remove_reference_t<decltype(column)> sorted;
    sorted.reserve(order.size());
    for (const std::uint32_t from : order) sorted.push_back(column[from]);
    column.swap(sorted);
  };
  permute(row_days_);
  journal::Columns& mutable_rows = result.rows;
  permute(mutable_rows.person);
  permute(mutable_rows.start_ms);
  permute(mutable_rows.duration_ms);
  permute(mutable_rows.activity);
  permute(mutable_rows.source);
  permute(mutable_rows.region);
  permute(mutable_rows.methodology);
  permute(mutable_rows.event);
  permute(mutable_rows.object);
  permute(mutable_rows.evidence);
  permute(mutable_rows.quantity);
  for (auto& column : mutable_rows.extra) permute(column);
  permute(mutable_rows.outcome);
  permute(mutable_rows.reason);
  permute(mutable_rows.milligrams);
  permute(mutable_rows.points);
  permute(mutable_rows.winner);
  permute(mutable_rows.revision);
  for (std::size_t i = 0; i < row_days_.size(); ++i) {
    if (result.days.empty() || result.days.back().day != row_days_[i]) result.days.push_back({row_days_[i], i, i});
    result.days.back().end = i + 1;
  }
}

}  // namespace tanhui::activity
