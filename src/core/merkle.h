// core/merkle.h: Merkle trees as RFC 6962 hashes them, for segments of records and for the transparency log.
//
//   leaf hash  SHA-256(00 entry)     node hash  SHA-256(01 left right)     an empty tree has the root SHA-256("")
//   a tree of n > 1 entries splits at the largest power of two below n
//
// A *perfect* subtree covers 2^level entries that begin at a multiple of 2^level; (level, index) names it. Every root and every proof is
// made of perfect subtrees, so whoever can tell their hashes (a NodeSource) can prove. Checked against RFC vectors and a slow reference.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"

namespace tanhui::core::merkle {

Digest leaf_hash(std::string_view entry);
Digest node_hash(const Digest& left, const Digest& right);
Digest empty_root();

/// Entries to hash together. Bytes lie one after the other, each behind its 00 prefix: `open()`, append to `bytes()`, `close()`.
class LeafBatch {
 public:
  std::string& bytes() { return bytes_; }
  void open() { bytes_.push_back('\0'); }
  void close() { ends_.push_back(bytes_.size()); }
  std::size_t size() const { return ends_.size(); }
  /// Appends the leaf hashes to `leaves` and starts empty again; memory is kept.
  void hash(std::vector<Digest>& leaves);

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;
  std::vector<std::string_view> messages_;
};

/// The right edge of a growing tree: all that is needed to append and to tell the root. At most 64 digests.
class Edge {
 public:
  void append(std::span<const Digest> leaves);
  void append(const Digest& leaf) { append({&leaf, 1}); }
  std::uint64_t size() const { return size_; }
  Digest root() const;
  /// The root of a tree that has `rest` to its right: one smaller subtree that is not perfect.
  Digest root_with(Digest rest) const;

  /// size:u64be digest*, largest subtree first: what a database keeps of a log.
  std::string bytes() const;
  /// Nothing when the bytes are no edge.
  static std::optional<Edge> from_bytes(std::string_view bytes);

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> subtrees_;  // perfect, one for each one-bit of size_, largest first
  std::vector<Digest> scratch_;
};

/// The hash of the perfect subtree (level, index): entries [index * 2^level, (index + 1) * 2^level).
using NodeSource = std::function<Digest(unsigned level, std::uint64_t index)>;
void require_inside(std::uint64_t index, std::uint64_t size);  // an invariant: index < size

Digest root(std::uint64_t size, const NodeSource& node);

/// By level: the root over the last entries, from the last multiple of 2^level on. All that a path needs besides perfect subtrees, so it
/// is worked out once for a size: one hash a level.
std::vector<Digest> right_edge(std::uint64_t size, const NodeSource& node);

/// Siblings from leaf to root: a walk up the levels that hashes nothing. `index` < `size`; `edge` is right_edge(size, node).
template <class Node>
std::vector<Digest> inclusion_path(std::uint64_t index, std::uint64_t size, const Node& node, std::span<const Digest> edge) {
  require_inside(index, size);
  std::vector<Digest> path;
  path.reserve(edge.size());
  for (unsigned level = 0; ((size - 1) >> level) != 0; ++level) {
    const std::uint64_t sibling = (index >> level) ^ 1, last = (size - 1) >> level;
    if (sibling > last) continue;  // the right edge: this subtree stands for its parent
    path.push_back(sibling < last ? node(level, sibling) : edge[level]);
  }
  return path;
}
std::vector<Digest> inclusion_path(std::uint64_t index, std::uint64_t size, const NodeSource& node);
/// That the tree of `to` entries begins with the tree of `from` entries; 0 < from <= to.
std::vector<Digest> consistency_path(std::uint64_t from, std::uint64_t to, const NodeSource& node);

bool includes(const Digest& leaf, std::uint64_t index, std::uint64_t size, std::span<const Digest> path, const Digest& root);
bool consistent(std::uint64_t from, const Digest& from_root, std::uint64_t to, const Digest& to_root, std::span<const Digest> path);

/// A whole tree in memory, every node kept: 64 bytes an entry, proofs without hashing.
class Tree {
 public:
  void append(std::span<const Digest> leaves);
  std::uint64_t size() const { return levels_.empty() ? 0 : levels_.front().size(); }
  const Digest& node(unsigned level, std::uint64_t index) const { return levels_.at(level).at(index); }
  NodeSource source() const {
    return [this](unsigned level, std::uint64_t index) { return node(level, index); };
  }
  Digest root() const { return merkle::root(size(), source()); }
  std::vector<Digest> inclusion_path(std::uint64_t index) const {
    return merkle::inclusion_path(
        index, size(), [this](unsigned level, std::uint64_t at) -> const Digest& { return levels_[level][at]; }, edge_);
  }

 private:
  std::vector<std::vector<Digest>> levels_;  // [0] leaves; only perfect subtrees
  std::vector<Digest> edge_;
};

/// parents[i] = node_hash(children[2i], children[2i + 1]), many at once. An even number of children.
void hash_pairs(std::span<const Digest> children, std::span<Digest> parents);

}  // namespace tanhui::core::merkle
