#include "activity/csv_rows.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cstring>

namespace tanhui::activity {
namespace {

using core::Error;
using core::ErrorCode;
using core::Result;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

Error no_header(const std::string& file, std::string_view what) {
  return {ErrorCode::invalid_input,
          "input.no-header",
          fmt::format("{}: {}", file, what),
          "the first line must name the columns; see csv.skip_lines and csv.header in docs/profiles.md",
          {{"file", file}}};
}

}  // namespace

std::size_t count_newlines(std::string_view text) {
  // Sums of up to 255 comparisons fit a byte, which lets the compiler use whole registers of them.
  std::size_t count = 0;
  const char* at = text.data();
  for (std::size_t left = text.size(); left > 0;) {
    const std::size_t step = std::min<std::size_t>(left, 255 * 32);
    std::uint8_t sums[32] = {};
    std::size_t i = 0;
    for (; i + 32 <= step; i += 32) {
      for (std::size_t lane = 0; lane < 32; ++lane) sums[lane] = std::uint8_t(sums[lane] + (at[i + lane] == '\n'));
    }
    for (const std::uint8_t sum : sums) count += sum;
    for (; i < step; ++i) count += at[i] == '\n';
    at += step;
    left -= step;
  }
  return count;
}

CsvCutter::CsvCutter(const Profile& profile, std::string file, BindColumns bind_columns)
    : profile_(profile), file_(std::move(file)), bind_columns_(std::move(bind_columns)) {}

Result<Cutter::Start> CsvCutter::begin(std::string_view head, bool) {
  Start start;
  if (head.starts_with(kByteOrderMark)) start.bytes = kByteOrderMark.size();
  const auto line_end = [&](std::size_t from) {
    const std::size_t end = head.find('\n', from);
    return end == std::string_view::npos ? head.size() : end + 1;
  };
  for (std::uint32_t i = 0; i < profile_.skip_lines; ++i) {
    if (start.bytes == head.size()) return no_header(file_, fmt::format("the file ends before its {} junk lines do", profile_.skip_lines));
    start.bytes = line_end(start.bytes);
    ++start.lines;
  }
  const std::string_view rest = head.substr(start.bytes);
  const std::size_t first_end = line_end(start.bytes) - start.bytes;
  if (rest.substr(0, first_end).find_first_not_of(" \t\r\n") == std::string_view::npos && profile_.header) {
    return no_header(file_, "there is no header");
  }
  if (first_end > kLineMax / 2) return no_header(file_, "the first line is too long to be a header");
  // A quoted column name may hold a newline; then the header goes on behind it.
  scan_.scan(rest.substr(0, std::min(rest.size(), kLineMax / 2)), profile_.csv, best_simd());
  const std::size_t header_bytes = scan_.row_count > 0 ? scan_.separators[scan_.row_ends[0]] + 1 : rest.size();
  std::vector<std::string> header = CsvTokeniser::first_row(rest.substr(0, header_bytes), profile_.csv);
  auto layout = std::make_shared<CsvLayout>();
  if (profile_.header) {
    for (std::string& column : header) {  // spaces around a name are never meant
      while (!column.empty() && column.back() == ' ') column.pop_back();
      column.erase(0, std::min(column.find_first_not_of(' '), column.size()));
    }
    start.bytes += header_bytes;
    start.lines += std::uint32_t(std::max<std::size_t>(1, count_newlines(rest.substr(0, header_bytes))));
  } else if (!profile_.header_names.empty()) {
    header = profile_.header_names;
  } else {
    if (profile_.fields > 0) header.resize(profile_.fields);
    for (std::size_t i = 0; i < header.size(); ++i) header[i] = std::to_string(i + 1);
  }
  auto plan = bind_columns_(header, file_);
  if (!plan) return plan.error();
  layout->plan = *std::move(plan);
  layout->width = {header.size(), profile_.wider_rows};
  for (const std::string& column : layout->plan->columns) {
    layout->positions.push_back(std::uint32_t(find_column(header, profile_.header || !profile_.header_names.empty(), column).value_or(0)));
  }
  if (profile_.sections) {
    for (std::size_t i = 0; i < layout->plan->columns.size(); ++i) {
      for (std::size_t kept = 0; kept < profile_.sections->keep.size(); ++kept) {
        if (layout->plan->columns[i] == "$" + profile_.sections->keep[kept].first) layout->from_section.emplace_back(i, kept);
      }
    }
  }
  layout_ = std::move(layout);
  return start;
}

Result<Cutter::Cut> CsvCutter::cut(std::string_view text, bool last, Piece& piece) {
  if (!profile_.sections) return cut_rows(text, last);
  // A piece lies within one section; the row that begins one is a piece of its own.
  const std::size_t line_end = text.find('\n');
  if (begins_section(text)) {
    if (line_end == std::string_view::npos && !last) return Cut{};
    const std::size_t bytes = line_end == std::string_view::npos ? text.size() : line_end + 1;
    const auto fields = CsvTokeniser::first_row(text.substr(0, bytes), profile_.csv);
    auto values = std::make_shared<std::vector<std::string>>();
    for (const auto& [name, number] : profile_.sections->keep) {
      values->push_back(number <= fields.size() ? fields[number - 1] : std::string());
      values->back().reserve(values->back().size() + Table::kSlack);  // bytes behind it may be read
    }
    section_ = std::move(values);
    return Cut{bytes, 1};
  }
  piece.section = section_;
  const std::size_t next = find_section(text);
  return next == std::string_view::npos ? cut_rows(text, last) : cut_rows(text.substr(0, next), true);
}

bool CsvCutter::begins_section(std::string_view line) const {
  const std::string& begins = profile_.sections->begins;
  return line.size() > begins.size() && line.starts_with(begins) && line[begins.size()] == profile_.csv.delimiter;
}

// Begin of the next line that begins a section, behind the first line.
std::size_t CsvCutter::find_section(std::string_view text) const {
  const std::string wanted = "\n" + profile_.sections->begins + profile_.csv.delimiter;
  const std::size_t found = text.find(wanted);
  return found == std::string_view::npos ? found : found + 1;
}

Cutter::Cut CsvCutter::cut_rows(std::string_view text, bool last) {
  Cut cut;
  if (!profile_.csv.quotes || std::memchr(text.data(), '"', text.size()) == nullptr) {
    const void* newline = last ? nullptr : ::memrchr(text.data(), '\n', text.size());
    cut.bytes = last ? text.size() : newline == nullptr ? 0 : std::size_t(static_cast<const char*>(newline) - text.data()) + 1;
  } else {
    scan_.scan(text, profile_.csv, best_simd());
    cut.bytes = scan_.whole_rows_bytes();
    // At the end the last row needs no newline. If it ends inside quotes over several lines, they were never closed: `skip` takes one line.
    const std::string_view rest = text.substr(cut.bytes);
    if (last && (!scan_.ends_in_quotes || rest.find('\n') == std::string_view::npos)) cut.bytes = text.size();
  }
  cut.lines = std::uint32_t(count_newlines(text.substr(0, cut.bytes)));
  return cut;
}

Cutter::Skip CsvCutter::skip(std::string_view text, bool first) {
  const std::size_t newline = text.find('\n');
  if (newline == std::string_view::npos) return {text.size(), 0, false, Reason::too_long_line};
  return {newline + 1, 1, true, first ? Reason::bad_row : Reason::too_long_line};
}

void tokenise_piece(Piece& piece, CsvTokeniser& tokeniser, Table& table) {
  const auto& layout = static_cast<const CsvLayout&>(*piece.layout);
  const bool valid = simdjson::validate_utf8(piece.bytes.get(), piece.size);
  tokeniser.tokenise({piece.bytes.get(), piece.size}, layout.width, layout.positions, table);
  for (const auto& [column, kept] : layout.from_section) {
    const Field field = piece.section ? Field{0, std::uint32_t((*piece.section)[kept].size())} : Field::absent();
    if (piece.section) table.texts[column] = (*piece.section)[kept].data();
    std::fill_n(table.columns[column].begin(), table.rows, field);
  }
  if (valid) return;
  for (std::size_t row = 0; row < table.rows; ++row) {
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      const std::string_view text = table.at(column, row);
      if (table.reasons[row] == Reason::none && !simdjson::validate_utf8(text.data(), text.size()))
        table.reasons[row] = Reason::bad_encoding;
    }
  }
}

}  // namespace tanhui::activity
