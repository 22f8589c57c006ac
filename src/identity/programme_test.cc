#include "identity/programme.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tanhui::identity {
namespace {

constexpr std::string_view kGood = R"(id: town
name: {en: Town, zh: 镇}
region: "420100"
time_zone: Asia/Shanghai
currency: CNY
methodologies: {statuses: [official, derived], illustrative: [m-1], off: [m-2]}
sources:
  gate: {name: {en: Gate, zh: 闸机}, priority: 1, evidence: metered}
  app: {name: {en: App, zh: 应用}, priority: 200, evidence: declared}
points: {per_kilogram: 2.5, daily_cap: 500, expires_after_days: 365}
clock: {earliest_day: 2020-01-01, future_tolerance: 10 min}
consent: {required: true}
)";

std::string with(std::string_view what, std::string_view by) {
  std::string text(kGood);
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(Programme, IsReadWhole) {
  const auto town = parse_programme(kGood, "town.yaml");
  ASSERT_TRUE(town) << town.error().message;
  EXPECT_EQ(town->name.in(true), "镇");
  EXPECT_EQ(town->methodologies.illustrative, std::vector<std::string>{"m-1"});
  ASSERT_EQ(town->sources.size(), 2u);
  EXPECT_EQ(town->sources[0].id, "app") << "in order of id";
  EXPECT_EQ(town->find_source("gate")->priority, 1);
  EXPECT_EQ(town->find_source("gates"), nullptr);
  EXPECT_EQ(town->points.per_milligram.numerator, 1);  // 2.5 per 1 000 000 mg
  EXPECT_EQ(town->points.per_milligram.denominator, 400'000);
  EXPECT_EQ(town->earliest_day, core::day_of(2020, 1, 1));
  EXPECT_EQ(town->future_tolerance_ms, 600'000);
  EXPECT_TRUE(town->consent_required);
  EXPECT_FALSE(town->trial);
  EXPECT_NE(parse_programme(with("500", "501"), "town.yaml")->digest, town->digest);
}

TEST(Programme, WhatANewFileMaySayAndAnOldOneDoesNot) {
  const auto old = parse_programme(kGood, "town.yaml");
  EXPECT_TRUE(old->caps.empty() && old->brand.colour.empty() && !old->brand.slogan);
  EXPECT_EQ(old->open_days, 3);
  EXPECT_EQ(old->languages, (std::vector<std::string>{"zh", "en"}));
  EXPECT_EQ(core::to_hex(old->digest), core::to_hex(core::sha256(kGood)));
  const std::string more = std::string(kGood) +
                           "caps: {metro-ride: {acts_per_day: 4, kilograms_per_day: 2.5}, walk: {kilograms_per_day: 0.000001}, bus-ride: "
                           "{acts_per_day: 0}}\nwindow: {open_days: 5}\n"
                           "brand: {colour: \"#00A86B\", logo: \"https://town.example/logo.svg\", slogan: {en: Green, zh: 绿}}\n"
                           "languages: [en]\n";
  const auto read = parse_programme(more, "town.yaml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->caps, (std::map<std::string, ActivityCap>{
                            {"bus-ride", {0, std::nullopt}}, {"metro-ride", {4, 2'500'000}}, {"walk", {std::nullopt, 1}}}));
  EXPECT_EQ(read->open_days, 5);
  EXPECT_EQ(read->brand.colour, "#00A86B");
  EXPECT_EQ(read->brand.logo, "https://town.example/logo.svg");
  EXPECT_EQ(read->brand.slogan->zh, "绿");
  EXPECT_EQ(read->languages, std::vector<std::string>{"en"});
  const std::pair<const char*, const char*> rows[] = {
      {"caps: [metro-ride]\n", "'caps' is not a mapping"},
      {"caps: {metro-ride: {}}\n", "an entry of 'caps'"},
      {"caps: {Metro: {acts_per_day: 4}}\n", "an entry of 'caps'"},
      {"caps: {walk: {acts_per_day: 1}, walk: {acts_per_day: 2}}\n", "an entry of 'caps'"},
      {"caps: {walk: {acts_per_day: -1}}\n", "'-1'"},
      {"caps: {walk: {acts_per_week: 1}}\n", "'acts_per_week'"},
      {"caps: {walk: {kilograms_per_day: -1}}\n", "'-1'"},
      {"caps: {walk: {kilograms_per_day: 0.0000001}}\n", "'0.0000001'"},
      {"caps: {walk: {kilograms_per_day: much}}\n", "'much'"},
      {"window: {open_days: 32}\n", "'32'"},
      {"window: {}\n", "lacks the field 'open_days'"},
      {"brand: {colour: green}\n", "'green'"},
      {"brand: {colour: \"#00A86\"}\n", "'#00A86'"},
      {"brand: {logo: \"http://town.example/logo.svg\"}\n", "'http://"},
      {"brand: {logo: \"https://town.example/' onload=\"}\n", "'https://"},
      {"brand: {slogan: {en: Green}}\n", "lacks the field 'zh'"},
      {"languages: []\n", "is empty"},
      {"languages: [fr]\n", "'fr'"},
  };
  for (const auto& [line, says] : rows) {
    const auto refused = parse_programme(std::string(kGood) + line, "t.yaml");
    ASSERT_FALSE(refused) << line;
    EXPECT_NE(refused.error().message.find(says), std::string::npos) << line << refused.error().message;
  }
}

TEST(Programme, EveryMistakeIsNamedWithItsPlace) {
  const struct {
    const char* why;
    std::string yaml;
    const char* place;
    const char* says;
  } rows[] = {
      {"not YAML", "id: [", "t.yaml:1:1", ""},
      {"a list", "- id", "t.yaml:1:1", "not a mapping"},
      {"empty", "", "t.yaml", "not a mapping"},
      {"unknown field", with("currency:", "curency:"), "t.yaml:5:1", "'curency'"},
      {"missing field", with("currency: CNY\n", ""), "t.yaml:1:1", "lacks the field 'currency'"},
      {"twice", with("currency: CNY", "currency: CNY\ncurrency: CNY"), "t.yaml:6:1", "stands twice"},
      {"an id with a capital", with("id: town", "id: Town"), "t.yaml:1:5", "'Town'"},
      {"one language only", with("{en: Town, zh: 镇}", "{en: Town}"), "t.yaml:2:7", "lacks the field 'zh'"},
      {"unknown zone", with("Asia/Shanghai", "Asia/Wuhan"), "t.yaml:4:12", "'Asia/Wuhan'"},
      {"currency in words", with("CNY", "yuan"), "t.yaml:5:11", "'yuan'"},
      {"illustrative for all", with("[official, derived]", "[illustrative]"), "t.yaml:6:27", "every illustrative"},
      {"unknown status", with("derived", "deduced"), "t.yaml:6:27", "'deduced'"},
      {"not a list", with("[m-1]", "m-1"), "t.yaml:6:62", "not a list"},
      {"an item twice", with("[m-2]", "[m-2, m-2]"), "t.yaml:6:80", "stands twice"},
      {"priority out of range", with("priority: 1,", "priority: 256,"), "t.yaml:8:46", "'256'"},
      {"priority not whole", with("priority: 1,", "priority: 1.5,"), "t.yaml:8:46", "'1.5'"},
      {"unknown evidence", with("evidence: metered", "evidence: seen"), "t.yaml:8:59", "'seen'"},
      {"a source twice", with("  app:", "  gate:"), "t.yaml:8:3", "twice"},
      {"negative rate", with("2.5", "-1"), "t.yaml:10:24", "'-1'"},
      {"rate not a number", with("2.5", "ten"), "t.yaml:10:24", "'ten'"},
      {"negative cap", with("daily_cap: 500", "daily_cap: -1"), "t.yaml:10:40", "'-1'"},
      {"no such day", with("2020-01-01", "2020-02-30"), "t.yaml:11:23", "'2020-02-30'"},
      {"no unit of time", with("10 min", "10"), "t.yaml:11:53", "'10'"},
      {"neither true nor false", with("required: true", "required: maybe"), "t.yaml:12:21", "'maybe'"},
  };
  for (const auto& [why, yaml, place, says] : rows) {
    const auto read = parse_programme(yaml, "t.yaml");
    ASSERT_FALSE(read) << why;
    EXPECT_EQ(read.error().id, "programme.invalid") << why;
    EXPECT_TRUE(read.error().message.starts_with(std::string(place) + ":")) << why << ": " << read.error().message;
    EXPECT_NE(read.error().message.find(says), std::string::npos) << why << ": " << read.error().message;
    EXPECT_FALSE(read.error().action.empty()) << why;
  }
}

TEST(Programme, ATrialNamesItsRegionsAndItsDay) {
  const std::string head(kGood), trial = "trial: {as_region: \"420100\", as_day: 2025-06-30, warning: {en: Trial, zh: 试}, elsewhere: ";
  const auto read = parse_programme(head + trial + "{walk: \"000000\"}}\n", "t.yaml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->trial->as_region, "420100");
  EXPECT_EQ(read->trial->as_day, core::day_of(2025, 6, 30));
  EXPECT_EQ(read->trial->elsewhere, (std::map<std::string, std::string>{{"walk", "000000"}}));
  for (const char* wrong : {"[walk]}\n", "walk}\n", "{walk: [a]}}\n", "{walk: a, walk: b}}\n", "{[walk]: a}}\n", "{walk: }}\n"}) {
    const auto refused = parse_programme(head + trial + wrong, "t.yaml");
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().id, "programme.invalid") << wrong;
  }
}

TEST(Programme, PointRatesAreExact) {
  const struct {
    const char* rate;
    std::int64_t numerator, denominator;
  } rows[] = {
      {"10", 1, 100'000}, {"0", 0, 1}, {"0.000000001", 1, 1'000'000'000'000'000}, {"1000000", 1, 1}, {"3.3", 33, 10'000'000},
  };
  for (const auto& [rate, numerator, denominator] : rows) {
    const auto read = parse_programme(with("2.5", rate), "t.yaml");
    ASSERT_TRUE(read) << rate << ": " << read.error().message;
    EXPECT_EQ(read->points.per_milligram.numerator, numerator) << rate;
    EXPECT_EQ(read->points.per_milligram.denominator, denominator) << rate;
  }
}

class Folder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("tanhui-programmes-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& id, const std::string& parent) {
    std::ofstream(folder_ / (id + ".yaml")) << with("id: town", "id: " + id + (parent.empty() ? "" : "\nparent: " + parent));
  }
  std::filesystem::path folder_;
};

TEST_F(Folder, ParentsComeBeforeChildren) {
  write("district", "city");
  write("city", "province");
  write("province", "");
  const auto all = read_programmes(folder_);
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[0].id, "province");
  EXPECT_EQ((*all)[2].id, "district");
  write("province", "district");
  EXPECT_EQ(read_programmes(folder_).error().id, "programme.parent") << "a circle";
  write("province", "nation");
  EXPECT_EQ(read_programmes(folder_).error().id, "programme.parent") << "missing";
}

TEST_F(Folder, AnUnknownProgrammeListsTheKnownOnes) {
  write("city", "");
  EXPECT_TRUE(find_programme(folder_, "city"));
  const auto unknown = find_programme(folder_, "../city");
  EXPECT_EQ(unknown.error().id, "programme.not-found");
  EXPECT_EQ(unknown.error().action, "the programmes are city");
  std::filesystem::rename(folder_ / "city.yaml", folder_ / "town.yaml");
  EXPECT_EQ(find_programme(folder_, "town").error().id, "programme.invalid") << "id and file name differ";
}

TEST(Programmes, TheShippedOnesAreRight) {
  const auto all = read_programmes(std::filesystem::path(TANHUI_SOURCE_DIR) / "programmes");
  ASSERT_TRUE(all) << all.error().message;
  std::map<std::string, const Programme*> by_id;
  for (const Programme& programme : *all) by_id[programme.id] = &programme;
  ASSERT_TRUE(by_id.contains("wuhan-demo") && by_id.contains("trial") && by_id.contains("shanghai-2021") &&
              by_id.contains("enterprise-demo"));
  for (const char* source :
       {"metro-gate", "alipay", "bank-ride", "map-app", "bike-operator", "charger", "grid", "takeaway", "car-maker", "bus-code"})
    EXPECT_NE(by_id["wuhan-demo"]->find_source(source), nullptr) << source;
  EXPECT_LT(by_id["wuhan-demo"]->find_source("metro-gate")->priority, by_id["wuhan-demo"]->find_source("alipay")->priority);
  EXPECT_EQ(by_id["wuhan-demo"]->points.per_milligram.denominator, 100'000);
  EXPECT_EQ(by_id["enterprise-demo"]->parent, "wuhan-demo");
  EXPECT_TRUE(by_id["trial"]->trial);
  const auto named = [](const std::string& id) {
    const auto region = id.starts_with("cn-") ? id.substr(3, 6) : "gl";
    return std::filesystem::exists(std::filesystem::path(TANHUI_SOURCE_DIR) / "methodologies" / region / (id + ".yaml"));
  };
  for (const Programme& programme : *all)
    for (const auto* list : {&programme.methodologies.illustrative, &programme.methodologies.only, &programme.methodologies.off})
      for (const std::string& id : *list) EXPECT_TRUE(named(id)) << programme.id << " names " << id;
}

}  // namespace
}  // namespace tanhui::identity
