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
    const std::size_t size = column.index() == 0   ? std::get<0>(column).size()
                             : column.index() == 1 ? std::get<1>(column).size()
                                                   : std::get<2>(column).size();
    core::invariant(!rows || *rows == size, "the columns of a batch have the same length");
    rows = size;
  }
  core::invariant(rows.has_value(), "a batch has a column of its own length");
  return *rows;
}

}  // namespace

void Reader::visit_rows(std::string_view sql, std::span<const Parameter> parameters, const std::function<void(const Row&)>& visit) {
  InUse statement(connection_->prepare(sql));
  statement->bind(parameters);
  while (statement->step()) visit(Row(*statement));
}

std::int64_t Transaction::exec_with(std::string_view sql, std::span<const Parameter> parameters) {
  InUse statement(connection_->prepare(sql));
  statement->bind(parameters);
  while (statement->step()) {}
  return statement->changed();
}

Transaction::Transaction(std::shared_ptr<Connection> connection) : Reader(std::move(connection)) {
  core::invariant(!connection_->in_transaction(), "a connection has one transaction at a time");
  connection_->begin(Begin::write);
}
Transaction::~Transaction() {
  if (connection_ && connection_->in_transaction()) connection_->rollback();
}
void Transaction::commit() {
  core::invariant(connection_ != nullptr, "a transaction is committed once");
  connection_->commit();
  connection_.reset();
}

Snapshot::Snapshot(std::shared_ptr<Connection> connection) : Reader(std::move(connection)) {
  core::invariant(!connection_->in_transaction(), "a connection has one transaction at a time");
  connection_->begin(Begin::read);
}
Snapshot::~Snapshot() {
  if (connection_ && connection_->in_transaction()) connection_->rollback();
}

core::Result<Database> Database::open(std::string_view where) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (where.find("://") != std::string_view::npos)
    return core::Error{core::ErrorCode::invalid_input,
                       "db.unknown-store",
                       fmt::format("'{}' names a store that this build does not have", where),
                       "give the path of a file, which becomes a SQLite database",
                       {{"store", std::string(where)}}};
  if (where.starts_with(kSqlite)) where.remove_prefix(kSqlite.size());
  auto connection = open_sqlite(std::string(where));
  if (!connection) return connection.error();
  if (const auto migrated = migrate(**connection, migrations(), where); !migrated) return migrated.error();
  return Database(*connection, std::string(where));
}

BulkInsert::BulkInsert(Transaction& tx, std::string_view table, std::initializer_list<std::string_view> columns, std::string_view conflict)
    : connection_(tx.connection_), width_(columns.size()) {
  core::invariant(width_ >= 1 && width_ <= kColumnsMax, "a bulk insert has one to eight columns");
  sql_ = connection_->bulk_sql(table, {columns.begin(), columns.size()}, conflict);
}

std::int64_t BulkInsert::insert(std::span<const Column> columns) {
  core::invariant(columns.size() == width_, "a batch has the columns of its statement");
  core::invariant(connection_->in_transaction(), "a bulk insert belongs to an open transaction");
  const std::size_t rows = rows_in(columns);
  return rows == 0 ? 0 : connection_->bulk(sql_, columns, rows);
}

}  // namespace tanhui::db
