#include "db/copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <set>

#include "core/bytes.h"
#include "core/invariant.h"
#include "db/connection.h"

namespace tanhui::db {
namespace {

constexpr std::size_t kBatchRows = 4096, kBatchBytes = 4 << 20;

std::string select_all(const TableShape& table) {
  std::string columns;
  for (const TableShape::Column& column : table.columns) columns += (columns.empty() ? "" : ", ") + column.name;
  core::invariant(!table.key.empty(), "every table has a primary key");
  return fmt::format("SELECT {} FROM {} ORDER BY {}", columns, table.name, fmt::join(table.key, ", "));
}

/// Rows on their way: values in columns, their texts and bytes in one string.
class RowBatch {
 public:
  explicit RowBatch(std::size_t columns) : cells_(columns) {}
  void add(std::size_t column, Parameter::Kind kind, std::int64_t integer, std::string_view view) {
    cells_[column].push_back({kind, integer, bytes_.size(), view.size()});
    bytes_.append(view);
  }
  bool full() const { return cells_.front().size() >= kBatchRows || bytes_.size() >= kBatchBytes; }
  /// Writes what is there and is empty again.
  std::int64_t write(BulkInsert& insert) {
    std::vector<std::vector<Parameter>> values(cells_.size());
    std::vector<Column> columns;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      for (const Cell& cell : cells_[i]) values[i].push_back(parameter_of(cell));
      columns.emplace_back(std::span<const Parameter>(values[i]));
      cells_[i].clear();
    }
    const std::int64_t written = insert.insert(columns);
    bytes_.clear();
    return written;
  }

 private:
  struct Cell {
    Parameter::Kind kind;
    std::int64_t integer;
    std::size_t begin, size;
  };
  Parameter parameter_of(const Cell& cell) const {
    const std::string_view view = std::string_view(bytes_).substr(cell.begin, cell.size);
    switch (cell.kind) {
      case Parameter::Kind::null:
        return nullptr;
      case Parameter::Kind::integer:
        return cell.integer;
      case Parameter::Kind::text:
        return view;
      case Parameter::Kind::bytes:
        return Bytes{view};
    }
    return nullptr;
  }
  std::vector<std::vector<Cell>> cells_;
  std::string bytes_;
};

/// Visits field(column, kind, integer, view) for every field and row() behind every row; the digest is taken on the way.
template <class Field, class RowEnd>
TableDigest read_table(Reader& reader, const TableShape& table, Field field, RowEnd row_end) {
  TableDigest result{table.name, 0, {}};
  core::Sha256 hash;
  core::ByteWriter out;
  std::size_t hashed_rows = 0;
  const auto hash_up = [&] {
    hash.update(out.take());
    hashed_rows = 0;
  };
  reader.each(select_all(table), [&](const Row& row) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const auto kind = row.is_null(int(i)) ? Parameter::Kind::null : table.columns[i].kind;
      const std::int64_t integer = kind == Parameter::Kind::integer ? row.integer(int(i)) : 0;
      const std::string_view view = kind == Parameter::Kind::text    ? row.text(int(i))
                                    : kind == Parameter::Kind::bytes ? row.bytes(int(i))
                                                                     : std::string_view();
      out.u8(std::uint8_t(kind));
      if (kind == Parameter::Kind::integer) out.i64(integer);
      if (kind == Parameter::Kind::text || kind == Parameter::Kind::bytes) out.str(view);
      field(i, kind, integer, view);
    }
    ++result.rows;
    if (++hashed_rows == kBatchRows) hash_up();
    row_end();
  });
  hash_up();
  result.digest = hash.finish();
  return result;
}

TableDigest copy_table(Reader& from, Transaction& to, const TableShape& table) {
  std::vector<std::string_view> names;
  for (const TableShape::Column& column : table.columns) names.push_back(column.name);
  BulkInsert insert(to, table.name, names);
  RowBatch batch(table.columns.size());
  std::int64_t written = 0;
  TableDigest read = read_table(
      from, table,
      [&](std::size_t column, Parameter::Kind kind, std::int64_t integer, std::string_view view) {
        batch.add(column, kind, integer, view);
      },
      [&] {
        if (batch.full()) written += batch.write(insert);
      });
  written += batch.write(insert);
  core::invariant(written == read.rows, "every row that was read is written");
  return read;
}

/// Tables that others refer to come first.
std::vector<TableShape> parents_first(std::vector<TableShape> tables) {
  std::vector<TableShape> ordered;
  std::set<std::string> placed;
  while (!tables.empty()) {
    const auto ready = std::find_if(tables.begin(), tables.end(), [&](const TableShape& table) {
      return std::all_of(table.parents.begin(), table.parents.end(),
                         [&](const std::string& parent) { return parent == table.name || placed.contains(parent); });
    });
    core::invariant(ready != tables.end(), "tables do not refer to each other in a circle");
    placed.insert(ready->name);
    ordered.push_back(std::move(*ready));
    tables.erase(ready);
  }
  return ordered;
}

}  // namespace

std::vector<TableDigest> digests(Reader& reader) {
  std::vector<TableDigest> all;
  for (const TableShape& table : reader.tables())
    all.push_back(read_table(
        reader, table, [](auto...) {}, [] {}));
  return all;
}

core::Status check_empty(Reader& reader, std::string_view store) {
  for (const TableShape& table : reader.tables())
    if (reader.find<std::int64_t>(fmt::format("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT 1) AS first", table.name)) != 0)
      return core::Error{core::ErrorCode::refused,
                         "db.not-empty",
                         fmt::format("'{}' is not empty: there are rows in the table {}", store, table.name),
                         "give a database that holds nothing yet; nothing is ever overwritten",
                         {{"store", std::string(store)}, {"table", table.name}}};
  return core::Done{};
}

std::vector<TableDigest> copy_tables(Reader& from, Transaction& to) {
  std::vector<TableDigest> all;
  for (const TableShape& table : parents_first(from.tables())) all.push_back(copy_table(from, to, table));
  std::sort(all.begin(), all.end(), [](const TableDigest& a, const TableDigest& b) { return a.table < b.table; });
  return all;
}

core::Status compare(const std::vector<TableDigest>& from, const std::vector<TableDigest>& to) {
  const auto differs = [](std::string_view what) {
    return core::Error{core::ErrorCode::refused,
                       "db.copy-differs",
                       fmt::format("the copy is not the same: {}", what),
                       "keep the original; look for a disk or memory fault, then try again",
                       {}};
  };
  if (from.size() != to.size()) return differs(fmt::format("{} tables became {}", from.size(), to.size()));
  for (std::size_t i = 0; i < from.size(); ++i)
    if (from[i] != to[i])
      return differs(fmt::format("table {} with {} rows ({}) became {} with {} rows ({})", from[i].table, from[i].rows,
                                 core::to_hex(from[i].digest), to[i].table, to[i].rows, core::to_hex(to[i].digest)));
  return core::Done{};
}

core::Status save_to_file(Database& from, const std::filesystem::path& file) {
  core::invariant(!std::filesystem::exists(file), "a copy is written to a new file");
  if (!from.save_own_file(file.string())) {
    auto opened = Database::open(file.string());
    if (!opened) return opened.error();
    Database copy = *std::move(opened);
    Snapshot snapshot = from.snapshot();
    Transaction tx = copy.begin();
    const auto read = copy_tables(snapshot, tx);
    if (auto same = compare(read, digests(tx)); !same) return same;
    tx.commit();
  }
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);  // VACUUM INTO does not wait for the disk
  const bool kept = descriptor >= 0 && ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (!kept) throw Failure(fmt::format("'{}' could not be made durable", file.string()));
  return core::Done{};
}

}  // namespace tanhui::db
