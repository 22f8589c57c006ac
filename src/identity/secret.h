// identity/secret.h: bytes that are wiped when they are done with, and where random ones come from.
#pragma once
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

namespace tanhui::identity {

/// Fills the span with bytes nobody can guess. Passed in, so that tests know what comes.
using Randomness = std::function<void(std::span<std::uint8_t>)>;
/// libsodium's generator, seeded by the system.
Randomness system_randomness();

/// `N` secret bytes: wiped when the object dies or is moved from, compared in constant time.
template <std::size_t N>
class SecretBytes {
 public:
  static constexpr std::size_t kBytes = N;
  SecretBytes() = default;
  explicit SecretBytes(std::span<const std::uint8_t, N> bytes) { std::copy(bytes.begin(), bytes.end(), bytes_.begin()); }
  SecretBytes(const SecretBytes&) = default;
  SecretBytes& operator=(const SecretBytes&) = default;
  SecretBytes(SecretBytes&& other) noexcept : bytes_(other.bytes_) { other.wipe(); }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      other.wipe();
    }
    return *this;
  }
  ~SecretBytes() { wipe(); }
  static SecretBytes random(const Randomness& randomness) {
    SecretBytes made;
    randomness(made.bytes_);
    return made;
  }
  std::span<std::uint8_t, N> bytes() { return bytes_; }
  std::span<const std::uint8_t, N> bytes() const { return bytes_; }
  std::uint8_t* data() { return bytes_.data(); }
  const std::uint8_t* data() const { return bytes_.data(); }
  friend bool operator==(const SecretBytes& a, const SecretBytes& b) { return sodium_memcmp(a.data(), b.data(), N) == 0; }

 private:
  void wipe() { sodium_memzero(bytes_.data(), N); }
  std::array<std::uint8_t, N> bytes_{};
};

/// Wipes a buffer that another type owns, whichever way its scope is left.
class WipeAtEnd {
 public:
  explicit WipeAtEnd(std::span<std::uint8_t> bytes) : bytes_(bytes) {}
  WipeAtEnd(const WipeAtEnd&) = delete;
  WipeAtEnd& operator=(const WipeAtEnd&) = delete;
  ~WipeAtEnd() { sodium_memzero(bytes_.data(), bytes_.size()); }

 private:
  std::span<std::uint8_t> bytes_;
};

inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view text_of(std::span<const std::uint8_t> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace tanhui::identity
