// journal/entry.h: what stands in the transparency log. One typed, versioned entry for each kind of thing that happens; its bytes are one
// JSON object in one way of writing (no blanks, members in the order below, whole numbers, digests in hex), so that people and other
// programs read the log as it is. A kind gets a new version instead of another meaning; old versions are read for ever.
//
//   {"type":"tanhui/key","version":1,"key":K,"replaces":K|null}
//       the log's public key from this entry on. The first entry of a log is its first key. The checkpoint that first covers the entry is
//       signed by both keys.
//   {"type":"tanhui/run","version":1,"run":N,"key":H,"programme":S,"inputs":H,"settings":H,"postings":H,"started_ms":N,"finished_ms":N,"records":N,
//    "accepted":N,"duplicate":N,"capped":N,"rejected":N,"held":N,"no_consent":N,"adjusted":N,"people":N,"milligrams":N,"points":N,
//    "segments":N,"points_expire_days":N,"methodologies":[{"id":"ID@VERSION","sha256":H},...],"corrections":[{"id":S,"version":N,"from":D,"to":D},...]}
//       an accounting run; its segments are the next entries. points_expire_days: what decided the lot of its points, 0 never.
//       corrections: by a recalculation, which version counts for which local days from now on
//   {"type":"tanhui/segment","version":1,"programme":S,"day":"YYYY-MM-DD","run":N,"records":N,"milligrams":N,"points":N,"bytes":N,"sha256":H,"root":H}
//       a sealed segment: its file, and the Merkle root over its records (record_bytes.h) in the file's order
//   {"type":"tanhui/compaction","version":1,"programme":S,"day":"YYYY-MM-DD","file":S,"bytes":N,"sha256":H,"runs":[N,...]}
//       the segments of these runs now lie in one file, in which the column `run` tells them apart; their roots stand as they were
//   {"type":"tanhui/staff-actions","version":1,"first":N,"count":N,"root":H}
//       acts of staff, numbered from 1 without a gap: how many from `first` on, and the Merkle root over them (identity/trail.h)
#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/hash.h"
#include "core/result.h"
#include "core/time.h"
#include "journal/catalogue.h"
#include "journal/correction.h"

namespace tanhui::journal {

struct KeyEntry {
  std::string key;
  std::string replaces;  // empty for the first
  friend bool operator==(const KeyEntry&, const KeyEntry&) = default;
};
struct MethodologyUsed {
  std::string id;  // ID@VERSION
  std::string sha256;
  friend bool operator==(const MethodologyUsed&, const MethodologyUsed&) = default;
};
struct RunEntry {
  Run run;  // without its report
  std::int64_t segments = 0;
  std::int64_t points_expire_days = 0;
  std::vector<MethodologyUsed> methodologies;
  std::vector<Correction> corrections = {};
};
struct SegmentEntry {
  std::string programme;
  core::Day day;
  RunId run = 0;
  std::int64_t records = 0, milligrams = 0, points = 0, bytes = 0;
  core::Digest sha256{}, root{};
  friend bool operator==(const SegmentEntry&, const SegmentEntry&) = default;
};
struct CompactionEntry {
  std::string programme;
  core::Day day;
  std::string file;  // below the journal folder
  std::int64_t bytes = 0;
  core::Digest sha256{};
  std::vector<RunId> runs;  // ascending
  friend bool operator==(const CompactionEntry&, const CompactionEntry&) = default;
};
struct StaffActionsEntry {
  std::int64_t first = 0, count = 0;
  core::Digest root{};
  friend bool operator==(const StaffActionsEntry&, const StaffActionsEntry&) = default;
};
using Entry = std::variant<KeyEntry, RunEntry, SegmentEntry, CompactionEntry, StaffActionsEntry>;

std::string entry_bytes(const Entry& entry);
/// Errors: invalid_input entry.bad (with the member), entry.unknown-type (a kind or version that this program does not know).
core::Result<Entry> parse_entry(std::string_view bytes);
std::string_view type_name(const Entry& entry);  // "run"

}  // namespace tanhui::journal
