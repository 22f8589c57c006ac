#include "activity/csv.h"

#include <algorithm>
#include <cstring>

namespace tanhui::activity {

bool undo_quotes(char* text, Field& field) {
  char* const begin = text + field.begin;
  if (field.size < 2 || begin[field.size - 1] != '"') return false;
  char* out = begin;
  for (const char* in = begin + 1, *end = begin + field.size - 1; in != end; ++in) {
    if (*in == '"') {
      if (in + 1 == end || in[1] != '"') return false;
      ++in;
    }
    *out++ = *in;
  }
  field.size = std::uint32_t(out - begin);
  return true;
}

void CsvTokeniser::tokenise(std::span<char> text, Width width, std::span<const std::uint32_t> wanted, Table& table) {
  std::size_t size = text.size();
  if (size > 0 && text[size - 1] != '\n') text.data()[size++] = '\n';
  scan_.scan({text.data(), size}, format_, simd_);
  if (scan_.ends_in_quotes) {  // a quote that is never closed: what it swallowed is one bad row
    scan_.separators[scan_.separator_count] = std::uint32_t(size - 1);
    scan_.row_ends[scan_.row_count++] = std::uint32_t(scan_.separator_count++);
  }
  table.reserve(scan_.row_count, wanted.size());
  std::fill(table.texts.begin(), table.texts.end(), text.data());
  project(text.data(), width, wanted, table);
}

void CsvTokeniser::project(char* text, Width width, std::span<const std::uint32_t> wanted, Table& table) {
  const std::uint32_t* separators = scan_.separators.get();
  std::vector<Field*> out;
  for (auto& column : table.columns) out.push_back(column.data());
  const std::size_t columns = wanted.size();
  std::size_t row = 0, first = 0;
  std::uint32_t line = 0;
  for (std::size_t i = 0; i < scan_.row_count; ++i) {
    const std::size_t last = scan_.row_ends[i];
    const std::uint32_t* const before = separators + first;  // separator before field 0
    const std::size_t fields = last - first;
    const std::uint32_t begin = before[0] + 1, end = separators[last];
    const std::uint32_t this_line = line++;
    first = last;
    if (scan_.any_quoted) line += std::uint32_t(std::count(text + begin, text + end, '\n'));
    if (fields == width.columns || (width.at_least && fields > width.columns)) [[likely]] {
      if (fields == 1 && (end == begin || (end == begin + 1 && text[begin] == '\r'))) continue;
      for (std::size_t c = 0; c < columns; ++c) {
        const std::uint32_t from = before[wanted[c]] + 1;
        out[c][row] = {from, before[wanted[c] + 1] - from};
      }
      table.reasons[row] = Reason::none;
    } else {
      if (fields == 1 && (end == begin || (end == begin + 1 && text[begin] == '\r'))) continue;
      for (std::size_t c = 0; c < columns; ++c) {  // what is there may still tell what kind of row it is
        const std::uint32_t from = wanted[c] < fields ? before[wanted[c]] + 1 : 0;
        out[c][row] = wanted[c] < fields ? Field{from, before[wanted[c] + 1] - from} : Field::absent();
      }
      table.reasons[row] = Reason::bad_row;
    }
    table.lines[row++] = this_line;
  }
  table.rows = row;
  for (std::size_t c = 0; c < columns; ++c) {
    if (wanted[c] + 1 != width.columns) continue;
    for (Field* field = out[c]; field != out[c] + row; ++field) {
      if (!field->is_absent() && field->size > 0 && text[field->begin + field->size - 1] == '\r') --field->size;
    }
  }
  if (!scan_.any_quoted) return;
  for (std::size_t c = 0; c < columns; ++c) {
    for (std::size_t r = 0; r < row; ++r) {
      Field& field = out[c][r];
      if (field.is_absent() || field.size == 0 || text[field.begin] != '"') continue;
      if (!undo_quotes(text, field)) table.reasons[r] = Reason::bad_row;
    }
  }
}

std::vector<std::string> CsvTokeniser::first_row(std::string_view text, const CsvFormat& format) {
  std::string copy(text);
  copy.resize(copy.size() + Table::kSlack);
  std::size_t size = text.size();
  if (size == 0 || copy[size - 1] != '\n') copy[size++] = '\n';
  CsvScan scan;
  scan.scan({copy.data(), size}, format, best_simd());
  std::vector<std::string> fields;
  const std::size_t last = scan.row_count > 0 ? scan.row_ends[0] : scan.separator_count - 1;
  for (std::size_t i = 0; i < last; ++i) {
    Field field{scan.separators[i] + 1, scan.separators[i + 1] - scan.separators[i] - 1};
    if (i + 1 == last && field.size > 0 && copy[field.begin + field.size - 1] == '\r') --field.size;
    if (format.quotes && field.size > 0 && copy[field.begin] == '"') undo_quotes(copy.data(), field);
    fields.emplace_back(copy.data() + field.begin, field.size);
  }
  return fields;
}

}  // namespace tanhui::activity
