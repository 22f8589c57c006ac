#include "journal/entry.h"

#include <gtest/gtest.h>

namespace tanhui::journal {
namespace {

core::Digest digest_of(std::uint8_t byte) {
  core::Digest digest;
  digest.fill(byte);
  return digest;
}
const std::string kOnes(64, '1'), kTwos(64, '2'), kThrees(64, '3');

Entry full_run() {
  RunEntry entry;
  Run& run = entry.run;
  run.id = 7;
  run.key = "k";
  run.programme = "city";
  run.started_ms = 5;
  run.finished_ms = 8;
  run.inputs_digest = digest_of(0x11);
  run.settings_digest = digest_of(0x22);
  run.postings_digest = digest_of(0x33);
  run.records = 21;
  run.accepted = 1, run.duplicate = 2, run.capped = 3, run.rejected = 4, run.held = 5, run.no_consent = 6;
  run.adjusted = 9;
  run.people = 10;
  run.milligrams = -4611686018427387903;
  run.points = 12;
  entry.segments = 13;
  entry.points_expire_days = 365;
  entry.methodologies = {{"m@1", "ab"}};
  entry.corrections = {{"m", 2, *core::parse_day("2025-03-01"), *core::parse_day("2025-03-02")}};
  return entry;
}

// What stands in logs that are out there: these bytes never change.
const std::pair<Entry, std::string> kGolden[] = {
    {KeyEntry{"city.example/log+00000001+AQ==", ""},
     R"({"type":"tanhui/key","version":1,"key":"city.example/log+00000001+AQ==","replaces":null})"},
    {KeyEntry{"b", "a"}, R"({"type":"tanhui/key","version":1,"key":"b","replaces":"a"})"},
    {full_run(),
     R"({"type":"tanhui/run","version":1,"run":7,"key":"k","programme":"city","inputs":")" + kOnes + R"(","settings":")" + kTwos +
         R"(","postings":")" + kThrees +
         R"(","started_ms":5,"finished_ms":8,"records":21,"accepted":1,"duplicate":2,"capped":3,"rejected":4,"held":5,"no_consent":6,"adjusted":9,)"
         R"("people":10,"milligrams":-4611686018427387903,"points":12,"segments":13,"points_expire_days":365,"methodologies":[{"id":"m@1","sha256":"ab"}],"corrections":[{"id":"m","version":2,"from":"2025-03-01","to":"2025-03-02"}]})"},
    {SegmentEntry{"city", *core::parse_day("2025-03-01"), 7, 1, 2, -3, 4, digest_of(0x11), digest_of(0x22)},
     R"({"type":"tanhui/segment","version":1,"programme":"city","day":"2025-03-01","run":7,"records":1,"milligrams":2,"points":-3,"bytes":4,)"
     R"("sha256":")" +
         kOnes + R"(","root":")" + kTwos + R"("})"},
    {CompactionEntry{"city", *core::parse_day("2025-03-01"), "f.parquet", 4, digest_of(0x11), {7, 9}},
     R"({"type":"tanhui/compaction","version":1,"programme":"city","day":"2025-03-01","file":"f.parquet","bytes":4,"sha256":")" + kOnes +
         R"(","runs":[7,9]})"},
    {StaffActionsEntry{5, 2, digest_of(0x11)},
     R"({"type":"tanhui/staff-actions","version":1,"first":5,"count":2,"root":")" + kOnes + R"("})"},
};

TEST(Entry, GoldenBytesComeAndGo) {
  for (const auto& [entry, bytes] : kGolden) {
    EXPECT_EQ(entry_bytes(entry), bytes);
    const auto parsed = parse_entry(bytes);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(entry_bytes(*parsed), bytes);
    EXPECT_EQ(type_name(*parsed), type_name(entry));
  }
}

TEST(Entry, WhatIsNone) {
  const std::string good = kGolden[3].second;
  const auto replaced = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  const struct {
    std::string bytes, error, word;
  } rows[] = {
      {"", "entry.bad", "not JSON"},
      {"[]", "entry.bad", "not an object"},
      {good + " ", "entry.bad", "one way"},
      {replaced("\"run\":7", "\"run\":0"), "entry.bad", "run"},
      {replaced("\"run\":7", "\"run\":7.0"), "entry.bad", "run"},
      {replaced("\"records\":1,", ""), "entry.bad", "records"},
      {replaced("2025-03-01", "2025-02-30"), "entry.bad", "day"},
      {replaced("1111", "111"), "entry.bad", "sha256"},
      {replaced("segment", "holiday"), "entry.unknown-type", "holiday"},
      {replaced("\"version\":1", "\"version\":2"), "entry.unknown-type", "2"},
      {std::string(100'000, '['), "entry.bad", "not JSON"},
  };
  for (const auto& [bytes, error, word] : rows) {
    const auto parsed = parse_entry(bytes);
    ASSERT_FALSE(parsed) << bytes;
    EXPECT_EQ(parsed.error().id, error) << bytes;
    EXPECT_NE(parsed.error().message.find(word), std::string::npos) << parsed.error().message;
  }
}

}  // namespace
}  // namespace tanhui::journal
