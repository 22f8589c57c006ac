// journal/publication.h: the segments of one run appear in the journal all at once, or not at all, whatever stops the machine when.
//
//   1  stage     every segment is written under <journal>/.staging/run-<NNNNNN>/ and made durable
//   2  commit    the run commits in SQL: from here on it happened
//   3  publish   each staged file is renamed into its place; a rename is atomic, doing it again is harmless
//
// After a crash, recover() gets the committed runs from SQL: their staged files are published, all other staged files are deleted.
// Readers look at `programme=*` folders only and therefore never see a run that did not commit.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace tanhui::journal {

using RunId = std::uint64_t;

/// programme=<id>/day=<YYYY-MM-DD>/run-<NNNNNN>.parquet, relative to the journal. A programme id is [a-z0-9._-], at most 100 characters.
std::filesystem::path segment_path(std::string_view programme, core::Day day, RunId run);

/// All functions throw std::filesystem::filesystem_error (or std::runtime_error with the path) when the disk fails.
class Publication {
 public:
  Publication(std::filesystem::path journal, RunId run);

  /// Where to write a segment of this run before the commit; makes the folders.
  std::filesystem::path stage(std::string_view programme, core::Day day);
  /// Where that segment will be found after publish().
  std::filesystem::path place(std::string_view programme, core::Day day) const;

  /// Moves every staged segment into its place and makes that durable. Again: nothing is left to do. A different file that already
  /// stands in a place breaks an invariant, for segments never change; the same bytes are accepted. Returns the number of files moved.
  std::size_t publish();
  /// Deletes what was staged, for a run that will not commit.
  void discard();

 private:
  std::filesystem::path journal_, staging_;
  RunId run_;
};

struct Recovery {
  std::vector<RunId> published, discarded;
};
/// Settles every run left in the staging folder: `committed(run)` says whether SQL knows it. Call it before the first run of a process,
/// while no other process runs on the instance.
Recovery recover(const std::filesystem::path& journal, const std::function<bool(RunId)>& committed);

}  // namespace tanhui::journal
