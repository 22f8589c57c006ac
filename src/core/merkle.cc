#include "core/merkle.h"

#include <bit>
#include <cstring>
#include <optional>

#include "core/bytes.h"
#include "core/invariant.h"
#include "core/sha256_many.h"

namespace tanhui::core::merkle {
namespace {

constexpr std::size_t kDigestBytes = sizeof(Digest);
constexpr std::size_t kNodeBytes = 1 + 2 * kDigestBytes;
constexpr std::size_t kPairsTogether = 256;  // node messages built at a time: 16 KiB
constexpr std::uint64_t kChunkMax = 4096;    // leaves folded at a time by Edge::append

std::uint64_t split(std::uint64_t size) { return std::bit_floor(size - 1); }  // the largest power of two below size

// Hash of the entries [begin, begin + count): one perfect subtree, or a left one and the rest.
Digest range_root(std::uint64_t begin, std::uint64_t count, const NodeSource& node) {
  if (std::has_single_bit(count)) {
    const unsigned level = unsigned(std::countr_zero(count));
    return node(level, begin >> level);
  }
  const std::uint64_t left = split(count);
  return node_hash(range_root(begin, left, node), range_root(begin + left, count - left, node));
}

void add_inclusion(std::uint64_t index, std::uint64_t begin, std::uint64_t count, const NodeSource& node, std::vector<Digest>& path) {
  if (count == 1) return;
  const std::uint64_t left = split(count);
  if (index < left) {
    add_inclusion(index, begin, left, node, path);
    path.push_back(range_root(begin + left, count - left, node));
  } else {
    add_inclusion(index - left, begin + left, count - left, node, path);
    path.push_back(range_root(begin, left, node));
  }
}

// RFC 6962, 2.1.2: `whole` while the old tree is a subtree of the new one that the verifier knows already.
void add_consistency(std::uint64_t from, std::uint64_t begin, std::uint64_t count, bool whole, const NodeSource& node,
                     std::vector<Digest>& path) {
  if (from == count) {
    if (!whole) path.push_back(range_root(begin, count, node));
    return;
  }
  const std::uint64_t left = split(count);
  if (from <= left) {
    add_consistency(from, begin, left, whole, node, path);
    path.push_back(range_root(begin + left, count - left, node));
  } else {
    add_consistency(from - left, begin + left, count - left, false, node, path);
    path.push_back(range_root(begin, left, node));
  }
}

}  // namespace

Digest leaf_hash(std::string_view entry) {
  Sha256 hash;
  hash.update(std::string_view("\0", 1));
  hash.update(entry);
  return hash.finish();
}

Digest node_hash(const Digest& left, const Digest& right) {
  const Digest children[2] = {left, right};
  Digest parent;
  hash_pairs(children, {&parent, 1});
  return parent;
}

Digest empty_root() { return sha256(""); }

void hash_pairs(std::span<const Digest> children, std::span<Digest> parents) {
  invariant(children.size() == 2 * parents.size(), "a parent for each two children");
  std::array<char, kPairsTogether * kNodeBytes> bytes;
  std::array<std::string_view, kPairsTogether> messages;
  for (std::size_t done = 0; done < parents.size();) {
    const std::size_t count = std::min(kPairsTogether, parents.size() - done);
    for (std::size_t i = 0; i < count; ++i) {
      char* message = bytes.data() + i * kNodeBytes;
      message[0] = 1;
      std::memcpy(message + 1, children[2 * (done + i)].data(), 2 * kDigestBytes);
      messages[i] = {message, kNodeBytes};
    }
    sha256_many({messages.data(), count}, parents.subspan(done, count));
    done += count;
  }
}

void LeafBatch::hash(std::vector<Digest>& leaves) {
  messages_.clear();
  std::size_t begin = 0;
  for (const std::size_t end : ends_) {
    messages_.push_back(std::string_view(bytes_).substr(begin, end - begin));
    begin = end;
  }
  const std::size_t before = leaves.size();
  leaves.resize(before + messages_.size());
  sha256_many(messages_, std::span(leaves).subspan(before));
  bytes_.clear();
  ends_.clear();
}

void Edge::append(std::span<const Digest> leaves) {
  while (!leaves.empty()) {
    // The largest perfect subtree that may stand here and is wholly there.
    std::uint64_t chunk = std::min(std::bit_floor(std::uint64_t(leaves.size())), kChunkMax);
    if (size_ != 0) chunk = std::min(chunk, size_ & (~size_ + 1));
    scratch_.assign(leaves.begin(), leaves.begin() + std::ptrdiff_t(chunk));
    for (std::uint64_t width = chunk; width > 1; width /= 2)
      hash_pairs({scratch_.data(), std::size_t(width)},
                 {scratch_.data(), std::size_t(width / 2)});  // parent i is written after child 2i is read
    subtrees_.push_back(scratch_.front());
    for (std::uint64_t carry = chunk; (size_ & carry) != 0; carry *= 2) {  // like adding one to a binary number
      const Digest right = subtrees_.back();
      subtrees_.pop_back();
      subtrees_.back() = node_hash(subtrees_.back(), right);
    }
    size_ += chunk;
    leaves = leaves.subspan(std::size_t(chunk));
  }
}

Digest Edge::root() const {
  if (size_ == 0) return empty_root();
  Digest root = subtrees_.back();
  for (std::size_t i = subtrees_.size() - 1; i-- > 0;) root = node_hash(subtrees_[i], root);
  return root;
}

Digest Edge::root_with(Digest rest) const {
  for (std::size_t i = subtrees_.size(); i-- > 0;) rest = node_hash(subtrees_[i], rest);
  return rest;
}

std::string Edge::bytes() const {
  ByteWriter out;
  out.u64(size_);
  std::string bytes = out.take();
  for (const Digest& digest : subtrees_) bytes.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return bytes;
}

std::optional<Edge> Edge::from_bytes(std::string_view bytes) {
  if (bytes.size() < 8) return std::nullopt;
  Edge edge;
  std::memcpy(&edge.size_, bytes.data(), 8);
  edge.size_ = __builtin_bswap64(edge.size_);
  bytes.remove_prefix(8);
  if (bytes.size() != std::size_t(std::popcount(edge.size_)) * kDigestBytes) return std::nullopt;
  edge.subtrees_.resize(bytes.size() / kDigestBytes);
  if (!bytes.empty()) std::memcpy(edge.subtrees_.data(), bytes.data(), bytes.size());
  return edge;
}

Digest root(std::uint64_t size, const NodeSource& node) { return size == 0 ? empty_root() : range_root(0, size, node); }

std::vector<Digest> inclusion_path(std::uint64_t index, std::uint64_t size, const NodeSource& node) {
  invariant(index < size, "an inclusion is proved of an entry that is in the tree");
  std::vector<Digest> path;
  add_inclusion(index, 0, size, node, path);
  return path;
}

std::vector<Digest> consistency_path(std::uint64_t from, std::uint64_t to, const NodeSource& node) {
  invariant(0 < from && from <= to, "consistency is proved from a smaller tree to a larger one");
  std::vector<Digest> path;
  add_consistency(from, 0, to, true, node, path);
  return path;
}

bool includes(const Digest& leaf, std::uint64_t index, std::uint64_t size, std::span<const Digest> path, const Digest& root) {
  if (index >= size) return false;
  std::uint64_t at = index, last = size - 1;
  Digest hash = leaf;
  for (const Digest& sibling : path) {
    if (last == 0) return false;
    if ((at & 1) != 0 || at == last) {
      hash = node_hash(sibling, hash);
      while ((at & 1) == 0 && at != 0) at >>= 1, last >>= 1;
    } else {
      hash = node_hash(hash, sibling);
    }
    at >>= 1, last >>= 1;
  }
  return last == 0 && hash == root;
}

bool consistent(std::uint64_t from, const Digest& from_root, std::uint64_t to, const Digest& to_root, std::span<const Digest> path) {
  if (from == 0 || from > to) return false;
  if (from == to) return path.empty() && from_root == to_root;
  std::vector<Digest> steps(path.begin(), path.end());
  if (std::has_single_bit(from)) steps.insert(steps.begin(), from_root);
  if (steps.empty()) return false;
  std::uint64_t at = from - 1, last = to - 1;
  while ((at & 1) != 0) at >>= 1, last >>= 1;
  Digest old_hash = steps.front(), new_hash = steps.front();
  for (std::size_t i = 1; i < steps.size(); ++i) {
    if (last == 0) return false;
    if ((at & 1) != 0 || at == last) {
      old_hash = node_hash(steps[i], old_hash);
      new_hash = node_hash(steps[i], new_hash);
      while ((at & 1) == 0 && at != 0) at >>= 1, last >>= 1;
    } else {
      new_hash = node_hash(new_hash, steps[i]);
    }
    at >>= 1, last >>= 1;
  }
  return last == 0 && old_hash == from_root && new_hash == to_root;
}

void Tree::append(std::span<const Digest> leaves) {
  if (levels_.empty()) levels_.emplace_back();
  levels_[0].insert(levels_[0].end(), leaves.begin(), leaves.end());
  for (std::size_t level = 0; levels_[level].size() > 1; ++level) {
    if (levels_.size() == level + 1) levels_.emplace_back();
    const std::size_t had = levels_[level + 1].size(), has = levels_[level].size() / 2;
    levels_[level + 1].resize(has);
    hash_pairs(std::span(levels_[level]).subspan(2 * had, 2 * (has - had)), std::span(levels_[level + 1]).subspan(had));
  }
}

}  // namespace tanhui::core::merkle
