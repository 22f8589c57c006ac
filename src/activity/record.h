// activity/record.h: what partners report and what becomes of it. Every record ends in exactly one outcome with one reason.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/time.h"

namespace tanhui::activity {

enum class Outcome : std::uint8_t { accepted, duplicate, capped, rejected, held, no_consent };
constexpr std::size_t kOutcomes = 6;
std::string_view name(Outcome outcome);

/// How the act was observed; a better observation wins a collision (metered > inferred > declared).
enum class Evidence : std::uint8_t { metered, inferred, declared };
constexpr std::size_t kEvidences = 3;
std::string_view name(Evidence evidence);

/// Why a record ended as it did. Ids are stable: they stand in reports, rejects files and the journal.
enum class Reason : std::uint8_t {
  none,  // accepted as it is
  // accepted, capped
  paired,          // an entry tap whose ride is credited on the exit tap
  reading,         // a meter reading whose day's saving is credited on the day's last reading
  reversal,        // a reversal that unwound an earlier record
  nothing_saved,   // quantified, and the reduction is zero
  daily_cap,       // nothing left of the day's cap
  daily_cap_part,  // part of it was left
  // duplicate
  same_event,   // same source and event id
  overlap,      // another report of the same time in the same group was kept
  same_object,  // the object (meter, ticket, document, item) was already counted
  same_day,     // one a day in this group, another was kept
  // rejected: the row
  bad_row,           // wrong number of columns, broken quoting, broken JSON
  bad_encoding,      // not UTF-8
  too_long_line,     // over the limit of a line
  missing_person,    // no person id
  missing_event,     // no event id
  missing_quantity,  // no quantity
  bad_number,        // not a number
  bad_time,          // not a time of the declared formats
  unknown_activity,  // activity or code not in the catalogue or profile
  unknown_source,    // source not registered in the programme
  unknown_region,    // region code not known
  unknown_station,   // station not in the table
  // rejected: plausibility
  clock_out_of_range,  // before the programme's earliest day (clock reset, two-digit year)
  in_the_future,
  time_order,  // ends before it starts
  too_short,
  too_long,
  too_slow,
  too_fast,
  quantity_too_small,
  quantity_too_large,
  not_moved,   // start and end are the same place
  path_jumps,  // the recorded path is far longer than its ends and time allow
  position_out_of_range,
  other_unit,  // the row's unit is not of the quantity's kind
  // rejected: rules
  no_methodology,  // none in force for activity, region and day
  no_baseline,     // not enough own history for a baseline
  reversed,        // unwound by a later reversal
  // held for review
  event_reused,      // the event id is already used for another person
  too_many_records,  // one person has more records than a run takes (a default id such as "0"?)
  awaiting_entry,    // exit tap whose entry has not been seen
  awaiting_exit,
  unknown_reversal,  // a reversal of a record that is not here
  // no consent
  no_consent,
  count_
};
constexpr std::size_t kReasons = std::size_t(Reason::count_);
std::string_view name(Reason reason);                       // "same-event"
std::string_view explanation(Reason reason, bool chinese);  // one sentence for people
Outcome refusal_outcome(Reason reason);                     // of a record that was not quantified: rejected, held or no_consent

constexpr std::size_t kExtraQuantities = 3;  // beyond the main one

constexpr std::int64_t kMissing = INT64_MIN;

/// Records as columns, filled by a parser, emptied by the run. A record whose `reason` is not none was refused by the parser:
/// its other columns may hold anything. Units: catalogue base units of its activity (m, Wh, g, ...).
struct RecordBatch {
  std::vector<core::PersonKey> person;
  std::vector<std::uint64_t> event;                     // key of the event id within its source, never 0
  std::vector<std::uint64_t> object;                    // key of the object, 0 when none; column is empty when the profile maps none
  std::vector<core::Millis> start_ms, end_ms;           // end is kMissing where the source tells none
  std::vector<std::uint16_t> activity, source, region;  // indexes into the run's Names
  std::vector<Evidence> evidence;
  std::vector<std::int64_t> quantity;
  std::array<std::vector<std::int64_t>, kExtraQuantities> extra;  // empty when the profile maps none; kMissing where absent
  std::vector<std::uint32_t> line;  // line (CSV, NDJSON), element (JSON) or row (Parquet) within the run's inputs, from 1
  std::vector<Reason> reason;
  std::vector<std::uint8_t>
      reversal;  // 1 when the record unwinds the earlier record of the same source and event id; empty when not mapped
  std::size_t size() const { return reason.size(); }
  void clear();
};

}  // namespace tanhui::activity
