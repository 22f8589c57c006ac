// bench/http/load_generator.h: load over HTTP/1.1 from one thread, closed (as fast as answers come, so many requests under way) or
// open (so many a second, whether answers come or not; then latency counts from when a request was due, so a stall is not hidden).
// Latencies are kept with a precision of 1.6 % in fixed memory. Bodies come from the caller, so bench/service uses it with records.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace tanhui::bench {

/// Counts of nanoseconds in 64 steps to each doubling.
class Latencies {
 public:
  void add(std::uint64_t nanoseconds);
  std::uint64_t count() const { return count_; }
  /// The latency that the share (0 to 1) of all does not exceed, in nanoseconds.
  std::uint64_t at(double share) const;
  std::uint64_t highest() const { return highest_; }

 private:
  static constexpr unsigned kSteps = 64;
  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t value_of(std::size_t bucket);
  std::array<std::uint64_t, 60 * kSteps> buckets_{};
  std::uint64_t count_ = 0, highest_ = 0;
};

struct Load {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  unsigned connections = 1;
  unsigned pipeline = 1;       // requests under way on each connection, at most
  double seconds = 5;          // counted, after
  double warm_up_seconds = 1;  // which are not
  double rate = 0;             // requests a second over all connections; 0: closed loop
  /// Appends the whole request number `n`, headers and body.
  std::function<void(std::uint64_t n, std::string& out)> request;
};

struct Loaded {
  std::uint64_t answers = 0;  // in the counted time
  double seconds = 0;
  std::map<int, std::uint64_t> statuses;  // of all answers, those before too
  std::uint64_t bytes = 0;
  std::string first_answer;  // whole, to look at
  Latencies latencies;
  std::string failed;  // why the load ended early, or empty
};

Loaded run_load(const Load& load);

}  // namespace tanhui::bench
