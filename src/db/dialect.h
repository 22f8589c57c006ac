// db/dialect.h: the project's SQL in the words of each store. Private to this folder.
//
// Written once: parameters $1, $2, ...; types BIGINT, TEXT, BYTEA; tables end in STRICT or STRICT, WITHOUT ROWID; upserts by ON CONFLICT.
#pragma once
#include <string>
#include <string_view>

namespace tanhui::db {

/// $1 is ?1 ($1 would be a name, numbered by first use), BIGINT is INTEGER, BYTEA is BLOB.
std::string to_sqlite(std::string_view sql);
/// STRICT and WITHOUT ROWID go; a TEXT column is compared byte by byte as on SQLite (COLLATE "C"), whatever language the server speaks.
std::string to_postgres(std::string_view sql);
/// The highest n of the parameters $n.
int parameters_in(std::string_view sql);

}  // namespace tanhui::db
