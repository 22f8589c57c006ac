// activity/look_back.h: what a run must know of what came before it: earlier records of the days it touches, and every earlier record
// that shares an event id or object with a new one.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "activity/contest.h"
#include "activity/key_filter.h"
#include "activity/row.h"
#include "activity/rule_book.h"
#include "activity/shuffle.h"
#include "activity/window.h"
#include "core/result.h"
#include "db/db.h"
#include "journal/catalogue.h"
#include "journal/columns.h"

namespace tanhui::activity {

struct LookBackInput {
  std::filesystem::path journal, spill_folder;
  std::vector<journal::CataloguedSegment> segments;  // all of the programme
  const Shuffle* fresh = nullptr;
  Layout fresh_layout;
  const KeyFilter* filter = nullptr;      // of the new records; null when there are none
  std::vector<std::uint64_t> candidates;  // keys that may repeat; beyond Packer::kCandidatesMax: all may
  std::vector<std::uint64_t> reversals;   // event keys that new records take back
  std::vector<core::Day> touched;         // days of new records, sorted
  std::optional<Days> corrects;           // the rule book's new corrections apply to records of these days
  int margin_days = 0;                    // 0: as many as the rules need
  RuleBook* rules = nullptr;
  journal::Names* names = nullptr;  // grows by words only the journal knows
  std::function<std::uint8_t(std::uint16_t source)> priority;
  std::size_t memory_bytes = 0;
  core::Zone zone;
};

struct LookBack {
  std::unique_ptr<KeySet> repeated;  // null: every key may repeat
  std::unique_ptr<Shuffle> earlier;  // null: nothing of these days
  Window window;
  int margin_days = 0;
  Verdicts verdicts;
  std::uint64_t corrected = 0;          // records that are decided by another version than before
  std::vector<core::Day> corrected_on;  // their days
};

/// Days on both sides that decisions of a day can depend on.
int margin_of(std::span<const ActRule> rules);

/// Errors: a segment that cannot be read; account.segment-damaged (a row that no run writes), account.newer-journal; those of
/// RuleBook::find_booked.
core::Result<LookBack> look_back(LookBackInput input);

}  // namespace tanhui::activity
