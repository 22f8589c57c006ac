// activity/fields.h: the text of one field to a value: times, quantities with units, words. No binary floating point, no allocation.
#pragma once
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "activity/record.h"
#include "core/decimal.h"
#include "core/result.h"
#include "core/time.h"

namespace tanhui::activity {

// ---- Times

/// The years 0000 to 9999 on any clock of the world, hence a day more on both sides: what a record's time may be.
constexpr core::Millis kTimeLeast = -62'167'219'200'000 - core::kMillisPerDay, kTimeLimit = 253'402'300'800'000 + core::kMillisPerDay;
constexpr bool is_time(core::Millis instant) { return instant >= kTimeLeast && instant < kTimeLimit; }

/// Reads one field as an instant by the first format that fits. Formats:
///   rfc3339     2024-09-02T08:15:00+08:00; also a space for T, no seconds, fractions (cut to ms), no zone (then the reader's zone),
///               +08, +0800, Z; a day alone is its first instant
///   epoch-s, epoch-ms   seconds (fractions allowed) or milliseconds since 1970
///   http-date   Sat, 01 May 2021 20:42:47 GMT
///   a pattern of %Y %y %m %d %e %H %I %M %S %f %p %b %a %z and literal text; numbers may have fewer digits than their place;
///               %y is 1969 to 2068; %b and %a are English names; %f is a fraction of a second
/// Impossible days and hours do not fit. Years 0000 to 9999. One object belongs to one thread.
class TimeReader {
 public:
  /// Errors: time.unknown-format, time.unknown-zone.
  static core::Result<TimeReader> make(const std::vector<std::string>& formats, const std::string& zone);
  /// kMissing when no format fits.
  core::Millis read(std::string_view text) const {
    if (rfc3339_first_ && text.size() == 20 && text[19] == 'Z') {
      const core::Millis instant = read_fixed(text.data());
      if (instant != kMissing) [[likely]]
        return instant;
    } else if (rfc3339_first_ && text.size() == 25 && text[22] == ':' && (text[19] == '+' || text[19] == '-')) {  // ...+08:00
      const auto digit = [&](std::size_t at) { return unsigned(text[at]) - '0'; };
      const core::Millis instant = read_fixed(text.data());
      const unsigned hours = digit(20) * 10 + digit(21), minutes = digit(23) * 10 + digit(24);
      if (instant != kMissing && digit(20) < 10 && digit(21) < 10 && digit(23) < 10 && digit(24) < 10 && hours < 18 && minutes < 60)
          [[likely]] {
        const core::Millis offset = (core::Millis{hours} * 60 + minutes) * 60'000;
        return text[19] == '+' ? instant - offset : instant + offset;
      }
    }
    return read_any(text);
  }

 private:
  enum class Kind : std::uint8_t { rfc3339, epoch_s, epoch_ms, pattern };
  struct Format {
    Kind kind = Kind::rfc3339;
    std::string pattern;
    bool utc = false;
  };
  explicit TimeReader(core::Zone zone) : zone_(std::move(zone)) {}
  core::Millis read_any(std::string_view text) const;
  core::Millis read_pattern(std::string_view text, const Format& format) const;
  core::Millis read_rfc3339(std::string_view text) const;
  static core::Millis read_fixed(const char* text);  // 2024-09-02T08:15:00, whatever follows
  std::vector<Format> formats_;
  core::Zone zone_;
  bool rfc3339_first_ = false;
};

// ---- Quantities

struct NumberFormat {
  char decimal = '.';
  char thousands = '\0';  // none
};

/// A unit a partner may write, as a multiple of the base unit that records use: m, Wh, g, mL, s, 1, m2, ppm.
struct Unit {
  std::string_view base;
  core::Factor factor;
};
/// km, kWh, kg, t, L, m3, min, h, 公里, 千瓦时, 度, 公斤, 斤 ... ; "person" before or behind a length is understood. nullopt when unknown.
std::optional<Unit> find_unit(std::string_view name);
/// Whether `base` is one of the base units.
bool is_base_unit(std::string_view base);

/// A whole number of 1 to 8 digits and nothing else, the usual quantity, in a few cycles; -1 for any other text. Eight bytes from
/// `text` on must be readable (Table::kSlack).
inline std::int64_t read_small_whole(const char* text, std::size_t size) {
  if (size - 1 >= 8) return -1;
  std::uint64_t word;
  std::memcpy(&word, text, 8);
  // The digits move to the end of the word, zeros before them; then pairs, fours and eights are put together.
  word = word << (64 - 8 * size) | (size == 8 ? 0 : 0x3030303030303030ULL >> (8 * size));
  const std::uint64_t digits = word ^ 0x3030303030303030ULL;
  if ((((digits + 0x7676767676767676ULL) | digits) & 0x8080808080808080ULL) != 0) return -1;
  const std::uint64_t pairs = digits * 10 + (digits >> 8);
  constexpr std::uint64_t mask = 0x000000FF000000FFULL;
  return std::int64_t(((pairs & mask) * (100 + (1'000'000ULL << 32)) + ((pairs >> 16) & mask) * (1 + (10'000ULL << 32))) >> 32);
}

/// Value of `text` times `factor`, cut towards zero; nullopt when it is not a number or leaves int64. Spaces around it are ignored.
std::optional<std::int64_t> read_number(std::string_view text, const NumberFormat& format, core::Factor factor);

// ---- Words

/// Few different words that come again and again (activities, sources, regions) to small numbers. A word that was asked lately costs a
/// few cycles; others go to `resolve`. Eight bytes behind a word must be readable (Table::kSlack).
class WordCache {
 public:
  using Resolve = std::function<std::uint32_t(std::string_view)>;
  explicit WordCache(Resolve resolve) : resolve_(std::move(resolve)), entries_(kEntries) {}
  std::uint32_t find(std::string_view word) {
    const Key key = key_of(word);
    Entry& entry =
        entries_[((key.low * 0x9E3779B97F4A7C15ULL) ^ (key.high * 0xC2B2AE3D27D4EB4FULL) ^ key.size) * 0xD6E8FEB86659FD93ULL >> 54];
    if (entry.key == key && (key.size <= 16 || entry.rest == word)) [[likely]]
      return entry.value;
    entry = {key, resolve_(word), key.size > 16 ? std::string(word) : std::string()};
    return entry.value;
  }

 private:
  static constexpr std::size_t kEntries = 1024;
  struct Key {
    std::uint64_t low = 0, high = 0;
    std::uint32_t size = 0xFFFFFFFF;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
    std::uint32_t value = 0;
    std::string rest;
  };
  static Key key_of(std::string_view word) {
    Key key{0, 0, std::uint32_t(word.size())};
    std::memcpy(&key.low, word.data(), 8);
    if (word.size() <= 8) {
      key.low = word.empty() ? 0 : key.low & (~std::uint64_t{0} >> (64 - 8 * word.size()));
    } else {
      std::memcpy(&key.high, word.data() + word.size() - 8, 8);
    }
    return key;
  }
  Resolve resolve_;
  std::vector<Entry> entries_;
};

}  // namespace tanhui::activity
