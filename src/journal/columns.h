// journal/columns.h: the records of a journal as columns in memory. Words (activities, sources ...) are indexes into Names; the files
// hold the words themselves, so any Parquet tool reads them without us.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/time.h"

namespace tanhui::journal {

constexpr std::int64_t kMissing = INT64_MIN;  // an absent number: null in the file
constexpr std::uint16_t kNoName = 0xFFFF;     // an absent word (methodology, winner_source): null in the file
constexpr std::size_t kExtraQuantities = 3;   // beyond the main one

/// Dictionaries of one process; an index is a position in a vector. Indexes of evidences, outcomes and reasons fit a byte.
struct Names {
  std::vector<std::string> activities, sources, regions, methodologies, evidences, outcomes, reasons;
};

/// One row per record and revision, in the order of the file: by person and start. All columns are equally long;
/// `object`, `extra[i]`, `winner`, `winner_source`, `line` and `run` may instead be empty: "none in this batch" (null in the file).
/// Units: milliseconds UTC, catalogue base units of the activity (m, Wh, g, 1), milligrams CO2e, points.
struct Columns {
  std::vector<core::PersonKey> person;
  std::vector<core::Millis> start_ms;
  std::vector<std::int64_t> duration_ms;  // kMissing where the source tells no end
  std::vector<std::uint16_t> activity, source, region;
  std::vector<std::uint16_t> methodology;  // kNoName: not quantified
  std::vector<std::uint64_t> event;        // key of the event id, never 0
  std::vector<std::uint64_t> object;       // 0: none
  std::vector<std::uint8_t> evidence;
  std::vector<std::int64_t> quantity;                             // kMissing: none
  std::array<std::vector<std::int64_t>, kExtraQuantities> extra;  // kMissing: none
  std::vector<std::uint8_t> outcome, reason;
  std::vector<std::int64_t> milligrams, points;  // of a first booking the amount, of a later revision the CHANGE
  std::vector<std::uint64_t> winner;             // event key of the record kept instead of this one, 0: none
  std::vector<std::uint16_t> winner_source;      // its source, kNoName: none
  std::vector<std::uint16_t> revision;           // 0 the first booking, 1.. adjustments
  std::vector<std::uint32_t> line;               // line of the input, 0: unknown
  std::vector<std::int64_t> run;                 // where a file holds several runs (compaction.h); else empty, null in the file

  std::size_t size() const { return person.size(); }
  void clear();  // keeps the memory
  /// Adds rows [begin, end) of `other`; a column that is empty on one side only is filled with its "none" first.
  void append(const Columns& other, std::size_t begin, std::size_t end);
};

/// The columns of the file, in its order; the names stand in columns.cc.
enum class Column : std::uint8_t {
  person,
  start,
  duration_ms,
  activity,
  source,
  region,
  methodology,
  event,
  object,
  evidence,
  quantity,
  quantity_2,
  quantity_3,
  quantity_4,
  outcome,
  reason,
  milligrams,
  points,
  winner,
  winner_source,
  revision,
  line,
  run,
  count_
};
constexpr std::size_t kColumns = std::size_t(Column::count_);
std::string_view name(Column column);  // "person", "start" ...: the name in the file

/// Which columns to read.
class ColumnSet {
 public:
  constexpr ColumnSet(std::initializer_list<Column> columns) {
    for (const Column column : columns) bits_ |= 1u << unsigned(column);
  }
  static constexpr ColumnSet all() {
    ColumnSet set{};
    set.bits_ = (1u << kColumns) - 1;
    return set;
  }
  constexpr bool has(Column column) const { return (bits_ >> unsigned(column) & 1u) != 0; }

 private:
  std::uint32_t bits_ = 0;
};

}  // namespace tanhui::journal
