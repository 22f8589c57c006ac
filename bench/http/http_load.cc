// http_load: GET a path again and again; what came of it as one line of JSON. bench/http/http.py runs it.
//   http_load PORT PATH CONNECTIONS PIPELINE SECONDS [RATE]
#include <fmt/format.h>

#include <cstdlib>

#include "load_generator.h"

int main(int argc, char** argv) {
  if (argc < 6) {
    fmt::print(stderr, "http_load PORT PATH CONNECTIONS PIPELINE SECONDS [RATE]\n");
    return 2;
  }
  tanhui::bench::Load load;
  load.port = std::uint16_t(std::atoi(argv[1]));
  load.connections = unsigned(std::atoi(argv[3]));
  load.pipeline = unsigned(std::atoi(argv[4]));
  load.seconds = std::atof(argv[5]);
  if (argc > 6) load.rate = std::atof(argv[6]);
  const std::string request =
      fmt::format("GET {} HTTP/1.1\r\nHost: localhost:{}\r\nUser-Agent: http_load\r\nAccept: */*\r\n\r\n", argv[2], load.port);
  load.request = [&](std::uint64_t, std::string& out) { out.append(request); };
  const auto loaded = tanhui::bench::run_load(load);
  const auto us = [&](double share) { return double(loaded.latencies.at(share)) / 1000; };
  std::uint64_t good = 0, all = 0;
  for (const auto& [status, count] : loaded.statuses) {
    all += count;
    if (status == 200) good += count;
  }
  const std::string body = loaded.first_answer.substr(std::min(loaded.first_answer.find("\r\n\r\n") + 4, loaded.first_answer.size()));
  fmt::print(
      R"({{"answers": {}, "seconds": {:.3f}, "rate": {:.0f}, "all": {}, "not_200": {}, "p50_us": {:.1f}, "p99_us": {:.1f}, "p999_us": {:.1f}, "max_us": {:.1f}, "bytes": {}, "body": "{}", "failed": "{}"}})"
      "\n",
      loaded.answers, loaded.seconds, double(loaded.answers) / loaded.seconds, all, all - good, us(0.5), us(0.99), us(0.999),
      double(loaded.latencies.highest()) / 1000, loaded.bytes, body, loaded.failed);
  return loaded.failed.empty() ? 0 : 1;
}
