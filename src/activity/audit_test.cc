// Whatever is changed in an instance behind its back is found: bytes of its files, values of its tables, bytes of its database.
#include "activity/audit.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>
#include <random>
#include <set>

#include "activity/account.h"
#include "core/files.h"
#include "identity/programme.h"

namespace tanhui::activity {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeader = "event_id,source,person,activity,region,start,end,quantity,evidence,reversal\n";
constexpr core::Millis kNow = 1'767'000'000'000;  // 2025-12-29

const methodology::Library& library() {
  static const methodology::Library loaded = [] {
    std::vector<methodology::Problem> problems;
    return *methodology::Library::load(fs::path(TANHUI_SOURCE_DIR) / "methodologies", problems);
  }();
  return loaded;
}

/// A small instance: three runs, reports that overlap, a ride taken back, a late record, a debt.
class Audited {
 public:
  Audited() {
    std::string pattern = (fs::temp_directory_path() / "tanhui-audit-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    std::string rides(kHeader), taken_back(kHeader), late(kHeader);
    for (int person = 0; person < 40; ++person)
      for (int day = 1; day <= 3; ++day) {
        rides += ride("g", person, day, "metro-gate", "");
        if (person % 3 == 0) rides += ride("w", person, day, "alipay", "");
      }
    for (int person = 0; person < 6; ++person) taken_back += ride("g", person, 2, "metro-gate", "yes");
    for (int person = 0; person < 9; ++person) late += ride("m", person, 1, "map-app", "") + ride("g", person, 5, "metro-gate", "");
    account(rides);
    account(taken_back);
    account(late);
  }
  ~Audited() { fs::remove_all(folder_); }
  Audited(const Audited&) = delete;
  Audited& operator=(const Audited&) = delete;

  const fs::path& folder() const { return folder_; }
  fs::path instance() const { return folder_ / "instance"; }

  static AuditRequest request() {
    AuditRequest request;
    request.programme = [](const std::string& id) { return identity::find_programme(fs::path(TANHUI_SOURCE_DIR) / "programmes", id); };
    return request;
  }
  static core::Result<AuditReport> audit(const fs::path& instance) {
    auto opened = identity::Instance::open(instance);
    if (!opened) return opened.error();
    auto held = *std::move(opened);
    return activity::audit(held, library(), request());
  }
  core::Result<AuditReport> audit() const { return audit(instance()); }
  /// Whether a change is found: by an error of the audit, or because the instance cannot be read any more.
  static bool finds(const fs::path& instance) {
    try {
      return !audit(instance);
    } catch (const std::exception&) {
      return true;
    }
  }

 private:
  static std::string ride(std::string_view kind, int person, int day, std::string_view source, std::string_view reversal) {
    return fmt::format("{}-{}-{},{},p{},metro-ride,420100,2025-03-0{}T08:00:00+08:00,2025-03-0{}T08:30:00+08:00,{},metered,{}\n", kind,
                       person, day, source, person, day, day, 9000 + 100 * person, reversal);
  }
  void account(const std::string& csv) {
    const fs::path file = folder_ / "records.csv";
    core::write_file(file, csv, 0600);
    auto opened = *identity::Instance::open_or_create(instance());
    AccountRequest request;
    request.inputs = {file.string()};
    request.now_ms = kNow;
    const auto programme = *identity::find_programme(fs::path(TANHUI_SOURCE_DIR) / "programmes", "wuhan-demo");
    const auto report = activity::account(opened, programme, library(), request);
    ASSERT_TRUE(report) << report.error().message;
  }
  fs::path folder_;
};

TEST(Audit, WhatWasNotTouchedHolds) {
  const Audited world;
  const auto report = world.audit();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->runs, 3u);
  EXPECT_EQ(report->segments, 6u) << "three days, the reversals' day, and two days of the late ones";
  EXPECT_EQ(report->log.checkpoints, 4u);
  EXPECT_EQ(report->log.entries, 1u + 3 + 6);
  EXPECT_GT(report->records, 160u);
  EXPECT_EQ(report->people_of_runs, 40u + 4 + 9) << "of 6 people whose ride was taken back, 2 have another report of it";
  EXPECT_EQ(report->recomputed + report->not_alone, report->records);
}

TEST(Audit, AFirstKeyFromOutsideIsHeldAgainstTheLogs) {
  const Audited world;
  auto opened = *identity::Instance::open(world.instance());
  AuditRequest request = Audited::request();
  request.first_key = journal::Signer::generate("city.example/log").key();
  EXPECT_EQ(activity::audit(opened, library(), request).error().id, "verify.log-key");
  request.first_key = *journal::parse_public_key(*core::read_file(world.instance() / "log/key.pub"));
  EXPECT_TRUE(activity::audit(opened, library(), request));
}

TEST(Audit, AnyFlippedByteOfAFileIsFound) {
  const Audited world;
  std::mt19937_64 random(1);
  for (const auto& item : fs::recursive_directory_iterator(world.instance())) {
    const std::string name = item.path().filename().string();
    if (!item.is_regular_file() || name.starts_with("tanhui.db") || name == "run.lock" || name == ".lock") continue;
    const std::string good = *core::read_file(item.path());
    const auto permissions = fs::status(item.path()).permissions();
    const std::size_t tries = std::min<std::size_t>(good.size(), 40);
    for (std::size_t i = 0; i < tries; ++i) {
      std::string bad = good;
      const std::size_t at = good.size() <= 40 ? i : random() % good.size();
      bad[at] = char(bad[at] ^ 1 << random() % 8);
      core::write_file(item.path(), bad, 0600);
      EXPECT_TRUE(Audited::finds(world.instance())) << item.path() << " at " << at;
    }
    core::write_file(item.path(), good, unsigned(permissions));
    fs::rename(item.path(), world.folder() / "aside");
    const bool may_go = name == "log.key" || item.path().string().find(".p/") != std::string::npos;  // tiles of an earlier size
    if (!may_go) {
      EXPECT_TRUE(Audited::finds(world.instance())) << item.path() << " missing";
    }
    fs::rename(world.folder() / "aside", item.path());
  }
  std::ofstream(world.instance() / "journal/programme=wuhan-demo/stray.parquet") << "x";
  EXPECT_EQ(world.audit().error().id, "verify.file");
  fs::remove(world.instance() / "journal/programme=wuhan-demo/stray.parquet");
  EXPECT_TRUE(world.audit());
}

/// The instance's database as whoever breaks in sees it: no constraint stops them.
class Intruder {
 public:
  explicit Intruder(const fs::path& database) {
    if (sqlite3_open(database.c_str(), &handle_) != SQLITE_OK) throw std::runtime_error("cannot open");
    run("PRAGMA ignore_check_constraints=ON; PRAGMA foreign_keys=OFF");
  }
  ~Intruder() { sqlite3_close(handle_); }
  Intruder(const Intruder&) = delete;
  Intruder& operator=(const Intruder&) = delete;
  bool run(const std::string& sql) { return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK; }
  int changes() { return sqlite3_changes(handle_); }
  std::vector<std::vector<std::string>> query(const std::string& sql) {
    std::vector<std::vector<std::string>> rows;
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(handle_));
    while (sqlite3_step(statement) == SQLITE_ROW) {
      rows.emplace_back();
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
        rows.back().emplace_back(bytes == nullptr ? "" : std::string(bytes, std::size_t(sqlite3_column_bytes(statement, i))));
      }
    }
    sqlite3_finalize(statement);
    return rows;
  }
  /// Everything in the database, as text.
  std::string dump() {
    std::string text;
    for (const auto& table : query("SELECT name, sql FROM sqlite_master ORDER BY name, sql")) {
      text += table[0] + table[1];
      if (query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '" + table[0] + "'").empty()) continue;
      for (const auto& row : query("SELECT * FROM " + table[0]))
        for (const std::string& value : row) text += std::to_string(value.size()) + value;
    }
    return text;
  }

 private:
  sqlite3* handle_ = nullptr;
};

TEST(Audit, AnyChangedValueOfATableIsFound) {
  const Audited world;
  const fs::path database = world.instance() / "tanhui.db";
  const std::string good = *core::read_file(database);
  // What no reduction, no point and no proof hangs on: when a checkpoint was signed (a witness says that), a report kept as it was shown,
  // and the fingerprint of secret.key, which is written anew when it is gone.
  const std::set<std::string> free{"log_checkpoint.at_ms", "run.report", "instance.one"};
  std::size_t changed = 0;
  const auto tables =
      Intruder(database).query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name");
  for (const auto& table : tables) {
    const auto columns = Intruder(database).query("SELECT name, type FROM pragma_table_info('" + table[0] + "')");
    for (const auto& column : columns) {
      if (free.contains(table[0] + "." + column[0])) continue;
      const std::string set = column[1] == "INTEGER" ? column[0] + " + 1"
                              : column[1] == "TEXT"  ? column[0] + " || 'x'"
                                                     : "CAST(substr(" + column[0] + ", 1, length(" + column[0] + ") - 1) || x'07' AS BLOB)";
      for (const std::string& which : {std::string("min"), std::string("max")}) {
        {
          Intruder intruder(database);
          const bool done = intruder.run("UPDATE " + table[0] + " SET " + column[0] + " = " + set + " WHERE " + column[0] + " = (SELECT " +
                                         which + "(" + column[0] + ") FROM " + table[0] + ")");
          if (!done || intruder.changes() == 0) continue;  // an empty table, or a key that is taken
        }
        ++changed;
        EXPECT_TRUE(Audited::finds(world.instance())) << table[0] << "." << column[0] << " " << which;
        fs::remove(database.string() + "-wal");
        fs::remove(database.string() + "-shm");
        core::write_file(database, good, 0600);
      }
    }
    if (table[0] == "instance") continue;
    {
      Intruder intruder(database);
      if (!intruder.run("DELETE FROM " + table[0]) || intruder.changes() == 0) continue;
    }
    EXPECT_TRUE(Audited::finds(world.instance())) << table[0] << " emptied";
    fs::remove(database.string() + "-wal");
    fs::remove(database.string() + "-shm");
    core::write_file(database, good, 0600);
  }
  EXPECT_GT(changed, 90u);
  EXPECT_TRUE(world.audit());
}

TEST(Audit, AnyFlippedByteOfTheDatabaseIsFoundOrSaysNothing) {
  const Audited world;
  const fs::path database = world.instance() / "tanhui.db";
  const std::string good = *core::read_file(database), meaning = Intruder(database).dump();
  std::mt19937_64 random(1);
  int meant = 0;
  for (int i = 0; i < 500; ++i) {
    std::string bad = good;
    const std::size_t at = random() % good.size();
    bad[at] = char(bad[at] ^ 1 << random() % 8);
    core::write_file(database, bad, 0600);
    if (!Audited::finds(world.instance())) {
      std::string now;
      try {
        now = Intruder(database).dump();
      } catch (const std::exception& problem) {
        now = problem.what();
      }
      EXPECT_EQ(now == meaning, true) << "byte " << at << " changes what the database says and is not found";
    } else {
      ++meant;
    }
    fs::remove(database.string() + "-wal");
    fs::remove(database.string() + "-shm");
    core::write_file(database, good, 0600);
  }
  EXPECT_GT(meant, 10) << "most bytes are free space, but not all";
}

}  // namespace
}  // namespace tanhui::activity
