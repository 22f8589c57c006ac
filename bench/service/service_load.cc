// service_load: signed requests with records to POST /api/v1/activities, and what came of it as one line of JSON. bench/service/service.py
// runs it. Requests are made and signed before the clock starts; when they are used up, more are made on the way.
//   service_load PORT KEY SECRET(hex) CONNECTIONS PIPELINE RECORDS SECONDS PEOPLE SEED [RATE]
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <vector>

#include "../http/load_generator.h"
#include "core/time.h"
#include "http/signature.h"

namespace {

using namespace tanhui;

std::vector<std::uint8_t> from_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(std::uint8_t(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return bytes;
}

core::Millis now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

class Requests {
 public:
  Requests(std::string host, std::string key, const std::string& secret, int records, std::uint64_t people, std::uint64_t seed)
      : host_(std::move(host)),
        key_id_(std::move(key)),
        key_(*http::SignatureKey::hmac(from_hex(secret))),
        records_(records),
        people_(people),
        random_(seed),
        seed_(seed),
        now_ms_(now_ms()) {}
  void make(std::string& out) {
    std::string body;
    for (int i = 0; i < records_; ++i) {
      // Rides of the last eighteen hours, half an hour each: some of a person's overlap, as in life.
      const core::Millis start = now_ms_ - 3'600'000 - core::Millis(random_() % 64'800'000);
      fmt::format_to(std::back_inserter(body),
                     R"({{"event_id":"{:x}-{}","person":"o1.{:043}","activity":"metro-ride","start":"{}","end":"{}","quantity":{}}})"
                     "\n",
                     seed_, next_++, random_() % people_, core::to_text_utc(start), core::to_text_utc(start + 1'800'000),
                     3000 + random_() % 20'000);
    }
    const std::string digest = http::content_digest(body);
    const http::FieldView fields[] = {{"host", host_}, {"content-digest", digest}, {"content-type", "application/x-ndjson"}};
    const http::MessageView message{
        .method = "POST", .scheme = "http", .authority = host_, .target = "/api/v1/activities", .fields = fields, .body = body};
    const std::string_view components[] = {"@method", "@target-uri", "content-digest", "content-type"};
    const auto signature = *http::sign(
        message, "sig", components, {.created_s = now_ms() / 1000, .keyid = key_id_, .nonce = fmt::format("{:x}-{}", seed_, next_)}, key_);
    fmt::format_to(
        std::back_inserter(out),
        "POST /api/v1/activities HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-ndjson\r\nContent-Digest: {}\r\nSignature-Input: "
        "{}\r\nSignature: {}\r\nContent-Length: {}\r\n\r\n{}",
        host_, digest, signature.signature_input, signature.signature, body.size(), body);
  }

 private:
  std::string host_, key_id_;
  http::SignatureKey key_;
  int records_;
  std::uint64_t people_;
  std::mt19937_64 random_;
  std::uint64_t seed_, next_ = 0;
  core::Millis now_ms_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 10) {
    fmt::print(stderr, "service_load PORT KEY SECRET CONNECTIONS PIPELINE RECORDS SECONDS PEOPLE SEED [RATE]\n");
    return 2;
  }
  bench::Load load;
  load.port = std::uint16_t(std::atoi(argv[1]));
  load.connections = unsigned(std::atoi(argv[4]));
  load.pipeline = unsigned(std::atoi(argv[5]));
  const int records = std::atoi(argv[6]);
  load.seconds = std::atof(argv[7]);
  if (argc > 10) load.rate = std::atof(argv[10]);
  Requests requests(fmt::format("localhost:{}", load.port), argv[2], argv[3], records, std::uint64_t(std::atoll(argv[8])),
                    std::uint64_t(std::atoll(argv[9])));
  constexpr std::size_t kReadyBytes = std::size_t{600} << 20;
  const double wanted = load.rate > 0 ? load.rate : 120'000.0 / std::max(1, records / 10);
  std::vector<std::string> ready;
  for (std::size_t bytes = 0; bytes < kReadyBytes && double(ready.size()) < wanted * (load.seconds + load.warm_up_seconds);) {
    requests.make(ready.emplace_back());
    bytes += ready.back().size();
  }
  std::size_t used = 0, late = 0;
  load.request = [&](std::uint64_t, std::string& out) {
    if (used < ready.size()) {
      out.append(ready[used]);
      ready[used++] = {};
    } else {
      ++late;
      requests.make(out);
    }
  };
  const auto loaded = bench::run_load(load);
  const auto us = [&](double share) { return double(loaded.latencies.at(share)) / 1000; };
  std::uint64_t good = 0, all = 0;
  for (const auto& [status, count] : loaded.statuses) {
    all += count;
    if (status == 200) good += count;
  }
  std::string first =
      loaded.first_answer.substr(std::min(loaded.first_answer.find("\r\n\r\n") + 4, loaded.first_answer.size())).substr(0, 300);
  for (char& c : first) c = c == '"' ? '\'' : c;
  fmt::print(
      R"({{"answers": {}, "seconds": {:.3f}, "rate": {:.0f}, "records": {:.0f}, "all": {}, "not_200": {}, "p50_us": {:.1f}, "p99_us": {:.1f}, "p999_us": {:.1f}, "max_us": {:.1f}, "made_late": {}, "first": "{}", "failed": "{}"}})"
      "\n",
      loaded.answers, loaded.seconds, double(loaded.answers) / loaded.seconds, double(loaded.answers) * records / loaded.seconds, all,
      all - good, us(0.5), us(0.99), us(0.999), double(loaded.latencies.highest()) / 1000, late, first, loaded.failed);
  return loaded.failed.empty() ? 0 : 1;
}
