#include "http/engine.h"

#include <boost/asio/post.hpp>

#include <ctime>

#include "http/connection.h"

namespace tanhui::http {
namespace {

constexpr std::chrono::milliseconds kTick{100};
constexpr std::size_t kSpareMax = 1024;

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

/// The trace id of "00-<32 hex>-<16 hex>-<2 hex>" (W3C Trace Context), or empty.
std::string_view trace_id(std::string_view traceparent) {
  if (traceparent.size() < 55 || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-') return {};
  if (!is_hex(traceparent.substr(0, 2)) || traceparent.starts_with("ff") || (traceparent.starts_with("00") && traceparent.size() != 55))
    return {};
  const std::string_view id = traceparent.substr(3, 32);
  if (!is_hex(id) || id.find_first_not_of('0') == std::string_view::npos || !is_hex(traceparent.substr(36, 16))) return {};
  return id;
}

}  // namespace

bool Shared::post_blocking(std::function<void()> work) {
  if (blocking_waiting.fetch_add(1) >= settings.limits.blocking_waiting_max + settings.limits.blocking_threads) {
    blocking_waiting.fetch_sub(1);
    return false;
  }
  asio::post(*blocking, [this, work = std::move(work)]() mutable {
    work();
    work = nullptr;
    blocking_waiting.fetch_sub(1);
  });
  return true;
}

Engine::Engine(Shared& shared, std::uint64_t seed) : shared_(shared), random_(seed) {}

void Engine::add(ConnectionBase& connection) {
  connection.place = connections_.insert(connections_.end(), &connection);
  for (const auto& observer : shared_.settings.observers) observer->opened();
}

void Engine::remove(ConnectionBase& connection) {
  connections_.erase(connection.place);
  shared_.connections.fetch_sub(1);
  for (const auto& observer : shared_.settings.observers) observer->closed();
}

void Engine::run() {
  tick();
  io_.run();
}

void Engine::tick() {
  if (stopping_ && connections_.empty()) return;
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code&) {
    const auto now = Clock::now();
    for (auto at = connections_.begin(); at != connections_.end();) {
      ConnectionBase& connection = **at++;
      if (stopping_ && now > cut_at_) {
        connection.cut();
      } else {
        connection.sweep(now);
      }
    }
    tick();
  });
}

void Engine::stop() {
  asio::post(io_, [this] { begin_stop(); });
}

void Engine::begin_stop() {
  if (stopping_) return;
  stopping_ = true;
  cut_at_ = Clock::now() + limits().stop_time;
  for (ConnectionBase* connection : std::list(connections_)) connection->ask_to_stop();
}

std::string_view Engine::date_line() {
  const std::int64_t second = shared_.settings.now() / 1000;
  if (second != date_second_) {
    date_second_ = second;
    const std::time_t time = second;
    std::tm parts{};
    gmtime_r(&time, &parts);
    std::array<char, 64> text;
    date_line_.assign(text.data(), std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts));
  }
  return date_line_;
}

void Engine::give_id(Request& request) {
  if (const std::string_view id = trace_id(request.header("traceparent")); !id.empty()) {
    std::copy(id.begin(), id.end(), request.request_id_.begin());
    return;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < 32; i += 16) {
    std::uint64_t bits = random_();
    for (std::size_t j = 0; j < 16; ++j, bits >>= 4) request.request_id_[i + j] = kDigits[bits & 15];
  }
}

std::shared_ptr<Exchange> Engine::take_exchange() {
  if (spare_.empty()) return std::make_shared<Exchange>();
  auto exchange = std::move(spare_.back());
  spare_.pop_back();
  return exchange;
}

void Engine::recycle(std::shared_ptr<Exchange> exchange) {
  if (spare_.size() >= kSpareMax || exchange.use_count() != 1) return;  // a handler that was abandoned still has it
  exchange->reset();
  exchange->request.context.reset();
  spare_.push_back(std::move(exchange));
}

void Engine::failed(const Request& request, std::string_view what) {
  for (const auto& observer : shared_.settings.observers) observer->failed(request, what);
}

void Engine::prepare(Request& request, Engine& engine, const std::string& peer, bool secure) {
  request.peer_ = &peer;
  request.secure_ = secure;
  request.shared_ = &engine.shared_;
  engine.give_id(request);
}

void Engine::stand_in(Request& request, const Request& original) {
  request.request_id_ = original.request_id_;
  request.version_ = original.version_;
  request.method_ = original.method_;
}

}  // namespace tanhui::http
