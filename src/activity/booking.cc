#include "activity/booking.h"

#include <algorithm>
#include <tuple>

#include "activity/posting_audit.h"
#include "core/invariant.h"

namespace tanhui::activity {

void record_run(db::Transaction& tx, const journal::Log& log, const methodology::Library& library, RunRecord record) {
  const journal::Run& run = record.run;
  journal::insert_run(tx, run);
  std::sort(record.corrections.begin(), record.corrections.end(),
            [](const auto& a, const auto& b) { return std::tie(a.methodology, a.version) < std::tie(b.methodology, b.version); });
  for (const journal::Correction& correction : record.corrections) journal::insert_correction(tx, run.programme, run.id, correction);
  journal::RunEntry entry{run, std::int64_t(record.segments->size()), record.points_expire_days, {}, std::move(record.corrections)};
  for (const std::string& used : record.methodologies) {
    const methodology::Methodology* method = find_version(library, used);
    core::invariant(method != nullptr, "what a run quantified by is in the library");
    entry.methodologies.push_back({used, method->digest});
  }
  std::vector<journal::Entry> entries;
  entries.emplace_back(std::in_place_type<journal::RunEntry>, std::move(entry));
  for (const auto& [day, info] : *record.segments) {
    entries.push_back(journal::SegmentEntry{run.programme, day, run.id, std::int64_t(info.rows), info.milligrams, info.points,
                                            std::int64_t(info.bytes), info.sha256, info.root});
  }
  std::uint64_t position = log.append(tx, entries, run.finished_ms).first;
  for (const auto& [day, info] : *record.segments) journal::insert_segment(tx, run.programme, day, run.id, ++position, info);
}

}  // namespace tanhui::activity
