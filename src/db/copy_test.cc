#include "db/copy.h"

#include <gtest/gtest.h>

#include "db/test_database.h"

namespace tanhui::db {
namespace {

constexpr std::string_view kAwkward("tab\t newline\n \\N \"'{},\x01 \xe7\xa2\xb3", 24);

/// Some rows in tables that refer to each other, and a table of a kind that no program knows yet.
void fill(Database& database) {
  Transaction tx = database.begin();
  tx.exec("CREATE TABLE later (name TEXT NOT NULL, place BIGINT NOT NULL, what BYTEA, PRIMARY KEY (place, name)) STRICT, WITHOUT ROWID");
  tx.exec("INSERT INTO asset (id, kind, programme, category, period) VALUES (7, 'points', $1, '', 0)", kAwkward);
  tx.exec("INSERT INTO transfer (id, key, digest, reason) VALUES (3, 'k', $1, '')", core::sha256("a"));
  tx.exec("INSERT INTO posting (transfer, owner, asset, amount) VALUES (3, $1, 7, -4611686018427387903)", core::PersonKey{~0ull, 1});
  std::vector<std::int64_t> places;
  std::vector<Parameter> names, what;
  for (std::int64_t i = 0; i < 10'000; ++i) {  // more than a batch
    places.push_back(i / 2);
    names.push_back(i % 2 == 0 ? "B" : "a");  // in the order of bytes, not of English
    what.push_back(i % 3 == 0 ? Parameter(nullptr) : i % 3 == 1 ? Parameter(Bytes{""}) : Parameter(Bytes{kAwkward}));
  }
  BulkInsert(tx, "later", {"place", "name", "what"})
      .insert({std::span<const std::int64_t>(places), std::span<const Parameter>(names), std::span<const Parameter>(what)});
  tx.commit();
}

void make_later(Database& database) {
  Transaction tx = database.begin();
  tx.exec("CREATE TABLE later (name TEXT NOT NULL, place BIGINT NOT NULL, what BYTEA, PRIMARY KEY (place, name)) STRICT, WITHOUT ROWID");
  tx.commit();
}

class Copy : public testing::Test {
 protected:
  static std::vector<TableDigest> all(Database& database) {
    Snapshot snapshot = database.snapshot();
    return digests(snapshot);
  }
  std::vector<TableDigest> copy(Database& from, Database& to) {
    Snapshot snapshot = from.snapshot();
    Transaction tx = to.begin();
    const auto read = copy_tables(snapshot, tx);
    tx.commit();
    return read;
  }
  test::Place place_;
};

TEST_F(Copy, ThereAndBackIsTheSame) {
  Database first = place_.open(), file = *Database::open(":memory:");
  fill(first);
  make_later(file);
  EXPECT_TRUE(check_empty(file, "file"));
  const auto read = copy(first, file);
  EXPECT_EQ(read, all(first));
  EXPECT_EQ(read, all(file));
  EXPECT_TRUE(compare(read, all(file)));
  const auto later = std::find_if(read.begin(), read.end(), [](const TableDigest& one) { return one.table == "later"; });
  ASSERT_NE(later, read.end());
  EXPECT_EQ(later->rows, 10'000);
  const test::Place elsewhere;
  Database back = elsewhere.open();
  make_later(back);
  EXPECT_EQ(copy(file, back), read);
  EXPECT_EQ(all(back), read);
  EXPECT_EQ(check_empty(back, "back").error().id, "db.not-empty");
}

TEST_F(Copy, TheDigestIsPinned) {  // worked out with another SHA-256 over the bytes of the grammar
  Database database = place_.open();
  Transaction tx = database.begin();
  tx.exec("CREATE TABLE a (id BIGINT PRIMARY KEY, t TEXT, b BYTEA) STRICT");
  tx.exec("INSERT INTO a (id, t, b) VALUES (1, 'x', NULL)");
  tx.exec("INSERT INTO a (id, t, b) VALUES (-2, '', $1)", Bytes{"y"});
  const auto found = digests(tx);
  const auto a = std::find_if(found.begin(), found.end(), [](const TableDigest& one) { return one.table == "a"; });
  ASSERT_NE(a, found.end());
  EXPECT_EQ(core::to_hex(a->digest), "dad9d64518ca2ddcf02611dcbd92f63e4f4754e6b85b9ef8830eeeb32bc62f09");
}

TEST_F(Copy, ADifferenceIsNamed) {
  Database first = place_.open();
  fill(first);
  const auto before = all(first);
  Transaction tx = first.begin();
  tx.exec("UPDATE later SET what = NULL WHERE place = 77 AND name = 'a'");
  const auto differs = compare(before, digests(tx));
  ASSERT_FALSE(differs);
  EXPECT_EQ(differs.error().id, "db.copy-differs");
  EXPECT_NE(differs.error().message.find("later"), std::string::npos);
}

TEST_F(Copy, IsSavedWhileOthersWrite) {
  Database first = place_.open();
  fill(first);
  Database writer = place_.open();
  Transaction tx = writer.begin();
  tx.exec("INSERT INTO transfer (id, key, digest, reason) VALUES (4, 'not yet', $1, '')", core::sha256("a"));
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("tanhui-copy-{}", ::getpid());
  std::filesystem::create_directories(folder);
  if (test::on_postgres()) {
    EXPECT_THROW((void)save_to_file(first, folder / "copy.db"), Failure) << "a table that no migration makes";
    std::filesystem::remove(folder / "copy.db");
    tx.exec("DROP TABLE later");
    tx.commit();
  }
  ASSERT_TRUE(save_to_file(first, folder / "copy.db"));
  Database copy = *Database::open((folder / "copy.db").string());
  EXPECT_EQ(all(copy), all(first));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tanhui::db
