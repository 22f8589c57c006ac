#include "db/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "db/test_database.h"

namespace tanhui::db {
namespace {

using namespace std::chrono_literals;

class PoolTest : public testing::Test {
 protected:
  void SetUp() override {
    Database database = place_.open();
    Transaction tx = database.begin();
    tx.exec("CREATE TABLE counter (id BIGINT PRIMARY KEY, count BIGINT NOT NULL) STRICT");
    tx.exec("INSERT INTO counter (id, count) VALUES (1, 0)");
    tx.commit();
  }
  test::Place place_;
};

TEST_F(PoolTest, ManyThreadsShareFewConnections) {
  constexpr int kThreads = 8, kTurns = 20;
  Pool pool(place_.where(), {.connections_max = 3, .patience = 60s});
  std::atomic<int> in_use = 0, most = 0, refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      for (int turn = 0; turn < kTurns; ++turn) {
        auto lease = pool.take();
        if (!lease) {
          ++refused;
          continue;
        }
        Pool::Lease held = *std::move(lease);
        for (int now = ++in_use, seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {}
        const auto added = held.database().transact([](Transaction& tx) -> core::Status {
          const auto count = tx.find<std::int64_t>("SELECT count FROM counter WHERE id = 1");
          tx.exec("UPDATE counter SET count = $1 WHERE id = 1", *count + 1);
          return core::Done{};
        });
        --in_use;
        refused += added ? 0 : 1;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 0);
  EXPECT_LE(most, 3);
  EXPECT_EQ(place_.open().find<std::int64_t>("SELECT count FROM counter"), kThreads * kTurns);
}

TEST_F(PoolTest, RefusesWhenAllAreTakenAndGivesWhenOneIsBack) {
  Pool pool(place_.where(), {.connections_max = 1, .patience = 20ms});
  {
    const auto only = pool.take();
    ASSERT_TRUE(only);
    const auto second = pool.take();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().id, "db.busy");
  }
  EXPECT_TRUE(pool.take());
}

TEST_F(PoolTest, AWaitingThreadGetsWhatComesBack) {
  Pool pool(place_.where(), {.connections_max = 1, .patience = 60s});
  std::optional<core::Result<Pool::Lease>> only(pool.take());
  bool got = false;
  std::thread waiting([&] { got = bool(pool.take()); });
  only.reset();
  waiting.join();
  EXPECT_TRUE(got);
}

TEST_F(PoolTest, AStoreThatCannotBeOpenedTakesNoPlace) {
  Pool pool(test::on_postgres() ? test::address_of("missing") : "/nowhere/at/all.db", {.connections_max = 1, .patience = 20ms});
  for (int tries = 0; tries < 3; ++tries) {
    const auto lease = pool.take();
    ASSERT_FALSE(lease);
    EXPECT_NE(lease.error().id, "db.busy");
  }
}

TEST_F(PoolTest, BrokenConnectionsAreReplaced) {
  if (!test::on_postgres()) GTEST_SKIP() << "of PostgreSQL only";
  Pool pool(place_.where(), {.connections_max = 1, .patience = 20ms});
  Database other = place_.open();
  const auto cut = [&](Database& victim) {
    const auto process = victim.find<std::int64_t>("SELECT pg_backend_pid()");
    other.find<bool>("SELECT pg_terminate_backend(CAST($1 AS INT), 5000)", *process);  // waits until it is gone
  };
  {
    Pool::Lease lease = *pool.take();
    cut(lease.database());
    EXPECT_THROW(lease.database().find<std::int64_t>("SELECT 1"), Failure);
  }
  {
    Pool::Lease lease = *pool.take();
    EXPECT_EQ(lease.database().find<std::int64_t>("SELECT count FROM counter"), 0) << "broken in use";
    cut(lease.database());
  }
  Pool::Lease lease = *pool.take();
  EXPECT_EQ(lease.database().find<std::int64_t>("SELECT count FROM counter"), 0) << "broken at rest";
}

}  // namespace
}  // namespace tanhui::db
