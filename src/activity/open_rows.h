// activity/open_rows.h: the records of the open window in memory, by person; which event ids were ever used; and the bytes in which a batch
// of them waits in SQL until the window is sealed.
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "activity/row.h"
#include "core/hash.h"
#include "core/result.h"

namespace tanhui::activity {

/// Rows of kBookedLayout, never moved. Each knows the row of its person that came before, so a person's rows are a walk of a few steps.
class OpenRows {
 public:
  static constexpr std::size_t kWords = kBookedLayout.words();
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  std::uint32_t add(const std::uint64_t* words);
  std::uint32_t size() const { return size_; }
  RowView at(std::uint32_t row) const { return {words_of(row), kBookedLayout}; }
  /// Newest first.
  template <class Visit>
  void each_of(const core::PersonKey& person, Visit visit) const {
    const auto& shard = people_[shard_of(person.high)];
    const auto found = shard.find(person);
    for (std::uint32_t row = found == shard.end() ? kNone : found->second; row != kNone; row = std::uint32_t(words_of(row)[kWords]))
      visit(words_of(row));
  }
  std::size_t people() const;
  std::size_t bytes() const { return pages_.size() * kPageRows * (kWords + 1) * 8; }
  void clear();

 private:
  static constexpr std::size_t kPageRows = 8192, kShards = 256;  // so that a table that grows stops nobody for long
  struct Hash {
    using is_avalanching = void;
    std::size_t operator()(const core::PersonKey& key) const { return std::size_t(key.low); }
  };
  static std::size_t shard_of(std::uint64_t key) { return key >> 56; }
  std::uint64_t* words_of(std::uint32_t row) const { return pages_[row / kPageRows].get() + (row % kPageRows) * (kWords + 1); }
  std::vector<std::unique_ptr<std::uint64_t[]>> pages_;
  std::uint32_t size_ = 0;
  std::array<boost::unordered_flat_map<core::PersonKey, std::uint32_t, Hash>, kShards> people_;
};

/// Keys that occurred, as 40 of their bits: about 6 bytes for each. A key that never occurred is taken for one that did once in a hundred
/// thousand times when there are ten million; then the slow path decides, so nothing depends on it.
class SeenKeys {
 public:
  void add(std::uint64_t key) { shards_[key >> 56].insert(std::uint32_t(key >> 24)); }
  bool may_hold(std::uint64_t key) const { return shards_[key >> 56].contains(std::uint32_t(key >> 24)); }
  void clear() {
    for (auto& shard : shards_) shard.clear();
  }

 private:
  struct Hash {
    using is_avalanching = void;
    std::size_t operator()(std::uint32_t key) const { return key * 0x9E3779B97F4A7C15ULL; }
  };
  std::array<boost::unordered_flat_set<std::uint32_t, Hash>, 256> shards_;
};

// ---- batches as bytes -----------------------------------------------------------------------------------------------------------
//
//   batch := version:u8=1 restart:u8 definitions:varint (kind:u8 number:varint text:length,bytes)* layout:u8 rows:varint row*
//   row   := the row's words, little-endian; its words' numbers are those of the definitions of this batch and of those before it, back to
//            the last one with restart 1. layout: bit 0 object, bits 1-2 extras, bit 3 booked. Instead of a rule a row has its methodology.

enum class Word : std::uint8_t { activity, source, region, methodology };
constexpr std::size_t kWordKinds = 4;
constexpr std::uint16_t kNoMethodology = 0xFFFF;

class OpenBatchWriter {
 public:
  using TextOf = std::function<std::string_view(Word, std::uint16_t)>;
  explicit OpenBatchWriter(TextOf text_of) : text_of_(std::move(text_of)) {}
  /// Rows of `layout`, whose rule was replaced by the methodology's number.
  std::string write(std::span<const std::uint64_t> words, const Layout& layout);
  /// What was written last will not be read: the next batch defines everything again.
  void restart() { restart_ = true; }

 private:
  void define(Word kind, std::uint16_t number, std::string& definitions, std::size_t& count);
  TextOf text_of_;
  bool restart_ = true;
  std::array<std::vector<bool>, kWordKinds> defined_;
};

/// Reads batches in the order in which they were written. Errors: refused open-window.damaged.
class OpenBatchReader {
 public:
  using NumberOf = std::function<std::uint16_t(Word, std::string_view)>;
  explicit OpenBatchReader(NumberOf number_of) : number_of_(std::move(number_of)) {}
  /// The rows come out in `layout`, numbers being those of this process.
  core::Result<std::vector<std::uint64_t>> read(std::string_view bytes, const Layout& layout);

 private:
  NumberOf number_of_;
  std::array<std::vector<std::uint16_t>, kWordKinds> numbers_;
};

}  // namespace tanhui::activity
