// journal/catalogue.h: which runs happened and where their sealed segments are. Rows of the instance's database; the files themselves
// are journal/segment.h's. A run that is not here did not happen.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/time.h"
#include "db/db.h"
#include "journal/publication.h"
#include "journal/segment.h"

namespace tanhui::journal {

/// One accounting run. Counts in equal counts out: `records` is the sum of the six outcomes, and the database refuses anything else.
struct Run {
  RunId id = 0;
  std::string key;  // digest of programme, settings and inputs: the same work is the same run
  std::string programme;
  core::Millis started_ms = 0, finished_ms = 0;
  core::Digest inputs_digest{}, settings_digest{}, postings_digest{};
  std::int64_t records = 0;
  std::int64_t accepted = 0, duplicate = 0, capped = 0, rejected = 0, held = 0, no_consent = 0;
  std::int64_t adjusted = 0;  // earlier records that this run changed
  std::int64_t people = 0;
  std::int64_t milligrams = 0, points = 0;
  std::string report;  // JSON, or empty
};

struct CataloguedSegment {
  std::string programme;
  core::Day day;
  RunId run = 0;
  std::uint64_t position = 0;  // of its entry in the log; 0, which is a key's, for none
  SegmentInfo info;            // its path is relative to the journal folder
};

/// The id for the next run, above all that are booked. Ask while holding the instance's run lock.
RunId next_run_id(db::Reader& reader);
void insert_run(db::Transaction& tx, const Run& run);
/// `info.path` may stand anywhere: what is stored is segment_path(programme, day, run). `position` is that of its entry in the log.
void insert_segment(db::Transaction& tx, std::string_view programme, core::Day day, RunId run, std::uint64_t position,
                    const SegmentInfo& info);

std::optional<Run> find_run(db::Reader& reader, RunId id);
std::optional<Run> find_run_by_key(db::Reader& reader, std::string_view key);
std::optional<Run> newest_run_of(db::Reader& reader, std::string_view programme);
std::vector<Run> latest_runs(db::Reader& reader, std::int64_t limit);  // newest first

/// Segments of the local days [first, last], in order of day and run.
std::vector<CataloguedSegment> segments_between(db::Reader& reader, std::string_view programme, core::Day first, core::Day last);
/// The files that hold them, each once, in order of day and path. Of a file with several runs (compaction.h), `run` and `position` are
/// those of its last one, rows and sums those of all, and the column `run` tells them apart; `info.root` has no meaning.
std::vector<CataloguedSegment> files_between(db::Reader& reader, std::string_view programme, core::Day first, core::Day last);
std::vector<CataloguedSegment> segments_of(db::Reader& reader, RunId run);
std::vector<std::string> programmes_with_segments(db::Reader& reader);

}  // namespace tanhui::journal
