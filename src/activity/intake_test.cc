#include "activity/intake.h"

#include <arrow/util/compression.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <thread>

#include "activity/intake_test_support.h"

namespace tanhui::activity {
namespace {

using Rows = std::vector<std::string>;

const std::string kHeader = "event_id,source,person,activity,region,start,end,quantity\n";
const std::string kRow = "e1,app,anna,bike-ride,420100,2024-09-02T08:15:00Z,2024-09-02T08:35:00Z,5000\n";
const std::string kRead = "2 bike-ride app 420100 2024-09-02T08:15:00.000Z 1200000 5000 declared";

std::string packed(std::string_view text, arrow::Compression::type type) {
  auto codec = arrow::util::Codec::Create(type).ValueOrDie();
  std::string out(std::size_t(codec->MaxCompressedLen(std::int64_t(text.size()), reinterpret_cast<const std::uint8_t*>(text.data()))),
                  '\0');
  const auto size = codec->Compress(std::int64_t(text.size()), reinterpret_cast<const std::uint8_t*>(text.data()), std::int64_t(out.size()),
                                    reinterpret_cast<std::uint8_t*>(out.data()));
  out.resize(std::size_t(size.ValueOrDie()));
  return out;
}

TEST(Native, Rows) {
  const struct {
    const char *why, *row, *read;
  } cases[] = {
      {"plain", "e1,app,anna,bike-ride,420100,2024-09-02T08:15:00Z,2024-09-02T08:35:00Z,5000",
       "bike-ride app 420100 2024-09-02T08:15:00.000Z 1200000 5000 declared"},
      {"evidence of the source", "e1,gate,anna,bike-ride,420100,2024-09-02T08:15:00Z,,5000",
       "bike-ride gate 420100 2024-09-02T08:15:00.000Z - 5000 metered"},
      {"no region: the programme's", "e1,app,anna,bike-ride,,2024-09-02T08:15:00Z,,5000",
       "bike-ride app 420100 2024-09-02T08:15:00.000Z - 5000 declared"},
      {"no quantity: the method decides", "e1,app,anna,tap-in,420100,2024-09-02T08:15:00Z,,",
       "tap-in app 420100 2024-09-02T08:15:00.000Z - - declared"},
      {"local time, the programme's zone", "e1,app,anna,bike-ride,420100,2024-09-02T08:15:00,,5000",
       "bike-ride app 420100 2024-09-02T00:15:00.000Z - 5000 declared"},
      {"a fraction is cut", "e1,app,anna,bike-ride,420100,2024-09-02T08:15:00Z,,5000.9",
       "bike-ride app 420100 2024-09-02T08:15:00.000Z - 5000 declared"},
      {"too few fields", "e1,app,anna,bike-ride", "bad-row"},
      {"too many fields", "e1,app,anna,bike-ride,420100,2024-09-02T08:15:00Z,,5000,", "bad-row"},
      {"broken quotes", "e1,app,\"an\"na,bike-ride,420100,2024-09-02T08:15:00Z,,5000", "bad-row"},
      {"no person", "e1,app,,bike-ride,420100,2024-09-02T08:15:00Z,,5000", "missing-person"},
      {"no event", ",app,anna,bike-ride,420100,2024-09-02T08:15:00Z,,5000", "missing-event"},
      {"unknown activity", "e1,app,anna,teleport,420100,2024-09-02T08:15:00Z,,5000", "unknown-activity"},
      {"no activity", "e1,app,anna,,420100,2024-09-02T08:15:00Z,,5000", "unknown-activity"},
      {"unknown source", "e1,bank,anna,bike-ride,420100,2024-09-02T08:15:00Z,,5000", "unknown-source"},
      {"unknown region", "e1,app,anna,bike-ride,Atlantis,2024-09-02T08:15:00Z,,5000", "unknown-region"},
      {"no start", "e1,app,anna,bike-ride,420100,,,5000", "bad-time"},
      {"impossible day", "e1,app,anna,bike-ride,420100,2024-02-30T08:15:00Z,,5000", "bad-time"},
      {"end is no time", "e1,app,anna,bike-ride,420100,2024-09-02T08:15:00Z,later,5000", "bad-time"},
      {"quantity is no number", "e1,app,anna,bike-ride,420100,2024-09-02T08:15:00Z,,far", "bad-number"},
      {"not UTF-8", "e1,app,an\xFFna,bike-ride,420100,2024-09-02T08:15:00Z,,5000", "bad-encoding"},
  };
  for (const auto& [why, row, read] : cases) {
    // A neighbour before and behind shows that nothing else is touched.
    const auto got = test::read_text("", kHeader + kRow + row + "\n" + kRow);
    EXPECT_EQ(got.records, (Rows{kRead, std::string("3 ") + read, "4" + kRead.substr(1)})) << why << " " << got.error;
  }
}

TEST(Native, ColumnsInAnyOrderAndFurtherOnes) {
  const auto got = test::read_text("",
                                   "quantity,unit,note,distance,start,reversal,person,object,activity,region,event_id,source,evidence\n"
                                   "6000,step,x,4200,2024-09-02T08:15:00Z,1,anna,o1,walk,420100,e1,app,inferred\n"
                                   "1.5,km,x,,2024-09-02T08:15:00Z,0,anna,,bike-ride,420100,e1,gate,\n"
                                   "1.5,kWh,x,,2024-09-02T08:15:00Z,,anna,,bike-ride,420100,e1,app,\n");
  EXPECT_EQ(got.records, (Rows{"2 walk app 420100 2024-09-02T08:15:00.000Z - 6000 inferred reversal",
                               "3 bike-ride gate 420100 2024-09-02T08:15:00.000Z - 1500 metered", "4 other-unit"}));
  EXPECT_EQ(got.extras[0], (std::vector<std::int64_t>{4200, kMissing}));  // a walk's second quantity; a bicycle ride has none
  ASSERT_EQ(got.objects.size(), 2U);
  EXPECT_NE(got.objects[0], 0U);
  EXPECT_EQ(got.objects[1], 0U);
  EXPECT_NE(got.events[0], got.events[1]);  // one id of two sources is two events
  EXPECT_EQ(got.people[0], got.people[1]);
}

TEST(Input, AnsweredWithOneError) {
  const std::string good = kHeader + kRow;
  const struct {
    const char *why, *profile;
    std::string name, bytes;
    const char* error;
  } cases[] = {
      {"empty", "", "a.csv", "", "input.empty"},
      {"only a header is no mistake", "", "a.csv", kHeader, ""},
      {"blank first line", "", "a.csv", "\n" + good, "input.no-header"},
      {"missing column", "", "a.csv", "event_id,source,person,activity,region,start,end\n", "input.missing-column"},
      {"a column twice", "", "a.csv", "event_id,source,person,activity,region,start,end,quantity,person\n", "input.duplicate-column"},
      {"gzip cut in the middle", "", "a.csv.gz", packed(good, arrow::Compression::GZIP).substr(0, 60), "input.truncated"},
      {"gzip damaged", "", "a.csv.gz", packed(good, arrow::Compression::GZIP).replace(30, 8, "damaged!"), "input.broken"},
      {"zstd cut in the middle", "", "a.csv.zst", packed(good, arrow::Compression::ZSTD).substr(0, 60), "input.truncated"},
      {"nothing packed inside", "", "a.csv.gz", packed("", arrow::Compression::GZIP), "input.empty"},
      {"UTF-16", "", "a.csv",
       std::string("\xFF\xFE"
                   "e\0v\0",
                   6),
       "input.encoding"},
      {"GB18030", "", "a.csv", kHeader + "e1,app,\xD5\xC5\xC8\xFD,bike-ride,420100,2024-09-02T08:15:00Z,,5000\n", "input.encoding"},
      {"a ZIP or workbook", "", "a.csv", "PK\x03\x04 and so on", "input.not-text"},
      {"binary", "", "a.csv", std::string("ab\0cd\n", 6), "input.not-text"},
      {"Parquet that is none", "", "a.parquet", "PAR1 but nothing more", "input.broken-parquet"},
      {"JSON list cut in the middle", "", "a.json", R"([{"person": "a"}, {"per)", "input.broken-json"},
      {"JSON list without its end", "", "a.json", R"([{"person": "a"})", "input.broken-json"},
      {"JSON list without a comma", "", "a.json", R"([{"person": "a"} {"person": "b"}])", "input.broken-json"},
  };
  for (const auto& [why, profile, name, bytes, error] : cases) {
    const auto got = test::read_text(profile, bytes, name);
    EXPECT_EQ(got.error, error) << why;
    EXPECT_TRUE(got.records.empty()) << why;
  }
  EXPECT_EQ(test::read_all(native_profile(), {"/nowhere/at/all.csv"}).error, "input.not-found");
  EXPECT_EQ(test::read_all(native_profile(), {}).error, "input.none");
  const test::Folder folder;
  EXPECT_EQ(test::read_all(native_profile(), {folder.path().string()}).error, "input.empty-folder");
}

TEST(Input, PackedMarkedAndForeignTextReadsTheSame) {
  const std::string good = kHeader + kRow;
  std::string windows = good;
  for (std::size_t at = 0; (at = windows.find('\n', at)) != std::string::npos; at += 2) windows.insert(at, "\r");
  const struct {
    const char* why;
    std::string bytes;
  } cases[] = {
      {"plain", good},
      {"no newline at the end", good.substr(0, good.size() - 1)},
      {"carriage returns", windows},
      {"byte order mark", "\xEF\xBB\xBF" + good},
      {"gzip", packed(good, arrow::Compression::GZIP)},
      {"gzip in two members", packed(kHeader, arrow::Compression::GZIP) + packed(kRow, arrow::Compression::GZIP)},
      {"zstd", packed(good, arrow::Compression::ZSTD)},
  };
  for (const auto& [why, bytes] : cases) EXPECT_EQ(test::read_text("", bytes).records, Rows{kRead}) << why;
}

constexpr const char* kOwnProfile =
    "profile: own\nperson: who\nevent: id\nactivity: bike-ride\nsource: app\nstart: when\nquantities: {distance: {column: km, unit: km}}\n";

TEST(Input, Encodings) {
  const std::string profile = std::string(kOwnProfile) + "region: {column: \"区域\", map: {\"武汉\": \"420100\"}}\n";
  const std::string gb =
      "id,who,when,km,\xC7\xF8\xD3\xF2\n1,\xD5\xC5\xC8\xFD,2024-09-02T08:15:00Z,1.5,\xCE\xE4\xBA\xBA\n2,\xFF,2024-09-02T08:15:00Z,1.5,"
      "\xCE\xE4\xBA\xBA\n";
  EXPECT_EQ(test::read_text(profile + "encoding: GB18030\n", gb).records,
            (Rows{"2 bike-ride app 420100 2024-09-02T08:15:00.000Z - 1500 declared", "3 bad-encoding"}));
  const std::string plain = "id,who,when,km\n1,anna,2024-09-02T08:15:00Z,1.5\n";
  std::string wide = "\xFF\xFE";
  for (const char c : plain) wide += std::string{c, '\0'};
  EXPECT_EQ(test::read_text(std::string(kOwnProfile) + "encoding: utf-16\n", wide).records,
            (Rows{"2 bike-ride app 420100 2024-09-02T08:15:00.000Z - 1500 declared"}));
}

TEST(Input, LongLinesCostNothingButThemselves) {
  for (const std::size_t size : {kLineMax - 2000, kLineMax + 600'000, 5 * kLineMax}) {
    const auto got =
        test::read_text("", kHeader + kRow + "e2,app," + std::string(size, 'x') + ",bike-ride,420100,2024-09-02T08:15:00Z,,1\n" + kRow);
    ASSERT_EQ(got.records.size(), 3U) << size;
    std::vector<std::string> sorted = got.records;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(sorted[0], kRead);
    EXPECT_EQ(sorted[1], size < kLineMax ? "3 bike-ride app 420100 2024-09-02T08:15:00.000Z - 1 declared" : "3 too-long-line") << size;
    EXPECT_EQ(sorted[2], "4" + kRead.substr(1)) << size;
  }
  const auto last = test::read_text("", kHeader + kRow + std::string(3 * kLineMax, 'x'));
  EXPECT_EQ(last.records, (Rows{kRead, "3 too-long-line"}));
}

TEST(Input, AQuoteThatIsNeverClosedCostsOneLine) {
  std::string text = kHeader + kRow + "e2,app,\"anna,bike-ride,420100,2024-09-02T08:15:00Z,,1\n";
  const std::string row = "e3,app,anna,bike-ride,420100,2024-09-02T08:15:00Z,2024-09-02T08:35:00Z,5000\n";
  std::size_t rows = 0;
  for (; text.size() < 3 * kLineMax; ++rows) text += row;
  const auto got = test::read_text("", text);
  EXPECT_EQ(got.error, "");
  EXPECT_EQ(got.records.size(), rows + 2);
  EXPECT_EQ(std::count(got.records.begin(), got.records.end(), "3 bad-row"), 1);
  EXPECT_EQ(got.people.size(), rows + 1);
  const auto small = test::read_text("", kHeader + kRow + "e2,app,\"anna,bike-ride,420100,2024-09-02T08:15:00Z,,1\n" + kRow);
  EXPECT_EQ(small.records, (Rows{kRead, "3 bad-row", "4" + kRead.substr(1)}));
}

TEST(InputProperty, WhereAPieceEndsChangesNothing) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 12; ++round) {
    std::string csv = kHeader, ndjson, json = "[";
    const std::size_t rows = 200 + random() % 200;
    for (std::size_t i = 0; i < rows; ++i) {
      const std::string person = random() % 5 == 0 ? "an,na \"\"x\"\"\n" + std::to_string(i) : "anna" + std::to_string(i);
      const bool quoted = person.find('\n') != std::string::npos;
      const std::string time = core::to_text_utc(core::Millis(random() % 2'000'000'000) * 1000);
      csv += fmt::format("e{},app,{},bike-ride,420100,{},,{}\n", i, quoted ? "\"" + person + "\"" : person, time, i);
      ndjson +=
          fmt::format(
              R"({{"event_id":"e{}","source":"app","person":"p{}","activity":"bike-ride","region":"420100","start":"{}","quantity":{}}})",
              i, i, time, i) +
          "\n";
    }
    for (std::size_t at = 0, end = 0; (end = ndjson.find('\n', at)) != std::string::npos; at = end + 1)
      json += (at > 0 ? " ,\n" : "\n ") + ndjson.substr(at, end - at);
    json += "\n]\n";
    const auto whole = test::read_text("", csv);
    ASSERT_EQ(whole.people.size(), rows) << whole.error;
    const auto lines = test::read_text("", ndjson, "a.ndjson"), list = test::read_text("", json, "a.json");
    ASSERT_EQ(lines.people.size(), rows) << lines.error;
    EXPECT_EQ(lines.people, list.people);
    EXPECT_EQ(lines.records, list.records);
    for (const std::size_t piece : {std::size_t{256}, std::size_t{300 + random() % 2000}}) {
      const auto pieces = test::read_text("", csv, "a.csv", piece);
      ASSERT_EQ(pieces.records, whole.records) << piece;
      EXPECT_EQ(pieces.people, whole.people);
      EXPECT_EQ(pieces.events, whole.events);
      EXPECT_EQ(pieces.digest, core::sha256(csv));
      EXPECT_EQ(test::read_text("", ndjson, "a.ndjson", piece).records, lines.records);
      EXPECT_EQ(test::read_text("", json, "a.json", piece).records, list.records);
    }
  }
}

TEST(Input, SeveralFilesAndTheirPlaces) {
  const test::Folder folder;
  folder.write("b.csv", kHeader + kRow + kRow);
  folder.write("a.csv", kHeader + "e9,app,,bike-ride,420100,2024-09-02T08:15:00Z,,1\n");
  folder.write("notes.md", "not data");
  Names words = test::names();
  Context context;
  context.names = &words;
  context.secret = &test::secret();
  const auto source = open_source(native_profile(), {folder.path().string()}, context);
  ASSERT_TRUE(bool(source));
  RecordBatch batch;
  std::vector<std::string> places;
  while (true) {
    const auto more = (*source)->next(batch);
    ASSERT_TRUE(bool(more));
    if (!*more) break;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto place = (*source)->locate(batch.line[i]);
      places.push_back(fmt::format("{}:{} {}", std::filesystem::path(place.file).filename().string(), place.line, name(batch.reason[i])));
    }
  }
  EXPECT_EQ(places, (Rows{"a.csv:2 missing-person", "b.csv:2 credited", "b.csv:3 credited"}));
  EXPECT_EQ((*source)->bytes_done(), (*source)->bytes_total());
}

TEST(Input, TwoThreadsReadWhatOneReads) {
  std::string csv = kHeader;
  for (int i = 0; i < 60'000; ++i) csv += fmt::format("e{},app,p{},bike-ride,42{:04},2024-09-02T08:15:00Z,,{}\n", i, i % 977, i % 300, i);
  const test::Folder folder;
  const std::string file = folder.write("a.csv", csv);
  Names words = test::names();
  Context context;
  context.names = &words;
  context.secret = &test::secret();
  context.piece_bytes = 4096;
  const auto source = open_source(native_profile(), {file}, context);
  ASSERT_TRUE(bool(source));
  std::array<std::vector<std::string>, 2> read;
  const auto work = [&](std::size_t thread) {
    RecordBatch batch;
    while (true) {
      const auto more = (*source)->next(batch);
      if (!more || !*more) return;
      for (std::size_t i = 0; i < batch.size(); ++i) read[thread].push_back(test::shown(batch, i, words));
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  std::vector<std::string> both = read[0], one = test::read_text("", csv).records;
  both.insert(both.end(), read[1].begin(), read[1].end());
  std::sort(both.begin(), both.end());
  std::sort(one.begin(), one.end());
  EXPECT_EQ(both, one);
  EXPECT_EQ((*source)->digest(), core::sha256(csv));
  EXPECT_EQ(words.region_count(), 300U);
}

TEST(Json, Elements) {
  const struct {
    const char *why, *element, *read;
  } cases[] = {
      {"plain",
       R"({"event_id":"e1","source":"app","person":"a","activity":"bike-ride","region":"420100","start":"2024-09-02T08:15:00Z","quantity":12.9})",
       "bike-ride app 420100 2024-09-02T08:15:00.000Z - 12 declared"},
      {"a number keeps its digits",
       R"({"event_id":1,"source":"app","person":7,"activity":"bike-ride","start":"2024-09-02T08:15:00Z","quantity":123456789012345678})",
       "bike-ride app 420100 2024-09-02T08:15:00.000Z - 123456789012345678 declared"},
      {"escapes",
       R"({"event_id":"e\u0031","source":"app","person":"a","activity":"bike\u002dride","start":"2024-09-02T08:15:00Z","quantity":1})",
       "bike-ride app 420100 2024-09-02T08:15:00.000Z - 1 declared"},
      {"null is missing",
       R"({"event_id":"e1","source":"app","person":null,"activity":"bike-ride","start":"2024-09-02T08:15:00Z","quantity":1})",
       "missing-person"},
      {"a key that is not there", R"({"event_id":"e1","source":"app","activity":"bike-ride","start":"2024-09-02T08:15:00Z","quantity":1})",
       "missing-person"},
      {"a number where an object should be", "5", "bad-row"},
      {"broken inside", R"({"event_id":"e1","source":"app" "person":"a"})", "bad-row"},
      {"not UTF-8", "{\"event_id\":\"e1\",\"source\":\"app\",\"person\":\"\xFF\"}", "bad-encoding"},
  };
  for (const auto& [why, element, read] : cases) {
    EXPECT_EQ(test::read_text("", std::string("[") + element + "]", "a.json").records, (Rows{std::string("1 ") + read})) << why;
    const std::string first = R"({"event_id":"e1"})";  // makes the file NDJSON whatever the element looks like
    EXPECT_EQ(test::read_text("", first + "\n" + element + "\n", "a.ndjson").records.back(), std::string("2 ") + read) << why;
  }
  EXPECT_EQ(test::read_text("", "{\"a\":1}\n{\"b\":2} trailing\n", "a.ndjson").records, (Rows{"1 unknown-activity", "2 bad-row"}));
}

TEST(Json, PathsAndRecordsInside) {
  const std::string profile =
      "profile: own\nperson: token.contract\nevent: id\nactivity: ev-charge\nsource: app\nstart: periods.1.begin\nrecords: data.items\n"
      "quantities: {energy: {column: total, unit: kWh}}\n";
  const std::string text = R"({"version": "2", "skipped": {"items": [1, "]"]}, "data": {"n": 2, "items": [
      {"id": "1", "token": {"contract": "c1"}, "periods": [{"begin": "x"}, {"begin": "2024-09-02T08:15:00Z"}], "total": 1.5},
      {"id": "2", "token": {}, "periods": [], "total": 2}], "more": [{}]}, "end": 1})";
  EXPECT_EQ(test::read_text(profile, text, "a.json").records,
            (Rows{"1 ev-charge app 420100 2024-09-02T08:15:00.000Z - 1500 declared", "2 missing-person"}));
  EXPECT_EQ(test::read_text(profile, R"({"data": {"nothing": []}})", "a.json").error, "input.broken-json");
  const std::string one_by_one =
      "{\"id\":\"1\",\n\"token\":{\"contract\":\"c\"},\"periods\":[0,{\"begin\":\"2024-09-02\"}],\"total\":1}\n{\n}";
  std::string top = profile;
  top.erase(top.find("records:"), std::string("records: data.items\n").size());
  EXPECT_EQ(test::read_text(top, one_by_one, "a.json").records,
            (Rows{"1 ev-charge app 420100 2024-09-01T16:00:00.000Z - 1000 declared", "2 missing-person"}));
}

TEST(Json, BracketsAndQuotesInsideStrings) {
  const std::string good =
      R"({"note":"\"]}, {\\","event_id":"e1","source":"app","person":"a","activity":"bike-ride","start":"2024-09-02T08:15:00Z","quantity":1})";
  const auto got = test::read_text("", "[" + good + "," + good + "]", "a.json");
  EXPECT_EQ(got.records, (Rows{"1 bike-ride app 420100 2024-09-02T08:15:00.000Z - 1 declared",
                               "2 bike-ride app 420100 2024-09-02T08:15:00.000Z - 1 declared"}))
      << got.error;
}

TEST(Json, AnElementTooLongIsRefusedAlone) {
  const std::string good =
      R"({"event_id":"e1","source":"app","person":"a","activity":"bike-ride","start":"2024-09-02T08:15:00Z","quantity":1})";
  const std::string huge = R"({"event_id":"e2","note":")" + std::string(3 * kLineMax, '[') + "\"}";
  const auto got = test::read_text("", "[" + good + "," + huge + ",\n" + good + "]", "a.json");
  EXPECT_EQ(got.records, (Rows{"1 bike-ride app 420100 2024-09-02T08:15:00.000Z - 1 declared", "2 too-long-line",
                               "3 bike-ride app 420100 2024-09-02T08:15:00.000Z - 1 declared"}));
}

TEST(Profiled, Mappings) {
  const std::string base = "profile: own\nsource: app\n";
  const struct {
    const char* why;
    std::string profile;
    const char* text;
    Rows rows;
  } cases[] = {
      {"activity codes, unknown ones refused",
       "person: p\nevent: e\nactivity: {column: kind, map: {B: bike-ride, W: walk}}\nstart: t\nquantities: {quantity: q}\n",
       "p,e,kind,t,q\na,1,B,2024-09-02,5\na,2,W,2024-09-02,6\na,3,X,2024-09-02,7\n",
       {"2 bike-ride app 420100 2024-09-01T16:00:00.000Z - 5 declared", "3 walk app 420100 2024-09-01T16:00:00.000Z - 6 declared",
        "4 unknown-activity"}},
      {"quantities by name find their place; some are for some activities",
       "person: p\nevent: e\nactivity: {column: kind}\nstart: t\n"
       "quantities: {boardings: {constant: 1}, distance: {column: fare, unit: km, for: [tap-out], table: {\"300\": 4, \"400\": 8.5}}}\n",
       "p,e,kind,t,fare\na,1,bus-ride,2024-09-02,300\na,2,tap-out,2024-09-02,400\na,3,tap-out,2024-09-02,999\na,4,tap-in,2024-09-02,300\n",
       {"2 bus-ride app 420100 2024-09-01T16:00:00.000Z - 1 declared", "3 tap-out app 420100 2024-09-01T16:00:00.000Z - 8500 declared",
        "4 tap-out app 420100 2024-09-01T16:00:00.000Z - - declared", "5 tap-in app 420100 2024-09-01T16:00:00.000Z - - declared"}},
      {"end from a duration, with the row's unit",
       "person: p\nevent: e\nactivity: bike-ride\nstart: t\nend: {after: {column: d, unit_column: u}}\nquantities: {distance: q}\n",
       "p,e,t,d,u,q\na,1,2024-09-02,1.5,min,5\na,2,2024-09-02,90,s,5\na,3,2024-09-02,,s,5\na,4,2024-09-02,9,km,5\n",
       {"2 bike-ride app 420100 2024-09-01T16:00:00.000Z 90000 5 declared",
        "3 bike-ride app 420100 2024-09-01T16:00:00.000Z 90000 5 declared", "4 bike-ride app 420100 2024-09-01T16:00:00.000Z - 5 declared",
        "5 bad-time"}},
      {"consent and reversal",
       "person: p\nevent: e\nactivity: bike-ride\nstart: t\nquantities: {distance: q}\nconsent: {column: c, yes: [\"1\", y]}\nreversal: "
       "{column: r, yes: [x]}\n",
       "p,e,t,q,c,r\na,1,2024-09-02,5,1,\na,1,2024-09-02,5,y,x\na,2,2024-09-02,5,0,\na,3,2024-09-02,5,,\n",
       {"2 bike-ride app 420100 2024-09-01T16:00:00.000Z - 5 declared",
        "3 bike-ride app 420100 2024-09-01T16:00:00.000Z - 5 declared reversal", "4 no-consent", "5 no-consent"}},
      {"words for nothing, and ids that are none",
       "person: {column: p, refuse: [\"*E+*\", \"0\"]}\nevent: e\nactivity: bike-ride\nstart: t\nquantities: {distance: q}\n\"null\": [NA, "
       "\"-\"]\n",
       "p,e,t,q\nNA,1,2024-09-02,5\n1.09E+18,2,2024-09-02,5\n0,3,2024-09-02,5\na,-,2024-09-02,5\na,5,2024-09-02,NA\n",
       {"2 missing-person", "3 missing-person", "4 missing-person", "5 missing-event",
        "6 bike-ride app 420100 2024-09-01T16:00:00.000Z - - declared"}},
      {"a person of two columns needs both",
       "person: {columns: [p, h]}\nevent: {columns: [e, t]}\nactivity: bike-ride\nstart: t\nquantities: {distance: q}\n",
       "p,h,e,t,q\na,b,,2024-09-02,5\na,,1,2024-09-02,5\n",
       {"2 bike-ride app 420100 2024-09-01T16:00:00.000Z - 5 declared", "3 missing-person"}},
      {"cells become records; empty ones do not",
       "person: p\nevent: e\nactivity: {column: $name}\nstart: {column: t, plus: {column: $index, unit: h}}\nquantities: {mass: {column: "
       "$value, unit: kg}}\n"
       "unpivot: {columns: {paper: recycle-paper, glass: recycle-glass}}\n",
       "p,e,t,paper,glass\na,1,2024-09-02,1.5,0.2\na,2,2024-09-02,,3\nshort\n",
       {"2 recycle-paper app 420100 2024-09-01T16:00:00.000Z - 1500 declared",
        "2 recycle-glass app 420100 2024-09-01T17:00:00.000Z - 200 declared",
        "3 recycle-glass app 420100 2024-09-01T17:00:00.000Z - 3000 declared", "4 bad-row"}},
      {"sections, rows of other kinds, no header",
       "person: $meter\nevent: {columns: [$meter, \"2\"]}\nactivity: meter-reading\nstart: {column: \"2\", format: \"%Y%m%d\"}\n"
       "quantities: {saved_energy: {column: \"3\", unit: kWh}}\ncsv: {header: false, fields: 3, sections: {begins: \"200\", keep: {meter: "
       "2}}, only_rows: {column: \"1\", equals: \"300\"}}\n",
       "100,x\n200,M1,y,z\n300,20240902,1\n300,20240903,2\n200,M2\n300,20240902,3\n300,20240902\n900\n",
       {"3 meter-reading app 420100 2024-09-01T16:00:00.000Z - 1000 declared",
        "4 meter-reading app 420100 2024-09-02T16:00:00.000Z - 2000 declared",
        "6 meter-reading app 420100 2024-09-01T16:00:00.000Z - 3000 declared", "7 bad-row"}},
      {"junk before the header, foreign delimiter and decimals",
       "person: p\nevent: e\nactivity: bike-ride\nstart: {column: t, format: \"%d.%m.%Y\"}\nquantities: {distance: {column: q, unit: km}}\n"
       "csv: {delimiter: \";\", skip_lines: 2}\nnumbers: {decimal: \",\", thousands: \".\"}\n",
       "Report\n;;;\np;e;t;q\na;1;02.09.2024;1.234,5\n",
       {"4 bike-ride app 420100 2024-09-01T16:00:00.000Z - 1234500 declared"}},
      {"no header, names given; evidence by word",
       "person: p\nevent: {row: true}\nactivity: bike-ride\nstart: t\nquantities: {distance: q}\ncsv: {header: [p, t, q, v]}\nevidence: "
       "{column: v, map: {A: metered, E: inferred}}\n",
       "a,2024-09-02,5,A\na,2024-09-02,5,E\na,2024-09-02,5,?\n",
       {"1 bike-ride app 420100 2024-09-01T16:00:00.000Z - 5 metered", "2 bike-ride app 420100 2024-09-01T16:00:00.000Z - 5 inferred",
        "3 bike-ride app 420100 2024-09-01T16:00:00.000Z - 5 declared"}},
  };
  for (const auto& [why, profile, text, rows] : cases) {
    const auto got = test::read_text(base + profile, text);
    EXPECT_EQ(got.error, "") << why;
    EXPECT_EQ(got.records, rows) << why;
  }
}

TEST(Profiled, KeysOfRowsAndCells) {
  const auto rows = test::read_text(std::string(kOwnProfile).replace(std::string(kOwnProfile).find("event: id"), 9, "event: {row: true}"),
                                    "id,who,when,km\n1,a,2024-09-02,1\n1,a,2024-09-02,1\n1,a,2024-09-02,2\n");
  ASSERT_EQ(rows.events.size(), 3U);
  EXPECT_EQ(rows.events[0], rows.events[1]);
  EXPECT_NE(rows.events[0], rows.events[2]);
  const auto cells = test::read_text(
      "profile: own\nsource: app\nperson: p\nevent: e\nactivity: recycle-paper\nstart: {constant: \"2024-09-02\"}\nquantities: {mass: "
      "{column: $value, unit: g}}\n"
      "unpivot: {columns: {a: x, b: x}}\n",
      "p,e,a,b\n1,1,5,5\n");
  ASSERT_EQ(cells.events.size(), 2U);
  EXPECT_NE(cells.events[0], cells.events[1]);
}

TEST(Profiled, PositionsAndChecks) {
  const std::string profile =
      std::string(kOwnProfile) +
      "positions: {from: {latitude: a, longitude: b}, to: {latitude: c, longitude: d}}\n"
      "checks: {box: {south: 30, west: 113, north: 32, east: 115}, moved_min: 50 m, path_ratio_max: 3, path_ratio_from: 5 km}\n";
  const auto got = test::read_text(profile,
                                   "id,who,when,km,a,b,c,d\n"
                                   "1,p,2024-09-02,2,30.5,114.3,30.51,114.3\n"       // 1.1 km apart
                                   "2,p,2024-09-02,4.9,30.5,114.3,30.51,114.3\n"     // below the least length that is checked
                                   "3,p,2024-09-02,5.1,30.5,114.3,30.51,114.3\n"     // 4.6 times the straight line
                                   "4,p,2024-09-02,0.04,30.5,114.3,30.5001,114.3\n"  // 11 m, and the track is no longer
                                   "5,p,2024-09-02,4,30.5,114.3,30.5,114.3\n"        // a round trip
                                   "6,p,2024-09-02,2,30.5,114.3,3.51,114.3\n"
                                   "7,p,2024-09-02,2,,,30.51,114.3\n");
  EXPECT_EQ(got.records, (Rows{"2 bike-ride app 420100 2024-09-01T16:00:00.000Z - 2000 declared",
                               "3 bike-ride app 420100 2024-09-01T16:00:00.000Z - 4900 declared", "4 path-jumps", "5 not-moved",
                               "6 bike-ride app 420100 2024-09-01T16:00:00.000Z - 4000 declared", "7 position-out-of-range",
                               "8 bike-ride app 420100 2024-09-01T16:00:00.000Z - 2000 declared"}));
}

TEST(Profiled, DistanceFromStations) {
  const test::Folder folder;
  folder.write("stations.csv", "name,code,lat,lon\n\"Wuchang, east\",A,0.5,10\nHankou,B,1.5,10\nnowhere,C,,\n");
  const std::string yaml =
      "profile: own\nperson: who\nevent: id\nactivity: bike-ride\nsource: app\nstart: when\nquantities: {distance: {between_positions: "
      "true, detour: 1.1}}\n"
      "positions: {from: {station: on}, to: {station: off}, stations: {file: stations.csv, key: code, latitude: lat, longitude: lon}}\n";
  const auto profile = load_profile(folder.write("own.yaml", yaml));
  ASSERT_TRUE(bool(profile)) << profile.error().message;
  const auto got = test::read_all(
      *profile, {folder.write("rides.csv", "id,who,when,on,off\n1,p,2024-09-02,A,B\n2,p,2024-09-02,A,Z\n3,p,2024-09-02,A,\n")});
  // 111 195.080 m times 1.1 is 122 314.588 m
  EXPECT_EQ(got.records, (Rows{"2 bike-ride app 420100 2024-09-01T16:00:00.000Z - 122314 declared", "3 unknown-station",
                               "4 bike-ride app 420100 2024-09-01T16:00:00.000Z - - declared"}));
  Profile lost = *profile;
  lost.stations->file = "nowhere.csv";
  EXPECT_EQ(test::read_all(lost, {folder.path().string()}).error, "profile.station-table");
}

TEST(Profiled, RefusedAgainstTheCatalogue) {
  const struct {
    const char *why, *from, *to, *error;
  } cases[] = {
      {"activity", "activity: bike-ride", "activity: teleport", "profile.unknown-activity"},
      {"source", "source: app", "source: bank", "profile.unknown-source"},
      {"unit", "unit: km", "unit: kWh", "profile.other-unit"},
      {"quantity", "{distance:", "{energy:", "profile.unknown-quantity"},
  };
  for (const auto& [why, from, to, error] : cases) {
    std::string yaml = kOwnProfile;
    yaml.replace(yaml.find(from), std::string_view(from).size(), to);
    EXPECT_EQ(test::read_text(yaml, "id,who,when,km\n").error, error) << why;
  }
}

}  // namespace
}  // namespace tanhui::activity
