#include "activity/parquet_reader.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "activity/intake_test_support.h"

namespace tanhui::activity {
namespace {

using Rows = std::vector<std::string>;

template <class Builder, class... Values>
std::shared_ptr<arrow::Array> array(Builder&& builder, const Values&... values) {
  const auto add = [&](const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::nullptr_t>)
      EXPECT_TRUE(builder.AppendNull().ok());
    else
      EXPECT_TRUE(builder.Append(value).ok());
  };
  (add(values), ...);
  return builder.Finish().ValueOrDie();
}

std::string write(const test::Folder& folder, const std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [name, values] : columns) {
    fields.push_back(arrow::field(name, values->type()));
    arrays.push_back(values);
  }
  const auto file = (folder.path() / "data.parquet").string();
  auto out = arrow::io::FileOutputStream::Open(file).ValueOrDie();
  EXPECT_TRUE(parquet::arrow::WriteTable(*arrow::Table::Make(arrow::schema(fields), arrays), arrow::default_memory_pool(), out, 2).ok());
  EXPECT_TRUE(out->Close().ok());
  return file;
}

const auto kMillisUtc = arrow::timestamp(arrow::TimeUnit::MILLI, "UTC");

TEST(Parquet, TypesAndMissingValues) {
  const test::Folder folder;
  auto* pool = arrow::default_memory_pool();
  const auto file = write(folder, {{"event_id", array(arrow::Int64Builder(), 11, 12, 13)},
                                   {"source", array(arrow::StringDictionaryBuilder(), "app", "gate", "app")},
                                   {"person", array(arrow::StringBuilder(), "anna", "ben", nullptr)},
                                   {"activity", array(arrow::LargeStringBuilder(), "bike-ride", "walk", "walk")},
                                   {"region", array(arrow::Int32Builder(), 420100, 310000, 310000)},
                                   {"start", array(arrow::TimestampBuilder(kMillisUtc, pool), 1725264900123, 1725264900000, 1725264900000)},
                                   {"end", array(arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MICRO), pool), 1725294900123456,
                                                 nullptr, nullptr)},  // wall clock
                                   {"quantity", array(arrow::Decimal128Builder(arrow::decimal128(10, 2)), arrow::Decimal128(500099),
                                                      arrow::Decimal128(-100), arrow::Decimal128(0))},
                                   {"distance", array(arrow::DoubleBuilder(), 1.0, 4200.75, 1.0)},
                                   {"unwanted", array(arrow::BooleanBuilder(), true, false, true)}});
  const auto got = test::read_all(native_profile(), {file});
  // 2024-09-02T16:35:00.123 in Shanghai is 08:35:00.123 UTC, twenty minutes after the start.
  EXPECT_EQ(got.records, (Rows{"1 bike-ride app 420100 2024-09-02T08:15:00.123Z 1200000 5000 declared",
                               "2 walk gate 310000 2024-09-02T08:15:00.000Z - -1 metered", "3 missing-person"}))
      << got.error;
  EXPECT_EQ(got.extras[0], (std::vector<std::int64_t>{kMissing, 4200}));
}

TEST(Parquet, TimesOfEveryUnit) {
  const test::Folder folder;
  auto* pool = arrow::default_memory_pool();
  const struct {
    const char* why;
    std::shared_ptr<arrow::DataType> type;
    std::int64_t value;
    const char* read;
  } cases[] = {
      {"seconds", arrow::timestamp(arrow::TimeUnit::SECOND, "UTC"), 1725264900, "2024-09-02T08:15:00.000Z"},
      {"before 1970", kMillisUtc, -1, "1969-12-31T23:59:59.999Z"},
      {"the year 14", kMillisUtc, -61'702'000'000'000, "0014-09-28T11:33:20.000Z"},
      {"before the year 0", kMillisUtc, INT64_MIN, "bad-time"},
      {"the year 10000", kMillisUtc, 253'402'300'800'000, "bad-time"},
      {"nanoseconds are cut", arrow::timestamp(arrow::TimeUnit::NANO, "Asia/Shanghai"), 1'725'264'900'123'999'999,
       "2024-09-02T08:15:00.123Z"},
      {"without a zone: the programme's", arrow::timestamp(arrow::TimeUnit::MILLI), 1'725'264'900'000, "2024-09-02T00:15:00.000Z"},
  };
  const auto profile = parse_profile(
      "profile: own\nperson: {constant: a}\nevent: when\nactivity: bike-ride\nsource: app\nstart: when\nquantities: {distance: {constant: "
      "1}}\n",
      "own");
  ASSERT_TRUE(bool(profile));
  for (const auto& [why, type, value, read] : cases) {
    const auto got = test::read_all(*profile, {write(folder, {{"when", array(arrow::TimestampBuilder(type, pool), value)}})});
    ASSERT_EQ(got.records.size(), 1U) << why << got.error;
    EXPECT_NE(got.records[0].find(read), std::string::npos) << why << ": " << got.records[0];
  }
}

TEST(Parquet, DaysOutsideTheCalendar) {
  const test::Folder folder;
  const auto profile = parse_profile(
      "profile: own\nperson: {constant: a}\nevent: {constant: e}\nactivity: bike-ride\nsource: app\nstart: day\nquantities: {distance: "
      "{constant: 1}}\n",
      "own");
  ASSERT_TRUE(bool(profile));
  const auto file = write(folder, {{"day", array(arrow::Date32Builder(), 19968, 19968 + 23'936'532, INT32_MAX, INT32_MIN)}});
  EXPECT_EQ(test::read_all(*profile, {file}).records,
            (Rows{"1 bike-ride app 420100 2024-09-01T16:00:00.000Z - 1 declared", "2 bad-time", "3 bad-time", "4 bad-time"}))
      << "65536 years later is another year of the same last digits";
}

TEST(Parquet, MembersOfStructs) {
  const test::Folder folder;
  const auto inner =
      arrow::StructArray::Make({array(arrow::StringBuilder(), "anna", "ben")}, std::vector<std::string>{"contract"}).ValueOrDie();
  const auto file = write(folder, {{"id", array(arrow::StringBuilder(), "1", "2")},
                                   {"token", inner},
                                   {"day", array(arrow::Date32Builder(), 19968, 19969)},
                                   {"km", array(arrow::FloatBuilder(), 1.5F, 0.1F)}});
  const auto profile = parse_profile(
      "profile: own\nperson: token.contract\nevent: id\nactivity: bike-ride\nsource: app\nstart: day\nquantities: {distance: {column: km, "
      "unit: km}}\n",
      "own");
  ASSERT_TRUE(bool(profile));
  EXPECT_EQ(test::read_all(*profile, {file}).records, (Rows{"1 bike-ride app 420100 2024-09-01T16:00:00.000Z - 1500 declared",
                                                            "2 bike-ride app 420100 2024-09-02T16:00:00.000Z - 100 declared"}));
}

TEST(Parquet, MissingColumn) {
  const test::Folder folder;
  EXPECT_EQ(test::read_all(native_profile(), {write(folder, {{"event_id", array(arrow::StringBuilder(), "1")}})}).error,
            "input.missing-column");
}

}  // namespace
}  // namespace tanhui::activity
