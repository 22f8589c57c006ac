#include "journal/row_group.h"

#include <arrow/buffer.h>
#include <parquet/column_page.h>
#include <parquet/column_writer.h>
#include <parquet/statistics.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/invariant.h"
#include "journal/encode.h"
#include "journal/schema.h"

namespace tanhui::journal {
namespace {

using Encoding = ColumnChunk::Encoding;

constexpr std::uint16_t kUnused = 0xFFFF;
// A dictionary of more different numbers costs more than it saves in a row group of the usual size.
constexpr unsigned kSlotBitsMax = 15;  // half of the slots are used
constexpr int kZstdLevel = 1;          // higher ones are slower and save no more in such short pages

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

/// Pages as they go into the file.
struct PackedPages {
  std::string bytes;
  std::vector<std::size_t> ends;
};

std::size_t end_of(const ColumnChunk& chunk, std::size_t page) {
  return page + 1 < chunk.pages.size() ? chunk.pages[page + 1].begin : chunk.bytes.size();
}

// Arrow's codec makes a context for each page, which takes longer than to compress it.
void append_compressed(std::string_view from, std::string& to) {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  static thread_local const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  if (context == nullptr) throw std::bad_alloc();
  const std::size_t at = to.size();
  to.resize(at + ZSTD_compressBound(from.size()));
  const std::size_t size = ZSTD_compressCCtx(context.get(), &to[at], to.size() - at, from.data(), from.size(), kZstdLevel);
  core::invariant(ZSTD_isError(size) == 0, "what has room for its worst case can be compressed");
  to.resize(at + size);
}

PackedPages pack(const ColumnChunk& chunk, bool compressed) {
  PackedPages packed;
  for (std::size_t i = 0; i < chunk.pages.size(); ++i) {
    const std::string_view page(chunk.bytes.data() + chunk.pages[i].begin, end_of(chunk, i) - chunk.pages[i].begin);
    if (compressed)
      append_compressed(page, packed.bytes);
    else
      packed.bytes.append(page);
    packed.ends.push_back(packed.bytes.size());
  }
  return packed;
}

void write_chunk(const ColumnChunk& chunk, const ColumnChunk& about, const PackedPages& packed, parquet::Compression::type compression,
                 bool optional, const std::shared_ptr<arrow::io::OutputStream>& file, parquet::ColumnChunkMetaDataBuilder& metadata) {
  parquet::EncodedStatistics statistics;
  if (!about.least.empty()) statistics.set_min(about.least).set_max(about.greatest);
  if (optional) {
    statistics.null_count = std::int64_t(about.nulls);
    statistics.has_null_count = true;
  }
  if (statistics.is_set()) metadata.SetStatistics(statistics);
  const auto writer = parquet::PageWriter::Open(file, compression, &metadata);
  bool dictionary = false, other = false;
  for (const auto& page : chunk.pages) (page.encoding == Encoding::dictionary ? dictionary : other) = true;
  if (dictionary)
    writer->WriteDictionaryPage(parquet::DictionaryPage(view(chunk.dictionary, 0, chunk.dictionary.size()),
                                                        std::int32_t(chunk.dictionary_size), parquet::Encoding::PLAIN));
  for (std::size_t i = 0; i < chunk.pages.size(); ++i) {
    const auto& page = chunk.pages[i];
    writer->WriteDataPage(parquet::DataPageV1(view(packed.bytes, i == 0 ? 0 : packed.ends[i - 1], packed.ends[i]), std::int32_t(page.rows),
                                              parquet_encoding(page.encoding), parquet::Encoding::RLE, parquet::Encoding::RLE,
                                              std::int64_t(end_of(chunk, i) - page.begin)));
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

void RowGroup::RepeatedNumbers::clear() {
  words.clear();
  slots.clear();
  full = false;
}

RowGroup::RowGroup(const Names& names, std::size_t rows_max)
    : names_(names), slot_bits_(std::clamp(unsigned(std::bit_width(2 * rows_max)), 8U, kSlotBitsMax)) {}

void RowGroup::add_page(const Columns& columns, std::size_t begin, std::size_t end) {
  begin_ = begin;
  count_ = end - begin;
  persons(columns.person);
  starts(columns.start_ms);
  optional_repeated_numbers(Column::duration_ms, columns.duration_ms, durations_);
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
  repeated_numbers(Column::milligrams, columns.milligrams, milligrams_);
  repeated_numbers(Column::points, columns.points, points_);
  winners(columns.winner);
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
  for (std::size_t i = 0; i < kColumns; ++i) {
    ColumnChunk& chunk = chunks_[i];
    auto& column = *group.NextColumnChunk();
    const bool compressed = is_compressed(Column(i)), optional = column.descr()->max_definition_level() > 0;
    const auto compression = compressed ? parquet::Compression::ZSTD : parquet::Compression::UNCOMPRESSED;
    const RepeatedNumbers* repeated = repeated_of(Column(i));
    bool written = false;
    if (repeated != nullptr && !repeated->full && repeated->words.dictionary_size > 0) {
      const PackedPages words = pack(repeated->words, true);
      std::string dictionary;
      append_compressed(repeated->words.dictionary, dictionary);
      written = words.bytes.size() + dictionary.size() < chunk.bytes.size();  // differences are hardly smaller when compressed
      if (written) write_chunk(repeated->words, chunk, words, compression, optional, file, column);
    }
    if (!written) write_chunk(chunk, chunk, pack(chunk, compressed), compression, optional, file, column);
    bytes += column.total_compressed_size();
    chunk.clear();
  }
  group.Finish(bytes);
  for (auto& used : used_words_) used.local_of.clear();
  for (RepeatedNumbers* repeated : {&durations_, &milligrams_, &points_}) repeated->clear();
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

// Who lost to the same record has the same winner: differences of zero, which compress.
void RowGroup::winners(const std::vector<std::uint64_t>& column) {
  start_page(Column::winner, Encoding::delta);
  const std::size_t used = split(Column::winner, column, std::uint64_t{0}, numbers_);
  if (used > 0)
    encode::delta(std::span(numbers_.data(), used), chunk(Column::winner).bytes);
  else
    chunk(Column::winner).pages.back().encoding = Encoding::plain;
}

void RowGroup::repeated_numbers(Column name, const std::vector<std::int64_t>& column, RepeatedNumbers& repeated) {
  numbers(name, column);
  add_words(std::span(&column[begin_], count_), "", repeated);
}

void RowGroup::optional_repeated_numbers(Column name, const std::vector<std::int64_t>& column, RepeatedNumbers& repeated) {
  start_page(name, Encoding::delta);
  ColumnChunk& to = chunk(name);
  const std::size_t levels_at = to.bytes.size();
  const std::size_t used = split(name, column, kMissing, numbers_);
  const std::string levels = to.bytes.substr(levels_at);
  if (used > 0)
    encode::delta(std::span(numbers_.data(), used), to.bytes);
  else
    to.pages.back().encoding = Encoding::plain;
  add_words(std::span(numbers_.data(), used), levels, repeated);
}

// The same page once more, as words; nothing once the dictionary is full.
void RowGroup::add_words(std::span<const std::int64_t> numbers, std::string_view levels, RepeatedNumbers& repeated) {
  if (repeated.full || !local_numbers(numbers, repeated)) return;
  ColumnChunk& to = repeated.words;
  to.pages.push_back({to.bytes.size(), numbers.empty() ? Encoding::plain : Encoding::dictionary, std::uint32_t(count_)});
  to.bytes.append(levels);
  if (!numbers.empty()) encode::indexes({indexes_.data(), numbers.size()}, to.dictionary_size, to.bytes);
}

const RowGroup::RepeatedNumbers* RowGroup::repeated_of(Column name) const {
  switch (name) {
    case Column::duration_ms:
      return &durations_;
    case Column::milligrams:
      return &milligrams_;
    case Column::points:
      return &points_;
    default:
      return nullptr;
  }
}

// indexes_ of the numbers in the dictionary; false once it would grow too large to pay.
bool RowGroup::local_numbers(std::span<const std::int64_t> numbers, RepeatedNumbers& repeated) {
  ColumnChunk& to = repeated.words;
  const std::size_t slots = std::size_t{1} << slot_bits_;
  if (repeated.slots.empty()) repeated.slots.assign(slots, kUnused);
  indexes_.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::int64_t value = numbers[i];
    std::size_t slot = (std::uint64_t(value) * 0x9E3779B97F4A7C15u) >> (64 - slot_bits_);
    while (repeated.slots[slot] != kUnused && number_at(to.dictionary, repeated.slots[slot]) != value) slot = (slot + 1) & (slots - 1);
    if (repeated.slots[slot] == kUnused) {
      if (to.dictionary_size == slots / 2) {
        repeated.full = true;
        return false;
      }
      repeated.slots[slot] = std::uint16_t(to.dictionary_size++);
      to.dictionary.append(number_bytes(value));
    }
    indexes_[i] = repeated.slots[slot];
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
