// journal/compaction.h: many small segments of a day become one file, and every proof stays as it was.
//
// A segment is what one run booked for one day; the log has its Merkle root, and that never changes. Compaction only moves: the new file
// holds the rows of several segments in order of person and start, and its column `run` says whose each row is. The rows of one run stand
// in their old order, so their root can be made again. The log gets an entry (entry.h); the old files go.
//
//   1  stage    the new file is written under <journal>/.staging/compaction/, every source checked against its root, and made durable
//   2  commit   the log's entry and the segments' new paths commit together
//   3  place    the file is linked into its place, the old ones are deleted, then the staged name goes
//
// After a crash recover_compactions() finishes 3 or throws away 1. Call both only while holding the instance's run lock.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "journal/log.h"

namespace tanhui::journal {

struct CompactionReport {
  std::uint64_t days = 0, files_before = 0, files_after = 0, records = 0, bytes_before = 0, bytes_after = 0;
};

/// Compacts each day of `programme` (empty: all) that lies in at least `files_min` files. `progress(day)` is called before each and may
/// throw to stop; what is committed stays. Errors: refused compaction.damaged when a source does not hash to its root.
core::Result<CompactionReport> compact(db::Database& database, const Log& log, const std::filesystem::path& journal,
                                       std::string_view programme, std::size_t files_min, core::Millis now_ms,
                                       const std::function<void(core::Day)>& progress = {});

void recover_compactions(db::Reader& reader, const std::filesystem::path& journal);

}  // namespace tanhui::journal
