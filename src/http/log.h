// http/log.h: log lines as JSON, one an event, for machines to gather:
// {"time":"2025-03-01T00:00:00.000Z","level":"info","event":"request",...}. spdlog writes them. What goes in is named by the caller: ids,
// counts, durations; never bodies, query values, addresses or names of people.
#pragma once
#include <spdlog/common.h>

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "core/time.h"
#include "http/server.h"

namespace spdlog {
class logger;
}

namespace tanhui::http {

class Log {
 public:
  enum class Level { debug, info, warning, error };
  using Value = std::variant<std::string_view, std::int64_t>;
  using Fields = std::initializer_list<std::pair<std::string_view, Value>>;

  /// To standard output, or to a file that is appended to. Lines are gathered for up to a fifth of a second; warnings go out at once.
  static std::shared_ptr<Log> to_standard_output(Level least, std::function<core::Millis()> now);
  static std::shared_ptr<Log> to_file(const std::string& path, Level least, std::function<core::Millis()> now);
  ~Log();
  void write(Level level, std::string_view event, Fields fields);
  bool wants(Level level) const { return level >= least_; }

 private:
  struct Flusher;
  Log(std::shared_ptr<spdlog::logger> logger, Level least, std::function<core::Millis()> now);
  std::shared_ptr<spdlog::logger> logger_;
  Level least_;
  std::function<core::Millis()> now_;
  std::unique_ptr<Flusher> flusher_;
};

/// A line for each request: request id, operation, status, duration, bytes, and of problems the error's id.
class AccessLog final : public Observer {
 public:
  enum class Which { all, errors, none };  // errors: 500 and above
  AccessLog(std::shared_ptr<Log> log, Which which) : log_(std::move(log)), which_(which) {}
  void finished(const Finished& finished) override;
  void failed(const Request& request, std::string_view what) override;

 private:
  std::shared_ptr<Log> log_;
  Which which_;
};

}  // namespace tanhui::http
