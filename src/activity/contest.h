// activity/contest.h: keys that more than one person claims. Reconciliation works person by person; an event id sent for two people, one
// item sold by two, or one meter read for two is only seen by looking at all of them. Nearly all events and items occur once, so only
// repeated ones are gathered. Meters are the opposite: every reading repeats its meter. They are claimed by the day, and who claims which
// meter's day is gathered once for all its readings (decision 0012).
#pragma once
#include <algorithm>
#include <map>
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
  friend auto operator<=>(const KeyUse&, const KeyUse&) = default;
};
static_assert(sizeof(KeyUse) == 8 * KeyUse::kWords);

/// The key of a meter's local day; never 0.
std::uint64_t meter_day_key(std::uint64_t meter, core::Day day);
/// What a report of an object competes for: the object, which counts once; of a meter, whose readings count by the day, its day. 0:
/// nothing.
std::uint64_t claim_key(std::uint64_t object, const ActRule& rule, core::Day day);

/// Uses of meters' days, each written once however many readings there are. Holds 24 MB at most; what does not fit is written more often.
class DistinctUses {
 public:
  static constexpr std::size_t kHeldMax = std::size_t{1} << 20;
  explicit DistinctUses(Shuffle& uses) : writer_(uses) {}
  void add(const KeyUse& use) {
    if (!held_.empty() && held_.back() == use) return;
    held_.push_back(use);
    if (held_.size() == kHeldMax) thin_out();
  }
  void flush();

 private:
  void thin_out();
  Shuffle::Writer writer_;
  std::vector<KeyUse> held_;
};

struct Contested {
  std::vector<std::uint64_t> events, objects;  // keys claimed by more than one person; objects by claim_key
  std::vector<core::Day> earlier_days;         // days of earlier records that share a key with a new one; sorted
};
/// Reads all uses and says which keys are contested; `uses` is emptied on the way.
Contested find_contested(Shuffle& uses);

/// Who keeps a contested key, and which acts lose their object to somebody else's.
struct Verdicts {
  std::unordered_map<std::uint64_t, core::PersonKey> event_owner;
  struct MeterDay {
    core::PersonKey owner;
    std::uint64_t event = 0;  // of the owner's first reading
  };
  std::map<std::pair<std::uint64_t, std::uint8_t>, MeterDay> meter_days;  // by claim_key and group
  std::unordered_map<std::uint64_t, std::uint64_t> lost_object;           // event key of the loser -> event key that was kept
  std::unordered_set<std::uint64_t> judged_objects;                       // claim keys that were contested, won or lost
  std::vector<core::PersonKey> people;                                    // everybody concerned, sorted: settled even without a new record
  bool empty() const { return people.empty(); }
  bool concerns(const core::PersonKey& person) const { return std::binary_search(people.begin(), people.end(), person); }
};

struct Claim {
  core::PersonKey person;
  Act act;
};
/// `claims` are all records, new and earlier, with a contested event or object key. An event id belongs to the record that starts first,
/// then ends first, then has the least quantity; an object to the preferred report; a meter's day to one person: who has the better
/// evidence, then the preferred source, then a complete day, then the smaller key, which is no merit but the same every day
/// (docs/reconciliation.md).
Verdicts judge(std::vector<Claim> claims, const Contested& contested, std::span<const ActRule> rules);

}  // namespace tanhui::activity
