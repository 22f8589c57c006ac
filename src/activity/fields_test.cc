#include "activity/fields.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "activity/intake_table.h"

namespace tanhui::activity {
namespace {

std::string shown(core::Millis instant) { return instant == kMissing ? "bad" : core::to_text_utc(instant); }

TEST(TimeReader, Formats) {
  const struct {
    const char *why, *format, *zone, *text, *instant;
  } cases[] = {
      {"UTC", "rfc3339", "UTC", "2024-09-02T08:15:00Z", "2024-09-02T08:15:00.000Z"},
      {"offset", "rfc3339", "UTC", "2024-09-02T08:15:00+08:00", "2024-09-02T00:15:00.000Z"},
      {"offset of hours only", "rfc3339", "UTC", "1980-11-21 14:24:06+00", "1980-11-21T14:24:06.000Z"},
      {"offset without colon", "rfc3339", "UTC", "2024-09-02T08:15:00-0330", "2024-09-02T11:45:00.000Z"},
      {"fraction is cut to milliseconds", "rfc3339", "UTC", "2024-09-02T08:15:00.123999Z", "2024-09-02T08:15:00.123Z"},
      {"no zone: the reader's", "rfc3339", "Asia/Shanghai", "2024-09-02T08:15:00", "2024-09-02T00:15:00.000Z"},
      {"no seconds", "rfc3339", "UTC", "2024-09-02 08:15", "2024-09-02T08:15:00.000Z"},
      {"a day is its first instant", "rfc3339", "Asia/Shanghai", "2024-09-02", "2024-09-01T16:00:00.000Z"},
      {"29 February of a leap year", "rfc3339", "UTC", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"},
      {"29 February of another year", "rfc3339", "UTC", "2023-02-29T00:00:00Z", "bad"},
      {"1900 was no leap year", "rfc3339", "UTC", "1900-02-29T00:00:00Z", "bad"},
      {"month 13", "rfc3339", "UTC", "2024-13-01T00:00:00Z", "bad"},
      {"hour 24", "rfc3339", "UTC", "2024-09-02T24:00:00Z", "bad"},
      {"the year as it is written", "rfc3339", "UTC", "0014-11-18 15:40:26", "0014-11-18T15:40:26.000Z"},
      {"other punctuation", "rfc3339", "UTC", "2024/09/02T08:15:00Z", "bad"},
      {"text behind", "rfc3339", "UTC", "2024-09-02T08:15:00Zx", "bad"},
      {"a letter among digits", "rfc3339", "UTC", "2024-09-02T08:1x:00Z", "bad"},
      {"empty", "rfc3339", "UTC", "", "bad"},
      {"half past, spring clock change skips 02:30", "rfc3339", "Europe/Oslo", "2019-03-31 02:30:00", "2019-03-31T01:30:00.000Z"},
      {"seconds", "epoch-s", "UTC", "1725264900", "2024-09-02T08:15:00.000Z"},
      {"fractions of seconds", "epoch-s", "UTC", "1725264900.5", "2024-09-02T08:15:00.500Z"},
      {"milliseconds", "epoch-ms", "UTC", "1725264900123", "2024-09-02T08:15:00.123Z"},
      {"milliseconds of the year 43166", "epoch-ms", "UTC", "1300030003000000", "bad"},
      {"seconds of a year below 0", "epoch-s", "UTC", "-99999999999", "bad"},
      {"HTTP date", "http-date", "Asia/Shanghai", "Sat, 01 May 2021 20:42:47 GMT", "2021-05-01T20:42:47.000Z"},
      {"day first", "%d.%m.%Y %H:%M", "Europe/Oslo", "21.12.2018 10:20", "2018-12-21T09:20:00.000Z"},
      {"short day and two-digit year", "%d/%m/%y", "UTC", "2/6/19", "2019-06-02T00:00:00.000Z"},
      {"two-digit years turn at 69", "%d/%m/%y", "UTC", "2/6/69", "1969-06-02T00:00:00.000Z"},
      {"twelve o'clock at night", "%m/%d/%y %I:%M:%S %p", "UTC", "04/12/16 12:00:00 AM", "2016-04-12T00:00:00.000Z"},
      {"twelve o'clock at noon", "%m/%d/%y %I:%M:%S %p", "UTC", "04/12/16 12:00:00 PM", "2016-04-12T12:00:00.000Z"},
      {"one in the afternoon", "%m/%d/%y %I:%M:%S %p", "UTC", "04/12/16 1:00:00 PM", "2016-04-12T13:00:00.000Z"},
      {"13 o'clock on a 12-hour clock", "%m/%d/%y %I:%M:%S %p", "UTC", "04/12/16 13:00:00 PM", "bad"},
      {"only the hour", "%d/%m/%Y %H", "America/Argentina/Buenos_Aires", "27/11/2019 8", "2019-11-27T11:00:00.000Z"},
      {"no separators", "%Y%m%d", "UTC", "20181116", "2018-11-16T00:00:00.000Z"},
      {"month by name", "%d-%b-%Y", "UTC", "02-Sep-2024", "2024-09-02T00:00:00.000Z"},
      {"offset in a pattern", "%Y/%m/%d %H:%M %z", "UTC", "2024/09/02 08:15 +0800", "2024-09-02T00:15:00.000Z"},
      {"literal text that is not there", "%d.%m.%Y", "UTC", "21-12-2018", "bad"},
  };
  for (const auto& [why, format, zone, text, instant] : cases) {
    const auto reader = TimeReader::make({format}, zone);
    ASSERT_TRUE(bool(reader)) << why;
    std::string padded(text);
    padded.reserve(padded.size() + Table::kSlack);
    EXPECT_EQ(shown(reader->read(padded)), instant) << why;
  }
}

TEST(TimeReader, TriesFormatsInOrder) {
  const auto reader = TimeReader::make({"rfc3339", "%d/%m/%Y"}, "UTC");
  ASSERT_TRUE(bool(reader));
  EXPECT_EQ(shown(reader->read("2024-09-02")), "2024-09-02T00:00:00.000Z");
  EXPECT_EQ(shown(reader->read("02/09/2024")), "2024-09-02T00:00:00.000Z");
}

TEST(TimeReader, RefusesWhatItDoesNotKnow) {
  for (const char* format : {"iso", "%Q", "%", "", "dd.mm.yyyy"}) EXPECT_FALSE(bool(TimeReader::make({format}, "UTC"))) << format;
  EXPECT_FALSE(bool(TimeReader::make({"rfc3339"}, "Mars/Olympus")));
}

TEST(TimeReaderProperty, ReadsWhatIsWritten) {
  const auto reader = TimeReader::make({"rfc3339"}, "UTC");
  ASSERT_TRUE(bool(reader));
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const core::Millis instant = core::Millis(random() % 253'402'300'800) * 1000;  // 1970 to 9999
    std::string text = core::to_text_utc(instant);
    text.replace(19, 5, "Z");
    text.reserve(text.size() + Table::kSlack);
    ASSERT_EQ(reader->read(text), instant) << text;
    const core::Millis minutes = core::Millis(random() % (18 * 60));
    const bool east = random() % 2 == 0;
    text.replace(19, 1, fmt::format("{}{:02}:{:02}", east ? '+' : '-', minutes / 60, minutes % 60));
    ASSERT_EQ(reader->read(text), east ? instant - minutes * 60'000 : instant + minutes * 60'000) << text;
  }
}

TEST(ReadNumber, Cases) {
  const struct {
    const char *why, *text;
    char decimal, thousands;
    core::Factor factor;
    std::optional<std::int64_t> value;
  } cases[] = {
      {"whole", "1250", '.', 0, {1, 1}, 1250},
      {"km to m, cut", "1.23456", '.', 0, {1000, 1}, 1234},
      {"decimal comma", "0,87", ',', 0, {1000, 1}, 870},
      {"no digit before the point", ".095090181", '.', 0, {1000, 1}, 95},
      {"negative is cut towards zero", "-1.9", '.', 0, {1, 1}, -1},
      {"exponent", "1.5e3", '.', 0, {1, 1}, 1500},
      {"thousands", "1,454,054", '.', ',', {1, 1}, 1454054},
      {"thousands and a fraction", "1.234,5", ',', '.', {10, 1}, 12345},
      {"groups of two are no thousands", "1,45,054", '.', ',', {1, 1}, std::nullopt},
      {"a group of four", "1,4540", '.', ',', {1, 1}, std::nullopt},
      {"begins with a separator", ",454", '.', ',', {1, 1}, std::nullopt},
      {"comma that was not declared", "1,5", '.', 0, {1, 1}, std::nullopt},
      {"spaces around", " 12 ", '.', 0, {1, 1}, 12},
      {"two points", "1.2.3", '.', 0, {1, 1}, std::nullopt},
      {"word", "NA", '.', 0, {1, 1}, std::nullopt},
      {"empty", "", '.', 0, {1, 1}, std::nullopt},
      {"a lonely point", ".", '.', 0, {1, 1}, std::nullopt},
      {"a third", "10", '.', 0, {1, 3}, 3},
      {"the greatest", "9223372036854775807", '.', 0, {1, 1}, std::nullopt},  // 18 digits are read
      {"does not fit", "999999999999999999", '.', 0, {1000, 1}, std::nullopt},
      {"seventeen digits times a million do not fit", "99999999999999999", '.', 0, {1'000'000, 1}, std::nullopt},
  };
  for (const auto& [why, text, decimal, thousands, factor, value] : cases)
    EXPECT_EQ(read_number(text, {decimal, thousands}, factor), value) << why;
}

TEST(ReadNumberProperty, SmallWholeNumbers) {
  std::mt19937_64 random(9);
  for (int i = 0; i < 300'000; ++i) {
    std::string text = std::to_string(random() % 2'000'000'000 >> random() % 31);
    if (random() % 3 == 0) text.insert(0, random() % 4, '0');
    if (random() % 4 == 0 && !text.empty()) text[random() % text.size()] = char(random());
    const std::size_t size = random() % 20 == 0 ? 0 : text.size();
    const bool whole = size >= 1 && size <= 8 && text.substr(0, size).find_first_not_of("0123456789") == std::string::npos;
    const std::int64_t expected = whole ? std::stoll(text) : -1;
    text.resize(text.size() + Table::kSlack, char(random()));
    ASSERT_EQ(read_small_whole(text.data(), size), expected) << text.substr(0, size);
  }
}

TEST(ReadNumberProperty, ShortWayAgreesWithLongWay) {
  std::mt19937_64 random(7);
  const std::string alphabet = "0123456789012345678901234567890123456789..-e+ ";
  for (int i = 0; i < 300'000; ++i) {
    std::string text;
    for (std::size_t size = random() % 12; text.size() < size;) text += alphabet[random() % alphabet.size()];
    if (text.find(' ') != std::string::npos) continue;
    const core::Factor factor{std::int64_t(random() % 2 == 0 ? 1 : 1000), std::int64_t(1 + random() % 40)};
    const auto value = core::parse_decimal(text);
    ASSERT_EQ(read_number(text, {}, factor), value ? core::scale_to_whole(*value, factor) : std::nullopt) << text;
  }
}

TEST(Units, Known) {
  const struct {
    const char *name, *base;
    std::int64_t numerator, denominator;
  } cases[] = {
      {"km", "m", 1000, 1},     {"公里", "m", 1000, 1},  {"person km", "m", 1000, 1}, {"mile", "m", 1'609'344, 1000},
      {"kWh", "Wh", 1000, 1},   {"度", "Wh", 1000, 1},   {"MJ", "Wh", 10'000, 36},    {"kg", "g", 1000, 1},
      {"斤", "g", 500, 1},      {"L", "mL", 1000, 1},    {"min", "s", 60, 1},         {"步", "1", 1, 1},
      {"亩", "m2", 10'000, 15}, {"%", "ppm", 10'000, 1},
  };
  for (const auto& [name, base, numerator, denominator] : cases) {
    const auto unit = find_unit(name);
    ASSERT_TRUE(unit) << name;
    EXPECT_EQ(unit->base, base) << name;
    EXPECT_EQ(unit->factor.numerator * denominator, unit->factor.denominator * numerator) << name;
  }
  EXPECT_FALSE(find_unit("parsec"));
  EXPECT_FALSE(find_unit(""));
}

TEST(WordCache, AnswersAsTheResolver) {
  std::mt19937_64 random(3);
  WordCache cache([](std::string_view word) { return std::uint32_t(std::hash<std::string_view>{}(word)); });
  for (int i = 0; i < 200'000; ++i) {  // many words in few places of the cache, of all lengths around its own limits, alike at both ends
    std::string word(random() % 24, 'a');
    if (!word.empty()) word[random() % word.size()] = char('a' + random() % 26);
    const std::size_t size = word.size();
    word.resize(size + Table::kSlack, char(random()));
    const std::string_view asked(word.data(), size);
    ASSERT_EQ(cache.find(asked), std::uint32_t(std::hash<std::string_view>{}(asked))) << asked;
  }
}

}  // namespace
}  // namespace tanhui::activity
