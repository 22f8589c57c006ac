// activity/csv_rows.h: CSV files for the input reader: the header, and pieces that end where a row ends.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "activity/csv.h"
#include "activity/intake_input.h"
#include "activity/intake_plan.h"

namespace tanhui::activity {

struct CsvLayout : FileLayout {
  std::shared_ptr<const Plan> plan;
  CsvTokeniser::Width width;
  std::vector<std::uint32_t> positions;  // of the plan's columns in a row
};

/// Binds a file's header; called once for each file.
using BindColumns =
    std::function<core::Result<std::shared_ptr<const Plan>>(const std::vector<std::string>& header, const std::string& file)>;

class CsvCutter : public Cutter {
 public:
  CsvCutter(const Profile& profile, std::string file, BindColumns bind_columns);
  core::Result<Start> begin(std::string_view head, bool all) override;
  core::Result<Cut> cut(std::string_view text, bool last, Piece& piece) override;
  Skip skip(std::string_view text, bool first) override;
  std::shared_ptr<const FileLayout> layout() const override { return layout_; }

 private:
  const Profile& profile_;
  std::string file_;
  BindColumns bind_columns_;
  std::shared_ptr<const CsvLayout> layout_;
  CsvScan scan_;
};

/// A piece's rows as the plan's columns; rows whose wanted fields are not UTF-8 are bad_encoding.
void tokenise_piece(Piece& piece, CsvTokeniser& tokeniser, Table& table);

/// Newlines in a text.
std::size_t count_newlines(std::string_view text);

}  // namespace tanhui::activity
