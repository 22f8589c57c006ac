// core/bytes.h: canonical bytes. What is hashed or signed is written here and nowhere else: big-endian integers, strings with their length.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace tanhui::core {

class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t value) { return big_endian(value, 1); }
  ByteWriter& u16(std::uint16_t value) { return big_endian(value, 2); }
  ByteWriter& u32(std::uint32_t value) { return big_endian(value, 4); }
  ByteWriter& u64(std::uint64_t value) { return big_endian(value, 8); }
  ByteWriter& i64(std::int64_t value) { return big_endian(std::uint64_t(value), 8); }
  ByteWriter& str(std::string_view text) {
    u32(std::uint32_t(text.size()));
    bytes_.append(text);
    return *this;
  }
  std::string take() { return std::move(bytes_); }

 private:
  ByteWriter& big_endian(std::uint64_t value, int width) {
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) bytes_.push_back(char(value >> shift));
    return *this;
  }
  std::string bytes_;
};

}  // namespace tanhui::core
