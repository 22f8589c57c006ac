// cli/progress_line.h: one line on standard error, redrawn: what a run does, how far, how fast, how long still.
#pragma once
#include <chrono>

#include "activity/account.h"

namespace tanhui::cli {

class ProgressLine {
 public:
  explicit ProgressLine(bool chinese) : chinese_(chinese), begin_(std::chrono::steady_clock::now()) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  void draw(const activity::Progress& progress);
  void clear();

 private:
  bool chinese_, drawn_ = false;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace tanhui::cli
