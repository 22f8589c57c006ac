#include "activity/sample.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "core/hash.h"

namespace tanhui::activity {
namespace {

struct Row {
  std::string event, source, person, activity, region, start, end, quantity, evidence;
};

struct Written {
  std::string text;
  SampleSummary summary;
};

Written sample(const SampleOptions& options) {
  std::ostringstream out;
  const auto summary = write_sample(options, out);
  if (!summary) throw std::runtime_error(summary.error().message);
  return {out.str(), *summary};
}

std::vector<Row> rows_of(const std::string& csv) {
  std::vector<Row> rows;
  std::istringstream in(csv);
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(line, "event_id,source,person,activity,region,start,end,quantity,evidence");
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    Row row;
    for (std::string* field :
         {&row.event, &row.source, &row.person, &row.activity, &row.region, &row.start, &row.end, &row.quantity, &row.evidence})
      std::getline(fields, *field, ',');
    rows.push_back(row);
  }
  return rows;
}

TEST(Sample, TheSameOptionsGiveTheSameBytes) {
  const SampleOptions options{.people = 500, .days = 3, .seed = 7};
  const auto first = sample(options);
  EXPECT_EQ(first.text, sample(options).text);
  // Golden digests: they change only when the city is changed on purpose, and are equal on every machine.
  EXPECT_EQ(core::to_hex(core::sha256(first.text)), "97d91cf716c9b5af23688722d4aa598f918d77ea6ed0df159f024e7bc432094b");
  auto other = options;
  other.seed = 8;
  EXPECT_NE(first.text, sample(other).text);
  other = options;
  other.format = SampleFormat::ndjson;
  EXPECT_EQ(core::to_hex(core::sha256(sample(other).text)), "e8976dc01ffb4b2d1dd062af2c687d334500f8e29260af42f8918c3f1dddbcf5");
}

TEST(Sample, LooksLikeTheNativeFormat) {
  const auto written = sample({.people = 300, .days = 2, .seed = 3});
  const auto rows = rows_of(written.text);
  ASSERT_EQ(rows.size(), written.summary.rows);
  EXPECT_EQ(written.summary.rows, written.summary.reports + written.summary.redelivered);
  EXPECT_LT(written.text.size() / rows.size(), 130u);
  for (const Row& row : rows) {
    EXPECT_EQ(row.event.size(), 13u);
    EXPECT_EQ(row.region, "420100");
    EXPECT_TRUE(row.start.ends_with("Z") || row.start.ends_with("+08:00")) << row.start;
    EXPECT_TRUE(row.evidence == "metered" || row.evidence == "inferred") << row.evidence;
  }
}

// Shares within 3 % of the published ones, means within 2 %: the sample is large enough for that.
TEST(Sample, LivesByThePublishedFigures) {
  std::ostringstream out;
  const auto summary = write_sample({.people = 40'000, .days = 14, .seed = 1}, out);
  ASSERT_TRUE(summary);
  std::uint32_t shares = 0;
  for (std::size_t i = 0; i < kCityActivities; ++i) {
    const CityFigure& figure = city_figures()[i];
    shares += figure.acts_share;
    const double share = 10'000.0 * double(summary->acts_of[i]) / double(summary->acts);
    EXPECT_NEAR(share, figure.acts_share, 0.03 * figure.acts_share + 3) << figure.activity;
    const double mean = double(summary->quantity_of[i]) / double(summary->acts_of[i]);
    EXPECT_NEAR(mean, double(figure.mean_quantity), 0.02 * double(figure.mean_quantity)) << figure.activity;
  }
  EXPECT_EQ(shares, 10'000u);
  const double per_person_day = double(summary->acts) / (40'000.0 * 14);
  EXPECT_NEAR(per_person_day, 1.06, 0.03);
  EXPECT_NEAR(double(summary->reports) / double(summary->acts), 1.45, 0.1);
  EXPECT_NEAR(double(summary->redelivered) / double(summary->reports), 0.01, 0.001);
}

TEST(Sample, DefectsComeAtTheirRates) {
  std::ostringstream out;
  const auto summary = write_sample({.people = 40'000, .days = 10, .seed = 2}, out);
  ASSERT_TRUE(summary);
  const struct {
    SampleDefect defect;
    double per_100000;
  } rates[] = {
      {SampleDefect::clock_reset, 50},      {SampleDefect::missing_person, 100}, {SampleDefect::bad_number, 50},
      {SampleDefect::end_before_start, 50}, {SampleDefect::future, 20},
  };
  for (const auto& [defect, rate] : rates)
    EXPECT_NEAR(100'000.0 * double(summary->defects[std::size_t(defect)]) / double(summary->rows), rate, rate / 4) << name(defect);
  EXPECT_GT(summary->defects[std::size_t(SampleDefect::position_jump)], 0u);
}

TEST(Sample, DefectsAreInTheRows) {
  const auto written = sample({.people = 5'000, .days = 5, .seed = 4});
  std::array<std::uint64_t, kSampleDefects> seen{};
  for (const Row& row : rows_of(written.text)) {
    const bool same_zone = row.start.back() == row.end.back();
    ASSERT_TRUE(same_zone);
    seen[std::size_t(SampleDefect::clock_reset)] += row.start.starts_with("1980-");
    seen[std::size_t(SampleDefect::missing_person)] += row.person.empty();
    seen[std::size_t(SampleDefect::bad_number)] += row.quantity == "n/a";
    seen[std::size_t(SampleDefect::end_before_start)] += row.end < row.start;
    seen[std::size_t(SampleDefect::future)] += row.start.starts_with("2035-");
  }
  for (const auto defect : {SampleDefect::clock_reset, SampleDefect::missing_person, SampleDefect::bad_number,
                            SampleDefect::end_before_start, SampleDefect::future}) {
    EXPECT_EQ(seen[std::size_t(defect)], written.summary.defects[std::size_t(defect)]) << name(defect);
    EXPECT_GT(seen[std::size_t(defect)], 0u) << name(defect);
  }
}

TEST(Sample, SeveralSourcesTellOfOneActAndEventIdsAreTheirOwn) {
  const auto written = sample({.people = 2'000, .days = 3, .seed = 5});
  std::map<std::string, int> by_event;
  std::set<std::string> sources;
  for (const Row& row : rows_of(written.text)) {
    ++by_event[row.source + row.event];
    sources.insert(row.source);
  }
  EXPECT_EQ(by_event.size(), written.summary.reports);
  EXPECT_EQ(sources.size(), 10u);
}

TEST(Sample, EveryFormatAndCompressionIsWritten) {
  const SampleOptions plain{.people = 200, .days = 2, .seed = 6};
  const struct {
    const char* why;
    SampleFormat format;
    SampleCompression compression;
    std::string_view magic;
  } cases[] = {
      {"csv gzip", SampleFormat::csv, SampleCompression::gzip, "\x1F\x8B"},
      {"csv zstd", SampleFormat::csv, SampleCompression::zstd, "\x28\xB5\x2F\xFD"},
      {"ndjson gzip", SampleFormat::ndjson, SampleCompression::gzip, "\x1F\x8B"},
      {"parquet", SampleFormat::parquet, SampleCompression::none, "PAR1"},
      {"parquet zstd", SampleFormat::parquet, SampleCompression::zstd, "PAR1"},
  };
  for (const auto& [why, format, compression, magic] : cases) {
    auto options = plain;
    options.format = format;
    options.compression = compression;
    const auto written = sample(options);
    EXPECT_TRUE(written.text.starts_with(magic)) << why;
    EXPECT_EQ(written.summary.rows, sample(plain).summary.rows) << why;
    EXPECT_LT(written.text.size(), sample(plain).text.size()) << why;
    EXPECT_EQ(written.text, sample(options).text) << why;
  }
}

TEST(Sample, ImpossibleCitiesAreRefused) {
  std::ostringstream out;
  EXPECT_EQ(write_sample({.people = 0}, out).error().id, "sample.people");
  EXPECT_EQ(write_sample({.people = 100'000'001}, out).error().id, "sample.people");
  EXPECT_EQ(write_sample({.days = 0}, out).error().id, "sample.days");
  EXPECT_EQ(write_sample({.days = 3'661}, out).error().id, "sample.days");
  EXPECT_EQ(out.str(), "");
}

}  // namespace
}  // namespace tanhui::activity
