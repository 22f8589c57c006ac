#include "identity/trail.h"

#include <gtest/gtest.h>

#include "core/merkle.h"
#include "identity/tenancy_fixture.h"
#include "journal/log_audit.h"
#include "journal/test_folder.h"

namespace tanhui::identity {
namespace {

using test::error_of, test::must;

TEST(Trail, AnActHasOneWayToBeWritten) {
  EXPECT_EQ(leaf_of({7, 1'700'000'000'000, "st-1", "programme.open", "city", "city", "req-9", std::nullopt, core::sha256("x")}),
            R"({"id":7,"at_ms":1700000000000,"staff":"st-1","action":"programme.open","programme":"city","object":"city",)"
            R"("request":"req-9","before":null,"after":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"})");
}

class Joined : public testing::Test {
 protected:
  void act(int count) {
    db::Transaction tx = database_.begin();
    for (int i = 0; i < count; ++i) record_action(tx, {"st-1", "r", ++now_}, "programme.settings", "city", "city", "a", "b");
    tx.commit();
  }
  std::optional<journal::Appended> join() {
    db::Transaction tx = database_.begin();
    auto appended = join_log(tx, log_, now_);
    tx.commit();
    log_.publish(database_);
    return appended;
  }
  /// As `tanhui verify --all` does it: the id of the error, or how many acts are in the log and how many wait.
  std::string audit() {
    std::vector<std::pair<std::uint64_t, journal::StaffActionsEntry>> entries;
    const auto log =
        journal::audit_log(database_, folder_.path() / "log", std::nullopt, [&](std::uint64_t at, const journal::Entry& entry) {
          if (const auto* actions = std::get_if<journal::StaffActionsEntry>(&entry)) entries.emplace_back(at, *actions);
          return core::Status(core::Done{});
        });
    if (!log) return log.error().id;
    TrailAudit trail(database_);
    for (const auto& [at, entry] : entries)
      if (auto status = trail.check(at, entry); !status) return status.error().id + ": " + status.error().message;
    const auto waiting = trail.finish();
    return waiting ? fmt::format("{} and {}", trail.rows(), *waiting) : waiting.error().id;
  }
  void change(const char* sql) {
    db::Transaction tx = database_.begin();
    tx.exec(sql);
    tx.commit();
  }
  core::Millis now_ = 0;
  db::Database database_ = db::test::fresh_database();
  journal::TestFolder folder_;
  journal::Log log_ = must(journal::Log::open(folder_.path(), database_, 0, "test.example/log"));
};

TEST_F(Joined, BatchesCoverEveryActOnce) {
  EXPECT_FALSE(join()) << "nothing waits";
  EXPECT_EQ(audit(), "0 and 0");
  act(3);
  EXPECT_EQ(audit(), "0 and 3");
  const auto first = join();
  ASSERT_TRUE(first);
  EXPECT_FALSE(join());
  act(5);
  ASSERT_TRUE(join());
  act(1);
  EXPECT_EQ(audit(), "8 and 1");
  const auto entry = std::get<journal::StaffActionsEntry>(must(journal::parse_entry(journal::log_entry_bytes(database_, first->first))));
  EXPECT_EQ(entry.first, 1);
  EXPECT_EQ(entry.count, 3);
  std::vector<core::Digest> leaves;  // by hand: three leaves
  for (const auto& action : actions_after(database_, "", 0, 3)) leaves.push_back(core::merkle::leaf_hash(leaf_of(action)));
  EXPECT_EQ(entry.root, core::merkle::node_hash(core::merkle::node_hash(leaves[0], leaves[1]), leaves[2]));
}

TEST_F(Joined, WhatIsChangedAfterwardsIsFound) {
  act(3);
  ASSERT_TRUE(join());
  act(2);
  const struct {
    const char *why, *sql, *undo;
  } rows[] = {
      {"another staff", "UPDATE staff_action SET staff = 'st-2' WHERE id = 2", "UPDATE staff_action SET staff = 'st-1' WHERE id = 2"},
      {"another time", "UPDATE staff_action SET at_ms = 9 WHERE id = 3", "UPDATE staff_action SET at_ms = 3 WHERE id = 3"},
      {"a waiting act is taken out", "DELETE FROM staff_action WHERE id = 4",
       "INSERT INTO staff_action (id, at_ms, staff, action, programme, object, request) VALUES (4, 4, 's', 'a', '', '', '')"},
      {"the batch says otherwise", "UPDATE staff_action_batch SET count = 2", "UPDATE staff_action_batch SET count = 3"},
      {"a batch too many", "INSERT INTO staff_action_batch (first, count, position) VALUES (4, 1, 0)",
       "DELETE FROM staff_action_batch WHERE first = 4"},
  };
  EXPECT_EQ(audit(), "3 and 2");
  for (const auto& [why, sql, undo] : rows) {
    change(sql);
    EXPECT_TRUE(audit().starts_with("verify.staff-actions")) << why << ": " << audit();
    change(undo);
    EXPECT_EQ(audit(), "3 and 2") << why;
  }
  change("DELETE FROM staff_action_batch");
  change("DELETE FROM staff_action WHERE id = 3");
  EXPECT_TRUE(audit().starts_with("verify.staff-actions")) << "an act is taken out";
}

}  // namespace
}  // namespace tanhui::identity
