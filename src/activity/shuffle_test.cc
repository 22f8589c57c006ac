#include "activity/shuffle.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <thread>

namespace tanhui::activity {
namespace {

// Two threads write numbered rows; every row comes back once, in its partition, whether it stayed in memory or went through the file.
void round_trip(std::size_t memory_bytes, bool expect_spill) {
  constexpr std::uint64_t kRows = 3'000'000;  // enough to fill blocks of every partition
  Shuffle shuffle(3, memory_bytes, std::filesystem::temp_directory_path());
  const auto write = [&](std::uint64_t from, std::uint64_t to) {
    Shuffle::Writer writer(shuffle);
    for (std::uint64_t i = from; i < to; ++i) {
      const std::uint64_t key = i * 0x9E3779B97F4A7C15ULL;
      std::uint64_t* row = writer.add(key);
      row[0] = key;
      row[1] = i;
      row[2] = ~i;
    }
  };
  std::thread other(write, 0, kRows / 3);
  write(kRows / 3, kRows);
  other.join();
  EXPECT_EQ(shuffle.rows(), kRows);
  EXPECT_EQ(shuffle.spilled_bytes() > 0, expect_spill);
  std::vector<int> seen(kRows);
  for (std::size_t partition = 0; partition < Shuffle::kPartitions; ++partition) {
    shuffle.each_block(partition, [&](const std::uint64_t* words, std::size_t rows) {
      for (std::size_t i = 0; i < rows; ++i, words += 3) {
        ASSERT_EQ(Shuffle::partition_of(words[0]), partition);
        ASSERT_EQ(words[1], ~words[2]);
        ++seen[words[1]];
      }
    });
    shuffle.release(partition);
  }
  for (std::uint64_t i = 0; i < kRows; ++i) ASSERT_EQ(seen[i], 1) << i;
}

TEST(Shuffle, InMemory) { round_trip(std::size_t{1} << 30, false); }
TEST(Shuffle, BeyondMemory) { round_trip(0, true); }

}  // namespace
}  // namespace tanhui::activity
