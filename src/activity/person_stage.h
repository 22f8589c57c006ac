// activity/person_stage.h: the second half of a run. All records of one partition of people, new and earlier, become outcomes, journal rows
// and postings. Partitions are independent, so two threads take them in turn; results leave in person order.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "activity/act.h"
#include "activity/contest.h"
#include "activity/credit.h"
#include "activity/derive.h"
#include "activity/divergence.h"
#include "activity/key_filter.h"
#include "activity/reconcile.h"
#include "activity/row.h"
#include "activity/rule_book.h"
#include "activity/shuffle.h"
#include "activity/tally.h"
#include "activity/window.h"
#include "core/time.h"
#include "journal/columns.h"

namespace tanhui::activity {

/// More records of one "person" in one run than any person has: a default id such as "0". They are held, not accounted.
constexpr std::size_t kRecordsOfPersonMax = 200'000;

/// A change of an earlier record at the very edge of the window: what lies beyond might change too. The run starts over with a wider one.
struct WindowTooNarrow {};

struct Delta {
  core::PersonKey person;
  std::uint32_t asset;  // index in the AssetBook
  std::int64_t amount;  // milligrams or points
};

/// What became of one new record.
struct Answer {
  Outcome outcome = Outcome::rejected;
  Reason reason = Reason::none;
  std::int64_t milligrams = 0, points = 0;
  std::uint64_t winner = 0;  // event key of the record that was kept instead
};

struct PartitionResult {
  struct DaySlice {
    core::Day day;
    std::size_t begin, end;
  };
  journal::Columns rows;  // by day; within a day by person, start, source, event, revision
  std::vector<DaySlice> days;
  std::vector<core::Digest> leaves;  // of rows, for the journal; filled by whoever books them
  std::vector<std::uint64_t> words;  // StageInput::as_words: the rows instead, by person, in LookBack's layout
  std::vector<Delta> deltas;         // by person
  std::vector<Noted> noted;
  std::uint64_t checked = 0;
  std::vector<Divergence> divergences;
  std::map<std::uint16_t, Tally::Change> categories;  // of what was checked, by the rules' category
  std::uint64_t people = 0, people_changed = 0;       // of what was checked
  std::optional<core::PersonKey> last_checked, last_changed;
  Tally tally;
  explicit PartitionResult(const Tally& empty) : tally(empty) {}
};

/// What all partitions share; does not change during the stage.
struct StageInput {
  const Shuffle* fresh = nullptr;
  Layout fresh_layout;
  const Shuffle* earlier = nullptr;  // null when the journal holds nothing of these days
  Layout earlier_layout;
  const RuleBook* rules = nullptr;
  std::vector<std::uint8_t> priorities;  // by source
  PointRate points;
  Verdicts verdicts;
  const KeySet* repeated = nullptr;  // null: any key may repeat
  Window window;
  enum class Who : std::uint8_t {
    named,
    corrected,
    everybody
  } who = Who::named;           // who is settled without a new record: people of a
                                // contested key, also of a corrected record, all
  std::vector<bool> off;        // rules whose methodology the settings no longer switch on; only where settings are tried
  std::optional<Days> checked;  // nothing is booked: what would change on these days is a divergence
  bool note_lines = false;
  bool as_words = false;                   // of the open window: rows are kept as they are and become columns when they are sealed
  std::vector<Answer>* answers = nullptr;  // by line; null: nobody asks
  const Tally* empty_tally = nullptr;
};

/// The act of a row as it is before anything is decided.
Act act_of(const RowView& view, const ActRule& rule, std::uint8_t source_priority, const core::Zone& zone, bool earlier);

/// What intake would say of a record that stands in the journal. None, unless its rule was corrected since.
Reason refused_now(const RowView& view, const ActRule& rule);

class PersonStage {
 public:
  PersonStage(const StageInput& input, core::Zone zone, AssetBook& assets);
  PartitionResult run(std::size_t partition);
  /// The same for rows that are at hand: whole rows in the input's layouts, by person ascending; a person's in any order.
  PartitionResult run(std::span<const std::uint64_t> fresh, std::span<const std::uint64_t> earlier);

 private:
  struct SortKey {
    std::uint64_t key;
    std::uint32_t index;
  };
  /// Rows of one partition from one shuffle, in order of person and start.
  struct Gathered {
    Layout layout;
    std::vector<std::uint64_t> words;
    std::vector<SortKey> order;  // only while sorting
    std::vector<std::int64_t> milligrams;
    std::vector<std::uint8_t> repeated;  // whether the event key may occur more than once
    std::size_t count = 0;
    RowView at(std::size_t position) const { return {words.data() + position * layout.words(), layout}; }
    std::size_t size() const { return count; }
  };
  void settle_everybody(PartitionResult& result);
  void take(std::span<const std::uint64_t> words, const Layout& layout, Gathered& into);
  void gather(const Shuffle& shuffle, std::size_t partition, Gathered& into, PartitionResult& result);
  void sort(Gathered& rows);
  void quantify_all(Gathered& rows);
  void mark_repeated(Gathered& rows) const;
  std::int64_t quantify_one(const Act& act, std::int64_t quantity);
  const Gathered& rows_of(const Act& act) const { return act.earlier ? earlier_ : fresh_; }
  Act act_at(const Gathered& rows, std::size_t position, bool earlier) const;
  bool anything_new(const core::PersonKey& person, std::size_t earlier_at) const;
  void fold_revisions();
  void person(const core::PersonKey& person, std::size_t& fresh_at, std::size_t& earlier_at, PartitionResult& result);
  void settle(const core::PersonKey& person);
  void settle_objects();
  bool stands(const Act& act, const Booked& booked) const;
  void apply_verdicts(const core::PersonKey& person);
  void lose_meter_days(const core::PersonKey& person);
  void book(const core::PersonKey& person, PartitionResult& result);
  void book_fresh(const core::PersonKey& person, const Act& act, PartitionResult& result);
  void book_earlier(const core::PersonKey& person, const Act& act, PartitionResult& result);
  static void write_words(const Act& act, const RowView& view, std::int64_t milligrams, std::int64_t points, std::uint16_t revision,
                          std::vector<std::uint64_t>& words);
  void write_row(const core::PersonKey& person, const Act& act, std::int64_t milligrams, std::int64_t points, std::uint16_t revision,
                 PartitionResult& result);
  void compare(const core::PersonKey& person, const Act& act, const Booked& booked, bool same, PartitionResult& result) const;
  void count_change(const Act& act, const Booked& booked, bool adjusted, Tally& tally) const;
  void add_delta(const Act& act, std::int64_t milligrams, std::int64_t points);
  void note(const Act& act, PartitionResult& result) const;
  void reserve(PartitionResult& result, std::size_t rows) const;
  void by_day(PartitionResult& result);

  const StageInput& input_;
  core::Zone zone_;
  DayAssets assets_;
  Reconciler reconciler_;
  bool has_object_;
  std::size_t extras_;
  Crediting crediting_;
  Gathered fresh_, earlier_;
  std::vector<Act> acts_;
  std::vector<Booked> booked_;  // of earlier acts, by Act::booking
  std::vector<Delta> person_deltas_;
  std::vector<SortKey> sort_scratch_;
  std::vector<std::uint64_t> reordered_;
  std::vector<core::Day> row_days_;  // of result.rows
  std::vector<std::uint32_t> object_order_;
  std::vector<Act> object_acts_;
  bool any_parts_ = false, any_objects_ = false;
};

}  // namespace tanhui::activity
