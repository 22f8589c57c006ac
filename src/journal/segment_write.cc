#include <arrow/io/interfaces.h>
#include <arrow/util/key_value_metadata.h>
#include <fcntl.h>
#include <parquet/file_writer.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "core/files.h"
#include "core/invariant.h"
#include "core/quantity.h"
#include "journal/record_bytes.h"
#include "journal/row_group.h"
#include "journal/schema.h"
#include "journal/segment.h"

namespace tanhui::journal {
namespace {

constexpr std::string_view kMagic = "PAR1";
constexpr std::size_t kOutputBuffer = 256 * 1024;

[[noreturn]] void throw_errno(const std::filesystem::path& path, const char* what) {
  throw std::system_error(errno, std::generic_category(), std::string(what) + " '" + path.string() + "'");
}

/// The file, hashed as it is written.
class HashedFile final : public arrow::io::OutputStream {
 public:
  explicit HashedFile(std::filesystem::path path) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ < 0) throw_errno(path_, "cannot create the segment");
    buffer_.reserve(kOutputBuffer);
  }
  ~HashedFile() override {
    if (fd_ >= 0) ::close(fd_);
  }
  using arrow::io::OutputStream::Write;
  arrow::Status Write(const void* data, std::int64_t size) override {
    put_or_keep(static_cast<const char*>(data), std::size_t(size));
    return arrow::Status::OK();
  }
  void put_or_keep(const char* data, std::size_t size) {
    if (buffer_.size() + size > kOutputBuffer) flush_buffer();
    if (size > kOutputBuffer)
      put(data, size);
    else
      buffer_.append(data, size);
    position_ += std::int64_t(size);
  }
  arrow::Result<std::int64_t> Tell() const override { return position_; }
  bool closed() const override { return fd_ < 0; }
  arrow::Status Close() override {  // the parquet writer calls it never; seal() is ours
    return arrow::Status::OK();
  }
  /// Everything on the disk, file and folder entry.
  core::Digest seal() {
    flush_buffer();
    if (::fsync(fd_) != 0) throw_errno(path_, "cannot sync");
    if (::close(std::exchange(fd_, -1)) != 0) throw_errno(path_, "cannot close");
    core::sync_folder(path_.parent_path());
    return hash_.finish();
  }

 private:
  void flush_buffer() {
    put(buffer_.data(), buffer_.size());
    buffer_.clear();
  }
  void put(const char* data, std::size_t size) {
    hash_.update({data, size});
    while (size > 0) {
      const ssize_t written = ::write(fd_, data, size);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw_errno(path_, "cannot write");
      data += written;
      size -= std::size_t(written);
    }
  }

  std::filesystem::path path_;
  int fd_ = -1;
  std::string buffer_;
  std::int64_t position_ = 0;
  core::Sha256 hash_;
};

void check_lengths(const Columns& rows) {
  const std::size_t n = rows.size();
  const auto whole = [n](const auto&... column) { return ((column.size() == n) && ...); };
  const auto whole_or_empty = [n](const auto&... column) { return ((column.empty() || column.size() == n) && ...); };
  core::invariant(whole(rows.start_ms, rows.duration_ms, rows.activity, rows.source, rows.region, rows.methodology, rows.event,
                        rows.evidence, rows.quantity, rows.outcome, rows.reason, rows.milligrams, rows.points, rows.revision),
                  "the columns of a batch are equally long");
  core::invariant(
      whole_or_empty(rows.object, rows.extra[0], rows.extra[1], rows.extra[2], rows.winner, rows.winner_source, rows.line, rows.run),
      "an optional column of a batch is empty or as long as the others");
}

}  // namespace

struct SegmentWriter::State {
  State(std::filesystem::path path, const Names& names_used, Metadata metadata_given, SegmentOptions options_given)
      : file(std::make_shared<HashedFile>(path)),
        metadata(std::move(metadata_given)),
        options(options_given),
        group(names_used, options.row_group_rows),
        hasher(names_used) {
    core::invariant(options.page_rows > 0 && options.row_group_rows > 0, "a page and a row group hold at least one row");
    options.page_rows = std::min(options.page_rows, options.row_group_rows);
    schema.Init(segment_schema());
    footer = parquet::FileMetaDataBuilder::Make(&schema, segment_properties());
    info.path = std::move(path);
    write(kMagic);
  }
  void write(std::string_view bytes) { file->put_or_keep(bytes.data(), bytes.size()); }

  void account(const Columns& rows, std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto& person = rows.person[i];
      const core::Millis start = rows.start_ms[i];
      if (info.rows == 0) {
        info.person_min = person;
        info.start_min = info.start_max = start;
      } else {
        core::invariant(info.person_max == person ? last_start <= start : info.person_max < person,
                        "rows of a segment are sorted by person and start");
      }
      info.person_max = person;
      info.start_min = std::min(info.start_min, start);
      info.start_max = std::max(info.start_max, start);
      info.milligrams = core::add_or_throw(info.milligrams, rows.milligrams[i]);
      info.points = core::add_or_throw(info.points, rows.points[i]);
      last_start = start;
      ++info.rows;
    }
  }
  void flush_pending() {
    add_page(pending, 0, pending.size());
    pending.clear();
  }
  void add_page(const Columns& rows, std::size_t begin, std::size_t end) {
    group.add_page(rows, begin, end);
    if (group.rows() >= options.row_group_rows) group.write(file, *footer);
  }

  std::shared_ptr<HashedFile> file;
  Metadata metadata;
  SegmentOptions options;
  parquet::SchemaDescriptor schema;
  std::unique_ptr<parquet::FileMetaDataBuilder> footer;
  RowGroup group;
  RecordHasher hasher;
  std::vector<core::Digest> hashed;
  core::merkle::Edge edge;
  Columns pending;  // the open page
  SegmentInfo info;
  core::Millis last_start = 0;
};

SegmentWriter::SegmentWriter(std::filesystem::path path, const Names& names, Metadata metadata, SegmentOptions options)
    : state_(std::make_unique<State>(std::move(path), names, std::move(metadata), options)) {}
SegmentWriter::~SegmentWriter() = default;
SegmentWriter::SegmentWriter(SegmentWriter&&) noexcept = default;
SegmentWriter& SegmentWriter::operator=(SegmentWriter&&) noexcept = default;

std::uint64_t SegmentWriter::rows() const { return state_->info.rows; }

void SegmentWriter::append(const Columns& rows, std::size_t begin, std::size_t end) {
  core::invariant(begin <= end && end <= rows.size(), "rows to append lie inside their columns");
  check_lengths(rows);
  std::vector<core::Digest>& hashed = state_->hashed;
  hashed.resize(begin);
  state_->hasher.hash(rows, begin, end, hashed);
  append(rows, hashed, begin, end);
}

void SegmentWriter::append(const Columns& rows, std::span<const core::Digest> leaves, std::size_t begin, std::size_t end) {
  State& state = *state_;
  core::invariant(begin <= end && end <= rows.size() && end <= leaves.size(), "rows to append and their hashes lie inside their columns");
  check_lengths(rows);
  state.edge.append(leaves.subspan(begin, end - begin));
  state.account(rows, begin, end);
  const std::size_t page = state.options.page_rows;
  while (begin < end) {
    if (state.pending.size() == 0 && end - begin >= page) {  // a whole page needs no copy
      state.add_page(rows, begin, begin + page);
      begin += page;
      continue;
    }
    const std::size_t part = std::min(end - begin, page - state.pending.size());
    state.pending.append(rows, begin, begin + part);
    begin += part;
    if (state.pending.size() == page) state.flush_pending();
  }
}

SegmentInfo SegmentWriter::close() {
  State& state = *state_;
  if (state.pending.size() > 0) state.flush_pending();
  if (state.group.rows() > 0) state.group.write(state.file, *state.footer);
  auto metadata = std::make_shared<arrow::KeyValueMetadata>();
  for (const auto& [key, value] : state.metadata) metadata->Append(key, value);
  metadata->Append("tanhui.rows", std::to_string(state.info.rows));
  metadata->Append("tanhui.milligrams", std::to_string(state.info.milligrams));
  metadata->Append("tanhui.points", std::to_string(state.info.points));
  state.info.root = state.edge.root();
  metadata->Append("tanhui.merkle_root", core::to_hex(state.info.root));
  parquet::WriteFileMetaData(*state.footer->Finish(metadata), state.file.get());  // and its length and magic bytes
  state.info.bytes = std::uint64_t(*state.file->Tell());
  state.info.sha256 = state.file->seal();
  return state.info;
}

}  // namespace tanhui::journal
