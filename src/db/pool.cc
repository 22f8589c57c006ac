#include "db/pool.h"

#include <fmt/format.h>

namespace tanhui::db {

core::Result<Pool::Lease> Pool::take() {
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return !free_.empty() || open_ < limits_.connections_max; };
  if (!came_free_.wait_for(lock, limits_.patience, ready))
    return core::Error{
        core::ErrorCode::refused,
        "db.busy",
        fmt::format("all {} connections to the database were in use for {} ms", limits_.connections_max, limits_.patience.count()),
        "try again in a moment; if it stays so, allow more connections",
        {{"connections", std::to_string(limits_.connections_max)}}};
  while (!free_.empty()) {  // the one that was used last: its pages and plans are warm
    Database database = std::move(free_.back());
    free_.pop_back();
    if (database.usable()) return Lease(*this, std::move(database));
    --open_;  // it broke while nobody used it
  }
  ++open_;
  lock.unlock();
  return open_one();
}

/// Outside the lock: a server that does not answer must not hold up those who give back.
core::Result<Pool::Lease> Pool::open_one() {
  struct CountDown {
    Pool& pool;
    bool opened = false;
    ~CountDown() {
      if (opened) return;
      const std::lock_guard lock(pool.mutex_);
      --pool.open_;
      pool.came_free_.notify_one();
    }
  } count{*this};
  auto database = Database::open(where_);
  if (!database) return database.error();
  count.opened = true;
  return Lease(*this, *std::move(database));
}

void Pool::give_back(Database database) noexcept {
  const std::lock_guard lock(mutex_);
  if (database.usable()) {
    free_.push_back(std::move(database));
  } else {
    --open_;
  }
  came_free_.notify_one();
}

}  // namespace tanhui::db
