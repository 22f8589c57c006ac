#include "cli/progress_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cli/table.h"

namespace tanhui::cli {

void ProgressLine::draw(const activity::Progress& progress) {
  using Step = activity::Progress::Step;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  std::string line;
  if (progress.step == Step::intake) {
    line =
        fmt::format("{}  {} {}  {} {}", chinese_ ? "读取" : "reading", grouped(std::int64_t(progress.records)), chinese_ ? "条" : "records",
                    grouped(std::int64_t(double(progress.records) / std::max(seconds, 0.001))), chinese_ ? "条/秒" : "records/s");
    if (progress.total > 0 && progress.done > 0) {
      const double part = std::min(1.0, double(progress.done) / double(progress.total));
      line += fmt::format("  {:.0f} %  {} {:.0f} s", 100 * part, chinese_ ? "读完还需" : "read in", seconds * (1 - part) / part);
    }
  } else if (progress.step == Step::settle) {
    line = fmt::format("{}  {} {}  {:.0f} %", chinese_ ? "核算" : "accounting", grouped(std::int64_t(progress.records)),
                       chinese_ ? "条" : "records", 100.0 * double(progress.done) / double(std::max<std::uint64_t>(progress.total, 1)));
  } else {
    line = progress.step == Step::look_back ? (chinese_ ? "回查历史记录" : "looking back") : (chinese_ ? "入账" : "booking");
  }
  fmt::print(stderr, "\r\033[K  {}", line);
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressLine::clear() {
  if (drawn_) fmt::print(stderr, "\r\033[K");
  drawn_ = false;
}

}  // namespace tanhui::cli
