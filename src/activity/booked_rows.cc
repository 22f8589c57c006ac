#include "activity/booked_rows.h"

namespace tanhui::activity {

void pack_booked(const journal::Columns& columns, std::size_t i, RuleBook::BookedRule rule, std::uint64_t* words) {
  const auto reason = Reason(columns.reason[i]);
  const bool has_end = columns.duration_ms[i] != journal::kMissing;
  new (words) Row{.person = columns.person[i],
                  .event = columns.event[i],
                  .when = pack_when(columns.start_ms[i], columns.activity[i], columns.source[i], Evidence(columns.evidence[i])),
                  .duration = pack_duration(has_end ? columns.duration_ms[i] : 0, has_end, reason == Reason::reversal),
                  .quantity = columns.quantity[i] == journal::kMissing ? kQuantityMissing : std::uint32_t(columns.quantity[i]),
                  .line = rule.before,
                  .rule = rule.now,
                  .region = columns.region[i]};
  std::size_t at = sizeof(Row) / 8;
  words[at++] = columns.object.empty() ? 0 : columns.object[i];
  for (const auto& extra : columns.extra) words[at++] = std::uint64_t(extra.empty() ? kMissing : extra[i]);
  new (words + at) Booked{.milligrams = columns.milligrams[i],
                          .points = std::int32_t(columns.points[i]),
                          .revision = columns.revision[i],
                          .outcome = Outcome(columns.outcome[i]),
                          .reason = reason,
                          .winner = columns.winner.empty() ? 0 : columns.winner[i]};
}

void unpack_booked(const RowView& view, const ActRule& rule, journal::Columns& columns) {
  const Row& row = view.row();
  const Booked& booked = view.booked();
  columns.person.push_back(row.person);
  columns.start_ms.push_back(row.start_ms());
  columns.duration_ms.push_back(row.has_end() ? row.duration_ms() : journal::kMissing);
  columns.activity.push_back(row.activity());
  columns.source.push_back(row.source());
  columns.region.push_back(row.region);
  columns.methodology.push_back(rule.methodology);
  columns.event.push_back(row.event);
  columns.object.push_back(view.object());
  columns.evidence.push_back(std::uint8_t(row.evidence()));
  columns.quantity.push_back(view.quantity(0));
  for (std::size_t i = 0; i < kExtraQuantities; ++i) columns.extra[i].push_back(view.extra(i));
  columns.outcome.push_back(std::uint8_t(booked.outcome));
  columns.reason.push_back(std::uint8_t(booked.reason));
  columns.milligrams.push_back(booked.milligrams);
  columns.points.push_back(booked.points);
  columns.winner.push_back(booked.winner);
  columns.revision.push_back(booked.revision);
}

}  // namespace tanhui::activity
