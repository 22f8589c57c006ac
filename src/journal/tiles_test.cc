#include "journal/tiles.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "journal/test_folder.h"

namespace tanhui::journal {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> entries_of(std::size_t begin, std::size_t end) {
  std::vector<std::string> entries;
  for (std::size_t i = begin; i < end; ++i) entries.push_back("entry-" + std::to_string(i));
  return entries;
}
void append(TileWriter& writer, const std::vector<std::string>& entries) {
  writer.append(std::vector<std::string_view>(entries.begin(), entries.end()));
}
core::merkle::Tree tree_of(std::size_t size) {
  core::merkle::Tree tree;
  std::vector<core::Digest> leaves;
  for (const auto& entry : entries_of(0, size)) leaves.push_back(core::merkle::leaf_hash(entry));
  tree.append(leaves);
  return tree;
}

TEST(Tiles, PathsAreThoseOfTheSpecification) {
  EXPECT_EQ(tile_path(0, 1'234'067), "tile/0/x001/x234/067");
  EXPECT_EQ(tile_path(1, 273, 17), "tile/1/273.p/17");
  EXPECT_EQ(tile_path(2, 0, 256), "tile/2/000");
  EXPECT_EQ(entries_path(1000, 3), "tile/entries/x001/000.p/3");
}

TEST(Tiles, SeventyThousandEntriesAreTheTilesOfTheSpecification) {
  const TestFolder folder;
  auto writer = *TileWriter::open(folder.path(), 0);
  append(writer, entries_of(0, 70'000));
  writer.flush();
  EXPECT_EQ(fs::file_size(folder / "tile/0/272"), 8192u);
  EXPECT_EQ(fs::file_size(folder / "tile/0/273.p/112"), 112u * 32);
  EXPECT_EQ(fs::file_size(folder / "tile/1/000"), 8192u);
  EXPECT_EQ(fs::file_size(folder / "tile/1/001.p/17"), 17u * 32);
  EXPECT_EQ(fs::file_size(folder / "tile/2/000.p/1"), 32u);
  EXPECT_FALSE(fs::exists(folder / "tile/0/274"));
  const auto tree = tree_of(70'000);
  EXPECT_EQ(writer.root(), tree.root());
  TileReader reader(folder.path(), 70'000);
  EXPECT_EQ(core::merkle::root(70'000, reader.source()), tree.root());
  for (const std::uint64_t index : {0u, 255u, 256u, 65'535u, 65'536u, 69'999u})
    EXPECT_EQ(core::merkle::inclusion_path(index, 70'000, reader.source()), core::merkle::inclusion_path(index, 70'000, tree.source()));
  EXPECT_EQ(reader.entries(273), entries_of(69'888, 70'000));
  EXPECT_EQ(reader.entries(1), entries_of(256, 512));
}

TEST(Tiles, AnEarlierCheckpointIsReadFromTheFilesOfALaterOne) {
  const TestFolder folder;
  auto writer = *TileWriter::open(folder.path(), 0);
  append(writer, entries_of(0, 769));
  writer.flush();
  append(writer, entries_of(769, 1000));
  writer.flush();
  EXPECT_TRUE(fs::exists(folder / "tile/0/003.p/1"));
  append(writer, entries_of(1000, 1100));
  writer.flush();
  EXPECT_FALSE(fs::exists(folder / "tile/0/003.p")) << "the full tile took its place";
  for (const std::uint64_t size : {768u, 769u, 1000u, 1100u}) {
    TileReader reader(folder.path(), size);
    EXPECT_EQ(core::merkle::root(size, reader.source()), tree_of(size).root()) << size;
  }
  auto again = *TileWriter::open(folder.path(), 769);  // as after a crash before the checkpoint
  append(again, entries_of(769, 1100));
  again.flush();
  EXPECT_EQ(again.root(), tree_of(1100).root());
  TileReader reader(folder.path(), 1100);
  EXPECT_EQ(reader.entries(3), entries_of(768, 1024));
}

TEST(TilesProperty, AnyPiecesAndReopeningsGiveTheSameTree) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const TestFolder folder;
    std::size_t size = 0;
    for (int step = 0; step < 6; ++step) {
      const std::size_t piece = random() % 700;
      auto writer = *TileWriter::open(folder.path(), size);
      append(writer, entries_of(size, size + piece / 2));
      if (piece % 3 == 0) writer.flush();
      append(writer, entries_of(size + piece / 2, size + piece));
      writer.flush();
      size += piece;
      ASSERT_EQ(writer.root(), tree_of(size).root());
    }
    TileReader reader(folder.path(), size);
    ASSERT_EQ(core::merkle::root(size, reader.source()), tree_of(size).root());
  }
}

TEST(Tiles, WhatIsMissingOrShortIsSaid) {
  const TestFolder folder;
  auto writer = *TileWriter::open(folder.path(), 0);
  append(writer, entries_of(0, 300));
  writer.flush();
  std::ofstream(folder / "tile/0/001.p/44", std::ios::trunc) << "short";
  TileReader reader(folder.path(), 300);
  EXPECT_THROW((void)core::merkle::root(300, reader.source()), TileReader::BadTile);
  const auto again = TileWriter::open(folder.path(), 300);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().id, "log.tile-damaged");
  fs::remove(folder / "tile/entries/000");
  EXPECT_THROW((void)reader.entries(0), TileReader::BadTile);
}

}  // namespace
}  // namespace tanhui::journal
