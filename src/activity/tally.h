// activity/tally.h: counts of a run. Counts in equal counts out: every record is counted under exactly one outcome and reason.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <vector>

#include "activity/record.h"
#include "core/quantity.h"

namespace tanhui::activity {

struct Tally {
  struct Cell {  // of one activity and source
    std::uint64_t records = 0, credited = 0;
    std::int64_t quantity = 0, milligrams = 0, points = 0;
  };
  struct ChangeKey {  // methodologies by ActRule::methodology; they differ when a version was corrected
    std::uint16_t activity = 0, methodology_before = 0, methodology_after = 0;
    friend auto operator<=>(const ChangeKey&, const ChangeKey&) = default;
  };
  struct Change {  // of earlier records that were adjusted, or decided by another version with the same result
    std::uint64_t records = 0, adjusted = 0;
    std::int64_t milligrams_before = 0, milligrams_after = 0, points_before = 0, points_after = 0;
    void add(const Change& other) {
      records += other.records;
      adjusted += other.adjusted;
      milligrams_before = core::add_or_throw(milligrams_before, other.milligrams_before);
      milligrams_after = core::add_or_throw(milligrams_after, other.milligrams_after);
      points_before = core::add_or_throw(points_before, other.points_before);
      points_after = core::add_or_throw(points_after, other.points_after);
    }
  };
  std::array<std::array<std::uint64_t, kReasons>, kOutcomes> records{};
  std::vector<Cell> cells;  // activity * sources + source
  std::uint64_t people_credited = 0;
  std::int64_t milligrams = 0, points = 0;  // of new records
  std::uint64_t adjusted = 0;               // earlier records whose outcome or amount changed
  std::int64_t adjusted_milligrams = 0, adjusted_points = 0;
  std::uint64_t people_adjusted = 0;
  std::map<ChangeKey, Change> changes;                                   // what the adjustments add up from
  std::array<std::array<std::uint64_t, kOutcomes>, kOutcomes> turned{};  // adjusted records by outcome before and after

  Tally() = default;
  Tally(std::size_t activities, std::size_t sources) : cells(activities * sources), sources_(sources) {}
  Cell& cell(std::uint16_t activity, std::uint16_t source) { return cells[activity * sources_ + source]; }
  void count(Outcome outcome, Reason reason) { ++records[std::size_t(outcome)][std::size_t(reason)]; }
  std::uint64_t of(Outcome outcome) const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : records[std::size_t(outcome)]) sum += count;
    return sum;
  }
  std::uint64_t all() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kOutcomes; ++i) sum += of(Outcome(i));
    return sum;
  }
  void add(const Tally& other) {
    for (std::size_t i = 0; i < kOutcomes; ++i) {
      for (std::size_t j = 0; j < kReasons; ++j) records[i][j] += other.records[i][j];
    }
    for (std::size_t i = 0; i < cells.size(); ++i) {
      cells[i].records += other.cells[i].records;
      cells[i].credited += other.cells[i].credited;
      cells[i].quantity = core::add_or_throw(cells[i].quantity, other.cells[i].quantity);
      cells[i].milligrams = core::add_or_throw(cells[i].milligrams, other.cells[i].milligrams);
      cells[i].points = core::add_or_throw(cells[i].points, other.cells[i].points);
    }
    people_credited += other.people_credited;
    milligrams = core::add_or_throw(milligrams, other.milligrams);
    points = core::add_or_throw(points, other.points);
    adjusted += other.adjusted;
    adjusted_milligrams = core::add_or_throw(adjusted_milligrams, other.adjusted_milligrams);
    adjusted_points = core::add_or_throw(adjusted_points, other.adjusted_points);
    people_adjusted += other.people_adjusted;
    for (const auto& [key, change] : other.changes) changes[key].add(change);
    for (std::size_t i = 0; i < kOutcomes; ++i) {
      for (std::size_t j = 0; j < kOutcomes; ++j) turned[i][j] += other.turned[i][j];
    }
  }

 private:
  std::size_t sources_ = 1;
};

/// A record that did not simply count, for the rejects file.
struct Noted {
  std::uint32_t line = 0;
  std::uint32_t winner_line = 0;  // 0: not in this run's inputs
  std::uint64_t winner = 0;       // event key of the kept record
  Outcome outcome = Outcome::rejected;
  Reason reason = Reason::none;
};

}  // namespace tanhui::activity
