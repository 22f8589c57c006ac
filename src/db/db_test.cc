#include "db/db.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "core/invariant.h"
#include "db/connection.h"
#include "db/dialect.h"
#include "db/migrations.h"
#include "db/test_database.h"

namespace tanhui::db {
namespace {

/// Runs on the store of the test program: test_database.h.
class Db : public testing::Test {
 protected:
  Database open() { return place_.open(); }
  static void make_table(Database& database) {
    Transaction tx = database.begin();
    tx.exec(
        "CREATE TABLE thing (id BIGINT PRIMARY KEY, label TEXT, secret BYTEA, count BIGINT CHECK (count BETWEEN -4611686018427387903 AND "
        "4611686018427387903)) STRICT");
    tx.commit();
  }
  test::Place place_;
};

/// What only a file can do.
class SqliteDb : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              fmt::format("tanhui-db-{}-{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(std::string_view name) const { return (folder_ / name).string(); }
  std::filesystem::path folder_;
};

/// Runs in a process of its own; its exit code.
template <class Work>
pid_t in_child(Work work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  int code = 1;
  try {
    code = work();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  ::_exit(code);
}
int code_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(Db, ValuesComeBackAsTheyWentIn) {
  Database database = open();
  make_table(database);
  const core::PersonKey person{0x0102030405060708, 0xfffefdfcfbfaf9f8};
  {
    Transaction tx = database.begin();
    EXPECT_EQ(tx.exec("INSERT INTO thing VALUES ($1, $2, $3, $4)", 1, "碳惠", person, std::optional<std::int64_t>()), 1);
    EXPECT_EQ(tx.exec("INSERT INTO thing VALUES ($1, $2, $3, $4)", 2, "", Bytes{std::string_view("\0a\0", 3)}, -5), 1);
    tx.commit();
  }
  const auto rows = database.query<std::int64_t, std::string, std::string, std::optional<std::int64_t>>(
      "SELECT id, label, secret, count FROM thing ORDER BY id");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(std::get<1>(rows[0]), "碳惠");
  EXPECT_EQ(std::get<3>(rows[0]), std::nullopt);
  EXPECT_EQ(std::get<1>(rows[1]), "");
  EXPECT_EQ(std::get<2>(rows[1]), std::string("\0a\0", 3));
  EXPECT_EQ(std::get<3>(rows[1]), -5);
  EXPECT_EQ(database.find<core::PersonKey>("SELECT secret FROM thing WHERE id = 1"), person);
  EXPECT_EQ(database.find<std::int64_t>("SELECT id FROM thing WHERE id = $1", 9), std::nullopt);
  // $2 before $1: numbered, not in order of appearance; and a $ inside a text is text
  EXPECT_EQ(database.find<std::string>("SELECT label || '$1' FROM thing WHERE label = $2 AND id = $1", 1, "碳惠"), "碳惠$1");
}

TEST_F(Db, BytesOfKeysSortAsKeysDo) {
  const core::PersonKey keys[] = {{0, 0}, {0, 1}, {0, ~0ull}, {1, 0}, {0x7fffffffffffffff, 5}, {0x8000000000000000, 0}, {~0ull, ~0ull}};
  for (std::size_t i = 1; i < std::size(keys); ++i) {
    const PersonBytes a = to_bytes(keys[i - 1]), b = to_bytes(keys[i]);
    EXPECT_LT(std::string_view(a.data(), 16), std::string_view(b.data(), 16)) << i;
    EXPECT_EQ(person_from({b.data(), 16}), keys[i]);
  }
  EXPECT_THROW(person_from("short"), Failure);
}

TEST_F(Db, RollsBackUnlessCommitted) {
  Database database = open();
  make_table(database);
  { database.begin().exec("INSERT INTO thing (id) VALUES (1)"); }
  EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM thing"), 0);
  const auto refused = database.transact([](Transaction& tx) -> core::Status {
    tx.exec("INSERT INTO thing (id) VALUES (1)");
    return core::Error{core::ErrorCode::refused, "test.no", "no", ""};
  });
  EXPECT_FALSE(refused);
  EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM thing"), 0);
  EXPECT_TRUE(database.transact([](Transaction& tx) -> core::Status {
    tx.exec("INSERT INTO thing (id) VALUES (1)");
    return core::Done{};
  }));
  EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM thing"), 1);
}

TEST_F(Db, OneTransactionAtATime) {
  Database database = open();
  Transaction tx = database.begin();
  EXPECT_THROW(database.begin(), core::InvariantBroken);
  tx.commit();
  EXPECT_THROW(tx.commit(), core::InvariantBroken);
}

TEST_F(Db, ASnapshotDoesNotMove) {
  Database writer = open();
  make_table(writer);
  Database reader = open();
  {
    Snapshot snapshot = reader.snapshot();
    EXPECT_EQ(snapshot.find<std::int64_t>("SELECT count(*) FROM thing"), 0);
    Transaction tx = writer.begin();
    tx.exec("INSERT INTO thing (id) VALUES (1)");
    tx.commit();
    EXPECT_EQ(snapshot.find<std::int64_t>("SELECT count(*) FROM thing"), 0);
  }
  EXPECT_EQ(reader.find<std::int64_t>("SELECT count(*) FROM thing"), 1);
}

TEST_F(Db, AnIntegerNeverBecomesAFloat) {
  Database database = open();
  make_table(database);
  constexpr std::int64_t kMax = (std::int64_t(1) << 62) - 1;
  {
    Transaction tx = database.begin();
    tx.exec("INSERT INTO thing (id, count) VALUES (1, $1)", kMax);
    tx.commit();
  }
  const auto refused = [&](std::string_view sql, const auto&... args) {
    Transaction tx = database.begin();
    EXPECT_THROW(tx.exec(sql, args...), ConstraintBroken) << sql;
  };
  refused("UPDATE thing SET count = count + 1");
  refused("UPDATE thing SET count = count + $1", kMax);                                           // inside 64 bits, outside the bound
  refused("UPDATE thing SET count = count * 4");                                                  // SQLite would go on in floating point
  if (!test::on_postgres()) refused("INSERT INTO thing (id, label) VALUES (2, $1)", Bytes{"a"});  // PostgreSQL would write it as \\x61
  refused("INSERT INTO thing (id, count) VALUES (2, $1)", "1.5");
  EXPECT_EQ(database.find<std::int64_t>("SELECT count FROM thing"), kMax);
  EXPECT_THROW(database.find<std::int64_t>("SELECT 9223372036854775807 + count FROM thing"), Failure);  // reading one is refused too
  EXPECT_THROW(database.find<std::int32_t>("SELECT count FROM thing"), Failure);
  for (const char* sql : {"SELECT 0.5", "SELECT 1.0", "SELECT avg(count) FROM thing", "SELECT CAST(2 AS REAL)"})
    EXPECT_THROW(database.find<std::int64_t>(sql), Failure) << sql;
}

TEST_F(Db, TextIsNoNumberAndNullIsNothing) {
  Database database = open();
  EXPECT_THROW(database.find<std::int64_t>("SELECT $1", "7"), Failure);
  EXPECT_THROW(database.find<std::string>("SELECT $1", 7), Failure);
  EXPECT_THROW(database.find<std::int64_t>("SELECT count(*) FROM asset HAVING count(*) > 0 UNION SELECT max(id) FROM asset"), Failure);
  EXPECT_EQ(database.find<std::optional<std::int64_t>>("SELECT max(id) FROM asset").value(), std::nullopt);
}

TEST_F(Db, TextsCompareByteByByte) {  // the test's server speaks English, where a < B < c
  Database database = open();
  make_table(database);
  Transaction tx = database.begin();
  int id = 0;
  for (const char* label : {"b", "B", "a-c", "ab", "é", "碳"}) tx.exec("INSERT INTO thing (id, label) VALUES ($1, $2)", ++id, label);
  const auto rows = tx.query<std::string>("SELECT label FROM thing ORDER BY label");
  std::vector<std::string> labels;
  for (const auto& [label] : rows) labels.push_back(label);
  EXPECT_EQ(labels, (std::vector<std::string>{"B", "a-c", "ab", "b", "é", "碳"}));
  EXPECT_EQ(tx.find<std::string>("SELECT min(label) FROM thing"), "B");
}

TEST_F(Db, ForeignKeysHold) {
  Database database = open();
  Transaction tx = database.begin();
  EXPECT_THROW(tx.exec("INSERT INTO system_balance (account, asset, amount) VALUES (1, 77, 0)"), ConstraintBroken);
}

TEST_F(Db, ParametersAreCounted) {
  Database database = open();
  EXPECT_THROW(database.find<std::int64_t>("SELECT $1 + $2", 1), core::InvariantBroken);
  EXPECT_THROW(database.find<std::int64_t>("SELECT $1", 1, 2), core::InvariantBroken);
  EXPECT_THROW(database.find<std::int64_t>("SELECT nothing"), Failure);
  EXPECT_EQ(database.find<std::int64_t>("SELECT $1 + $2", 1, 2), 3) << "and the connection goes on";
}

TEST_F(Db, AFailedStatementEndsItsTransaction) {
  Database database = open();
  make_table(database);
  {
    Transaction tx = database.begin();
    tx.exec("INSERT INTO thing (id) VALUES (1)");
    EXPECT_THROW(tx.exec("INSERT INTO thing (id) VALUES (1)"), ConstraintBroken);
    EXPECT_THROW(tx.exec("INSERT INTO thing (id) VALUES (2)"), core::InvariantBroken);
    EXPECT_THROW(tx.commit(), core::InvariantBroken);
  }
  EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM thing"), 0);
  Transaction tx = database.begin();
  EXPECT_EQ(tx.exec("INSERT INTO thing (id) VALUES (1)"), 1) << "the next one knows nothing of it";
  tx.commit();
}

TEST_F(Db, ConstraintsAreToldFromOtherFailures) {
  Database database = open();
  make_table(database);
  {
    Transaction tx = database.begin();
    tx.exec("CREATE TABLE child (id BIGINT PRIMARY KEY REFERENCES thing (id), must TEXT NOT NULL CHECK (length(must) < 4)) STRICT");
    tx.exec("INSERT INTO thing (id) VALUES (1)");
    tx.commit();
  }
  const auto run = [&](const char* sql) {
    Transaction tx = database.begin();
    tx.exec(sql);
    tx.commit();
  };
  EXPECT_THROW(run("INSERT INTO thing (id) VALUES (1)"), ConstraintBroken) << "unique";
  EXPECT_THROW(run("INSERT INTO child (id, must) VALUES (9, 'a')"), ConstraintBroken) << "foreign key";
  EXPECT_THROW(run("INSERT INTO child (id) VALUES (1)"), ConstraintBroken) << "not null";
  EXPECT_THROW(run("INSERT INTO child (id, must) VALUES (1, 'abcd')"), ConstraintBroken) << "check";
  try {
    run("INSERT INTO nowhere VALUES (1)");
    FAIL() << "there is no such table";
  } catch (const ConstraintBroken&) {
    FAIL() << "a missing table is no constraint";
  } catch (const Failure&) {}
}

TEST_F(Db, ManyRowsStream) {
  Database database = open();
  make_table(database);
  constexpr std::int64_t kRows = 300'000;
  {
    std::vector<std::int64_t> ids(kRows);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = std::int64_t(i);
    Transaction tx = database.begin();
    EXPECT_EQ(BulkInsert(tx, "thing", {"id", "count"}).insert({std::span<const std::int64_t>(ids), std::int64_t(1)}), kRows);
    tx.commit();
  }
  std::int64_t rows = 0, sum = 0;
  database.each("SELECT id FROM thing ORDER BY id", [&](const Row& row) {
    EXPECT_EQ(row.integer(0), rows++);
    sum += row.integer(0);
  });
  EXPECT_EQ(sum, kRows * (kRows - 1) / 2);
  struct Enough {};
  EXPECT_THROW(database.each("SELECT id FROM thing", [](const Row&) { throw Enough(); }), Enough);
  EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM thing"), kRows) << "after one who stopped listening";
  if (test::on_postgres()) {
    EXPECT_THROW(database.each("SELECT id FROM thing", [&](const Row&) { database.find<std::int64_t>("SELECT 1"); }), core::InvariantBroken)
        << "too many rows are left to be held";
    EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM thing"), kRows);
  }
}

TEST_F(Db, AQuestionInsideAQuestion) {  // the same text: the statement that is in use is not taken away
  Database database = open();
  make_table(database);
  {
    Transaction tx = database.begin();
    for (int id = 1; id <= 3; ++id) tx.exec("INSERT INTO thing (id) VALUES ($1)", id);
    tx.commit();
  }
  int pairs = 0;
  constexpr std::string_view kSql = "SELECT id FROM thing ORDER BY id";
  database.each(kSql, [&](const Row&) { database.each(kSql, [&](const Row&) { ++pairs; }); });
  EXPECT_EQ(pairs, 9);
}

TEST_F(SqliteDb, WhatCannotBeOpened) {
  std::ofstream(path("text")) << "this is not a database, it is a text";
  std::filesystem::create_directory(path("folder"));
  const struct {
    const char* why;
    std::string where;
    const char* id;
  } rows[] = {
      {"no folder", path("missing/a.db"), "db.no-folder"},
      {"a text file", path("text"), "db.not-a-database"},
      {"a folder", path("folder"), "db.not-a-database"},
      {"another store", "mysql://localhost/x", "db.unknown-store"},
  };
  for (const auto& [why, where, id] : rows) {
    const auto opened = Database::open(where);
    ASSERT_FALSE(opened) << why;
    EXPECT_EQ(opened.error().id, id) << why;
    EXPECT_FALSE(opened.error().action.empty()) << why;
  }
  EXPECT_TRUE(Database::open("sqlite:" + path("with a space.db")));
}

TEST_F(SqliteDb, AnotherProcessThatEndsTakesNothingAway) {
  // Children are made first: a connection must not be carried over a fork. Each waits for its turn, opens, counts and closes.
  std::array<std::array<int, 2>, 2> turns{};
  std::array<pid_t, 2> children{};
  for (std::size_t i = 0; i < children.size(); ++i) {
    ASSERT_EQ(::pipe(turns[i].data()), 0);
    children[i] = in_child([&] {
      char turn = 0;
      if (::read(turns[i][0], &turn, 1) != 1) return 99;
      Database own = *Database::open(path("a.db"));
      return int(own.find<std::int64_t>("SELECT count(*) FROM thing").value_or(98));
    });
  }
  Database first = *Database::open(path("a.db")), second = *Database::open(path("a.db"));
  {
    Transaction tx = first.begin();
    tx.exec("CREATE TABLE thing (id BIGINT PRIMARY KEY) STRICT");
    tx.commit();
  }
  const auto insert = [](Database& database, int id) {
    Transaction tx = database.begin();
    tx.exec("INSERT INTO thing (id) VALUES ($1)", id);
    tx.commit();
  };
  insert(first, 1);
  ASSERT_EQ(::write(turns[0][1], "x", 1), 1);
  EXPECT_EQ(code_of(children[0]), 1);
  EXPECT_TRUE(std::filesystem::exists(path("a.db-wal"))) << "it is in use here";
  insert(second, 2);
  ASSERT_EQ(::write(turns[1][1], "x", 1), 1);
  EXPECT_EQ(code_of(children[1]), 2) << "what was committed after the first one ended";
  for (const auto& [read, write] : turns) {
    ::close(read);
    ::close(write);
  }
}

std::shared_ptr<Connection> connect(const std::string& where) { return is_postgres(where) ? *open_postgres(where) : *open_sqlite(where); }

TEST_F(SqliteDb, EveryConnectionIsCareful) {
  Database database = *Database::open(path("a.db"));
  const auto loose = database.query<std::string>(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite!_%' ESCAPE "
      "'!'");
  for (const auto& [name] : loose) ADD_FAILURE() << name << " is not STRICT: an overflow would become a floating point number";
  EXPECT_EQ(database.find<std::string>("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(database.find<std::int64_t>("PRAGMA synchronous"), 2) << "FULL";
  EXPECT_EQ(database.find<std::int64_t>("PRAGMA foreign_keys"), 1);
  EXPECT_EQ(database.find<std::int64_t>("PRAGMA busy_timeout"), 30'000);
}

TEST_F(Db, MigrationsAreForwardOnly) {
  constexpr Migration kFirst[] = {{"0001_a", "CREATE TABLE a (x BIGINT) STRICT;"}};
  constexpr Migration kBoth[] = {kFirst[0], {"0002_b", "CREATE TABLE b (x BIGINT) STRICT; INSERT INTO b VALUES (7);"}};
  constexpr Migration kEdited[] = {{"0001_a", "CREATE TABLE a (y BIGINT) STRICT;"}, kBoth[1]};
  constexpr Migration kBad[] = {kBoth[0], kBoth[1], {"0003_c", "CREATE TABLE c (x BIGINT) STRICT; INSERT INTO nowhere VALUES (1);"}};
  const auto with = [&](std::span<const Migration> all) { return migrate(*connect(place_.where()), all, "m"); };
  EXPECT_TRUE(with(kFirst));
  EXPECT_TRUE(with(kBoth));
  EXPECT_TRUE(with(kBoth)) << "again: nothing to do";
  EXPECT_EQ(with(kFirst).error().id, "db.newer");
  EXPECT_EQ(with(kEdited).error().id, "db.changed-migration");
  EXPECT_THROW((void)with(kBad), Failure);
  EXPECT_FALSE(connect(place_.where())->has_table("c")) << "a migration that fails leaves nothing";
  EXPECT_TRUE(with(kBoth));
  {
    const auto connection = connect(place_.where());
    connection->begin(Begin::write);
    connection->run_script("UPDATE schema_version SET version = 3 WHERE version = 2");
    connection->commit();
  }
  EXPECT_EQ(with(kBoth).error().id, "db.changed-migration") << "a number that was tampered with";
}

TEST_F(Db, ManyProcessesMigrateTogether) {
  std::vector<pid_t> children;
  for (int i = 0; i < 6; ++i) children.push_back(in_child([&] { return Database::open(place_.where()) ? 0 : 2; }));
  for (const pid_t child : children) EXPECT_EQ(code_of(child), 0);
  Database database = open();
  EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM schema_version"), std::int64_t(migrations().size()));
}

TEST_F(Db, ManyThreadsMigrateTogether) {
  std::vector<std::thread> threads;
  std::atomic<int> opened = 0;
  for (int i = 0; i < 6; ++i) threads.emplace_back([&] { opened += Database::open(place_.where()) ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(opened, 6);
}

/// Each adds one to what it read: with two writers at once some would be lost.
TEST_F(Db, WritersTakeTurns) {
  constexpr int kWriters = 4, kTurns = 25;
  {
    Database database = open();
    make_table(database);
    Transaction tx = database.begin();
    tx.exec("INSERT INTO thing (id, count) VALUES (0, 0)");
    tx.commit();
  }
  std::vector<pid_t> children;
  for (int writer = 0; writer < kWriters; ++writer)
    children.push_back(in_child([&] {
      Database database = open();
      for (int turn = 0; turn < kTurns; ++turn) {
        const auto added = database.transact([](Transaction& tx) -> core::Status {
          const auto count = tx.find<std::int64_t>("SELECT count FROM thing WHERE id = 0");
          tx.exec("INSERT INTO thing (id) SELECT coalesce(max(id), 0) + 1 FROM thing");
          tx.exec("UPDATE thing SET count = $1 WHERE id = 0", *count + 1);
          return core::Done{};
        });
        if (!added) return 3;
      }
      return 0;
    }));
  for (const pid_t child : children) EXPECT_EQ(code_of(child), 0);
  Database database = open();
  EXPECT_EQ(database.find<std::int64_t>("SELECT count FROM thing WHERE id = 0"), kWriters * kTurns);
  EXPECT_EQ(database.find<std::int64_t>("SELECT max(id) FROM thing"), kWriters * kTurns);
}

TEST_F(Db, AKilledWriterLeavesNothingHalf) {
  {
    Database database = open();
    make_table(database);
  }
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = in_child([&] {
    Database database = open();
    Transaction tx = database.begin();
    std::vector<std::int64_t> ids(100'000);  // more than the cache holds, so pages reach the file before any commit
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = std::int64_t(i);
    BulkInsert insert(tx, "thing", {"id", "count"});
    for (int batch = 0; batch < 11; ++batch) {
      insert.insert({std::span<const std::int64_t>(ids), std::int64_t(batch)});
      for (std::int64_t& id : ids) id += std::int64_t(ids.size());
    }
    (void)!::write(ready[1], "x", 1);
    return ::pause();
  });
  char go = 0;
  ASSERT_EQ(::read(ready[0], &go, 1), 1);
  ::kill(child, SIGKILL);
  code_of(child);
  ::close(ready[0]);
  ::close(ready[1]);
  Database database = open();
  EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM thing"), 0);
  Transaction tx = database.begin();  // the dead writer's lock is free
  EXPECT_EQ(tx.exec("INSERT INTO thing (id) VALUES (1)"), 1);
  tx.commit();
  if (!test::on_postgres()) {
    EXPECT_EQ(database.find<std::string>("PRAGMA integrity_check"), "ok");
  }
}

TEST_F(Db, BulkInsertTakesEveryKindOfColumn) {
  Database database = open();
  make_table(database);
  const std::vector<std::int64_t> ids = {1, 2, 3};
  const std::vector<std::string_view> labels = {"one", "", std::string_view("t\0o", 3)};
  const std::vector<core::PersonKey> people = {{1, 2}, {3, 4}, {5, 6}};
  Transaction tx = database.begin();
  tx.exec("CREATE TABLE pair (id BIGINT PRIMARY KEY, label BYTEA, person BYTEA, count BIGINT) STRICT");
  BulkInsert insert(tx, "pair", {"id", "label", "person", "count"}, "ON CONFLICT (id) DO UPDATE SET count = pair.count + excluded.count");
  const auto put = [&] { return insert.insert({std::span(ids), std::span(labels), std::span(people), std::int64_t(10)}); };
  EXPECT_EQ(put(), 3);
  EXPECT_EQ(put(), 3);
  using Found = std::tuple<std::int64_t, std::string, core::PersonKey, std::int64_t>;
  const std::vector<Found> expected = {{1, "one", {1, 2}, 20}, {2, "", {3, 4}, 20}, {3, std::string("t\0o", 3), {5, 6}, 20}};
  EXPECT_EQ((tx.query<std::int64_t, std::string, core::PersonKey, std::int64_t>("SELECT id, label, person, count FROM pair ORDER BY id")),
            expected);
  EXPECT_EQ(insert.insert({std::span(ids).first(0), std::span(labels).first(0), std::span(people).first(0), std::int64_t(1)}), 0);
  EXPECT_THROW(insert.insert({std::span(ids), std::span(labels).first(2), std::span(people), std::int64_t(1)}), core::InvariantBroken);
  EXPECT_THROW(insert.insert({std::span(ids)}), core::InvariantBroken);
  tx.commit();
  EXPECT_THROW(put(), core::InvariantBroken) << "the transaction is over";
}

/// What PostgreSQL's text formats would have to escape, in a table with and without a conflict clause.
TEST_F(Db, BulkInsertTakesEveryValue) {
  Database database = open();
  make_table(database);
  const std::string awkward = "tab\t newline\n return\r backslash\\ \\N \"quotes\" 'single' {braces,commas} NULL $1 碳惠 \x01";
  const std::vector<Parameter> ids = {1, 2, 3, 4}, labels = {awkward, nullptr, "", "NULL"},
                               secrets = {Bytes{std::string_view("\0\xff\\x", 4)}, Bytes{""}, nullptr, Bytes{awkward}},
                               counts = {INT64_C(4611686018427387903), INT64_C(-4611686018427387903), nullptr, 0};
  using Found = std::tuple<std::int64_t, std::optional<std::string>, std::optional<std::string>, std::optional<std::int64_t>>;
  const std::vector<Found> expected = {{1, awkward, std::string("\0\xff\\x", 4), INT64_C(4611686018427387903)},
                                       {2, std::nullopt, "", INT64_C(-4611686018427387903)},
                                       {3, "", std::nullopt, std::nullopt},
                                       {4, "NULL", awkward, 0}};
  for (const char* conflict : {"", "ON CONFLICT (id) DO NOTHING"}) {
    Transaction tx = database.begin();
    BulkInsert insert(tx, "thing", {"id", "label", "secret", "count"}, conflict);
    EXPECT_EQ(insert.insert({std::span(ids), std::span(labels), std::span(secrets), std::span(counts)}), 4) << conflict;
    EXPECT_EQ((tx.query<std::int64_t, std::optional<std::string>, std::optional<std::string>, std::optional<std::int64_t>>(
                  "SELECT id, label, secret, count FROM thing ORDER BY id")),
              expected)
        << conflict;
  }
  for (const char* conflict : {"", "ON CONFLICT (id) DO NOTHING"}) {
    Transaction tx = database.begin();
    BulkInsert insert(tx, "thing", {"id", "count"}, conflict);
    const std::vector<std::int64_t> two = {1, 2}, beyond = {1, INT64_MAX};
    EXPECT_THROW(insert.insert({std::span(two), std::span(beyond)}), ConstraintBroken) << conflict;
  }
}

TEST_F(Db, ALockIsHeldOnce) {
  Database first = open(), second = open();
  if (!test::on_postgres()) {
    EXPECT_TRUE(first.try_lock("run")) << "a file is locked by whoever owns its folder";
    return;
  }
  {
    const auto held = first.try_lock("run");
    EXPECT_TRUE(held);
    EXPECT_FALSE(second.try_lock("run"));
    EXPECT_FALSE(first.try_lock("run")) << "nor twice by the same";
    EXPECT_TRUE(second.try_lock("something else"));
    const test::Place elsewhere;
    Database third = elsewhere.open();
    EXPECT_TRUE(third.try_lock("run")) << "another schema is another world";
  }
  EXPECT_TRUE(second.try_lock("run")) << "let go";
  const pid_t child = in_child([&] {
    Database killed = open();
    const auto held = killed.try_lock("run");
    return ::kill(::getpid(), SIGKILL);
  });
  code_of(child);
  std::optional<Lock> held;
  for (int tries = 0; tries < 500 && !(held = second.try_lock("run")); ++tries)  // the server notices within milliseconds
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(held) << "a killed process holds nothing";
}

class PostgresDb : public Db {
 protected:
  void SetUp() override {
    if (!test::on_postgres()) GTEST_SKIP() << "of PostgreSQL only";
  }
  /// As a firewall, a restart or an administrator would.
  void cut(Database& victim) {
    const auto process = victim.find<std::int64_t>("SELECT pg_backend_pid()");
    Database other = open();
    EXPECT_TRUE(other.find<bool>("SELECT pg_terminate_backend(CAST($1 AS INT))", *process));
    for (int tries = 0; tries < 500 && other.find<std::int64_t>("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", *process) != 0;
         ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
};

TEST_F(PostgresDb, ALostConnectionIsAFailure) {
  Database database = open();
  make_table(database);
  EXPECT_TRUE(database.usable());
  cut(database);
  EXPECT_FALSE(database.usable()) << "seen without a question";
  EXPECT_THROW(database.find<std::int64_t>("SELECT 1"), Failure);
  EXPECT_THROW(database.begin(), Failure);
  Database writer = open();
  {
    Transaction tx = writer.begin();
    tx.exec("INSERT INTO thing (id) VALUES (1)");
    cut(writer);
    EXPECT_THROW(tx.commit(), Failure);
  }
  Database after = open();
  EXPECT_EQ(after.find<std::int64_t>("SELECT count(*) FROM thing"), 0);
}

TEST_F(PostgresDb, EveryConnectionIsCareful) {
  for (const char* settings : {"", "-c synchronous_commit=off -c statement_timeout=60000 -c lock_timeout=1"}) {  // a careless administrator
    const std::string where = place_.where() + std::string(*settings == '\0' ? "" : "%20") + [&] {
      std::string encoded;
      for (const char* at = settings; *at != '\0'; ++at) encoded += *at == ' ' ? "%20" : *at == '=' ? "%3D" : std::string(1, *at);
      return encoded;
    }();
    Database database = *Database::open(where);
    EXPECT_EQ(database.find<std::string>("SELECT current_setting('synchronous_commit')"), "on");
    EXPECT_EQ(database.find<std::string>("SELECT current_setting('statement_timeout')"), "0");
    EXPECT_EQ(database.find<std::string>("SELECT current_setting('lock_timeout')"), "30s");
    Snapshot snapshot = database.snapshot();
    EXPECT_EQ(snapshot.find<std::string>("SELECT current_setting('transaction_isolation')"), "repeatable read");
    EXPECT_EQ(snapshot.find<std::string>("SELECT current_setting('transaction_read_only')"), "on");
  }
}

TEST_F(PostgresDb, AWriterThatWaitsTooLongSaysSo) {
  Database first = open();
  Transaction tx = first.begin();
  Database second = open();
  second.find<std::string>("SELECT set_config('lock_timeout', '50ms', false)");
  try {
    second.begin();
    FAIL() << "there is a writer";
  } catch (const Failure& failure) {
    EXPECT_NE(std::string_view(failure.what()).find("another process has been writing"), std::string_view::npos) << failure.what();
  }
  tx.commit();
  Transaction again = second.begin();
  again.commit();
}

TEST_F(PostgresDb, WhatCannotBeOpened) {
  const std::string server = test::server_address();
  const struct {
    const char* why;
    std::string where;
    const char* id;
  } rows[] = {
      {"nobody there", "postgresql://ann:s3cret@localhost:1/x", "db.unreachable"},
      {"no such database", server + "&dbname=missing&password=s3cret", "db.unreachable"},
      {"a slash in the password", "postgresql://ann:s3/cret@localhost/x", "db.bad-address"},
      {"an @ in the password", "postgresql://ann:s3@cret@localhost/x", "db.bad-address"},
      {"no such schema", test::address_of("missing"), "db.no-schema"},
  };
  for (const auto& [why, where, id] : rows) {
    const auto opened = Database::open(where);
    ASSERT_FALSE(opened) << why;
    EXPECT_EQ(opened.error().id, id) << why << ": " << opened.error().message;
    EXPECT_EQ((opened.error().message + opened.error().action).find("cret"), std::string::npos) << opened.error().message;
    EXPECT_FALSE(opened.error().action.empty()) << why;
  }
}

TEST(PostgresName, TellsStoresApartWithoutThePassword) {
  const struct {
    const char* where;
    const char* name;
  } rows[] = {
      {"postgresql://ann:s3cret@db.example:5433/city", "postgresql://ann@db.example:5433/city"},
      {"postgres://ann@db.example:5433/city?password=s3cret", "postgresql://ann@db.example:5433/city"},
      {"postgresql://db.example/city?sslmode=require", "postgresql://db.example/city"},
      {"postgresql:///city?host=/run/postgresql", "postgresql:///city?host=/run/postgresql"},
      {"postgresql://h/city?options=-csearch_path%3Dwuhan", "postgresql://h/city?options=-csearch_path=wuhan"},
      {"sqlite:/a/b.db", "/a/b.db"},
  };
  for (const auto& [where, name] : rows) EXPECT_EQ(*Database::name_of(where), name);
}

TEST(Dialect, InTheWordsOfEachStore) {
  const struct {
    const char* ours;
    const char* sqlite;
    const char* postgres;
  } rows[] = {
      {"SELECT $2 FROM a WHERE b = '$1 BIGINT'", "SELECT ?2 FROM a WHERE b = '$1 BIGINT'", "SELECT $2 FROM a WHERE b = '$1 BIGINT'"},
      {"CREATE TABLE a (x BIGINT, y BYTEA) STRICT;", "CREATE TABLE a (x INTEGER, y BLOB) STRICT;", "CREATE TABLE a (x BIGINT, y BYTEA);"},
      {"CREATE TABLE a (x TEXT PRIMARY KEY) STRICT, WITHOUT ROWID; SELECT CAST(1 AS TEXT)",
       "CREATE TABLE a (x TEXT PRIMARY KEY) STRICT, WITHOUT ROWID; SELECT CAST(1 AS TEXT)",
       "CREATE TABLE a (x TEXT COLLATE \"C\" PRIMARY KEY); SELECT CAST(1 AS TEXT)"},
      {"-- it's STRICT\nCREATE TABLE a (x TEXT) WITHOUT ROWID, STRICT", "-- it's STRICT\nCREATE TABLE a (x TEXT) WITHOUT ROWID, STRICT",
       "-- it's STRICT\nCREATE TABLE a (x TEXT COLLATE \"C\")"},
  };
  for (const auto& [ours, sqlite, postgres] : rows) {
    EXPECT_EQ(to_sqlite(ours), sqlite);
    EXPECT_EQ(to_postgres(ours), postgres);
  }
  EXPECT_EQ(parameters_in("SELECT $2, $11 WHERE a = '$99' -- $50"), 11);
}

TEST_F(Db, AWriterDoesNotMakeOpenersWait) {
  Database writer = open();
  Transaction tx = writer.begin();
  const auto began = std::chrono::steady_clock::now();
  Database reader = open();
  EXPECT_EQ(reader.find<std::int64_t>("SELECT count(*) FROM asset"), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

}  // namespace
}  // namespace tanhui::db
