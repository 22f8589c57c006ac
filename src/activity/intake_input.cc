#include "activity/intake_input.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include "activity/intake_table.h"
#include "core/invariant.h"

namespace tanhui::activity {
namespace {

using core::Error;
using core::ErrorCode;
using core::Result;
using core::Status;

constexpr std::string_view kDataEndings[] = {".csv", ".tsv", ".txt", ".json", ".ndjson", ".jsonl", ".parquet", ".pq"};
constexpr std::string_view kPackedEndings[] = {".gz", ".zst"};
constexpr std::uint32_t kLinesMax = 4'000'000'000;  // of all inputs, so that a line's number fits 32 bits
constexpr std::size_t kHeadBytes = 4096;            // enough to know what a file is

bool is_data_file(std::string file_name) {
  if (file_name.starts_with(".") || file_name.starts_with("_")) return false;  // half-written files of other tools begin so
  for (const auto ending : kPackedEndings) {
    if (file_name.ends_with(ending)) file_name.resize(file_name.size() - ending.size());
  }
  return std::any_of(std::begin(kDataEndings), std::end(kDataEndings), [&](auto ending) { return file_name.ends_with(ending); });
}

InputFormat recognise(std::string_view head) {
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return InputFormat::csv;
  if (head[first] == '[') return InputFormat::json;
  if (head[first] != '{') return InputFormat::csv;
  const std::string_view line = head.substr(first, head.find('\n', first) - first);
  const std::size_t last = line.find_last_not_of(" \t\r");
  return head.size() == kHeadBytes && line.size() + first == head.size() ? InputFormat::ndjson
         : line[last] == '}'                                             ? InputFormat::ndjson
                                                                         : InputFormat::json;
}

Error not_text(const std::string& file, std::string_view what, std::string_view action) {
  return {ErrorCode::invalid_input,
          "input.not-text",
          fmt::format("{}: this is {}, not a text table", file, what),
          std::string(action),
          {{"file", file}}};
}

// Looks like GB18030 when much of the text is not valid UTF-8 but is valid there.
bool looks_like_gb18030(std::string_view text) {
  const bool all = text.size() < kHeadBytes;
  std::size_t lines = 0, invalid = 0, pairs = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!all && text.empty() && lines > 0) break;  // the last line may be cut in the middle of a character
    ++lines;
    if (simdjson::validate_utf8(line.data(), line.size())) continue;
    ++invalid;
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
      const auto lead = std::uint8_t(line[i]), trail = std::uint8_t(line[i + 1]);
      if (lead < 0x80) continue;
      if (lead < 0x81 || lead > 0xFE || trail < 0x30 || trail == 0x7F || trail == 0xFF) return false;
      ++pairs, ++i;
    }
  }
  return pairs > 0 && 10 * invalid >= lines;
}

Status check_text(const std::string& file, std::string_view head, const std::string& encoding) {
  if (head.starts_with("PK\x03\x04"))
    return not_text(file, "a ZIP archive or an Excel workbook", "save the sheet as CSV (UTF-8) and send that");
  if (head.starts_with("%PDF")) return not_text(file, "a PDF document", "export the table as CSV (UTF-8)");
  if (head.starts_with("PAR1")) return not_text(file, "a Parquet file", "say `format: parquet` or `format: auto` in the profile");
  if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF")) {
    return Error{ErrorCode::invalid_input,
                 "input.encoding",
                 fmt::format("{}: the text is UTF-16", file),
                 "save it as UTF-8, or say `encoding: utf-16` in the profile",
                 {{"file", file}, {"encoding", "utf-16"}}};
  }
  if (std::memchr(head.data(), 0, head.size()) != nullptr) {
    return not_text(file, "binary data", "send CSV, NDJSON, JSON or Parquet; a packed file must be gzip or zstd");
  }
  if (encoding == "utf-8" && looks_like_gb18030(head)) {
    return Error{ErrorCode::invalid_input,
                 "input.encoding",
                 fmt::format("{}: the text is not UTF-8 but looks like GB18030 (GBK)", file),
                 "say `encoding: gb18030` in the profile, or save it as UTF-8",
                 {{"file", file}, {"encoding", "gb18030"}}};
  }
  return core::Done{};
}

}  // namespace

std::string_view name(InputFormat format) {
  constexpr std::string_view names[] = {"auto", "csv", "ndjson", "json", "parquet"};
  return names[std::size_t(format)];
}

bool matches_pattern(std::string_view text, std::string_view pattern) {
  std::size_t t = 0, p = 0, star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

Result<std::vector<std::filesystem::path>> list_inputs(const std::vector<std::string>& inputs, const std::vector<std::string>& patterns) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  const auto wanted = [&](const std::string& file_name) {
    if (patterns.empty()) return is_data_file(file_name);
    return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return matches_pattern(file_name, pattern); });
  };
  for (const std::string& input : inputs) {
    std::error_code problem;
    const fs::file_status status = input == "-" ? fs::file_status{} : fs::status(input, problem);
    if (input == "-" || (fs::exists(status) && !fs::is_directory(status))) {
      files.emplace_back(input);
      continue;
    }
    if (!fs::exists(status)) {
      return Error{ErrorCode::not_found,
                   "input.not-found",
                   fmt::format("{}: there is no such file or folder", input),
                   "check the path, or give - to read standard input",
                   {{"file", input}}};
    }
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(input)) {
      if (entry.is_regular_file() && wanted(entry.path().filename().string())) found.push_back(entry.path());
    }
    if (found.empty()) {
      return Error{ErrorCode::not_found,
                   "input.empty-folder",
                   fmt::format("{}: no data file in this folder{}", input,
                               patterns.empty() ? "" : fmt::format(" is named {}", fmt::join(patterns, " or "))),
                   "data files end in .csv .tsv .txt .json .ndjson .jsonl .parquet, with .gz or .zst behind when packed",
                   {{"folder", input}}};
    }
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  if (files.empty()) {
    return Error{ErrorCode::invalid_input, "input.none", "no input was named",
                 "name one or more files or folders, or - for standard input"};
  }
  return files;
}

struct InputReader::File {
  OpenedFile opened;
  std::unique_ptr<ByteStream> stream;
  std::unique_ptr<Cutter> cutter;
  std::unique_ptr<BatchReader> batches;
  core::Sha256 digest;
  std::string carry;  // bytes behind the last whole record
  bool begun = false, at_end = false;
};

InputReader::InputReader(std::vector<std::filesystem::path> files, InputOptions options, CutterFactory make_cutter,
                         BatchReaderFactory make_batches)
    : files_(std::move(files)), options_(std::move(options)), make_cutter_(std::move(make_cutter)), make_batches_(std::move(make_batches)) {
  for (const auto& file : files_) {
    std::error_code problem;
    const auto size = file == "-" ? 0 : std::filesystem::file_size(file, problem);
    if (problem || file == "-") {
      bytes_total_ = 0;
      break;
    }
    bytes_total_ += size;
  }
}
InputReader::~InputReader() = default;

Result<bool> InputReader::next(Piece& piece) {
  const std::lock_guard lock(mutex_);
  if (failed_) return *failed_;
  auto got = next_locked(piece);
  if (!got) failed_ = got.error();
  return got;
}

Result<bool> InputReader::next_locked(Piece& piece) {
  while (true) {
    if (!file_) {
      if (next_file_ == files_.size()) return false;
      if (const auto opened = open_next(); !opened) return opened.error();
    }
    auto got = file_->batches ? next_batch(piece) : next_text(piece);
    if (!got || *got) return got;
    if (const auto closed = close_file(); !closed) return closed.error();
  }
}

Status InputReader::open_next() {
  auto file = std::make_unique<File>();
  const auto& path = files_[next_file_];
  file->opened = {path == "-" ? "standard input" : path.string(), std::uint32_t(next_file_), InputFormat::automatic};
  const std::string& file_name = file->opened.name;
  auto stream = open_file(path, [this, raw_file = file.get()](std::string_view bytes) {
    if (options_.digest) raw_file->digest.update(bytes);
    bytes_done_.fetch_add(bytes.size(), std::memory_order_relaxed);
  });
  if (!stream) return stream.error();
  file->stream = *std::move(stream);
  const auto head = peek(file->stream);
  if (!head) return head.error();
  if (head->empty()) {
    return Error{ErrorCode::invalid_input,
                 "input.empty",
                 fmt::format("{}: the file is empty", file_name),
                 "ask for it again, or leave it out",
                 {{"file", file_name}}};
  }
  const bool parquet = head->starts_with("PAR1");
  if (options_.format == InputFormat::parquet && !parquet) {
    return Error{ErrorCode::invalid_input,
                 "input.not-parquet",
                 fmt::format("{}: this is not a Parquet file", file_name),
                 "a Parquet file begins and ends with the bytes PAR1; say `format: auto` if other formats may come",
                 {{"file", file_name}}};
  }
  const bool parquet_wanted = options_.format == InputFormat::automatic || options_.format == InputFormat::parquet;
  const auto opened = parquet && parquet_wanted ? open_batches(*file) : open_text(*file, packing_of(*head));
  if (!opened) return opened;
  file_begins_.emplace_back(next_line_, file_name);
  ++next_file_;
  file_ = std::move(file);
  return core::Done{};
}

// The first bytes of a stream, which gives them once more.
Result<std::string> InputReader::peek(std::unique_ptr<ByteStream>& stream) {
  std::string head(kHeadBytes, '\0');
  const auto size = stream->read(head.data(), head.size());
  if (!size) return size.error();
  head.resize(*size);
  stream = put_back(head, std::move(stream));
  return head;
}

Status InputReader::open_batches(File& file) {
  file.opened.format = InputFormat::parquet;
  if (files_[file.opened.index] == "-") {
    return Error{ErrorCode::invalid_input,
                 "input.parquet-stream",
                 "standard input: a Parquet file cannot be read from a stream",
                 "name the file instead",
                 {}};
  }
  auto batches = make_batches_(file.opened);
  if (!batches) return batches.error();
  file.batches = *std::move(batches);
  std::vector<char> block(kPieceBytes);  // Arrow reads the file itself; the digest wants all of it, in order
  for (bool more = options_.digest; more;) {
    const auto got = file.stream->read(block.data(), block.size());
    if (!got) return got.error();
    more = *got > 0;
  }
  return core::Done{};
}

Status InputReader::open_text(File& file, Packing packing) {
  const std::string& file_name = file.opened.name;
  file.stream = unpack(std::move(file.stream), packing, file_name);
  auto head = peek(file.stream);
  if (!head) return head.error();
  if (head->empty()) {
    return Error{ErrorCode::invalid_input,
                 "input.empty",
                 fmt::format("{}: nothing is packed inside", file_name),
                 "ask for it again, or leave it out",
                 {{"file", file_name}}};
  }
  if (!options_.encoding.starts_with("utf-16")) {
    if (const auto checked = check_text(file_name, *head, options_.encoding); !checked) return checked;
  }
  if (options_.encoding != "utf-8") {
    auto converted = transcode(std::move(file.stream), options_.encoding);
    if (!converted) return converted.error();
    file.stream = *std::move(converted);
    head = peek(file.stream);
    if (!head) return head.error();
  }
  file.opened.format = options_.format == InputFormat::automatic ? recognise(*head) : options_.format;
  if (file.opened.format == InputFormat::ndjson && options_.records_inside) file.opened.format = InputFormat::json;
  auto cutter = make_cutter_(file.opened);
  if (!cutter) return cutter.error();
  file.cutter = *std::move(cutter);
  return core::Done{};
}

void InputReader::take_buffer(Piece& piece, std::size_t capacity) {
  if (!free_.empty()) {
    piece = std::move(free_.back());
    free_.pop_back();
  }
  if (piece.capacity < capacity) {
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity + Table::kSlack);
    if (piece.size > 0) std::memcpy(bytes.get(), piece.bytes.get(), piece.size);
    piece.bytes = std::move(bytes);
    piece.capacity = capacity;
  }
}

Status InputReader::fill(Piece& piece, std::size_t room) {
  const auto got = file_->stream->read(piece.bytes.get() + piece.size, room - piece.size);
  if (!got) return got.error();
  file_->at_end = *got < room - piece.size;
  piece.size += *got;
  return core::Done{};
}

Result<bool> InputReader::next_text(Piece& piece) {
  File& file = *file_;
  std::size_t room = std::max(options_.piece_bytes, file.carry.size() + options_.piece_bytes / 2);
  piece.size = 0;
  take_buffer(piece, room);
  piece.refused.clear();
  piece.parts.clear();
  piece.batch.reset();
  piece.section.reset();
  piece.format = file.opened.format;
  piece.file = file.opened.index;
  std::memcpy(piece.bytes.get(), file.carry.data(), file.carry.size());
  piece.size = file.carry.size();
  file.carry.clear();
  while (true) {
    if (!file.at_end) {
      if (const auto filled = fill(piece, room); !filled) return filled.error();
    }
    if (!file.begun) {
      const auto start = file.cutter->begin(piece.text(), file.at_end);
      if (!start) return start.error();
      file.begun = true;
      std::memmove(piece.bytes.get(), piece.bytes.get() + start->bytes, piece.size - start->bytes);
      piece.size -= start->bytes;
      next_line_ += start->lines;
    }
    piece.layout = file.cutter->layout();
    piece.first_line = next_line_;
    const auto cut = file.cutter->cut(piece.text(), file.at_end, piece);
    if (!cut) return cut.error();
    if (next_line_ > kLinesMax) {
      return Error{ErrorCode::refused,
                   "input.too-many-lines",
                   fmt::format("{}: the inputs have more than {} lines", file.opened.name, kLinesMax),
                   "account them in several runs",
                   {{"file", file.opened.name}}};
    }
    if (cut->bytes > 0) {
      file.carry.assign(piece.bytes.get() + cut->bytes, piece.size - cut->bytes);
      piece.size = cut->bytes;
      next_line_ += cut->lines;
      piece.sequence = sequence_++;
      return true;
    }
    if (file.at_end && piece.size == 0) return false;
    if (file.at_end || piece.size >= kLineMax) {
      if (const auto skipped = skip_long_record(piece); !skipped) return skipped.error();
      piece.sequence = sequence_++;
      return true;
    }
    room = std::min(2 * room, kLineMax + options_.piece_bytes);
    take_buffer(piece, room);
  }
}

// Leaves an empty piece that carries the refusal.
Status InputReader::skip_long_record(Piece& piece) {
  File& file = *file_;
  bool first = true;
  while (true) {
    const auto skip = file.cutter->skip(piece.text(), first);
    if (first) piece.refused.push_back({next_line_, skip.reason});
    next_line_ += skip.lines;
    if (skip.done || (file.at_end && skip.bytes == piece.size)) {
      file.carry.assign(piece.bytes.get() + skip.bytes, piece.size - skip.bytes);
      if (!skip.done) next_line_ += 1;
      break;
    }
    first = false;
    std::memmove(piece.bytes.get(), piece.bytes.get() + skip.bytes, piece.size - skip.bytes);
    piece.size -= skip.bytes;
    if (const auto filled = fill(piece, piece.capacity); !filled) return filled;
  }
  piece.size = 0;
  return core::Done{};
}

Result<bool> InputReader::next_batch(Piece& piece) {
  take_buffer(piece, 0);
  auto batch = file_->batches->next();
  if (!batch) return batch.error();
  if (!*batch) return false;
  piece.batch = *std::move(batch);
  piece.refused.clear();
  piece.parts.clear();
  piece.size = 0;
  piece.format = InputFormat::parquet;
  piece.file = file_->opened.index;
  piece.layout = file_->batches->layout();
  piece.first_line = next_line_;
  next_line_ += std::uint32_t(piece.batch->num_rows());
  if (next_line_ > kLinesMax) {
    return Error{ErrorCode::refused,
                 "input.too-many-lines",
                 fmt::format("{}: the inputs have more than {} rows", file_->opened.name, kLinesMax),
                 "account them in several runs",
                 {{"file", file_->opened.name}}};
  }
  piece.sequence = sequence_++;
  return true;
}

Status InputReader::close_file() {
  digests_.push_back(file_->digest.finish());
  file_.reset();
  return core::Done{};
}

void InputReader::recycle(Piece&& piece) {
  piece.batch.reset();
  piece.section.reset();
  piece.layout.reset();
  const std::lock_guard lock(mutex_);
  if (piece.capacity > 2 * options_.piece_bytes) return;  // grown for one long record; not worth keeping
  free_.push_back(std::move(piece));
}

core::Digest InputReader::digest() const {
  const std::lock_guard lock(mutex_);
  if (digests_.size() == 1) return digests_.front();
  std::string all;
  for (const auto& digest : digests_) all.append(digest.begin(), digest.end());
  return core::sha256(all);
}

InputReader::Place InputReader::locate(std::uint32_t line) const {
  const std::lock_guard lock(mutex_);
  auto after = std::upper_bound(file_begins_.begin(), file_begins_.end(), line,
                                [](std::uint32_t at, const auto& begin) { return at < begin.first; });
  core::invariant(after != file_begins_.begin(), "a record's line lies in an input");
  --after;
  return {after->second, line - after->first + 1};
}

}  // namespace tanhui::activity
