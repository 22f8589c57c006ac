// db/copy.h: everything in a store, whatever its tables are: counted, hashed, and written into another store. Backup, restore and
// `tanhui migrate` are made of this. The table schema_version is left out: each store has its own, kept by its migrations.
//
//   row   := field*, columns in the order of the table, rows in the order of the primary key      what a table's digest is taken of
//   field := 0:u8 | 1:u8 number:i64 | 2:u8 text:str | 3:u8 bytes:str                              str := length:u32 byte*, big-endian
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/result.h"
#include "db/db.h"

namespace tanhui::db {

struct TableDigest {
  std::string table;
  std::int64_t rows = 0;
  core::Digest digest{};
  friend bool operator==(const TableDigest&, const TableDigest&) = default;
};

/// In the order of the tables' names. Ask a Snapshot or a Transaction, so that the tables belong together.
std::vector<TableDigest> digests(Reader& reader);

/// Refused db.not-empty names a table of `reader` that has rows.
core::Status check_empty(Reader& reader, std::string_view store);

/// Copies all rows of all tables; both stores are at the schema version of this program, `to` is empty. Rows stream. The digests are
/// those of what was read: compare them with digests(to).
std::vector<TableDigest> copy_tables(Reader& from, Transaction& to);

/// Refused db.copy-differs names the first table that is not the same on both sides.
core::Status compare(const std::vector<TableDigest>& from, const std::vector<TableDigest>& to);

/// Writes what is committed into a new SQLite file, which must not exist, while others read and write. Durable when it returns.
core::Status save_to_file(Database& from, const std::filesystem::path& file);

}  // namespace tanhui::db
