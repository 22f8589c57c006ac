#include "activity/sample_city.h"

#include <algorithm>
#include <array>

namespace tanhui::activity {
namespace sample {
namespace {

enum Activity : std::uint8_t { metro, nev, bike, charge, bus, carpool, cutlery, demand };

// In the order of the enumeration; the header says where the figures come from.
constexpr std::array<CityFigure, kCityActivities> kFigures{{
    {"metro-ride", 5048, 5048, 2426, 12'827},
    {"nev-ride", 1458, 1458, 2066, 14'121},
    {"bike-ride", 916, 916, 0, 1'800},
    {"ev-charge", 783, 783, 2539, 16'574},
    {"bus-ride", 783, 783, 0, 1},
    {"carpool-ride", 790, 0, 0, 45'000},
    {"no-cutlery-order", 174, 0, 0, 1},
    {"demand-response", 48, 48, 576, 47'800},
}};

constexpr bool is_driving(unsigned activity) { return activity == nev || activity == charge; }

// Three people in ten have a new-energy car, and only they drive and charge one. Everything else is shared out alike.
constexpr std::uint32_t kOwnersPercent = 30;
constexpr std::uint32_t kDrivingShare = 1458 + 783;

// How unequal things are: values at equal steps of probability, in thousandths of the middle; straight lines between them.
struct Spread {
  std::array<std::int64_t, 17> values;
  std::int64_t mean;  // of the straight lines, times 32: exact
};
consteval Spread spread(const std::array<std::int64_t, 17>& values) {
  Spread made{values, 0};
  for (std::size_t i = 0; i + 1 < values.size(); ++i) made.mean += values[i] + values[i + 1];
  return made;
}
constexpr Spread kDistances = spread({180, 320, 410, 490, 560, 630, 700, 775, 850, 935, 1030, 1140, 1270, 1440, 1690, 2130, 4200});
constexpr Spread kEnergies = spread({250, 400, 520, 610, 690, 760, 830, 900, 965, 1030, 1100, 1180, 1270, 1380, 1520, 1720, 2600});
constexpr Spread kActivePeople = spread({0, 20, 60, 110, 170, 240, 320, 410, 520, 650, 810, 1000, 1250, 1600, 2150, 3200, 8000});

// A value of mean `mean`.
std::int64_t draw(const Spread& from, std::int64_t mean, Random& random) {
  const std::uint32_t at = random.below(std::uint32_t{1} << 24);
  const std::int64_t low = from.values[at >> 20], high = from.values[(at >> 20) + 1];
  const std::int64_t fine = (low << 20) + (high - low) * std::int64_t(at & 0xFFFFF);  // thousandths, 20 binary digits more
  return ((fine >> 10) * mean * 32 / from.mean) >> 10;
}

// Weight of each hour of the day.
using Hours = std::array<std::uint16_t, 24>;
constexpr Hours kCommute{2, 1, 0, 0, 1, 8, 38, 150, 190, 70, 35, 32, 36, 36, 32, 36, 55, 150, 175, 80, 45, 36, 25, 8};
constexpr Hours kLeisure{6, 3, 1, 0, 1, 5, 15, 30, 50, 75, 85, 80, 75, 80, 85, 85, 80, 75, 65, 60, 55, 45, 28, 12};
constexpr Hours kCharging{30, 18, 10, 6, 5, 6, 10, 20, 35, 45, 50, 55, 65, 60, 50, 45, 45, 55, 75, 90, 100, 95, 75, 50};
constexpr Hours kMeals{4, 2, 1, 0, 0, 1, 5, 15, 15, 20, 70, 190, 160, 50, 25, 25, 40, 130, 150, 70, 30, 20, 15, 8};
constexpr Hours kEvening{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 40, 50, 20, 0, 0, 0};

constexpr std::uint32_t total(const Hours& hours) {
  std::uint32_t sum = 0;
  for (const auto weight : hours) sum += weight;
  return sum;
}

// Seconds since local midnight.
std::int64_t draw_second(const Hours& hours, Random& random) {
  std::uint32_t rest = random.below(total(hours));
  std::uint32_t hour = 0;
  while (rest >= hours[hour]) rest -= hours[hour++];
  return std::int64_t(hour) * 3600 + random.below(3600);
}

struct Act {
  std::uint8_t activity;
  std::int64_t second, seconds;  // since local midnight; how long
  std::int64_t quantity;
};

std::uint8_t draw_activity(bool owner, Random& random) {
  // Owners drive and charge so much more that the whole city has its shares.
  constexpr std::uint32_t owners_driving = kDrivingShare * 100 / kOwnersPercent;
  const bool driving = owner && random.below(10'000) < owners_driving;
  std::uint32_t rest = random.below(driving ? kDrivingShare : 10'000 - kDrivingShare);
  for (std::uint8_t activity = 0; activity < kCityActivities; ++activity) {
    if (is_driving(activity) != driving) continue;
    if (rest < kFigures[activity].acts_share) return activity;
    rest -= kFigures[activity].acts_share;
  }
  return metro;
}

std::int64_t seconds_at(std::int64_t metres, std::int64_t metres_per_hour) { return metres * 3600 / metres_per_hour; }

Act draw_act(bool owner, bool weekend, Random& random) {
  Act act{draw_activity(owner, random), 0, 0, 0};
  const std::int64_t mean = kFigures[act.activity].mean_quantity;
  const Hours& travel = weekend ? kLeisure : kCommute;
  switch (act.activity) {
    case metro:
      act.quantity = std::max<std::int64_t>(draw(kDistances, mean, random), 700);
      act.seconds = 240 + seconds_at(act.quantity, random.between(30'000, 38'000));
      break;
    case nev:
      act.quantity = std::max<std::int64_t>(draw(kDistances, mean, random), 600);
      act.seconds = 60 + seconds_at(act.quantity, random.between(22'000, 45'000));
      break;
    case bike:
      act.quantity = draw(kDistances, mean, random);
      act.seconds = 30 + seconds_at(act.quantity, random.between(9'000, 15'000));
      break;
    case bus:
      act.quantity = 1;
      act.seconds = random.between(8 * 60, 45 * 60);
      break;
    case carpool:
      act.quantity = draw(kDistances, mean, random);
      act.seconds = 120 + seconds_at(act.quantity, random.between(35'000, 70'000));
      break;
    case charge:
      act.quantity = std::max<std::int64_t>(draw(kEnergies, mean, random), 1'000);
      act.seconds = 60 + act.quantity * 3600 / (act.quantity < 25'000 && random.percent(40) ? 7'000 : random.between(40'000, 90'000));
      break;
    case cutlery:
      act.quantity = 1;
      act.seconds = random.between(22 * 60, 55 * 60);
      break;
    default:  // demand response
      act.quantity = draw(kEnergies, mean, random);
      act.seconds = 4 * 3600;
      break;
  }
  act.second = draw_second(act.activity == charge    ? kCharging
                           : act.activity == cutlery ? kMeals
                           : act.activity == demand  ? kEvening
                                                     : travel,
                           random);
  return act;
}

// Nobody sits in two trains at once: what would overlap starts a few minutes after the act before it ends.
void put_in_order(std::vector<Act>& acts, Random& random) {
  std::sort(acts.begin(), acts.end(), [](const Act& a, const Act& b) { return a.second < b.second; });
  std::array<std::int64_t, 2> free_from{};  // travel, driving and charging
  for (Act& act : acts) {
    if (act.activity == cutlery || act.activity == demand) continue;
    std::int64_t& free = free_from[is_driving(act.activity)];
    act.second = std::max(act.second, free);
    free = act.second + act.seconds + 300 + random.below(600);  // more than the sources' clocks differ
  }
}

/// One source's view of an act: its clock and its measure differ a little.
struct View {
  Source source;
  std::uint32_t percent;        // how often it reports the act
  std::uint32_t clock_seconds;  // its times differ by at most this
  std::uint32_t measure;        // its quantity differs by at most this, in thousandths
};
constexpr std::size_t kViewsMax = 4;
using Views = std::array<View, kViewsMax>;
constexpr View kNobody{Source::count_, 0, 0, 0};

// Who reports which activity, best source first (the programme wuhan-demo's priorities). If none of them does, the first one does.
constexpr std::array<Views, kCityActivities> kViews{{
    {{{Source::metro_gate, 90, 0, 0}, {Source::alipay, 50, 60, 15}, {Source::bank_ride, 15, 90, 15}, {Source::map_app, 6, 120, 40}}},
    {{{Source::car_maker, 97, 0, 0}, {Source::map_app, 12, 120, 40}, kNobody, kNobody}},
    {{{Source::bike_operator, 95, 0, 0}, {Source::alipay, 25, 20, 0}, {Source::map_app, 5, 120, 60}, kNobody}},
    {{{Source::charger, 96, 0, 0}, {Source::car_maker, 20, 60, 50}, kNobody, kNobody}},
    {{{Source::bus_code, 80, 0, 0}, {Source::alipay, 35, 45, 0}, {Source::bank_ride, 10, 45, 0}, {Source::map_app, 4, 120, 0}}},
    {{{Source::alipay, 95, 0, 0}, {Source::map_app, 10, 120, 40}, kNobody, kNobody}},
    {{{Source::takeaway, 100, 0, 0}, kNobody, kNobody, kNobody}},
    {{{Source::grid, 100, 0, 0}, kNobody, kNobody, kNobody}},
}};

constexpr std::uint32_t kRedeliveredPer100000 = 1'000;
// In the order of SampleDefect.
constexpr std::array<std::uint32_t, kSampleDefects> kDefectsPer100000{0, 50, 100, 50, 50, 200, 20};

bool knows_positions(Source source) { return source == Source::bike_operator || source == Source::map_app; }

SampleDefect draw_defect(Source source, Random& random) {
  std::uint32_t rest = random.below(100'000);
  for (std::size_t i = 1; i < kSampleDefects; ++i) {
    if (rest < kDefectsPer100000[i]) {
      const auto defect = SampleDefect(i);
      return defect == SampleDefect::position_jump && !knows_positions(source) ? SampleDefect::none : defect;
    }
    rest -= kDefectsPer100000[i];
  }
  return SampleDefect::none;
}

void spoil(Report& report, Random& random) {
  constexpr core::Millis gps_epoch = 315'964'800'000;  // 1980-01-06
  switch (report.defect) {
    case SampleDefect::clock_reset: {
      const core::Millis length = report.end_ms - report.start_ms;
      report.start_ms = gps_epoch + std::int64_t(random.below(3600)) * 1000;
      report.end_ms = report.start_ms + length;
      break;
    }
    case SampleDefect::end_before_start:
      std::swap(report.start_ms, report.end_ms);
      break;
    case SampleDefect::position_jump:
      report.quantity = std::max<std::int64_t>(report.quantity, 1'000) * random.between(300, 2'000);
      break;
    case SampleDefect::future:
      report.start_ms += 3652 * core::kMillisPerDay;
      report.end_ms += 3652 * core::kMillisPerDay;
      break;
    default:
      break;  // a missing person and a bad number are written, not computed
  }
}

Report seen_by(const View& view, const Act& act, core::Millis midnight, Random& random) {
  const auto shift = [&] { return view.clock_seconds == 0 ? 0 : random.between(-std::int64_t(view.clock_seconds), view.clock_seconds); };
  Report report;
  report.event = random.next();
  report.activity = act.activity;
  report.source = view.source;
  report.evidence = view.source == Source::map_app ? Evidence::inferred : Evidence::metered;
  const std::int64_t start = act.second + shift();
  const std::int64_t end = std::max(act.second + act.seconds + shift(), start + 61);
  report.start_ms = midnight + start * 1000;
  report.end_ms = midnight + end * 1000;
  report.quantity = act.quantity;
  if (view.measure > 0) report.quantity += report.quantity * random.between(-std::int64_t(view.measure), view.measure) / 1000;
  return report;
}

void add_reports(const Act& act, core::Millis midnight, std::uint64_t person, Random& random, std::vector<Report>& into,
                 SampleSummary& summary) {
  const Views& views = kViews[act.activity];
  std::array<bool, kViewsMax> reports{};
  bool any = false;
  for (std::size_t i = 0; i < kViewsMax; ++i) any |= reports[i] = random.percent(views[i].percent);
  if (!any) reports[0] = true;
  for (std::size_t i = 0; i < kViewsMax; ++i) {
    if (!reports[i]) continue;
    Report report = seen_by(views[i], act, midnight, random);
    report.person = person;
    report.defect = draw_defect(report.source, random);
    spoil(report, random);
    const int copies = random.one_in_100000(kRedeliveredPer100000) ? 2 : 1;
    for (int copy = 0; copy < copies; ++copy) into.push_back(report);
    ++summary.reports;
    summary.redelivered += std::uint64_t(copies - 1);
    summary.defects[std::size_t(report.defect)] += std::uint64_t(copies);
  }
}

}  // namespace

std::string_view name(Source source) {
  constexpr std::array<std::string_view, std::size_t(Source::count_)> names{
      "metro-gate", "alipay", "bank-ride", "map-app", "bike-operator", "charger", "grid", "takeaway", "car-maker", "bus-code"};
  return names[std::size_t(source)];
}

bool writes_utc(Source source) { return source == Source::alipay || source == Source::map_app || source == Source::car_maker; }

std::uint64_t mix(std::uint64_t value) {
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
  value = (value ^ value >> 27) * 0x94D049BB133111EBu;
  return value ^ value >> 31;
}

Random Random::at(std::uint64_t seed, std::uint64_t day, std::uint64_t person) { return Random(mix(mix(mix(seed) + day) + person)); }

std::uint64_t Random::next() { return mix(state_ += 0x9E3779B97F4A7C15u); }

void add_day(const SampleOptions& options, std::uint32_t day, std::uint64_t person, std::vector<Report>& into, SampleSummary& summary) {
  constexpr std::uint64_t whole_life = ~std::uint64_t{0};  // what stays the same every day
  constexpr core::Millis zone_ms = 8 * 3'600'000;          // Asia/Shanghai knows no summer time
  Random traits = Random::at(options.seed, whole_life, person);
  const bool owner = traits.percent(kOwnersPercent);
  const std::int64_t acts_per_1000_days = draw(kActivePeople, 1'060, traits);

  Random random = Random::at(options.seed, day, person);
  const int weekday = (options.first_day.count + int(day) + 4) % 7;  // 1970-01-01 was a Thursday; Sunday is 0
  const bool weekend = weekday == 0 || weekday == 6;
  const std::int64_t today = acts_per_1000_days * (weekend ? 880 : 1'048);  // in millionths; a week has its mean
  const std::int64_t count = today / 1'000'000 + (random.below(1'000'000) < today % 1'000'000);
  thread_local std::vector<Act> acts;  // reused: a day is only a few acts
  acts.clear();
  for (std::int64_t i = 0; i < count; ++i) acts.push_back(draw_act(owner, weekend, random));
  put_in_order(acts, random);

  const core::Millis midnight = (std::int64_t{options.first_day.count} + day) * core::kMillisPerDay - zone_ms;
  for (const Act& act : acts) {
    ++summary.acts;
    ++summary.acts_of[act.activity];
    summary.quantity_of[act.activity] += act.quantity;
    add_reports(act, midnight, person, random, into, summary);
  }
}

}  // namespace sample

std::span<const CityFigure, kCityActivities> city_figures() { return sample::kFigures; }

std::string_view name(SampleDefect defect) {
  constexpr std::array<std::string_view, kSampleDefects> names{
      "none", "clock-reset", "missing-person", "bad-number", "end-before-start", "position-jump", "future"};
  return names[std::size_t(defect)];
}

}  // namespace tanhui::activity
