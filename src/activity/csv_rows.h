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
  std::vector<std::uint32_t> positions;                           // of the plan's columns in a row; 0 for those that come from elsewhere
  std::vector<std::pair<std::size_t, std::size_t>> from_section;  // plan column, place in Piece::section
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
  Cut cut_rows(std::string_view text, bool last);
  bool begins_section(std::string_view line) const;
  std::size_t find_section(std::string_view text) const;
  const Profile& profile_;
  std::string file_;
  BindColumns bind_columns_;
  std::shared_ptr<const CsvLayout> layout_;
  std::shared_ptr<const std::vector<std::string>> section_;
  CsvScan scan_;
};

/// A piece's rows as the plan's columns; rows whose wanted fields are not UTF-8 are bad_encoding.
void tokenise_piece(Piece& piece, CsvTokeniser& tokeniser, Table& table);

/// Newlines in a text.
std::size_t count_newlines(std::string_view text);

}  // namespace tanhui::activity
