#include "activity/intake_stage.h"

#include "activity/derive.h"

namespace tanhui::activity {

Packer::Packer(const IntakeShared& shared, core::Zone zone, const Tally& empty)
    : shared_(shared), screening_(shared, std::move(zone)), writer_(*shared.fresh), tally_(empty) {}

void Packer::take(const RecordBatch& batch) {
  keys_.clear();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    std::uint16_t rule = kNoRule;
    Reason reason = batch.reason[i];
    if (reason == Reason::none) {
      core::Day day;
      reason = screening_.judge(batch, i, rule, day);
      if (rule != kNoRule && day != last_day_) {
        days_.insert(day.count);
        last_day_ = day;
      }
      if (reason == Reason::none) {
        pack(batch, i, rule);
        continue;
      }
      ++tally_.cell(batch.activity[i], batch.source[i]).records;
    }
    tally_.count(refusal_outcome(reason), reason);
    if (shared_.note_lines) noted_.push_back({batch.line[i], 0, 0, refusal_outcome(reason), reason});
  }
  if (candidates_.size() <= kCandidatesMax) shared_.filter->note(keys_, candidates_);
}

Reason Screening::judge(const RecordBatch& batch, std::size_t i, std::uint16_t& rule, core::Day& day) {
  if (!shared_.consents->always() && !shared_.consents->allows(batch.person[i], batch.source[i])) return Reason::no_consent;
  const core::Millis start = batch.start_ms[i], end = batch.end_ms[i];
  const bool has_end = end != kMissing;
  if (start < shared_.earliest_ms) return Reason::clock_out_of_range;
  if (start > shared_.latest_ms || (has_end && end > shared_.latest_ms)) return Reason::in_the_future;
  if (has_end && end < start) return Reason::time_order;
  if (has_end && end - start >= kDurationLimit) return Reason::too_long;

  day = zone_.local_day(start);
  rule = rules_.find(batch.activity[i], batch.region[i], shared_.region_code, day);
  if (rule == kNoRule) return Reason::no_methodology;
  const std::int64_t main = batch.quantity[i];
  if (main != kMissing && main < 0) return Reason::quantity_too_small;
  if (main != kMissing && main >= kQuantityLimit) return Reason::quantity_too_large;
  const bool reversal = !batch.reversal.empty() && batch.reversal[i] != 0;
  const ActRule& act = shared_.rules->rule(rule);
  if (reversal || act.part == Part::entry || act.part == Part::exit) return Reason::none;  // judged as part of what they complete
  if (act.part == Part::reading) return main == kMissing ? Reason::missing_quantity : has_end ? Reason::none : Reason::bad_time;
  Quantities quantities;
  quantities[0] = main;
  for (std::size_t extra = 0; extra < kExtraQuantities; ++extra) {
    quantities[extra + 1] = batch.extra[extra].empty() ? kMissing : batch.extra[extra][i];
  }
  return implausible(quantities, has_end ? end - start : kMissing, act);
}

void Screening::write(const RecordBatch& batch, std::size_t i, std::uint16_t rule, const Layout& layout, std::uint64_t* words) {
  const bool has_end = batch.end_ms[i] != kMissing;
  const std::int64_t main = batch.quantity[i];
  new (words) Row{.person = batch.person[i],
                  .event = batch.event[i],
                  .when = pack_when(batch.start_ms[i], batch.activity[i], batch.source[i], batch.evidence[i]),
                  .duration = pack_duration(has_end ? batch.end_ms[i] - batch.start_ms[i] : 0, has_end,
                                            !batch.reversal.empty() && batch.reversal[i] != 0),
                  .quantity = main == kMissing ? kQuantityMissing : std::uint32_t(main),
                  .line = batch.line[i],
                  .rule = rule,
                  .region = batch.region[i]};
  std::size_t at = sizeof(Row) / 8;
  if (layout.object) words[at++] = batch.object.empty() ? 0 : batch.object[i];
  for (std::size_t extra = 0; extra < layout.extras; ++extra)
    words[at++] = std::uint64_t(batch.extra[extra].empty() ? kMissing : batch.extra[extra][i]);
}

void Packer::pack(const RecordBatch& batch, std::size_t i, std::uint16_t rule) {
  std::uint64_t* words = writer_.add(batch.person[i].high);
  Screening::write(batch, i, rule, shared_.layout, words);
  keys_.push_back(batch.event[i]);
  if (!batch.reversal.empty() && batch.reversal[i] != 0) reversals_.push_back(batch.event[i]);
  const std::uint64_t object = RowView(words, shared_.layout).object();
  // A meter comes with each of its readings: look_back() gathers those by the day.
  if (object != 0 && shared_.rules->rule(rule).part != Part::reading) keys_.push_back(object);
}

}  // namespace tanhui::activity
