// activity/lane.h: work done in parallel, results used one after the other in their order. Whoever brings the result that is due
// also uses those that waited for it; nobody waits unless too many results are waiting already.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

namespace tanhui::activity {

template <class Item>
class OrderedLane {
 public:
  OrderedLane(std::size_t waiting_max, std::function<void(Item&)> use) : waiting_max_(waiting_max), use_(std::move(use)) {}

  /// `index` counts from 0 without gaps. After a failure every caller gets the exception that stopped the lane.
  void bring(std::size_t index, Item item) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return failure_ != nullptr || waiting_.size() < waiting_max_ || index == next_; });
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    waiting_.emplace(index, std::move(item));
    if (busy_) return;
    busy_ = true;
    while (!waiting_.empty() && waiting_.begin()->first == next_) {
      Item due = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      lock.unlock();
      try {
        use_(due);
      } catch (...) {
        lock.lock();
        failure_ = std::current_exception();
        busy_ = false;
        room_.notify_all();
        throw;
      }
      lock.lock();
      ++next_;
      room_.notify_all();
    }
    busy_ = false;
  }

  /// Lets everybody who waits go, for example because another worker failed.
  void stop(std::exception_ptr why) {
    const std::scoped_lock lock(mutex_);
    if (failure_ == nullptr) failure_ = std::move(why);
    room_.notify_all();
  }

 private:
  std::size_t waiting_max_;
  std::function<void(Item&)> use_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::map<std::size_t, Item> waiting_;
  std::size_t next_ = 0;
  bool busy_ = false;
  std::exception_ptr failure_;
};

}  // namespace tanhui::activity
