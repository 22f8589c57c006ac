// simulator/acts.h: what people of a small city did, who reported it, and what that is worth: worked out here from the published factors
// and the rules of docs/reconciliation.md, without a line of the program that is tested.
//
// Acts of one person never overlap, so of the reports of an act the best stands that has arrived and was not taken back. That is the
// whole oracle: whatever order, splits, repetitions and crashes there were.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "random.h"

namespace tanhui::sim {

struct Report {
  std::string row;  // of the file that brings it
  int person = 0;
  int act = -1;  // -1: nonsense that must be refused
  int rank = 0;  // lower is better
  int day = 0;   // local days from 2025-03-01
  bool ride = false;
  std::int64_t milligrams = 0;
  bool takes_back = false;  // the report of the same act and rank
};

/// A person's credits, were nobody to spend: milligrams, and points.
struct Worth {
  std::int64_t milligrams = 0, points = 0;
  friend bool operator==(const Worth&, const Worth&) = default;
};

class Acts {
 public:
  explicit Acts(Random& random);
  static constexpr const char* kHeader = "event_id,source,person,activity,region,start,end,quantity,evidence,reversal\n";
  int people() const { return people_; }
  const std::vector<Report>& reports() const { return reports_; }
  /// What the reports that arrived are worth together; `corrected`: by half the factor of the metro.
  std::vector<Worth> worth(const std::set<std::size_t>& arrived, bool corrected) const;

 private:
  void add_act(Random& random, int act);
  int people_;
  std::map<int, std::set<int>> taken_;  // slots of two hours, by person
  std::vector<Report> reports_;
};

std::string person_id(int person);

}  // namespace tanhui::sim
