// http/rate_limit.h: so many requests a key, as a token bucket: `burst` at once, then `per_second` for ever. A bucket is one number (the
// generic cell rate algorithm): the time at which it will be full again. Thread-safe; memory is bounded: full buckets are forgotten.
#pragma once
#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/time.h"
#include "http/message.h"

namespace tanhui::http {

struct RatePolicy {
  std::int64_t per_second = 10, burst = 50;  // both at least 1
};

class RateLimiter {
 public:
  struct Decision {
    bool allowed = true;
    std::int64_t remaining = 0;      // requests that would still be let through now
    std::int64_t reset_s = 0;        // until all of the burst is there again
    std::int64_t retry_after_s = 0;  // when not allowed
  };
  /// `seed` is random, so that nobody can choose keys that collide.
  RateLimiter(RatePolicy policy, std::uint64_t seed, std::size_t keys_max = 1'000'000);
  /// `cost`: how many requests this one counts as, at most the burst.
  Decision take(std::string_view key, core::Millis now, std::int64_t cost = 1);
  const RatePolicy& policy() const { return policy_; }
  std::size_t keys() const;

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::uint64_t, std::int64_t> full_at_us;
  };
  RatePolicy policy_;
  std::uint64_t seed_;
  std::size_t shard_keys_max_;
  std::int64_t interval_us_, depth_us_;
  std::array<Shard, 16> shards_;
};

/// RateLimit-Policy and RateLimit as the IETF draft writes them (draft-ietf-httpapi-ratelimit-headers-10), Retry-After when it was refused.
void add_rate_headers(Response& response, const RatePolicy& policy, const RateLimiter::Decision& decision);
core::Error rate_limited(const RateLimiter::Decision& decision);

}  // namespace tanhui::http
