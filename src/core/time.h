// core/time.h: instants are UTC milliseconds; a programme's time zone decides the day.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace tanhui::core {

using Millis = std::int64_t;  // UTC milliseconds since 1970-01-01
constexpr Millis kMillisPerDay = 86'400'000;

/// A calendar day as a number of days since 1970-01-01, in whatever zone it was read.
struct Day {
  std::int32_t count = 0;
  friend constexpr auto operator<=>(Day, Day) = default;
};
Day day_of(int year, unsigned month, unsigned day);
constexpr Day kFirstDay{-719'162}, kLastDay{2'932'896};  // 0001-01-01 and 9999-12-31: all days that have ten characters
std::string to_text(Day day);                            // 2024-09-02
std::optional<Day> parse_day(std::string_view text);     // 2024-09-02, checked against the calendar
std::string to_text_utc(Millis instant);                 // 2024-09-02T08:15:00.000Z

/// A time zone of the IANA database. Conversions remember the last offset's range, so a column of near times costs a comparison each;
/// therefore one Zone object belongs to one thread (copying is cheap).
class Zone {
 public:
  static Result<Zone> find(std::string_view name);  // not_found names the zone
  const std::string& name() const { return name_; }
  Day local_day(Millis instant) const;
  Millis local_millis(Millis instant) const;  // wall clock as if it were UTC
  Millis start_of(Day day) const;             // first instant of the local day
  /// Wall-clock time to instant. A time that a clock change skips is moved forward; one that occurs twice is the earlier.
  Millis to_instant(Millis wall_clock) const;

 private:
  struct Range {
    Millis begin = 1, end = 0, offset = 0;
  };
  Range range_at(Millis instant) const;
  std::string name_;
  const void* zone_ = nullptr;
  mutable Range utc_range_;
};

}  // namespace tanhui::core
