// activity/key_filter.h: which event and object keys occur more than once. A bit per key and 16 bits of room for each find nearly all
// first occurrences; what collides is a candidate that is looked at exactly. Correctness never depends on the filter's size.
#pragma once
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tanhui::activity {

class KeyFilter {
 public:
  /// `expected` keys; memory is two bytes for each, at most 512 MB and at least 1 MB.
  explicit KeyFilter(std::uint64_t expected)
      : bits_(std::bit_ceil(std::clamp<std::uint64_t>(16 * expected, std::uint64_t{1} << 23, std::uint64_t{1} << 32))),
        words_(new std::atomic<std::uint64_t>[bits_ / 64]()) {}

  /// Notes a batch of keys from any thread; those that may have been noted before are appended to `candidates`.
  void note(std::span<const std::uint64_t> keys, std::vector<std::uint64_t>& candidates) {
    constexpr std::size_t ahead = 16;  // far enough for the memory to answer meanwhile
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (i + ahead < keys.size()) __builtin_prefetch(&words_[word_of(keys[i + ahead])], 1);
      if (keys[i] == 0) continue;
      const std::uint64_t bit = std::uint64_t{1} << (keys[i] & 63);
      if ((words_[word_of(keys[i])].fetch_or(bit, std::memory_order_relaxed) & bit) != 0) candidates.push_back(keys[i]);
    }
  }
  bool may_hold(std::uint64_t key) const { return (words_[word_of(key)].load(std::memory_order_relaxed) >> (key & 63) & 1) != 0; }

 private:
  std::uint64_t word_of(std::uint64_t key) const { return (key >> 6) & (bits_ / 64 - 1); }
  std::uint64_t bits_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> words_;
};

/// A set of keys for fast repeated questions, filled once. Most questions are about keys that are not in it: one bit in a small
/// table, which stays in the cache, answers them; open addressing answers the others.
class KeySet {
 public:
  explicit KeySet(std::span<const std::uint64_t> keys)
      : bits_(std::bit_ceil(16 * keys.size() + 64) / 64, 0), slots_(std::bit_ceil(2 * keys.size() + 2), 0) {
    for (const std::uint64_t key : keys) {
      bits_[word_of(key)] |= std::uint64_t{1} << (key & 63);
      std::size_t at = start(key);
      while (slots_[at] != 0 && slots_[at] != key) at = (at + 1) & (slots_.size() - 1);
      size_ += slots_[at] == 0;
      slots_[at] = key;
    }
  }
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// Asks the memory for what holds(key) will read first.
  void expect(std::uint64_t key) const { __builtin_prefetch(&bits_[word_of(key)]); }
  bool holds(std::uint64_t key) const {
    if ((bits_[word_of(key)] >> (key & 63) & 1) == 0) return false;
    for (std::size_t at = start(key); slots_[at] != 0; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at] == key) return true;
    }
    return false;
  }

 private:
  // Bits above those of the KeyFilter, which all candidates have in common with an earlier key.
  std::size_t word_of(std::uint64_t key) const { return std::size_t(key >> 40) & (bits_.size() - 1); }
  std::size_t start(std::uint64_t key) const { return std::size_t(key >> 7) & (slots_.size() - 1); }
  std::vector<std::uint64_t> bits_, slots_;
  std::size_t size_ = 0;
};

}  // namespace tanhui::activity
