#include "journal/encode.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace tanhui::journal::encode {
namespace {

static_assert(std::endian::native == std::endian::little, "Parquet is little-endian; a big-endian machine needs byte swaps here");

constexpr std::size_t kMini = 32, kMinisPerBlock = 4, kBlock = kMini * kMinisPerBlock;
constexpr std::size_t kGroup = 8;       // bit-packed runs of indexes come in groups of eight
constexpr std::size_t kWorthARun = 16;  // a shorter repetition costs less inside a bit-packed run

void varint(std::uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(char(value | 0x80));
  out.push_back(char(value));
}

void zigzag(std::int64_t value, std::string& out) { varint(std::uint64_t(value) << 1 ^ std::uint64_t(value >> 63), out); }

// 32 values of `Width` bits, the first in the lowest bits. With the width known every shift is a constant.
template <unsigned Width>
void pack32(const std::uint64_t* values, std::uint8_t* out) {
  if constexpr (Width > 0) {
    std::uint64_t word = 0;
    unsigned used = 0;
#pragma GCC unroll 32
    for (unsigned i = 0; i < kMini; ++i) {
      word |= values[i] << used;
      used += Width;
      if (used >= 64) {
        std::memcpy(out, &word, 8);
        out += 8;
        used -= 64;
        word = used == 0 ? 0 : values[i] >> (Width - used);
      }
    }
    if (used > 0) std::memcpy(out, &word, 4);  // 32 * Width is a multiple of 32 bits
  }
}

using Pack = void (*)(const std::uint64_t*, std::uint8_t*);
template <std::size_t... Width>
constexpr std::array<Pack, sizeof...(Width)> pack_table(std::index_sequence<Width...>) {
  return {pack32<unsigned(Width)>...};
}
constexpr auto kPack = pack_table(std::make_index_sequence<65>());

void append_packed(const std::uint64_t* values, unsigned width, std::size_t bytes, std::string& out) {
  std::array<std::uint8_t, kMini * 8> packed;
  kPack[width](values, packed.data());
  out.append(reinterpret_cast<const char*>(packed.data()), bytes);
}

template <class T>
void delta_of(std::span<const T> values, std::string& out) {
  using U = std::make_unsigned_t<T>;
  varint(kBlock, out);
  varint(kMinisPerBlock, out);
  varint(values.size(), out);
  zigzag(values.empty() ? 0 : values[0], out);
  std::array<T, kBlock> differences;
  std::array<std::uint64_t, kMini> rest;
  for (std::size_t at = 1; at < values.size(); at += kBlock) {
    const std::size_t count = std::min(kBlock, values.size() - at);
    T least = std::numeric_limits<T>::max();
    for (std::size_t i = 0; i < count; ++i) {
      differences[i] = T(U(values[at + i]) - U(values[at + i - 1]));
      least = std::min(least, differences[i]);
    }
    std::fill(differences.begin() + std::ptrdiff_t(count), differences.end(), least);
    zigzag(least, out);
    const std::size_t widths_at = out.size();
    out.append(kMinisPerBlock, '\0');
    for (std::size_t mini = 0; mini * kMini < count; ++mini) {
      std::uint64_t bits = 0;
      for (std::size_t i = 0; i < kMini; ++i) {
        rest[i] = std::uint64_t(U(U(differences[mini * kMini + i]) - U(least)));
        bits |= rest[i];
      }
      const auto width = unsigned(std::bit_width(bits));
      out[widths_at + mini] = char(width);
      append_packed(rest.data(), width, kMini / 8 * width, out);
    }
  }
}

bool eight_are_equal(const std::uint16_t* values) { return std::memcmp(values, values + 1, (kGroup - 1) * sizeof(*values)) == 0; }

// Does a repetition start here that is worth leaving the bit-packed run for?
bool run_starts(std::span<const std::uint16_t> values, std::size_t at) {
  return at + kWorthARun <= values.size() && eight_are_equal(&values[at]) && eight_are_equal(&values[at + kGroup - 1]) &&
         values[at] == values[at + kWorthARun - 1];
}

void packed_run(std::span<const std::uint16_t> values, unsigned width, std::string& out) {
  const std::size_t groups = (values.size() + kGroup - 1) / kGroup;
  varint(groups << 1 | 1, out);
  std::array<std::uint64_t, kMini> chunk;
  for (std::size_t at = 0; at < values.size(); at += kMini) {
    const std::size_t count = std::min(kMini, values.size() - at);
    for (std::size_t i = 0; i < count; ++i) chunk[i] = values[at + i];
    std::fill(chunk.begin() + std::ptrdiff_t(count), chunk.end(), 0);
    append_packed(chunk.data(), width, (count + kGroup - 1) / kGroup * width, out);
  }
}

}  // namespace

void delta(std::span<const std::int64_t> values, std::string& out) { delta_of(values, out); }
void delta(std::span<const std::int32_t> values, std::string& out) { delta_of(values, out); }

void delta_keys(std::span<const core::PersonKey> keys, std::string& out) {
  constexpr int kBytes = 16;
  std::vector<std::int32_t> shared(keys.size()), rest(keys.size());
  std::string suffixes;
  suffixes.reserve(keys.size() * kBytes);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    int same = 0;
    if (i > 0) {
      const std::uint64_t high = keys[i].high ^ keys[i - 1].high, low = keys[i].low ^ keys[i - 1].low;
      same = high != 0 ? std::countl_zero(high) / 8 : 8 + std::countl_zero(low) / 8;
    }
    shared[i] = same;
    rest[i] = kBytes - same;
    const std::array<std::uint64_t, 2> bytes{__builtin_bswap64(keys[i].high), __builtin_bswap64(keys[i].low)};
    suffixes.append(reinterpret_cast<const char*>(bytes.data()) + same, std::size_t(kBytes - same));
  }
  delta(shared, out);
  delta(rest, out);
  out.append(suffixes);
}

void indexes(std::span<const std::uint16_t> values, std::size_t words, std::string& out) {
  const auto width = unsigned(std::bit_width(words == 0 ? 0 : words - 1));
  out.push_back(char(width));
  std::size_t at = 0;
  while (at < values.size()) {
    if (run_starts(values, at)) {
      std::size_t end = at + kWorthARun;
      while (end < values.size() && values[end] == values[at]) ++end;
      varint((end - at) << 1, out);
      out.append(reinterpret_cast<const char*>(&values[at]), (width + 7) / 8);
      at = end;
    } else {
      std::size_t end = at + kGroup;
      while (end < values.size() && !run_starts(values, end)) end += kGroup;
      end = std::min(end, values.size());
      packed_run(values.subspan(at, end - at), width, out);
      at = end;
    }
  }
}

void levels(std::span<const std::uint8_t> present, std::size_t present_count, std::string& out) {
  const std::size_t length_at = out.size();
  out.append(4, '\0');
  if (present_count == 0 || present_count == present.size()) {
    varint(present.size() << 1, out);
    out.push_back(present_count == 0 ? '\0' : '\1');
  } else {
    varint((present.size() + kGroup - 1) / kGroup << 1 | 1, out);
    for (std::size_t at = 0; at < present.size(); at += kGroup) {
      unsigned bits = 0;
      for (std::size_t i = at; i < std::min(at + kGroup, present.size()); ++i) bits |= unsigned(present[i]) << (i - at);
      out.push_back(char(bits));
    }
  }
  const auto length = std::uint32_t(out.size() - length_at - 4);
  std::memcpy(&out[length_at], &length, 4);
}

void plain(std::span<const std::uint64_t> values, std::string& out) {
  out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

void plain_word(std::string_view word, std::string& out) {
  const auto length = std::uint32_t(word.size());
  out.append(reinterpret_cast<const char*>(&length), 4);
  out.append(word);
}

}  // namespace tanhui::journal::encode
