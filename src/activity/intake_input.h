// activity/intake_input.h: files, folders and standard input to pieces of whole records, in bounded memory. One thread at a time takes the
// next piece (a lock inside); what is inside a piece is parsed by whoever took it, at the same time as others.
#pragma once
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "activity/decompress.h"
#include "activity/record.h"
#include "core/hash.h"
#include "core/result.h"

namespace arrow {
class RecordBatch;
}  // namespace arrow

namespace tanhui::activity {

constexpr std::size_t kPieceBytes = std::size_t{512} << 10;  // with its columns it stays in a core's second cache
constexpr std::size_t kLineMax = std::size_t{1} << 20;       // a longer record is refused without being held in memory

enum class InputFormat : std::uint8_t { automatic, csv, ndjson, json, parquet };
std::string_view name(InputFormat format);

struct RefusedLine {
  std::uint32_t line;
  Reason reason;
};

/// What a parser must know of the file a piece came from, for example where its columns are.
struct FileLayout {
  virtual ~FileLayout() = default;
};

struct Piece {
  std::unique_ptr<char[]> bytes;  // `size` bytes of text, then at least Table::kSlack
  std::size_t capacity = 0, size = 0;
  InputFormat format = InputFormat::csv;
  std::uint32_t file = 0;
  std::uint32_t first_line = 0;  // from 1, counted over all inputs of the run
  std::uint64_t sequence = 0;
  std::vector<RefusedLine> refused;                            // records refused while cutting
  std::vector<std::pair<std::uint32_t, std::uint32_t>> parts;  // JSON: begin and size of each element
  std::shared_ptr<const std::vector<std::string>> section;     // CSV in sections: what the section's row said, in the profile's order
  std::shared_ptr<arrow::RecordBatch> batch;                   // Parquet
  std::shared_ptr<const FileLayout> layout;
  std::string_view text() const { return {bytes.get(), size}; }
};

/// Cuts one file's text into whole records. `cut` sees the bytes that are left over from the last call first.
class Cutter {
 public:
  virtual ~Cutter() = default;
  struct Start {
    std::size_t bytes = 0;    // to skip: header, opening bracket
    std::uint32_t lines = 0;  // they stand for
  };
  /// Looks at the beginning of the file: at least one piece's bytes, or all there are (then `all`).
  virtual core::Result<Start> begin(std::string_view head, bool all) = 0;
  struct Cut {
    std::size_t bytes = 0;    // of whole records, from the beginning of the text
    std::uint32_t lines = 0;  // they stand for
    bool ended = false;       // nothing but white space may follow
  };
  /// `last`: no more bytes will come. Returns 0 bytes when no whole record is there yet.
  virtual core::Result<Cut> cut(std::string_view text, bool last, Piece& piece) = 0;
  struct Skip {
    std::size_t bytes = 0;
    std::uint32_t lines = 0;
    bool done = false;  // the end of the record was found
    Reason reason = Reason::too_long_line;
  };
  /// Throws away a record that is too long, piece by piece. `first` is true when `text` begins with the record.
  virtual Skip skip(std::string_view text, bool first) = 0;
  virtual std::shared_ptr<const FileLayout> layout() const { return nullptr; }
};

/// A file as one sees it once its first bytes are known.
struct OpenedFile {
  std::string name;  // as given
  std::uint32_t index = 0;
  InputFormat format = InputFormat::csv;
};
using CutterFactory = std::function<core::Result<std::unique_ptr<Cutter>>(const OpenedFile&)>;

/// Gives a Parquet file's record batches one after the other; null at the end.
class BatchReader {
 public:
  virtual ~BatchReader() = default;
  virtual core::Result<std::shared_ptr<arrow::RecordBatch>> next() = 0;
  virtual std::shared_ptr<const FileLayout> layout() const = 0;
};
using BatchReaderFactory = std::function<core::Result<std::unique_ptr<BatchReader>>(const OpenedFile&)>;

struct InputOptions {
  InputFormat format = InputFormat::automatic;
  std::string encoding = "utf-8";
  bool records_inside = false;  // JSON: the records are a list inside one object
  bool digest = true;
  std::size_t piece_bytes = kPieceBytes;
};

/// Expands folders (files with a data file's name, in name order; `patterns` narrow them, * and ? as in a shell). A file given by name is
/// taken as it is. Errors: input.not-found, input.empty-folder, input.none.
core::Result<std::vector<std::filesystem::path>> list_inputs(const std::vector<std::string>& inputs,
                                                             const std::vector<std::string>& patterns);
bool matches_pattern(std::string_view text, std::string_view pattern);

class InputReader {
 public:
  InputReader(std::vector<std::filesystem::path> files, InputOptions options, CutterFactory make_cutter, BatchReaderFactory make_batches);
  ~InputReader();
  InputReader(const InputReader&) = delete;
  InputReader& operator=(const InputReader&) = delete;

  /// The next piece, or false at the end. Give pieces back with `recycle`; their buffers are used again. After an error every call
  /// returns it again.
  /// Errors: input.not-found, input.unreadable, input.empty, input.truncated, input.broken, input.not-text, input.encoding, and those of
  /// the cutter.
  core::Result<bool> next(Piece& piece);
  void recycle(Piece&& piece);

  /// SHA-256 of the raw bytes: of the file as sha256sum prints it when there is one input, else of the inputs' digests one after the
  /// other. Complete after the end.
  core::Digest digest() const;
  std::uint64_t bytes_done() const { return bytes_done_.load(std::memory_order_relaxed); }
  std::uint64_t bytes_total() const { return bytes_total_; }  // 0 when unknown (standard input)
  struct Place {
    std::string file;
    std::uint32_t line = 0;  // within the file
  };
  /// Where a record's `line` is. Only lines of pieces already given.
  Place locate(std::uint32_t line) const;

 private:
  struct File;
  core::Result<bool> next_locked(Piece& piece);
  core::Status open_next();
  core::Status open_text(File& file, Packing packing);
  core::Status open_batches(File& file);
  static core::Result<std::string> peek(std::unique_ptr<ByteStream>& stream);
  core::Result<bool> next_text(Piece& piece);
  core::Result<bool> next_batch(Piece& piece);
  core::Status skip_long_record(Piece& piece);
  core::Status fill(Piece& piece, std::size_t room);
  core::Status close_file();
  void take_buffer(Piece& piece, std::size_t capacity);

  std::vector<std::filesystem::path> files_;
  InputOptions options_;
  CutterFactory make_cutter_;
  BatchReaderFactory make_batches_;
  mutable std::mutex mutex_;
  std::unique_ptr<File> file_;
  std::size_t next_file_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint32_t next_line_ = 1;
  std::vector<std::pair<std::uint32_t, std::string>> file_begins_;  // first line and name of each file
  std::vector<core::Digest> digests_;
  std::vector<Piece> free_;
  std::atomic<std::uint64_t> bytes_done_{0};
  std::uint64_t bytes_total_ = 0;
  std::optional<core::Error> failed_;
};

}  // namespace tanhui::activity
