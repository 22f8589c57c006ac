#include "journal/row_group.h"

#include <arrow/buffer.h>
#include <parquet/column_page.h>
#include <parquet/column_writer.h>
#include <parquet/statistics.h>

#include <cstring>

#include "core/invariant.h"
#include "journal/encode.h"

namespace tanhui::journal {
namespace {

using Encoding = ColumnChunk::Encoding;

constexpr std::uint16_t kUnused = 0xFFFF;
// Above this many different numbers a dictionary costs more than it saves in a row group of the usual size.
constexpr unsigned kNumberSlotBits = 14;
constexpr std::size_t kNumberSlots = std::size_t{1} << kNumberSlotBits, kNumbersMax = kNumberSlots / 2;

parquet::Encoding::type parquet_encoding(Encoding encoding) {
  switch (encoding) {
    case Encoding::plain:
      return parquet::Encoding::PLAIN;
    case Encoding::delta:
      return parquet::Encoding::DELTA_BINARY_PACKED;
    case Encoding::delta_keys:
      return parquet::Encoding::DELTA_BYTE_ARRAY;
    case Encoding::dictionary:
      return parquet::Encoding::RLE_DICTIONARY;
  }
  core::invariant(false, "an encoding has a name in Parquet");
  return parquet::Encoding::PLAIN;
}

std::shared_ptr<arrow::Buffer> view(const std::string& bytes, std::size_t begin, std::size_t end) {
  return std::make_shared<arrow::Buffer>(reinterpret_cast<const std::uint8_t*>(bytes.data()) + begin, std::int64_t(end - begin));
}

std::string key_bytes(const core::PersonKey& key) {
  const std::array<std::uint64_t, 2> bytes{__builtin_bswap64(key.high), __builtin_bswap64(key.low)};
  return {reinterpret_cast<const char*>(bytes.data()), sizeof(bytes)};
}

std::string number_bytes(std::int64_t value) { return {reinterpret_cast<const char*>(&value), sizeof(value)}; }

std::int64_t number_at(const std::string& bytes, std::size_t index) {
  std::int64_t value = 0;
  std::memcpy(&value, bytes.data() + index * sizeof(value), sizeof(value));
  return value;
}
std::int64_t number_of(const std::string& bytes) { return number_at(bytes, 0); }

void write_chunk(const ColumnChunk& chunk, bool optional, const std::shared_ptr<arrow::io::OutputStream>& file,
                 parquet::ColumnChunkMetaDataBuilder& metadata) {
  parquet::EncodedStatistics statistics;
  if (!chunk.least.empty()) statistics.set_min(chunk.least).set_max(chunk.greatest);
  if (optional) {
    statistics.null_count = std::int64_t(chunk.nulls);
    statistics.has_null_count = true;
  }
  if (statistics.is_set()) metadata.SetStatistics(statistics);
  const auto writer = parquet::PageWriter::Open(file, parquet::Compression::UNCOMPRESSED, &metadata);
  bool dictionary = false, other = false;
  for (const auto& page : chunk.pages) (page.encoding == Encoding::dictionary ? dictionary : other) = true;
  if (dictionary)
    writer->WriteDictionaryPage(parquet::DictionaryPage(view(chunk.dictionary, 0, chunk.dictionary.size()),
                                                        std::int32_t(chunk.dictionary_size), parquet::Encoding::PLAIN));
  for (std::size_t i = 0; i < chunk.pages.size(); ++i) {
    const auto& page = chunk.pages[i];
    const std::size_t end = i + 1 < chunk.pages.size() ? chunk.pages[i + 1].begin : chunk.bytes.size();
    writer->WriteDataPage(parquet::DataPageV1(view(chunk.bytes, page.begin, end), std::int32_t(page.rows), parquet_encoding(page.encoding),
                                              parquet::Encoding::RLE, parquet::Encoding::RLE, std::int64_t(end - page.begin)));
  }
  writer->Close(dictionary, dictionary && other);
}

}  // namespace

void ColumnChunk::clear() {
  bytes.clear();
  pages.clear();
  dictionary.clear();
  dictionary_size = 0;
  nulls = 0;
  least.clear();
  greatest.clear();
}

void RowGroup::add_page(const Columns& columns, std::size_t begin, std::size_t end) {
  begin_ = begin;
  count_ = end - begin;
  persons(columns.person);
  starts(columns.start_ms);
  durations(columns.duration_ms);
  words(Column::activity, columns.activity, names_.activities);
  words(Column::source, columns.source, names_.sources);
  words(Column::region, columns.region, names_.regions);
  optional_words(Column::methodology, columns.methodology, names_.methodologies);
  keys(Column::event, columns.event);
  optional_keys(Column::object, columns.object);
  words(Column::evidence, columns.evidence, names_.evidences);
  optional_numbers(Column::quantity, columns.quantity);
  optional_numbers(Column::quantity_2, columns.extra[0]);
  optional_numbers(Column::quantity_3, columns.extra[1]);
  optional_numbers(Column::quantity_4, columns.extra[2]);
  words(Column::outcome, columns.outcome, names_.outcomes);
  words(Column::reason, columns.reason, names_.reasons);
  numbers(Column::milligrams, columns.milligrams);
  numbers(Column::points, columns.points);
  optional_keys(Column::winner, columns.winner);
  optional_words(Column::winner_source, columns.winner_source, names_.sources);
  revisions(columns.revision);
  lines(columns.line);
  optional_numbers(Column::run, columns.run);
  rows_ += count_;
}

void RowGroup::write(const std::shared_ptr<arrow::io::OutputStream>& file, parquet::FileMetaDataBuilder& metadata) {
  auto& group = *metadata.AppendRowGroup();
  group.set_num_rows(std::int64_t(rows_));
  std::int64_t bytes = 0;
  for (ColumnChunk& chunk : chunks_) {
    auto& column = *group.NextColumnChunk();
    write_chunk(chunk, column.descr()->max_definition_level() > 0, file, column);
    bytes += column.total_compressed_size();
    chunk.clear();
  }
  group.Finish(bytes);
  for (auto& used : used_words_) used.local_of.clear();
  used_numbers_.slots.clear();
  used_numbers_.full = false;
  rows_ = 0;
}

void RowGroup::start_page(Column column, Encoding encoding) {
  ColumnChunk& to = chunk(column);
  to.pages.push_back({to.bytes.size(), encoding, std::uint32_t(count_)});
}

void RowGroup::persons(const std::vector<core::PersonKey>& column) {
  start_page(Column::person, Encoding::delta_keys);
  ColumnChunk& to = chunk(Column::person);
  encode::delta_keys({&column[begin_], count_}, to.bytes);
  if (to.least.empty()) to.least = key_bytes(column[begin_]);
  to.greatest = key_bytes(column[begin_ + count_ - 1]);
}

void RowGroup::starts(const std::vector<core::Millis>& column) {
  numbers(Column::start, column);
  ColumnChunk& to = chunk(Column::start);
  const auto [least, greatest] =
      std::minmax_element(column.begin() + std::ptrdiff_t(begin_), column.begin() + std::ptrdiff_t(begin_ + count_));
  if (to.least.empty() || *least < number_of(to.least)) to.least = number_bytes(*least);
  if (to.greatest.empty() || *greatest > number_of(to.greatest)) to.greatest = number_bytes(*greatest);
}

void RowGroup::numbers(Column name, const std::vector<std::int64_t>& column) {
  start_page(name, Encoding::delta);
  encode::delta(std::span(&column[begin_], count_), chunk(name).bytes);
}

void RowGroup::keys(Column name, const std::vector<std::uint64_t>& column) {
  start_page(name, Encoding::plain);
  encode::plain({&column[begin_], count_}, chunk(name).bytes);
}

// The values that are not `none`, and for each row whether it has one, written as levels. Returns how many there are.
template <class Kept, class T>
std::size_t RowGroup::split(Column name, const std::vector<T>& column, T none, std::vector<Kept>& kept) {
  present_.resize(count_);
  kept.resize(count_);
  std::size_t used = 0;
  if (!column.empty()) {
    for (std::size_t i = 0; i < count_; ++i) {
      const T value = column[begin_ + i];
      kept[used] = Kept(value);
      present_[i] = value != none;
      used += present_[i];
    }
  }
  encode::levels(present_, used, chunk(name).bytes);
  chunk(name).nulls += count_ - used;
  return used;
}

void RowGroup::optional_numbers(Column name, const std::vector<std::int64_t>& column) {
  start_page(name, Encoding::delta);
  const std::size_t used = split(name, column, kMissing, numbers_);
  if (used > 0)
    encode::delta(std::span(numbers_.data(), used), chunk(name).bytes);
  else
    chunk(name).pages.back().encoding = Encoding::plain;  // no value at all is the same in PLAIN, and every reader takes it
}

void RowGroup::optional_keys(Column name, const std::vector<std::uint64_t>& column) {
  start_page(name, Encoding::plain);
  const std::size_t used = split(name, column, std::uint64_t{0}, keys_);
  encode::plain({keys_.data(), used}, chunk(name).bytes);
}

void RowGroup::durations(const std::vector<std::int64_t>& column) {
  start_page(Column::duration_ms, Encoding::dictionary);
  ColumnChunk& to = chunk(Column::duration_ms);
  const std::size_t used = split(Column::duration_ms, column, kMissing, numbers_);
  if (used > 0 && local_numbers(used)) {
    encode::indexes({indexes_.data(), used}, to.dictionary_size, to.bytes);
  } else {
    to.pages.back().encoding = used > 0 ? Encoding::delta : Encoding::plain;
    if (used > 0) encode::delta(std::span(numbers_.data(), used), to.bytes);
  }
}

// Indexes of numbers_ in the dictionary of durations; false once it would grow too large to pay.
bool RowGroup::local_numbers(std::size_t count) {
  UsedNumbers& used = used_numbers_;
  ColumnChunk& to = chunk(Column::duration_ms);
  if (used.full) return false;
  if (used.slots.empty()) used.slots.assign(kNumberSlots, kUnused);
  indexes_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t value = numbers_[i];
    std::size_t slot = (std::uint64_t(value) * 0x9E3779B97F4A7C15u) >> (64 - kNumberSlotBits);
    while (used.slots[slot] != kUnused && number_at(to.dictionary, used.slots[slot]) != value) slot = (slot + 1) % kNumberSlots;
    if (used.slots[slot] == kUnused) {
      if (to.dictionary_size == kNumbersMax) {
        used.full = true;
        return false;
      }
      used.slots[slot] = std::uint16_t(to.dictionary_size++);
      to.dictionary.append(number_bytes(value));
    }
    indexes_[i] = used.slots[slot];
  }
  return true;
}

void RowGroup::revisions(const std::vector<std::uint16_t>& column) {
  start_page(Column::revision, Encoding::delta);
  small_numbers_.assign(column.begin() + std::ptrdiff_t(begin_), column.begin() + std::ptrdiff_t(begin_ + count_));
  encode::delta(std::span<const std::int32_t>(small_numbers_), chunk(Column::revision).bytes);
}

void RowGroup::lines(const std::vector<std::uint32_t>& column) {
  start_page(Column::line, Encoding::delta);
  const std::size_t used = split(Column::line, column, std::uint32_t{0}, small_numbers_);
  if (used > 0)
    encode::delta(std::span<const std::int32_t>(small_numbers_.data(), used), chunk(Column::line).bytes);
  else
    chunk(Column::line).pages.back().encoding = Encoding::plain;
}

std::uint16_t RowGroup::local_word(Column name, UsedWords& used, std::size_t index, const std::vector<std::string>& dictionary) {
  core::invariant(index < dictionary.size(), "a word's index lies inside its dictionary");
  if (index >= used.local_of.size()) used.local_of.resize(dictionary.size(), kUnused);
  ColumnChunk& to = chunk(name);
  used.local_of[index] = std::uint16_t(to.dictionary_size++);
  encode::plain_word(dictionary[index], to.dictionary);
  return used.local_of[index];
}

template <class T>
void RowGroup::words(Column name, const std::vector<T>& column, const std::vector<std::string>& dictionary) {
  start_page(name, Encoding::dictionary);
  UsedWords& used = used_words_[std::size_t(name)];
  indexes_.resize(count_);
  for (std::size_t i = 0; i < count_; ++i) {
    const std::size_t index = column[begin_ + i];
    const bool known = index < used.local_of.size() && used.local_of[index] != kUnused;
    indexes_[i] = known ? used.local_of[index] : local_word(name, used, index, dictionary);
  }
  encode::indexes(indexes_, chunk(name).dictionary_size, chunk(name).bytes);
}

void RowGroup::optional_words(Column name, const std::vector<std::uint16_t>& column, const std::vector<std::string>& dictionary) {
  start_page(name, Encoding::dictionary);
  UsedWords& used = used_words_[std::size_t(name)];
  const std::size_t count = split(name, column, kNoName, indexes_);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t index = indexes_[i];
    const bool known = index < used.local_of.size() && used.local_of[index] != kUnused;
    indexes_[i] = known ? used.local_of[index] : local_word(name, used, index, dictionary);
  }
  if (count > 0)
    encode::indexes({indexes_.data(), count}, chunk(name).dictionary_size, chunk(name).bytes);
  else
    chunk(name).pages.back().encoding = Encoding::plain;
}

}  // namespace tanhui::journal
