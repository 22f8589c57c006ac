// db/connection.h: what a store must be able to do. Private to this folder; sqlite.cc and postgres.cc implement it.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "db/db.h"

namespace tanhui::db {

/// A prepared statement of a store, reset and reused.
class Statement {
 public:
  virtual ~Statement() = default;
  virtual void bind(std::span<const Parameter> parameters) = 0;
  virtual bool step() = 0;                   // true: a row is there
  virtual std::int64_t changed() const = 0;  // rows changed by the last finished run
  virtual void reset() = 0;
  virtual bool is_null(int column) const = 0;
  virtual std::int64_t integer(int column) const = 0;
  virtual std::string_view text(int column) const = 0;
  virtual std::string_view bytes(int column) const = 0;
};

enum class Begin { read, write };

class Connection {
 public:
  virtual ~Connection() = default;
  virtual std::shared_ptr<Statement> prepare(std::string_view sql) = 0;  // cached by text; never one that is in use
  virtual void begin(Begin kind) = 0;
  virtual void commit() = 0;
  virtual void rollback() noexcept = 0;
  virtual bool in_transaction() const = 0;
  virtual bool usable() noexcept = 0;  // not lost, as far as one can tell without asking the store
  virtual bool has_table(std::string_view name) = 0;
  virtual void run_script(const std::string& portable_sql) = 0;  // several statements, for migrations
  virtual void tune() = 0;                                       // how tables lie on the disk; what they hold does not change
  virtual std::string bulk_sql(std::string_view table, std::span<const std::string_view> columns, std::string_view conflict) = 0;
  virtual std::int64_t bulk(const std::string& sql, std::span<const Column> columns, std::size_t rows) = 0;
  virtual std::string batch_sql(std::string_view sql, std::span<const BatchQuery::Kind> kinds) const = 0;
  virtual std::int64_t each_of_batch(const std::string& sql, std::span<const Column> columns, std::size_t rows,
                                     const std::function<void(const Row&)>& visit) = 0;  // returns rows changed
  virtual std::vector<TableShape> tables() = 0;
  virtual core::Status check_store() = 0;                              // see Reader::check_store
  virtual bool save_own_file(const std::string& file) = 0;             // see Database::save_own_file
  virtual bool compact(std::span<const std::string_view> tables) = 0;  // see Database::compact
  virtual void leave_checkpoints() = 0;                                // see Database::leave_checkpoints
  virtual void checkpoint() = 0;                                       // see Database::checkpoint
  virtual bool try_lock(std::string_view name) = 0;                    // see Database::try_lock
  virtual void unlock(std::string_view name) noexcept = 0;

  /// A statement failed inside the open transaction: what is left is to roll back (PostgreSQL insists, so SQLite is held to it too).
  bool spoiled = false;
};

core::Result<std::shared_ptr<Connection>> open_sqlite(const std::string& path);
core::Result<std::shared_ptr<Connection>> open_postgres(const std::string& url);
bool is_postgres(std::string_view where);
/// The address without its password: for messages, and to tell whether two addresses mean the same store. Errors: db.bad-address.
core::Result<std::string> postgres_name(const std::string& url);

}  // namespace tanhui::db
