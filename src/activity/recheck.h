// activity/recheck.h: does the journal say what the methodologies say? Two checks for whoever audits it; neither books anything.
//
// Row by row (Recheck). The amount of a first booking (revision 0) is computed again from the row's own quantities, activity, region, day
// and methodology version. Proven: a credited record has exactly that amount; a record under a daily cap not more than it; what did not
// count has nothing; quantities and duration lie within the version's limits. Not proven by a row alone, and counted as such: savings from
// meter readings and adjustments (later revisions), which depend on other rows; that the record came from its source; that it deserved its
// outcome; its points.
//
// By person (resettle; `tanhui verify --all --settle`). All records of each person, revisions folded into one, go through reconciliation,
// caps and points again, by the versions and corrections that stand, and must end as they are booked: outcome, milligrams and points. That
// covers taps, readings, caps, collisions, points and adjustments. Not proven: who keeps an event id, an object or a meter's day that
// several people claim (what was decided stands), and nothing about records that a rule of the programme (source priority, points) would
// decide otherwise today than it did: they differ.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "activity/account.h"
#include "activity/divergence.h"
#include "activity/rule_book.h"
#include "core/result.h"
#include "core/time.h"
#include "journal/columns.h"

namespace tanhui::activity {

class Recheck {
 public:
  static constexpr journal::ColumnSet kColumns{
      journal::Column::person,     journal::Column::start,       journal::Column::duration_ms, journal::Column::activity,
      journal::Column::region,     journal::Column::methodology, journal::Column::event,       journal::Column::quantity,
      journal::Column::quantity_2, journal::Column::quantity_3,  journal::Column::quantity_4,  journal::Column::outcome,
      journal::Column::reason,     journal::Column::milligrams,  journal::Column::points,      journal::Column::revision};
  struct Counts {
    std::uint64_t equal = 0, within_cap = 0, not_alone = 0, differing = 0;
    std::uint64_t all() const { return equal + within_cap + not_alone + differing; }
  };

  Recheck(const methodology::Library& library, const identity::Programme& programme, core::Zone zone);
  Recheck(const Recheck&) = delete;
  Recheck& operator=(const Recheck&) = delete;
  /// Rows of one row group or more, whose words are in `names`, which may grow between calls. Buffers are kept, so no memory is taken per
  /// row. One object belongs to one thread.
  /// Errors: account.methodology-gone, recheck.unknown-word (an activity, outcome or reason that this program does not know).
  core::Status check(const journal::Columns& rows, const journal::Names& names);
  const Counts& counts() const { return counts_; }
  const std::vector<Divergence>& divergences() const { return divergences_; }

 private:
  enum class Expect : std::uint8_t { nothing, exactly, less, not_alone };
  core::Status learn(const journal::Names& names);
  core::Result<std::uint16_t> rule_of(const journal::Columns& rows, const journal::Names& names, std::size_t row);
  Expect expectation(const journal::Columns& rows, std::size_t row, const ActRule& rule) const;
  void check_rule(const journal::Columns& rows, const journal::Names& names, std::uint16_t rule, std::span<const std::uint32_t> mine);
  void judge(const journal::Columns& rows, const journal::Names& names, std::size_t row, std::int64_t computed, const ActRule& rule);
  Reason beyond_limits(const journal::Columns& rows, std::size_t row, const ActRule& rule) const;
  void differ(const journal::Columns& rows, const journal::Names& names, std::size_t row, std::int64_t expected, std::string what);

  const methodology::Library& library_;
  core::Zone zone_;
  methodology::Selection selection_;
  RuleBook rules_;
  const journal::Names* learned_from_ = nullptr;
  std::vector<std::uint16_t> activities_;  // of the library, by their index in those names
  std::vector<Outcome> outcomes_;
  std::vector<Reason> reasons_;
  core::Day day_{INT32_MIN};
  std::unordered_map<std::uint64_t, std::uint16_t> known_;  // rules of that day
  std::uint64_t last_key_ = 0;
  std::uint16_t last_rule_ = kNoRule;
  std::vector<std::uint16_t> row_rules_;
  std::vector<std::uint32_t> order_, starts_;
  std::array<std::vector<std::int64_t>, kQuantities> gathered_;
  std::vector<std::int64_t> computed_;
  Counts counts_;
  std::vector<Divergence> divergences_;
};

struct ResettleRequest {
  core::Day first = core::kFirstDay, last = core::kLastDay;  // local days whose records are held against what they ought to be
  unsigned threads = 2;
  std::size_t memory_bytes = std::size_t{700} << 20;
  std::function<void(const Progress&)> progress{};
  bool try_settings = false;  // methodologies that the programme does not switch on are off for what was booked by them, too
};
struct Resettled {
  std::uint64_t records = 0, differing = 0;
  std::vector<Divergence> divergences;  // the first ones in order of person
  std::uint64_t people = 0, people_differing = 0;
  std::map<std::string, Tally::Change> categories = {};  // before: as booked; after: as settled
};
/// What a run that was killed left behind is settled first, as before every run.
/// Errors: those of looking back (a damaged segment, a version that is gone), instance.busy.
core::Result<Resettled> resettle(identity::Instance& instance, const identity::Programme& programme, const methodology::Library& library,
                                 const ResettleRequest& request);

}  // namespace tanhui::activity
