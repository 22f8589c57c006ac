#include "backup/backup.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "db/copy.h"
#include "db/test_database.h"
#include "journal/catalogue.h"
#include "ledger/ledger.h"

namespace tanhui::backup {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, std::string_view bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// What a run leaves, with few words for a segment: accounts, a row of the run, a file in the journal, an entry in the log.
void run(identity::Instance& instance, std::uint64_t number, bool published = true) {
  db::Transaction tx = instance.database().begin();
  const auto asset = ledger::asset_id(tx, ledger::reduction_asset("city", "travel", 2024));
  auto posting = *ledger::RunPosting::start(tx, fmt::format("run {}", number), "");
  for (std::uint64_t person = 1; person <= 50; ++person) posting.add(asset, {person, number}, std::int64_t(person));
  posting.finish();
  journal::Run row;
  row.id = number;
  row.key = fmt::format("key {}", number);
  row.programme = "city";
  row.records = row.accepted = 50;
  journal::insert_run(tx, row);
  const std::string bytes = fmt::format("the records of run {}", number);
  tx.exec("INSERT INTO log_entry (position, bytes) VALUES ($1, $2)", std::int64_t(number), db::Bytes{"{}"});
  journal::SegmentInfo info;
  info.rows = 50;
  info.bytes = bytes.size();
  info.sha256 = core::sha256(bytes);
  const core::Day day = core::day_of(2024, 9, 2);
  journal::insert_segment(tx, "city", day, number, number, info);
  journal::Publication publication(instance.journal(), number);
  write(publication.stage("city", day), bytes);
  tx.commit();
  if (published) publication.publish();
}

class Backup : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  identity::Instance make() {
    auto made = identity::Instance::open_or_create(root_ / "city", store_);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    return *std::move(made);
  }
  static std::vector<db::TableDigest> all(db::Database& database) {
    db::Snapshot snapshot = database.snapshot();
    return db::digests(snapshot);
  }
  const fs::path root_ = fs::temp_directory_path() / fmt::format("tanhui-backup-{}", ::getpid());
  const std::string store_ = db::test::fresh_store();
};

TEST_F(Backup, IsAnInstanceAndComesBack) {
  identity::Instance instance = make();
  run(instance, 1);
  run(instance, 2, false);  // committed a moment ago: still staged
  write(instance.folder() / "log.key", "a signing key");
  write(instance.folder() / "log/checkpoint", "note");
  const auto made = make_backup(instance, root_ / "copy");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->segments, 2);
  struct stat key {};
  for (const char* name : {"secret.key", "log.key", "tanhui.db"}) {
    ASSERT_EQ(::stat((root_ / "copy" / name).c_str(), &key), 0) << name;
    EXPECT_EQ(key.st_mode & 0777, mode_t(0600)) << name;
  }
  identity::Instance copy = *identity::Instance::open(root_ / "copy");
  EXPECT_EQ(copy.secret().person("ann"), instance.secret().person("ann"));
  EXPECT_EQ(all(copy.database()), all(instance.database()));
  EXPECT_EQ(make_backup(instance, root_ / "copy").error().id, "backup.not-empty");

  const std::string target = db::test::fresh_store();
  const auto back = restore(root_ / "copy", root_ / "back", target);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->rows, made->rows);
  identity::Instance restored = *identity::Instance::open(root_ / "back");
  EXPECT_EQ(restored.database().name(), target.empty() ? (root_ / "back/tanhui.db").string() : *db::Database::name_of(target));
  EXPECT_EQ(fs::exists(root_ / "back/tanhui.db"), target.empty());
  EXPECT_EQ(all(restored.database()), all(instance.database()));
  EXPECT_TRUE(ledger::check(restored.database()));
  EXPECT_EQ(read(restored.journal() / "programme=city/day=2024-09-02/run-000002.parquet"), "the records of run 2");
  EXPECT_EQ(read(root_ / "back/log/checkpoint"), "note");
  run(restored, 3);
  EXPECT_EQ(restore(root_ / "copy", root_ / "back").error().id, "backup.not-empty");
}

TEST_F(Backup, WhatCannotBeRestored) {
  identity::Instance instance = make();
  run(instance, 1);
  const fs::path segment = root_ / "copy/journal/programme=city/day=2024-09-02/run-000001.parquet";
  const struct {
    const char* why;
    std::function<void()> damage;
    const char* id;
  } rows[] = {
      {"no key", [&] { fs::remove(root_ / "copy/secret.key"); }, "backup.not-a-backup"},
      {"no database", [&] { fs::remove(root_ / "copy/tanhui.db"); }, "backup.not-a-backup"},
      {"another key", [&] { write(root_ / "copy/secret.key", std::string(core::KeySecret::kBytes, 'x')); }, "instance.other-key"},
      {"a segment is gone", [&] { fs::remove(segment); }, "backup.damaged"},
      {"a byte of a segment", [&] { fs::remove(segment), write(segment, "the records of run 2"); }, "backup.damaged"},
      {"an amount",
       [&] {
         db::Database copy = *db::Database::open((root_ / "copy/tanhui.db").string());
         db::Transaction tx = copy.begin();
         tx.exec("UPDATE balance SET amount = amount + 1 WHERE amount = 7");
         tx.commit();
       },
       "ledger.broken"},
  };
  for (const auto& [why, damage, id] : rows) {
    fs::remove_all(root_ / "copy");
    ASSERT_TRUE(make_backup(instance, root_ / "copy")) << why;
    damage();
    const auto back = restore(root_ / "copy", root_ / "back");
    ASSERT_FALSE(back) << why;
    EXPECT_EQ(back.error().id, id) << why << ": " << back.error().message;
    EXPECT_FALSE(fs::exists(root_ / "back")) << why;
    for (const auto& entry : fs::directory_iterator(root_))
      EXPECT_EQ(entry.path().string().find("partial"), std::string::npos) << entry.path();
  }
  EXPECT_EQ(read(instance.journal() / "programme=city/day=2024-09-02/run-000001.parquet"), "the records of run 1");
}

TEST_F(Backup, RunsGoOnMeanwhile) {
  identity::Instance instance = make();
  run(instance, 1);
  std::atomic<bool> enough = false;
  std::atomic<std::uint64_t> last = 1;
  std::thread writer([&] {
    identity::Instance own = *identity::Instance::open(root_ / "city");
    while (!enough) {
      run(own, last + 1);
      ++last;
    }
  });
  while (last < 3) std::this_thread::yield();
  for (int i = 0; i < 5; ++i) {
    const auto made = make_backup(instance, root_ / "copy");
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    const auto back = restore(root_ / "copy", root_ / "back");
    EXPECT_TRUE(back) << (back ? "" : back.error().message);
    if (back) {
      EXPECT_GE(back->segments, 3);
    }
    fs::remove_all(root_ / "copy");
    fs::remove_all(root_ / "back");
  }
  enough = true;
  writer.join();
}

TEST_F(Backup, AccountsMoveToAnotherStoreAndBack) {
  const std::string there = db::test::on_postgres() ? store_ : (root_ / "there.db").string();
  identity::Instance home = *identity::Instance::open_or_create(root_ / "home");
  run(home, 1);
  const auto before = all(home.database());
  {
    identity::RunLock lock = *home.lock_for_run();
    EXPECT_EQ(migrate((root_ / "home").string(), there).error().id, "instance.busy");
  }
  const auto moved = migrate("sqlite:" + (root_ / "home").string(), there);
  ASSERT_TRUE(moved) << moved.error().message;
  identity::Instance abroad = *identity::Instance::open(root_ / "home");
  EXPECT_EQ(abroad.database().name(), *db::Database::name_of(there));
  EXPECT_EQ(all(abroad.database()), before);
  run(abroad, 2);
  EXPECT_EQ(migrate((root_ / "home/tanhui.db").string(), there).error().id, "db.not-empty") << "nothing is overwritten";
  EXPECT_EQ(migrate(there, (root_ / "home").string()).error().id, "db.not-empty") << "the original is still there";
  fs::rename(root_ / "home/tanhui.db", root_ / "old.db");
  const auto after = all(abroad.database());
  const auto back = migrate(there, (root_ / "home").string());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_FALSE(fs::exists(root_ / "home/database"));
  identity::Instance again = *identity::Instance::open(root_ / "home");
  EXPECT_EQ(all(again.database()), after);
  EXPECT_TRUE(ledger::check(again.database()));
}

TEST_F(Backup, BrokenBooksDoNotMove) {
  identity::Instance home = *identity::Instance::open_or_create(root_ / "home");
  run(home, 1);
  {
    db::Transaction tx = home.database().begin();
    tx.exec("UPDATE balance SET amount = amount + 1 WHERE amount = 7");
    tx.commit();
  }
  const std::string there = db::test::on_postgres() ? store_ : (root_ / "there.db").string();
  EXPECT_EQ(migrate((root_ / "home").string(), there).error().id, "ledger.broken");
  db::Database target = *db::Database::open(there);
  EXPECT_TRUE(db::check_empty(target, there)) << "all or nothing";
  EXPECT_FALSE(fs::exists(root_ / "home/database"));
}

}  // namespace
}  // namespace tanhui::backup
