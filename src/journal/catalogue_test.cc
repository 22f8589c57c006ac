#include "journal/catalogue.h"

#include <gtest/gtest.h>

#include "db/test_database.h"

namespace tanhui::journal {
namespace {

Run small_run(RunId id, std::string key) {
  Run run;
  run.id = id;
  run.key = std::move(key);
  run.programme = "city";
  run.started_ms = 100;
  run.finished_ms = 200;
  run.inputs_digest.fill(1);
  run.settings_digest.fill(2);
  run.postings_digest.fill(3);
  run.records = 21;
  run.accepted = 1, run.duplicate = 2, run.capped = 3, run.rejected = 4, run.held = 5, run.no_consent = 6;
  run.adjusted = 7;
  run.people = 8;
  run.milligrams = -9;
  run.points = 10;
  run.report = "{}";
  return run;
}

SegmentInfo small_segment() {
  SegmentInfo info;
  info.path = "elsewhere/staged.parquet";
  info.rows = 3;
  info.bytes = 4;
  info.milligrams = -5;
  info.points = 6;
  info.sha256.fill(7);
  info.person_min = {1, 2};
  info.person_max = {3, 4};
  info.start_min = -8;
  info.start_max = 9;
  return info;
}

TEST(Catalogue, RunsComeBackAsTheyWere) {
  db::Database database = db::test::fresh_database();
  EXPECT_EQ(next_run_id(database), RunId(1));
  {
    db::Transaction tx = database.begin();
    insert_run(tx, small_run(1, "a"));
    insert_run(tx, small_run(2, "b"));
    tx.commit();
  }
  auto lost = small_run(3, "c");
  lost.records = 22;
  for (const auto& [run, why] : {std::pair(small_run(3, "b"), "one key, one run"), std::pair(lost, "counts in equal counts out")}) {
    db::Transaction tx = database.begin();
    EXPECT_THROW(insert_run(tx, run), db::ConstraintBroken) << why;
  }
  EXPECT_EQ(next_run_id(database), RunId(3));
  EXPECT_FALSE(find_run_by_key(database, "c"));
  const auto found = find_run_by_key(database, "b");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, RunId(2));
  EXPECT_EQ(found->no_consent, 6);
  EXPECT_EQ(found->milligrams, -9);
  EXPECT_EQ(found->points, 10);
  EXPECT_EQ(found->postings_digest[31], 3);
  EXPECT_EQ(found->report, "{}");
  EXPECT_EQ(latest_runs(database, 1).at(0).id, RunId(2));
  EXPECT_EQ(find_run(database, 1)->key, "a");
}

TEST(Catalogue, SegmentsOfDays) {
  db::Database database = db::test::fresh_database();
  const core::Day first = core::day_of(2024, 9, 2);
  const auto refuses = [&](std::string_view programme, RunId run, std::int64_t position, const char* why) {
    db::Transaction tx = database.begin();
    EXPECT_THROW(insert_segment(tx, programme, first, run, position, small_segment()), db::ConstraintBroken) << why;
  };
  {
    db::Transaction tx = database.begin();
    insert_run(tx, small_run(1, "a"));
    insert_run(tx, small_run(2, "b"));
    for (int position = 0; position < 8; ++position)
      tx.exec("INSERT INTO log_entry (position, bytes) VALUES ($1, $2)", position, db::Bytes{"{}"});
    for (const RunId run : {RunId(2), RunId(1)})
      for (int day = 0; day < 3; ++day) insert_segment(tx, "city", {first.count + day}, run, 1, small_segment());
    insert_segment(tx, "other", first, 1, 7, small_segment());
    tx.commit();
  }
  refuses("city", 1, 1, "a segment is written once");
  refuses("city", 9, 1, "of a run that is booked");
  refuses("third", 1, 8, "with an entry in the log");
  const auto two_days = segments_between(database, "city", first, {first.count + 1});
  ASSERT_EQ(two_days.size(), 4u);
  EXPECT_EQ(two_days[0].day, first);
  EXPECT_EQ(two_days[0].run, RunId(1));
  EXPECT_EQ(two_days[1].run, RunId(2));
  EXPECT_EQ(two_days[0].info.path, "programme=city/day=2024-09-02/run-000001.parquet");
  EXPECT_EQ(two_days[0].info.start_min, -8);
  EXPECT_EQ(two_days[0].info.person_max, (core::PersonKey{3, 4}));
  EXPECT_EQ(segments_of(database, 1).size(), 4u);
  EXPECT_EQ(segments_between(database, "other", first, first).at(0).position, 7u);
  EXPECT_EQ(programmes_with_segments(database), (std::vector<std::string>{"city", "other"}));
}

}  // namespace
}  // namespace tanhui::journal
