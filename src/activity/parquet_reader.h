// activity/parquet_reader.h: Parquet files through Arrow's reader, in batches of rows, columns the plan does not want left unread.
#pragma once
#include <memory>
#include <string>

#include "activity/csv_rows.h"
#include "activity/intake_input.h"
#include "activity/intake_plan.h"
#include "activity/intake_table.h"

namespace tanhui::activity {

struct ParquetLayout : FileLayout {
  std::shared_ptr<const Plan> plan;
};

/// Columns are named as in the file; members of a struct column as "outer.inner".
/// Errors: input.not-parquet, input.broken-parquet, and those of `bind_columns`.
core::Result<std::unique_ptr<BatchReader>> open_parquet(const OpenedFile& file, const BindColumns& bind_columns);

/// A batch's columns as text, which then takes the same way as text from a CSV file: integers, decimals, floating point (shortest form that
/// reads back the same), booleans, dates, timestamps (with Z when the column has a zone, else as wall clock), strings and dictionaries of
/// them.
class ParquetRows {
 public:
  void read(const Piece& piece, Table& table);

 private:
  std::string arena_;
};

}  // namespace tanhui::activity
