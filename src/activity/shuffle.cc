#include "activity/shuffle.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tanhui::activity {
namespace {

constexpr std::size_t kRegionBytes = std::size_t{8} << 20;  // blocks are cut from regions, so the kernel is asked seldom

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

Shuffle::Shuffle(std::size_t words_per_row, std::size_t memory_bytes, std::filesystem::path spill_folder)
    : words_per_row_(words_per_row),
      blocks_max_(memory_bytes / kBlockBytes),
      spill_folder_(std::move(spill_folder)),
      partitions_(kPartitions) {}

Shuffle::~Shuffle() {
  for (void* region : regions_) munmap(region, kRegionBytes);
  if (spill_file_ >= 0) close(spill_file_);
}

std::uint64_t* Shuffle::take_block() {
  if (free_.empty()) {
    void* region = mmap(nullptr, kRegionBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) fail("memory for records");
    regions_.push_back(region);
    for (std::size_t at = kRegionBytes; at > 0; at -= kBlockBytes) {
      free_.push_back(reinterpret_cast<std::uint64_t*>(static_cast<char*>(region) + at - kBlockBytes));
    }
  }
  std::uint64_t* block = free_.back();
  free_.pop_back();
  ++blocks_made_;
  return block;
}

// Keeps a block, in memory or in the spill file, and hands out the next one.
std::uint64_t* Shuffle::put_block(std::size_t partition, std::uint64_t* block, std::size_t words, bool want_another) {
  std::unique_lock lock(mutex_);
  Partition& kept = partitions_[partition];
  if (block != nullptr && words > 0) {
    kept.words += words;
    if (blocks_made_ < blocks_max_ || !want_another) {
      kept.blocks.push_back({block, 0, words});
    } else {
      if (spill_file_ < 0) {
        spill_file_ = open(spill_folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (spill_file_ < 0) fail("temporary file for records beyond the memory budget");
      }
      const std::uint64_t offset = spilled_bytes_.fetch_add(kBlockBytes);
      kept.blocks.push_back({nullptr, offset, words});
      lock.unlock();
      std::size_t done = 0;
      while (done < 8 * words) {
        const ssize_t wrote = pwrite(spill_file_, reinterpret_cast<char*>(block) + done, 8 * words - done, off_t(offset + done));
        if (wrote < 0 && errno != EINTR) fail("write records beyond the memory budget");
        if (wrote > 0) done += std::size_t(wrote);
      }
      return block;  // its memory is free again
    }
  }
  return want_another ? take_block() : nullptr;
}

Shuffle::Writer::Writer(Shuffle& shuffle) : shuffle_(shuffle), words_per_row_(shuffle.words_per_row_), open_(kPartitions) {}

void Shuffle::Writer::next_block(std::size_t partition) {
  Open& open = open_[partition];
  open.block = shuffle_.put_block(partition, open.block, open.block == nullptr ? 0 : open.words, true);
  open.words = 0;
}

void Shuffle::Writer::flush() {
  for (std::size_t partition = 0; partition < kPartitions; ++partition) {
    Open& open = open_[partition];
    if (open.block != nullptr) shuffle_.put_block(partition, open.block, open.words, false);
    open = {};
  }
}

std::size_t Shuffle::rows(std::size_t partition) const { return partitions_[partition].words / words_per_row_; }

std::uint64_t Shuffle::rows() const {
  std::uint64_t sum = 0;
  for (std::size_t partition = 0; partition < kPartitions; ++partition) sum += rows(partition);
  return sum;
}

const std::uint64_t* Shuffle::load(const Block& block, std::vector<std::uint64_t>& scratch) const {
  if (block.memory != nullptr) return block.memory;
  scratch.resize(kBlockBytes / 8);
  std::size_t done = 0;
  while (done < 8 * block.words) {
    const ssize_t got =
        pread(spill_file_, reinterpret_cast<char*>(scratch.data()) + done, 8 * block.words - done, off_t(block.offset + done));
    if (got == 0 || (got < 0 && errno != EINTR)) fail("read back records beyond the memory budget");
    if (got > 0) done += std::size_t(got);
  }
  return scratch.data();
}

void Shuffle::release(std::size_t partition) {
  const std::scoped_lock lock(mutex_);
  for (const Block& block : partitions_[partition].blocks) {
    if (block.memory != nullptr) madvise(block.memory, kBlockBytes, MADV_DONTNEED);
  }
  partitions_[partition] = {};
}

}  // namespace tanhui::activity
