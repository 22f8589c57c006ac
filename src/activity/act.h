// activity/act.h: what reconciliation and crediting look at: a rule (a methodology as it stands for one activity, region and year)
// and the acts of one person. Plain numbers only; what they mean stands in docs/reconciliation.md.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "activity/record.h"
#include "core/time.h"

namespace tanhui::activity {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

/// How acts collide (docs/reconciliation.md).
struct Collision {
  static constexpr std::size_t kGroupsMax = 64;
  enum class Scope : std::uint8_t { person, object };
  enum class When : std::uint8_t { overlap, same_day, always };
  static constexpr std::uint8_t kNoGroup = 0xFF;

  std::uint8_t group = kNoGroup;
  Scope scope = Scope::person;
  When when = When::overlap;
  std::uint8_t rank = 1;       // 0 goes first
  std::uint64_t excludes = 0;  // groups (one bit each) whose private-car acts of the day are excluded
  bool car_baseline = false;   // measured against a private car: a car-free day excludes it
  core::Millis window_ms = 1;  // how long an act without an end occupies: its method's shortest duration; 0: it has no interval
};

/// Per person, activity and local day.
struct Cap {
  std::int64_t acts = kNoLimit, quantity = kNoLimit, milligrams = kNoLimit;
  bool none() const { return acts == kNoLimit && quantity == kNoLimit && milligrams == kNoLimit; }
};

constexpr std::size_t kQuantities = 1 + kExtraQuantities;

/// Inclusive bounds in base units. A quantity the method does not take is bounded by the whole range.
struct Limits {
  std::array<std::int64_t, kQuantities> quantity_min{}, quantity_max{};
  core::Millis duration_min_ms = 0, duration_max_ms = kNoLimit;
  std::int64_t speed_min_mph = 0, speed_max_mph = kNoLimit;  // metres per hour
};

/// Two half-records or many readings make one act.
enum class Part : std::uint8_t { whole, entry, exit, reading };

struct ActRule {
  std::uint16_t activity = 0;     // caps are counted by it
  std::uint16_t category = 0;     // of the reduction asset
  std::uint16_t methodology = 0;  // index among the run's methodologies
  std::uint8_t main = 0;          // which quantity Act::quantity is: what the method measures first
  std::uint8_t distance = 0xFF;   // which quantity is a distance, for the speed; 0xFF none
  Part part = Part::whole;
  Collision collision;
  Cap cap;
  Limits limits;
};

struct Act {
  core::Millis start_ms = 0, end_ms = 0;  // equal when the source tells no end
  std::uint64_t event = 0, object = 0;
  std::int64_t quantity = 0;    // the rule's main one; that of the act a tap or reading completes
  std::int64_t milligrams = 0;  // quantified, then what is left of it
  std::int64_t points = 0;
  std::uint64_t winner = 0;   // event key of the record that was kept instead
  core::Day day;              // local day of the start
  std::uint32_t index = 0;    // where its row stands
  std::uint32_t booking = 0;  // where what earlier runs booked for it stands
  std::uint32_t line = 0;
  std::uint16_t rule = 0, source = 0;
  std::uint8_t priority = 0;  // of the source; lower wins
  Evidence evidence = Evidence::metered;
  bool earlier = false;  // stands in the journal already
  bool reversal = false;
  bool repeated = false;  // its event key occurs more than once
  Outcome outcome = Outcome::accepted;
  Reason reason = Reason::none;

  bool open() const { return outcome == Outcome::accepted && reason == Reason::none; }  // nothing decided yet: it counts
  void decide(Outcome what, Reason why, std::uint64_t kept = 0) {
    outcome = what;
    reason = why;
    winner = kept;
    milligrams = 0;
  }
};

/// The order in which acts of one person are looked at. It says nothing about which one is kept.
bool in_order(const Act& a, const Act& b);

/// Total order of preference between colliding acts: rank, evidence, source priority, earlier start, event key, then content.
bool preferred(const Act& a, const Act& b, std::span<const ActRule> rules);

/// Milligrams of an act if its first quantity were `quantity`; exact, rounded down.
using Quantify = std::function<std::int64_t(const Act& act, std::int64_t quantity)>;

}  // namespace tanhui::activity
