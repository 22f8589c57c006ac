// http/engine.h: one thread of the server: its loop, its connections, what they share. Private to this folder.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <list>
#include <random>

#include "http/server.h"

namespace tanhui::http {

using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
using Clock = std::chrono::steady_clock;

/// What all threads share.
struct Shared {
  Settings settings;
  std::shared_ptr<const Router> router;
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> blocking_waiting{0};
  std::unique_ptr<asio::thread_pool> blocking;
  /// Runs `work` on the pool; false when too many wait already.
  bool post_blocking(std::function<void()> work);
};

struct Exchange;  // http/connection.h

class ConnectionBase {
 public:
  virtual ~ConnectionBase() = default;
  virtual void start() = 0;
  virtual void sweep(Clock::time_point now) = 0;
  virtual void ask_to_stop() = 0;
  virtual void cut() = 0;
  std::list<ConnectionBase*>::iterator place;  // in the engine's list
};

class Engine {
 public:
  Engine(Shared& shared, std::uint64_t seed);
  asio::io_context& io() { return io_; }
  Shared& shared() { return shared_; }
  const Limits& limits() const { return shared_.settings.limits; }
  bool stopping() const { return stopping_; }

  void add(ConnectionBase& connection);
  void remove(ConnectionBase& connection);
  void run();   // the thread's work
  void stop();  // from any thread
  /// "Date: ...\r\n", of this second.
  std::string_view date_line();
  /// From traceparent, or made here.
  void give_id(Request& request);
  void failed(const Request& request, std::string_view what);
  /// An exchange as new, with the memory of one that is over where there is one.
  std::shared_ptr<Exchange> take_exchange();
  void recycle(std::shared_ptr<Exchange> exchange);
  static void prepare(Request& request, Engine& engine, const std::string& peer, bool secure);
  static core::Status read_query(Request& request) { return request.query_parameters_.parse(request.raw_query()); }
  /// What an answer needs to know of `original`, whose handler still runs.
  static void stand_in(Request& request, const Request& original);
  static Shared& shared_of(Request& request) { return *static_cast<Shared*>(request.shared_); }

 private:
  void begin_stop();
  void tick();
  Shared& shared_;
  std::list<ConnectionBase*> connections_;  // outlives what io_ still holds when it goes
  std::vector<std::shared_ptr<Exchange>> spare_;
  asio::io_context io_{1};
  Timer timer_{io_};
  bool stopping_ = false;
  Clock::time_point cut_at_{};
  std::mt19937_64 random_;
  std::string date_line_;
  std::int64_t date_second_ = -1;
};

}  // namespace tanhui::http
