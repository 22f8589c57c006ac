// PostgreSQL behind db/connection.h, on libpq itself: SOCI 4.0 neither streams with binary values nor knows BYTEA or COPY, and what is
// left of it, opening the connection, libpq does with better words (decisions 0011 and 0013).
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <charconv>
#include <deque>
#include <set>

#include "core/invariant.h"
#include "db/connection.h"
#include "db/dialect.h"
#include "db/postgres_binary.h"

namespace tanhui::db {
namespace {

using core::Error, core::ErrorCode;

constexpr int kConnectSeconds = 10;
constexpr int kBusySeconds = 30;       // how long a writer waits for another one, as on SQLite
constexpr int kVersionMin = 15'00'00;  // the oldest that is tested
constexpr std::size_t kStatementsMax = 256;
constexpr std::size_t kArrayRowsMax = 64 * 1024;  // rows that one INSERT takes as arrays

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Answer = std::unique_ptr<PGresult, Clear>;

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// Our own mistakes and the data's (SQLite calls both a constraint) apart from a failed world.
bool is_constraint(std::string_view state) {
  return state.starts_with("23") || state.starts_with("22") || state == "42804" || state == "21000";
}

[[noreturn]] void fail(PGconn* handle, const PGresult* result, std::string_view doing) {
  const char* found = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view state = found == nullptr ? "" : found;
  const std::string said = one_line(result == nullptr ? PQerrorMessage(handle) : PQresultErrorMessage(result));
  if (PQstatus(handle) != CONNECTION_OK) throw Failure(fmt::format("the connection to the database was lost while {}: {}", doing, said));
  if (state == "55P03")
    throw Failure(fmt::format("another process has been writing to the database for {} seconds; try again when it is done", kBusySeconds));
  const std::string what = fmt::format("the database failed while {}: {} (PostgreSQL {})", doing, said, state.empty() ? "-" : state);
  if (is_constraint(state)) throw ConstraintBroken(what);
  throw Failure(what);
}

/// Rows that a statement wrote; 0 for a question.
std::int64_t rows_written(const Answer& answer) {
  if (std::string_view(PQcmdStatus(answer.get())).starts_with("SELECT")) return 0;
  const std::string_view rows = PQcmdTuples(answer.get());
  std::int64_t count = 0;
  std::from_chars(rows.data(), rows.data() + rows.size(), count);
  return count;
}

/// One row of an answer, as a statement shows it.
class PostgresRow : public Statement {
 public:
  bool is_null(int column) const override { return PQgetisnull(checked(column), at_, column) != 0; }
  std::int64_t integer(int column) const override {
    const PGresult* answer = checked(column);
    const auto value = PQgetisnull(answer, at_, column) != 0 ? std::nullopt : read_integer(PQftype(answer, column), raw(column));
    if (!value) throw Failure(fmt::format("column {} of '{}' is not a whole number", column, text_));
    return *value;
  }
  std::string_view text(int column) const override {
    const PGresult* answer = checked(column);
    if (PQgetisnull(answer, at_, column) != 0 || !is_text(PQftype(answer, column)))
      throw Failure(fmt::format("column {} of '{}' is not text", column, text_));
    return raw(column);
  }
  std::string_view bytes(int column) const override {
    const PGresult* answer = checked(column);
    if (PQgetisnull(answer, at_, column) != 0 || (PQftype(answer, column) != kBytea && !is_text(PQftype(answer, column))))
      throw Failure(fmt::format("column {} of '{}' is neither bytes nor text", column, text_));
    return raw(column);
  }

 protected:
  explicit PostgresRow(std::string text) : text_(std::move(text)) {}
  std::string text_;
  Answer current_;
  int at_ = 0;

 private:
  std::string_view raw(int column) const {
    return {PQgetvalue(current_.get(), at_, column), std::size_t(PQgetlength(current_.get(), at_, column))};
  }
  const PGresult* checked(int column) const {
    core::invariant(current_ != nullptr && at_ < PQntuples(current_.get()) && column >= 0 && column < PQnfields(current_.get()),
                    "a column that is read is in the row");
    return current_.get();
  }
};

/// An answer that is here as a whole.
class FinishedStatement final : public PostgresRow {
 public:
  FinishedStatement(Answer answer, std::string text) : PostgresRow(std::move(text)) {
    current_ = std::move(answer);
    at_ = -1;
  }
  void bind(std::span<const Parameter>) override {}
  bool step() override { return ++at_ < PQntuples(current_.get()); }
  std::int64_t changed() const override { return rows_written(current_); }
  void reset() override {}
};

class PostgresConnection;

/// Rows come one by one (libpq's single-row mode). The connection carries one answer at a time: whoever asks next makes the one before
/// take in the rest of its rows.
class PostgresStatement final : public PostgresRow {
 public:
  PostgresStatement(PostgresConnection& connection, std::string_view sql, std::optional<std::size_t> number)
      : PostgresRow(to_postgres(sql)), connection_(connection), parameters_(parameters_in(sql)), number_(number) {}
  PostgresStatement(const PostgresStatement&) = delete;
  PostgresStatement& operator=(const PostgresStatement&) = delete;
  ~PostgresStatement() override { reset(); }

  void bind(std::span<const Parameter> parameters) override {
    core::invariant(int(parameters.size()) == parameters_, "a statement gets as many parameters as it names");
    values_.assign(parameters);
  }
  bool step() override;
  std::int64_t changed() const override { return changed_; }
  void reset() override;
  /// Takes the rest of the rows off the connection, which somebody else needs.
  void hold_rest();

 private:
  void send();
  Answer receive();  // the next row, or null behind the last one

  PostgresConnection& connection_;
  int parameters_;
  std::optional<std::size_t> number_;  // of a cached statement: makes its name on the server
  std::map<std::string, int> uses_;    // by kinds of parameters
  BoundValues values_;
  bool sent_ = false;
  std::deque<Answer> held_;
  std::exception_ptr held_failure_;
  std::int64_t changed_ = 0;
};

/// What is asked of every connection, whatever the server's and the user's settings are.
constexpr std::string_view kSettings =
    "SET lock_timeout = '30s'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET client_min_messages = warning; "
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

class PostgresConnection final : public Connection {
 public:
  explicit PostgresConnection(PGconn* handle) : handle_(handle) {}  // takes it
  ~PostgresConnection() override {
    statements_.clear();
    PQfinish(handle_);
  }
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  /// False when the search path names no schema that exists.
  bool set_up() {
    run(std::string(kSettings), "setting up");
    const Answer schema = run("SELECT current_schema()::regnamespace::oid::int8::text", "setting up");
    if (PQgetisnull(schema.get(), 0, 0) != 0) return false;
    schema_ = PQgetvalue(schema.get(), 0, 0);
    return true;
  }

  std::shared_ptr<Statement> prepare(std::string_view sql) override {
    const auto found = statements_.find(sql);
    if (found != statements_.end() && found->second.use_count() == 1) return found->second;
    const bool kept = found == statements_.end() && statements_.size() < kStatementsMax;
    auto made = std::make_shared<PostgresStatement>(*this, sql, kept ? std::optional(statements_.size()) : std::nullopt);
    if (kept) statements_.emplace(std::string(sql), made);
    return made;
  }
  // The writer's lock comes first, alone: READ COMMITTED takes a new view for each statement, so what the writer reads afterwards is what
  // the writer before it committed. A view taken before the wait would be an old one.
  void begin(Begin kind) override {
    if (kind == Begin::read) {
      run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "starting a transaction");
      open_ = true;
      return;
    }
    try {
      run(fmt::format("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({})", lock_key("writer")),
          "starting a transaction");
      open_ = true;
    } catch (...) {
      rollback();
      throw;
    }
  }
  void commit() override {
    const Answer answer = run("COMMIT", "committing");
    open_ = looks_up_ = false;
    if (std::string_view(PQcmdStatus(answer.get())) != "COMMIT") throw Failure("the database rolled back instead of committing");
  }
  void rollback() noexcept override {
    open_ = looks_up_ = false;
    try {
      make_way();
    } catch (...) {  // the answer that was under way is of no interest any more
    }
    PQclear(PQexec(handle_, "ROLLBACK"));
  }
  bool in_transaction() const override { return open_; }
  bool usable() noexcept override {
    if (streaming_ != nullptr || PQstatus(handle_) != CONNECTION_OK || PQtransactionStatus(handle_) != PQTRANS_IDLE) return false;
    pollfd socket{PQsocket(handle_), POLLIN, 0};
    return ::poll(&socket, 1, 0) == 0;  // who is not asked says nothing, except that it is leaving
  }
  bool has_table(std::string_view name) override {
    const Parameter parameter[] = {name};
    return find(
               "SELECT 1::int8 FROM pg_class WHERE relname = $1 AND relkind IN ('r', 'p') AND relnamespace = "
               "current_schema()::regnamespace",
               parameter)
        .has_value();
  }
  core::Status check_store() override { return core::Done{}; }
  std::vector<TableShape> tables() override;
  bool save_own_file(const std::string&) override { return false; }
  void leave_checkpoints() override {}
  void checkpoint() override {}
  bool compact(std::span<const std::string_view> tables) override {
    for (const std::string_view table : tables) run(fmt::format("VACUUM FULL {}", table), "compacting");
    return true;
  }
  void run_script(const std::string& portable_sql) override { run(to_postgres(portable_sql), "changing the schema"); }
  bool try_lock(std::string_view name) override {
    if (locks_.contains(std::string(name))) return false;  // to PostgreSQL the same connection may take it again
    const Answer answer = run(fmt::format("SELECT pg_try_advisory_lock({})::int", lock_key(name)), "taking a lock");
    if (std::string_view(PQgetvalue(answer.get(), 0, 0)) != "1") return false;
    locks_.emplace(name);
    return true;
  }
  void unlock(std::string_view name) noexcept override {
    try {
      locks_.erase(std::string(name));
      run(fmt::format("SELECT pg_advisory_unlock({})", lock_key(name)), "letting go of a lock");
    } catch (...) {  // a lost connection holds no locks
    }
  }

  // A changed balance stays on its page while there is room, and then its index needs no new entry.
  void tune() override { run("ALTER TABLE IF EXISTS balance SET (fillfactor = 50)", "setting up"); }

  std::string bulk_sql(std::string_view table, std::span<const std::string_view> columns, std::string_view conflict) override {
    const std::string names = fmt::format("{}", fmt::join(columns, ", "));
    if (conflict.empty()) return fmt::format("COPY {} ({}) FROM STDIN (FORMAT binary)", table, names);
    std::string arrays;
    for (std::size_t i = 0; i < columns.size(); ++i)
      arrays += fmt::format("{}${}::{}[]", i == 0 ? "" : ", ", i + 1, type_of(table, columns[i]));
    return fmt::format("INSERT INTO {} ({}) SELECT * FROM unnest({}) WHERE true {}", table, names, arrays, conflict);
  }
  std::int64_t bulk(const std::string& sql, std::span<const Column> columns, std::size_t rows) override {
    if (sql.starts_with("COPY")) return copy(sql, columns, rows);
    std::int64_t changed = 0;
    for (std::size_t first = 0; first < rows; first += kArrayRowsMax)
      changed += rows_written(run_arrays(sql, columns, first, std::min(rows, first + kArrayRowsMax)));
    return changed;
  }

  std::string batch_sql(std::string_view sql, std::span<const BatchQuery::Kind> kinds) const override {
    constexpr std::string_view kBatch = "FROM batch";
    const std::size_t at = sql.find(kBatch);
    core::invariant(at != std::string_view::npos, "a question about a batch reads FROM batch");
    std::string arrays, names;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      const std::string_view type = kinds[i] == BatchQuery::integer ? "int8" : kinds[i] == BatchQuery::bytes ? "bytea" : "text";
      arrays += fmt::format("{}${}::{}[]", i == 0 ? "" : ", ", i + 1, type);
      names += fmt::format("{}c{}", i == 0 ? "" : ", ", i);
    }
    const std::string before = to_postgres(sql.substr(0, at)), after = to_postgres(sql.substr(at + kBatch.size()));
    return fmt::format("{}FROM unnest({}) AS batch ({}){}", before, arrays, names, after);
  }
  std::int64_t each_of_batch(const std::string& sql, std::span<const Column> columns, std::size_t rows,
                             const std::function<void(const Row&)>& visit) override {
    // Keys are looked up. Left to itself the planner reads a table of a million rows whole for every batch of thousands. Until the
    // transaction ends, because each word to the server is a way there and back.
    if (!std::exchange(looks_up_, true)) run("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off", "asking about a batch");
    std::int64_t changed = 0;
    for (std::size_t first = 0; first < rows; first += kArrayRowsMax) {
      Answer answer = run_arrays(sql, columns, first, std::min(rows, first + kArrayRowsMax));
      changed += rows_written(answer);
      FinishedStatement statement(std::move(answer), sql);
      while (statement.step()) visit(Row(statement));
    }
    return changed;
  }

 private:
  friend class PostgresStatement;

  Answer run(const std::string& sql, std::string_view doing) {
    make_way();
    Answer answer(PQexec(handle_, sql.c_str()));
    const auto status = PQresultStatus(answer.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(handle_, answer.get(), doing);
    return answer;
  }
  void make_way() {
    if (streaming_ != nullptr) streaming_->hold_rest();
  }
  template <class Visit>
  void rows(std::string_view sql, std::span<const Parameter> parameters, Visit visit) {
    const auto statement = prepare(sql);
    statement->bind(parameters);
    while (statement->step()) visit(Row(*statement));
    statement->reset();
  }
  std::optional<std::int64_t> find(std::string_view sql, std::span<const Parameter> parameters) {
    std::optional<std::int64_t> value;
    rows(sql, parameters, [&](const Row& row) { value = row.integer(0); });
    return value;
  }
  /// Advisory locks are per database; ours per schema, because a schema is an instance's whole world.
  std::int64_t lock_key(std::string_view name) const {
    const core::Digest digest = core::sha256(fmt::format("tanhui {} {}", schema_, name));
    std::uint64_t key = 0;
    for (std::size_t i = 0; i < sizeof key; ++i) key = key << 8 | digest[i];
    return std::int64_t(key);
  }
  std::string_view type_of(std::string_view table, std::string_view column) {
    const auto known = types_.find(std::pair(std::string(table), std::string(column)));
    if (known != types_.end()) return known->second;
    const Parameter parameters[] = {table, column};
    const auto oid = find("SELECT atttypid::int8 FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2", parameters);
    core::invariant(oid.has_value(), "a bulk insert names a table and its columns");
    const std::string_view type = *oid == kInt8 ? "int8" : *oid == kBytea ? "bytea" : "text";
    return types_[std::pair(std::string(table), std::string(column))] = type;
  }
  std::int64_t copy(const std::string& sql, std::span<const Column> columns, std::size_t rows);
  Answer run_arrays(const std::string& sql, std::span<const Column> columns, std::size_t first, std::size_t end);
  /// Reads the answers until there is none; fails with the first failure among them, else the first comes back.
  Answer first_answer(std::string_view doing) {
    Answer first;
    while (Answer answer{PQgetResult(handle_)}) {
      const bool failed = PQresultStatus(answer.get()) == PGRES_FATAL_ERROR;
      if (first == nullptr || (failed && PQresultStatus(first.get()) != PGRES_FATAL_ERROR)) first = std::move(answer);
      if (PQstatus(handle_) != CONNECTION_OK) break;
    }
    if (PQresultStatus(first.get()) == PGRES_FATAL_ERROR) fail(handle_, first.get(), doing);
    return first;
  }

  PGconn* handle_;
  std::string schema_;
  bool open_ = false, looks_up_ = false;
  std::map<std::pair<std::string, std::string>, std::string_view, std::less<>> types_;  // of columns, by table and name
  PostgresStatement* streaming_ = nullptr;                                              // whose rows are on their way
  std::set<std::string> locks_;
  std::map<std::string, std::shared_ptr<PostgresStatement>, std::less<>> statements_;
};

void PostgresStatement::send() {
  connection_.make_way();
  PGconn* handle = connection_.handle_;
  const auto doing = [&] { return fmt::format("running '{}'", text_); };
  const int uses = number_ ? uses_[values_.kinds()]++ : 0;
  int ok = 0;
  if (uses == 0) {  // many statements are used once
    ok =
        PQsendQueryParams(handle, text_.c_str(), values_.count(), values_.types(), values_.data(), values_.lengths(), values_.formats(), 1);
  } else {
    const std::string name = fmt::format("s{}{}", *number_, values_.kinds());
    if (uses == 1) {
      const Answer prepared(PQprepare(handle, name.c_str(), text_.c_str(), values_.count(), values_.types()));
      if (PQresultStatus(prepared.get()) != PGRES_COMMAND_OK) {
        uses_[values_.kinds()] = 1;  // not prepared: try again next time
        fail(handle, prepared.get(), doing());
      }
    }
    ok = PQsendQueryPrepared(handle, name.c_str(), values_.count(), values_.data(), values_.lengths(), values_.formats(), 1);
  }
  if (ok != 1) fail(handle, nullptr, doing());
  sent_ = true;
  connection_.streaming_ = this;
  core::invariant(PQsetSingleRowMode(handle) == 1, "rows are asked for one by one");
}

Answer PostgresStatement::receive() {
  PGconn* handle = connection_.handle_;
  Answer answer(PQgetResult(handle));
  const auto status = PQresultStatus(answer.get());
  if (status == PGRES_SINGLE_TUPLE) return answer;
  connection_.streaming_ = nullptr;
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    while (PQstatus(handle) == CONNECTION_OK && Answer(PQgetResult(handle))) {}
    fail(handle, answer.get(), fmt::format("running '{}'", text_));
  }
  changed_ = rows_written(answer);
  while (Answer(PQgetResult(handle))) {}
  return nullptr;
}

bool PostgresStatement::step() {
  if (!sent_) send();
  if (!held_.empty()) {
    current_ = std::move(held_.front());
    held_.pop_front();
    return true;
  }
  if (held_failure_) std::rethrow_exception(std::exchange(held_failure_, nullptr));
  current_ = connection_.streaming_ == this ? receive() : nullptr;
  return current_ != nullptr;
}

void PostgresStatement::hold_rest() {
  try {
    while (connection_.streaming_ == this) {
      if (Answer row = receive()) held_.push_back(std::move(row));
      core::invariant(held_.size() <= kRowsHeldMax, "a question inside another one is asked when few rows of that are left");
    }
  } catch (const Failure&) {
    held_failure_ = std::current_exception();
  }
}

void PostgresStatement::reset() {
  while (connection_.streaming_ == this) {
    try {
      receive();
    } catch (const std::exception&) {  // whoever asked has stopped listening; the transaction knows that it failed
    }
  }
  held_.clear();
  held_failure_ = nullptr;
  current_.reset();
  sent_ = false;
}

std::vector<TableShape> PostgresConnection::tables() {
  std::vector<TableShape> found;
  rows("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace", {}, [&](const Row& row) {
    found.push_back({row.get<std::string>(0), {}, {}, {}});
  });
  for (TableShape& table : found) {
    const Parameter name[] = {table.name};
    rows(
        "SELECT attname, atttypid::int8 FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped "
        "ORDER BY attnum",
        name, [&](const Row& row) {
          const auto kind = row.integer(1) == kInt8    ? Parameter::Kind::integer
                            : row.integer(1) == kBytea ? Parameter::Kind::bytes
                                                       : Parameter::Kind::text;
          table.columns.push_back({row.get<std::string>(0), kind});
        });
    rows(
        "SELECT a.attname FROM pg_index i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place) "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number "
        "WHERE i.indrelid = to_regclass($1) AND i.indisprimary ORDER BY k.place",
        name, [&](const Row& row) { table.key.push_back(row.get<std::string>(0)); });
    rows(
        "SELECT DISTINCT p.relname FROM pg_constraint c JOIN pg_class p ON p.oid = c.confrelid "
        "WHERE c.contype = 'f' AND c.conrelid = to_regclass($1)",
        name, [&](const Row& row) { table.parents.push_back(row.get<std::string>(0)); });
  }
  return found;
}

std::int64_t PostgresConnection::copy(const std::string& sql, std::span<const Column> columns, std::size_t rows) {
  constexpr std::size_t kPieceBytes = 256 * 1024;
  make_way();
  const Answer begun(PQexec(handle_, sql.c_str()));
  if (PQresultStatus(begun.get()) != PGRES_COPY_IN) fail(handle_, begun.get(), fmt::format("running '{}'", sql));
  std::string piece;
  append_copy_head(piece);
  for (std::size_t row = 0; row < rows; ++row) {
    append_copy_row(piece, columns, row);
    if (row + 1 == rows) append_copy_end(piece);
    if (row + 1 < rows && piece.size() < kPieceBytes) continue;
    if (PQputCopyData(handle_, piece.data(), int(piece.size())) != 1) break;  // the answer below tells why
    piece.clear();
  }
  PQputCopyEnd(handle_, nullptr);
  return rows_written(first_answer(fmt::format("running '{}'", sql)));
}

Answer PostgresConnection::run_arrays(const std::string& sql, std::span<const Column> columns, std::size_t first, std::size_t end) {
  make_way();
  std::vector<std::string> arrays;
  std::vector<const char*> data;
  std::vector<int> lengths;
  const std::vector<int> formats(columns.size(), 1);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const bool is_bytes = sql.find(fmt::format("${}::bytea[]", i + 1)) != std::string::npos;
    const bool is_integer = sql.find(fmt::format("${}::int8[]", i + 1)) != std::string::npos;
    arrays.push_back(array_of(columns[i], is_bytes ? kBytea : is_integer ? kInt8 : kText, first, end));
  }
  for (const std::string& array : arrays) {
    data.push_back(array.data());
    lengths.push_back(int(array.size()));
  }
  Answer answer(PQexecParams(handle_, sql.c_str(), int(columns.size()), nullptr, data.data(), lengths.data(), formats.data(), 1));
  const auto status = PQresultStatus(answer.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(handle_, answer.get(), fmt::format("running '{}'", sql));
  return answer;
}

// ---- addresses -----------------------------------------------------------------------------------------------------------------

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

/// The parts that an address names, without what libpq would take from its surroundings. libpq's own words about a bad address may quote
/// the password, so they are not repeated.
core::Result<std::map<std::string, std::string>> parts_of(const std::string& url) {
  char* words = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(url.c_str(), &words));
  PQfreemem(words);
  std::map<std::string, std::string> parts;
  for (const PQconninfoOption* option = options.get(); option != nullptr && option->keyword != nullptr; ++option)
    if (option->val != nullptr) parts.emplace(option->keyword, option->val);
  // A separator inside a password puts its parts elsewhere.
  const bool torn = (parts["host"] + parts["dbname"]).find('@') != std::string::npos ||
                    parts["port"].find_first_not_of("0123456789,") != std::string::npos;
  if (options == nullptr || torn)
    return Error{ErrorCode::invalid_input,
                 "db.bad-address",
                 "the address of the PostgreSQL database is not well formed",
                 "write postgresql://user@host:5432/name; in a password write @ as %40, / as %2F, : as %3A",
                 {}};
  return parts;
}

std::string name_from(std::map<std::string, std::string> parts) {
  const std::string user = parts["user"], host = parts["host"], port = parts["port"];
  std::string name = fmt::format("postgresql://{}{}{}{}{}/{}", user, user.empty() ? "" : "@", host.starts_with('/') ? "" : host,
                                 port.empty() ? "" : ":", port, parts["dbname"]);
  char sign = '?';
  for (const char* more : {"host", "options", "service"}) {  // what else decides which database it is
    if (parts[more].empty() || (std::string_view(more) == "host" && !host.starts_with('/'))) continue;
    name += fmt::format("{}{}={}", std::exchange(sign, '&'), more, parts[more]);
  }
  return name;
}

Error refused(std::string_view id, std::string message, std::string action, const std::string& name) {
  return {ErrorCode::refused, std::string(id), std::move(message), std::move(action), {{"store", name}}};
}

core::Status check_server(PGconn* handle, const std::string& name) {
  if (PQstatus(handle) != CONNECTION_OK)
    return refused("db.unreachable", fmt::format("'{}' cannot be reached: {}", name, one_line(PQerrorMessage(handle))),
                   "see that the server runs, that the database exists (createdb), and that user and password are right", name);
  if (PQserverVersion(handle) < kVersionMin)
    return refused("db.too-old", fmt::format("'{}' is PostgreSQL {}", name, PQparameterStatus(handle, "server_version")),
                   "use PostgreSQL 15 or newer", name);
  if (const std::string_view encoding = PQparameterStatus(handle, "server_encoding"); encoding != "UTF8")
    return refused("db.bad-encoding", fmt::format("'{}' stores text as {}, not as UTF8", name, encoding),
                   "make the database with: createdb --encoding=UTF8 --template=template0 NAME", name);
  return core::Done{};
}

}  // namespace

bool is_postgres(std::string_view where) { return where.starts_with("postgresql://") || where.starts_with("postgres://"); }

core::Result<std::string> postgres_name(const std::string& url) {
  auto parts = parts_of(url);
  if (!parts) return parts.error();
  return name_from(*std::move(parts));
}

core::Result<std::shared_ptr<Connection>> open_postgres(const std::string& url) {
  const auto name = postgres_name(url);
  if (!name) return name.error();
  const std::string seconds = std::to_string(kConnectSeconds);
  // In this order: the address may say otherwise, except about the encoding.
  const char* const keys[] = {"fallback_application_name", "connect_timeout", "dbname", "client_encoding", nullptr};
  const char* const values[] = {"tanhui", seconds.c_str(), url.c_str(), "UTF8", nullptr};
  struct Finish {
    void operator()(PGconn* handle) const { PQfinish(handle); }
  };
  std::unique_ptr<PGconn, Finish> handle(PQconnectdbParams(keys, values, 1));
  if (handle == nullptr) throw std::bad_alloc();
  if (const auto status = check_server(handle.get(), *name); !status) return status.error();
  const auto connection = std::make_shared<PostgresConnection>(handle.release());
  if (!connection->set_up())
    return refused("db.no-schema", fmt::format("no schema of the search path exists in '{}'", *name),
                   "make it with CREATE SCHEMA, or leave search_path out of the address", *name);
  return std::shared_ptr<Connection>(connection);
}

}  // namespace tanhui::db
