// db/pool.h: connections to one store for many threads, as many as it is good for, each with one user at a time.
//
//   db::Pool pool("postgresql://…", {.connections_max = 8});
//   auto lease = pool.take();                    // refused db.busy when none came free in time
//   lease->database().transact(...);             // goes back when the lease dies; a broken one is replaced
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "db/db.h"

namespace tanhui::db {

struct PoolLimits {
  std::size_t connections_max = 8;
  std::chrono::milliseconds patience{10'000};  // how long a thread waits for a connection
};

/// Threads share it; it must outlive its leases. Connections are opened when they are first needed.
class Pool {
 public:
  explicit Pool(std::string where, PoolLimits limits = {}) : where_(std::move(where)), limits_(limits) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  class Lease {
   public:
    Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), database_(std::move(other.database_)) {}
    Lease& operator=(Lease&& other) = delete;
    ~Lease() {
      if (pool_ != nullptr) pool_->give_back(std::move(database_));
    }
    Database& database() { return database_; }

   private:
    friend class Pool;
    Lease(Pool& pool, Database database) : pool_(&pool), database_(std::move(database)) {}
    Pool* pool_;
    Database database_;
  };

  /// Errors: refused db.busy when all were in use for the whole patience; and those of Database::open. Every Transaction and Snapshot on
  /// the lease ends before it.
  core::Result<Lease> take();

 private:
  core::Result<Lease> open_one();
  void give_back(Database database) noexcept;

  const std::string where_;  // may hold a password
  const PoolLimits limits_;
  std::mutex mutex_;
  std::condition_variable came_free_;
  std::vector<Database> free_;
  std::size_t open_ = 0;  // free and lent, and those that are being opened
};

}  // namespace tanhui::db
