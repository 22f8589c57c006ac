#include "core/merkle.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/sha256_many.h"

namespace tanhui::core::merkle {
namespace {

std::vector<Digest> leaves_of(std::size_t count) {
  std::vector<Digest> leaves;
  for (std::size_t i = 0; i < count; ++i) leaves.push_back(leaf_hash("entry-" + std::to_string(i)));
  return leaves;
}

/// The definition, as slow and as plain as the RFC writes it.
Digest reference_root(std::span<const Digest> leaves) {
  if (leaves.empty()) return sha256("");
  if (leaves.size() == 1) return leaves.front();
  std::size_t left = 1;
  while (2 * left < leaves.size()) left *= 2;
  const Digest children[2] = {reference_root(leaves.first(left)), reference_root(leaves.subspan(left))};
  return sha256(std::string("\1") + std::string(reinterpret_cast<const char*>(children), sizeof children));
}

TEST(Merkle, RootsOfTheFirstTrees) {  // entries "entry-0", "entry-1" ...: computed by another program
  const char* roots[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                         "40766b2033429026f53d54502679a839706b4741f8dcaf3a8bba5f41b5ffe075",
                         "2f27a5082c1d42afa488ac350a9fc4390c084f54f71ecdff859e98db8429b479",
                         "a64bf26e09128f6fe2fe6f8b2d8c801e166b57c047a7cd9b2b809e7a96a2f1cb",
                         "256b9e8825e5d370a4ae005d0901ea291977e2927f5cf8e3e72660dd09519edb",
                         "1aa68d3074905a581f84cbbd0f753794904fd80451bc4c13e69d9a53bc59502c",
                         "08783a523d260480de2ccf0976d7411ed8adaf06f75d5a5de2254c58f968eca9",
                         "9139601cc1ca8ab2a7a0c2c134c04845f2b1ba549a83d6c845cfcda439cc585d",
                         "dfcc13b9b0ca932c68de3d59eaaa8fe266a9c8091c0300e8405ebfeb0d0e5832"};
  for (std::size_t size = 0; size < std::size(roots); ++size) {
    Edge edge;
    edge.append(leaves_of(size));
    EXPECT_EQ(to_hex(edge.root()), roots[size]) << size;
    Tree tree;
    tree.append(leaves_of(size));
    EXPECT_EQ(to_hex(tree.root()), roots[size]) << size;
  }
}

std::vector<std::string> hex(const std::vector<Digest>& digests) {
  std::vector<std::string> texts;
  for (const Digest& digest : digests) texts.push_back(to_hex(digest).substr(0, 8));
  return texts;
}

TEST(Merkle, PathsOfKnownTrees) {  // first four bytes of each step; computed by another program
  Tree tree;
  tree.append(leaves_of(8));
  using Steps = std::vector<std::string>;
  EXPECT_EQ(hex(inclusion_path(3, 7, tree.source())), (Steps{"049d7dcd", "2f27a508", "e429c5b5"}));
  EXPECT_EQ(hex(inclusion_path(6, 7, tree.source())), (Steps{"4a136a70", "256b9e88"}));
  EXPECT_EQ(hex(consistency_path(3, 7, tree.source())), (Steps{"049d7dcd", "27479b6a", "2f27a508", "e429c5b5"}));
  EXPECT_EQ(hex(consistency_path(4, 8, tree.source())), (Steps{"5b6680e3"}));
  EXPECT_EQ(hex(consistency_path(6, 8, tree.source())), (Steps{"4a136a70", "d4480593", "256b9e88"}));
}

RC_GTEST_PROP(MerkleProperty, PiecesInAnySizeGiveTheReferencesRoot, (const std::vector<std::uint8_t>& pieces)) {
  Edge edge;
  Tree tree;
  std::vector<Digest> all;
  for (const std::uint8_t piece : pieces) {
    std::vector<Digest> leaves;
    for (int i = 0; i < piece; ++i) leaves.push_back(leaf_hash(std::to_string(all.size() + std::size_t(i))));
    all.insert(all.end(), leaves.begin(), leaves.end());
    edge.append(leaves);
    tree.append(leaves);
  }
  RC_ASSERT(edge.size() == all.size() && tree.size() == all.size());
  RC_ASSERT(edge.root() == reference_root(all));
  RC_ASSERT(tree.root() == reference_root(all));
  RC_ASSERT(Edge::from_bytes(edge.bytes())->root() == edge.root());
}

TEST(Merkle, EveryInclusionOfSmallTreesIsProvedAndNoOther) {
  for (std::uint64_t size = 1; size <= 40; ++size) {
    Tree tree;
    const auto leaves = leaves_of(size);
    tree.append(leaves);
    for (std::uint64_t index = 0; index < size; ++index) {
      auto path = inclusion_path(index, size, tree.source());
      EXPECT_TRUE(includes(leaves[index], index, size, path, tree.root()));
      for (std::uint64_t other = 0; other < size; ++other)
        if (other != index) {
          EXPECT_FALSE(includes(leaves[other], index, size, path, tree.root()));
          EXPECT_FALSE(includes(leaves[index], other, size, path, tree.root()));
        }
      for (Digest& step : path) {
        step[7] ^= 1;
        EXPECT_FALSE(includes(leaves[index], index, size, path, tree.root()));
        step[7] ^= 1;
      }
      path.push_back(leaves[index]);
      EXPECT_FALSE(includes(leaves[index], index, size, path, tree.root()));
      path.resize(path.size() - 1);
      if (!path.empty()) {
        path.pop_back();
        EXPECT_FALSE(includes(leaves[index], index, size, path, tree.root()));
      }
    }
    EXPECT_FALSE(includes(leaves[0], size, size, {}, tree.root()));
  }
}

TEST(Merkle, EveryGrowthOfSmallTreesIsProvedAndNoOther) {
  std::vector<Digest> roots;
  Tree tree;
  const auto leaves = leaves_of(34);
  for (std::uint64_t size = 0; size <= leaves.size(); ++size) roots.push_back(reference_root(std::span(leaves).first(size)));
  tree.append(leaves);
  for (std::uint64_t to = 1; to < roots.size(); ++to)
    for (std::uint64_t from = 1; from <= to; ++from) {
      auto path = consistency_path(from, to, tree.source());
      EXPECT_TRUE(consistent(from, roots[from], to, roots[to], path)) << from << " " << to;
      Digest forged = roots[from];
      forged[0] ^= 1;
      EXPECT_FALSE(consistent(from, forged, to, roots[to], path));
      forged = roots[to];
      forged[31] ^= 1;
      EXPECT_FALSE(consistent(from, roots[from], to, forged, path));
      for (Digest& step : path) {
        step[3] ^= 4;
        EXPECT_FALSE(consistent(from, roots[from], to, roots[to], path));
        step[3] ^= 4;
      }
      if (from > 1) {
        EXPECT_FALSE(consistent(from - 1, roots[from - 1], to, roots[to], path)) << from << " " << to;
      }
    }
  EXPECT_FALSE(consistent(0, roots[0], 3, roots[3], {}));
  EXPECT_FALSE(consistent(4, roots[4], 3, roots[3], {}));
}

TEST(Merkle, EdgeBytesThatAreNone) {
  EXPECT_FALSE(Edge::from_bytes(""));
  EXPECT_FALSE(Edge::from_bytes(std::string(8 + 32, '\1')));
  EXPECT_TRUE(Edge::from_bytes(std::string(8, '\0')));
  EXPECT_EQ(Edge::from_bytes(std::string(8, '\0'))->root(), empty_root());
}

TEST(Merkle, ABatchHashesLikeOneByOne) {
  LeafBatch batch;
  std::vector<Digest> hashed, expected;
  for (int length = 0; length < 300; ++length) {
    const std::string entry(std::size_t(length), char('a' + length % 26));
    batch.open();
    batch.bytes() += entry;
    batch.close();
    expected.push_back(leaf_hash(entry));
  }
  batch.hash(hashed);
  EXPECT_EQ(hashed, expected);
  EXPECT_EQ(batch.size(), 0u);
}

RC_GTEST_PROP(Sha256ManyProperty, BothPathsGiveTheDigestsOfOneByOne, (const std::vector<std::string>& texts)) {
  std::vector<std::string_view> messages(texts.begin(), texts.end());
  std::vector<Digest> fast(texts.size()), portable(texts.size());
  sha256_many(messages, fast);
  sha256_many_portable(messages, portable);
  for (std::size_t i = 0; i < texts.size(); ++i) RC_ASSERT(fast[i] == sha256(texts[i]) && portable[i] == fast[i]);
}

TEST(Sha256Many, EveryLengthAroundTheBlocks) {
  std::vector<std::string> texts;
  for (std::size_t length = 0; length < 260; ++length) texts.emplace_back(length, char(length));
  std::vector<std::string_view> messages(texts.begin(), texts.end());
  std::vector<Digest> fast(texts.size());
  sha256_many(messages, fast);
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(fast[i], sha256(texts[i])) << i;
}

}  // namespace
}  // namespace tanhui::core::merkle
