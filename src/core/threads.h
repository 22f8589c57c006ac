// core/threads.h: the same work on some threads at once.
#pragma once
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tanhui::core {

/// Runs `work(thread)` on some threads, this one among them; the first exception stops the others (through `stop`) and is thrown here.
inline void on_threads(unsigned threads, const std::function<void(unsigned)>& work,
                       const std::function<void(const std::exception_ptr&)>& stop) {
  std::mutex mutex;
  std::exception_ptr first;
  const auto guarded = [&](unsigned thread) {
    try {
      work(thread);
    } catch (...) {
      stop(std::current_exception());
      const std::scoped_lock lock(mutex);
      if (first == nullptr) first = std::current_exception();
    }
  };
  std::vector<std::jthread> others;
  for (unsigned thread = 1; thread < threads; ++thread) others.emplace_back(guarded, thread);
  guarded(0);
  others.clear();
  if (first != nullptr) std::rethrow_exception(first);
}

}  // namespace tanhui::core
