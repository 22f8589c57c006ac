#include "db/db.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "core/invariant.h"
#include "db/connection.h"
#include "db/migrations.h"

namespace tanhui::db {
namespace {

/// A folder of its own for each test, gone afterwards.
class InFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              fmt::format("tanhui-db-{}-{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(std::string_view name) const { return (folder_ / name).string(); }
  Database open(std::string_view name = "test.db") {
    auto database = Database::open(path(name));
    EXPECT_TRUE(database) << database.error().message;
    return *std::move(database);
  }
  static void make_table(Database& database) {
    Transaction tx = database.begin();
    tx.exec(
        "CREATE TABLE thing (id BIGINT PRIMARY KEY, label TEXT, secret BYTEA, count BIGINT CHECK (count BETWEEN -4611686018427387903 AND "
        "4611686018427387903)) STRICT");
    tx.commit();
  }
  std::filesystem::path folder_;
};
using Db = InFolder;

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
  Transaction tx = database.begin();
  tx.exec("INSERT INTO thing (id, count) VALUES (1, $1)", kMax);
  EXPECT_THROW(tx.exec("UPDATE thing SET count = count + 1"), ConstraintBroken);
  EXPECT_THROW(tx.exec("UPDATE thing SET count = count + $1", kMax), ConstraintBroken);      // inside 64 bits, outside the bound
  EXPECT_THROW(tx.exec("UPDATE thing SET count = count * 4"), ConstraintBroken);             // SQLite would go on in floating point
  EXPECT_THROW(tx.exec("INSERT INTO thing (id, count) VALUES (2, 1.5)"), ConstraintBroken);  // STRICT
  EXPECT_THROW(tx.exec("INSERT INTO thing (id, label) VALUES (2, X'00')"), ConstraintBroken);
  EXPECT_EQ(tx.find<std::int64_t>("SELECT count FROM thing"), kMax);
  EXPECT_THROW(tx.find<std::int64_t>("SELECT 9223372036854775807 + count FROM thing"), Failure);  // reading one is refused too
  EXPECT_THROW(tx.find<std::int32_t>("SELECT count FROM thing"), Failure);
}

TEST_F(Db, ForeignKeysHold) {
  Database database = open();
  Transaction tx = database.begin();
  EXPECT_THROW(tx.exec("INSERT INTO system_balance (account, asset, amount) VALUES (1, 77, 0)"), ConstraintBroken);
}

TEST_F(Db, ParametersAreCounted) {
  Database database = open();
  EXPECT_THROW(database.find<std::int64_t>("SELECT $1 + $2", 1), core::InvariantBroken);
  EXPECT_THROW(database.find<std::int64_t>("SELECT nothing"), Failure);
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

TEST_F(Db, WhatCannotBeOpened) {
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
      {"another store", "postgresql://localhost/x", "db.unknown-store"},
  };
  for (const auto& [why, where, id] : rows) {
    const auto opened = Database::open(where);
    ASSERT_FALSE(opened) << why;
    EXPECT_EQ(opened.error().id, id) << why;
    EXPECT_FALSE(opened.error().action.empty()) << why;
  }
  EXPECT_TRUE(Database::open("sqlite:" + path("with a space.db")));
}

TEST_F(Db, MigrationsAreForwardOnly) {
  constexpr Migration kFirst[] = {{"0001_a", "CREATE TABLE a (x BIGINT) STRICT;"}};
  constexpr Migration kBoth[] = {kFirst[0], {"0002_b", "CREATE TABLE b (x BIGINT) STRICT; INSERT INTO b VALUES (7);"}};
  constexpr Migration kEdited[] = {{"0001_a", "CREATE TABLE a (y BIGINT) STRICT;"}, kBoth[1]};
  constexpr Migration kBad[] = {kBoth[0], kBoth[1], {"0003_c", "CREATE TABLE c (x BIGINT) STRICT; INSERT INTO nowhere VALUES (1);"}};
  const std::string file = path("m.db");
  const auto with = [&](std::span<const Migration> all) { return migrate(**open_sqlite(file), all, file); };
  EXPECT_TRUE(with(kFirst));
  EXPECT_TRUE(with(kBoth));
  EXPECT_TRUE(with(kBoth)) << "again: nothing to do";
  EXPECT_EQ(with(kFirst).error().id, "db.newer");
  EXPECT_EQ(with(kEdited).error().id, "db.changed-migration");
  EXPECT_THROW((void)with(kBad), Failure);
  EXPECT_FALSE((*open_sqlite(file))->has_table("c")) << "a migration that fails leaves nothing";
  EXPECT_TRUE(with(kBoth));
}

TEST_F(Db, ManyProcessesMigrateTogether) {
  constexpr int kProcesses = 6;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int code = 1;
      try {
        code = Database::open(path("together.db")) ? 0 : 2;
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
      ::_exit(code);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  Database database = open("together.db");
  EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM schema_version"), std::int64_t(migrations().size()));
}

TEST_F(Db, AKilledWriterLeavesNothingHalf) {
  {
    Database database = open();
    make_table(database);
  }
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    Database database = open();
    Transaction tx = database.begin();
    std::vector<std::int64_t> ids(100'000);  // more than the cache holds, so pages reach the file before any commit
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = std::int64_t(i);
    BulkInsert insert(tx, "thing", {"id", "count"});
    for (int batch = 0; batch < 20; ++batch) {
      insert.insert({std::span<const std::int64_t>(ids), std::int64_t(batch)});
      for (std::int64_t& id : ids) id += std::int64_t(ids.size());
      if (batch == 10) (void)!::write(ready[1], "x", 1);
    }
    ::pause();
    ::_exit(0);
  }
  char go = 0;
  ASSERT_EQ(::read(ready[0], &go, 1), 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  Database database = open();
  EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM thing"), 0);
  EXPECT_EQ(database.find<std::string>("PRAGMA integrity_check"), "ok");
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
