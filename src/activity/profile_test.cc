#include "activity/profile.h"

#include <gtest/gtest.h>

namespace tanhui::activity {
namespace {

// The least a profile needs; tests add to it or spoil it.
std::string with(std::string_view more) {
  return "profile: p\nperson: who\nevent: id\nactivity: bike-ride\nsource: app\nstart: when\nquantities: {distance: {column: km, unit: "
         "km}}\n" +
         std::string(more);
}

TEST(Profile, Mistakes) {
  const struct {
    const char* why;
    std::string yaml;
    const char *id, *message;
  } cases[] = {
      {"unknown key", with("colour: red\n"), "profile.unknown-key", "p.yaml:8:1: 'colour' is not a key of a profile"},
      {"unknown key further in", with("csv: {delimeter: ;}\n"), "profile.unknown-key", "p.yaml:8:7: 'delimeter' is not a key of csv"},
      {"twice", with("zone: UTC\nzone: UTC\n"), "profile.wrong-value", "p.yaml:9:1: 'zone' stands twice in a profile"},
      {"unknown zone", with("zone: Mars/Olympus\n"), "profile.wrong-value", "p.yaml:8:7: time zone 'Mars/Olympus' is not known"},
      {"unknown format", with("format: excel\n"), "profile.wrong-value", "p.yaml:8:9: format is 'excel'"},
      {"unknown encoding", with("encoding: klingon\n"), "profile.wrong-value", "p.yaml:8:11: encoding 'klingon' is not known here"},
      {"long delimiter", with("csv: {delimiter: \"::\"}\n"), "profile.wrong-value", "p.yaml:8:18: delimiter is '::'"},
      {"not a truth", with("csv: {quotes: perhaps}\n"), "profile.wrong-value", "p.yaml:8:15: quotes is 'perhaps'"},
      {"unknown time format", with("end: {column: till, format: dd.mm.yyyy}\n"), "profile.wrong-value",
       "p.yaml:8:29: time format 'dd.mm.yyyy' is not known"},
      {"duration without unit", with("end: {after: {column: minutes}}\n"), "profile.missing", "p.yaml:8:14: the duration has no unit"},
      {"length without unit", with("checks: {moved_min: 50}\n"), "profile.wrong-value", "p.yaml:8:21: moved_min is '50'"},
      {"positions are needed", with("checks: {moved_min: 50 m}\n"), "profile.missing",
       "p.yaml:1:1: the profile does not say where acts begin, but uses positions"},
      {"station without table", with("positions: {from: {station: a}, to: {station: b}}\n"), "profile.missing",
       "p.yaml:8:12: a position comes from a station but there is no table of stations"},
      {"two ways for one text", with("region: {column: a, constant: b}\n"), "profile.wrong-value",
       "p.yaml:8:9: region needs exactly one of column, columns, constant, row"},
      {"consent without words", with("consent: agreed\n"), "profile.missing",
       "p.yaml:1:1: the profile does not say which words mean consent"},
      {"decimal and thousands alike", with("numbers: {decimal: \",\", thousands: \",\"}\n"), "profile.wrong-value",
       "p.yaml:1:1: decimal and thousands are the same sign"},
      {"no person", "profile: p\nevent: id\nactivity: a\nsource: s\nstart: t\nquantities: {q: c}\n", "profile.missing",
       "p.yaml:1:1: the profile does not say who acted"},
      {"no map at all", "- a\n- b\n", "profile.wrong-value", "p.yaml:1:1: a profile must be a map of keys"},
      {"broken YAML", "profile: [a\n", "profile.syntax", "p.yaml:2:1:"},
      {"unknown unit",
       "profile: p\nperson: a\nevent: b\nactivity: c\nsource: d\nstart: e\nquantities: {distance: {column: f, unit: parsec}}\n",
       "profile.wrong-value", "p.yaml:7:42: unit 'parsec' is not known"},
  };
  for (const auto& [why, yaml, id, message] : cases) {
    const auto profile = parse_profile(yaml, "p.yaml");
    ASSERT_FALSE(bool(profile)) << why;
    EXPECT_EQ(profile.error().id, id) << why << ": " << profile.error().message;
    EXPECT_EQ(profile.error().message.substr(0, std::string_view(message).size()), message) << why;
    EXPECT_FALSE(profile.error().action.empty()) << why;
  }
}

TEST(Profile, Read) {
  const auto profile = parse_profile(with("csv: {delimiter: tab, header: [a, b], skip_lines: 2}\nunpivot: {columns: {x: paper, y: glass}}\n"
                                          "end: {after: {constant: 30, unit: min}}\n\"null\": [NA]\n"),
                                     "p.yaml");
  ASSERT_TRUE(bool(profile)) << profile.error().message;
  EXPECT_EQ(profile->csv.delimiter, '\t');
  EXPECT_FALSE(profile->header);
  EXPECT_EQ(profile->header_names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(profile->skip_lines, 2U);
  EXPECT_EQ(profile->unpivot->columns[1], (std::pair<std::string, std::string>{"y", "glass"}));
  EXPECT_EQ(profile->duration->unit, "min");
  EXPECT_EQ(profile->quantities[0].number.unit, "km");
  EXPECT_EQ(profile->activity.constant, "bike-ride");
  EXPECT_EQ(profile->person.columns, std::vector<std::string>{"who"});
}

TEST(Profile, NativeReads) { EXPECT_EQ(native_profile().id, "native"); }

TEST(Profile, EveryShippedProfileReads) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(TANHUI_SOURCE_DIR) / "profiles")) {
    const auto profile = load_profile(entry.path());
    ASSERT_TRUE(bool(profile)) << profile.error().message;
    EXPECT_EQ(profile->id, entry.path().stem().string());
    ++count;
  }
  EXPECT_GE(count, 14U);
}

TEST(Pattern, Matches) {
  const struct {
    const char *text, *pattern;
    bool matches;
  } cases[] = {
      {"trips_2018.csv.gz", "trips_*.csv.gz", true},
      {"trips.csv", "trips_*", false},
      {"-1.0979E+18", "*E+*", true},
      {"123", "*E+*", false},
      {"", "*", true},
      {"", "?", false},
      {"abc", "a?c", true},
      {"aXbXc", "a*b*c", true},
      {"ab", "ab*", true},
      {"ab", "abc", false},
  };
  for (const auto& [text, pattern, matches] : cases) EXPECT_EQ(matches_pattern(text, pattern), matches) << text << " " << pattern;
}

}  // namespace
}  // namespace tanhui::activity
