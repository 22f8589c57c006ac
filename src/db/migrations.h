// db/migrations.h: the numbered texts of migrations/*.sql, compiled in, applied forward only.
#pragma once
#include <span>
#include <string_view>

#include "core/result.h"

namespace tanhui::db {

class Connection;

struct Migration {
  std::string_view name;  // "0001_ledger"
  std::string_view sql;
};
std::span<const Migration> migrations();  // in order, without gaps from 1; generated from the folder

/// Applies what is missing, all of it in one transaction that holds the write lock, so two processes that start together are safe.
/// Errors: db.newer (the store knows more versions than this program), db.changed-migration (an applied text was edited since).
core::Status migrate(Connection& connection, std::span<const Migration> all, std::string_view store);

}  // namespace tanhui::db
