#include "journal/schema.h"

namespace tanhui::journal {
namespace {

using parquet::LogicalType;
using parquet::Repetition;
using parquet::Type;
using parquet::schema::PrimitiveNode;

parquet::schema::NodePtr node(Column column, Repetition::type repetition, Type::type type, std::shared_ptr<const LogicalType> logical,
                              int length = -1) {
  return PrimitiveNode::Make(std::string(name(column)), repetition, std::move(logical), type, length);
}
parquet::schema::NodePtr word(Column column, Repetition::type repetition = Repetition::REQUIRED) {
  return node(column, repetition, Type::BYTE_ARRAY, LogicalType::String());
}
parquet::schema::NodePtr number(Column column, Repetition::type repetition = Repetition::REQUIRED) {
  return node(column, repetition, Type::INT64, LogicalType::None());
}
parquet::schema::NodePtr key(Column column, Repetition::type repetition = Repetition::REQUIRED) {
  return node(column, repetition, Type::INT64, LogicalType::Int(64, false));
}

}  // namespace

std::shared_ptr<parquet::schema::GroupNode> segment_schema() {
  constexpr auto required = Repetition::REQUIRED, optional = Repetition::OPTIONAL;
  const parquet::schema::NodeVector columns{
      node(Column::person, required, Type::FIXED_LEN_BYTE_ARRAY, LogicalType::None(), kPersonBytes),
      node(Column::start, required, Type::INT64, LogicalType::Timestamp(true, LogicalType::TimeUnit::MILLIS)),
      number(Column::duration_ms, optional),
      word(Column::activity),
      word(Column::source),
      word(Column::region),
      word(Column::methodology, optional),
      key(Column::event),
      key(Column::object, optional),
      word(Column::evidence),
      number(Column::quantity, optional),
      number(Column::quantity_2, optional),
      number(Column::quantity_3, optional),
      number(Column::quantity_4, optional),
      word(Column::outcome),
      word(Column::reason),
      number(Column::milligrams),
      number(Column::points),
      key(Column::winner, optional),
      word(Column::winner_source, optional),
      node(Column::revision, required, Type::INT32, LogicalType::Int(16, false)),
      node(Column::line, optional, Type::INT32, LogicalType::Int(32, false)),
      number(Column::run, optional),
  };
  return std::static_pointer_cast<parquet::schema::GroupNode>(parquet::schema::GroupNode::Make("record", required, columns));
}

std::shared_ptr<parquet::WriterProperties> segment_properties() {
  parquet::WriterProperties::Builder builder;
  builder.created_by("tanhui")->version(parquet::ParquetVersion::PARQUET_2_6)->compression(parquet::Compression::UNCOMPRESSED);
  for (std::size_t column = 0; column < kColumns; ++column) {
    if (is_compressed(Column(column))) builder.compression(std::string(name(Column(column))), parquet::Compression::ZSTD);
  }
  return builder.build();
}

bool is_compressed(Column column) {
  switch (column) {
    case Column::person:  // hashes, and numbers that are packed to their last bit: nothing is left to find
    case Column::event:
    case Column::start:
    case Column::quantity:
    case Column::quantity_2:
    case Column::quantity_3:
    case Column::quantity_4:
    case Column::revision:
    case Column::line:
    case Column::run:
      return false;
    default:
      return true;
  }
}

}  // namespace tanhui::journal
