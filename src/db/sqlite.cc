// SQLite behind db/connection.h. SOCI opens and owns the connection; statements use the handle directly, because SOCI 4.0 reads
// an INTEGER column as 32 bits and a BLOB through an object of its own (decision 0011).
#include <fmt/format.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>  // brings sqlite3.h, inside namespace sqlite_api

#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "core/invariant.h"
#include "db/connection.h"
#include "db/dialect.h"
#include "db/migrations.h"

namespace tanhui::db {
namespace {

using namespace sqlite_api;

constexpr int kBusySeconds = 30;  // how long a writer waits for another process
constexpr int kCacheKibibytes = 32 * 1024;
constexpr int kPageBytes = 16 * 1024;    // a bulk run is 40 % faster than with the default 4 KiB (bench/ledger); fixed when a file is made
constexpr int kLogBytesKept = 64 << 20;  // a large run's write-ahead log is cut back to this
constexpr std::size_t kStatementsMax = 256;

struct NotADatabase : Failure {
  using Failure::Failure;
};

[[noreturn]] void fail(sqlite3* handle, int code, std::string_view doing) {
  const std::string what =
      fmt::format("the database failed while {}: {} (SQLite {})", doing, sqlite3_errmsg(handle), sqlite3_extended_errcode(handle));
  if ((code & 0xff) == SQLITE_CONSTRAINT || (code & 0xff) == SQLITE_MISMATCH) throw ConstraintBroken(what);
  if ((code & 0xff) == SQLITE_BUSY)
    throw Failure(fmt::format("another process has been writing to the database for {} seconds; try again when it is done", kBusySeconds));
  if ((code & 0xff) == SQLITE_NOTADB) throw NotADatabase(what);
  throw Failure(what);
}

class SqliteStatement final : public Statement {
 public:
  SqliteStatement(sqlite3* handle, std::string_view sql) : handle_(handle) {
    const std::string text = to_sqlite(sql);
    const int code = sqlite3_prepare_v3(handle, text.data(), int(text.size()), SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
    if (code != SQLITE_OK) fail(handle, code, fmt::format("preparing '{}'", sql));
    core::invariant(statement_ != nullptr, "a statement has text");
  }
  ~SqliteStatement() override { sqlite3_finalize(statement_); }

  void bind(std::span<const Parameter> parameters) override {
    core::invariant(int(parameters.size()) == sqlite3_bind_parameter_count(statement_), "a statement gets as many parameters as it names");
    for (std::size_t i = 0; i < parameters.size(); ++i) bind_one(int(i) + 1, parameters[i]);
  }
  bool step() override {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail(handle_, code, fmt::format("running '{}'", sqlite3_sql(statement_)));
    changed_ = sqlite3_stmt_readonly(statement_) ? 0 : sqlite3_changes64(handle_);
    return false;
  }
  std::int64_t changed() const override { return changed_; }
  void reset() override {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  bool is_null(int column) const override { return type_of(column) == SQLITE_NULL; }
  std::int64_t integer(int column) const override {
    if (type_of(column) != SQLITE_INTEGER)
      throw Failure(fmt::format("column {} of '{}' is not a whole number", column, sqlite3_sql(statement_)));
    return sqlite3_column_int64(statement_, column);
  }
  std::string_view text(int column) const override {
    if (type_of(column) != SQLITE_TEXT) throw Failure(fmt::format("column {} of '{}' is not text", column, sqlite3_sql(statement_)));
    return raw(column);
  }
  std::string_view bytes(int column) const override {
    if (type_of(column) != SQLITE_BLOB && type_of(column) != SQLITE_TEXT)
      throw Failure(fmt::format("column {} of '{}' is neither bytes nor text", column, sqlite3_sql(statement_)));
    return raw(column);
  }

 private:
  int type_of(int column) const {
    core::invariant(column >= 0 && column < sqlite3_data_count(statement_), "a column that is read is in the row");
    return sqlite3_column_type(statement_, column);
  }
  std::string_view raw(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));  // null for an empty one
    return data == nullptr ? std::string_view() : std::string_view(data, std::size_t(sqlite3_column_bytes(statement_, column)));
  }
  void bind_one(int position, const Parameter& parameter) {
    const std::string_view view = parameter.view();
    const char* data = view.empty() ? "" : view.data();  // a null pointer would bind NULL
    int code = SQLITE_OK;
    switch (parameter.kind()) {
      case Parameter::Kind::null:
        code = sqlite3_bind_null(statement_, position);
        break;
      case Parameter::Kind::integer:
        code = sqlite3_bind_int64(statement_, position, parameter.integer());
        break;
      case Parameter::Kind::text:
        code = sqlite3_bind_text64(statement_, position, data, view.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
      case Parameter::Kind::bytes:
        code = sqlite3_bind_blob64(statement_, position, data, view.size(), SQLITE_TRANSIENT);
        break;
    }
    if (code != SQLITE_OK) fail(handle_, code, "binding a parameter");
  }

  sqlite3* handle_;
  sqlite3_stmt* statement_ = nullptr;
  std::int64_t changed_ = 0;
};

// A batch is a table to SQLite: `INSERT INTO t (...) SELECT c0, c1 FROM tanhui_batch` runs once per batch inside the engine, which
// is about twice as fast as binding and stepping a statement per row.
struct BatchColumn {
  enum class Kind { integers, persons, bytes, values, constant } kind = Kind::constant;
  const std::int64_t* integers = nullptr;
  const PersonBytes* persons = nullptr;
  const std::string_view* bytes = nullptr;
  const Parameter* values = nullptr;
  std::int64_t constant = 0;
};
struct Batch {
  std::array<BatchColumn, BulkInsert::kColumnsMax> columns;
  std::size_t rows = 0;
};
struct BatchTable : sqlite3_vtab {
  const Batch* batch = nullptr;
};
struct BatchCursor : sqlite3_vtab_cursor {
  const Batch* batch = nullptr;
  std::size_t row = 0;
};

int batch_connect(sqlite3* handle, void* batch, int, const char* const*, sqlite3_vtab** table, char**) {
  std::string columns;
  for (std::size_t i = 0; i < BulkInsert::kColumnsMax; ++i) columns += fmt::format("{}c{}", i == 0 ? "" : ", ", i);
  const int code = sqlite3_declare_vtab(handle, fmt::format("CREATE TABLE batch({})", columns).c_str());
  if (code != SQLITE_OK) return code;
  auto* made = new BatchTable();
  made->batch = static_cast<const Batch*>(batch);
  *table = made;
  return SQLITE_OK;
}
int batch_disconnect(sqlite3_vtab* table) {
  delete static_cast<BatchTable*>(table);
  return SQLITE_OK;
}
int batch_best_index(sqlite3_vtab*, sqlite3_index_info* info) {
  info->estimatedCost = 1000;
  info->estimatedRows = 1000;
  return SQLITE_OK;
}
int batch_open(sqlite3_vtab* table, sqlite3_vtab_cursor** cursor) {
  auto* made = new BatchCursor();
  made->batch = static_cast<BatchTable*>(table)->batch;
  *cursor = made;
  return SQLITE_OK;
}
int batch_close(sqlite3_vtab_cursor* cursor) {
  delete static_cast<BatchCursor*>(cursor);
  return SQLITE_OK;
}
int batch_filter(sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value**) {
  static_cast<BatchCursor*>(cursor)->row = 0;
  return SQLITE_OK;
}
int batch_next(sqlite3_vtab_cursor* cursor) {
  ++static_cast<BatchCursor*>(cursor)->row;
  return SQLITE_OK;
}
int batch_eof(sqlite3_vtab_cursor* cursor) {
  const auto* at = static_cast<BatchCursor*>(cursor);
  return at->row >= at->batch->rows ? 1 : 0;
}
void give_value(sqlite3_context* context, const Parameter& value) {
  const std::string_view view = value.view();
  const char* data = view.empty() ? "" : view.data();
  switch (value.kind()) {
    case Parameter::Kind::null:
      return sqlite3_result_null(context);
    case Parameter::Kind::integer:
      return sqlite3_result_int64(context, value.integer());
    case Parameter::Kind::text:
      return sqlite3_result_text64(context, data, view.size(), SQLITE_STATIC, SQLITE_UTF8);
    case Parameter::Kind::bytes:
      return sqlite3_result_blob64(context, data, view.size(), SQLITE_STATIC);
  }
}
int batch_column(sqlite3_vtab_cursor* cursor, sqlite3_context* context, int column) {
  const auto* at = static_cast<BatchCursor*>(cursor);
  const BatchColumn& values = at->batch->columns[std::size_t(column)];
  switch (values.kind) {
    case BatchColumn::Kind::integers:
      sqlite3_result_int64(context, values.integers[at->row]);
      break;
    case BatchColumn::Kind::persons:
      sqlite3_result_blob(context, values.persons[at->row].data(), 16, SQLITE_STATIC);
      break;
    case BatchColumn::Kind::bytes: {
      const std::string_view view = values.bytes[at->row];
      sqlite3_result_blob64(context, view.empty() ? "" : view.data(), view.size(), SQLITE_STATIC);
      break;
    }
    case BatchColumn::Kind::values:
      give_value(context, values.values[at->row]);
      break;
    case BatchColumn::Kind::constant:
      sqlite3_result_int64(context, values.constant);
      break;
  }
  return SQLITE_OK;
}
int batch_rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* rowid) {
  *rowid = sqlite3_int64(static_cast<BatchCursor*>(cursor)->row);
  return SQLITE_OK;
}

sqlite3_module make_batch_module() {
  sqlite3_module module = {};  // without xCreate the table exists by its name alone and cannot be created
  module.xConnect = batch_connect;
  module.xDisconnect = batch_disconnect;
  module.xBestIndex = batch_best_index;
  module.xOpen = batch_open;
  module.xClose = batch_close;
  module.xFilter = batch_filter;
  module.xNext = batch_next;
  module.xEof = batch_eof;
  module.xColumn = batch_column;
  module.xRowid = batch_rowid;
  return module;
}
const sqlite3_module kBatchModule = make_batch_module();

/// A connection belongs to one thread at a time, so SQLite need not lock each call.
soci::sqlite3_backend_factory const& without_call_locks() {
  static const bool configured = sqlite3_config(SQLITE_CONFIG_MULTITHREAD) == SQLITE_OK;
  core::invariant(configured, "SQLite is configured before its first connection");
  return soci::sqlite3;
}

class SqliteConnection final : public Connection {
 public:
  explicit SqliteConnection(const std::string& path)
      : session_(without_call_locks(), fmt::format("db=\"{}\" timeout={}", path, kBusySeconds)),
        handle_(static_cast<soci::sqlite3_session_backend*>(session_.get_backend())->conn_) {
    sqlite3_busy_timeout(handle_, kBusySeconds * 1000);
    run(fmt::format("PRAGMA page_size={}", kPageBytes), "setting up");
    use_write_ahead_log();
    run(fmt::format("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA cache_size=-{}; "
                    "PRAGMA journal_size_limit={}",
                    kCacheKibibytes, kLogBytesKept),
        "setting up");
    if (sqlite3_create_module_v2(handle_, "tanhui_batch", &kBatchModule, &batch_, nullptr) != SQLITE_OK)
      throw Failure("SQLite refused the batch table");
  }
  ~SqliteConnection() override { statements_.clear(); }  // before the session closes the handle

  std::shared_ptr<Statement> prepare(std::string_view sql) override {
    const auto found = statements_.find(sql);
    if (found != statements_.end() && found->second.use_count() == 1) return found->second;
    auto made = std::make_shared<SqliteStatement>(handle_, sql);
    if (found == statements_.end() && statements_.size() < kStatementsMax) statements_.emplace(std::string(sql), made);
    return made;
  }
  void begin(Begin kind) override { run(kind == Begin::write ? "BEGIN IMMEDIATE" : "BEGIN DEFERRED", "starting a transaction"); }
  void commit() override { run("COMMIT", "committing"); }
  void rollback() noexcept override { sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr); }
  bool in_transaction() const override { return sqlite3_get_autocommit(handle_) == 0; }
  bool usable() noexcept override { return true; }
  bool try_lock(std::string_view) override { return true; }
  void unlock(std::string_view) noexcept override {}
  bool has_table(std::string_view name) override {
    const auto statement = prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1");
    const Parameter parameter[] = {name};
    statement->bind(parameter);
    const bool found = statement->step();
    statement->reset();
    return found;
  }
  std::vector<TableShape> tables() override {
    std::vector<TableShape> found;
    rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'", {}, [&](const Row& row) {
      found.push_back({row.get<std::string>(0), {}, {}, {}});
    });
    for (TableShape& table : found) {
      const Parameter name[] = {table.name};
      rows("SELECT name, type FROM pragma_table_info($1) ORDER BY cid", name, [&](const Row& row) {
        const std::string type = row.get<std::string>(1);
        const auto kind = type == "INTEGER" ? Parameter::Kind::integer : type == "TEXT" ? Parameter::Kind::text : Parameter::Kind::bytes;
        table.columns.push_back({row.get<std::string>(0), kind});
      });
      rows("SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk", name,
           [&](const Row& row) { table.key.push_back(row.get<std::string>(0)); });
      rows("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)", name,
           [&](const Row& row) { table.parents.push_back(row.get<std::string>(0)); });
    }
    return found;
  }
  core::Status check_store() override {
    const auto damaged = [](std::string what) {
      return core::Error{core::ErrorCode::refused, "db.damaged", "the database: " + std::move(what), "restore it from a backup", {}};
    };
    std::string verdict;
    rows("PRAGMA quick_check(1)", {}, [&](const Row& row) { verdict = row.get<std::string>(0); });
    if (verdict != "ok") return damaged(verdict);
    SqliteConnection fresh(":memory:");
    if (auto made = migrate(fresh, migrations(), ":memory:"); !made) return made.error();
    const std::vector<std::string> ought = fresh.schema(), is = schema();
    for (std::size_t i = 0; i < std::max(ought.size(), is.size()); ++i)
      if (i >= ought.size() || i >= is.size() || ought[i] != is[i])
        return damaged(fmt::format("its schema is not the one that was made: {}", i < is.size() ? is[i] : ought[i]));
    return core::Done{};
  }
  void leave_checkpoints() override { run("PRAGMA wal_autocheckpoint=0", "setting up"); }
  void checkpoint() override {
    rows("PRAGMA wal_checkpoint(PASSIVE)", {}, [](const Row&) {});
  }
  bool save_own_file(const std::string& file) override {
    const Parameter name[] = {file};
    rows("VACUUM INTO $1", name, [](const Row&) {});
    return true;
  }
  bool compact(std::span<const std::string_view>) override {
    run("VACUUM", "compacting");
    bool busy = false;
    rows("PRAGMA wal_checkpoint(TRUNCATE)", {}, [&](const Row& row) { busy = row.integer(0) != 0; });
    return !busy;
  }
  void run_script(const std::string& portable_sql) override { run(to_sqlite(portable_sql), "changing the schema"); }

  void tune() override {}
  std::string bulk_sql(std::string_view table, std::span<const std::string_view> columns, std::string_view conflict) override {
    std::string names, values;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      names += fmt::format("{}{}", i == 0 ? "" : ", ", columns[i]);
      values += fmt::format("{}c{}", i == 0 ? "" : ", ", i);
    }
    return fmt::format("INSERT INTO {} ({}) SELECT {} FROM tanhui_batch WHERE true {}", table, names, values, conflict);
  }
  std::int64_t bulk(const std::string& sql, std::span<const Column> columns, std::size_t rows) override {
    std::int64_t changed = 0;
    with_batch(sql, columns, rows, [&](Statement& statement) {
      statement.step();
      changed = statement.changed();
    });
    return changed;
  }
  std::string batch_sql(std::string_view sql, std::span<const BatchQuery::Kind>) const override {
    constexpr std::string_view kBatch = "FROM batch";
    const std::size_t at = sql.find(kBatch);
    core::invariant(at != std::string_view::npos, "a question about a batch reads FROM batch");
    return fmt::format("{}FROM tanhui_batch AS batch{}", sql.substr(0, at), sql.substr(at + kBatch.size()));
  }
  std::int64_t each_of_batch(const std::string& sql, std::span<const Column> columns, std::size_t rows,
                             const std::function<void(const Row&)>& visit) override {
    std::int64_t changed = 0;
    with_batch(sql, columns, rows, [&](Statement& statement) {
      while (statement.step()) visit(Row(statement));
      changed = statement.changed();
    });
    return changed;
  }

 private:
  /// Runs `work` with the statement while the batch table has these rows.
  template <class Work>
  void with_batch(const std::string& sql, std::span<const Column> columns, std::size_t rows, Work work) {
    set_batch(columns, rows);
    const auto statement = prepare(sql);
    struct Clean {
      Statement& statement;
      Batch& batch;
      ~Clean() {
        statement.reset();
        batch.rows = 0;
      }
    } clean{*statement, batch_};
    work(*statement);
  }
  void set_batch(std::span<const Column> columns, std::size_t rows) {
    std::size_t persons = 0;
    batch_.rows = rows;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      BatchColumn& target = batch_.columns[i];
      if (const auto* integers = std::get_if<std::span<const std::int64_t>>(&columns[i])) {
        target = {.kind = BatchColumn::Kind::integers, .integers = integers->data()};
      } else if (const auto* keys = std::get_if<std::span<const core::PersonKey>>(&columns[i])) {
        if (persons_.size() <= persons) persons_.emplace_back();
        std::vector<PersonBytes>& swapped = persons_[persons++];
        swapped.resize(rows);
        for (std::size_t row = 0; row < rows; ++row) swapped[row] = to_bytes((*keys)[row]);
        target = {.kind = BatchColumn::Kind::persons, .persons = swapped.data()};
      } else if (const auto* bytes = std::get_if<std::span<const std::string_view>>(&columns[i])) {
        target = {.kind = BatchColumn::Kind::bytes, .bytes = bytes->data()};
      } else if (const auto* values = std::get_if<std::span<const Parameter>>(&columns[i])) {
        target = {.kind = BatchColumn::Kind::values, .values = values->data()};
      } else {
        target = {.kind = BatchColumn::Kind::constant, .constant = std::get<std::int64_t>(columns[i])};
      }
    }
  }
  template <class Visit>
  void rows(std::string_view sql, std::span<const Parameter> parameters, Visit visit) {
    const auto statement = prepare(sql);
    statement->bind(parameters);
    while (statement->step()) visit(Row(*statement));
    statement->reset();
  }
  std::vector<std::string> schema() {
    std::vector<std::string> parts;
    rows("SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY type, name", {},
         [&](const Row& row) { parts.push_back(row.get<std::string>(0)); });
    return parts;
  }
  void run(const std::string& sql, std::string_view doing) {
    const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(handle_, code, doing);
  }
  /// The switch needs the file for itself and does not wait, so two processes that make a database together take turns here.
  void use_write_ahead_log() {
    for (int attempt = 0;; ++attempt) {
      const int code = sqlite3_exec(handle_, "PRAGMA journal_mode=WAL", nullptr, nullptr, nullptr);
      if (code == SQLITE_OK) return;
      if ((code & 0xff) != SQLITE_BUSY || attempt == kBusySeconds * 100) fail(handle_, code, "opening");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  soci::session session_;
  sqlite3* handle_;
  std::map<std::string, std::shared_ptr<SqliteStatement>, std::less<>> statements_;
  Batch batch_;
  std::vector<std::vector<PersonBytes>> persons_;
};

}  // namespace

core::Result<std::shared_ptr<Connection>> open_sqlite(const std::string& path) {
  using core::Error, core::ErrorCode;
  if (path != ":memory:") {
    const auto folder = std::filesystem::absolute(path).parent_path();
    if (!std::filesystem::is_directory(folder))
      return Error{ErrorCode::not_found,
                   "db.no-folder",
                   fmt::format("the folder '{}' of the database does not exist", folder.string()),
                   "create it, or give another path",
                   {{"folder", folder.string()}}};
  }
  const Error not_a_database{ErrorCode::invalid_input,
                             "db.not-a-database",
                             fmt::format("'{}' is not a SQLite database", path),
                             "give the path of a database that tanhui made, or of a file that does not exist yet",
                             {{"path", path}}};
  if (path != ":memory:" && std::filesystem::is_directory(path)) return not_a_database;
  // Nobody but SQLite opens the file: closing it would let go of the locks that this process holds on it (POSIX), and the next process
  // that ends would take the write-ahead log away from under those who still write to it.
  try {
    return std::shared_ptr<Connection>(std::make_shared<SqliteConnection>(path));
  } catch (const NotADatabase&) {
    return not_a_database;
  } catch (const soci::soci_error& error) {
    throw Failure(fmt::format("the database '{}' cannot be opened: {}", path, error.what()));
  }
}

}  // namespace tanhui::db
