// libFuzzer: bytes of an edge are read and written as the same; and in a tree whose size, entry and path the bytes choose, a path proves
// what it should and no other path does.
#include <algorithm>

#include "core/invariant.h"
#include "core/merkle.h"

using namespace tanhui::core;
namespace merkle = tanhui::core::merkle;

namespace {

void check_edge(std::string_view bytes) {
  auto edge = merkle::Edge::from_bytes(bytes);
  if (!edge) return;
  invariant(edge->bytes() == bytes, "an edge that was read is written as it stood");
  const std::uint64_t size = edge->size();
  if (size >= std::uint64_t{1} << 62) return;
  edge->append(merkle::leaf_hash("one more"));
  const auto again = merkle::Edge::from_bytes(edge->bytes());
  invariant(edge->size() == size + 1 && again && again->root() == edge->root(), "an edge that grew is an edge");
}

merkle::Tree tree_of(std::uint64_t size) {
  std::vector<Digest> leaves;
  for (std::uint64_t i = 0; i < size; ++i) leaves.push_back(merkle::leaf_hash(std::to_string(i)));
  merkle::Tree tree;
  tree.append(leaves);
  return tree;
}

// Each three bytes change one: which step (or cut off, or repeat), which of its bytes, how.
std::vector<Digest> changed(std::vector<Digest> path, std::string_view recipe) {
  for (; recipe.size() >= 3; recipe.remove_prefix(3)) {
    const auto byte = [&](std::size_t at) { return std::uint8_t(recipe[at]); };
    if (path.empty() || byte(0) >= 250) {
      path.emplace_back().fill(byte(2));
    } else if (byte(0) >= 240) {
      path.pop_back();
    } else if (byte(0) >= 230) {
      path.push_back(path[byte(1) % path.size()]);
    } else {
      std::uint8_t& changed_byte = path[byte(0) % path.size()][byte(1) % sizeof(Digest)];
      changed_byte = std::uint8_t(changed_byte ^ byte(2));
    }
  }
  return path;
}

void check_paths(std::uint64_t size, std::uint64_t index, std::uint64_t from, std::string_view recipe) {
  const merkle::Tree tree = tree_of(size);
  const Digest leaf = merkle::leaf_hash(std::to_string(index));
  const auto inclusion = merkle::inclusion_path(index, size, tree.source());
  const auto other = changed(inclusion, recipe);
  invariant(merkle::includes(leaf, index, size, inclusion, tree.root()), "an entry of the tree is proved");
  invariant(merkle::includes(leaf, index, size, other, tree.root()) == (other == inclusion), "only its path proves an entry");
  for (std::uint64_t elsewhere = 0; elsewhere <= size; ++elsewhere)
    invariant(merkle::includes(leaf, elsewhere, size, inclusion, tree.root()) == (elsewhere == index), "an entry is proved at its place");

  const auto consistency = merkle::consistency_path(from, size, tree.source());
  const auto wrong = changed(consistency, recipe);
  const Digest old_root = merkle::root(from, tree.source());
  invariant(merkle::consistent(from, old_root, size, tree.root(), consistency), "a tree grows from what it was");
  invariant(merkle::consistent(from, old_root, size, tree.root(), wrong) == (wrong == consistency), "only its path proves that it grew");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_edge(bytes);
  if (size < 3) return 0;
  const std::uint64_t entries = 1 + data[0] % 70;
  check_paths(entries, data[1] % entries, 1 + data[2] % entries, bytes.substr(3));
  return 0;
}
