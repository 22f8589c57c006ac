// log_bench ours|plain LEAVES PROOFS: builds a Merkle tree over LEAVES entries of 96 bytes, proves PROOFS entries and checks the proofs,
// once for every line on standard input; answers with a line of JSON. One thread, in memory.
//   ours    core/merkle.h as the log and the segments use it
//   plain   the same tree written down straightforwardly: a vector per level, OpenSSL's SHA256() for every hash
// Memory stays with the process, so that from the second time on nothing is touched for the first time.
#include <fmt/format.h>
#include <malloc.h>
#include <openssl/sha.h>

#include <chrono>
#include <cstring>
#include <iostream>
#include <optional>

#include "core/merkle.h"

namespace {

using namespace tanhui::core;

constexpr std::size_t kEntryBytes = 96;
constexpr std::size_t kBatch = 4096;

std::string_view entry(std::uint64_t number, std::array<char, kEntryBytes>& bytes) {  // the number, big-endian, over and over
  const std::uint64_t big_endian = __builtin_bswap64(number);
  for (std::size_t at = 0; at < kEntryBytes; at += sizeof(number)) std::memcpy(&bytes[at], &big_endian, sizeof(number));
  return {bytes.data(), bytes.size()};
}

class Ours {
 public:
  void append(std::uint64_t leaves) {
    std::array<char, kEntryBytes> bytes;
    std::vector<Digest> digests;
    for (std::uint64_t i = 0; i < leaves;) {
      for (const std::uint64_t end = std::min<std::uint64_t>(i + kBatch, leaves); i < end; ++i) {
        batch_.open();
        batch_.bytes().append(entry(i, bytes));
        batch_.close();
      }
      digests.clear();
      batch_.hash(digests);
      tree_.append(digests);
    }
  }
  Digest root() const { return tree_.root(); }
  std::vector<Digest> prove(std::uint64_t index) const { return tree_.inclusion_path(index); }
  bool check(std::uint64_t index, const std::vector<Digest>& path, const Digest& root) const {
    return merkle::includes(tree_.node(0, index), index, tree_.size(), path, root);
  }

 private:
  merkle::LeafBatch batch_;
  merkle::Tree tree_;
};

/// Levels from the leaves up; a last node without a sibling goes up as it is, which is RFC 6962's tree.
class Plain {
 public:
  void append(std::uint64_t leaves) {
    std::array<char, kEntryBytes> bytes;
    levels_.assign(1, {});
    for (std::uint64_t i = 0; i < leaves; ++i) levels_[0].push_back(hash('\0', entry(i, bytes), {}));
    while (levels_.back().size() > 1) {
      const std::vector<Digest>& below = levels_.back();
      std::vector<Digest> level;
      for (std::size_t i = 0; i + 1 < below.size(); i += 2) level.push_back(node(below[i], below[i + 1]));
      if (below.size() % 2 != 0) level.push_back(below.back());
      levels_.push_back(std::move(level));
    }
  }
  Digest root() const { return levels_.back()[0]; }
  std::vector<Digest> prove(std::uint64_t index) const {
    std::vector<Digest> path;
    for (const std::vector<Digest>& level : levels_) {
      if ((index ^ 1) < level.size()) path.push_back(level[index ^ 1]);
      index /= 2;
    }
    return path;
  }
  bool check(std::uint64_t index, const std::vector<Digest>& path, const Digest& root) const {
    Digest digest = levels_[0][index];
    auto sibling = path.begin();
    for (const std::vector<Digest>& level : levels_) {
      if ((index ^ 1) < level.size()) {
        digest = index % 2 == 0 ? node(digest, *sibling) : node(*sibling, digest);
        ++sibling;
      }
      index /= 2;
    }
    return digest == root;
  }

 private:
  static std::string_view view(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }
  static Digest node(const Digest& left, const Digest& right) { return hash('\1', view(left), view(right)); }
  static Digest hash(char prefix, std::string_view first, std::string_view second) {
    std::array<std::uint8_t, 1 + kEntryBytes> message;
    message[0] = std::uint8_t(prefix);
    std::memcpy(&message[1], first.data(), first.size());
    if (!second.empty()) std::memcpy(&message[1 + first.size()], second.data(), second.size());
    Digest digest;
    ::SHA256(message.data(), 1 + first.size() + second.size(), digest.data());
    return digest;
  }
  std::vector<std::vector<Digest>> levels_;
};

double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

template <class Log>
void once(std::uint64_t leaves, std::uint64_t proofs) {
  constexpr std::uint64_t kStep = 7'919;  // entries asked for, spread over the log
  const double begin = seconds_now();
  Log log;
  log.append(leaves);
  const Digest root = log.root();
  const double appended = seconds_now();
  std::vector<std::vector<Digest>> paths(proofs);
  for (std::uint64_t i = 0; i < proofs; ++i) paths[i] = log.prove(i * kStep % leaves);
  const double proved = seconds_now();
  std::uint64_t good = 0;
  for (std::uint64_t i = 0; i < proofs; ++i) good += log.check(i * kStep % leaves, paths[i], root);
  const double checked = seconds_now();
  Digest sum{};
  for (const auto& path : paths)
    for (const Digest& digest : path)
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] ^= digest[i];
  fmt::print(R"({{"seconds": {}, "append": {}, "prove": {}, "check": {}, "root": "{}", "proofs": "{}", "good": {}}})"
             "\n",
             checked - begin, appended - begin, proved - appended, checked - proved, to_hex(root), to_hex(sum), good);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view kind = count == 4 ? arguments[1] : "";
  if (kind != "ours" && kind != "plain") return fmt::print(stderr, "usage: log_bench ours|plain LEAVES PROOFS\n"), 2;
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);  // freed memory goes back to the heap, not to the system
  ::mallopt(M_TRIM_THRESHOLD, -1);
  const std::uint64_t leaves = std::stoull(arguments[2]), proofs = std::stoull(arguments[3]);
  for (std::string line; std::getline(std::cin, line);) kind == "ours" ? once<Ours>(leaves, proofs) : once<Plain>(leaves, proofs);
}
