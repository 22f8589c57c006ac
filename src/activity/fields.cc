#include "activity/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace tanhui::activity {
namespace {

using core::Error;
using core::ErrorCode;
using core::Millis;
using core::Result;

constexpr std::string_view kHttpDate = "%a, %d %b %Y %H:%M:%S GMT";
constexpr std::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view kMonthNames[] = {"january", "february", "march",     "april",   "may",      "june",
                                            "july",    "august",   "september", "october", "november", "december"};
constexpr std::string_view kDayNames[] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};

constexpr bool is_leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

// Days from 1970-01-01 to the first of each month, for every year a field can name: a look-up instead of divisions.
struct Calendar {
  std::array<std::int32_t, 10000> year_begin{};
  std::array<std::array<std::uint16_t, 13>, 2> month_begin{};  // [leap][month]
  std::array<std::array<std::uint8_t, 13>, 2> month_days{};
};
const Calendar kCalendar = [] {
  Calendar calendar;
  std::int32_t days = -719528;  // 0000-01-01
  for (int year = 0; year < 10000; ++year) {
    calendar.year_begin[std::size_t(year)] = days;
    days += is_leap(year) ? 366 : 365;
  }
  constexpr std::uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (std::size_t leap = 0; leap < 2; ++leap) {
    std::uint16_t begin = 0;
    for (std::size_t month = 1; month <= 12; ++month) {
      const auto length = std::uint8_t(lengths[month - 1] + (month == 2 ? leap : 0));
      calendar.month_begin[leap][month] = begin;
      calendar.month_days[leap][month] = length;
      begin = std::uint16_t(begin + length);
    }
  }
  return calendar;
}();

struct Parts {
  unsigned year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0, millis = 0;
};

// Wall clock milliseconds, kMissing for an impossible one. A leap second counts as the next second.
Millis wall_clock(const Parts& parts) {
  if (parts.year > 9999 || parts.month - 1 > 11 || parts.hour > 23 || parts.minute > 59 || parts.second > 60) return kMissing;
  const std::size_t leap = is_leap(int(parts.year));
  if (parts.day - 1 >= kCalendar.month_days[leap][parts.month]) return kMissing;
  const std::int64_t days = kCalendar.year_begin[parts.year] + kCalendar.month_begin[leap][parts.month] + std::int64_t(parts.day) - 1;
  return ((days * 24 + parts.hour) * 60 + parts.minute) * 60'000 + parts.second * 1000 + parts.millis;
}

// Reads from the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool done() const { return at_ == text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool number(int digits_min, int digits_max, unsigned& value) {
    const std::size_t begin = at_;
    unsigned result = 0;
    while (!done() && int(at_ - begin) < digits_max && text_[at_] >= '0' && text_[at_] <= '9')
      result = result * 10 + unsigned(text_[at_++] - '0');
    value = result;
    return int(at_ - begin) >= digits_min;
  }
  bool fraction(unsigned& millis) {
    unsigned value = 0;
    int digits = 0;
    for (; !done() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_, ++digits) {
      if (digits < 3) value = value * 10 + unsigned(text_[at_] - '0');
    }
    for (int i = digits; i < 3; ++i) value *= 10;
    millis = value;
    return digits > 0;
  }
  // An offset such as Z, +08, +0800, +08:00, in milliseconds.
  bool offset(Millis& offset) {
    if (take('Z') || take('z')) {
      offset = 0;
      return true;
    }
    const char sign = peek();
    if (sign != '+' && sign != '-') return false;
    ++at_;
    unsigned hours = 0, minutes = 0;
    if (!number(2, 2, hours)) return false;
    const bool colon = take(':');
    if ((colon || !done()) && !number(2, 2, minutes)) return false;
    if (hours > 18 || minutes > 59) return false;
    offset = (Millis(hours) * 60 + minutes) * 60'000 * (sign == '-' ? -1 : 1);
    return true;
  }
  // A word of letters, in lower case, at most 9 long.
  std::string_view word(std::array<char, 9>& buffer) {
    std::size_t size = 0;
    while (!done() && size < buffer.size()) {
      const char c = char(text_[at_] | 0x20);
      if (c < 'a' || c > 'z') break;
      buffer[size++] = c;
      ++at_;
    }
    return {buffer.data(), size};
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

bool is_pattern(std::string_view format) {
  bool any = false;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') continue;
    if (++i == format.size() || std::string_view("YymdeHIMSfpbaz").find(format[i]) == std::string_view::npos) return false;
    any = true;
  }
  return any;
}

std::uint64_t load8(const char* text) {
  std::uint64_t word;
  std::memcpy(&word, text, 8);
  return word;
}

}  // namespace

Result<TimeReader> TimeReader::make(const std::vector<std::string>& formats, const std::string& zone_name) {
  auto zone = core::Zone::find(zone_name);
  if (!zone) return zone.error();
  TimeReader reader(*std::move(zone));
  reader.formats_.resize(formats.size());
  for (std::size_t i = 0; i < formats.size(); ++i) {
    Format& format = reader.formats_[i];
    if (formats[i] == "rfc3339") {
      format.kind = Kind::rfc3339;
    } else if (formats[i] == "epoch-s") {
      format.kind = Kind::epoch_s;
    } else if (formats[i] == "epoch-ms") {
      format.kind = Kind::epoch_ms;
    } else if (formats[i] == "http-date") {
      format.kind = Kind::pattern;
      format.pattern = kHttpDate;
      format.utc = true;
    } else if (is_pattern(formats[i])) {
      format.kind = Kind::pattern;
      format.pattern = formats[i];
    } else {
      return Error{ErrorCode::invalid_input,
                   "time.unknown-format",
                   fmt::format("time format '{}' is not known", formats[i]),
                   "use rfc3339, epoch-s, epoch-ms, http-date or a pattern of %Y %y %m %d %e %H %I %M %S %f %p %b %a %z",
                   {{"format", formats[i]}}};
    }
  }
  reader.rfc3339_first_ = !reader.formats_.empty() && reader.formats_.front().kind == Kind::rfc3339;
  return reader;
}

Millis TimeReader::read_any(std::string_view text) const {
  text = trim(text);
  for (const Format& format : formats_) {
    Millis instant = kMissing;
    switch (format.kind) {
      case Kind::rfc3339:
        instant = read_rfc3339(text);
        break;
      case Kind::epoch_s:
      case Kind::epoch_ms: {
        const auto number = read_number(text, {}, {format.kind == Kind::epoch_s ? 1000 : 1, 1});
        if (number && is_time(*number)) instant = *number;
        break;
      }
      case Kind::pattern:
        instant = read_pattern(text, format);
        break;
    }
    if (instant != kMissing) return instant;
  }
  return kMissing;
}

Millis TimeReader::read_fixed(const char* text) {
  // Eight bytes at a time; xor with '0' and the punctuation leaves 0 to 9 for digits and 0 for punctuation, then neighbours are paired.
  const std::uint64_t date = load8(text) ^ 0x2D30302D30303030ULL;          // 2024-09-
  std::uint64_t clock = load8(text + 8) ^ 0x30303A3030543030ULL;           // 02T08:15
  const std::uint64_t seconds = load8(text + 11) ^ 0x30303A30303A3030ULL;  // 08:15:00
  if ((clock & 0xFF0000) == 0x740000) clock ^= 0x740000;                   // a space for T
  const auto not_digits = [](std::uint64_t x) { return ((x + 0x7676767676767676ULL) | x) & 0x8080808080808080ULL; };
  const std::uint64_t punctuation = (date & 0xFF0000FF00000000ULL) | (clock & 0x0000FF0000FF0000ULL) | (seconds & 0x0000FF0000FF0000ULL);
  if ((not_digits(date) | not_digits(clock) | not_digits(seconds) | punctuation) != 0) return kMissing;
  const auto pairs = [](std::uint64_t x) { return x * 10 + (x >> 8); };
  const std::uint64_t d = pairs(date), c = pairs(clock), s = pairs(seconds);
  const auto at = [](std::uint64_t x, int byte) { return unsigned(x >> (8 * byte) & 0xFF); };
  return wall_clock({at(d, 0) * 100 + at(d, 2), at(d, 5), at(c, 0), at(c, 3), at(c, 6), at(s, 6), 0});
}

Millis TimeReader::read_rfc3339(std::string_view text) const {
  constexpr std::size_t kFixed = 19;  // 2024-09-02T08:15:00
  if (text.size() >= kFixed) {
    const Millis fixed = read_fixed(text.data());
    if (fixed != kMissing && text.size() == kFixed) return zone_.to_instant(fixed);
    if (fixed != kMissing) {
      Cursor rest(text.substr(kFixed));
      unsigned millis = 0;
      if ((rest.take('.') || rest.take(',')) && !rest.fraction(millis)) return kMissing;
      if (rest.done()) return zone_.to_instant(fixed + millis);
      rest.take(' ');
      Millis offset = 0;
      return rest.offset(offset) && rest.done() ? fixed + millis - offset : kMissing;
    }
    return kMissing;
  }
  Cursor cursor(text);
  Parts parts;
  if (!cursor.number(4, 4, parts.year) || !cursor.take('-') || !cursor.number(2, 2, parts.month) || !cursor.take('-') ||
      !cursor.number(2, 2, parts.day)) {
    return kMissing;
  }
  if (cursor.done()) {
    const Millis day = wall_clock(parts);
    return day == kMissing ? kMissing : zone_.to_instant(day);
  }
  if (!cursor.take('T') && !cursor.take('t') && !cursor.take(' ')) return kMissing;
  if (!cursor.number(2, 2, parts.hour) || !cursor.take(':') || !cursor.number(2, 2, parts.minute)) return kMissing;
  const Millis wall = wall_clock(parts);
  if (wall == kMissing) return kMissing;
  if (cursor.done()) return zone_.to_instant(wall);
  Millis offset = 0;
  return cursor.offset(offset) && cursor.done() ? wall - offset : kMissing;
}

Millis TimeReader::read_pattern(std::string_view text, const Format& format) const {
  Cursor cursor(text);
  Parts parts;
  Millis offset = kMissing;
  int half_of_day = -1;
  bool twelve_hours = false;
  std::array<char, 9> buffer{};
  const std::string& pattern = format.pattern;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      if (!cursor.take(pattern[i])) return kMissing;
      continue;
    }
    bool fits = true;
    switch (pattern[++i]) {
      case 'Y':
        fits = cursor.number(4, 4, parts.year);
        break;
      case 'y':
        fits = cursor.number(2, 2, parts.year);
        parts.year += parts.year < 69 ? 2000 : 1900;
        break;
      case 'm':
        fits = cursor.number(1, 2, parts.month);
        break;
      case 'd':
        fits = cursor.number(1, 2, parts.day);
        break;
      case 'e':
        cursor.take(' ');
        fits = cursor.number(1, 2, parts.day);
        break;
      case 'H':
        fits = cursor.number(1, 2, parts.hour);
        break;
      case 'I':
        fits = cursor.number(1, 2, parts.hour) && parts.hour >= 1 && parts.hour <= 12;
        twelve_hours = true;
        break;
      case 'M':
        fits = cursor.number(1, 2, parts.minute);
        break;
      case 'S':
        fits = cursor.number(1, 2, parts.second);
        break;
      case 'f':
        fits = cursor.fraction(parts.millis);
        break;
      case 'p': {
        const std::string_view word = cursor.word(buffer);
        half_of_day = word == "am" ? 0 : word == "pm" ? 1 : -1;
        fits = half_of_day >= 0;
        break;
      }
      case 'b': {
        const std::string_view word = cursor.word(buffer);
        const auto is_word = [&](std::string_view month) { return month == word; };
        auto found = std::find_if(std::begin(kMonths), std::end(kMonths), is_word);
        if (found == std::end(kMonths)) {
          const auto long_found = std::find_if(std::begin(kMonthNames), std::end(kMonthNames), is_word);
          found = std::begin(kMonths) + (long_found - std::begin(kMonthNames));
        }
        fits = found != std::end(kMonths);
        parts.month = unsigned(found - std::begin(kMonths)) + 1;
        break;
      }
      case 'a': {
        const std::string_view word = cursor.word(buffer);
        fits = std::any_of(std::begin(kDayNames), std::end(kDayNames), [&](auto day) { return day == word || day.substr(0, 3) == word; });
        break;
      }
      case 'z':
        fits = cursor.offset(offset);
        break;
      default:
        fits = false;
    }
    if (!fits) return kMissing;
  }
  if (!cursor.done()) return kMissing;
  if (twelve_hours) {
    if (half_of_day < 0) return kMissing;
    parts.hour = parts.hour % 12 + (half_of_day == 1 ? 12 : 0);
  }
  const Millis wall = wall_clock(parts);
  if (wall == kMissing) return kMissing;
  if (format.utc) return wall;
  return offset == kMissing ? zone_.to_instant(wall) : wall - offset;
}

std::optional<Unit> find_unit(std::string_view name) {
  static const std::unordered_map<std::string_view, Unit> units = {
      {"m", {"m", {1, 1}}},
      {"metre", {"m", {1, 1}}},
      {"米", {"m", {1, 1}}},
      {"km", {"m", {1000, 1}}},
      {"公里", {"m", {1000, 1}}},
      {"千米", {"m", {1000, 1}}},
      {"cm", {"m", {1, 100}}},
      {"mi", {"m", {1'609'344, 1000}}},
      {"mile", {"m", {1'609'344, 1000}}},
      {"ft", {"m", {3048, 10'000}}},
      {"里", {"m", {500, 1}}},
      {"Wh", {"Wh", {1, 1}}},
      {"kWh", {"Wh", {1000, 1}}},
      {"KWH", {"Wh", {1000, 1}}},
      {"MWh", {"Wh", {1'000'000, 1}}},
      {"度", {"Wh", {1000, 1}}},
      {"千瓦时", {"Wh", {1000, 1}}},
      {"kJ", {"Wh", {10, 36}}},
      {"MJ", {"Wh", {10'000, 36}}},
      {"GJ", {"Wh", {10'000'000, 36}}},
      {"g", {"g", {1, 1}}},
      {"kg", {"g", {1000, 1}}},
      {"t", {"g", {1'000'000, 1}}},
      {"mg", {"g", {1, 1000}}},
      {"克", {"g", {1, 1}}},
      {"千克", {"g", {1000, 1}}},
      {"公斤", {"g", {1000, 1}}},
      {"斤", {"g", {500, 1}}},
      {"吨", {"g", {1'000'000, 1}}},
      {"lb", {"g", {45'359'237, 100'000}}},
      {"oz", {"g", {45'359'237, 1'600'000}}},
      {"mL", {"mL", {1, 1}}},
      {"ml", {"mL", {1, 1}}},
      {"L", {"mL", {1000, 1}}},
      {"l", {"mL", {1000, 1}}},
      {"m3", {"mL", {1'000'000, 1}}},
      {"升", {"mL", {1000, 1}}},
      {"毫升", {"mL", {1, 1}}},
      {"s", {"s", {1, 1}}},
      {"min", {"s", {60, 1}}},
      {"h", {"s", {3600, 1}}},
      {"d", {"s", {86'400, 1}}},
      {"ms", {"s", {1, 1000}}},
      {"秒", {"s", {1, 1}}},
      {"分钟", {"s", {60, 1}}},
      {"小时", {"s", {3600, 1}}},
      {"1", {"1", {1, 1}}},
      {"trip", {"1", {1, 1}}},
      {"act", {"1", {1, 1}}},
      {"item", {"1", {1, 1}}},
      {"piece", {"1", {1, 1}}},
      {"order", {"1", {1, 1}}},
      {"document", {"1", {1, 1}}},
      {"step", {"1", {1, 1}}},
      {"steps", {"1", {1, 1}}},
      {"sheet", {"1", {1, 1}}},
      {"night", {"1", {1, 1}}},
      {"meal", {"1", {1, 1}}},
      {"passage", {"1", {1, 1}}},
      {"day", {"1", {1, 1}}},
      {"次", {"1", {1, 1}}},
      {"件", {"1", {1, 1}}},
      {"个", {"1", {1, 1}}},
      {"步", {"1", {1, 1}}},
      {"单", {"1", {1, 1}}},
      {"张", {"1", {1, 1}}},
      {"天", {"1", {1, 1}}},
      {"yuan", {"1", {1, 1}}},
      {"dozen", {"1", {12, 1}}},
      {"m2", {"m2", {1, 1}}},
      {"平方米", {"m2", {1, 1}}},
      {"ha", {"m2", {10'000, 1}}},
      {"mu", {"m2", {10'000, 15}}},
      {"亩", {"m2", {10'000, 15}}},
      {"ppm", {"ppm", {1, 1}}},
      {"%", {"ppm", {10'000, 1}}},
      {"ratio", {"ppm", {1'000'000, 1}}},
  };
  name = trim(name);
  if (name.starts_with("person ")) name.remove_prefix(7);
  const auto found = units.find(name);
  if (found == units.end()) return std::nullopt;
  return found->second;
}

bool is_base_unit(std::string_view base) {
  const auto unit = find_unit(base);
  return unit && unit->base == base;
}

std::optional<std::int64_t> read_number(std::string_view text, const NumberFormat& format, core::Factor factor) {
  constexpr std::size_t digits_max = 17;             // below any overflow, sign and point included
  if (text.size() <= digits_max && !text.empty()) {  // plain digits, perhaps with a point: nearly all there is
    std::int64_t digits = 0;
    std::int64_t power = 1;
    bool plain = true, after_point = false;
    std::size_t count = 0;
    for (const char c : text) {
      if (c >= '0' && c <= '9') {
        digits = digits * 10 + (c - '0');
        power *= after_point ? 10 : 1;
        ++count;
      } else if (c == format.decimal && !after_point) {
        after_point = true;
      } else {
        plain = false;
        break;
      }
    }
    std::int64_t scaled = 0, divisor = 0;
    if (plain && count > 0 && !__builtin_mul_overflow(digits, factor.numerator, &scaled) &&
        !__builtin_mul_overflow(power, factor.denominator, &divisor)) [[likely]] {
      return divisor == 1 ? scaled : scaled / divisor;
    }
  }
  text = trim(text);
  std::array<char, 64> without{};
  if (format.thousands != '\0' && text.find(format.thousands) != std::string_view::npos) {
    const std::size_t point = std::min(text.find(format.decimal), text.size());
    std::size_t size = 0, since = 0;
    bool grouped = false;
    if (text.size() > without.size()) return std::nullopt;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (i <= point && text[i] == format.thousands) {
        if (since == 0 || since > 3 || (grouped && since != 3)) return std::nullopt;
        grouped = true;
        since = 0;
        continue;
      }
      if (i == point && grouped && since != 3) return std::nullopt;
      if (i < point && text[i] >= '0' && text[i] <= '9') ++since;
      without[size++] = text[i];
    }
    if (point == text.size() && grouped && since != 3) return std::nullopt;
    const auto value = core::parse_decimal({without.data(), size}, format.decimal);
    return value ? core::scale_to_whole(*value, factor) : std::nullopt;
  }
  const auto value = core::parse_decimal(text, format.decimal);
  return value ? core::scale_to_whole(*value, factor) : std::nullopt;
}

}  // namespace tanhui::activity
