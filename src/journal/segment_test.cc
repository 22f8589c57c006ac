#include "journal/segment.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "core/invariant.h"
#include "journal/publication.h"

namespace tanhui::journal {
namespace {

namespace fs = std::filesystem;

constexpr core::Millis kMorning = 1'740'787'200'000;  // 2025-03-01T00:00:00Z

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "tanhui-segment-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(std::string_view name) const { return path_ / name; }

 private:
  fs::path path_;
};

Names some_names() {
  Names names;
  names.activities = {"metro-ride", "bus-ride", "ev-charging"};
  names.sources = {"metro-gate", "alipay", "map-app"};
  names.regions = {"420100", "420000"};
  names.methodologies = {"cn-420100-rail-2024", "cn-420100-bus-2024"};
  names.evidences = {"metered", "inferred", "declared"};
  names.outcomes = {"accepted", "duplicate"};
  names.reasons = {"credited", "overlap", "daily-cap"};
  return names;
}

// One row with everything in it, a few with nothing optional, by hand.
void add(Columns& rows, core::PersonKey person, core::Millis start, std::int64_t milligrams, bool full) {
  rows.person.push_back(person);
  rows.start_ms.push_back(start);
  rows.duration_ms.push_back(full ? 1'125'000 : kMissing);
  rows.activity.push_back(full ? 2 : 0);
  rows.source.push_back(full ? 1 : 0);
  rows.region.push_back(0);
  rows.methodology.push_back(full ? 1 : kNoName);
  rows.event.push_back(full ? ~std::uint64_t{0} : 7);
  rows.object.push_back(full ? std::uint64_t{1} << 63 : 0);
  rows.evidence.push_back(full ? 2 : 0);
  rows.quantity.push_back(full ? 16'600 : kMissing);
  for (auto& column : rows.extra) column.push_back(full ? -5 : kMissing);
  rows.outcome.push_back(full ? 1 : 0);
  rows.reason.push_back(full ? 1 : 0);
  rows.milligrams.push_back(milligrams);
  rows.points.push_back(milligrams / 1000);
  rows.winner.push_back(full ? 99 : 0);
  rows.winner_source.push_back(full ? 2 : kNoName);
  rows.revision.push_back(full ? 65'535 : 0);
  rows.line.push_back(full ? 4'294'967'295u : 0);
}

Columns read_all(const fs::path& path, Names& names) {
  auto reader = SegmentReader::open(path);
  if (!reader) throw std::runtime_error(reader.error().message);
  auto segment = *std::move(reader);
  Columns all, part;
  for (std::size_t i = 0; i < segment.row_groups(); ++i) {
    const auto status = segment.read(i, ColumnSet::all(), names, part);
    if (!status) throw std::runtime_error(status.error().message);
    all.append(part, 0, part.size());
  }
  return all;
}

Columns read_person(const fs::path& path, const core::PersonKey& person, Names& names) {
  auto segment = *SegmentReader::open(path);
  Columns all, part;
  for (std::size_t i = 0; i < segment.row_groups(); ++i) {
    const auto status = segment.read_person(i, person, names, part);
    if (!status) throw std::runtime_error(status.error().message);
    all.append(part, 0, part.size());
  }
  return all;
}

void fill_optional(Columns& rows) {
  const std::size_t n = rows.size();
  if (rows.object.empty()) rows.object.resize(n, 0);
  for (auto& column : rows.extra)
    if (column.empty()) column.resize(n, kMissing);
  if (rows.winner.empty()) rows.winner.resize(n, 0);
  if (rows.winner_source.empty()) rows.winner_source.resize(n, kNoName);
  if (rows.line.empty()) rows.line.resize(n, 0);
}

void expect_equal(Columns a, Columns b) {
  fill_optional(a);
  fill_optional(b);
  EXPECT_EQ(a.person, b.person);
  EXPECT_EQ(a.start_ms, b.start_ms);
  EXPECT_EQ(a.duration_ms, b.duration_ms);
  EXPECT_EQ(a.activity, b.activity);
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.region, b.region);
  EXPECT_EQ(a.methodology, b.methodology);
  EXPECT_EQ(a.event, b.event);
  EXPECT_EQ(a.object, b.object);
  EXPECT_EQ(a.evidence, b.evidence);
  EXPECT_EQ(a.quantity, b.quantity);
  EXPECT_EQ(a.extra, b.extra);
  EXPECT_EQ(a.outcome, b.outcome);
  EXPECT_EQ(a.reason, b.reason);
  EXPECT_EQ(a.milligrams, b.milligrams);
  EXPECT_EQ(a.points, b.points);
  EXPECT_EQ(a.winner, b.winner);
  EXPECT_EQ(a.winner_source, b.winner_source);
  EXPECT_EQ(a.revision, b.revision);
  EXPECT_EQ(a.line, b.line);
}

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void put_bytes(const fs::path& path, std::string_view bytes) { std::ofstream(path, std::ios::binary) << bytes; }

TEST(Segment, KeepsWhatWasGivenAndSaysWhatItHolds) {
  Folder folder;
  const Names names = some_names();
  Columns rows;
  add(rows, {1, 2}, kMorning, 1'003'520, false);
  add(rows, {1, 2}, kMorning + 60'000, -5'000, true);
  add(rows, {0xFFFF'FFFF'FFFF'FFFF, 0}, kMorning - 8 * 3'600'000, 0, false);
  SegmentWriter writer(folder / "a.parquet", names, {{"tanhui.programme", "wuhan-demo"}});
  writer.append(rows, 0, 1);
  writer.append(rows, 1, 3);
  const SegmentInfo info = writer.close();
  EXPECT_EQ(info.rows, 3u);
  EXPECT_EQ(info.milligrams, 998'520);
  EXPECT_EQ(info.points, 998);
  EXPECT_EQ(info.person_min, (core::PersonKey{1, 2}));
  EXPECT_EQ(info.person_max, (core::PersonKey{0xFFFF'FFFF'FFFF'FFFF, 0}));
  EXPECT_EQ(info.start_min, kMorning - 8 * 3'600'000);
  EXPECT_EQ(info.start_max, kMorning + 60'000);
  EXPECT_EQ(info.bytes, fs::file_size(info.path));
  EXPECT_EQ(info.sha256, core::sha256(bytes_of(info.path)));

  Names same = names;
  expect_equal(read_all(info.path, same), rows);
  auto reader = SegmentReader::open(info.path);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->rows(), 3u);
  EXPECT_EQ(reader->metadata("tanhui.programme"), "wuhan-demo");
  EXPECT_EQ(reader->metadata("tanhui.milligrams"), "998520");
  EXPECT_EQ(reader->metadata("tanhui.nothing"), std::nullopt);
}

TEST(Segment, WordsFindTheirPlaceInOtherNames) {
  Folder folder;
  Columns rows;
  add(rows, {1, 0}, kMorning, 1, false);
  add(rows, {2, 0}, kMorning, 1, true);
  const Names names = some_names();
  SegmentWriter writer(folder / "a.parquet", names, {});
  writer.append(rows, 0, 2);
  const auto info = writer.close();
  Names others;
  others.sources = {"grid", "map-app"};
  const Columns read = read_all(info.path, others);
  EXPECT_EQ(others.activities, (std::vector<std::string>{"metro-ride", "ev-charging"}));  // only words in use are in the file
  EXPECT_EQ(others.sources, (std::vector<std::string>{"grid", "map-app", "metro-gate", "alipay"}));
  EXPECT_EQ(read.source, (std::vector<std::uint16_t>{2, 3}));
  EXPECT_EQ(read.winner_source, (std::vector<std::uint16_t>{kNoName, 1}));
  EXPECT_EQ(read.methodology, (std::vector<std::uint16_t>{kNoName, 0}));
}

TEST(Segment, ASmallRowGroupHasASmallPage) {
  Folder folder;
  const Names names = some_names();
  Columns rows;
  for (std::uint64_t i = 0; i < 5; ++i) add(rows, {i, 0}, kMorning, 1, false);
  SegmentWriter writer(folder / "a.parquet", names, {}, {.row_group_rows = 2});
  writer.append(rows, 0, 5);
  const auto path = writer.close().path;
  EXPECT_EQ(SegmentReader::open(path)->row_groups(), 3u);
}

TEST(Segment, NoRowsAreASegmentToo) {
  Folder folder;
  const Names names;
  SegmentWriter writer(folder / "a.parquet", names, {});
  const auto info = writer.close();
  EXPECT_EQ(info.rows, 0u);
  Names same;
  EXPECT_EQ(read_all(info.path, same).size(), 0u);
}

TEST(Segment, RowsOutOfOrderOrOfUnequalLengthAreRefused) {
  Folder folder;
  const Names names = some_names();
  const struct {
    const char* why;
    core::PersonKey person;
    core::Millis start;
    bool taken;
  } cases[] = {
      {"same person, same start", {5, 5}, kMorning, true},
      {"same person, earlier", {5, 5}, kMorning - 1, false},
      {"lesser person in the high half", {4, 9}, kMorning + 1, false},
      {"lesser person in the low half", {5, 4}, kMorning + 1, false},
      {"greater person, earlier", {5, 6}, kMorning - 1, true},
  };
  for (const auto& [why, person, start, taken] : cases) {
    Columns rows;
    add(rows, {5, 5}, kMorning, 0, false);
    add(rows, person, start, 0, false);
    SegmentWriter writer(folder / "a.parquet", names, {});
    if (taken)
      EXPECT_NO_THROW(writer.append(rows, 0, 2)) << why;
    else
      EXPECT_THROW(writer.append(rows, 0, 2), core::InvariantBroken) << why;
  }
  Columns rows;
  add(rows, {5, 5}, kMorning, 0, false);
  rows.points.clear();
  SegmentWriter writer(folder / "a.parquet", names, {});
  EXPECT_THROW(writer.append(rows, 0, 1), core::InvariantBroken);
  EXPECT_THROW(SegmentWriter(folder / "no/such/folder.parquet", names, {}), std::system_error);
}

// Any rows in order. `kind` chooses between constant, small and wild values, so that every encoding meets its awkward cases.
Columns any_rows(std::mt19937_64& random, std::size_t count) {
  Columns rows;
  const auto kind = [&] { return random() % 3; };
  const std::array<std::uint64_t, 16> kinds = [&] {
    std::array<std::uint64_t, 16> all{};
    for (auto& k : all) k = kind();
    return all;
  }();
  const auto number = [&](std::size_t column) -> std::int64_t {
    switch (kinds[column]) {
      case 0:
        return 42;
      case 1:
        return std::int64_t(random() % 5000) * 1000;
      default:
        return std::int64_t(random()) >> (random() % 63);
    }
  };
  const auto rare = [&](std::size_t column) { return kinds[column] == 0 || (kinds[column] == 1 && random() % 3 == 0); };
  const auto word = [&](std::size_t column, std::size_t words) {
    return kinds[column] == 0 ? words - 1 : random() % (kinds[column] * (words - 1)) % words;
  };
  const auto no_minimum = [](std::int64_t value) { return value == kMissing ? 0 : value; };
  core::PersonKey person{kinds[0] == 2 ? random() >> 40 : 0, 0};
  core::Millis start = kMorning;
  for (std::size_t i = 0; i < count; ++i) {
    if (random() % 4 == 0) {
      person = kinds[0] == 0 ? core::PersonKey{person.high + (random() >> 30), random()}
                             : core::PersonKey{person.high, person.low + 1 + (random() >> 44)};
      start = kMorning + std::int64_t(random() % 80'000) * 1000;
    } else {
      start += std::int64_t(random() % (kinds[1] * 3'000 + 1));
    }
    rows.person.push_back(person);
    rows.start_ms.push_back(start);
    rows.duration_ms.push_back(rare(2) ? kMissing : no_minimum(number(2)));
    rows.activity.push_back(std::uint16_t(word(3, 3)));
    rows.source.push_back(std::uint16_t(word(4, 3)));
    rows.region.push_back(std::uint16_t(word(5, 2)));
    rows.methodology.push_back(rare(6) ? kNoName : std::uint16_t(random() % 2));
    rows.event.push_back(random());
    rows.evidence.push_back(std::uint8_t(word(7, 3)));
    rows.quantity.push_back(rare(8) ? kMissing : no_minimum(number(8)));
    rows.outcome.push_back(std::uint8_t(word(9, 2)));
    rows.reason.push_back(std::uint8_t(word(10, 3)));
    rows.milligrams.push_back(number(11) >> 20);
    rows.points.push_back(number(12) >> 20);
    rows.revision.push_back(kinds[13] == 0 ? 0 : std::uint16_t(random()));
    if (kinds[14] != 0) {
      rows.object.push_back(rare(14) ? 0 : random());
      rows.winner.push_back(rare(14) ? 0 : random());
      rows.winner_source.push_back(rare(14) ? kNoName : std::uint16_t(random() % 3));
      rows.extra[1].push_back(rare(15) ? kMissing : no_minimum(number(15)));
      rows.line.push_back(kinds[15] == 0 ? 0 : std::uint32_t(random()));
    }
  }
  return rows;
}

RC_GTEST_PROP(SegmentProperty, WhatGoesInComesOut, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  std::mt19937_64 random(seed);
  Folder folder;
  const Columns rows = any_rows(random, std::size_t(*rc::gen::inRange(1, 3000)));
  const Names names = some_names();
  const std::size_t page = 1 + random() % 700;
  SegmentWriter writer(folder / "a.parquet", names, {}, {.row_group_rows = page * (1 + random() % 4), .page_rows = page});
  for (std::size_t begin = 0; begin < rows.size();) {
    const std::size_t end = std::min(rows.size(), begin + 1 + random() % 1500);
    writer.append(rows, begin, end);
    begin = end;
  }
  const auto info = writer.close();
  Names same = names;
  expect_equal(read_all(info.path, same), rows);
  for (int i = 0; i < 8; ++i) {
    const core::PersonKey person = rows.person[random() % rows.size()];
    const auto [first, last] = std::equal_range(rows.person.begin(), rows.person.end(), person);
    Columns theirs;
    theirs.append(rows, std::size_t(first - rows.person.begin()), std::size_t(last - rows.person.begin()));
    expect_equal(read_person(info.path, person, same), theirs);
  }
  expect_equal(read_person(info.path, {~std::uint64_t{0}, ~std::uint64_t{0}}, same), {});
  RC_ASSERT(!::testing::Test::HasFailure());
}

TEST(Segment, ManyDifferentDurationsLeaveTheDictionary) {
  Folder folder;
  const Names names = some_names();
  Columns rows;
  for (int i = 0; i < 20'000; ++i) {
    add(rows, {1, std::uint64_t(i)}, kMorning, 1, false);
    rows.duration_ms.back() = i * 7;
  }
  SegmentWriter writer(folder / "a.parquet", names, {}, {.row_group_rows = 24'000, .page_rows = 1000});
  writer.append(rows, 0, rows.size());
  Names same = names;
  expect_equal(read_all(writer.close().path, same), rows);
}

TEST(Segment, ReadsOnlyWhatIsWanted) {
  Folder folder;
  const Names names = some_names();
  Columns rows;
  for (std::uint64_t i = 0; i < 100; ++i) add(rows, {i, 0}, kMorning, 1, i % 2 == 1);
  SegmentWriter writer(folder / "a.parquet", names, {}, {.row_group_rows = 10, .page_rows = 5});
  writer.append(rows, 0, rows.size());
  const auto path = writer.close().path;
  auto opened = SegmentReader::open(path);
  ASSERT_TRUE(opened);
  auto reader = *std::move(opened);
  ASSERT_EQ(reader.row_groups(), 10u);
  EXPECT_EQ(reader.persons_of(3), (std::pair<core::PersonKey, core::PersonKey>{{30, 0}, {39, 0}}));
  EXPECT_EQ(reader.row_groups_with({39, 0}, {40, 0}), (std::vector<std::size_t>{3, 4}));
  EXPECT_EQ(reader.row_groups_with({39, 1}, {39, 9}), (std::vector<std::size_t>{}));
  EXPECT_EQ(reader.row_groups_with({100, 0}, {200, 0}), (std::vector<std::size_t>{}));
  Names same;
  Columns into;
  ASSERT_TRUE(reader.read(4, {Column::event, Column::object}, same, into));
  EXPECT_EQ(into.event.size(), 10u);
  EXPECT_EQ(into.object[1], std::uint64_t{1} << 63);
  EXPECT_TRUE(into.person.empty() && into.milligrams.empty() && into.activity.empty());
  EXPECT_TRUE(same.activities.empty());
}

TEST(Segment, DamageIsAnErrorThatNamesTheFile) {
  Folder folder;
  const Names names = some_names();
  Columns rows;
  for (std::uint64_t i = 0; i < 2000; ++i) add(rows, {i, 0}, kMorning, 1, i % 3 == 1);
  SegmentWriter writer(folder / "good.parquet", names, {});
  writer.append(rows, 0, rows.size());
  const std::string good = bytes_of(writer.close().path);
  EXPECT_EQ(SegmentReader::open(folder / "none.parquet").error().id, "journal.segment-missing");
  const struct {
    const char* why;
    std::string bytes;
  } cases[] = {
      {"empty", ""},
      {"magic only", "PAR1"},
      {"text", "event_id,source,person\n1,2,3\n"},
      {"cut in the middle", good.substr(0, good.size() / 2)},
      {"last byte missing", good.substr(0, good.size() - 1)},
      {"footer length is nonsense", good.substr(0, good.size() - 8) + std::string("\xFF\xFF\xFF\x7FPAR1", 8)},
  };
  for (const auto& [why, bytes] : cases) {
    put_bytes(folder / "bad.parquet", bytes);
    const auto reader = SegmentReader::open(folder / "bad.parquet");
    ASSERT_FALSE(reader) << why;
    EXPECT_EQ(reader.error().id, "journal.segment-damaged") << why;
    EXPECT_NE(reader.error().message.find("bad.parquet"), std::string::npos) << why;
  }
}

// The questions row_groups_with() and persons_of() have no way to tell of damage; open() asks them first.
TEST(Segment, DamagedMetadataIsFoundWhenOpened) {
  Folder folder;
  const Names names = some_names();
  Columns rows;
  for (std::uint64_t i = 0; i < 4; ++i) add(rows, {i, 0}, kMorning, 1, false);
  SegmentWriter writer(folder / "good.parquet", names, {}, {.row_group_rows = 2, .page_rows = 2});
  writer.append(rows, 0, rows.size());
  const std::string good = bytes_of(writer.close().path);
  std::uint32_t footer = 0;
  std::memcpy(&footer, good.data() + good.size() - 8, 4);
  for (std::size_t at = good.size() - 8 - footer; at < good.size() - 8; ++at) {
    for (const unsigned flip : {1U, 0x80U, 0xFFU}) {
      std::string bad = good;
      bad[at] = char(std::uint8_t(bad[at]) ^ flip);
      put_bytes(folder / "bad.parquet", bad);
      const auto segment = SegmentReader::open(folder / "bad.parquet");
      if (!segment) continue;
      EXPECT_NO_THROW((void)segment->row_groups_with({0, 0}, {9, 0})) << at;
    }
  }
}

// A flipped bit may go unseen here (the run's SHA-256 sees it), but it never crashes or hangs the reader.
TEST(Segment, FlippedBytesNeverCrash) {
  Folder folder;
  const Names names = some_names();
  Columns rows;
  for (std::uint64_t i = 0; i < 300; ++i) add(rows, {i, 0}, kMorning, 1, i % 3 == 1);
  SegmentWriter writer(folder / "good.parquet", names, {}, {.row_group_rows = 200, .page_rows = 50});
  writer.append(rows, 0, rows.size());
  const std::string good = bytes_of(writer.close().path);
  std::mt19937_64 random(11);
  int errors = 0;
  for (int round = 0; round < 400; ++round) {
    std::string bad = good;
    for (int flips = 0; flips < 3; ++flips) bad[random() % bad.size()] = char(random());
    put_bytes(folder / "bad.parquet", bad);
    Names same = names;
    auto reader = SegmentReader::open(folder / "bad.parquet");
    if (!reader) {
      ++errors;
      continue;
    }
    auto segment = *std::move(reader);
    Columns into;
    for (std::size_t i = 0; i < segment.row_groups(); ++i)
      if (!segment.read(i, ColumnSet::all(), same, into)) ++errors;
  }
  EXPECT_GT(errors, 0);
}

// Writes a segment for journal_readers_test.py, which reads it with other programs.
TEST(SegmentForOtherReaders, Write) {
  const char* folder = std::getenv("TANHUI_SEGMENT_FOLDER");
  if (folder == nullptr) GTEST_SKIP() << "TANHUI_SEGMENT_FOLDER is not set";
  const Names names = some_names();
  Columns rows;
  add(rows, {0x0102030405060708, 0x090A0B0C0D0E0F10}, kMorning, 1'003'520, false);
  add(rows, {0x0102030405060708, 0x090A0B0C0D0E0F10}, kMorning + 60'000, -5'000, true);
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    add(rows, {0x2000'0000'0000'0000 + i * i * 977, i}, kMorning + std::int64_t(i) * 1000, std::int64_t(i), i % 7 == 0);
    rows.duration_ms.back() = i % 5 == 0 ? kMissing : std::int64_t(i % 6000) * 1000;
    rows.quantity.back() = std::int64_t(i) * 1'000'003;
    rows.event.back() = i + 1;
  }
  SegmentWriter writer(fs::path(folder) / "run-000001.parquet", names, {{"tanhui.programme", "wuhan-demo"}},
                       {.row_group_rows = 4096, .page_rows = 512});
  writer.append(rows, 0, rows.size());
  EXPECT_EQ(writer.close().rows, 10'002u);
}

}  // namespace
}  // namespace tanhui::journal
