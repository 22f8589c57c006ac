#include "activity/recheck.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "activity/derive.h"
#include "activity/programme_rules.h"

namespace tanhui::activity {
namespace {

core::Error unknown_word(std::string_view kind, const std::string& word) {
  return {core::ErrorCode::refused,
          "recheck.unknown-word",
          fmt::format("the journal holds the {} '{}', which this version does not know", kind, word),
          "use the version of tanhui that wrote it, or a newer one",
          {{std::string(kind), word}}};
}

template <class Word>
core::Status learn_words(const std::vector<std::string>& names, std::size_t count, std::string_view kind, std::vector<Word>& into) {
  for (std::size_t i = into.size(); i < names.size(); ++i) {
    std::size_t at = 0;
    while (at < count && name(Word(at)) != names[i]) ++at;
    if (at == count) return unknown_word(kind, names[i]);
    into.push_back(Word(at));
  }
  return core::Done{};
}

}  // namespace

Recheck::Recheck(const methodology::Library& library, const identity::Programme& programme, core::Zone zone)
    : library_(library),
      zone_(std::move(zone)),
      selection_(library, enabled_of(programme.methodologies)),
      rules_(library, selection_, lookup_of(programme, library)) {}

core::Status Recheck::check(const journal::Columns& rows, const journal::Names& names) {
  if (auto status = learn(names); !status) return status;
  row_rules_.resize(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    row_rules_[row] = kNoRule;
    if (rows.methodology[row] == journal::kNoName) {  // every row of a run names its version
      differ(rows, names, row, 0, "a methodology");
      continue;
    }
    const auto rule = rule_of(rows, names, row);
    if (!rule) return rule.error();
    row_rules_[row] = *rule;
  }
  // Rule by rule, so that each method runs over columns.
  const std::size_t rules = rules_.rules().size();
  starts_.assign(rules + 1, 0);
  for (const std::uint16_t rule : row_rules_) {
    if (rule != kNoRule) ++starts_[rule + std::size_t{1}];
  }
  std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
  order_.resize(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (row_rules_[row] != kNoRule) order_[starts_[row_rules_[row]]++] = std::uint32_t(row);
  }
  for (std::size_t rule = 0; rule < rules; ++rule) {
    const std::uint32_t begin = rule == 0 ? 0 : starts_[rule - 1];  // each start has moved to its end
    if (starts_[rule] > begin) check_rule(rows, names, std::uint16_t(rule), std::span(order_).subspan(begin, starts_[rule] - begin));
  }
  return core::Done{};
}

// Names only grow; others start anew.
core::Status Recheck::learn(const journal::Names& names) {
  if (&names != learned_from_) {
    learned_from_ = &names;
    activities_.clear();
    outcomes_.clear();
    reasons_.clear();
    day_ = {INT32_MIN};
  }
  for (std::size_t i = activities_.size(); i < names.activities.size(); ++i) {
    const auto activity = library_.find_activity(names.activities[i]);
    if (!activity) return unknown_word("activity", names.activities[i]);
    activities_.push_back(std::uint16_t(*activity));
  }
  if (auto status = learn_words(names.outcomes, kOutcomes, "outcome", outcomes_); !status) return status;
  return learn_words(names.reasons, kReasons, "reason", reasons_);
}

core::Result<std::uint16_t> Recheck::rule_of(const journal::Columns& rows, const journal::Names& names, std::size_t row) {
  const core::Day day = zone_.local_day(rows.start_ms[row]);
  if (day != day_) {
    day_ = day;
    known_.clear();
    last_rule_ = kNoRule;
  }
  const std::uint64_t key =
      std::uint64_t(rows.methodology[row]) << 32 | std::uint64_t(rows.activity[row]) << 16 | std::uint64_t(rows.region[row]);
  if (key == last_key_ && last_rule_ != kNoRule) return last_rule_;
  auto known = known_.find(key);
  if (known == known_.end()) {
    const auto rule = rules_.find_booked(names.methodologies[rows.methodology[row]], activities_[rows.activity[row]],
                                         names.regions[rows.region[row]], day);
    if (!rule) return rule.error();
    known = known_.emplace(key, rule->before).first;
  }
  last_key_ = key;
  return last_rule_ = known->second;
}

void Recheck::check_rule(const journal::Columns& rows, const journal::Names& names, std::uint16_t rule,
                         std::span<const std::uint32_t> mine) {
  const std::size_t width = std::min(rules_.quantities(rule), kQuantities);
  std::array<std::span<const std::int64_t>, kQuantities> spans;
  for (std::size_t column = 0; column < width; ++column) {
    const std::vector<std::int64_t>& from = column == 0 ? rows.quantity : rows.extra[column - 1];
    if (from.empty()) continue;  // nobody sent it: the method's default
    gathered_[column].resize(mine.size());
    for (std::size_t i = 0; i < mine.size(); ++i) gathered_[column][i] = from[mine[i]];
    spans[column] = gathered_[column];
  }
  computed_.resize(mine.size());
  rules_.quantify(rule, std::span(spans).first(width), computed_);
  for (std::size_t i = 0; i < mine.size(); ++i) judge(rows, names, mine[i], computed_[i], rules_.rule(rule));
}

Recheck::Expect Recheck::expectation(const journal::Columns& rows, std::size_t row, const ActRule& rule) const {
  if (rows.revision[row] > 0) return Expect::not_alone;
  const Outcome outcome = outcomes_[rows.outcome[row]];
  const Reason reason = reasons_[rows.reason[row]];
  const bool credited = outcome == Outcome::accepted && reason == Reason::none;
  const bool in_part = outcome == Outcome::capped && reason == Reason::daily_cap_part;
  if (rule.part == Part::reading && (credited || in_part)) return Expect::not_alone;
  if (rule.part == Part::entry) return Expect::nothing;  // the ride is credited on its exit
  if (credited) return Expect::exactly;
  if (outcome == Outcome::accepted && reason == Reason::nothing_saved && rule.part != Part::reading) return Expect::exactly;
  return in_part ? Expect::less : Expect::nothing;
}

void Recheck::judge(const journal::Columns& rows, const journal::Names& names, std::size_t row, std::int64_t computed,
                    const ActRule& rule) {
  const std::int64_t booked = rows.milligrams[row];
  const Expect expect = expectation(rows, row, rule);
  if (expect == Expect::not_alone) {
    ++counts_.not_alone;
    return;
  }
  if (const Reason reason = beyond_limits(rows, row, rule); reason != Reason::none)
    return differ(rows, names, row, 0, std::string(name(reason)));
  const Reason reason = reasons_[rows.reason[row]];
  const bool points_for_nothing = booked == 0 && rows.points[row] != 0;
  const bool fits = expect == Expect::exactly ? booked == computed && (booked > 0) == (reason == Reason::none)
                    : expect == Expect::less  ? booked >= 0 && booked < computed
                                              : booked == 0;
  if (!fits || points_for_nothing || rows.points[row] < 0) {
    const std::int64_t most = expect == Expect::exactly ? computed : expect == Expect::less ? computed - 1 : 0;
    return differ(rows, names, row, most, {});
  }
  ++(expect == Expect::less || reason == Reason::daily_cap ? counts_.within_cap : counts_.equal);
}

// Intake judged every record by its version's limits; taps and readings are judged together with others.
Reason Recheck::beyond_limits(const journal::Columns& rows, std::size_t row, const ActRule& rule) const {
  if (rule.part != Part::whole || reasons_[rows.reason[row]] == Reason::reversal) return Reason::none;
  Quantities quantities;
  quantities[0] = rows.quantity[row] == journal::kMissing ? kMissing : rows.quantity[row];
  for (std::size_t i = 0; i < kExtraQuantities; ++i) quantities[i + 1] = rows.extra[i].empty() ? kMissing : rows.extra[i][row];
  return implausible(quantities, rows.duration_ms[row], rule);
}

void Recheck::differ(const journal::Columns& rows, const journal::Names& names, std::size_t row, std::int64_t expected, std::string what) {
  ++counts_.differing;
  if (divergences_.size() == kDivergencesMax) return;
  divergences_.push_back({.person = rows.person[row],
                          .event = rows.event[row],
                          .start_ms = rows.start_ms[row],
                          .milligrams_expected = expected,
                          .milligrams_booked = rows.milligrams[row],
                          .expected = std::move(what),
                          .booked = fmt::format("{}: {}", names.outcomes[rows.outcome[row]], names.reasons[rows.reason[row]]),
                          .methodology = rows.methodology[row] == journal::kNoName ? "" : names.methodologies[rows.methodology[row]]});
}

}  // namespace tanhui::activity
