// activity/audit.h: replays an instance and names the first thing that does not hold. Nothing the operator says is taken for granted but
// the log's first public key, and that can be given from outside.
//
//   log        every entry, checkpoint, key and published file (journal/log_audit.h)
//   rows       every run and segment of the database is what its entry in the log says, and none is missing on either side
//   files      every file of the journal has its length and SHA-256; no other file is there
//   records    every record hashes into its segment's Merkle root; counts, milligrams and points add up per segment and per run; the
//              milligrams are recomputed by the very methodology version that the record names (activity/recheck.h says what that proves)
//   postings   what each run posted to each person is the sum of the run's records of that person, asset by asset, debts included
//   staff      the acts of staff are those whose Merkle roots the log has (identity/trail.h)
//   balances   ledger::check(): every account is the sum of its postings, every asset sums to zero
//
// Reads one snapshot of the database and writes nothing. Memory does not grow with the records, whose sums wait in a temporary file beyond
// the budget; it does with the log's entries (one a segment) and the debts that runs made. A methodology version that the library no longer
// holds as it was is a divergence too: its records cannot be recomputed.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/result.h"
#include "identity/instance.h"
#include "identity/programme.h"
#include "journal/log_audit.h"
#include "methodology/methodology.h"

namespace tanhui::activity {

struct AuditRequest {
  std::optional<journal::PublicKey> first_key;
  std::function<core::Result<identity::Programme>(const std::string& id)> programme;  // where a programme's settings are
  unsigned threads = 2;
  std::size_t memory_bytes = std::size_t{256} << 20;
  std::function<void(std::uint64_t records, std::uint64_t of)> progress;  // a few times a second, from one thread at a time
};

struct AuditReport {
  journal::LogAudit log;
  std::uint64_t runs = 0, segments = 0, files = 0, bytes = 0;
  std::uint64_t records = 0;
  std::uint64_t recomputed = 0;      // milligrams recomputed by their methodology: equal, or within a daily cap
  std::uint64_t not_alone = 0;       // adjustments and savings from readings, which depend on other records: `resettle` judges those
  std::uint64_t people_of_runs = 0;  // (person, run) pairs whose postings were compared
  std::int64_t milligrams = 0, points = 0;
  std::int64_t staff_actions = 0, staff_actions_waiting = 0;  // in the log, and not yet
};

/// Errors: refused verify.* naming the first divergence, and those of the journal's files.
core::Result<AuditReport> audit(identity::Instance& instance, const methodology::Library& library, const AuditRequest& request);

}  // namespace tanhui::activity
