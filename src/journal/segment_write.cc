#include <fcntl.h>
#include <unistd.h>

#include <arrow/array/array_binary.h>
#include <arrow/array/array_dict.h>
#include <arrow/array/builder_binary.h>
#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/writer.h>
#include <parquet/column_writer.h>
#include <parquet/file_writer.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "core/invariant.h"
#include "core/quantity.h"
#include "journal/schema.h"
#include "journal/segment.h"

namespace tanhui::journal {
namespace {

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
    if (buffer_.size() + std::size_t(size) > kOutputBuffer) flush_buffer();
    if (std::size_t(size) > kOutputBuffer) put(static_cast<const char*>(data), std::size_t(size));
    else buffer_.append(static_cast<const char*>(data), std::size_t(size));
    position_ += size;
    return arrow::Status::OK();
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
    sync_folder(path_.parent_path());
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


void check(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error("Parquet: " + status.ToString());
}

void check_lengths(const Columns& rows) {
  const std::size_t n = rows.size();
  const auto whole = [n](const auto&... column) { return ((column.size() == n) && ...); };
  const auto whole_or_empty = [n](const auto&... column) { return ((column.empty() || column.size() == n) && ...); };
  core::invariant(whole(rows.start_ms, rows.duration_ms, rows.activity, rows.source, rows.region, rows.methodology, rows.event, rows.evidence,
                        rows.quantity, rows.outcome, rows.reason, rows.milligrams, rows.points, rows.revision),
                  "the columns of a batch are equally long");
  core::invariant(whole_or_empty(rows.object, rows.extra[0], rows.extra[1], rows.extra[2], rows.winner, rows.winner_source, rows.line),
                  "an optional column of a batch is empty or as long as the others");
}

/// Buffers that live as long as the writer: memory that is touched for the first time costs more than the encoding.
struct Scratch {
  std::vector<std::int16_t> levels;
  std::vector<std::int64_t> numbers;
  std::vector<std::int32_t> small_numbers, local_of;
  std::vector<std::uint8_t> key_bytes, valid;
  std::vector<parquet::FixedLenByteArray> keys;
};

/// Writes rows [begin, end) of a batch as one row group, column by column in the order of the schema.
class RowGroup {
 public:
  RowGroup(parquet::RowGroupWriter& group, const Columns& rows, std::size_t begin, std::size_t end, const Names& names, Scratch& scratch)
      : group_(group), rows_(rows), begin_(begin), count_(end - begin), names_(names), scratch_(scratch) {}

  void write() {
    persons(rows_.person);
    numbers(rows_.start_ms);
    optional_numbers(rows_.duration_ms);
    words(rows_.activity, names_.activities);
    words(rows_.source, names_.sources);
    words(rows_.region, names_.regions);
    optional_words(rows_.methodology, names_.methodologies);
    keys(rows_.event);
    optional_keys(rows_.object);
    words(rows_.evidence, names_.evidences);
    optional_numbers(rows_.quantity);
    for (const auto& column : rows_.extra) optional_numbers(column);
    words(rows_.outcome, names_.outcomes);
    words(rows_.reason, names_.reasons);
    numbers(rows_.milligrams);
    numbers(rows_.points);
    optional_keys(rows_.winner);
    optional_words(rows_.winner_source, names_.sources);
    small_numbers(rows_.revision);
    optional_small_numbers(rows_.line);
    group_.Close();
  }

 private:
  template <class Writer>
  Writer& next() {
    return static_cast<Writer&>(*group_.NextColumn());
  }

  void persons(const std::vector<core::PersonKey>& column) {
    scratch_.key_bytes.resize(count_ * kPersonBytes);
    scratch_.keys.resize(count_);
    for (std::size_t i = 0; i < count_; ++i) {
      std::uint8_t* bytes = &scratch_.key_bytes[i * kPersonBytes];
      const std::uint64_t high = __builtin_bswap64(column[begin_ + i].high), low = __builtin_bswap64(column[begin_ + i].low);
      std::memcpy(bytes, &high, 8);
      std::memcpy(bytes + 8, &low, 8);
      scratch_.keys[i].ptr = bytes;
    }
    auto& writer = next<parquet::FixedLenByteArrayWriter>();
    writer.WriteBatch(std::int64_t(count_), nullptr, nullptr, scratch_.keys.data());
    writer.Close();
  }

  void numbers(const std::vector<std::int64_t>& column) {
    auto& writer = next<parquet::Int64Writer>();
    writer.WriteBatch(std::int64_t(count_), nullptr, nullptr, column.data() + begin_);
    writer.Close();
  }

  void keys(const std::vector<std::uint64_t>& column) {
    auto& writer = next<parquet::Int64Writer>();
    writer.WriteBatch(std::int64_t(count_), nullptr, nullptr, reinterpret_cast<const std::int64_t*>(column.data()) + begin_);
    writer.Close();
  }

  // The values that are not `none`, and for each row whether it has one.
  template <class Kept, class T>
  void split(const std::vector<T>& column, T none, std::vector<Kept>& kept) {
    scratch_.levels.resize(count_);
    kept.resize(count_);
    if (column.empty()) {
      std::fill(scratch_.levels.begin(), scratch_.levels.end(), std::int16_t{0});
      return;
    }
    std::size_t used = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      const T value = column[begin_ + i];
      const bool present = value != none;
      kept[used] = Kept(value);
      used += present;
      scratch_.levels[i] = present;
    }
  }

  void optional_numbers(const std::vector<std::int64_t>& column) {
    split(column, kMissing, scratch_.numbers);
    put_optional();
  }
  void optional_keys(const std::vector<std::uint64_t>& column) {
    split(column, std::uint64_t{0}, scratch_.numbers);
    put_optional();
  }
  void put_optional() {
    auto& writer = next<parquet::Int64Writer>();
    writer.WriteBatch(std::int64_t(count_), scratch_.levels.data(), nullptr, scratch_.numbers.data());
    writer.Close();
  }

  void small_numbers(const std::vector<std::uint16_t>& column) {
    scratch_.small_numbers.assign(column.begin() + std::ptrdiff_t(begin_), column.begin() + std::ptrdiff_t(begin_ + count_));
    auto& writer = next<parquet::Int32Writer>();
    writer.WriteBatch(std::int64_t(count_), nullptr, nullptr, scratch_.small_numbers.data());
    writer.Close();
  }
  void optional_small_numbers(const std::vector<std::uint32_t>& column) {
    split(column, std::uint32_t{0}, scratch_.small_numbers);
    auto& writer = next<parquet::Int32Writer>();
    writer.WriteBatch(std::int64_t(count_), scratch_.levels.data(), nullptr, scratch_.small_numbers.data());
    writer.Close();
  }

  // A row group's dictionary holds the words it uses, in the order of their first use: few words, narrow indexes.
  template <class T>
  void words(const std::vector<T>& column, const std::vector<std::string>& dictionary) {
    arrow::BinaryBuilder used;
    scratch_.local_of.assign(dictionary.size(), -1);
    scratch_.small_numbers.resize(count_);
    for (std::size_t i = 0; i < count_; ++i) scratch_.small_numbers[i] = local_index(column[begin_ + i], dictionary, used);
    put_words(used, nullptr, 0, nullptr);
  }
  void optional_words(const std::vector<std::uint16_t>& column, const std::vector<std::string>& dictionary) {
    arrow::BinaryBuilder used;
    scratch_.local_of.assign(dictionary.size(), -1);
    scratch_.small_numbers.assign(count_, 0);
    scratch_.levels.assign(count_, 0);
    scratch_.valid.assign((count_ + 7) / 8, 0);
    std::int64_t nulls = std::int64_t(count_);
    for (std::size_t i = 0; i < count_ && !column.empty(); ++i) {
      if (column[begin_ + i] == kNoName) continue;
      scratch_.small_numbers[i] = local_index(column[begin_ + i], dictionary, used);
      scratch_.levels[i] = 1;
      scratch_.valid[i / 8] = std::uint8_t(scratch_.valid[i / 8] | 1u << (i % 8));
      --nulls;
    }
    put_words(used, scratch_.valid.data(), nulls, scratch_.levels.data());
  }
  std::int32_t local_index(std::size_t index, const std::vector<std::string>& dictionary, arrow::BinaryBuilder& used) {
    core::invariant(index < scratch_.local_of.size(), "a word's index lies inside its dictionary");
    std::int32_t& local = scratch_.local_of[index];
    if (local < 0) {
      local = std::int32_t(used.length());
      check(used.Append(dictionary[index]));
    }
    return local;
  }
  void put_words(arrow::BinaryBuilder& used, const std::uint8_t* valid, std::int64_t nulls, const std::int16_t* levels) {
    std::shared_ptr<arrow::Array> dictionary;
    check(used.Finish(&dictionary));
    const auto bitmap = valid == nullptr ? nullptr : std::make_shared<arrow::Buffer>(valid, std::int64_t(scratch_.valid.size()));
    const auto indexes = std::make_shared<arrow::Int32Array>(std::int64_t(count_), arrow::Buffer::Wrap(scratch_.small_numbers), bitmap, nulls);
    const arrow::DictionaryArray array(arrow::dictionary(arrow::int32(), arrow::binary()), indexes, dictionary);
    auto& writer = *group_.NextColumn();
    parquet::ArrowWriteContext context(arrow::default_memory_pool(), arrow_properties_.get());
    check(writer.WriteArrow(levels, nullptr, std::int64_t(count_), array, &context, levels != nullptr));
    writer.Close();
  }

  parquet::RowGroupWriter& group_;
  const Columns& rows_;
  std::size_t begin_, count_;
  const Names& names_;
  Scratch& scratch_;
  std::shared_ptr<parquet::ArrowWriterProperties> arrow_properties_ = parquet::default_arrow_writer_properties();
};

}  // namespace

struct SegmentWriter::State {
  State(std::filesystem::path path, const Names& names_used, Metadata metadata_given, SegmentOptions options_given)
      : file(std::make_shared<HashedFile>(path)), names(names_used), metadata(std::move(metadata_given)), options(options_given) {
    info.path = std::move(path);
    parquet = parquet::ParquetFileWriter::Open(file, segment_schema(), segment_properties());
  }

  void account(const Columns& rows, std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto& person = rows.person[i];
      const core::Millis start = rows.start_ms[i];
      if (info.rows == 0) {
        info.person_min = person;
        info.start_min = info.start_max = start;
      } else {
        core::invariant(info.person_max == person ? last_start <= start : info.person_max < person, "rows of a segment are sorted by person and start");
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
  void flush(const Columns& rows, std::size_t begin, std::size_t end) {
    RowGroup(*parquet->AppendRowGroup(), rows, begin, end, names, scratch).write();
  }

  std::shared_ptr<HashedFile> file;
  const Names& names;
  Metadata metadata;
  SegmentOptions options;
  std::unique_ptr<parquet::ParquetFileWriter> parquet;
  Columns pending;  // the open row group
  Scratch scratch;
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
  State& state = *state_;
  core::invariant(begin <= end && end <= rows.size(), "rows to append lie inside their columns");
  check_lengths(rows);
  state.account(rows, begin, end);
  const std::size_t group = state.options.row_group_rows;
  while (begin < end) {
    if (state.pending.size() == 0 && end - begin >= group) {  // a whole row group needs no copy
      state.flush(rows, begin, begin + group);
      begin += group;
      continue;
    }
    const std::size_t part = std::min(end - begin, group - state.pending.size());
    state.pending.append(rows, begin, begin + part);
    begin += part;
    if (state.pending.size() == group) {
      state.flush(state.pending, 0, group);
      state.pending.clear();
    }
  }
}

SegmentInfo SegmentWriter::close() {
  State& state = *state_;
  if (state.pending.size() > 0) state.flush(state.pending, 0, state.pending.size());
  auto metadata = std::make_shared<arrow::KeyValueMetadata>();
  for (const auto& [key, value] : state.metadata) metadata->Append(key, value);
  metadata->Append("tanhui.rows", std::to_string(state.info.rows));
  metadata->Append("tanhui.milligrams", std::to_string(state.info.milligrams));
  metadata->Append("tanhui.points", std::to_string(state.info.points));
  state.parquet->AddKeyValueMetadata(metadata);
  state.parquet->Close();
  state.info.bytes = std::uint64_t(*state.file->Tell());
  state.info.sha256 = state.file->seal();
  return state.info;
}

}  // namespace tanhui::journal
