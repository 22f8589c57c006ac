// journal/row_group.h: private to the room: one row group as it grows, page by page, and its way into the file.
#pragma once
#include <arrow/io/interfaces.h>
#include <parquet/metadata.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "journal/columns.h"

namespace tanhui::journal {

/// The encoded pages of one column of the row group.
struct ColumnChunk {
  enum class Encoding : std::uint8_t { plain, delta, delta_keys, dictionary };
  struct Page {
    std::size_t begin;
    Encoding encoding;
    std::uint32_t rows;
  };
  std::string bytes;  // page after page
  std::vector<Page> pages;
  std::string dictionary;  // PLAIN
  std::size_t dictionary_size = 0;
  std::uint64_t nulls = 0;
  std::string least, greatest;  // statistics, PLAIN; empty for none
  void clear();
};

/// Holds encoded rows only: about 30 to 45 bytes each. Reused from row group to row group, so its memory is touched once.
class RowGroup {
 public:
  /// `rows_max`: how many rows it is going to hold, give or take a page; sizes what it needs besides them.
  RowGroup(const Names& names, std::size_t rows_max);

  std::size_t rows() const { return rows_; }
  /// Encodes rows [begin, end) as one page of every column. They continue the order.
  void add_page(const Columns& columns, std::size_t begin, std::size_t end);
  /// Writes the pages behind what is in `file` and describes them in `metadata`; then starts empty again.
  void write(const std::shared_ptr<arrow::io::OutputStream>& file, parquet::FileMetaDataBuilder& metadata);

 private:
  // A row group's dictionary holds the words it uses, in the order of their first use: few words, narrow indexes.
  struct UsedWords {
    std::vector<std::uint16_t> local_of;  // by index in Names, 0xFFFF: not used yet
  };
  // Numbers that repeat (durations in whole seconds, no milligrams for what did not count) are written down twice, as differences and as
  // words of a dictionary while it stays small; the file gets what is smaller.
  struct RepeatedNumbers {
    ColumnChunk words;
    std::vector<std::uint16_t> slots;  // open addressing: places in the dictionary, 0xFFFF: free
    bool full = false;
    void clear();
  };

  ColumnChunk& chunk(Column column) { return chunks_[std::size_t(column)]; }
  void start_page(Column column, ColumnChunk::Encoding encoding);
  void persons(const std::vector<core::PersonKey>& column);
  void starts(const std::vector<core::Millis>& column);
  void numbers(Column name, const std::vector<std::int64_t>& column);
  void optional_numbers(Column name, const std::vector<std::int64_t>& column);
  void repeated_numbers(Column name, const std::vector<std::int64_t>& column, RepeatedNumbers& repeated);
  void optional_repeated_numbers(Column name, const std::vector<std::int64_t>& column, RepeatedNumbers& repeated);
  void keys(Column name, const std::vector<std::uint64_t>& column);
  void optional_keys(Column name, const std::vector<std::uint64_t>& column);
  void winners(const std::vector<std::uint64_t>& column);
  void revisions(const std::vector<std::uint16_t>& column);
  void lines(const std::vector<std::uint32_t>& column);
  template <class T>
  void words(Column name, const std::vector<T>& column, const std::vector<std::string>& dictionary);
  void optional_words(Column name, const std::vector<std::uint16_t>& column, const std::vector<std::string>& dictionary);
  std::uint16_t local_word(Column name, UsedWords& used, std::size_t index, const std::vector<std::string>& dictionary);
  void add_words(std::span<const std::int64_t> numbers, std::string_view levels, RepeatedNumbers& repeated);
  bool local_numbers(std::span<const std::int64_t> numbers, RepeatedNumbers& repeated);
  const RepeatedNumbers* repeated_of(Column name) const;
  template <class Kept, class T>
  std::size_t split(Column name, const std::vector<T>& column, T none, std::vector<Kept>& kept);

  const Names& names_;
  std::array<ColumnChunk, kColumns> chunks_;
  std::array<UsedWords, kColumns> used_words_;
  RepeatedNumbers durations_, milligrams_, points_;
  unsigned slot_bits_;  // of the tables of RepeatedNumbers
  std::size_t rows_ = 0;

  std::size_t begin_ = 0, count_ = 0;  // the page being encoded
  std::vector<std::uint8_t> present_;
  std::vector<std::uint16_t> indexes_;
  std::vector<std::int64_t> numbers_;
  std::vector<std::uint64_t> keys_;
  std::vector<std::int32_t> small_numbers_;
};

}  // namespace tanhui::journal
