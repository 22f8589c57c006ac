#include "activity/decompress.h"

#include <arrow/util/compression.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <iconv.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace tanhui::activity {
namespace {

using core::Error;
using core::ErrorCode;
using core::Result;

constexpr std::size_t kBlock = std::size_t{256} << 10;

class FileStream : public ByteStream {
 public:
  FileStream(int file, bool owned, std::string name, Watch watch)
      : file_(file), owned_(owned), name_(std::move(name)), watch_(std::move(watch)) {}
  FileStream(const FileStream&) = delete;
  FileStream& operator=(const FileStream&) = delete;
  ~FileStream() override {
    if (owned_) ::close(file_);
  }
  Result<std::size_t> read(char* out, std::size_t size) override {
    std::size_t have = 0;
    while (have < size) {
      const ssize_t got = ::read(file_, out + have, size - have);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        return Error{ErrorCode::invalid_input,
                     "input.unreadable",
                     fmt::format("{}: cannot be read: {}", name_, std::strerror(errno)),
                     "check the file and its disk, then run again",
                     {{"file", name_}}};
      }
      if (got == 0) break;
      if (watch_) watch_({out + have, std::size_t(got)});
      have += std::size_t(got);
    }
    return have;
  }

 private:
  int file_;
  bool owned_;
  std::string name_;
  Watch watch_;
};

Error truncated(const std::string& name, std::string_view packing) {
  return {ErrorCode::invalid_input,
          "input.truncated",
          fmt::format("{}: the {} data ends in the middle", name, packing),
          "the file was cut off on its way; ask for it again and compare sizes",
          {{"file", name}}};
}

class UnpackedStream : public ByteStream {
 public:
  UnpackedStream(std::unique_ptr<ByteStream> packed, Packing packing, std::string name)
      : packed_(std::move(packed)), packing_(packing == Packing::gzip ? "gzip" : "zstd"), name_(std::move(name)), input_(kBlock, '\0') {
    auto codec = arrow::util::Codec::Create(packing == Packing::gzip ? arrow::Compression::GZIP : arrow::Compression::ZSTD);
    codec_ = std::move(codec).ValueOrDie();
    decompressor_ = codec_->MakeDecompressor().ValueOrDie();
  }
  Result<std::size_t> read(char* out, std::size_t size) override {
    std::size_t have = 0;
    while (have < size && !at_end_) {
      if (from_ == to_) {
        const auto got = packed_->read(input_.data(), input_.size());
        if (!got) return got.error();
        from_ = 0;
        to_ = *got;
        if (to_ == 0 && !wants_output_) {
          if (in_member_) return truncated(name_, packing_);
          at_end_ = true;
          break;
        }
      }
      if (decompressor_->IsFinished() && to_ > from_) {  // another member follows
        if (!decompressor_->Reset().ok()) return broken();
      }
      const auto step = decompressor_->Decompress(std::int64_t(to_ - from_), reinterpret_cast<const std::uint8_t*>(input_.data()) + from_,
                                                  std::int64_t(size - have), reinterpret_cast<std::uint8_t*>(out) + have);
      if (!step.ok()) return broken();
      if (step->bytes_read == 0 && step->bytes_written == 0 && to_ == 0) return truncated(name_, packing_);
      if (step->bytes_read == 0 && step->bytes_written == 0 && !step->need_more_output && from_ < to_) return broken();
      from_ += std::size_t(step->bytes_read);
      have += std::size_t(step->bytes_written);
      wants_output_ = step->need_more_output;
      in_member_ = !decompressor_->IsFinished();
    }
    return have;
  }

 private:
  Error broken() const {
    return {ErrorCode::invalid_input,
            "input.broken",
            fmt::format("{}: the {} data is damaged", name_, packing_),
            "unpack it by hand to see where it breaks, or ask for it again",
            {{"file", name_}}};
  }
  std::unique_ptr<ByteStream> packed_;
  std::string packing_, name_, input_;
  std::unique_ptr<arrow::util::Codec> codec_;
  std::shared_ptr<arrow::util::Decompressor> decompressor_;
  std::size_t from_ = 0, to_ = 0;
  bool in_member_ = false, wants_output_ = false, at_end_ = false;
};

class TranscodedStream : public ByteStream {
 public:
  TranscodedStream(std::unique_ptr<ByteStream> text, iconv_t converter)
      : text_(std::move(text)), converter_(converter), input_(kBlock, '\0') {}
  TranscodedStream(const TranscodedStream&) = delete;
  TranscodedStream& operator=(const TranscodedStream&) = delete;
  ~TranscodedStream() override { iconv_close(converter_); }
  Result<std::size_t> read(char* out, std::size_t size) override {
    std::size_t have = 0;
    while (have < size) {
      const std::size_t pending_size = std::min(size - have, pending_.size());
      std::memcpy(out + have, pending_.data(), pending_size);
      pending_.erase(0, pending_size);
      have += pending_size;
      if (have == size) break;
      if (const auto refilled = refill(); !refilled)
        return refilled.error();
      else if (!*refilled)
        break;
    }
    return have;
  }

 private:
  // More converted text into pending_; false at the end.
  Result<bool> refill() {
    const auto got = text_->read(input_.data() + left_, input_.size() - left_);
    if (!got) return got.error();
    std::size_t in_size = left_ + *got;
    if (in_size == 0) return false;
    const bool last = *got == 0;
    pending_.resize(4 * in_size + 16);
    char *in = input_.data(), *out = pending_.data();
    std::size_t room = pending_.size();
    while (in_size > 0) {
      if (iconv(converter_, &in, &in_size, &out, &room) != std::size_t(-1)) break;
      if (errno == EINVAL && !last) break;  // the last character is cut; its rest comes with the next block
      *out++ = '\xFF';
      --room;
      ++in;
      --in_size;
    }
    pending_.resize(std::size_t(out - pending_.data()));
    std::memmove(input_.data(), in, in_size);
    left_ = in_size;
    return true;
  }

  std::unique_ptr<ByteStream> text_;
  iconv_t converter_;
  std::string input_, pending_;
  std::size_t left_ = 0;
};

class PutBackStream : public ByteStream {
 public:
  PutBackStream(std::string head, std::unique_ptr<ByteStream> rest) : head_(std::move(head)), rest_(std::move(rest)) {}
  Result<std::size_t> read(char* out, std::size_t size) override {
    const std::size_t from_head = std::min(size, head_.size() - at_);
    std::memcpy(out, head_.data() + at_, from_head);
    at_ += from_head;
    if (from_head == size) return size;
    const auto got = rest_->read(out + from_head, size - from_head);
    if (!got) return got.error();
    return from_head + *got;
  }

 private:
  std::string head_;
  std::size_t at_ = 0;
  std::unique_ptr<ByteStream> rest_;
};

}  // namespace

Packing packing_of(std::string_view head) {
  if (head.starts_with("\x1F\x8B")) return Packing::gzip;
  if (head.starts_with("\x28\xB5\x2F\xFD")) return Packing::zstd;
  return Packing::none;
}

Result<std::unique_ptr<ByteStream>> open_file(const std::filesystem::path& path, Watch watch) {
  if (path == "-")
    return std::unique_ptr<ByteStream>(std::make_unique<FileStream>(STDIN_FILENO, false, "standard input", std::move(watch)));
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    const bool absent = errno == ENOENT;
    return Error{absent ? ErrorCode::not_found : ErrorCode::invalid_input,
                 absent ? "input.not-found" : "input.unreadable",
                 absent ? fmt::format("{}: there is no such file", path.string())
                        : fmt::format("{}: cannot be opened: {}", path.string(), std::strerror(errno)),
                 absent ? "check the path, or give - to read standard input" : "check who may read it",
                 {{"file", path.string()}}};
  }
  ::posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
  return std::unique_ptr<ByteStream>(std::make_unique<FileStream>(file, true, path.string(), std::move(watch)));
}

std::unique_ptr<ByteStream> unpack(std::unique_ptr<ByteStream> packed, Packing packing, std::string name) {
  if (packing == Packing::none) return packed;
  return std::make_unique<UnpackedStream>(std::move(packed), packing, std::move(name));
}

Result<std::unique_ptr<ByteStream>> transcode(std::unique_ptr<ByteStream> text, const std::string& encoding) {
  const iconv_t converter = iconv_open("UTF-8", encoding.c_str());
  if (converter == iconv_t(-1)) {
    return Error{ErrorCode::invalid_input,
                 "input.unknown-encoding",
                 fmt::format("encoding '{}' is not known here", encoding),
                 "use a name such as utf-8, gb18030, utf-16 or iso-8859-1",
                 {{"encoding", encoding}}};
  }
  return std::unique_ptr<ByteStream>(std::make_unique<TranscodedStream>(std::move(text), converter));
}

std::unique_ptr<ByteStream> put_back(std::string head, std::unique_ptr<ByteStream> rest) {
  return std::make_unique<PutBackStream>(std::move(head), std::move(rest));
}

}  // namespace tanhui::activity
