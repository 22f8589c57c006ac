#include "journal/record_bytes.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tanhui::journal {
namespace {

std::string hex(std::string_view bytes) { return core::to_hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}); }

Record small_record() {
  Record record;
  record.activity = "metro-ride";
  record.source = "gate";
  record.region = "420100";
  record.methodology = "m@1";
  record.evidence = "metered";
  record.outcome = "accepted";
  record.reason = "credited";
  record.person = {0x0102030405060708u, 0x090a0b0c0d0e0f10u};
  record.start_ms = 0x1122334455;
  record.event = 0xff;
  record.quantity = 13'000;
  record.milligrams = 1'019'200;
  record.points = -3;
  return record;
}

TEST(RecordBytes, GoldenBytes) {  // written down by hand from the grammar; proofs that are out there hold these bytes: they never change
  EXPECT_EQ(hex(record_bytes(small_record())),
            "01"
            "0a6d6574726f2d72696465"  // metro-ride
            "0467617465"              // gate
            "06343230313030"          // 420100
            "036d4031"                // m@1
            "076d657465726564"        // metered
            "086163636570746564"      // accepted
            "086372656469746564"      // credited
            "00"                      // no winner's source
            "0102030405060708090a0b0c0d0e0f10"
            "0000001122334455"
            "00000000000000ff"
            "00"      // revision
            "02"      // only the quantity is present
            "90cb01"  // 13,000 as zigzag 26,000
            "80b57c"  // 1,019,200 as zigzag 2,038,400
            "05");    // -3
  Record full = small_record();
  full.winner_source = "w";
  full.revision = 300;
  full.duration_ms = 1'800'000;
  full.extra = {1, -1, 0};
  full.object = 2;
  full.winner = 3;
  full.line = 4;
  EXPECT_EQ(hex(record_bytes(full)).substr(2 * (1 + 11 + 5 + 7 + 4 + 8 + 9 + 9)),
            "0177"
            "0102030405060708090a0b0c0d0e0f10"
            "0000001122334455"
            "00000000000000ff"
            "ac02"      // revision 300
            "ff"        // everything
            "80dddb01"  // 1,800,000 as zigzag 3,600,000
            "90cb01"
            "020100"
            "0000000000000002"
            "0000000000000003"
            "04"
            "80b57c"
            "05");
}

TEST(RecordBytes, OnlyExactBytesAreARecord) {
  const std::string good = record_bytes(small_record());
  EXPECT_EQ(parse_record(good), small_record());
  for (std::size_t length = 0; length < good.size(); ++length) EXPECT_FALSE(parse_record(good.substr(0, length))) << length;
  EXPECT_FALSE(parse_record(good + '\0'));
  EXPECT_FALSE(parse_record("\2" + good.substr(1)));
  std::string padded = good;  // -3 with a needless second byte
  padded.back() = char(0x85);
  EXPECT_FALSE(parse_record(padded + '\0'));
}

RC_GTEST_PROP(RecordBytesProperty, AnyBytesAreRefusedOrComeBackTheSame, (std::string bytes, std::uint8_t cut)) {
  std::string start = record_bytes(small_record());
  start.resize(std::min<std::size_t>(cut, start.size()));
  const auto record = parse_record(start + bytes);
  if (record) {
    RC_ASSERT(record_bytes(*record) == start + bytes);
  }
}

// kMissing in a row means that there is nothing, so bytes that say it is there would be of a record that no segment can hold.
TEST(RecordBytes, NothingIsNotWrittenAsANumber) {
  for (const auto set : {+[](Record& record) { record.duration_ms = kMissing; }, +[](Record& record) { record.quantity = kMissing; },
                         +[](Record& record) { record.extra[2] = kMissing; }}) {
    Record record = small_record();
    set(record);
    EXPECT_FALSE(parse_record(record_bytes(record)));
  }
}

Columns rows_like(const Record& record, Names& names, const Record& other) {
  Columns rows;
  for (const Record* one : {&record, &other}) {
    const auto index = [](std::vector<std::string>& words, const std::string& word) {
      if (word.empty()) return kNoName;
      words.push_back(word);
      return std::uint16_t(words.size() - 1);
    };
    rows.person.push_back(one->person);
    rows.start_ms.push_back(one->start_ms);
    rows.duration_ms.push_back(one->duration_ms.value_or(kMissing));
    rows.activity.push_back(index(names.activities, one->activity));
    rows.source.push_back(index(names.sources, one->source));
    rows.region.push_back(index(names.regions, one->region));
    rows.methodology.push_back(index(names.methodologies, one->methodology));
    rows.event.push_back(one->event);
    rows.object.push_back(one->object);
    rows.evidence.push_back(std::uint8_t(index(names.evidences, one->evidence)));
    rows.quantity.push_back(one->quantity.value_or(kMissing));
    for (std::size_t i = 0; i < kExtraQuantities; ++i) rows.extra[i].push_back(one->extra[i].value_or(kMissing));
    rows.outcome.push_back(std::uint8_t(index(names.outcomes, one->outcome)));
    rows.reason.push_back(std::uint8_t(index(names.reasons, one->reason)));
    rows.milligrams.push_back(one->milligrams);
    rows.points.push_back(one->points);
    rows.winner.push_back(one->winner);
    rows.winner_source.push_back(index(names.sources, one->winner_source));
    rows.revision.push_back(std::uint16_t(one->revision));
    rows.line.push_back(one->line);
  }
  return rows;
}

TEST(RecordHasher, HashesTheBytesOfTheRecord) {
  Record full = small_record();
  full.methodology.clear();
  full.winner_source = "alipay";
  full.duration_ms = INT64_MAX;
  full.quantity = INT64_MIN + 1;
  full.extra = {std::nullopt, 5, std::nullopt};
  full.object = ~std::uint64_t{0};
  full.winner = 1;
  full.line = UINT32_MAX;
  full.revision = UINT16_MAX;
  full.milligrams = INT64_MIN;
  full.points = INT64_MAX;
  Names names;
  Columns rows = rows_like(small_record(), names, full);
  EXPECT_EQ(record_at(rows, 0, names), small_record());
  EXPECT_EQ(record_at(rows, 1, names), full);
  RecordHasher hasher(names);
  std::vector<core::Digest> leaves;
  for (int i = 0; i < 600; ++i) rows.append(rows_like(small_record(), names, full), 0, 2);
  hasher.hash(rows, 0, rows.size(), leaves);
  ASSERT_EQ(leaves.size(), rows.size());
  for (std::size_t i = 0; i < leaves.size(); ++i)
    ASSERT_EQ(leaves[i], core::merkle::leaf_hash(record_bytes(i % 2 == 0 ? small_record() : full))) << i;
}

}  // namespace
}  // namespace tanhui::journal
