// activity/contest.h: keys that more than one person claims. Reconciliation works person by person; an event id sent for two people, or one
// item sold by two, is only seen by looking at all of them. Nearly all keys occur once, so only repeated ones are gathered.
#pragma once
#include <algorithm>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "activity/act.h"
#include "activity/shuffle.h"
#include "core/hash.h"
#include "core/time.h"

namespace tanhui::activity {

/// One occurrence of an event or object key, as words of a Shuffle by key.
struct KeyUse {
  std::uint64_t key;
  std::uint64_t person;  // high half of the person key
  std::uint64_t note;    // day + 2^31 in the upper half; bit 0: of an earlier run, bit 1: an object
  static constexpr std::size_t kWords = 3;
  static KeyUse of(std::uint64_t key, const core::PersonKey& person, core::Day day, bool earlier, bool object) {
    const auto shifted = std::uint64_t(std::int64_t{day.count} + (std::int64_t{1} << 31));
    return {key, person.high, shifted << 32 | (object ? 2U : 0U) | (earlier ? 1U : 0U)};
  }
  bool earlier() const { return (note & 1) != 0; }
  bool object() const { return (note & 2) != 0; }
  core::Day day() const { return {std::int32_t(std::int64_t(note >> 32) - (std::int64_t{1} << 31))}; }
};
static_assert(sizeof(KeyUse) == 8 * KeyUse::kWords);

struct Contested {
  std::vector<std::uint64_t> events, objects;  // keys claimed by more than one person
  std::vector<core::Day> earlier_days;         // days of earlier records that share a key with a new one; sorted
};
/// Reads all uses and says which keys are contested; `uses` is emptied on the way.
Contested find_contested(Shuffle& uses);

/// Who keeps a contested key, and which acts lose their object to somebody else's.
struct Verdicts {
  std::unordered_map<std::uint64_t, core::PersonKey> event_owner;
  std::unordered_map<std::uint64_t, core::PersonKey> meter_owner;  // of objects whose readings are savings
  std::unordered_map<std::uint64_t, std::uint64_t> lost_object;    // event key of the loser -> event key that was kept
  std::unordered_set<std::uint64_t> judged_objects;                // objects that were contested, won or lost
  std::vector<core::PersonKey> people;                             // everybody concerned, sorted: settled even without a new record
  bool empty() const { return people.empty(); }
  bool concerns(const core::PersonKey& person) const { return std::binary_search(people.begin(), people.end(), person); }
};

struct Claim {
  core::PersonKey person;
  Act act;
};
/// `claims` are all records, new and earlier, with a contested event or object key. An event id belongs to the record that starts first,
/// then ends first, then has the least quantity; an object to the preferred report (docs/reconciliation.md).
Verdicts judge(std::vector<Claim> claims, const Contested& contested, std::span<const ActRule> rules);

}  // namespace tanhui::activity
