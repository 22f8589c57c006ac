#include "http/connection.h"

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <fmt/format.h>

#include <charconv>

#include "core/invariant.h"
#include "http/compress.h"
#include "http/problem.h"

namespace tanhui::http {
namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable_t<Executor>());

core::Error refused(std::string id, std::string message, std::string action) {
  return {core::ErrorCode::refused, std::move(id), std::move(message), std::move(action)};
}

/// "HTTP/1.1 200 OK\r\n" for every status, made once.
const std::string& status_line(int status) {
  static const auto lines = [] {
    std::array<std::string, 500> made;
    for (int i = 0; i < 500; ++i) made[std::size_t(i)] = fmt::format("HTTP/1.1 {} {}\r\n", i + 100, reason_of(i + 100));
    return made;
  }();
  core::invariant(status >= 100 && status < 600, "a status has three digits");
  return lines[std::size_t(status - 100)];
}

void append_number(std::string& out, std::size_t number) {
  std::array<char, 20> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

/// The request as Beast's handshake wants it.
beast::http::request<beast::http::empty_body> upgrade_request(const Request& request) {
  const auto text = [](std::string_view part) { return beast::string_view(part.data(), part.size()); };
  beast::http::request<beast::http::empty_body> out(beast::http::string_to_verb(text(name_of(request.method()))), text(request.target()),
                                                    unsigned(request.version()));
  for (std::size_t i = 0; i < request.field_count(); ++i) out.insert(text(request.field(i).first), text(request.field(i).second));
  return out;
}

bool is_safe_field(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos; }

}  // namespace

void Output::append_body(std::string&& body) {
  if (body.size() <= kCopiedMax) {
    text_.append(body);
    return;
  }
  bodies_bytes_ += body.size();
  bodies_.emplace_back(text_.size(), std::move(body));
}

void Output::clear() {
  text_.clear();
  bodies_.clear();
  bodies_bytes_ = 0;
}

void Output::buffers(std::vector<asio::const_buffer>& out) const {
  out.clear();
  std::size_t at = 0;
  for (const auto& [before, body] : bodies_) {
    if (before > at) out.emplace_back(text_.data() + at, before - at);
    out.emplace_back(body.data(), body.size());
    at = before;
  }
  if (at < text_.size()) out.emplace_back(text_.data() + at, text_.size() - at);
}

template <class Stream>
class Connection<Stream>::Writer final : public BodyWriter {
 public:
  Writer(std::shared_ptr<Connection> connection, bool chunked) : connection_(std::move(connection)), chunked_(chunked) {}
  asio::awaitable<bool> write(std::string_view piece) override {
    Connection& c = *connection_;
    if (c.broken_ || c.ended_) co_return false;
    if (piece.empty()) co_return true;
    if (chunked_) fmt::format_to(std::back_inserter(c.output_.text()), "{:x}\r\n", piece.size());
    c.output_.text().append(piece);
    if (chunked_) c.output_.text().append("\r\n");
    c.send();
    while (!c.broken_ && !c.ended_ && c.output_.size() + c.sending_output_.size() > kInputMax) {
      c.wake_.expires_at(Clock::time_point::max());
      co_await c.wake_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    co_return !c.broken_ && !c.ended_;
  }
  bool stopping() const override { return connection_->engine_.stopping() || connection_->broken_ || connection_->ended_; }
  void when_over(std::function<void()> hook) override {
    connection_->over_hook_ = std::move(hook);
    if (stopping()) connection_->tell_over();
  }

 private:
  std::shared_ptr<Connection> connection_;
  bool chunked_;
};

template <class Stream>
Connection<Stream>::Connection(Engine& engine, Socket socket, std::string peer, std::shared_ptr<asio::ssl::context> context)
    : engine_(engine),
      context_(std::move(context)),
      stream_([&] {
        if constexpr (kTls) {
          return Stream(std::move(socket), *context_);
        } else {
          return Stream(std::move(socket));
        }
      }()),
      peer_(std::move(peer)),
      wake_(engine.io()),
      since_(Clock::now()) {
  engine_.add(*this);
}

template <class Stream>
Connection<Stream>::~Connection() {
  engine_.remove(*this);
}

template <class Stream>
void Connection<Stream>::start() {
  boost::system::error_code ignored;
  socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  if constexpr (!kTls) socket().non_blocking(true, ignored);
  asio::co_spawn(engine_.io(), run(), [self = this->shared_from_this()](const std::exception_ptr& failure) {
    if (failure != nullptr) self->cut();
  });
}

template <class Stream>
auto Connection<Stream>::run() -> Task<void> {
  const auto self = this->shared_from_this();
  if constexpr (kTls) {
    if (!co_await handshake()) {
      cut();
      co_return;
    }
  }
  co_await read_requests();
  while (!broken_ && (waiting() > 0 || sending_)) co_await wait();
  if (!broken_ && socket_exchange_ != nullptr) co_await serve_socket(std::move(socket_exchange_));
  if (!broken_ && !is_socket_) co_await say_goodbye();
  cut();
}

template <class Stream>
auto Connection<Stream>::handshake() -> Task<bool> {
  if constexpr (kTls) {
    const auto [problem] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kTuple);
    shaking_hands_ = false;
    since_ = Clock::now();
    co_return !problem && !broken_;
  }
  co_return true;
}

template <class Stream>
auto Connection<Stream>::wait() -> Task<void> {
  wake_.expires_at(Clock::time_point::max());
  co_await wake_.async_wait(kTuple);
}

template <class Stream>
auto Connection<Stream>::read_requests() -> Task<void> {
  input_.resize(kInputFirst);
  for (;;) {
    const bool stopped = parse_input();
    if (closing_ || broken_) co_return;
    if (must_pause()) {
      co_await wait();
      continue;
    }
    if (stopped) continue;
    if (input_begin_ == input_end_) {
      input_begin_ = input_end_ = 0;
    } else if (input_end_ == input_.size()) {
      if (input_begin_ > 0) {
        std::copy(input_.begin() + std::ptrdiff_t(input_begin_), input_.begin() + std::ptrdiff_t(input_end_), input_.begin());
        input_end_ -= input_begin_;
        input_begin_ = 0;
      } else if (input_.size() < std::max(kInputMax, engine_.limits().header_bytes_max)) {
        input_.resize(2 * input_.size());
      } else {
        refuse({core::ErrorCode::invalid_input, "http.bad-request", "a line of the request is too long", "send shorter lines"});
        co_return;
      }
    }
    reading_now_ = true;
    const auto [problem, count] =
        co_await stream_.async_read_some(asio::buffer(input_.data() + input_end_, input_.size() - input_end_), kTuple);
    reading_now_ = false;
    if (too_slow_) {
      refuse(*too_slow_);
      co_return;
    }
    if (problem) {
      if (problem != asio::error::operation_aborted) ended_ = true;
      if (problem != asio::error::eof && problem != asio::error::operation_aborted) broken_ = true;
      if (streaming_) {
        tell_over();
        notify();
      }
      closing_ = true;
      co_return;
    }
    if (input_end_ == input_begin_ && reading_ == nullptr) since_ = Clock::now();
    input_end_ += count;
    // What came in one piece and filled the buffer is a sign of much to come.
    if (input_begin_ == 0 && input_end_ == input_.size() && input_.size() < kInputMax) input_.resize(2 * input_.size());
  }
}

template <class Stream>
bool Connection<Stream>::parse_input() {
  parsing_ = true;
  bool stopped = false;
  while (!closing_ && !broken_ && input_begin_ < input_end_) {
    if (must_pause()) {
      stopped = true;
      break;
    }
    if (!reader_) {
      // Empty lines before a request line are let pass (RFC 9112 2.2).
      while (input_begin_ < input_end_ && (input_[input_begin_] == '\r' || input_[input_begin_] == '\n')) ++input_begin_;
      if (input_begin_ == input_end_) break;
      reading_ = engine_.take_exchange();
      reader_.emplace(reading_->request, engine_.limits().header_bytes_max);
      header_taken_ = false;
    }
    const auto taken = reader_->feed({input_.data() + input_begin_, input_end_ - input_begin_});
    if (!taken) {
      refuse(taken.error());
      break;
    }
    input_begin_ += *taken;
    if (reader_->has_header() && !header_taken_ && !accept_header()) break;
    if (reader_->done()) {
      take_request();
    } else if (*taken == 0) {
      break;
    }
  }
  parsing_ = false;
  flush();
  return stopped;
}

/// What can be said when the header is there: route, size of the body. False when the connection comes to its end.
template <class Stream>
bool Connection<Stream>::accept_header() {
  header_taken_ = true;
  Exchange& exchange = *reading_;
  exchange.began = Clock::now();
  since_ = exchange.began;
  Engine::prepare(exchange.request, engine_, peer_, kTls);
  exchange.keep_alive = reader_->keeps_alive();
  const Router::Found found = engine_.shared().router->find(exchange.request);
  exchange.entry = found.entry;
  std::size_t body_max = kDrainedBodyMax;
  if (found.entry != nullptr) {
    body_max = found.entry->route.body_bytes_max;
  } else if (found.allowed == 0) {
    early_ = problem(exchange.request, core::Error{core::ErrorCode::not_found, "http.not-found",
                                                   fmt::format("there is nothing at {}", exchange.request.path().substr(0, 200)),
                                                   "look at /docs for what there is"});
  } else if (exchange.request.method() == Method::options) {
    early_ = Response{.status = 204};
    early_->header("Allow", allow_list(found.allowed));
    if (exchange.request.has_header("Access-Control-Request-Method") && is_allowed_origin(exchange.request)) {
      early_->header("Access-Control-Allow-Methods", allow_list(found.allowed));
      early_->header("Access-Control-Allow-Headers",
                     "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-CSRF-Token, traceparent");
      early_->header("Access-Control-Max-Age", "600");
    }
  } else {
    early_ = problem(exchange.request,
                     refused("http.method-not-allowed",
                             fmt::format("{} is not for {}",
                                         exchange.request.method() == Method::other ? "this method" : name_of(exchange.request.method()),
                                         exchange.request.path().substr(0, 200)),
                             "use one of " + allow_list(found.allowed)))
                 .header("Allow", allow_list(found.allowed));
  }
  if (const auto fits = reader_->limit_body(body_max); !fits) {
    refuse(fits.error());
    return false;
  }
  if (reader_->expects_continue() && !reader_->done() && !early_) continue_wanted_ = true;
  return true;
}

/// A whole request is there.
template <class Stream>
void Connection<Stream>::take_request() {
  const ExchangePtr exchange = std::exchange(reading_, nullptr);
  reader_.reset();
  continue_wanted_ = false;
  since_ = Clock::now();
  if (!exchange->keep_alive || ++requests_ >= engine_.limits().requests_per_connection_max || engine_.stopping()) closing_ = true;
  queue_.push_back(exchange);
  if (!early_ && !exchange->request.raw_query().empty()) {
    if (const auto read = Engine::read_query(exchange->request); !read) {
      early_ = problem(exchange->request, read.error());
    } else if (const auto known = exchange->request.query().only(exchange->entry->route.query); !known) {
      early_ = problem(exchange->request, known.error());
    }
  }
  if (early_) {
    exchange->response = *std::exchange(early_, std::nullopt);
    set_done(*exchange);
  } else {
    exchange->exclusive = !is_safe(exchange->request.method()) && !exchange->entry->route.order_free;
  }
  start_what_may();
}

/// Answers what is being read with a problem; nothing after it is read.
template <class Stream>
void Connection<Stream>::refuse(const core::Error& error) {
  if (reading_ == nullptr) reading_ = engine_.take_exchange();
  if (!header_taken_) Engine::prepare(reading_->request, engine_, peer_, kTls);
  header_taken_ = true;
  if (reading_->began == Clock::time_point()) reading_->began = Clock::now();
  reading_->response = problem(reading_->request, error);
  reading_->keep_alive = false;
  set_done(*reading_);
  early_.reset();
  continue_wanted_ = false;
  queue_.push_back(std::exchange(reading_, nullptr));
  reader_.reset();
  closing_ = true;
  start_what_may();
  schedule_flush();
}

template <class Stream>
void Connection<Stream>::start_what_may() {
  if (beginning_) return;  // a handler that ended at once comes here from below
  beginning_ = true;
  while (next_ < queue_.size()) {
    const ExchangePtr exchange = queue_[next_];
    if (!exchange->done && running_ > 0 && (exchange->exclusive || exclusive_running_)) break;
    if (!exchange->done && is_full()) break;  // sending goes on with it
    ++next_;
    if (!exchange->done) begin(exchange);
  }
  beginning_ = false;
}

template <class Stream>
void Connection<Stream>::begin(const ExchangePtr& exchange) {
  exchange->running = true;
  exchange->started = Clock::now();
  ++running_;
  exclusive_running_ = exchange->exclusive;
  const Handler& handler = exchange->entry->handler;
  if (const auto* at_once = std::get_if<PlainHandler>(&handler)) {
    try {
      exchange->response = (*at_once)(exchange->request);
    } catch (...) {
      fail(*exchange, std::current_exception());
    }
    compress_then_finish(exchange);
  } else if (const auto* waits = std::get_if<CoroutineHandler>(&handler)) {
    asio::co_spawn(engine_.io(), (*waits)(exchange->request),
                   [self = this->shared_from_this(), exchange](const std::exception_ptr& failure, Response response) {
                     exchange->response = std::move(response);
                     if (failure != nullptr) self->fail(*exchange, failure);
                     self->compress_then_finish(exchange);
                   });
  } else if (const auto* blocks = std::get_if<BlockingHandler>(&handler)) {
    const bool taken = engine_.shared().post_blocking(
        [self = this->shared_from_this(), exchange, blocks, work = asio::make_work_guard(engine_.io())]() mutable {
          std::exception_ptr failure;
          Response response;
          try {
            response = blocks->run(exchange->request);
            compress(exchange->request, response);
          } catch (...) {
            failure = std::current_exception();
          }
          asio::post(work.get_executor(),
                     [self = std::move(self), exchange = std::move(exchange), response = std::move(response), failure]() mutable {
                       exchange->response = std::move(response);
                       if (failure != nullptr) self->fail(*exchange, failure);
                       self->finish(exchange);
                     });
        });
    if (!taken) {
      exchange->response =
          problem(exchange->request, refused("http.busy", "too many requests wait already", "try again after the time in Retry-After"));
      exchange->response.header("Retry-After", "1");
      finish(exchange);
    }
  } else {
    const auto& socket_handler = std::get<SocketHandler>(handler);
    if (auto refusal = check_upgrade(exchange->request)) {
      exchange->response = *std::move(refusal);
      return finish(exchange);
    }
    closing_ = true;  // what comes next is no HTTP
    if (!socket_handler.admit) {
      exchange->response = Response{.status = 101};
      return finish(exchange);
    }
    asio::co_spawn(engine_.io(), socket_handler.admit(exchange->request),
                   [self = this->shared_from_this(), exchange](const std::exception_ptr& failure, std::optional<Response> refusal) {
                     exchange->response = refusal ? *std::move(refusal) : Response{.status = 101};
                     if (failure != nullptr) self->fail(*exchange, failure);
                     self->finish(exchange);
                   });
  }
}

template <class Stream>
std::optional<Response> Connection<Stream>::check_upgrade(const Request& request) const {
  if (!beast::websocket::is_upgrade(upgrade_request(request))) {
    return problem(request, refused("http.upgrade-required", "this is a WebSocket", "open it as RFC 6455 says"))
        .header("Upgrade", "websocket");
  }
  // A browser says which page asks, and sends cookies along whatever page that is.
  const std::string_view origin = request.header("Origin");
  if (origin.empty() || is_allowed_origin(request)) return std::nullopt;
  if (origin == fmt::format("{}://{}", kTls ? "https" : "http", request.header("Host"))) return std::nullopt;
  return problem(
      request, refused("access.forbidden", "pages of this origin may not open a WebSocket here", "add the origin to http.allowed_origins"));
}

template <class Stream>
void Connection<Stream>::fail(Exchange& exchange, const std::exception_ptr& failure) {
  std::string what = "a handler of this kind cannot answer";
  try {
    if (failure != nullptr) std::rethrow_exception(failure);
  } catch (const Busy& busy) {
    exchange.response = problem(exchange.request, refused("http.busy", busy.what(), "try again after the time in Retry-After"));
    exchange.response.header("Retry-After", "1");
    return;
  } catch (const std::exception& exception) {
    what = exception.what();
  } catch (...) {
    what = "something that is no std::exception was thrown";
  }
  engine_.failed(exchange.request, what);
  exchange.response = problem(
      exchange.request, refused("http.failed", "something failed here; what was asked for may not have been done",
                                "try again, with the same Idempotency-Key where there was one; if it goes on, report the request_id"));
}

/// What takes long is compressed on the pool, as long as that has room.
template <class Stream>
void Connection<Stream>::compress_then_finish(const ExchangePtr& exchange) {
  if (exchange->response.body.size() < kCompressedMin) return finish(exchange);
  if (exchange->response.body.size() > kCompressedHereMax && is_worth_compressing(exchange->request, exchange->response)) {
    const bool taken =
        engine_.shared().post_blocking([self = this->shared_from_this(), exchange, work = asio::make_work_guard(engine_.io())]() mutable {
          compress(exchange->request, exchange->response);
          asio::post(work.get_executor(), [self = std::move(self), exchange = std::move(exchange)] { self->finish(exchange); });
        });
    if (taken) return;
  }
  compress(exchange->request, exchange->response);
  finish(exchange);
}

template <class Stream>
void Connection<Stream>::finish(const ExchangePtr& exchange) {
  exchange->running = false;
  --running_;
  if (exchange->exclusive) exclusive_running_ = false;
  if (!exchange->abandoned) set_done(*exchange);
  if (broken_) return;
  start_what_may();
  schedule_flush();
}

template <class Stream>
void Connection<Stream>::set_done(Exchange& exchange) {
  exchange.done = true;
  ready_bytes_ += exchange.response.body.size();
}

template <class Stream>
void Connection<Stream>::schedule_flush() {
  if (parsing_ || flush_posted_) return;
  flush_posted_ = true;  // answers that become ready in this round of the loop go out together
  asio::post(engine_.io(), [self = this->shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

template <class Stream>
void Connection<Stream>::flush() {
  if (broken_ || streaming_) return;
  const bool paused = must_pause();
  while (waiting() > 0 && queue_[front_]->done) {
    Exchange& exchange = *queue_[front_];
    if (exchange.response.close) closing_ = true;
    const bool last = exchange.response.close || (closing_ && waiting() == 1 && reading_ == nullptr);
    if (exchange.response.status == 101) {
      report(exchange);
      socket_exchange_ = queue_[front_];
      pop_front();
      break;
    }
    write_answer(exchange, last);
    if (exchange.response.stream) {
      start_stream();
      break;
    }
    pop_front();
    if (last) {  // what was read after it is not answered
      for (std::size_t i = front_; i < queue_.size(); ++i) queue_[i]->abandoned = true;
      ready_bytes_ = 0;
      queue_.clear();
      front_ = next_ = 0;
    }
  }
  if (continue_wanted_ && waiting() == 0) {
    output_.text().append("HTTP/1.1 100 Continue\r\n\r\n");
    continue_wanted_ = false;
  }
  send();
  if (next_ < queue_.size()) start_what_may();
  if (paused || (closing_ && waiting() == 0)) notify();
}

template <class Stream>
void Connection<Stream>::pop_front() {
  engine_.recycle(std::move(queue_[front_++]));
  if (front_ == queue_.size()) {
    queue_.clear();
    front_ = next_ = 0;
  } else if (front_ >= 512) {
    queue_.erase(queue_.begin(), queue_.begin() + std::ptrdiff_t(front_));
    next_ -= front_;
    front_ = 0;
  }
}

template <class Stream>
bool Connection<Stream>::is_allowed_origin(const Request& request) const {
  const auto& origins = engine_.shared().settings.allowed_origins;
  return !origins.empty() && std::find(origins.begin(), origins.end(), request.header("Origin")) != origins.end();
}

template <class Stream>
void Connection<Stream>::write_answer(Exchange& exchange, bool last) {
  Response& response = exchange.response;
  const Request& request = exchange.request;
  ready_bytes_ -= response.body.size();
  std::string& out = output_.text();
  const bool bodiless = response.status == 204 || response.status == 304, chunked = response.stream && request.version() >= 11;
  out.append(status_line(response.status)).append(engine_.date_line());
  if (!bodiless && (response.stream || !response.body.empty()))
    out.append("Content-Type: ").append(response.content_type.text).append("\r\n");
  if (chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (!bodiless && !response.stream) {
    out.append("Content-Length: ");
    append_number(out, response.body.size());
    out.append("\r\n");
  }
  out.append("X-Content-Type-Options: nosniff\r\nX-Request-Id: ").append(request.request_id()).append("\r\n");
  if constexpr (kTls) out.append("Strict-Transport-Security: max-age=31536000\r\n");
  for (const auto& [name, value] : response.headers) {
    core::invariant(is_safe_field(name) && is_safe_field(value), "a header field of an answer is one line");
    out.append(name).append(": ").append(value).append("\r\n");
  }
  if (is_allowed_origin(request)) {
    out.append("Access-Control-Allow-Origin: ").append(request.header("Origin")).append("\r\nVary: Origin\r\n");
    out.append("Access-Control-Expose-Headers: ETag, RateLimit, Retry-After, X-Request-Id\r\n");
  }
  if (last || (response.stream && !chunked)) {
    out.append("Connection: close\r\n");
  } else if (request.version() < 11) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
  report(exchange);
  if (!bodiless && request.method() != Method::head) output_.append_body(std::move(response.body));
}

template <class Stream>
void Connection<Stream>::report(const Exchange& exchange) {
  const Finished finished{exchange.request,
                          exchange.entry != nullptr ? std::string_view(exchange.entry->route.operation_id) : std::string_view(),
                          exchange.entry != nullptr ? exchange.entry->index : SIZE_MAX,
                          exchange.response.status,
                          exchange.response.error_id,
                          exchange.response.body.size(),
                          std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - exchange.began)};
  for (const auto& observer : engine_.shared().settings.observers) observer->finished(finished);
}

/// The answer at the front has no end yet: its handler's stream writes it; nothing else is sent until that ends.
template <class Stream>
void Connection<Stream>::start_stream() {
  const ExchangePtr exchange = queue_[front_];
  const bool chunked = exchange->request.version() >= 11;
  streaming_ = true;
  const auto end = [self = this->shared_from_this(), exchange, chunked](const std::exception_ptr& failure) {
    self->streaming_ = false;
    self->over_hook_ = nullptr;
    if (failure != nullptr || !chunked) self->closing_ = true;
    if (failure != nullptr) {  // without the last chunk: the other side sees that the end is missing
      self->engine_.failed(exchange->request, "a stream failed");
      self->cut();
    }
    if (self->broken_) return;
    if (chunked) self->output_.text().append("0\r\n\r\n");
    self->pop_front();
    self->flush();
    self->notify();
  };
  if (exchange->request.method() == Method::head) {
    streaming_ = false;
    pop_front();
    schedule_flush();
    return;
  }
  asio::co_spawn(
      engine_.io(),
      [](std::shared_ptr<Connection> self, ExchangePtr streamed, bool pieces) -> asio::awaitable<void> {
        Writer writer(self, pieces);
        co_await streamed->response.stream(writer);
      }(this->shared_from_this(), exchange, chunked),
      end);
}

template <class Stream>
void Connection<Stream>::send() {
  if (sending_ || broken_ || output_.empty()) return;
  std::swap(output_, sending_output_);
  sending_output_.buffers(buffers_);
  buffers_at_ = 0;
  sending_ = true;
  send_since_ = Clock::now();
  if constexpr (!kTls) {  // most answers fit into the socket's buffer: no need to come back
    boost::system::error_code problem;
    const std::size_t count = socket().write_some(std::span<const asio::const_buffer>(buffers_), problem);
    if (problem && problem != asio::error::would_block) return break_off();
    sent(count);
    if (buffers_at_ == buffers_.size()) {
      sending_ = false;
      sending_output_.clear();
      return;
    }
  }
  send_more();
}

template <class Stream>
void Connection<Stream>::sent(std::size_t bytes) {
  if (bytes > 0) send_since_ = Clock::now();
  while (bytes > 0) {
    asio::const_buffer& first = buffers_[buffers_at_];
    const std::size_t part = std::min(bytes, first.size());
    first += part;
    bytes -= part;
    if (first.size() == 0) ++buffers_at_;
  }
}

template <class Stream>
void Connection<Stream>::send_more() {
  stream_.async_write_some(std::span<const asio::const_buffer>(buffers_).subspan(buffers_at_),
                           [self = this->shared_from_this()](const boost::system::error_code& problem, std::size_t count) {
                             if (problem) return self->break_off();
                             self->sent(count);
                             if (self->buffers_at_ < self->buffers_.size()) return self->send_more();
                             const bool paused = self->must_pause();
                             self->sending_ = false;
                             self->sending_output_.clear();
                             self->send();
                             if (self->next_ < self->queue_.size()) self->start_what_may();
                             if (paused || self->streaming_ || self->closing_) self->notify();
                           });
}

template <class Stream>
void Connection<Stream>::break_off() {
  sending_ = false;
  cut();
}

template <class Stream>
class Connection<Stream>::OpenSocket final : public WebSocket {
 public:
  OpenSocket(Connection& connection, beast::websocket::stream<Stream&>& stream) : connection_(connection), stream_(stream) {}
  asio::awaitable<bool> send(std::string_view text) override {
    const auto [problem, count] = co_await stream_.async_write(asio::buffer(text.data(), text.size()), asio::as_tuple(asio::use_awaitable));
    co_return !problem;
  }
  asio::awaitable<std::optional<std::string>> receive() override {
    beast::flat_buffer buffer;
    const auto [problem, count] = co_await stream_.async_read(buffer, asio::as_tuple(asio::use_awaitable));
    if (problem || !stream_.got_text()) co_return std::nullopt;
    co_return beast::buffers_to_string(buffer.data());
  }
  asio::awaitable<void> close(std::string_view reason) override {
    const beast::websocket::close_reason told(beast::websocket::close_code::going_away, beast::string_view(reason.data(), reason.size()));
    co_await stream_.async_close(told, asio::as_tuple(asio::use_awaitable));
  }
  bool stopping() const override { return connection_.engine_.stopping(); }
  void when_over(std::function<void()> hook) override {
    connection_.over_hook_ = std::move(hook);
    if (stopping()) connection_.tell_over();
  }

 private:
  Connection& connection_;
  beast::websocket::stream<Stream&>& stream_;
};

template <class Stream>
auto Connection<Stream>::serve_socket(ExchangePtr exchange) -> Task<void> {
  is_socket_ = true;
  if (input_begin_ != input_end_) co_return;  // said before it was asked: no WebSocket client does that
  beast::websocket::stream<Stream&> stream(stream_);
  stream.set_option(beast::websocket::stream_base::timeout{engine_.limits().header_time, engine_.limits().idle_time, true});
  stream.read_message_max(kSocketMessageMax);
  const auto [problem] = co_await stream.async_accept(upgrade_request(exchange->request), kTuple);
  if (problem) co_return;
  OpenSocket open(*this, stream);
  const auto& handler = std::get<SocketHandler>(exchange->entry->handler);
  try {
    co_await asio::co_spawn(engine_.io(), handler.run(exchange->request, open), asio::use_awaitable_t<Executor>());
  } catch (const std::exception& failure) {
    engine_.failed(exchange->request, failure.what());
  }
  if (stream.is_open()) co_await stream.async_close(beast::websocket::close_code::normal, kTuple);
}

/// Closes such that an answer on its way is not lost: a socket that is closed with unread input is reset.
template <class Stream>
auto Connection<Stream>::say_goodbye() -> Task<void> {
  lingering_ = true;
  since_ = Clock::now();
  if constexpr (kTls) co_await stream_.async_shutdown(kTuple);
  boost::system::error_code problem;
  socket().shutdown(asio::ip::tcp::socket::shutdown_send, problem);
  for (std::size_t total = 0; !ended_ && !broken_ && !problem && total < kLingerMax;) {
    const auto [ended, count] = co_await socket().async_read_some(asio::buffer(input_), kTuple);
    if (ended) co_return;
    total += count;
  }
}

template <class Stream>
void Connection<Stream>::cut() {
  broken_ = true;
  boost::system::error_code ignored;
  socket().close(ignored);
  tell_over();
  notify();
}

template <class Stream>
void Connection<Stream>::ask_to_stop() {
  tell_over();
  if (reading_ == nullptr && !lingering_ && !is_socket_) {  // a request that is half there may still come
    closing_ = true;
    if (reading_now_) {
      boost::system::error_code ignored;
      socket().cancel(ignored);
    }
  }
  notify();
}

template <class Stream>
void Connection<Stream>::sweep(Clock::time_point now) {
  const Limits& limits = engine_.limits();
  const auto expired = [&](Clock::time_point since, Clock::duration time) { return now - since > time; };
  if (broken_ || (is_socket_ && !lingering_)) return;  // a WebSocket keeps its own time
  if (lingering_) {
    if (expired(since_, kLingerTime)) cut();
    return;
  }
  if (shaking_hands_) {
    if (expired(since_, limits.tls_time)) cut();
    return;
  }
  if (sending_ && expired(send_since_, limits.send_time)) return cut();
  if (streaming_) return;
  for (std::size_t i = front_; i < next_; ++i) {
    Exchange& exchange = *queue_[i];
    if (!exchange.running || exchange.done || !expired(exchange.started, limits.answer_time)) continue;
    exchange.abandoned = exchange.done = true;
    // The handler may still write into its exchange: the answer goes out by another one.
    auto substitute = std::make_shared<Exchange>();
    Engine::prepare(substitute->request, engine_, peer_, kTls);
    Engine::stand_in(substitute->request, exchange.request);
    substitute->entry = exchange.entry;
    substitute->began = exchange.began;
    substitute->response = problem(
        substitute->request,
        refused("http.too-slow", fmt::format("no answer within {} s; whether it was done is not known", limits.answer_time.count() / 1000),
                "ask again, with the same Idempotency-Key where there was one"));
    substitute->response.close = true;
    set_done(*substitute);
    queue_[i] = substitute;
    schedule_flush();
  }
  if (!reading_now_) return;
  const bool partial = reading_ != nullptr || input_begin_ < input_end_;
  if (!partial) {
    if (waiting() == 0 && !sending_ && expired(since_, limits.idle_time)) {
      closing_ = true;
      boost::system::error_code ignored;
      socket().cancel(ignored);
    }
    return;
  }
  const Limits::Time time = header_taken_ && reading_ != nullptr ? limits.body_time : limits.header_time;
  if (!expired(since_, time)) return;
  too_slow_ = refused("http.request-too-slow", fmt::format("the request was not complete within {} s", time.count() / 1000),
                      "send it faster, or in smaller parts");
  boost::system::error_code ignored;
  socket().cancel(ignored);
}

template class Connection<Socket>;
template class Connection<TlsStream>;

}  // namespace tanhui::http
