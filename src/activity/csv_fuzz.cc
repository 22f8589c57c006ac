// libFuzzer: whatever the bytes, every instruction set finds the same rows and fields, and nothing outside the text is touched.
#include <cstring>

#include "activity/csv.h"
#include "core/invariant.h"

using namespace tanhui::activity;

namespace {

std::string rows_of(std::string_view text, CsvFormat format, std::size_t columns, bool wider, Simd simd) {
  std::vector<char> buffer(text.begin(), text.end());
  buffer.resize(text.size() + 1 + Table::kSlack, '"');
  std::vector<std::uint32_t> wanted;
  for (std::uint32_t i = 0; i < columns; ++i) wanted.push_back(i);
  Table table;
  CsvTokeniser(format, simd).tokenise({buffer.data(), text.size()}, {columns, wider}, wanted, table);
  std::string shown;
  for (std::size_t row = 0; row < table.rows; ++row) {
    shown += std::to_string(table.lines[row]) + (table.reasons[row] == Reason::none ? "" : "!");
    for (std::size_t column = 0; column < columns; ++column) shown.append("[").append(table.at(column, row)).append("]");
    shown += '\n';
  }
  return shown;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const CsvFormat format{(data[0] & 1) != 0 ? ';' : ',', (data[0] & 2) != 0};
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t columns = 1 + (data[0] >> 2 & 3);
  const bool wider = (data[0] & 16) != 0;
  const std::string first = rows_of(text, format, columns, wider, Simd::portable);
  for (const Simd simd : available_simd()) {
    tanhui::core::invariant(rows_of(text, format, columns, wider, simd) == first, "every instruction set reads the same");
  }
  (void)CsvTokeniser::first_row(text, format);
  return 0;
}
