#include "load_generator.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <bit>
#include <chrono>
#include <cmath>
#include <deque>
#include <memory>
#include <vector>

namespace tanhui::bench {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

struct Run {
  explicit Run(const Load& given) : load(given) {}
  const Load& load;
  asio::io_context io{1};
  Loaded out;
  Clock::time_point counted_from, over_at;
  std::uint64_t sent = 0;
  bool over = false;
};

class Connection {
 public:
  Connection(Run& run, unsigned number) : run_(run), number_(number), socket_(run.io) {}

  void start() {
    socket_.connect({asio::ip::make_address(run_.load.address), run_.load.port});
    socket_.set_option(asio::ip::tcp::no_delay(true));
    socket_.non_blocking(true);
    if (run_.load.rate > 0) {  // the connections' turns lie evenly in time
      interval_ = std::chrono::nanoseconds(std::int64_t(1e9 * run_.load.connections / run_.load.rate));
      due_ = Clock::now() + interval_ * number_ / run_.load.connections;
    } else {
      top_up(Clock::now());
    }
    read();
  }

  /// Open loop: sends what is due.
  void send_due(Clock::time_point now) {
    while (due_ <= now && under_way_.size() < run_.load.pipeline) {
      run_.load.request(run_.sent++, out_);
      under_way_.push_back(due_);
      due_ += interval_;
    }
    write();
  }

 private:
  void top_up(Clock::time_point now) {
    while (under_way_.size() < run_.load.pipeline) {
      run_.load.request(run_.sent++, out_);
      under_way_.push_back(now);
    }
    write();
  }

  void write() {
    if (writing_ || out_.empty()) return;
    std::swap(out_, writing_out_);
    out_.clear();
    boost::system::error_code problem;
    const std::size_t count = socket_.write_some(asio::buffer(writing_out_), problem);
    if (problem && problem != asio::error::would_block) return fail(problem.message());
    if (count == writing_out_.size()) return;
    writing_ = true;
    asio::async_write(socket_, asio::buffer(writing_out_.data() + count, writing_out_.size() - count),
                      [this](const boost::system::error_code& failure, std::size_t) {
                        writing_ = false;
                        if (failure) return fail(failure.message());
                        write();
                      });
  }

  void read() {
    if (in_.size() < end_ + 16'384) in_.resize(end_ + 65'536);
    socket_.async_read_some(asio::buffer(in_.data() + end_, in_.size() - end_),
                            [this](const boost::system::error_code& problem, std::size_t count) {
                              if (run_.over) return;
                              if (problem) return fail(problem.message());
                              end_ += count;
                              run_.out.bytes += count;
                              const auto now = Clock::now();
                              while (take_answer(now)) {}
                              if (begin_ == end_) begin_ = end_ = 0;
                              if (begin_ > 1 << 20) {
                                std::copy(in_.begin() + std::ptrdiff_t(begin_), in_.begin() + std::ptrdiff_t(end_), in_.begin());
                                end_ -= begin_;
                                begin_ = 0;
                              }
                              if (now >= run_.over_at) {
                                run_.over = true;
                                run_.io.stop();
                                return;
                              }
                              if (run_.load.rate > 0) {
                                send_due(now);
                              } else {
                                top_up(now);
                              }
                              read();
                            });
  }

  bool take_answer(Clock::time_point now) {
    const std::string_view text(in_.data() + begin_, end_ - begin_);
    const std::size_t head = text.find("\r\n\r\n");
    if (head == std::string_view::npos) return false;
    const std::size_t at = text.substr(0, head).find("Content-Length: ");
    const std::size_t length = at == std::string_view::npos ? 0 : std::size_t(std::strtoull(text.data() + at + 16, nullptr, 10));
    if (text.size() < head + 4 + length) return false;
    if (under_way_.empty()) {
      fail("an answer that nobody asked for");
      return false;
    }
    if (run_.out.first_answer.empty()) run_.out.first_answer = text.substr(0, head + 4 + length);
    ++run_.out.statuses[std::atoi(text.data() + 9)];
    if (now >= run_.counted_from) {
      ++run_.out.answers;
      run_.out.latencies.add(std::uint64_t(std::chrono::duration_cast<std::chrono::nanoseconds>(now - under_way_.front()).count()));
    }
    under_way_.pop_front();
    begin_ += head + 4 + length;
    return true;
  }

  void fail(const std::string& why) {
    if (run_.over) return;
    run_.out.failed = why;
    run_.over = true;
    run_.io.stop();
  }

  Run& run_;
  unsigned number_;
  asio::ip::tcp::socket socket_;
  std::deque<Clock::time_point> under_way_;  // when each was sent, or due
  std::string out_, writing_out_;
  std::vector<char> in_;
  std::size_t begin_ = 0, end_ = 0;
  bool writing_ = false;
  Clock::duration interval_{};
  Clock::time_point due_;
};

}  // namespace

std::size_t Latencies::bucket_of(std::uint64_t value) {
  if (value < kSteps) return std::size_t(value);
  const unsigned doubling = unsigned(std::bit_width(value)) - 7;  // value >> doubling is in [64, 128)
  return std::size_t((doubling + 1) * kSteps + ((value >> doubling) - kSteps));
}

std::uint64_t Latencies::value_of(std::size_t bucket) {
  if (bucket < kSteps) return bucket;
  const std::size_t doubling = bucket / kSteps - 1;
  return (std::uint64_t(bucket % kSteps + kSteps + 1) << doubling) - 1;  // the highest that falls into it
}

void Latencies::add(std::uint64_t nanoseconds) {
  ++buckets_[std::min(bucket_of(nanoseconds), buckets_.size() - 1)];
  ++count_;
  highest_ = std::max(highest_, nanoseconds);
}

std::uint64_t Latencies::at(double share) const {
  const auto wanted = std::uint64_t(std::ceil(share * double(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted && seen > 0) return std::min(value_of(bucket), highest_);
  }
  return highest_;
}

Loaded run_load(const Load& load) {
  Run run(load);
  const auto span = [](double seconds) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)); };
  run.counted_from = Clock::now() + span(load.warm_up_seconds);
  run.over_at = run.counted_from + span(load.seconds);
  std::vector<std::unique_ptr<Connection>> connections;
  try {
    for (unsigned i = 0; i < load.connections; ++i) {
      connections.push_back(std::make_unique<Connection>(run, i));
      connections.back()->start();
    }
    asio::steady_timer timer(run.io);
    std::function<void()> tick = [&] {  // also ends a run in which no answer comes any more
      timer.expires_after(load.rate > 0 ? std::chrono::microseconds(100) : std::chrono::microseconds(100'000));
      timer.async_wait([&](const boost::system::error_code&) {
        const auto now = Clock::now();
        if (now >= run.over_at + std::chrono::seconds(1)) {
          run.over = true;
          run.io.stop();
          return;
        }
        if (load.rate > 0) {
          for (const auto& connection : connections) connection->send_due(now);
        }
        tick();
      });
    };
    tick();
    run.io.run();
  } catch (const boost::system::system_error& failure) {
    run.out.failed = failure.code().message();
  }
  run.out.seconds = std::chrono::duration<double>(std::min(Clock::now(), run.over_at) - run.counted_from).count();
  return std::move(run.out);
}

}  // namespace tanhui::bench
