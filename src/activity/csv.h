// activity/csv.h: CSV text to columns of places, at the speed of memory. Nothing is copied; quoted fields are undone in place.
//
// Grammar (RFC 4180, read the way partners write it): a row ends at \n or \r\n outside quotes; a field is quoted when its first byte
// is a quote, then two quotes stand for one and the field ends at the next single quote. A quote elsewhere is an ordinary byte.
// An empty line is no row. A row with another number of fields, or with text behind a closing quote, is bad_row; its neighbours are not
// touched.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "activity/intake_table.h"

namespace tanhui::activity {

struct CsvFormat {
  char delimiter = ',';
  bool quotes = true;
};

/// Instruction sets the scanner is built for. All give the same answer; `best_simd` asks the processor.
enum class Simd : std::uint8_t { portable, sse2, avx2, avx512 };
std::vector<Simd> available_simd();
Simd best_simd();

/// Separators of a piece of text that begins outside quotes at the start of a row.
struct CsvScan {
  std::unique_ptr<std::uint32_t[]>
      separators;  // [0] stands for the newline before the text (-1); delimiters and newlines outside quotes follow
  std::unique_ptr<std::uint32_t[]> row_ends;  // index into `separators` of each row's newline
  std::size_t capacity = 0;
  std::size_t separator_count = 0, row_count = 0;
  bool any_quoted = false;
  bool ends_in_quotes = false;

  /// Text up to 4 GB; Table::kSlack bytes behind it must be readable.
  void scan(std::string_view text, const CsvFormat& format, Simd simd);
  /// Bytes up to and including the last row end; 0 when there is none.
  std::size_t whole_rows_bytes() const { return row_count == 0 ? 0 : separators[row_ends[row_count - 1]] + 1; }
};

class CsvTokeniser {
 public:
  explicit CsvTokeniser(CsvFormat format, Simd simd = best_simd()) : format_(format), simd_(simd) {}

  struct Width {
    std::size_t columns = 0;  // a row has this many fields
    bool at_least = false;    // more are allowed (spreadsheets leave delimiters behind)
  };
  /// Fills `table` with the wanted columns of each row. `text` holds whole rows (the last newline may be missing, then the byte behind
  /// the text is overwritten) and Table::kSlack bytes behind it belong to the caller too.
  void tokenise(std::span<char> text, Width width, std::span<const std::uint32_t> wanted, Table& table);
  /// The fields of the first row, quotes undone. `text` is not changed.
  static std::vector<std::string> first_row(std::string_view text, const CsvFormat& format);

 private:
  void project(char* text, Width width, std::span<const std::uint32_t> wanted, Table& table);
  CsvFormat format_;
  Simd simd_;
  CsvScan scan_;
};

/// Undoes the quotes of a field that begins with one, in place; false when the quoting is broken.
bool undo_quotes(char* text, Field& field);

}  // namespace tanhui::activity
