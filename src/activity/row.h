// activity/row.h: a plausible record packed for the way from intake to reconciliation: 48 bytes, plus whole words for what only some
// inputs carry (object, extra quantities, what was booked before). 100 million of them must pass through a small machine.
#pragma once
#include <cstdint>

#include "activity/record.h"
#include "core/hash.h"
#include "core/invariant.h"

namespace tanhui::activity {

constexpr core::Millis kStartLimit = core::Millis{1} << 44;  // the year 2527
constexpr std::size_t kActivitiesMax = 1024, kSourcesMax = 256;
constexpr core::Millis kDurationLimit = core::Millis{1} << 30;  // 12 days; nothing a person does in one go takes longer
constexpr std::int64_t kQuantityLimit = (std::int64_t{1} << 32) - 1;
constexpr std::uint32_t kQuantityMissing = 0xFFFFFFFF;
constexpr std::uint16_t kNoRule = 0xFFFF;

struct Row {
  core::PersonKey person;
  std::uint64_t event;
  std::uint64_t when;      // start:44 activity:10 source:8 evidence:2, so that rows of a person sort by their start
  std::uint32_t duration;  // milliseconds:30 known:1 reversal:1
  std::uint32_t quantity;
  std::uint32_t line;  // of the input; of an earlier run's record the rule it was booked by
  std::uint16_t rule, region;

  core::Millis start_ms() const { return core::Millis(when >> 20); }
  std::uint16_t activity() const { return std::uint16_t(when >> 10 & 0x3FF); }
  std::uint16_t source() const { return std::uint16_t(when >> 2 & 0xFF); }
  Evidence evidence() const { return Evidence(when & 3); }
  core::Millis duration_ms() const { return duration & 0x3FFFFFFF; }
  bool has_end() const { return (duration & 0x40000000) != 0; }
  bool reversal() const { return (duration & 0x80000000) != 0; }
  std::uint16_t booked_rule() const { return std::uint16_t(line); }
  bool corrected() const { return booked_rule() != rule; }  // of an earlier run's record
};
static_assert(sizeof(Row) == 48);

constexpr std::uint64_t pack_when(core::Millis start, std::uint16_t activity, std::uint16_t source, Evidence evidence) {
  return std::uint64_t(start) << 20 | std::uint64_t(activity) << 10 | std::uint64_t(source) << 2 | std::uint64_t(evidence);
}
constexpr std::uint32_t pack_duration(core::Millis duration, bool known, bool reversal) {
  return std::uint32_t(duration) | (known ? 0x40000000U : 0U) | (reversal ? 0x80000000U : 0U);
}

/// Which words follow a Row, in this order.
struct Layout {
  bool object = false;
  std::size_t extras = 0;  // 0 to kExtraQuantities
  bool booked = false;     // Booked, for records of earlier runs
  constexpr std::size_t words() const { return sizeof(Row) / 8 + (object ? 1 : 0) + extras + (booked ? 3 : 0); }
  constexpr std::size_t bytes() const { return 8 * words(); }
};

/// What earlier runs made of a record.
struct Booked {
  std::int64_t milligrams = 0;
  std::int32_t points = 0;
  std::uint16_t revision = 0;
  Outcome outcome = Outcome::accepted;
  Reason reason = Reason::none;
  std::uint64_t winner = 0;
};
static_assert(sizeof(Booked) == 24);

/// Of records that stand in the journal or the open window: everything there may be.
constexpr Layout kBookedLayout{.object = true, .extras = kExtraQuantities, .booked = true};

/// Reads the words behind a row of a known layout.
class RowView {
 public:
  RowView(const std::uint64_t* words, const Layout& layout) : words_(words), layout_(layout) {}
  const Row& row() const { return *reinterpret_cast<const Row*>(words_); }
  std::int64_t quantity(std::size_t index) const {
    if (index > 0) return extra(index - 1);
    return row().quantity == kQuantityMissing ? kMissing : std::int64_t{row().quantity};
  }
  std::uint64_t object() const { return layout_.object ? words_[kRowWords] : 0; }
  std::int64_t extra(std::size_t index) const {
    return index < layout_.extras ? std::int64_t(words_[kRowWords + (layout_.object ? 1 : 0) + index]) : kMissing;
  }
  const Booked& booked() const {
    core::invariant(layout_.booked, "only records of earlier runs carry what was booked");
    return *reinterpret_cast<const Booked*>(words_ + layout_.words() - 3);
  }

 private:
  static constexpr std::size_t kRowWords = sizeof(Row) / 8;
  const std::uint64_t* words_;
  Layout layout_;
};

}  // namespace tanhui::activity
