// journal/segment.h: one sealed segment, a plain Parquet file that holds what one run booked for one programme and one local day.
//
//   <journal>/programme=<id>/day=<YYYY-MM-DD>/run-<NNNNNN>.parquet     (journal/publication.h puts it there)
//
// Rows are sorted by person and start (then as the writer's caller has them: source, event, revision) and never change. Keys are in the
// file as they are (person 16 bytes big-endian, so byte order is sort order; event keys UINT_64), words as words in dictionaries of their
// row group, absent values as nulls, `start` as a UTC timestamp in milliseconds. Row groups carry the least and greatest person and start,
// so readers skip what they do not need. Every Parquet tool reads it; the file's own key-value metadata repeats what a reader wants to know
// first.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/result.h"
#include "core/time.h"
#include "journal/columns.h"

namespace tanhui::journal {

using Metadata = std::vector<std::pair<std::string, std::string>>;  // for example {"tanhui.programme", "wuhan-demo"}

struct SegmentInfo {
  std::filesystem::path path;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::int64_t milligrams = 0, points = 0;  // sums over the rows
  core::Digest sha256{};                    // of the whole file
  core::Digest root{};                      // Merkle root over the records' canonical bytes (journal/record_bytes.h), in the file's order
  core::PersonKey person_min, person_max;   // of no meaning when rows is 0
  core::Millis start_min = 0, start_max = 0;
};

struct SegmentOptions {
  std::size_t row_group_rows = 64 * 1024;  // a writer holds the encoded row group: about 30 bytes a row
  std::size_t page_rows = 4 * 1024;        // and at most one page of rows as they are: about 110 bytes a row; not more than a row group
};

/// Writes one segment. Not for several threads at once; several writers in several threads are fine.
/// A file that cannot be written throws std::runtime_error with its path; rows out of order or a column of another length break an
/// invariant. Without close() the destructor leaves an unfinished file behind, which no reader takes for a segment.
class SegmentWriter {
 public:
  /// Creates (or overwrites) the file; its folder must exist. `names` is used until close() and may grow meanwhile.
  SegmentWriter(std::filesystem::path path, const Names& names, Metadata metadata, SegmentOptions options = {});
  ~SegmentWriter();
  SegmentWriter(SegmentWriter&&) noexcept;
  SegmentWriter& operator=(SegmentWriter&&) noexcept;

  /// Adds rows [begin, end), which continue the order. Values are copied; the caller may change them afterwards.
  void append(const Columns& rows, std::size_t begin, std::size_t end);
  /// As above for a caller that hashed the rows already, in several threads: `leaves[i]` is the leaf hash of row i (RecordHasher).
  void append(const Columns& rows, std::span<const core::Digest> leaves, std::size_t begin, std::size_t end);
  std::uint64_t rows() const;
  /// Finishes the file and makes it durable (fsync of file and folder). Once.
  SegmentInfo close();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads one segment. A file that is not a segment, is cut short or damaged comes back as an Error that names the file:
/// journal.segment-missing, journal.segment-damaged, journal.segment-columns.
class SegmentReader {
 public:
  static core::Result<SegmentReader> open(const std::filesystem::path& path);
  ~SegmentReader();
  SegmentReader(SegmentReader&&) noexcept;
  SegmentReader& operator=(SegmentReader&&) noexcept;

  std::uint64_t rows() const;
  std::size_t row_groups() const;
  std::uint64_t rows_of(std::size_t row_group) const;
  std::optional<std::string> metadata(std::string_view key) const;
  /// Least and greatest person of a row group.
  std::pair<core::PersonKey, core::PersonKey> persons_of(std::size_t row_group) const;
  /// Row groups that may hold a person of [first, last].
  std::vector<std::size_t> row_groups_with(core::PersonKey first, core::PersonKey last) const;

  /// Replaces the content of `into` by the wanted columns of a row group; other columns come back empty. Words become indexes into
  /// `names`, which grows by the words it did not know. Optional columns with nothing but nulls come back empty too.
  core::Status read(std::size_t row_group, ColumnSet wanted, Names& names, Columns& into);
  /// The rows of one person, all columns. Of the other columns only the pages that hold them are decoded: a tenth of the time of read().
  core::Status read_person(std::size_t row_group, const core::PersonKey& person, Names& names, Columns& into);

 private:
  struct State;
  template <class Read>
  core::Status guarded(std::size_t row_group, Read read);
  explicit SegmentReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tanhui::journal
