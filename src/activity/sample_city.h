// activity/sample_city.h: private to the sample: who does what when, and who reports it. Pure functions of the options.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "activity/record.h"
#include "activity/sample.h"
#include "core/time.h"

namespace tanhui::activity::sample {

enum class Source : std::uint8_t {
  metro_gate,
  alipay,
  bank_ride,
  map_app,
  bike_operator,
  charger,
  grid,
  takeaway,
  car_maker,
  bus_code,
  count_
};
std::string_view name(Source source);
bool writes_utc(Source source);  // "Z" instead of "+08:00"

struct Report {
  std::uint64_t event = 0, person = 0;  // ids as numbers, told apart by source and by seed
  core::Millis start_ms = 0, end_ms = 0;
  std::int64_t quantity = 0;
  std::uint8_t activity = 0;  // in the order of city_figures()
  Source source = Source::metro_gate;
  Evidence evidence = Evidence::metered;
  SampleDefect defect = SampleDefect::none;
};

/// A small, fast, well-mixed generator (Steele, Lea and Flood 2014); `at` gives each person and day a stream of its own.
class Random {
 public:
  explicit Random(std::uint64_t state) : state_(state) {}
  static Random at(std::uint64_t seed, std::uint64_t day, std::uint64_t person);
  std::uint64_t next();
  std::uint32_t below(std::uint32_t limit) { return std::uint32_t((next() >> 32) * limit >> 32); }
  bool one_in_100000(std::uint32_t rate) { return below(100'000) < rate; }
  bool percent(std::uint32_t rate) { return below(100) < rate; }
  std::int64_t between(std::int64_t low, std::int64_t high) { return low + below(std::uint32_t(high - low + 1)); }

 private:
  std::uint64_t state_;
};
std::uint64_t mix(std::uint64_t value);

/// Adds the reports of a person's day to `into` and counts them in `summary` (all but its rows).
void add_day(const SampleOptions& options, std::uint32_t day, std::uint64_t person, std::vector<Report>& into, SampleSummary& summary);

}  // namespace tanhui::activity::sample
