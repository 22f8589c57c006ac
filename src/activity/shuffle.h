// activity/shuffle.h: rows of whole words in, in any order from several threads; rows out by partition, the top byte of their first word.
// Rows beyond the memory budget wait in an unnamed temporary file, so a run's memory does not grow with its input.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

namespace tanhui::activity {

class Shuffle {
 public:
  static constexpr std::size_t kPartitions = 256;  // in the order of the first word: a person or an event key
  static constexpr std::size_t kBlockBytes = std::size_t{64} << 10;

  /// `memory_bytes` bounds the blocks kept in memory; `spill_folder` takes the rest.
  Shuffle(std::size_t words_per_row, std::size_t memory_bytes, std::filesystem::path spill_folder);
  ~Shuffle();
  Shuffle(const Shuffle&) = delete;
  Shuffle& operator=(const Shuffle&) = delete;

  std::size_t words_per_row() const { return words_per_row_; }
  static std::size_t partition_of(std::uint64_t first_word) { return first_word >> 56; }

  /// One per thread; rows are visible after flush().
  class Writer {
   public:
    explicit Writer(Shuffle& shuffle);
    ~Writer() { flush(); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    /// Room for one row that will begin with `first_word`; the caller fills all its words before the next call.
    std::uint64_t* add(std::uint64_t first_word) {
      Open& open = open_[partition_of(first_word)];
      if (open.words + words_per_row_ > kBlockBytes / 8) next_block(partition_of(first_word));
      std::uint64_t* row = open.block + open.words;
      open.words += words_per_row_;
      return row;
    }
    void flush();

   private:
    struct Open {
      std::uint64_t* block = nullptr;
      std::size_t words = kBlockBytes / 8;  // "full", so the first row asks for a block
    };
    void next_block(std::size_t partition);
    Shuffle& shuffle_;
    std::size_t words_per_row_;
    std::vector<Open> open_;
  };

  std::size_t rows(std::size_t partition) const;
  std::uint64_t rows() const;
  /// Calls `use(words, rows)` for each block of the partition, in no particular order. Many threads may read different partitions.
  template <class Use>
  void each_block(std::size_t partition, Use&& use) const {
    std::vector<std::uint64_t> scratch;
    for (const Block& block : partitions_[partition].blocks) use(load(block, scratch), block.words / words_per_row_);
  }
  /// Gives the memory of a partition back; it is not read again.
  void release(std::size_t partition);
  std::uint64_t spilled_bytes() const { return spilled_bytes_; }

 private:
  struct Block {
    std::uint64_t* memory = nullptr;  // null: in the spill file
    std::uint64_t offset = 0;
    std::size_t words = 0;
  };
  struct Partition {
    std::vector<Block> blocks;
    std::size_t words = 0;
  };
  std::uint64_t* take_block();
  std::uint64_t* put_block(std::size_t partition, std::uint64_t* block, std::size_t words, bool want_another);
  const std::uint64_t* load(const Block& block, std::vector<std::uint64_t>& scratch) const;

  std::size_t words_per_row_;
  std::size_t blocks_max_;
  std::filesystem::path spill_folder_;
  mutable std::mutex mutex_;
  std::vector<Partition> partitions_;
  std::vector<void*> regions_;
  std::vector<std::uint64_t*> free_;
  std::size_t blocks_made_ = 0;
  int spill_file_ = -1;
  std::atomic<std::uint64_t> spilled_bytes_{0};
};

}  // namespace tanhui::activity
