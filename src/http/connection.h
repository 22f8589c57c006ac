// http/connection.h: one connection: requests in, handlers started, answers out in the order of the requests. All of it on one thread.
// Private to this folder.
#pragma once
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <vector>

#include "http/engine.h"
#include "http/request_reader.h"

namespace tanhui::http {

using TlsStream = asio::ssl::stream<Socket>;

/// A request with its answer. A handler that outlives its connection keeps it alive. Its memory is used again (Engine::recycle).
struct Exchange {
  Request request;
  Response response;
  const Router::Entry* entry = nullptr;
  Clock::time_point began, started;
  bool exclusive = false;  // nothing else of this connection runs meanwhile
  bool keep_alive = true;  // what the request wishes
  bool running = false;    // its handler has begun and not ended
  bool done = false;       // its answer is there
  bool abandoned = false;  // answered without its handler, which may still run

  void reset() {
    response = Response{};
    entry = nullptr;
    began = started = Clock::time_point();
    exclusive = running = done = abandoned = false;
    keep_alive = true;
  }
};

/// Answers that wait to be sent: small pieces in one text, large bodies as they are in between.
class Output {
 public:
  static constexpr std::size_t kCopiedMax = 4096;
  std::string& text() { return text_; }
  void append_body(std::string&& body);
  bool empty() const { return text_.empty() && bodies_.empty(); }
  std::size_t size() const { return text_.size() + bodies_bytes_; }
  void clear();
  void buffers(std::vector<asio::const_buffer>& out) const;

 private:
  std::string text_;
  std::vector<std::pair<std::size_t, std::string>> bodies_;  // before which byte of text_
  std::size_t bodies_bytes_ = 0;
};

template <class Stream>
class Connection final : public ConnectionBase, public std::enable_shared_from_this<Connection<Stream>> {
 public:
  /// `context` is kept alive for TLS.
  Connection(Engine& engine, Socket socket, std::string peer, std::shared_ptr<asio::ssl::context> context);
  ~Connection() override;
  void start() override;
  void sweep(Clock::time_point now) override;
  void ask_to_stop() override;
  void cut() override;

 private:
  static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;
  static constexpr std::size_t kInputFirst = 4096, kInputMax = 64 * 1024, kDrainedBodyMax = 64 * 1024, kCompressedHereMax = 16 * 1024,
                               kSocketMessageMax = 64 * 1024, kLingerMax = 1024 * 1024;
  static constexpr std::chrono::seconds kLingerTime{2};
  using ExchangePtr = std::shared_ptr<Exchange>;
  template <class T>
  using Task = asio::awaitable<T, Executor>;
  class Writer;
  class OpenSocket;

  Task<void> run();
  Task<bool> handshake();
  Task<void> read_requests();
  Task<void> serve_socket(ExchangePtr exchange);
  Task<void> say_goodbye();
  Task<void> wait();
  void notify() { wake_.cancel(); }
  /// True when it stopped because enough is under way, and not for want of input.
  bool parse_input();
  bool accept_header();
  void take_request();
  void refuse(const core::Error& error);
  void answer(Exchange& exchange, Response response);
  void start_what_may();
  void begin(const ExchangePtr& exchange);
  void compress_then_finish(const ExchangePtr& exchange);
  void finish(const ExchangePtr& exchange);
  void fail(Exchange& exchange, const std::exception_ptr& failure);
  void set_done(Exchange& exchange);
  void schedule_flush();
  void flush();
  void write_answer(Exchange& exchange, bool last);
  void report(const Exchange& exchange);
  std::optional<Response> check_upgrade(const Request& request) const;
  bool is_allowed_origin(const Request& request) const;
  void start_stream();
  void send();
  void send_more();
  void sent(std::size_t bytes);
  void break_off();
  void tell_over() {
    if (const auto hook = std::exchange(over_hook_, nullptr)) hook();
  }
  void pop_front();
  std::size_t waiting() const { return queue_.size() - front_; }
  /// Answers that are there and not sent; no handler is started and nothing read while they are too many.
  bool is_full() const { return ready_bytes_ + output_.size() + sending_output_.size() > engine_.limits().unsent_bytes_max; }
  bool must_pause() const { return waiting() >= engine_.limits().pipeline_max || is_full(); }
  Socket& socket() {
    if constexpr (kTls) {
      return stream_.next_layer();
    } else {
      return stream_;
    }
  }

  Engine& engine_;
  std::shared_ptr<asio::ssl::context> context_;
  Stream stream_;
  const std::string peer_;
  Timer wake_;  // never expires: cancelling it wakes who waits
  std::vector<char> input_;
  std::size_t input_begin_ = 0, input_end_ = 0;
  std::optional<RequestReader> reader_;
  ExchangePtr reading_;            // what reader_ fills
  std::optional<Response> early_;  // the answer to it, known from its header
  bool header_taken_ = false, continue_wanted_ = false;
  std::vector<ExchangePtr> queue_;    // from front_ on: read and not yet sent
  std::size_t front_ = 0, next_ = 0;  // next_: the first that has not begun
  std::size_t running_ = 0, requests_ = 0, ready_bytes_ = 0;
  ExchangePtr socket_exchange_;  // the request that becomes a WebSocket
  bool exclusive_running_ = false, beginning_ = false, parsing_ = false, flush_posted_ = false;
  bool closing_ = false;    // no further request is read
  bool broken_ = false;     // the other side has gone or was cut off
  bool ended_ = false;      // it will send nothing more
  bool is_socket_ = false;  // it became a WebSocket
  bool streaming_ = false, sending_ = false, lingering_ = false, shaking_hands_ = kTls, reading_now_ = false;
  std::function<void()> over_hook_;  // of a stream or WebSocket
  std::optional<core::Error> too_slow_;
  Output output_, sending_output_;
  std::vector<asio::const_buffer> buffers_;  // of sending_output_, what is left
  std::size_t buffers_at_ = 0;
  Clock::time_point since_, send_since_;  // the begin of what is timed: idle, header or body; the last progress in sending
};

}  // namespace tanhui::http
