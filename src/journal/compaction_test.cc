#include "journal/compaction.h"

#include <gtest/gtest.h>

#include <random>

#include "core/files.h"
#include "journal/catalogue.h"
#include "journal/proof.h"
#include "journal/small_journal.h"

namespace tanhui::journal {
namespace {

namespace fs = std::filesystem;

std::size_t parquet_files(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& item : fs::recursive_directory_iterator(folder)) count += item.path().extension() == ".parquet";
  return count;
}

CompactionReport compact(SmallJournal& world, std::size_t files_min = 2) {
  const Log log = world.open();
  auto report = journal::compact(world.database, log, world.folder / "journal", "", files_min, 9);
  EXPECT_TRUE(report) << report.error().message;
  return *std::move(report);
}

TEST(Compaction, ProofsStayAsTheyWereAndNewOnesCanBeMade) {
  SmallJournal world;
  world.book(1, 40);
  world.book(2, 7, 1, -1000);
  world.book(3, 25);
  const std::string before = world.prove(5);
  const CompactionReport report = compact(world);
  EXPECT_EQ(report.files_before, 3u);
  EXPECT_EQ(report.files_after, 1u);
  EXPECT_EQ(report.records, 72u);
  EXPECT_EQ(parquet_files(world.folder / "journal"), 1u);
  EXPECT_TRUE(verify_proof(before, world.first_key));
  for (std::uint64_t event = 1; event <= 40; ++event) {
    const auto proven = verify_proof(world.prove(event), world.first_key);
    ASSERT_TRUE(proven) << proven.error().message;
    EXPECT_EQ(proven->records.size(), 1u + (event <= 7) + (event <= 25));
  }
  EXPECT_EQ(files_between(world.database, "city", core::kFirstDay, core::kLastDay).size(), 1u);
  EXPECT_EQ(files_between(world.database, "city", core::kFirstDay, core::kLastDay)[0].info.rows, 72u);
  EXPECT_EQ(compact(world).days, 0u) << "again is harmless";
}

TEST(Compaction, ACompactedDayIsCompactedAgainWithWhatCameLater) {
  SmallJournal world;
  world.book(1, 4);
  world.book(2, 3);
  compact(world);
  world.book(3, 2);
  world.book(4, 1);
  const std::string before = world.prove(1);
  EXPECT_EQ(compact(world, 9).days, 0u);
  EXPECT_EQ(compact(world).files_before, 3u);
  EXPECT_EQ(parquet_files(world.folder / "journal"), 1u);
  EXPECT_EQ(verify_proof(world.prove(1), world.first_key)->records.size(), 4u);
  EXPECT_TRUE(verify_proof(before, world.first_key));
}

TEST(Compaction, DamagedRecordsAreNotMoved) {
  SmallJournal world;
  world.book(1, 4);
  world.book(2, 3);
  {
    db::Transaction tx = world.database.begin();
    tx.exec("UPDATE segment SET root = $1 WHERE run = 2", core::Digest{});
    tx.commit();
  }
  const Log log = world.open();
  const auto report = journal::compact(world.database, log, world.folder / "journal", "", 2, 9);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().id, "compaction.damaged");
  EXPECT_EQ(parquet_files(world.folder / "journal"), 2u);
}

TEST(Compaction, ACrashAtAnyMomentIsMadeGood) {
  SmallJournal world;
  world.book(1, 4);
  world.book(2, 3);
  const fs::path journal = world.folder / "journal";
  const std::string day = "programme=city/day=" + core::to_text(core::Day{20'148}) + "/";
  const std::string first = *core::read_file(journal / (day + "run-000001.parquet"));
  const fs::path staged = journal / ".staging/compaction" / (day + "runs-000001-000002.parquet"),
                 placed = journal / (day + "runs-000001-000002.parquet");
  // before the commit: what was staged goes
  fs::create_directories(staged.parent_path());
  core::write_file(staged, "half a file", 0644);
  recover_compactions(world.database, journal);
  EXPECT_FALSE(fs::exists(staged));
  EXPECT_EQ(parquet_files(journal), 2u);
  // after the commit, before anything was placed
  compact(world);
  fs::create_directories(staged.parent_path());
  fs::rename(placed, staged);
  core::write_file(journal / (day + "run-000001.parquet"), first, 0644);
  recover_compactions(world.database, journal);
  EXPECT_EQ(parquet_files(journal), 1u);
  EXPECT_EQ(verify_proof(world.prove(1), world.first_key)->records.size(), 2u);
  // after it was placed, before the old ones and the staged name were gone
  fs::create_directories(staged.parent_path());
  fs::create_hard_link(placed, staged);
  core::write_file(journal / (day + "run-000001.parquet"), first, 0644);
  recover_compactions(world.database, journal);
  EXPECT_EQ(parquet_files(journal), 1u);
  EXPECT_FALSE(fs::exists(journal / ".staging/compaction"));
}

}  // namespace
}  // namespace tanhui::journal
