// activity/intake_table.h: a piece of an input as columns of text, whatever its format was. Parsers fill it, the record builder reads it.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "activity/record.h"

namespace tanhui::activity {

/// A place in a table's text. An absent value (JSON null, a key that is not there) is not the same as an empty one.
struct Field {
  std::uint32_t begin = 0, size = 0;
  static constexpr std::uint32_t kAbsent = 0xFFFFFFFF;
  static constexpr Field absent() { return {0, kAbsent}; }
  bool is_absent() const { return size == kAbsent; }
  friend constexpr bool operator==(const Field&, const Field&) = default;
};

/// Vectors keep their size between pieces so that nothing is cleared or allocated again; only the first `rows` entries are valid.
struct Table {
  std::size_t rows = 0;
  std::vector<const char*> texts;           // where each column's places count from; kSlack bytes behind the last field can be read
  std::vector<std::vector<Field>> columns;  // one for each wanted column, in the order asked for
  std::vector<std::uint32_t> lines;         // of each row, counted from the first line of the piece, which is 0
  std::vector<Reason> reasons;              // bad_row or bad_encoding; none otherwise

  static constexpr std::size_t kSlack = 64;
  std::string_view at(std::size_t column, std::size_t row) const {
    const Field field = columns[column][row];
    return {texts[column] + field.begin, field.is_absent() ? 0 : field.size};
  }
  /// Room for `count` rows of `width` columns.
  void reserve(std::size_t count, std::size_t width) {
    columns.resize(width);
    texts.resize(width);
    for (auto& column : columns) grow(column, count);
    grow(lines, count);
    grow(reasons, count);
  }

 private:
  template <class T>
  static void grow(std::vector<T>& vector, std::size_t count) {
    if (vector.size() < count) vector.resize(count + count / 4);
  }
};

}  // namespace tanhui::activity
