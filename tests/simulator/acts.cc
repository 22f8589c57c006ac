#include "acts.h"

#include <fmt/format.h>

#include <algorithm>

namespace tanhui::sim {
namespace {

constexpr int kDays = 40;         // from 2025-03-01, so that points end in two months
constexpr int kSlotsOfADay = 11;  // of two hours; the day's last two hours stay free, a report may begin some minutes late
constexpr std::int64_t kDailyPoints = 500;

struct Source {
  const char* id;
  const char* evidence;
};
// The best first: evidence, then the programme's priority.
const std::vector<Source> kGates{{"metro-gate", "metered"}, {"alipay", "metered"}, {"bank-ride", "metered"}, {"map-app", "inferred"}};
const std::vector<Source> kChargers{{"charger", "metered"}, {"car-maker", "metered"}};

std::string clock(int day, int minute) {
  const int month = day < 31 ? 3 : 4, of_month = 1 + day % 31;
  return fmt::format("2025-{:02}-{:02}T{:02}:{:02}:00+08:00", month, of_month, minute / 60, minute % 60);
}

// 78.4 mg a metre of metro, 409.4 mg a watt hour charged; quantities are whole tens.
std::int64_t milligrams_of(bool ride, std::int64_t quantity) { return quantity / 10 * (ride ? 784 : 4094); }

std::string nonsense(Random& random, int number) {
  const std::vector<std::string> rows{"x{},metro-gate,p0,teleport,420100,2025-03-01T08:00:00Z,2025-03-01T08:30:00Z,13000,metered,",
                                      "x{},nobody,p0,metro-ride,420100,2025-03-01T08:00:00Z,2025-03-01T08:30:00Z,13000,metered,",
                                      "x{},metro-gate,p1,metro-ride,420100,2025-03-01T08:00:00Z,2025-03-01T08:30:00Z,thirteen,metered,",
                                      "x{},metro-gate,,metro-ride,420100,2025-03-01T08:00:00Z,2025-03-01T08:30:00Z,13000,metered,",
                                      "x{},metro-gate,p1,metro-ride,420100,1980-01-06T08:00:00Z,1980-01-06T08:30:00Z,13000,metered,",
                                      "x{},metro-gate,p1,metro-ride"};
  return fmt::format(fmt::runtime(random.any(rows)), number);
}

}  // namespace

std::string person_id(int person) { return fmt::format("p{}", person); }

Acts::Acts(Random& random) : people_(int(random.between(2, 5))) {
  const int acts = int(random.between(6, 30));
  for (int act = 0; act < acts; ++act) add_act(random, act);
  for (int i = 0; i < 4; ++i) reports_.push_back({.row = nonsense(random, i)});
}

void Acts::add_act(Random& random, int act) {
  const int person = int(random.below(std::uint64_t(people_)));
  const int day = int(random.percent(60) ? random.below(3) : random.below(kDays));  // some days are crowded: the cap of points
  int slot = 0;
  while (slot < kSlotsOfADay && taken_[person].contains(day * kSlotsOfADay + slot)) ++slot;
  if (slot == kSlotsOfADay) return;
  taken_[person].insert(day * kSlotsOfADay + slot);
  const int today = slot;
  const bool ride = today >= 4 || random.percent(60);  // more than four charges a day would meet the method's own cap
  const std::vector<Source>& sources = ride ? kGates : kChargers;
  for (std::size_t rank = 0; rank < sources.size(); ++rank) {
    if (rank > 0 ? random.percent(55) : random.percent(20)) continue;
    const int start = slot * 120 + int(random.below(5)), end = start + 30 + int(random.below(10));
    const std::int64_t quantity = 10 * (ride ? random.between(300, 1800) : random.between(500, 5000));
    const auto row = [&](int begin, int finish, const char* reversal) {
      return fmt::format("a{}-{},{},{},{},420100,{},{},{},{},{}", act, rank, sources[rank].id, person_id(person),
                         ride ? "metro-ride" : "ev-charge", clock(day, begin), clock(day, finish), quantity, sources[rank].evidence,
                         reversal);
    };
    Report report{row(start, end, ""), person, act, int(rank), day, ride, milligrams_of(ride, quantity), false};
    reports_.push_back(report);
    if (random.percent(12)) {
      report.row = row(end, end, "yes");
      report.takes_back = true;
      reports_.push_back(report);
    }
  }
}

std::vector<Worth> Acts::worth(const std::set<std::size_t>& arrived, bool corrected) const {
  std::set<std::pair<int, int>> taken_back;  // act and rank
  for (const std::size_t i : arrived)
    if (reports_[i].takes_back) taken_back.emplace(reports_[i].act, reports_[i].rank);
  std::map<int, const Report*> best;
  for (const std::size_t i : arrived) {
    const Report& report = reports_[i];
    if (report.act < 0 || report.takes_back || taken_back.contains({report.act, report.rank})) continue;
    const Report*& stands = best[report.act];
    if (stands == nullptr || report.rank < stands->rank) stands = &report;
  }
  std::vector<Worth> worth(std::size_t(people_), Worth{});
  std::map<std::pair<int, int>, std::int64_t> of_day;  // person and day
  for (const auto& [act, report] : best) {
    const std::int64_t milligrams = corrected && report->ride ? report->milligrams / 2 : report->milligrams;  // 784 times a whole number
    worth[std::size_t(report->person)].milligrams += milligrams;
    of_day[{report->person, report->day}] += milligrams;
  }
  for (const auto& [key, milligrams] : of_day) worth[std::size_t(key.first)].points += std::min(milligrams / 100'000, kDailyPoints);
  return worth;
}

}  // namespace tanhui::sim
