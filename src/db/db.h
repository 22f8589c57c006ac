// db/db.h: one small interface over the stores: SQLite (one file, WAL) and PostgreSQL. Whoever includes this cannot tell which it is.
//
//   auto database = db::Database::open("city.db");                       // or postgresql://…; migrates itself; Result
//   auto posted = database->transact([&](db::Transaction& tx) { ... return Result<T>; });   // commits on success only
//   for (auto [id, name] : database->query<std::int64_t, std::string>("SELECT id, name FROM source WHERE id > $1", 7)) ...
//
// SQL is written once for all stores: parameters are $1, $2, ... ; types BIGINT, TEXT, BYTEA; upserts by ON CONFLICT; a sum is CAST AS
// BIGINT. Texts compare byte by byte. One writer at a time, readers never wait, on every store: decision 0013 has the locks and isolation
// levels. Errors: what a user can mend (no such folder, no such server, made by a newer program) is a Result of open; everything else
// throws db::Failure. After a statement threw, its transaction can only be rolled back. A Database is one connection and belongs to one
// thread at a time; open another one for another thread, or take one from a Pool (db/pool.h).
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"
#include "db/value.h"

namespace tanhui::db {

class Connection;  // one store behind one connection; private to this folder

constexpr std::size_t kRowsHeldMax = 100'000;

/// A table as the store describes it; db/copy.h uses it.
struct TableShape {
  struct Column {
    std::string name;
    Parameter::Kind kind;  // integer, text or bytes
  };
  std::string name;
  std::vector<Column> columns;       // in their order
  std::vector<std::string> key;      // columns of the primary key, in its order
  std::vector<std::string> parents;  // tables that it refers to
};

/// Questions to the store. Database answers from what is committed, Transaction and Snapshot from inside themselves.
class Reader {
 public:
  /// Calls `visit(row)` for each row, in the order of the store. Rows stream: millions need no memory. A question that is asked inside
  /// `visit` makes PostgreSQL send the rest of the outer one first, so it is allowed while at most kRowsHeldMax rows are left of that.
  template <class Visit, class... Args>
  void each(std::string_view sql, Visit visit, const Args&... args) {
    const std::array<Parameter, sizeof...(Args)> parameters{Parameter(args)...};
    visit_rows(sql, parameters, [&](const Row& row) { visit(row); });
  }
  /// All rows as tuples: query<std::int64_t, std::string>("SELECT id, name ...").
  template <class... Columns, class... Args>
  std::vector<std::tuple<Columns...>> query(std::string_view sql, const Args&... args) {
    std::vector<std::tuple<Columns...>> rows;
    each(
        sql, [&](const Row& row) { rows.push_back(to_tuple<Columns...>(row, std::index_sequence_for<Columns...>())); }, args...);
    return rows;
  }
  /// The first row, or nothing. A single column comes back bare: find<std::int64_t>(...) is optional<int64_t>.
  template <class... Columns, class... Args>
  auto find(std::string_view sql, const Args&... args) {
    auto rows = query<Columns...>(sql, args...);
    if constexpr (sizeof...(Columns) == 1) {
      using Only = std::tuple_element_t<0, std::tuple<Columns...>>;
      return rows.empty() ? std::optional<Only>() : std::optional<Only>(std::move(std::get<0>(rows.front())));
    } else {
      return rows.empty() ? std::optional<std::tuple<Columns...>>() : std::optional(std::move(rows.front()));
    }
  }

  /// All tables but schema_version, in the order of their names.
  std::vector<TableShape> tables();
  /// The store's own check of its pages, and that its tables, constraints and indexes are those that the migrations make. PostgreSQL has
  /// its own tools for that and answers Done. Refused db.damaged says what.
  core::Status check_store();

  Reader(Reader&&) = default;
  Reader& operator=(Reader&&) = default;

 protected:
  explicit Reader(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ~Reader() = default;
  void visit_rows(std::string_view sql, std::span<const Parameter> parameters, const std::function<void(const Row&)>& visit);
  std::shared_ptr<Connection> connection_;

 private:
  template <class... Columns, std::size_t... I>
  static std::tuple<Columns...> to_tuple(const Row& row, std::index_sequence<I...>) {
    return {read_column<Columns>(row, int(I))...};
  }
};

/// A write transaction: it takes the store's write lock at once (so it cannot fail half way for want of it) and rolls back unless
/// commit() was called. One at a time per Database.
class Transaction : public Reader {
 public:
  Transaction(Transaction&&) = default;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  /// Runs one statement; returns the number of rows it changed.
  template <class... Args>
  std::int64_t exec(std::string_view sql, const Args&... args) {
    const std::array<Parameter, sizeof...(Args)> parameters{Parameter(args)...};
    return exec_with(sql, parameters);
  }
  std::int64_t exec_with(std::string_view sql, std::span<const Parameter> parameters);
  /// Durable when it returns (SQLite synchronous=FULL, PostgreSQL synchronous_commit). When the connection is lost meanwhile it throws,
  /// and only asking again tells whether it was booked: that is what idempotency keys are for.
  void commit();

 private:
  friend class Database;
  friend class BulkInsert;
  friend class BatchQuery;
  explicit Transaction(std::shared_ptr<Connection> connection);
};

/// One unchanging view of the store, as of its first question.
class Snapshot : public Reader {
 public:
  Snapshot(Snapshot&&) = default;
  Snapshot& operator=(Snapshot&&) = delete;
  ~Snapshot();

 private:
  friend class Database;
  explicit Snapshot(std::shared_ptr<Connection> connection);
};

/// A name that nobody else can take, on any machine that uses the store, until this dies, its connection dies, or the process does.
class Lock {
 public:
  Lock(Lock&&) noexcept = default;
  Lock& operator=(Lock&& other) noexcept;
  ~Lock();

 private:
  friend class Database;
  Lock(std::shared_ptr<Connection> connection, std::string name) : connection_(std::move(connection)), name_(std::move(name)) {}
  std::shared_ptr<Connection> connection_;
  std::string name_;
};

class Database : public Reader {
 public:
  /// Opens or creates the store and brings its tables up to date. `where` is a file path, "sqlite:<path>", ":memory:", or
  /// postgresql://user@host:port/name (everything libpq takes; tables live in the first schema of the search path).
  /// Errors: db.no-folder, db.not-a-database, db.newer, db.changed-migration, db.unknown-store, and of PostgreSQL db.bad-address,
  /// db.unreachable, db.too-old, db.bad-encoding, db.no-schema.
  static core::Result<Database> open(std::string_view where);
  /// What `open` calls that store, without opening it: no password in it. Two addresses of one store have one name.
  static core::Result<std::string> name_of(std::string_view where);
  Transaction begin() { return Transaction(connection_); }
  Snapshot snapshot() { return Snapshot(connection_); }
  /// Runs `work(tx)`, which returns a core::Result; commits when it holds a value, rolls back on an error or exception.
  template <class Work>
  auto transact(Work work) {
    Transaction tx = begin();
    auto result = work(tx);
    if (result) tx.commit();
    return result;
  }
  const std::string& name() const { return name_; }  // for messages: without a password
  /// Takes the lock `name` unless somebody has it. A SQLite store has one machine, whose processes lock a file instead: there it is
  /// always granted.
  std::optional<Lock> try_lock(std::string_view name);
  /// False when the connection is lost or left inside a transaction: time to open another one. Costs no question to the store.
  bool usable();
  /// Writes what is committed to a new SQLite file, if the store can do that by itself: SQLite, by VACUUM INTO. See db/copy.h.
  bool save_own_file(const std::string& file);
  /// What was committed is moved from the write-ahead log to its place now and then, at the expense of whoever commits next: tens of
  /// milliseconds. A connection that must answer fast leaves that to others, and somebody calls checkpoint() on another connection.
  /// SQLite; PostgreSQL has a process for it.
  void leave_checkpoints();
  void checkpoint();
  /// Rewrites `tables` (SQLite: the whole file) so that the store's own files hold nothing of rows that were deleted or changed, as far as
  /// the store can: on PostgreSQL its write-ahead log and archives still have them, and everywhere backups. Takes time and room of the
  /// order of what it rewrites; writers wait. False when somebody was still reading: then the old pages leave with a later call.
  bool compact(std::span<const std::string_view> tables);

 private:
  Database(std::shared_ptr<Connection> connection, std::string name) : Reader(std::move(connection)), name_(std::move(name)) {}
  std::string name_;
};

/// A column of a batch: a number, a person's key or bytes for each row; or any value, text and null too; or one number for every row.
using Column = std::variant<std::span<const std::int64_t>, std::span<const core::PersonKey>, std::span<const std::string_view>,
                            std::span<const Parameter>, std::int64_t>;

/// Many rows into one table at a time; fastest when rows arrive in the order of the primary key.
///   BulkInsert postings(tx, "posting", {"transfer", "owner", "asset", "amount"});
///   postings.insert({transfer_id, owners, assets, amounts});
/// `conflict` is the end of the statement, for example "ON CONFLICT (owner, asset) DO UPDATE SET amount = balance.amount +
/// excluded.amount". Rows of one batch must not conflict with each other: PostgreSQL refuses that.
class BulkInsert {
 public:
  static constexpr std::size_t kColumnsMax = 32;
  BulkInsert(Transaction& tx, std::string_view table, std::span<const std::string_view> columns, std::string_view conflict = "");
  BulkInsert(Transaction& tx, std::string_view table, std::initializer_list<std::string_view> columns, std::string_view conflict = "")
      : BulkInsert(tx, table, std::span(columns.begin(), columns.size()), conflict) {}
  /// All spans have the same length; returns the number of rows written or changed.
  std::int64_t insert(std::span<const Column> columns);
  std::int64_t insert(std::initializer_list<Column> columns) { return insert(std::span(columns.begin(), columns.size())); }

 private:
  std::shared_ptr<Connection> connection_;
  std::string sql_;
  std::size_t width_;
};

/// One question about many keys at once. In its text the keys are the table `batch`, with columns c0, c1, ... of the kinds named:
///   BatchQuery stored(tx, "SELECT b.owner, b.asset, b.amount FROM batch JOIN balance b ON b.owner = c0 AND b.asset = c1",
///                     {BatchQuery::bytes, BatchQuery::integer});
///   stored.each({owners, assets}, [&](const db::Row& row) { ... });
/// Rows come in any order. No other batch is sent while one is visited. Or one change of many rows that are there, by their keys:
///   BatchQuery changed(tx, "UPDATE balance SET amount = c2 FROM batch WHERE owner = c0 AND asset = c1", {...});
///   changed.run({owners, assets, amounts});                  // no key twice
class BatchQuery {
 public:
  enum Kind { integer, text, bytes };
  BatchQuery(Transaction& tx, std::string_view sql, std::initializer_list<Kind> kinds);
  template <class Visit>
  void each(std::initializer_list<Column> columns, Visit visit) {
    visit_rows(std::span(columns.begin(), columns.size()), [&](const Row& row) { visit(row); });
  }
  /// Returns the number of rows it changed.
  std::int64_t run(std::initializer_list<Column> columns) {
    return visit_rows(std::span(columns.begin(), columns.size()), [](const Row&) {});
  }

 private:
  std::int64_t visit_rows(std::span<const Column> columns, const std::function<void(const Row&)>& visit);
  std::shared_ptr<Connection> connection_;
  std::string sql_;
  std::size_t width_;
};

}  // namespace tanhui::db
