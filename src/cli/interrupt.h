// cli/interrupt.h: Ctrl-C as a question that long work asks, so that everything is unwound and nothing is half booked.
#pragma once
#include <csignal>
#include <stdexcept>

namespace tanhui::cli {

struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

/// While it lives, SIGINT and SIGTERM only set a flag; a second one ends the process at once.
class InterruptGuard {
 public:
  InterruptGuard() {
    flag() = 0;
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
  }
  ~InterruptGuard() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  bool asked() const { return flag() != 0; }

 private:
  static volatile std::sig_atomic_t& flag() {
    static volatile std::sig_atomic_t value = 0;
    return value;
  }
  static void on_signal(int number) {
    flag() = 1;
    std::signal(number, SIG_DFL);
  }
};

}  // namespace tanhui::cli
