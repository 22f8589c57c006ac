#include "db/db.h"

#include <fmt/format.h>

#include "core/invariant.h"
#include "db/connection.h"
#include "db/migrations.h"

namespace tanhui::db {
namespace {

/// Leaves the statement clean for its next user, whatever happened.
class InUse {
 public:
  explicit InUse(std::shared_ptr<Statement> statement) : statement_(std::move(statement)) {}
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;
  ~InUse() { statement_->reset(); }
  Statement* operator->() { return statement_.get(); }
  Statement& operator*() { return *statement_; }

 private:
  std::shared_ptr<Statement> statement_;
};

std::size_t rows_in(std::span<const Column> columns) {
  std::optional<std::size_t> rows;
  for (const Column& column : columns) {
    if (std::holds_alternative<std::int64_t>(column)) continue;
    const std::size_t size = std::visit(
        [](const auto& values) -> std::size_t {
          if constexpr (std::is_same_v<std::decay_t<decltype(values)>, std::int64_t>) {
            return 0;
          } else {
            return values.size();
          }
        },
        column);
    core::invariant(!rows || *rows == size, "the columns of a batch have the same length");
    rows = size;
  }
  core::invariant(rows.has_value(), "a batch has a column of its own length");
  return *rows;
}

/// Does something to the store; a failure spoils the transaction that is open.
template <class Work>
auto sent(Connection& connection, Work work) {
  core::invariant(!connection.spoiled, "a transaction in which a statement failed is rolled back");
  try {
    return work();
  } catch (const Failure&) {
    connection.spoiled = connection.in_transaction();
    throw;
  }
}

void begin(Connection& connection, Begin kind) {
  core::invariant(!connection.in_transaction(), "a connection has one transaction at a time");
  connection.spoiled = false;
  connection.begin(kind);
}

void roll_back_if_open(const std::shared_ptr<Connection>& connection) {
  if (connection && connection->in_transaction()) connection->rollback();
  if (connection) connection->spoiled = false;
}

}  // namespace

void Reader::visit_rows(std::string_view sql, std::span<const Parameter> parameters, const std::function<void(const Row&)>& visit) {
  InUse statement(sent(*connection_, [&] { return connection_->prepare(sql); }));
  sent(*connection_, [&] { statement->bind(parameters); });
  while (sent(*connection_, [&] { return statement->step(); })) visit(Row(*statement));
}

std::int64_t Transaction::exec_with(std::string_view sql, std::span<const Parameter> parameters) {
  return sent(*connection_, [&] {
    InUse statement(connection_->prepare(sql));
    statement->bind(parameters);
    while (statement->step()) {}
    return statement->changed();
  });
}

std::vector<TableShape> Reader::tables() {
  auto tables = sent(*connection_, [&] { return connection_->tables(); });
  std::erase_if(tables, [](const TableShape& table) { return table.name == "schema_version"; });
  std::sort(tables.begin(), tables.end(), [](const TableShape& a, const TableShape& b) { return a.name < b.name; });
  return tables;
}

core::Status Reader::check_store() { return connection_->check_store(); }

Transaction::Transaction(std::shared_ptr<Connection> connection) : Reader(std::move(connection)) { db::begin(*connection_, Begin::write); }
Transaction::~Transaction() { roll_back_if_open(connection_); }
void Transaction::commit() {
  core::invariant(connection_ != nullptr, "a transaction is committed once");
  sent(*connection_, [&] { connection_->commit(); });
  connection_.reset();
}

Snapshot::Snapshot(std::shared_ptr<Connection> connection) : Reader(std::move(connection)) { db::begin(*connection_, Begin::read); }
Snapshot::~Snapshot() { roll_back_if_open(connection_); }

Lock& Lock::operator=(Lock&& other) noexcept {
  std::swap(connection_, other.connection_);
  std::swap(name_, other.name_);
  return *this;
}
Lock::~Lock() {
  if (connection_) connection_->unlock(name_);
}

core::Result<std::string> Database::name_of(std::string_view where) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (is_postgres(where)) return postgres_name(std::string(where));
  if (const auto scheme = where.find("://"); scheme != std::string_view::npos)
    return core::Error{core::ErrorCode::invalid_input,
                       "db.unknown-store",
                       fmt::format("'{}://' names a store that this program does not have", where.substr(0, scheme)),
                       "give the path of a file, which becomes a SQLite database, or postgresql://user@host/name",
                       {{"store", std::string(where.substr(0, scheme))}}};
  if (where.starts_with(kSqlite)) where.remove_prefix(kSqlite.size());
  return std::string(where);
}

core::Result<Database> Database::open(std::string_view where) {
  const auto name = name_of(where);
  if (!name) return name.error();
  auto connection = is_postgres(where) ? open_postgres(std::string(where)) : open_sqlite(*name);
  if (!connection) return connection.error();
  if (const auto migrated = migrate(**connection, migrations(), *name); !migrated) return migrated.error();
  return Database(*connection, *name);
}

std::optional<Lock> Database::try_lock(std::string_view name) {
  if (!connection_->try_lock(name)) return std::nullopt;
  return Lock(connection_, std::string(name));
}

bool Database::usable() { return !connection_->in_transaction() && connection_->usable(); }

bool Database::compact(std::span<const std::string_view> tables) {
  core::invariant(!connection_->in_transaction(), "a store is compacted outside of transactions");
  return connection_->compact(tables);
}
void Database::leave_checkpoints() { connection_->leave_checkpoints(); }
void Database::checkpoint() { connection_->checkpoint(); }
bool Database::save_own_file(const std::string& file) { return connection_->save_own_file(file); }

BulkInsert::BulkInsert(Transaction& tx, std::string_view table, std::span<const std::string_view> columns, std::string_view conflict)
    : connection_(tx.connection_), width_(columns.size()) {
  core::invariant(width_ >= 1 && width_ <= kColumnsMax, "a bulk insert has between one column and kColumnsMax");
  sql_ = sent(*connection_, [&] { return connection_->bulk_sql(table, columns, conflict); });
}

std::int64_t BulkInsert::insert(std::span<const Column> columns) {
  core::invariant(columns.size() == width_, "a batch has the columns of its statement");
  core::invariant(connection_->in_transaction(), "a bulk insert belongs to an open transaction");
  const std::size_t rows = rows_in(columns);
  return rows == 0 ? 0 : sent(*connection_, [&] { return connection_->bulk(sql_, columns, rows); });
}

BatchQuery::BatchQuery(Transaction& tx, std::string_view sql, std::initializer_list<Kind> kinds)
    : connection_(tx.connection_), sql_(connection_->batch_sql(sql, {kinds.begin(), kinds.size()})), width_(kinds.size()) {
  core::invariant(width_ >= 1 && width_ <= BulkInsert::kColumnsMax, "a question about a batch has between one column and kColumnsMax");
}

std::int64_t BatchQuery::visit_rows(std::span<const Column> columns, const std::function<void(const Row&)>& visit) {
  core::invariant(columns.size() == width_, "a batch has the columns of its question");
  const std::size_t rows = rows_in(columns);
  return rows == 0 ? 0 : sent(*connection_, [&] { return connection_->each_of_batch(sql_, columns, rows, visit); });
}

}  // namespace tanhui::db
