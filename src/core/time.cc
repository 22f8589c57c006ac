#include "core/time.h"

#include <date/date.h>
#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace tanhui::core {
namespace {

using SysMillis = date::sys_time<std::chrono::milliseconds>;
SysMillis sys(Millis instant) { return SysMillis{std::chrono::milliseconds{instant}}; }
const date::time_zone& as_zone(const void* zone) { return *static_cast<const date::time_zone*>(zone); }
Day floor_day(Millis millis) {
  const std::int64_t days = millis / kMillisPerDay - (millis % kMillisPerDay < 0);
  return {std::int32_t(std::clamp<std::int64_t>(days, INT32_MIN, INT32_MAX))};  // a wild clock stays wild, never wraps into our century
}

}  // namespace

Day day_of(int year, unsigned month, unsigned day) {
  return {std::int32_t(date::sys_days{date::year{year} / date::month{month} / date::day{day}}.time_since_epoch().count())};
}

std::string to_text(Day day) {
  // date::year has 16 bits, and a wild clock's year must not wrap into ours: 400 years are always as long.
  constexpr std::int64_t kDaysOf400Years = 146'097;
  const std::int64_t cycles = day.count / kDaysOf400Years - (day.count % kDaysOf400Years < 0);
  const date::year_month_day ymd{date::sys_days{date::days{int(day.count - cycles * kDaysOf400Years)}}};
  return fmt::format("{:04}-{:02}-{:02}", int(ymd.year()) + 400 * cycles, unsigned(ymd.month()), unsigned(ymd.day()));
}

std::optional<Day> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = 0;
    const auto [end, problem] = std::from_chars(text.data() + at, text.data() + at + length, value);
    return problem == std::errc{} && end == text.data() + at + length && text[at] != '-' ? value : -1;  // "-000" is no year
  };
  const int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  if (year < 0 || month < 1 || day < 1) return std::nullopt;
  const date::year_month_day ymd = date::year{year} / date::month{unsigned(month)} / date::day{unsigned(day)};
  if (!ymd.ok()) return std::nullopt;
  return day_of(year, unsigned(month), unsigned(day));
}

std::string to_text_utc(Millis instant) {
  const Day day = floor_day(instant);
  const Millis rest = instant - Millis{day.count} * kMillisPerDay;
  return fmt::format("{}T{:02}:{:02}:{:02}.{:03}Z", to_text(day), rest / 3'600'000, rest / 60'000 % 60, rest / 1000 % 60, rest % 1000);
}

Result<Zone> Zone::find(std::string_view name) {
  try {
    Zone zone;
    zone.zone_ = date::locate_zone(std::string(name));
    zone.name_ = name;
    return zone;
  } catch (const std::runtime_error&) {
    return Error{ErrorCode::not_found,
                 "time.unknown-zone",
                 fmt::format("time zone '{}' is not known", name),
                 "use a name of the IANA database, for example Asia/Shanghai",
                 {{"zone", std::string(name)}}};
  }
}

Zone::Range Zone::range_at(Millis instant) const {
  const date::sys_info info = as_zone(zone_).get_info(sys(instant));
  const auto millis = [](auto point) {  // the open ends of the database lie far outside int64 milliseconds' practical range
    const std::int64_t seconds = point.time_since_epoch().count();
    constexpr std::int64_t limit = std::int64_t{1} << 50;
    return seconds > limit ? limit * 1000 : seconds < -limit ? -limit * 1000 : seconds * 1000;
  };
  return {millis(info.begin), millis(info.end), std::chrono::duration_cast<std::chrono::milliseconds>(info.offset).count()};
}

Millis Zone::local_millis(Millis instant) const {
  if (instant < utc_range_.begin || instant >= utc_range_.end) utc_range_ = range_at(instant);
  return instant + utc_range_.offset;
}

Day Zone::local_day(Millis instant) const { return floor_day(local_millis(instant)); }

Millis Zone::to_instant(Millis wall_clock) const {
  const Millis guess = wall_clock - utc_range_.offset;
  // Well inside one offset's range (a day from both ends) the answer is unambiguous.
  if (guess >= utc_range_.begin + kMillisPerDay && guess < utc_range_.end - kMillisPerDay) return guess;
  const date::local_time<std::chrono::milliseconds> local{std::chrono::milliseconds{wall_clock}};
  const date::local_info info = as_zone(zone_).get_info(local);
  const auto offset = [](const date::sys_info& part) { return std::chrono::duration_cast<std::chrono::milliseconds>(part.offset).count(); };
  // Unique and repeated times use the first offset; a skipped one uses the offset before the gap, which moves it forward.
  const Millis instant = wall_clock - offset(info.first);
  utc_range_ = range_at(instant);
  return instant;
}

Millis Zone::start_of(Day day) const { return to_instant(Millis{day.count} * kMillisPerDay); }

}  // namespace tanhui::core
