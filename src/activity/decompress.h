// activity/decompress.h: bytes of an input, whatever it is packed in and written in. Streams are read by one thread at a time.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace tanhui::activity {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Fills up to `size` bytes; fewer only at the end, then 0. Errors: input.truncated, input.broken (what was read so far must not be
  /// used).
  virtual core::Result<std::size_t> read(char* out, std::size_t size) = 0;
};

enum class Packing : std::uint8_t { none, gzip, zstd };
/// By the first bytes: 1f 8b is gzip, 28 b5 2f fd is zstd.
Packing packing_of(std::string_view head);

/// A file, or standard input when the path is "-". Every raw byte read is shown to `watch` (for a digest, for progress).
/// Errors: input.not-found, input.unreadable.
using Watch = std::function<void(std::string_view)>;
core::Result<std::unique_ptr<ByteStream>> open_file(const std::filesystem::path& path, Watch watch);

/// Undoes gzip (several members too) or zstd; `name` stands in errors.
std::unique_ptr<ByteStream> unpack(std::unique_ptr<ByteStream> packed, Packing packing, std::string name);

/// Converts text of another encoding to UTF-8. A byte sequence that is not valid there becomes the byte FF, which is not valid UTF-8
/// either, so that only the row around it is refused. Errors: input.unknown-encoding.
core::Result<std::unique_ptr<ByteStream>> transcode(std::unique_ptr<ByteStream> text, const std::string& encoding);

/// Gives `head` first, then the rest: for streams whose first bytes were needed to know what they are.
std::unique_ptr<ByteStream> put_back(std::string head, std::unique_ptr<ByteStream> rest);

}  // namespace tanhui::activity
