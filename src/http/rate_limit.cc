#include "http/rate_limit.h"

#include <fmt/format.h>

#include "core/hash.h"
#include "core/invariant.h"

namespace tanhui::http {

RateLimiter::RateLimiter(RatePolicy policy, std::uint64_t seed, std::size_t keys_max)
    : policy_(policy), seed_(seed), shard_keys_max_(std::max<std::size_t>(keys_max / 16, 1)), interval_us_(1), depth_us_(0) {
  core::invariant(policy.per_second >= 1 && policy.per_second <= 1'000'000 && policy.burst >= 1 && policy.burst <= 1'000'000'000,
                  "a rate is 1 to 1,000,000 a second, a burst 1 to 1,000,000,000");
  interval_us_ = 1'000'000 / policy.per_second;
  depth_us_ = interval_us_ * policy.burst;
}

RateLimiter::Decision RateLimiter::take(std::string_view key, core::Millis now, std::int64_t cost) {
  const std::int64_t cost_us = interval_us_ * cost;
  const std::uint64_t hash = core::event_key(seed_, key);
  Shard& shard = shards_[hash >> 60];
  const std::int64_t now_us = now * 1000;
  const std::scoped_lock lock(shard.mutex);
  if (shard.full_at_us.size() >= shard_keys_max_) {
    std::erase_if(shard.full_at_us, [&](const auto& bucket) { return bucket.second <= now_us; });
    // All of them in use: forget all. Whoever attacks with a million keys has a million buckets anyway.
    if (shard.full_at_us.size() >= shard_keys_max_) shard.full_at_us.clear();
  }
  std::int64_t& full_at = shard.full_at_us[hash];
  const std::int64_t from = std::max(full_at, now_us);
  Decision decision;
  if (from + cost_us - now_us > depth_us_) {
    decision.allowed = false;
    decision.retry_after_s = (from + cost_us - depth_us_ - now_us + 999'999) / 1'000'000;
  } else {
    full_at = from + cost_us;
  }
  decision.remaining = std::max<std::int64_t>(0, (depth_us_ - (std::max(full_at, now_us) - now_us)) / interval_us_);
  decision.reset_s = (std::max(full_at, now_us) - now_us + 999'999) / 1'000'000;
  return decision;
}

std::size_t RateLimiter::keys() const {
  std::size_t count = 0;
  for (const Shard& shard : shards_) {
    const std::scoped_lock lock(shard.mutex);
    count += shard.full_at_us.size();
  }
  return count;
}

void add_rate_headers(Response& response, const RatePolicy& policy, const RateLimiter::Decision& decision) {
  const std::int64_t window_s = (policy.burst + policy.per_second - 1) / policy.per_second;
  response.header("RateLimit-Policy", fmt::format("\"default\";q={};w={}", policy.burst, window_s));
  response.header("RateLimit", fmt::format("\"default\";r={};t={}", decision.remaining, decision.reset_s));
  if (!decision.allowed) response.header("Retry-After", std::to_string(decision.retry_after_s));
}

core::Error rate_limited(const RateLimiter::Decision& decision) {
  return {core::ErrorCode::refused,
          "http.rate-limited",
          "too many requests in a short time",
          fmt::format("try again after {} s", decision.retry_after_s),
          {{"retry_after_s", std::to_string(decision.retry_after_s)}}};
}

}  // namespace tanhui::http
