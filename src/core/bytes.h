// core/bytes.h: canonical bytes. What is hashed or signed is written here and nowhere else: big-endian integers, strings with their length,
// and where bytes are many, varints: seven bits a byte, the least first, the high bit says that more follow; signed numbers as zigzag.
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
  ByteWriter& varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(char(value | 0x80));
    bytes_.push_back(char(value));
    return *this;
  }
  ByteWriter& zigzag(std::int64_t value) { return varint((std::uint64_t(value) << 1) ^ std::uint64_t(value >> 63)); }
  ByteWriter& raw(std::string_view bytes) {
    bytes_.append(bytes);
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

/// Reads what ByteWriter wrote. After a read beyond the end, or a varint that does not end or is longer than it needs to be, ok() is
/// false for ever and everything read is 0 or empty: ask once, at the end. There is one way to write a value, and only that is read.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}
  std::uint8_t u8() { return std::uint8_t(big_endian(1)); }
  std::uint32_t u32() { return std::uint32_t(big_endian(4)); }
  std::uint64_t u64() { return big_endian(8); }
  std::int64_t i64() { return std::int64_t(big_endian(8)); }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) return fail();
      const auto byte = std::uint8_t(bytes_.front());
      bytes_.remove_prefix(1);
      if (shift == 63 && byte > 1) return fail();
      value |= std::uint64_t(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return byte == 0 && shift > 0 ? fail() : value;
    }
    return fail();
  }
  std::int64_t zigzag() {
    const std::uint64_t value = varint();
    return std::int64_t(value >> 1) ^ -std::int64_t(value & 1);
  }
  std::string_view bytes(std::uint64_t count) {
    if (count > bytes_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = bytes_.substr(0, std::size_t(count));
    bytes_.remove_prefix(std::size_t(count));
    return taken;
  }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && bytes_.empty(); }

 private:
  std::uint64_t fail() {
    ok_ = false;
    bytes_ = {};
    return 0;
  }
  std::uint64_t big_endian(std::size_t width) {
    std::uint64_t value = 0;
    for (const char byte : bytes(width)) value = value << 8 | std::uint8_t(byte);
    return value;
  }
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace tanhui::core
