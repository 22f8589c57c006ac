#include <arrow/io/file.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/column_reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "core/invariant.h"
#include "journal/schema.h"
#include "journal/segment.h"

namespace tanhui::journal {
namespace {

constexpr std::int64_t kBatch = 16 * 1024;                         // rows decoded at once
constexpr std::int64_t kRowGroupRowsMax = std::int64_t{16} << 20;  // ours hold 64 thousand; memory follows what a damaged file claims

/// What a reader of a damaged file gets thrown inside this file; it leaves as an Error.
struct Damaged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

core::Error damaged(const std::filesystem::path& path, std::string_view what) {
  return {core::ErrorCode::invalid_input,
          "journal.segment-damaged",
          fmt::format("'{}' is not a readable segment: {}", path.string(), what),
          "restore the file from a copy; its SHA-256 is recorded with its run",
          {{"path", path.string()}, {"reason", std::string(what)}}};
}

core::PersonKey person_key(const std::uint8_t* bytes) {
  core::PersonKey key;
  std::memcpy(&key.high, bytes, 8);
  std::memcpy(&key.low, bytes + 8, 8);
  return {__builtin_bswap64(key.high), __builtin_bswap64(key.low)};
}

/// Least and greatest person of a row group.
std::pair<core::PersonKey, core::PersonKey> persons_in(const parquet::FileMetaData& file, std::size_t row_group) {
  const auto statistics = file.RowGroup(int(row_group))->ColumnChunk(int(Column::person))->statistics();
  constexpr core::PersonKey least{0, 0}, greatest{~std::uint64_t{0}, ~std::uint64_t{0}};
  if (statistics == nullptr || !statistics->HasMinMax()) return {least, greatest};  // written by another tool: it may hold anybody
  const std::string first = statistics->EncodeMin(), last = statistics->EncodeMax();
  if (first.size() != kPersonBytes || last.size() != kPersonBytes) return {least, greatest};
  return {person_key(reinterpret_cast<const std::uint8_t*>(first.data())), person_key(reinterpret_cast<const std::uint8_t*>(last.data()))};
}

/// What questions about an open segment rely on: they cannot tell of damage any more.
void check_row_groups(const parquet::FileMetaData& file) {
  std::int64_t rows = 0;
  for (int i = 0; i < file.num_row_groups(); ++i) {
    const std::int64_t in_group = file.RowGroup(i)->num_rows();
    if (in_group < 0 || in_group > kRowGroupRowsMax) throw Damaged(fmt::format("row group {} claims {} rows", i, in_group));
    rows += in_group;
    (void)persons_in(file, std::size_t(i));
  }
  if (rows != file.num_rows()) throw Damaged(fmt::format("it claims {} rows, and its row groups {}", file.num_rows(), rows));
}

// The words of one dictionary of the caller, found by text.
class WordIndex {
 public:
  std::uint16_t find_or_add(std::string_view word, std::vector<std::string>& words) {
    for (; known_ < words.size(); ++known_) by_text_.try_emplace(words[known_], std::uint16_t(known_));
    const auto found = by_text_.find(std::string(word));
    if (found != by_text_.end() && words[found->second] == word) return found->second;
    if (words.size() >= kNoName) throw Damaged("more different words than a column can hold");
    words.emplace_back(word);
    return find_or_add(word, words);
  }

 private:
  std::unordered_map<std::string, std::uint16_t> by_text_;
  std::size_t known_ = 0;
};

/// Rows [begin, end) of a row group.
struct RowRange {
  std::uint64_t begin = 0, end = 0;
  std::uint64_t size() const { return end - begin; }
};

/// Reads rows of one column chunk, value by value or index by index. What is asked for less than the whole chunk skips pages of other rows
/// without looking into them.
class ChunkReader {
 public:
  ChunkReader(parquet::RowGroupReader& group, Column column, std::uint64_t rows, RowRange range)
      : group_(group), column_(column), rows_(rows), range_(range) {
    const auto chunk = group.metadata()->ColumnChunk(int(column));
    all_null_ =
        chunk->statistics() != nullptr && chunk->statistics()->HasNullCount() && std::uint64_t(chunk->statistics()->null_count()) == rows;
    optional_ = group.metadata()->schema()->Column(int(column))->max_definition_level() > 0;
  }
  bool all_null() const { return optional_ && all_null_; }

  /// `put(row, value)` for every row that has a value; rows are counted from the first one that is read.
  template <class Reader, class Put>
  void values(Put put) {
    const auto reader = std::static_pointer_cast<Reader>(whole() ? group_.Column(int(column_)) : pages_of_range());
    std::vector<typename Reader::T> batch(std::min<std::size_t>(rows_, kBatch));
    in_batches(
        *reader,
        [&](std::int64_t wanted, std::int16_t* levels, std::int64_t* values_read) {
          return reader->ReadBatch(wanted, levels, nullptr, batch.data(), values_read);
        },
        [&](std::uint64_t row, std::size_t i) { put(row, batch[i]); });
  }

  /// `put(row, index)` for every row that has a word; `index_of(text)` is asked once for each word of the dictionary.
  template <class IndexOf, class Put>
  void words(IndexOf index_of, Put put) {
    if (!whole())
      return values<parquet::ByteArrayReader>(
          [&](std::uint64_t row, const parquet::ByteArray& word) { put(row, index_of(std::string_view(word))); });
    auto column = group_.ColumnWithExposeEncoding(int(column_), parquet::ExposedEncoding::DICTIONARY);
    if (column->GetExposedEncoding() != parquet::ExposedEncoding::DICTIONARY)
      return values<parquet::ByteArrayReader>(
          [&](std::uint64_t row, const parquet::ByteArray& word) { put(row, index_of(std::string_view(word))); });
    const auto reader = std::static_pointer_cast<parquet::ByteArrayReader>(column);
    std::vector<std::int32_t> batch(std::min<std::size_t>(rows_, kBatch));
    std::vector<std::uint16_t> index;
    in_batches(
        *reader,
        [&](std::int64_t wanted, std::int16_t* levels, std::int64_t* indexes_read) {
          const parquet::ByteArray* dictionary = nullptr;
          std::int32_t size = 0;
          const std::int64_t rows =
              reader->ReadBatchWithDictionary(wanted, levels, nullptr, batch.data(), indexes_read, &dictionary, &size);
          for (std::int32_t i = std::int32_t(index.size()); dictionary != nullptr && i < size; ++i)
            index.push_back(index_of(std::string_view(dictionary[i])));
          return rows;
        },
        [&](std::uint64_t row, std::size_t i) {
          if (std::size_t(batch[i]) >= index.size()) throw Damaged("a word is not in its dictionary");
          put(row, index[std::size_t(batch[i])]);
        });
  }

 private:
  bool whole() const { return range_.size() == rows_; }
  std::shared_ptr<parquet::ColumnReader> pages_of_range() {
    auto pages = group_.GetColumnPageReader(int(column_));
    pages->set_data_page_filter([this, at = std::uint64_t{0}](const parquet::DataPageStats& page) mutable {
      const std::uint64_t begin = at;
      at += std::uint64_t(page.num_values);  // a row has one value, or one null
      if (at <= range_.begin) first_row_ = at;
      return at <= range_.begin || begin >= range_.end;
    });
    return parquet::ColumnReader::Make(group_.metadata()->schema()->Column(int(column_)), std::move(pages));
  }

  template <class Reader, class Read, class Put>
  void in_batches(Reader& reader, Read read, Put put) {
    std::vector<std::int16_t> levels(std::min<std::size_t>(rows_, kBatch));
    if (!whole() && !reader.HasNext()) throw Damaged(fmt::format("column {} ends before row {}", name(column_), range_.begin));
    std::uint64_t row = first_row_;  // known once a page was found
    while (row < range_.end) {
      if (!reader.HasNext()) throw Damaged(fmt::format("column {} ends after {} of {} rows", name(column_), row, rows_));
      std::int64_t values_read = 0;
      const auto wanted = std::int64_t(std::min<std::uint64_t>(rows_ - row, kBatch));
      const std::int64_t levels_read = read(wanted, optional_ ? levels.data() : nullptr, &values_read);
      if (levels_read <= 0 && values_read <= 0) throw Damaged(fmt::format("column {} cannot be decoded", name(column_)));
      const auto rows_read = std::uint64_t(optional_ ? levels_read : values_read);
      std::size_t used = 0;
      for (std::uint64_t i = 0; i < rows_read; ++i) {
        if (optional_ && levels[i] == 0) continue;
        if (used >= std::uint64_t(values_read)) throw Damaged(fmt::format("column {} has fewer values than rows", name(column_)));
        if (row + i >= range_.begin && row + i < range_.end) put(row + i - range_.begin, used);
        ++used;
      }
      row += rows_read;
    }
  }

  parquet::RowGroupReader& group_;
  Column column_;
  std::uint64_t rows_, first_row_ = 0;
  RowRange range_;
  bool all_null_ = false, optional_ = false;
};

}  // namespace

struct SegmentReader::State {
  std::filesystem::path path;
  std::unique_ptr<parquet::ParquetFileReader> file;
  std::array<WordIndex, kColumns> words;

  std::shared_ptr<parquet::FileMetaData> metadata() const { return file->metadata(); }
  void read(std::size_t row_group, ColumnSet wanted, Names& names, Columns& into);
  void read_person(std::size_t row_group, const core::PersonKey& person, Names& names, Columns& into);
  void read_range(std::size_t row_group, RowRange range, ColumnSet wanted, Names& names, Columns& into);
};

namespace {

/// One row group into columns; each function reads the column when it is wanted.
struct RowGroupRead {
  parquet::RowGroupReader& group;
  std::uint64_t rows;
  RowRange range;
  ColumnSet wanted;
  std::array<WordIndex, kColumns>& words;

  template <class Reader, class T>
  void numbers(Column column, std::vector<T>& into, T none, bool may_be_empty = false) {
    if (!wanted.has(column)) return;
    ChunkReader chunk(group, column, rows, range);
    if (may_be_empty && chunk.all_null()) return;
    into.assign(range.size(), none);
    if (!chunk.all_null()) chunk.values<Reader>([&](std::uint64_t row, auto value) { into[row] = T(value); });
  }

  void persons(std::vector<core::PersonKey>& into) {
    if (!wanted.has(Column::person)) return;
    into.assign(range.size(), {});
    ChunkReader(group, Column::person, rows, range)
        .values<parquet::FixedLenByteArrayReader>(
            [&](std::uint64_t row, const parquet::FixedLenByteArray& value) { into[row] = person_key(value.ptr); });
  }

  template <class T>
  void text(Column column, std::vector<T>& into, std::vector<std::string>& dictionary, bool may_be_empty = false) {
    if (!wanted.has(column)) return;
    ChunkReader chunk(group, column, rows, range);
    if (may_be_empty && chunk.all_null()) return;
    into.assign(range.size(), T(kNoName));
    if (chunk.all_null()) return;
    chunk.words(
        [&](std::string_view word) {
          const std::uint16_t index = words[std::size_t(column)].find_or_add(word, dictionary);
          if (index >= std::numeric_limits<T>::max()) throw Damaged(fmt::format("column {} has too many words", name(column)));
          return index;
        },
        [&](std::uint64_t row, std::uint16_t index) { into[row] = T(index); });
  }
};

}  // namespace

void SegmentReader::State::read(std::size_t row_group, ColumnSet wanted, Names& names, Columns& into) {
  read_range(row_group, {0, std::uint64_t(metadata()->RowGroup(int(row_group))->num_rows())}, wanted, names, into);
}

void SegmentReader::State::read_person(std::size_t row_group, const core::PersonKey& person, Names& names, Columns& into) {
  read(row_group, {Column::person}, names, into);
  const auto [first, last] = std::equal_range(into.person.begin(), into.person.end(), person);
  const RowRange range{std::uint64_t(first - into.person.begin()), std::uint64_t(last - into.person.begin())};
  into.clear();
  if (range.size() > 0) read_range(row_group, range, ColumnSet::all(), names, into);
}

void SegmentReader::State::read_range(std::size_t row_group, RowRange range, ColumnSet wanted, Names& names, Columns& into) {
  using parquet::Int32Reader, parquet::Int64Reader;
  into.clear();
  const auto group = file->RowGroup(int(row_group));
  RowGroupRead to{*group, std::uint64_t(group->metadata()->num_rows()), range, wanted, words};
  to.persons(into.person);
  to.numbers<Int64Reader>(Column::start, into.start_ms, core::Millis{0});
  to.numbers<Int64Reader>(Column::duration_ms, into.duration_ms, kMissing);
  to.text(Column::activity, into.activity, names.activities);
  to.text(Column::source, into.source, names.sources);
  to.text(Column::region, into.region, names.regions);
  to.text(Column::methodology, into.methodology, names.methodologies);
  to.numbers<Int64Reader>(Column::event, into.event, std::uint64_t{0});
  to.numbers<Int64Reader>(Column::object, into.object, std::uint64_t{0}, true);
  to.text(Column::evidence, into.evidence, names.evidences);
  to.numbers<Int64Reader>(Column::quantity, into.quantity, kMissing);
  for (std::size_t i = 0; i < kExtraQuantities; ++i)
    to.numbers<Int64Reader>(Column(std::size_t(Column::quantity_2) + i), into.extra[i], kMissing, true);
  to.text(Column::outcome, into.outcome, names.outcomes);
  to.text(Column::reason, into.reason, names.reasons);
  to.numbers<Int64Reader>(Column::milligrams, into.milligrams, std::int64_t{0});
  to.numbers<Int64Reader>(Column::points, into.points, std::int64_t{0});
  to.numbers<Int64Reader>(Column::winner, into.winner, std::uint64_t{0}, true);
  to.text(Column::winner_source, into.winner_source, names.sources, true);
  to.numbers<Int32Reader>(Column::revision, into.revision, std::uint16_t{0});
  to.numbers<Int32Reader>(Column::line, into.line, std::uint32_t{0}, true);
  to.numbers<Int64Reader>(Column::run, into.run, kMissing, true);
}

core::Result<SegmentReader> SegmentReader::open(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path))
    return core::Error{core::ErrorCode::not_found,
                       "journal.segment-missing",
                       fmt::format("there is no segment '{}'", path.string()),
                       "check the path, or restore the file from a copy",
                       {{"path", path.string()}}};
  auto state = std::make_unique<State>();
  state->path = path;
  try {
    state->file = parquet::ParquetFileReader::OpenFile(path.string(), /*memory_map=*/true);
    const auto expected = segment_schema();
    if (!state->metadata()->schema()->group_node()->Equals(expected.get()))
      return core::Error{core::ErrorCode::invalid_input,
                         "journal.segment-columns",
                         fmt::format("'{}' is a Parquet file, but its columns are not those of a segment", path.string()),
                         "keep only files that `tanhui` wrote in the journal folder",
                         {{"path", path.string()}}};
    check_row_groups(*state->metadata());
  } catch (const std::exception& problem) {  // Arrow tells every kind of damage by its own exceptions
    return damaged(path, problem.what());
  }
  return SegmentReader(std::move(state));
}

SegmentReader::SegmentReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
SegmentReader::~SegmentReader() = default;
SegmentReader::SegmentReader(SegmentReader&&) noexcept = default;
SegmentReader& SegmentReader::operator=(SegmentReader&&) noexcept = default;

std::uint64_t SegmentReader::rows() const { return std::uint64_t(state_->metadata()->num_rows()); }
std::size_t SegmentReader::row_groups() const { return std::size_t(state_->metadata()->num_row_groups()); }
std::uint64_t SegmentReader::rows_of(std::size_t row_group) const {
  core::invariant(row_group < row_groups(), "a row group is one of the segment's");
  return std::uint64_t(state_->metadata()->RowGroup(int(row_group))->num_rows());
}

std::optional<std::string> SegmentReader::metadata(std::string_view key) const {
  const auto pairs = state_->metadata()->key_value_metadata();
  if (pairs == nullptr) return std::nullopt;
  const int at = pairs->FindKey(std::string(key));
  return at < 0 ? std::nullopt : std::optional(pairs->value(at));
}

std::pair<core::PersonKey, core::PersonKey> SegmentReader::persons_of(std::size_t row_group) const {
  core::invariant(row_group < row_groups(), "a row group is one of the segment's");
  return persons_in(*state_->metadata(), row_group);
}

std::vector<std::size_t> SegmentReader::row_groups_with(core::PersonKey first, core::PersonKey last) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < row_groups(); ++i) {
    const auto [least, greatest] = persons_of(i);
    if (least <= last && first <= greatest) found.push_back(i);
  }
  return found;
}

template <class Read>
core::Status SegmentReader::guarded(std::size_t row_group, Read read) {
  core::invariant(row_group < row_groups(), "a row group is one of the segment's");
  try {
    read();
  } catch (const core::InvariantBroken&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& problem) {
    return damaged(state_->path, problem.what());
  }
  return core::Done{};
}

core::Status SegmentReader::read(std::size_t row_group, ColumnSet wanted, Names& names, Columns& into) {
  return guarded(row_group, [&] { state_->read(row_group, wanted, names, into); });
}

core::Status SegmentReader::read_person(std::size_t row_group, const core::PersonKey& person, Names& names, Columns& into) {
  return guarded(row_group, [&] { state_->read_person(row_group, person, names, into); });
}

}  // namespace tanhui::journal
