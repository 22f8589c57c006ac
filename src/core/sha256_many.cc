#include "core/sha256_many.h"

#include <openssl/evp.h>

#include <cstring>
#include <utility>

#include "core/invariant.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tanhui::core {

void sha256_many_portable(std::span<const std::string_view> messages, std::span<Digest> digests) {
  invariant(messages.size() == digests.size(), "a digest for each message");
  struct Context {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    Context() = default;
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() { EVP_MD_CTX_free(context); }
  } const held;
  invariant(held.context != nullptr && EVP_DigestInit_ex(held.context, EVP_sha256(), nullptr) == 1, "SHA-256 can be started");
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bool hashed = EVP_DigestInit_ex(held.context, nullptr, nullptr) == 1 &&
                        EVP_DigestUpdate(held.context, messages[i].data(), messages[i].size()) == 1 &&
                        EVP_DigestFinal_ex(held.context, digests[i].data(), nullptr) == 1;
    invariant(hashed, "SHA-256 gives a digest");
  }
}

#if defined(__x86_64__)
namespace {

constexpr std::size_t kBlock = 64;

alignas(64) constexpr std::uint32_t kRoundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/// The eight words of the state as the SHA instructions want them: a b e f and c d g h, highest first.
struct LaneState {
  __m128i abef, cdgh;
};

LaneState initial_state() {
  return {_mm_set_epi32(0x6a09e667, int(0xbb67ae85), 0x510e527f, int(0x9b05688c)),
          _mm_set_epi32(0x3c6ef372, int(0xa54ff53a), 0x1f83d9ab, 0x5be0cd19)};
}

/// One message on its way through a lane: whole blocks from where they are, then one or two padded ones.
struct Lane {
  LaneState state{};
  const char* next = nullptr;
  std::size_t whole_blocks = 0;  // still to come from `next`
  std::size_t padded_blocks = 0;
  std::size_t padded_at = 0;
  std::size_t message = 0;
  alignas(64) char padded[2 * kBlock]{};

  void start(std::string_view text, std::size_t index) {
    state = initial_state();
    message = index;
    next = text.data();
    whole_blocks = text.size() / kBlock;
    const std::size_t rest = text.size() % kBlock;
    padded_blocks = rest + 9 <= kBlock ? 1 : 2;
    padded_at = 0;
    std::memset(padded, 0, padded_blocks * kBlock);
    if (rest > 0) std::memcpy(padded, text.data() + whole_blocks * kBlock, rest);
    padded[rest] = char(0x80);
    const std::uint64_t bits = __builtin_bswap64(std::uint64_t(text.size()) * 8);
    std::memcpy(padded + padded_blocks * kBlock - 8, &bits, 8);
  }
  const char* take_block() {
    if (whole_blocks > 0) {
      --whole_blocks;
      return std::exchange(next, next + kBlock);
    }
    --padded_blocks;
    return padded + kBlock * padded_at++;
  }
  bool done() const { return whole_blocks == 0 && padded_blocks == 0; }
};

/// One block into each of two states; the rounds of the two are interleaved by the compiler and the processor.
__attribute__((target("sha,sse4.1,ssse3"))) void compress_two(LaneState& a, LaneState& b, const char* block_a, const char* block_b) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i abef_a = a.abef, cdgh_a = a.cdgh, abef_b = b.abef, cdgh_b = b.cdgh;
  __m128i words_a[4], words_b[4];
  for (int i = 0; i < 4; ++i) {
    words_a[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block_a) + i), swap);
    words_b[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block_b) + i), swap);
  }
#pragma GCC unroll 16
  for (int group = 0; group < 16; ++group) {  // four rounds each
    const __m128i constants = _mm_load_si128(reinterpret_cast<const __m128i*>(kRoundConstants) + group);
    const __m128i sum_a = _mm_add_epi32(words_a[group % 4], constants), sum_b = _mm_add_epi32(words_b[group % 4], constants);
    cdgh_a = _mm_sha256rnds2_epu32(cdgh_a, abef_a, sum_a);
    cdgh_b = _mm_sha256rnds2_epu32(cdgh_b, abef_b, sum_b);
    abef_a = _mm_sha256rnds2_epu32(abef_a, cdgh_a, _mm_shuffle_epi32(sum_a, 0x0e));
    abef_b = _mm_sha256rnds2_epu32(abef_b, cdgh_b, _mm_shuffle_epi32(sum_b, 0x0e));
    if (group >= 12) continue;  // the next sixteen words of the schedule, four at a time
    const int w0 = group % 4, w1 = (group + 1) % 4, w2 = (group + 2) % 4, w3 = (group + 3) % 4;
    const __m128i part_a = _mm_add_epi32(_mm_sha256msg1_epu32(words_a[w0], words_a[w1]), _mm_alignr_epi8(words_a[w3], words_a[w2], 4));
    const __m128i part_b = _mm_add_epi32(_mm_sha256msg1_epu32(words_b[w0], words_b[w1]), _mm_alignr_epi8(words_b[w3], words_b[w2], 4));
    words_a[w0] = _mm_sha256msg2_epu32(part_a, words_a[w3]);
    words_b[w0] = _mm_sha256msg2_epu32(part_b, words_b[w3]);
  }
  a.abef = _mm_add_epi32(a.abef, abef_a);
  a.cdgh = _mm_add_epi32(a.cdgh, cdgh_a);
  b.abef = _mm_add_epi32(b.abef, abef_b);
  b.cdgh = _mm_add_epi32(b.cdgh, cdgh_b);
}

__attribute__((target("sha,sse4.1,ssse3"))) void store(const LaneState& state, Digest& digest) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const __m128i abef = _mm_shuffle_epi32(state.abef, 0x1b), cdgh = _mm_shuffle_epi32(state.cdgh, 0xb1);
  const __m128i abcd = _mm_blend_epi16(abef, cdgh, 0xf0), efgh = _mm_alignr_epi8(cdgh, abef, 8);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(digest.data()), _mm_shuffle_epi8(abcd, swap));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(digest.data()) + 1, _mm_shuffle_epi8(efgh, swap));
}

void sha256_many_two_lanes(std::span<const std::string_view> messages, std::span<Digest> digests) {
  std::size_t next = 0;
  const auto refill = [&](Lane& lane) {
    if (next == messages.size()) return false;
    lane.start(messages[next], next);
    ++next;
    return true;
  };
  Lane lanes[2];
  bool running[2] = {refill(lanes[0]), refill(lanes[1])};
  while (running[0] && running[1]) {
    compress_two(lanes[0].state, lanes[1].state, lanes[0].take_block(), lanes[1].take_block());
    for (int i = 0; i < 2; ++i) {
      if (!lanes[i].done()) continue;
      store(lanes[i].state, digests[lanes[i].message]);
      running[i] = refill(lanes[i]);
    }
  }
  Lane idle;  // the last message runs alone
  idle.state = initial_state();
  for (int i = 0; i < 2; ++i) {
    if (!running[i]) continue;
    while (!lanes[i].done()) compress_two(lanes[i].state, idle.state, lanes[i].take_block(), idle.padded);
    store(lanes[i].state, digests[lanes[i].message]);
  }
}

bool processor_has_sha() {
  unsigned a = 1, b = 0, c = 0, d = 0;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  const bool sse41 = (c >> 19 & 1) != 0;
  a = 7, c = 0;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return sse41 && (b >> 29 & 1) != 0;
}

}  // namespace
#endif

void sha256_many(std::span<const std::string_view> messages, std::span<Digest> digests) {
  invariant(messages.size() == digests.size(), "a digest for each message");
#if defined(__x86_64__)
  static const bool has_sha = processor_has_sha();
  if (has_sha) return sha256_many_two_lanes(messages, digests);
#endif
  sha256_many_portable(messages, digests);
}

}  // namespace tanhui::core
