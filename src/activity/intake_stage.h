// activity/intake_stage.h: the first half of a run. Batches of records from a parser are judged for consent and plausibility; what is
// plausible is packed and scattered by person. One packer per thread.
#pragma once
#include <functional>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "activity/key_filter.h"
#include "activity/record.h"
#include "activity/row.h"
#include "activity/rule_book.h"
#include "activity/shuffle.h"
#include "activity/tally.h"
#include "identity/consent.h"
#include "identity/programme.h"

namespace tanhui::activity {

/// What packers share.
struct IntakeShared {
  Shuffle* fresh = nullptr;
  Layout layout;
  KeyFilter* filter = nullptr;
  RuleBook* rules = nullptr;
  const identity::ConsentBook* consents = nullptr;
  core::Millis earliest_ms = 0, latest_ms = 0;  // of a plausible record
  std::function<std::string_view(std::uint16_t region)> region_code;
  bool note_lines = false;
};

/// Whether a record is let in, and by which rule. One per thread.
class Screening {
 public:
  Screening(const IntakeShared& shared, core::Zone zone) : shared_(shared), zone_(std::move(zone)), rules_(*shared.rules) {}
  /// None when it is plausible; then `rule` is set, and so is `day`, as it is whenever there is a rule.
  Reason judge(const RecordBatch& batch, std::size_t i, std::uint16_t& rule, core::Day& day);
  /// The words of a plausible record.
  static void write(const RecordBatch& batch, std::size_t i, std::uint16_t rule, const Layout& layout, std::uint64_t* words);

 private:
  const IntakeShared& shared_;
  core::Zone zone_;
  RuleCache rules_;
};

class Packer {
 public:
  /// More repeated keys than this and every key counts as repeated; bounds the memory for them.
  static constexpr std::size_t kCandidatesMax = std::size_t{2} << 20;

  Packer(const IntakeShared& shared, core::Zone zone, const Tally& empty);
  void take(const RecordBatch& batch);
  void flush() { writer_.flush(); }

  const Tally& tally() const { return tally_; }
  const std::vector<Noted>& noted() const { return noted_; }
  const std::vector<std::uint64_t>& candidates() const { return candidates_; }  // keys that may have come before
  const std::vector<std::uint64_t>& reversals() const { return reversals_; }    // event keys that are taken back
  const std::unordered_set<std::int32_t>& days() const { return days_; }

 private:
  void pack(const RecordBatch& batch, std::size_t i, std::uint16_t rule);
  const IntakeShared& shared_;
  Screening screening_;
  Shuffle::Writer writer_;
  Tally tally_;
  std::vector<Noted> noted_;
  std::vector<std::uint64_t> keys_, candidates_, reversals_;
  std::unordered_set<std::int32_t> days_;
  core::Day last_day_{INT32_MIN};
};

}  // namespace tanhui::activity
