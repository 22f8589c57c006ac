#include "journal/catalogue.h"

#include "core/invariant.h"
#include "core/quantity.h"

namespace tanhui::journal {
namespace {

#define TANHUI_RUN_COLUMNS                                                                                                               \
  "id, key, programme, started_ms, finished_ms, inputs_digest, settings_digest, postings_digest, records, accepted, duplicate, capped, " \
  "rejected, held, no_consent, adjusted, people, milligrams, points, report"
#define TANHUI_SEGMENT_COLUMNS                                                                                                        \
  "programme, day, run, path, records, milligrams, points, bytes, sha256, person_min, person_max, start_min_ms, start_max_ms, root, " \
  "position"

Run run_of(const db::Row& row) {
  Run run;
  run.id = RunId(row.integer(0));
  run.key = row.get<std::string>(1);
  run.programme = row.get<std::string>(2);
  run.started_ms = row.integer(3);
  run.finished_ms = row.integer(4);
  run.inputs_digest = row.get<core::Digest>(5);
  run.settings_digest = row.get<core::Digest>(6);
  run.postings_digest = row.get<core::Digest>(7);
  std::int64_t* const counts[] = {&run.records,    &run.accepted, &run.duplicate, &run.capped,     &run.rejected, &run.held,
                                  &run.no_consent, &run.adjusted, &run.people,    &run.milligrams, &run.points};
  int column = 8;
  for (std::int64_t* count : counts) *count = row.integer(column++);
  run.report = row.get<std::string>(column);
  return run;
}

CataloguedSegment segment_of(const db::Row& row) {
  CataloguedSegment segment;
  segment.programme = row.get<std::string>(0);
  const auto day = core::parse_day(row.text(1));
  core::invariant(day.has_value(), "a segment's day is a day");
  segment.day = *day;
  segment.run = RunId(row.integer(2));
  segment.info.path = row.get<std::string>(3);
  segment.info.rows = std::uint64_t(row.integer(4));
  segment.info.milligrams = row.integer(5);
  segment.info.points = row.integer(6);
  segment.info.bytes = std::uint64_t(row.integer(7));
  segment.info.sha256 = row.get<core::Digest>(8);
  segment.info.person_min = row.get<core::PersonKey>(9);
  segment.info.person_max = row.get<core::PersonKey>(10);
  segment.info.start_min = row.integer(11);
  segment.info.start_max = row.integer(12);
  if (!row.is_null(13)) segment.info.root = row.get<core::Digest>(13);
  if (!row.is_null(14)) segment.position = std::uint64_t(row.integer(14));
  return segment;
}

template <class... Args>
std::vector<Run> runs(db::Reader& reader, std::string_view sql, const Args&... args) {
  std::vector<Run> found;
  reader.each(
      sql, [&](const db::Row& row) { found.push_back(run_of(row)); }, args...);
  return found;
}

std::optional<Run> only(std::vector<Run> found) { return found.empty() ? std::nullopt : std::optional(std::move(found.front())); }

}  // namespace

RunId next_run_id(db::Reader& reader) {
  const auto last = reader.find<std::int64_t>("SELECT coalesce(max(id), 0) FROM run");
  return RunId(last.value_or(0)) + 1;
}

void insert_run(db::Transaction& tx, const Run& run) {
  tx.exec("INSERT INTO run (" TANHUI_RUN_COLUMNS
          ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
          std::int64_t(run.id), run.key, run.programme, run.started_ms, run.finished_ms, run.inputs_digest, run.settings_digest,
          run.postings_digest, run.records, run.accepted, run.duplicate, run.capped, run.rejected, run.held, run.no_consent, run.adjusted,
          run.people, run.milligrams, run.points, run.report);
}

void insert_segment(db::Transaction& tx, std::string_view programme, core::Day day, RunId run, std::uint64_t position,
                    const SegmentInfo& info) {
  tx.exec("INSERT INTO segment (" TANHUI_SEGMENT_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
          programme, core::to_text(day), std::int64_t(run), segment_path(programme, day, run).string(), std::int64_t(info.rows),
          info.milligrams, info.points, std::int64_t(info.bytes), info.sha256, info.person_min, info.person_max, info.start_min,
          info.start_max, info.root, std::int64_t(position));
}

std::optional<Run> find_run(db::Reader& reader, RunId id) {
  return only(runs(reader, "SELECT " TANHUI_RUN_COLUMNS " FROM run WHERE id = $1", std::int64_t(id)));
}

std::optional<Run> find_run_by_key(db::Reader& reader, std::string_view key) {
  return only(runs(reader, "SELECT " TANHUI_RUN_COLUMNS " FROM run WHERE key = $1", key));
}

std::optional<Run> newest_run_of(db::Reader& reader, std::string_view programme) {
  return only(runs(reader, "SELECT " TANHUI_RUN_COLUMNS " FROM run WHERE programme = $1 ORDER BY id DESC LIMIT 1", programme));
}

std::vector<Run> latest_runs(db::Reader& reader, std::int64_t limit) {
  return runs(reader, "SELECT " TANHUI_RUN_COLUMNS " FROM run ORDER BY id DESC LIMIT $1", limit);
}

std::vector<CataloguedSegment> segments_between(db::Reader& reader, std::string_view programme, core::Day first, core::Day last) {
  std::vector<CataloguedSegment> found;
  reader.each(
      "SELECT " TANHUI_SEGMENT_COLUMNS " FROM segment WHERE programme = $1 AND day BETWEEN $2 AND $3 ORDER BY day, run",
      [&](const db::Row& row) { found.push_back(segment_of(row)); }, programme, core::to_text(first), core::to_text(last));
  return found;
}

std::vector<CataloguedSegment> files_between(db::Reader& reader, std::string_view programme, core::Day first, core::Day last) {
  std::vector<CataloguedSegment> files;
  std::map<std::string, std::size_t> known;
  for (CataloguedSegment& segment : segments_between(reader, programme, first, last)) {
    const auto [at, fresh] = known.emplace(segment.info.path.string(), files.size());
    if (fresh) {
      files.push_back(std::move(segment));
      continue;
    }
    CataloguedSegment& file = files[at->second];
    file.run = segment.run;
    file.position = segment.position;
    file.info.rows += segment.info.rows;
    file.info.milligrams = core::add_or_throw(file.info.milligrams, segment.info.milligrams);
    file.info.points = core::add_or_throw(file.info.points, segment.info.points);
    file.info.person_min = std::min(file.info.person_min, segment.info.person_min);
    file.info.person_max = std::max(file.info.person_max, segment.info.person_max);
    file.info.start_min = std::min(file.info.start_min, segment.info.start_min);
    file.info.start_max = std::max(file.info.start_max, segment.info.start_max);
  }
  return files;
}

std::vector<CataloguedSegment> segments_of(db::Reader& reader, RunId run) {
  std::vector<CataloguedSegment> found;
  reader.each(
      "SELECT " TANHUI_SEGMENT_COLUMNS " FROM segment WHERE run = $1 ORDER BY programme, day",
      [&](const db::Row& row) { found.push_back(segment_of(row)); }, std::int64_t(run));
  return found;
}

std::vector<std::string> programmes_with_segments(db::Reader& reader) {
  std::vector<std::string> ids;
  reader.each("SELECT DISTINCT programme FROM segment ORDER BY programme",
              [&](const db::Row& row) { ids.push_back(row.get<std::string>(0)); });
  return ids;
}

}  // namespace tanhui::journal
