// activity/intake_records.h: a table of text to records, one column at a time.
#pragma once
#include <string>
#include <vector>

#include "activity/fields.h"
#include "activity/intake_plan.h"
#include "activity/intake_table.h"

namespace tanhui::activity {

/// One for each thread and plan; keeps caches and scratch memory between calls.
class RecordBuilder {
 public:
  RecordBuilder(std::shared_ptr<const Plan> plan, const Context& context);
  RecordBuilder(const RecordBuilder&) = delete;
  RecordBuilder& operator=(const RecordBuilder&) = delete;
  const std::shared_ptr<const Plan>& plan() const { return plan_; }
  /// `table` holds the plan's file columns. Replaces what `out` held.
  void build(Table& table, std::uint32_t first_line, RecordBatch& out);

 private:
  struct Times {
    const TimePlan* plan;
    TimeReader reader;
  };
  struct TableWords {
    std::vector<std::optional<core::Decimal>> values;
    std::optional<WordCache> cache;
  };
  enum class Joined : std::uint8_t { all_parts, any_part };

  void drop_other_rows(Table& table) const;
  const Table& unpivot(const Table& table);
  bool is_null(std::string_view text) const;
  bool refused(const TextPlan& plan, std::string_view text) const;
  std::string_view joined(const TextPlan& plan, const Table& table, std::size_t row, Joined how);
  void read_flags(const Table& table, RecordBatch& out) const;
  void read_words(const TextPlan& plan, WordCache& cache, const Table& table, Reason unknown, std::vector<std::uint16_t>& column,
                  RecordBatch& out);
  void read_persons(const Table& table, RecordBatch& out);
  void read_events(const Table& table, RecordBatch& out);
  void read_objects(const Table& table, RecordBatch& out);
  void read_times(Times& times, const Table& table, bool must, std::vector<core::Millis>& column, RecordBatch& out);
  void read_duration(const Table& table, RecordBatch& out);
  void read_evidence(const Table& table, RecordBatch& out);
  void read_positions(const Table& table, RecordBatch& out);
  void read_quantities(const Table& table, RecordBatch& out);
  void read_quantity(std::size_t index, const Table& table, RecordBatch& out);
  void check_ways(RecordBatch& out) const;
  /// The number a plan's column or table says, before its unit; nullopt with `problem` set when there is none.
  std::optional<std::int64_t> number(const NumberPlan& plan, TableWords& words, const Table& table, std::size_t row, core::Factor factor,
                                     Reason& problem);
  std::optional<Position> position(const PositionPlan& plan, const Table& table, std::size_t row, Reason& problem) const;

  std::shared_ptr<const Plan> plan_;
  const Profile& profile_;
  const Context& context_;
  WordCache activities_, sources_, regions_, evidences_, units_;
  std::vector<Unit> known_units_;
  Times start_, end_;
  TableWords duration_words_, start_plus_words_, end_plus_words_;
  std::vector<TableWords> quantity_words_;
  std::string scratch_, labels_;
  std::vector<Field> label_fields_, index_fields_, column_fields_;
  Table unpivoted_;
  std::vector<std::int64_t> straight_millimetres_;  // from start to end; kMissing where unknown
};

}  // namespace tanhui::activity
