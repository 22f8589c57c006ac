#include "core/time.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace tanhui::core {
namespace {

/// Wall-clock or UTC milliseconds of a calendar time.
Millis at(int year, unsigned month, unsigned day, int hour = 0, int minute = 0, int second = 0) {
  return Millis{day_of(year, month, day).count} * kMillisPerDay + ((hour * 60 + minute) * 60 + second) * Millis{1000};
}

Zone zone(const char* name) { return *Zone::find(name); }

TEST(Day, CalendarText) {
  const struct {
    const char* why;
    const char* text;
    std::optional<std::int32_t> count;
  } rows[] = {
      {"the first", "1970-01-01", 0},
      {"the day before", "1969-12-31", -1},
      {"54 years and 14 leap days and 243 days and one", "2024-09-02", 54 * 365 + 13 + 245},
      {"a leap day", "2024-02-29", 54 * 365 + 13 + 59},
      {"a clock that was never set", "1980-01-01", 10 * 365 + 2},
      {"a two-digit year read as written", "0014-06-01", -714'263},
      {"no leap day in 2023", "2023-02-29", std::nullopt},
      {"no 13th month", "2023-13-01", std::nullopt},
      {"no day zero", "2023-01-00", std::nullopt},
      {"other separators", "2023/01/01", std::nullopt},
      {"a sign is not a digit", "-123-01-01", std::nullopt},
      {"even before nothing but zeros", "-000-02-01", std::nullopt},
      {"not padded", "2023-1-01", std::nullopt},
      {"more behind it", "2023-01-01T", std::nullopt},
  };
  for (const auto& [why, text, count] : rows) {
    const auto day = parse_day(text);
    EXPECT_EQ(day ? std::optional(day->count) : std::nullopt, count) << why;
    if (day) {
      EXPECT_EQ(to_text(*day), text) << why;
    }
  }
}

TEST(Day, WildDaysKeepTheirYear) {  // the ends are those of every calendar of 32-bit days, for example Java's LocalDate.ofEpochDay
  EXPECT_EQ(to_text(Day{std::numeric_limits<std::int32_t>::max()}), "5881580-07-11");
  EXPECT_EQ(to_text(Day{std::numeric_limits<std::int32_t>::min()}), "-5877641-06-23");
  EXPECT_EQ(to_text(Day{19968 + 23'936'532}), "67560-09-02") << "65536 years from 2024";
  EXPECT_EQ(to_text(kFirstDay), "0001-01-01");
  EXPECT_EQ(to_text(kLastDay), "9999-12-31");
}

TEST(Instant, UtcText) {
  EXPECT_EQ(to_text_utc(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_text_utc(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_text_utc(at(2024, 9, 2, 8, 15) + 7), "2024-09-02T08:15:00.007Z");
  EXPECT_EQ(to_text_utc(at(14, 6, 1, 12)), "0014-06-01T12:00:00.000Z");
}

TEST(Zone, UnknownNameIsRefused) {
  const auto found = Zone::find("Asia/Wuhan");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().id, "time.unknown-zone");
  EXPECT_NE(found.error().message.find("Asia/Wuhan"), std::string::npos);
}

TEST(Zone, WallClockToInstant) {
  const struct {
    const char* why;
    const char* zone;
    Millis wall, instant;
  } rows[] = {
      {"no clock change in Shanghai today", "Asia/Shanghai", at(2024, 9, 2, 8), at(2024, 9, 2, 0)},
      {"a clock reset to 1980", "Asia/Shanghai", at(1980, 1, 1), at(1979, 12, 31, 16)},
      {"summer time of 1986 skips 02:00 to 03:00: moved forward", "Asia/Shanghai", at(1986, 5, 4, 2, 30), at(1986, 5, 3, 18, 30)},
      {"its end repeats 01:00 to 02:00: the earlier", "Asia/Shanghai", at(1986, 9, 14, 1, 30), at(1986, 9, 13, 16, 30)},
      {"year 14 has local mean time, 8:05:43 ahead", "Asia/Shanghai", at(14, 6, 1), at(14, 5, 31, 15, 54, 17)},
      {"skipped in New York", "America/New_York", at(2026, 3, 8, 2, 30), at(2026, 3, 8, 7, 30)},
      {"repeated in New York", "America/New_York", at(2026, 11, 1, 1, 30), at(2026, 11, 1, 5, 30)},
      {"after the repeated hour", "America/New_York", at(2026, 11, 1, 2, 0), at(2026, 11, 1, 7, 0)},
      {"half an hour", "Asia/Kolkata", at(2024, 1, 1), at(2023, 12, 31, 18, 30)},
  };
  for (const auto& [why, name, wall, instant] : rows) {
    const Zone here = zone(name);
    EXPECT_EQ(to_text_utc(here.to_instant(wall)), to_text_utc(instant)) << why;
    EXPECT_EQ(to_text_utc(here.to_instant(wall)), to_text_utc(instant)) << why << ", asked again";
  }
}

TEST(Zone, DaysBeginWhereTheClockSaysSo) {
  const struct {
    const char* why;
    const char* zone;
    Millis instant;
    const char* day;
    Millis start;
  } rows[] = {
      {"one millisecond before midnight", "Asia/Shanghai", at(2024, 9, 2, 16) - 1, "2024-09-02", at(2024, 9, 1, 16)},
      {"midnight", "Asia/Shanghai", at(2024, 9, 2, 16), "2024-09-03", at(2024, 9, 2, 16)},
      {"midnight itself was skipped in Brazil", "America/Sao_Paulo", at(2018, 11, 4, 12), "2018-11-04", at(2018, 11, 4, 3)},
      {"a day of 25 hours", "America/New_York", at(2026, 11, 2, 4, 59), "2026-11-01", at(2026, 11, 1, 4)},
      {"before 1970", "UTC", -1, "1969-12-31", -kMillisPerDay},
  };
  for (const auto& [why, name, instant, day, start] : rows) {
    const Zone here = zone(name);
    EXPECT_EQ(to_text(here.local_day(instant)), day) << why;
    EXPECT_EQ(to_text_utc(here.start_of(*parse_day(day))), to_text_utc(start)) << why;
  }
}

TEST(Zone, AWildClockDoesNotWrapIntoOurCentury) {
  const Zone here = zone("Asia/Shanghai");
  constexpr Millis year_300000 = 9'400'000'000'000'000;
  EXPECT_GT(here.local_day(year_300000).count, day_of(9999, 12, 31).count);
  EXPECT_LT(here.local_day(-year_300000).count, day_of(-9999, 1, 1).count);
  EXPECT_EQ(here.local_day(std::numeric_limits<Millis>::max() / 2).count, std::numeric_limits<std::int32_t>::max());
}

const char* any_zone() {
  return *rc::gen::element("Asia/Shanghai", "America/New_York", "America/Sao_Paulo", "Europe/Berlin", "Asia/Kolkata", "UTC", "Pacific/Apia",
                           "Australia/Lord_Howe");
}
Millis any_instant() { return *rc::gen::inRange<Millis>(at(1900, 1, 1), at(2037, 1, 1)); }

RC_GTEST_PROP(ZoneProperty, WallClockComesBackAndTheEarlierIsTaken, ()) {
  const Zone here = zone(any_zone());
  const Millis instant = any_instant();
  const Millis back = here.to_instant(here.local_millis(instant));
  RC_ASSERT(back <= instant);
  RC_ASSERT(here.local_millis(back) == here.local_millis(instant));
}

RC_GTEST_PROP(ZoneProperty, EveryInstantLiesInItsDay, ()) {
  const Zone here = zone(any_zone());
  const Millis instant = any_instant();
  const Day day = here.local_day(instant);
  RC_ASSERT(here.start_of(day) <= instant);
  RC_ASSERT(instant < here.start_of({day.count + 1}));
}

RC_GTEST_PROP(ZoneProperty, WhatWasAskedBeforeChangesNothing, ()) {
  const struct {
    const char* zone;
    Millis change;
  } changes[] = {{"Asia/Shanghai", at(1986, 5, 3, 18)},     {"Asia/Shanghai", at(1986, 9, 13, 17)},
                 {"America/New_York", at(2026, 3, 8, 7)},   {"America/New_York", at(2026, 11, 1, 6)},
                 {"America/Sao_Paulo", at(2018, 11, 4, 3)}, {"America/Sao_Paulo", at(2019, 2, 17, 2)},
                 {"Pacific/Apia", at(2011, 12, 30, 10)},    {"Australia/Lord_Howe", at(2026, 4, 4, 15)}};
  const auto& [name, change] = changes[*rc::gen::inRange<std::size_t>(0, std::size(changes))];
  const Zone used = zone(name);
  for (int step = 0; step < 20; ++step) {  // clocks jump by 30 minutes to a day: look from both sides
    (void)used.local_millis(change + *rc::gen::element<Millis>(-1, 0, 1) * 2 * kMillisPerDay);
    const Millis wall = zone(name).local_millis(change) + *rc::gen::inRange<Millis>(-30 * 60, 30 * 60) * 60'000;
    RC_ASSERT(used.to_instant(wall) == zone(name).to_instant(wall));
    RC_ASSERT(used.local_millis(wall) == zone(name).local_millis(wall));
  }
}

}  // namespace
}  // namespace tanhui::core
