// db/postgres_binary.h: values in PostgreSQL's binary form, for parameters, results, arrays and COPY. Private to this folder.
//
//   copy  := "PGCOPY\n\377\r\n\0" flags:u32=0 extension:u32=0 row* -1:i16        row := count:i16 field*     integers big-endian
//   array := dimensions:i32=1 has-null:i32=1 type:u32 count:i32 lower-bound:i32=1 field*
//   field := length:i32 byte*, length -1 for null                                  int8 := i64, text := byte*, bytea := byte*
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/db.h"

namespace tanhui::db {

// Numbers of types, fixed in PostgreSQL's catalogue (pg_type.dat).
constexpr unsigned kBool = 16, kBytea = 17, kName = 19, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kVarchar = 1043, kUnknown = 705;
constexpr bool is_text(unsigned type) { return type == kText || type == kVarchar || type == kName || type == kUnknown; }
/// A whole number (a truth value is 0 or 1, as on SQLite); nothing for other types: numeric, float.
std::optional<std::int64_t> read_integer(unsigned type, std::string_view bytes);

/// Parameters as libpq takes them. Looks at the parameters' texts and bytes, which must live as long.
class BoundValues {
 public:
  void assign(std::span<const Parameter> parameters);
  const std::string& kinds() const { return kinds_; }  // a letter each; an unknown null gets its type from the statement
  int count() const { return int(data_.size()); }
  const unsigned* types() const { return types_.data(); }
  const char* const* data() const { return data_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }  // all binary

 private:
  std::string kinds_;
  std::vector<std::int64_t> integers_;  // big-endian
  std::vector<unsigned> types_;
  std::vector<const char*> data_;
  std::vector<int> lengths_, formats_;
};

void append_copy_head(std::string& out);
void append_copy_row(std::string& out, std::span<const Column> columns, std::size_t row);
void append_copy_end(std::string& out);
/// Rows [first, end) of a column as an array of `type`, which must be what the column holds.
std::string array_of(const Column& column, unsigned type, std::size_t first, std::size_t end);

}  // namespace tanhui::db
