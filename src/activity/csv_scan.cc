#include <immintrin.h>

#include <cstring>

#include "activity/csv.h"
#include "core/invariant.h"

namespace tanhui::activity {
namespace {

// Positions of set bits, eight at a time: a fixed number of stores costs less than a mispredicted loop end. Writes up to 8 too many.
inline void flatten_by_eights(std::uint64_t mask, std::uint32_t base, std::uint32_t* out) {
  while (mask != 0) {
    for (int i = 0; i < 8; ++i) {
      out[i] = base + std::uint32_t(__builtin_ctzll(mask | std::uint64_t{1} << 63));
      mask &= mask - 1;
    }
    out += 8;
  }
}

namespace portable {
struct Block {
  explicit Block(const char* text) { std::memcpy(words, text, 64); }
  std::uint64_t equal(char c) const {
    const std::uint64_t pattern = 0x0101010101010101ULL * std::uint8_t(c);
    std::uint64_t mask = 0;
    for (int i = 0; i < 8; ++i) {
      const std::uint64_t x = words[i] ^ pattern;
      // 0x80 in each byte that is zero, exactly: no borrow runs from one byte into the next.
      const std::uint64_t zero = ~(((x & 0x7F7F7F7F7F7F7F7FULL) + 0x7F7F7F7F7F7F7F7FULL) | x | 0x7F7F7F7F7F7F7F7FULL);
      mask |= ((zero >> 7) * 0x0102040810204080ULL >> 56) << (8 * i);
    }
    return mask;
  }
  std::uint64_t words[8];
};
inline void flatten(std::uint64_t mask, std::uint32_t base, std::uint32_t* out) { flatten_by_eights(mask, base, out); }
#include "activity/csv_kernel.h"
}  // namespace portable

#if defined(__x86_64__)
namespace sse2 {
struct Block {
  explicit Block(const char* text) {
    for (int i = 0; i < 4; ++i) parts[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + 16 * i));
  }
  std::uint64_t equal(char c) const {
    const __m128i pattern = _mm_set1_epi8(c);
    std::uint64_t mask = 0;
    for (int i = 0; i < 4; ++i) mask |= std::uint64_t(std::uint32_t(_mm_movemask_epi8(_mm_cmpeq_epi8(parts[i], pattern)))) << (16 * i);
    return mask;
  }
  __m128i parts[4];
};
inline void flatten(std::uint64_t mask, std::uint32_t base, std::uint32_t* out) { flatten_by_eights(mask, base, out); }
#include "activity/csv_kernel.h"
}  // namespace sse2

#ifdef __clang__  // which passes over g++'s pragma
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt")
#endif
namespace avx2 {
struct Block {
  explicit Block(const char* text)
      : low(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(text))),
        high(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + 32))) {}
  std::uint64_t equal(char c) const {
    const __m256i pattern = _mm256_set1_epi8(c);
    const auto bits = [&](__m256i part) { return std::uint64_t(std::uint32_t(_mm256_movemask_epi8(_mm256_cmpeq_epi8(part, pattern)))); };
    return bits(low) | bits(high) << 32;
  }
  __m256i low, high;
};
inline void flatten(std::uint64_t mask, std::uint32_t base, std::uint32_t* out) {
  while (mask != 0) {
    for (int i = 0; i < 8; ++i) {
      out[i] = base + std::uint32_t(_tzcnt_u64(mask));
      mask = _blsr_u64(mask);
    }
    out += 8;
  }
}
#include "activity/csv_kernel.h"
}  // namespace avx2
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 warns inside its own header
#ifdef __clang__                                        // which passes over g++'s pragma
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi,bmi2,lzcnt,popcnt"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi,bmi2,lzcnt,popcnt")
#endif
namespace avx512 {
struct Block {
  explicit Block(const char* text) : bytes(_mm512_loadu_si512(text)) {}
  std::uint64_t equal(char c) const { return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(c)); }
  __m512i bytes;
};
// The set bits' numbers move together inside one register, then widen sixteen at a time. Writes up to 16 too many.
inline void flatten(std::uint64_t mask, std::uint32_t base, std::uint32_t* out) {
  alignas(64) static constexpr std::uint8_t numbers[64] = {
      0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
      32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
  const __m512i packed = _mm512_maskz_compress_epi8(mask, _mm512_load_si512(numbers));
  const __m512i offset = _mm512_set1_epi32(int(base));
  _mm512_storeu_si512(out, _mm512_add_epi32(offset, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed))));
  const int count = __builtin_popcountll(mask);
  if (count <= 16) [[likely]]
    return;
  _mm512_storeu_si512(out + 16, _mm512_add_epi32(offset, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 1))));
  if (count <= 32) return;
  _mm512_storeu_si512(out + 32, _mm512_add_epi32(offset, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 2))));
  _mm512_storeu_si512(out + 48, _mm512_add_epi32(offset, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 3))));
}
#include "activity/csv_kernel.h"
}  // namespace avx512
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#pragma GCC diagnostic pop
#endif

bool has(Simd simd) {
#if defined(__x86_64__)
  switch (simd) {
    case Simd::portable:
    case Simd::sse2:
      return true;
    case Simd::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    case Simd::avx512:
      return has(Simd::avx2) && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512vbmi2");
  }
  return false;
#else
  return simd == Simd::portable;
#endif
}

}  // namespace

std::vector<Simd> available_simd() {
  std::vector<Simd> available;
  for (const Simd simd : {Simd::portable, Simd::sse2, Simd::avx2, Simd::avx512}) {
    if (has(simd)) available.push_back(simd);
  }
  return available;
}

Simd best_simd() {
  static const Simd best = available_simd().back();
  return best;
}

void CsvScan::scan(std::string_view text, const CsvFormat& format, Simd simd) {
  core::invariant(text.size() < 0xFFFFFF00, "a piece of CSV is below 4 GB");
  if (capacity < text.size() + 1 + Table::kSlack) {
    capacity = text.size() + 1 + Table::kSlack;  // every byte may be a separator; pages never written cost nothing
    separators = std::make_unique_for_overwrite<std::uint32_t[]>(capacity);
    row_ends = std::make_unique_for_overwrite<std::uint32_t[]>(capacity);
  }
  separators[0] = 0xFFFFFFFF;
  switch (simd) {
#if defined(__x86_64__)
    case Simd::avx512:
      return avx512::scan(text.data(), text.size(), format, *this);
    case Simd::avx2:
      return avx2::scan(text.data(), text.size(), format, *this);
    case Simd::sse2:
      return sse2::scan(text.data(), text.size(), format, *this);
#endif
    default:
      return portable::scan(text.data(), text.size(), format, *this);
  }
}

}  // namespace tanhui::activity
