#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/builder_time.h>
#include <arrow/io/compressed.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/compression.h>
#include <parquet/arrow/writer.h>

#include <algorithm>
#include <cstring>
#include <ostream>
#include <stdexcept>

#include "activity/sample_city.h"

namespace tanhui::activity {
namespace {

using sample::Report;

constexpr std::uint64_t kPeoplePerPart = 50'000;
constexpr std::uint64_t kPeopleMax = 100'000'000;
constexpr std::uint32_t kDaysMax = 3'660;
constexpr std::size_t kBlock = 256 * 1024;
constexpr std::size_t kRowMax = 512;  // generous: no field is longer than its kind allows
constexpr int kFastest = 1;
constexpr std::string_view kRegion = "420100";

void check(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error("the sample cannot be written: " + status.ToString());
}

/// Arrow's view of a C++ stream.
class StreamSink final : public arrow::io::OutputStream {
 public:
  explicit StreamSink(std::ostream& out) : out_(out) {}
  using arrow::io::OutputStream::Write;
  arrow::Status Write(const void* data, std::int64_t size) override {
    if (!out_.write(static_cast<const char*>(data), std::streamsize(size)))
      return arrow::Status::IOError("the stream refused ", size, " bytes");
    position_ += size;
    return arrow::Status::OK();
  }
  arrow::Status Close() override {
    closed_ = true;
    return out_.flush() ? arrow::Status::OK() : arrow::Status::IOError("the stream refused the end");
  }
  arrow::Result<std::int64_t> Tell() const override { return position_; }
  bool closed() const override { return closed_; }

 private:
  std::ostream& out_;
  std::int64_t position_ = 0;
  bool closed_ = false;
};

arrow::Compression::type codec_of(SampleCompression compression) {
  switch (compression) {
    case SampleCompression::gzip:
      return arrow::Compression::GZIP;
    case SampleCompression::zstd:
      return arrow::Compression::ZSTD;
    case SampleCompression::none:
      break;
  }
  return arrow::Compression::UNCOMPRESSED;
}

// ---- text of the single values; each returns the end of what it wrote

char* put(std::string_view text, char* to) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

char* put_number(std::int64_t value, char* to) {
  if (value < 0) {
    *to++ = '-';
    value = -value;
  }
  std::array<char, 20> digits;
  std::size_t count = 0;
  do digits[count++] = char('0' + value % 10);
  while ((value /= 10) > 0);
  while (count > 0) *to++ = digits[--count];
  return to;
}

constexpr std::size_t kIdLength = 13;

char* put_id(std::uint64_t id, char* to) {  // 13 letters and digits, 5 bits each
  constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  for (std::size_t i = kIdLength; i-- > 0; id >>= 5) to[i] = alphabet[id & 31];
  return to + kIdLength;
}

/// Days come in long rows of the same one: its text is kept.
class TimeText {
 public:
  char* put(core::Millis instant, bool utc, char* to) {
    const std::int64_t seconds = instant / 1000 + (utc ? 0 : 8 * 3600);  // no sample lies before 1970
    const auto day = std::int32_t(seconds / 86'400);
    if (day != day_) {
      day_ = day;
      text_ = core::to_text(core::Day{day});
    }
    to = activity::put(text_, to);
    const auto rest = int(seconds % 86'400);
    *to++ = 'T';
    to = two(rest / 3600, to);
    *to++ = ':';
    to = two(rest / 60 % 60, to);
    *to++ = ':';
    to = two(rest % 60, to);
    return activity::put(utc ? "Z" : "+08:00", to);
  }

 private:
  static char* two(int value, char* to) {
    *to++ = char('0' + value / 10);
    *to++ = char('0' + value % 10);
    return to;
  }
  std::int32_t day_ = -1;
  std::string text_;
};

// ---- one writer a format

class SampleWriter {
 public:
  virtual ~SampleWriter() = default;
  virtual void write(const Report& report) = 0;
  virtual void finish() = 0;
};

class TextWriter : public SampleWriter {
 public:
  TextWriter(std::shared_ptr<arrow::io::OutputStream> out, std::uint64_t seed) : out_(std::move(out)), person_salt_(sample::mix(seed)) {
    block_.resize(kBlock + kRowMax);
  }
  void finish() override {
    flush();
    check(out_->Close());
  }

 protected:
  char* room() {
    if (used_ > kBlock) flush();
    return block_.data() + used_;
  }
  void wrote(const char* end) { used_ = std::size_t(end - block_.data()); }
  char* put_person(const Report& report, char* to) const {
    return report.defect == SampleDefect::missing_person ? to : put_id(sample::mix(report.person + person_salt_), to);
  }
  TimeText start_, end_;

 private:
  void flush() {
    check(out_->Write(block_.data(), std::int64_t(used_)));
    used_ = 0;
  }
  std::shared_ptr<arrow::io::OutputStream> out_;
  std::uint64_t person_salt_;
  std::string block_;
  std::size_t used_ = 0;
};

class CsvWriter final : public TextWriter {
 public:
  CsvWriter(std::shared_ptr<arrow::io::OutputStream> out, std::uint64_t seed) : TextWriter(std::move(out), seed) {
    wrote(put("event_id,source,person,activity,region,start,end,quantity,evidence\n", room()));
  }
  void write(const Report& report) override {
    const bool utc = writes_utc(report.source);
    char* to = room();
    to = put_id(report.event, to);
    *to++ = ',';
    to = put(name(report.source), to);
    *to++ = ',';
    to = put_person(report, to);
    *to++ = ',';
    to = put(city_figures()[report.activity].activity, to);
    *to++ = ',';
    to = put(kRegion, to);
    *to++ = ',';
    to = start_.put(report.start_ms, utc, to);
    *to++ = ',';
    to = end_.put(report.end_ms, utc, to);
    *to++ = ',';
    to = report.defect == SampleDefect::bad_number ? put("n/a", to) : put_number(report.quantity, to);
    *to++ = ',';
    to = put(name(report.evidence), to);
    *to++ = '\n';
    wrote(to);
  }
};

class NdjsonWriter final : public TextWriter {
 public:
  using TextWriter::TextWriter;
  void write(const Report& report) override {
    const bool utc = writes_utc(report.source);
    char* to = put("{\"event_id\":\"", room());
    to = put_id(report.event, to);
    to = put("\",\"source\":\"", to);
    to = put(name(report.source), to);
    to = put("\",\"person\":\"", to);
    to = put_person(report, to);
    to = put("\",\"activity\":\"", to);
    to = put(city_figures()[report.activity].activity, to);
    to = put("\",\"region\":\"420100\",\"start\":\"", to);
    to = start_.put(report.start_ms, utc, to);
    to = put("\",\"end\":\"", to);
    to = end_.put(report.end_ms, utc, to);
    to = put("\",\"quantity\":", to);
    to = report.defect == SampleDefect::bad_number ? put("\"n/a\"", to) : put_number(report.quantity, to);
    to = put(",\"evidence\":\"", to);
    to = put(name(report.evidence), to);
    wrote(put("\"}\n", to));
  }
};

class ParquetWriter final : public SampleWriter {
 public:
  ParquetWriter(const std::shared_ptr<arrow::io::OutputStream>& out, std::uint64_t seed, SampleCompression compression)
      : sink_(out), person_salt_(sample::mix(seed)) {
    const auto time = arrow::timestamp(arrow::TimeUnit::MILLI, "UTC");
    schema_ =
        arrow::schema({arrow::field("event_id", arrow::utf8(), false), arrow::field("source", arrow::utf8(), false),
                       arrow::field("person", arrow::utf8()), arrow::field("activity", arrow::utf8(), false),
                       arrow::field("region", arrow::utf8(), false), arrow::field("start", time, false), arrow::field("end", time, false),
                       arrow::field("quantity", arrow::int64()), arrow::field("evidence", arrow::utf8(), false)});
    parquet::WriterProperties::Builder properties;
    properties.compression(codec_of(compression))->disable_dictionary("event_id")->created_by("tanhui");
    auto writer = parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), out, properties.build());
    check(writer.status());
    writer_ = *std::move(writer);
    start_ = std::make_unique<arrow::TimestampBuilder>(time, arrow::default_memory_pool());
    end_ = std::make_unique<arrow::TimestampBuilder>(time, arrow::default_memory_pool());
  }
  void write(const Report& report) override {
    std::array<char, kIdLength> id;
    put_id(report.event, id.data());
    check(event_.Append(std::string_view(id.data(), kIdLength)));
    check(source_.Append(name(report.source)));
    put_id(sample::mix(report.person + person_salt_), id.data());
    check(report.defect == SampleDefect::missing_person ? person_.AppendNull() : person_.Append(std::string_view(id.data(), kIdLength)));
    check(activity_.Append(city_figures()[report.activity].activity));
    check(region_.Append(kRegion));
    check(start_->Append(report.start_ms));
    check(end_->Append(report.end_ms));
    check(report.defect == SampleDefect::bad_number ? quantity_.AppendNull() : quantity_.Append(report.quantity));
    check(evidence_.Append(name(report.evidence)));
    if (event_.length() == kRowsPerGroup) flush();
  }
  void finish() override {
    if (event_.length() > 0) flush();
    check(writer_->Close());
    check(sink_->Close());
  }

 private:
  static constexpr std::int64_t kRowsPerGroup = 256 * 1024;
  void flush() {
    const std::int64_t rows = event_.length();
    arrow::ArrayVector columns;
    for (arrow::ArrayBuilder* builder : std::initializer_list<arrow::ArrayBuilder*>{&event_, &source_, &person_, &activity_, &region_,
                                                                                    start_.get(), end_.get(), &quantity_, &evidence_}) {
      std::shared_ptr<arrow::Array> column;
      check(builder->Finish(&column));
      columns.push_back(std::move(column));
    }
    check(writer_->WriteRecordBatch(*arrow::RecordBatch::Make(schema_, rows, std::move(columns))));
  }
  std::shared_ptr<arrow::io::OutputStream> sink_;
  std::uint64_t person_salt_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  arrow::StringBuilder event_, source_, person_, activity_, region_, evidence_;
  arrow::Int64Builder quantity_;
  std::unique_ptr<arrow::TimestampBuilder> start_, end_;
};

std::unique_ptr<SampleWriter> open_writer(const SampleOptions& options, std::ostream& stream) {
  std::shared_ptr<arrow::io::OutputStream> out = std::make_shared<StreamSink>(stream);
  if (options.format == SampleFormat::parquet) return std::make_unique<ParquetWriter>(out, options.seed, options.compression);
  if (options.compression != SampleCompression::none) {
    auto codec = arrow::util::Codec::Create(codec_of(options.compression), kFastest);  // gzip's usual level takes ten times as long
    check(codec.status());
    auto compressed = arrow::io::CompressedOutputStream::Make(codec->get(), out);
    check(compressed.status());
    // The stream refers to its codec; both live as long as the last pointer to the stream.
    out = std::shared_ptr<arrow::io::OutputStream>(compressed->get(),
                                                   [codec = std::shared_ptr(*std::move(codec)), held = *compressed](auto*) {});
  }
  if (options.format == SampleFormat::ndjson) return std::make_unique<NdjsonWriter>(out, options.seed);
  return std::make_unique<CsvWriter>(out, options.seed);
}

/// Order of time to the minute, by counting; reports of the same minute stay in the order they were made. Spoiled clocks come at the ends.
class TimeOrder {
 public:
  const std::vector<std::uint32_t>& of(const std::vector<Report>& reports, core::Millis midnight) {
    constexpr std::size_t minutes = 36 * 60;
    const auto minute = [&](const Report& report) {
      return std::size_t(std::clamp<std::int64_t>((report.start_ms - midnight) / 60'000 + 1, 0, std::int64_t(minutes - 1)));
    };
    first_.assign(minutes + 1, 0);
    for (const Report& report : reports) ++first_[minute(report) + 1];
    for (std::size_t i = 1; i <= minutes; ++i) first_[i] += first_[i - 1];
    order_.resize(reports.size());
    for (std::size_t i = 0; i < reports.size(); ++i) order_[first_[minute(reports[i])]++] = std::uint32_t(i);
    return order_;
  }

 private:
  std::vector<std::uint32_t> first_, order_;
};

}  // namespace

core::Result<SampleSummary> write_sample(const SampleOptions& options, std::ostream& stream) {
  if (options.people < 1 || options.people > kPeopleMax)
    return core::Error{core::ErrorCode::invalid_input,
                       "sample.people",
                       fmt::format("{} people are not a city", options.people),
                       fmt::format("choose 1 to {} people", kPeopleMax),
                       {{"people", std::to_string(options.people)}}};
  if (options.days < 1 || options.days > kDaysMax)
    return core::Error{core::ErrorCode::invalid_input,
                       "sample.days",
                       fmt::format("{} days cannot be written", options.days),
                       fmt::format("choose 1 to {} days", kDaysMax),
                       {{"days", std::to_string(options.days)}}};
  SampleSummary summary;
  const auto writer = open_writer(options, stream);
  std::vector<Report> reports;
  TimeOrder order;
  for (std::uint32_t day = 0; day < options.days; ++day) {
    const core::Millis midnight = (std::int64_t{options.first_day.count} + day) * core::kMillisPerDay - 8 * 3'600'000;
    for (std::uint64_t first = 0; first < options.people; first += kPeoplePerPart) {
      reports.clear();
      for (std::uint64_t person = first; person < std::min(first + kPeoplePerPart, options.people); ++person)
        sample::add_day(options, day, person, reports, summary);
      for (const std::uint32_t i : order.of(reports, midnight)) writer->write(reports[i]);
      summary.rows += reports.size();
    }
  }
  writer->finish();
  return summary;
}

}  // namespace tanhui::activity
