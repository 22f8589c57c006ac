#include "journal/columns.h"

#include "core/invariant.h"

namespace tanhui::journal {
namespace {

constexpr std::array<std::string_view, kColumns> kNames{
    "person",     "start",    "duration_ms", "activity",      "source",     "region",     "methodology", "event",
    "object",     "evidence", "quantity",    "quantity_2",    "quantity_3", "quantity_4", "outcome",     "reason",
    "milligrams", "points",   "winner",      "winner_source", "revision",   "line",       "run"};

template <class T>
void append_column(std::vector<T>& to, const std::vector<T>& from, std::size_t begin, std::size_t end) {
  to.insert(to.end(), from.begin() + std::ptrdiff_t(begin), from.begin() + std::ptrdiff_t(end));
}

// A column that a batch may leave out; `rows` is the number of rows before the addition.
template <class T>
void append_optional(std::vector<T>& to, const std::vector<T>& from, std::size_t rows, std::size_t begin, std::size_t end, T none) {
  if (from.empty() && to.empty()) return;
  to.resize(rows, none);
  if (from.empty())
    to.resize(rows + (end - begin), none);
  else
    append_column(to, from, begin, end);
}

}  // namespace

std::string_view name(Column column) { return kNames[std::size_t(column)]; }

void Columns::clear() {
  person.clear();
  start_ms.clear();
  duration_ms.clear();
  activity.clear();
  source.clear();
  region.clear();
  methodology.clear();
  event.clear();
  object.clear();
  evidence.clear();
  quantity.clear();
  for (auto& column : extra) column.clear();
  outcome.clear();
  reason.clear();
  milligrams.clear();
  points.clear();
  winner.clear();
  winner_source.clear();
  revision.clear();
  line.clear();
  run.clear();
}

void Columns::append(const Columns& other, std::size_t begin, std::size_t end) {
  core::invariant(begin <= end && end <= other.size(), "rows to append lie inside their columns");
  const std::size_t rows = size();
  append_column(person, other.person, begin, end);
  append_column(start_ms, other.start_ms, begin, end);
  append_column(duration_ms, other.duration_ms, begin, end);
  append_column(activity, other.activity, begin, end);
  append_column(source, other.source, begin, end);
  append_column(region, other.region, begin, end);
  append_column(methodology, other.methodology, begin, end);
  append_column(event, other.event, begin, end);
  append_optional(object, other.object, rows, begin, end, std::uint64_t{0});
  append_column(evidence, other.evidence, begin, end);
  append_column(quantity, other.quantity, begin, end);
  for (std::size_t i = 0; i < kExtraQuantities; ++i) append_optional(extra[i], other.extra[i], rows, begin, end, kMissing);
  append_column(outcome, other.outcome, begin, end);
  append_column(reason, other.reason, begin, end);
  append_column(milligrams, other.milligrams, begin, end);
  append_column(points, other.points, begin, end);
  append_optional(winner, other.winner, rows, begin, end, std::uint64_t{0});
  append_optional(winner_source, other.winner_source, rows, begin, end, kNoName);
  append_column(revision, other.revision, begin, end);
  append_optional(line, other.line, rows, begin, end, std::uint32_t{0});
  append_optional(run, other.run, rows, begin, end, kMissing);
}

}  // namespace tanhui::journal
