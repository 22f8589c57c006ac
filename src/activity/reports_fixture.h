// activity/reports_fixture.h: for tests of whole runs: random reports of every kind that rules can tie together across days, people and
// runs.
#pragma once
#include "activity/account_fixture.h"

namespace tanhui::activity::test {

constexpr std::string_view kWideHeader = "event_id,source,person,activity,region,start,end,quantity,evidence,reversal,object,displacement";

/// Wuhan's metro, Shanghai's meters, Beijing's car-free days, and books sold anywhere.
inline const identity::Programme& everything() {
  static const identity::Programme read = *identity::parse_programme(R"(id: everything
name: {en: "Everything", zh: "全部"}
region: "420100"
time_zone: Asia/Shanghai
currency: CNY
methodologies:
  statuses: [official, reported-by-platform, derived]
  illustrative: [cn-110000-lowcarbon-travel-2024, cn-310000-home-electricity-2024]
sources:
  metro-gate: {name: {en: Gate, zh: 闸机}, priority: 10, evidence: metered}
  alipay: {name: {en: Wallet, zh: 钱包}, priority: 40, evidence: metered}
  map-app: {name: {en: Map, zh: 地图}, priority: 60, evidence: inferred}
points: {per_kilogram: 10, daily_cap: 30, expires_after_days: 365}
clock: {earliest_day: 2020-01-01, future_tolerance: 10 min}
consent: {required: false}
)",
                                                                     "everything.yaml");
  return read;
}

struct Wide {
  std::string event, source = "metro-gate", person, activity, region = "420100";
  int start = 0, end = -1;  // minutes of March 2025; -1: no end
  std::int64_t quantity = 1;
  std::string evidence = "metered", reversal = {}, object = {}, displacement = {};
};

inline std::string text(const Wide& row) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}", row.event, row.source, row.person, row.activity, row.region, clock(row.start),
                     row.end < 0 ? "" : clock(row.end), row.quantity, row.evidence, row.reversal, row.object, row.displacement);
}

using Rows = std::vector<std::string>;

class Reports {
 public:
  explicit Reports(std::uint32_t seed) : random_(seed) {}
  int any(int limit) { return int(random_() % std::uint32_t(limit)); }
  std::string person() { return fmt::format("p{}", any(3)); }
  std::string source() { return std::array{"metro-gate", "alipay", "map-app"}[std::size_t(any(3))]; }
  std::string evidence() { return std::array{"metered", "inferred", "declared"}[std::size_t(any(3))]; }
  void add(Wide row, int one_reversal_in = 12) {
    rows.push_back(text(row));
    if (any(8) == 0) rows.push_back(rows.back());  // sent twice
    if (any(one_reversal_in) != 0) return;
    row.reversal = "1";
    row.start = row.start + any(any(2) == 0 ? 4000 : 30 * 1440);  // taken back on the day, or weeks later
    row.end = -1;
    if (any(2) == 0) row.object = "";
    rows.push_back(text(row));
  }
  std::string event(std::string_view kind) { return fmt::format("{}{}", kind, next_++); }

  void rides() {
    for (int i = 0; i < 40; ++i) {
      const int start = any(5 * 1440);
      add({any(6) == 0 ? fmt::format("shared{}", any(5)) : event("ride"), source(), person(), "metro-ride",
           any(3) == 0 ? "110000" : "420100", start, start + 10 + any(60), 4000 + any(9000), evidence()});
    }
  }
  void taps() {
    for (int i = 0; i < 25; ++i) {
      const int start = any(5 * 1440);
      const std::string who = person();
      if (any(6) != 0) add({event("in"), "metro-gate", who, "transit-tap-in", "420100", start, -1, 0});
      if (any(6) != 0) add({event("out"), "metro-gate", who, "transit-tap-out", "420100", start + 12 + any(50), -1, 3000 + any(6000)});
    }
  }
  void readings() {
    for (int who = 0; who < 2; ++who) {
      for (int half = 0; half < 2 * 14; ++half) {
        if (any(60) == 0) continue;
        add({event("meter"), "metro-gate", fmt::format("p{}", who), "meter-reading", "310000", 720 * half, 720 * (half + 1),
             2000 + any(4000), "metered", "", fmt::format("meter{}", who)},
            40);
      }
    }
  }
  // One meter, reported for three people by three partners, with gaps.
  void shared_meters() {
    for (int who = 0; who < 3; ++who) {
      const std::string from = std::array{"metro-gate", "alipay", "map-app"}[std::size_t(who)];
      for (int half = 0; half < 2 * 14; ++half) {
        if (any(60) == 0) continue;
        const std::string grade = any(60) == 0 ? "inferred" : "metered";
        add({event("shared"), from, fmt::format("p{}", who), "meter-reading", "310000", 720 * half, 720 * (half + 1), 2000 + any(4000),
             grade, "", "everybodys"},
            50);
      }
    }
  }
  void books() {  // some sold by two people, some beyond the day's twenty
    for (int i = 0; i < 40; ++i)
      add({event("book"), source(), person(), "secondhand-book", "420100", any(3 * 1440), -1, 1 + any(12), evidence(), "",
           any(3) == 0 ? "" : fmt::format("isbn{}", any(8))});
  }
  void car_free_days() {
    for (int i = 0; i < 6; ++i) {
      const int day = any(5);
      add({event("stop"), source(), person(), "car-stop", "110000", 1440 * day, 1440 * day + 1439, 1, "inferred", "", "", "1500"});
    }
  }
  Rows rows;

 private:
  std::mt19937 random_;
  int next_ = 0;
};

inline std::string difference(const std::map<std::string, std::string>& late, const std::map<std::string, std::string>& whole) {
  std::string lines;
  for (const auto& [key, outcome] : whole) {
    const auto found = late.find(key);
    if (found == late.end() || found->second != outcome)
      lines += fmt::format("\n{}: {}, in one run {}", key, found == late.end() ? "missing" : found->second, outcome);
  }
  for (const auto& [key, outcome] : late) {
    if (!whole.contains(key)) lines += fmt::format("\n{}: {}, in one run missing", key, outcome);
  }
  return lines;
}

}  // namespace tanhui::activity::test
