#include "db/postgres_binary.h"

#include <cstring>

#include "core/invariant.h"

namespace tanhui::db {
namespace {

template <class T>
void append_number(std::string& out, T value) {
  char bytes[sizeof value];
  for (std::size_t i = 0; i < sizeof value; ++i) bytes[i] = char(std::uint64_t(value) >> (8 * (sizeof value - 1 - i)));
  out.append(bytes, sizeof bytes);
}

void append_bytes(std::string& out, std::string_view bytes) {
  append_number(out, std::int32_t(bytes.size()));
  out.append(bytes);
}

void append_integer(std::string& out, std::int64_t value) {
  append_number(out, std::int32_t(sizeof value));
  append_number(out, value);
}

void append_field(std::string& out, const Column& column, std::size_t row) {
  if (const auto* integers = std::get_if<std::span<const std::int64_t>>(&column)) return append_integer(out, (*integers)[row]);
  if (const auto* constant = std::get_if<std::int64_t>(&column)) return append_integer(out, *constant);
  if (const auto* bytes = std::get_if<std::span<const std::string_view>>(&column)) return append_bytes(out, (*bytes)[row]);
  if (const auto* keys = std::get_if<std::span<const core::PersonKey>>(&column)) {
    const PersonBytes key = to_bytes((*keys)[row]);
    return append_bytes(out, {key.data(), key.size()});
  }
  const Parameter& value = std::get<std::span<const Parameter>>(column)[row];
  if (value.kind() == Parameter::Kind::null) return append_number(out, std::int32_t(-1));
  if (value.kind() == Parameter::Kind::integer) return append_integer(out, value.integer());
  append_bytes(out, value.view());
}

}  // namespace

std::optional<std::int64_t> read_integer(unsigned type, std::string_view bytes) {
  const std::size_t width = type == kInt8 ? 8 : type == kInt4 ? 4 : type == kInt2 ? 2 : type == kBool ? 1 : 0;
  if (width == 0 || bytes.size() != width) return std::nullopt;
  std::uint64_t value = type != kBool && (bytes[0] & 0x80) != 0 ? ~std::uint64_t(0) : 0;  // the sign goes on to the left
  for (const char byte : bytes) value = value << 8 | std::uint8_t(byte);
  return std::int64_t(value);
}

void BoundValues::assign(std::span<const Parameter> parameters) {
  kinds_.clear();
  types_.clear();
  data_.clear();
  lengths_.clear();
  integers_.assign(parameters.size(), 0);  // at their places from the start, because libpq gets pointers to them
  formats_.assign(parameters.size(), 1);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& parameter = parameters[i];
    const std::string_view view = parameter.view();
    const char* data = view.empty() ? "" : view.data();  // a null pointer would be NULL
    std::size_t length = view.size();
    switch (parameter.kind()) {
      case Parameter::Kind::null:
        kinds_ += 'n', types_.push_back(0), data = nullptr, length = 0;
        break;
      case Parameter::Kind::integer:
        integers_[i] = std::int64_t(__builtin_bswap64(std::uint64_t(parameter.integer())));
        kinds_ += 'i', types_.push_back(kInt8), data = reinterpret_cast<const char*>(&integers_[i]), length = sizeof integers_[i];
        break;
      case Parameter::Kind::text:
        kinds_ += 't', types_.push_back(kText);
        break;
      case Parameter::Kind::bytes:
        kinds_ += 'b', types_.push_back(kBytea);
        break;
    }
    data_.push_back(data);
    lengths_.push_back(int(length));
  }
}

void append_copy_head(std::string& out) {
  out.append("PGCOPY\n\377\r\n\0", 11);
  out.append(8, '\0');
}

void append_copy_row(std::string& out, std::span<const Column> columns, std::size_t row) {
  append_number(out, std::int16_t(columns.size()));
  for (const Column& column : columns) append_field(out, column, row);
}

void append_copy_end(std::string& out) { append_number(out, std::int16_t(-1)); }

std::string array_of(const Column& column, unsigned type, std::size_t first, std::size_t end) {
  std::string out;
  append_number(out, std::int32_t(1));
  append_number(out, std::int32_t(1));
  append_number(out, type);
  append_number(out, std::int32_t(end - first));
  append_number(out, std::int32_t(1));
  for (std::size_t row = first; row < end; ++row) append_field(out, column, row);
  return out;
}

}  // namespace tanhui::db
