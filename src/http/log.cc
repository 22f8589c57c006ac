#include "http/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace tanhui::http {
namespace {

constexpr std::string_view kLevels[] = {"debug", "info", "warning", "error"};

void append_json(fmt::memory_buffer& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (std::uint8_t(c) < 0x20 || c == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", unsigned(std::uint8_t(c)));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

/// "2025-03-01T00:00:00.000Z"; the part to the second is kept, for it is mostly that of the line before.
void append_time(fmt::memory_buffer& out, core::Millis now) {
  thread_local std::int64_t second = -1;
  thread_local std::string text;
  if (now / 1000 != second) {
    second = now / 1000;
    text = core::to_text_utc(second * 1000).substr(0, 20);
  }
  out.append(text);
  fmt::format_to(std::back_inserter(out), "{:03}Z", now % 1000);
}

}  // namespace

struct Log::Flusher {
  explicit Flusher(std::shared_ptr<spdlog::logger> logger)
      : thread([this, logger = std::move(logger)](const std::stop_token& over) {
          std::unique_lock lock(mutex);
          while (!over.stop_requested()) {
            wake.wait_for(lock, over, std::chrono::milliseconds(200), [] { return false; });
            logger->flush();
          }
        }) {}
  std::mutex mutex;
  std::condition_variable_any wake;
  std::jthread thread;
};

Log::Log(std::shared_ptr<spdlog::logger> logger, Level least, std::function<core::Millis()> now)
    : logger_(std::move(logger)), least_(least), now_(std::move(now)) {
  logger_->set_pattern("%v");
  logger_->set_level(spdlog::level::trace);
  logger_->flush_on(spdlog::level::warn);
  flusher_ = std::make_unique<Flusher>(logger_);
}

Log::~Log() = default;

std::shared_ptr<Log> Log::to_standard_output(Level least, std::function<core::Millis()> now) {
  auto logger = std::make_shared<spdlog::logger>("tanhui", std::make_shared<spdlog::sinks::stdout_sink_mt>());
  return std::shared_ptr<Log>(new Log(std::move(logger), least, std::move(now)));
}

std::shared_ptr<Log> Log::to_file(const std::string& path, Level least, std::function<core::Millis()> now) {
  auto logger = std::make_shared<spdlog::logger>("tanhui", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
  return std::shared_ptr<Log>(new Log(std::move(logger), least, std::move(now)));
}

void Log::write(Level level, std::string_view event, Fields fields) {
  if (!wants(level)) return;
  fmt::memory_buffer line;  // 500 bytes of it need no memory
  line.append(std::string_view(R"({"time":")"));
  append_time(line, now_());
  line.append(std::string_view(R"(","level":")"));
  line.append(kLevels[std::size_t(level)]);
  line.append(std::string_view(R"(","event":)"));
  append_json(line, event);
  for (const auto& [name, value] : fields) {
    line.push_back(',');
    append_json(line, name);
    line.push_back(':');
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      fmt::format_to(std::back_inserter(line), "{}", *number);
    } else {
      append_json(line, std::get<std::string_view>(value));
    }
  }
  line.push_back('}');
  logger_->log(level >= Level::warning ? spdlog::level::warn : spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

void AccessLog::finished(const Finished& finished) {
  if (which_ == Which::none || (which_ == Which::errors && finished.status < 500)) return;
  const std::string_view operation = finished.operation_id.empty() ? "none" : finished.operation_id;
  const auto level = finished.status >= 500 ? Log::Level::warning : Log::Level::info;
  if (finished.error_id.empty()) {
    log_->write(level, "request",
                {{"request_id", finished.request.request_id()},
                 {"operation", operation},
                 {"status", finished.status},
                 {"duration_us", finished.duration.count()},
                 {"bytes", std::int64_t(finished.body_bytes)}});
  } else {
    log_->write(level, "request",
                {{"request_id", finished.request.request_id()},
                 {"operation", operation},
                 {"status", finished.status},
                 {"duration_us", finished.duration.count()},
                 {"bytes", std::int64_t(finished.body_bytes)},
                 {"error", finished.error_id}});
  }
}

void AccessLog::failed(const Request& request, std::string_view what) {
  log_->write(Log::Level::error, "handler failed", {{"request_id", request.request_id()}, {"what", what}});
}

}  // namespace tanhui::http
