#include "activity/parquet_reader.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <date/date.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>

#include <algorithm>
#include <set>

#include "core/int128.h"
#include "core/time.h"

namespace tanhui::activity {
namespace {

using core::Error;
using core::ErrorCode;
using core::Result;

constexpr std::int64_t kBatchRows = 8192;

Error broken(const std::string& file, const std::string& why) {
  return {ErrorCode::invalid_input,
          "input.broken-parquet",
          fmt::format("{}: the Parquet file cannot be read: {}", file, why),
          "it may have been cut off on its way; ask for it again",
          {{"file", file}}};
}

// Leaf columns as "outer.inner", in the file's order.
void list_columns(const arrow::FieldVector& fields, const std::string& prefix, std::vector<std::string>& names) {
  for (const auto& field : fields) {
    if (field->type()->id() == arrow::Type::STRUCT)
      list_columns(field->type()->fields(), prefix + field->name() + ".", names);
    else
      names.push_back(prefix + field->name());
  }
}

std::shared_ptr<arrow::Array> find_array(const arrow::RecordBatch& batch, std::string_view path) {
  std::size_t dot = path.find('.');
  std::shared_ptr<arrow::Array> array = batch.GetColumnByName(std::string(path));
  if (array != nullptr || dot == std::string_view::npos) return array;
  array = batch.GetColumnByName(std::string(path.substr(0, dot)));
  while (array != nullptr && dot != std::string_view::npos) {
    path.remove_prefix(dot + 1);
    dot = path.find('.');
    if (array->type_id() != arrow::Type::STRUCT) return nullptr;
    // A missing struct makes its members missing, which Flatten sees to.
    const auto& members = static_cast<const arrow::StructArray&>(*array);
    const int place = members.struct_type()->GetFieldIndex(std::string(path.substr(0, dot)));
    if (place < 0) return nullptr;
    auto member = members.GetFlattenedField(place);
    array = member.ok() ? *member : nullptr;
  }
  return array;
}

class ParquetBatches : public BatchReader {
 public:
  ParquetBatches(std::string file, std::unique_ptr<parquet::arrow::FileReader> reader, std::shared_ptr<const ParquetLayout> layout)
      : file_(std::move(file)), reader_(std::move(reader)), layout_(std::move(layout)) {}
  Result<core::Done> start(const std::vector<int>& columns) {
    std::vector<int> groups;
    for (int i = 0; i < reader_->num_row_groups(); ++i) groups.push_back(i);
    auto batches = reader_->GetRecordBatchReader(groups, columns);
    if (!batches.ok()) return broken(file_, batches.status().message());
    batches_ = std::move(*batches);
    return core::Done{};
  }
  Result<std::shared_ptr<arrow::RecordBatch>> next() override {
    std::shared_ptr<arrow::RecordBatch> batch;
    const auto status = batches_->ReadNext(&batch);
    if (!status.ok()) return broken(file_, status.message());
    return batch;
  }
  std::shared_ptr<const FileLayout> layout() const override { return layout_; }

 private:
  std::string file_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<const ParquetLayout> layout_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
};

// 2024-09-02T08:15:00, with .123 when there are milliseconds and Z when it is UTC. A library's general formatting takes ten times as long.
void append_time(std::string& out, std::int64_t millis, bool utc) {
  const auto days = std::int64_t(core::floor_divide(millis, core::kMillisPerDay));
  const date::year_month_day day{date::sys_days{date::days{int(days)}}};
  const auto rest = std::uint32_t(millis - days * core::kMillisPerDay);
  char text[24];
  const auto put = [&](std::size_t at, std::uint32_t value, std::size_t digits) {
    for (std::size_t i = digits; i-- > 0; value /= 10) text[at + i] = char('0' + value % 10);
  };
  put(0, std::uint32_t(int(day.year())), 4);
  put(5, unsigned(day.month()), 2);
  put(8, unsigned(day.day()), 2);
  put(11, rest / 3'600'000, 2);
  put(14, rest / 60'000 % 60, 2);
  put(17, rest / 1000 % 60, 2);
  put(20, rest % 1000, 3);
  text[4] = text[7] = '-';
  text[10] = 'T';
  text[13] = text[16] = ':';
  text[19] = '.';
  out.append(text, rest % 1000 == 0 ? 19 : 23);
  if (utc) out += 'Z';
}

// Text of one value at a time, appended to an arena.
class ValuePrinter {
 public:
  explicit ValuePrinter(std::string& arena) : arena_(arena) {}
  void print(const arrow::Array& array, std::int64_t row, Field& field) {
    if (array.IsNull(row)) {
      field = Field::absent();
      return;
    }
    field.begin = std::uint32_t(arena_.size());
    append(array, row);
    field.size = std::uint32_t(arena_.size()) - field.begin;
  }
  static bool can_print(const arrow::DataType& type) {
    switch (type.id()) {
      case arrow::Type::STRING:
      case arrow::Type::LARGE_STRING:
      case arrow::Type::BINARY:
      case arrow::Type::LARGE_BINARY:
      case arrow::Type::BOOL:
      case arrow::Type::INT8:
      case arrow::Type::INT16:
      case arrow::Type::INT32:
      case arrow::Type::INT64:
      case arrow::Type::UINT8:
      case arrow::Type::UINT16:
      case arrow::Type::UINT32:
      case arrow::Type::UINT64:
      case arrow::Type::FLOAT:
      case arrow::Type::DOUBLE:
      case arrow::Type::DECIMAL128:
      case arrow::Type::DECIMAL256:
      case arrow::Type::DATE32:
      case arrow::Type::TIMESTAMP:
      case arrow::Type::NA:
        return true;
      case arrow::Type::DICTIONARY:
        return can_print(*static_cast<const arrow::DictionaryType&>(type).value_type());
      default:
        return false;
    }
  }

 private:
  template <class Array>
  void integer(const arrow::Array& array, std::int64_t row) {
    const auto text = fmt::format_int(static_cast<const Array&>(array).Value(row));
    arena_.append(text.data(), text.size());
  }
  template <class Array>
  void view(const arrow::Array& array, std::int64_t row) {
    arena_.append(static_cast<const Array&>(array).GetView(row));
  }
  void append(const arrow::Array& array, std::int64_t row) {
    switch (array.type_id()) {
      case arrow::Type::STRING:
        return view<arrow::StringArray>(array, row);
      case arrow::Type::LARGE_STRING:
        return view<arrow::LargeStringArray>(array, row);
      case arrow::Type::BINARY:
        return view<arrow::BinaryArray>(array, row);
      case arrow::Type::LARGE_BINARY:
        return view<arrow::LargeBinaryArray>(array, row);
      case arrow::Type::BOOL:
        arena_ += static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false";
        return;
      case arrow::Type::INT8:
        return integer<arrow::Int8Array>(array, row);
      case arrow::Type::INT16:
        return integer<arrow::Int16Array>(array, row);
      case arrow::Type::INT32:
        return integer<arrow::Int32Array>(array, row);
      case arrow::Type::INT64:
        return integer<arrow::Int64Array>(array, row);
      case arrow::Type::UINT8:
        return integer<arrow::UInt8Array>(array, row);
      case arrow::Type::UINT16:
        return integer<arrow::UInt16Array>(array, row);
      case arrow::Type::UINT32:
        return integer<arrow::UInt32Array>(array, row);
      case arrow::Type::UINT64:
        return integer<arrow::UInt64Array>(array, row);
      case arrow::Type::FLOAT:
        fmt::format_to(std::back_inserter(arena_), "{}", static_cast<const arrow::FloatArray&>(array).Value(row));
        return;
      case arrow::Type::DOUBLE:
        fmt::format_to(std::back_inserter(arena_), "{}", static_cast<const arrow::DoubleArray&>(array).Value(row));
        return;
      case arrow::Type::DECIMAL128:
        arena_ += static_cast<const arrow::Decimal128Array&>(array).FormatValue(row);
        return;
      case arrow::Type::DECIMAL256:
        arena_ += static_cast<const arrow::Decimal256Array&>(array).FormatValue(row);
        return;
      case arrow::Type::DATE32:
        arena_ += core::to_text(core::Day{static_cast<const arrow::Date32Array&>(array).Value(row)});
        return;
      case arrow::Type::TIMESTAMP:
        return timestamp(static_cast<const arrow::TimestampArray&>(array), row);
      case arrow::Type::DICTIONARY: {
        const auto& words = static_cast<const arrow::DictionaryArray&>(array);
        if (!words.dictionary()->IsNull(words.GetValueIndex(row))) append(*words.dictionary(), words.GetValueIndex(row));
        return;
      }
      default:
        return;
    }
  }
  void timestamp(const arrow::TimestampArray& array, std::int64_t row) {
    const auto& type = static_cast<const arrow::TimestampType&>(*array.type());
    const std::int64_t value = array.Value(row);
    constexpr std::int64_t least = -62'167'219'200'000, limit = 253'402'300'800'000;  // the years 0 and 10000
    std::int64_t millis = limit;
    switch (type.unit()) {
      case arrow::TimeUnit::SECOND:
        millis = value >= limit / 1000 || value < least / 1000 ? limit : value * 1000;
        break;
      case arrow::TimeUnit::MILLI:
        millis = value;
        break;
      case arrow::TimeUnit::MICRO:
        millis = value / 1000;
        break;
      case arrow::TimeUnit::NANO:
        millis = value / 1'000'000;
        break;
    }
    if (millis < least || millis >= limit) {
      arena_ += "out of range";  // will be refused as no time
      return;
    }
    append_time(arena_, millis, !type.timezone().empty());
  }
  std::string& arena_;
};

}  // namespace

Result<std::unique_ptr<BatchReader>> open_parquet(const OpenedFile& file, const BindColumns& bind_columns) {
  auto input = arrow::io::ReadableFile::Open(file.name);
  if (!input.ok()) return broken(file.name, input.status().message());
  parquet::arrow::FileReaderBuilder builder;
  if (const auto opened = builder.Open(*input); !opened.ok()) return broken(file.name, opened.message());
  parquet::ArrowReaderProperties properties;
  properties.set_batch_size(kBatchRows);
  builder.properties(properties);
  std::unique_ptr<parquet::arrow::FileReader> reader;
  if (const auto built = builder.Build(&reader); !built.ok()) return broken(file.name, built.message());
  std::shared_ptr<arrow::Schema> schema;
  if (const auto known = reader->GetSchema(&schema); !known.ok()) return broken(file.name, known.message());
  std::vector<std::string> names;
  list_columns(schema->fields(), "", names);
  auto layout = std::make_shared<ParquetLayout>();
  auto plan = bind_columns(names, file.name);
  if (!plan) return plan.error();
  layout->plan = *std::move(plan);
  std::vector<int> columns;  // leaf columns of the file; those of lists and maps have longer paths and are never asked for
  const auto* descriptor = reader->parquet_reader()->metadata()->schema();
  std::set<std::string> wanted;
  for (const auto& column : layout->plan->columns) {
    if (const auto place = find_column(names, true, column)) wanted.insert(names[*place]);
  }
  for (int i = 0; i < descriptor->num_columns(); ++i) {
    if (wanted.contains(descriptor->Column(i)->path()->ToDotString())) columns.push_back(i);
  }
  if (columns.empty()) return broken(file.name, "no column of plain values is wanted");
  auto batches = std::make_unique<ParquetBatches>(file.name, std::move(reader), std::move(layout));
  if (const auto started = batches->start(columns); !started) return started.error();
  return std::unique_ptr<BatchReader>(std::move(batches));
}

void ParquetRows::read(const Piece& piece, Table& table) {
  const auto& layout = static_cast<const ParquetLayout&>(*piece.layout);
  const auto rows = std::size_t(piece.batch->num_rows());
  table.reserve(rows, layout.plan->columns.size());
  table.rows = rows;
  arena_.clear();
  for (std::size_t row = 0; row < rows; ++row) {
    table.lines[row] = std::uint32_t(row);
    table.reasons[row] = Reason::none;
  }
  ValuePrinter printer(arena_);
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const auto array = find_array(*piece.batch, layout.plan->columns[column]);
    const bool readable = array != nullptr && ValuePrinter::can_print(*array->type());
    for (std::size_t row = 0; row < rows; ++row) {
      if (readable)
        printer.print(*array, std::int64_t(row), table.columns[column][row]);
      else
        table.columns[column][row] = Field::absent();
    }
  }
  arena_.append(Table::kSlack, '\0');
  std::fill(table.texts.begin(), table.texts.end(), arena_.data());
}

}  // namespace tanhui::activity
