// activity/account.h: the accounting run, from files to credited accounts. All of it happens, or nothing.
//
//   intake       two threads take pieces of the inputs, turn them into records, refuse what is implausible, pack the rest by person
//   look back    what earlier runs booked of the same days, and every earlier record with one of the same event ids or objects
//   settle       two threads take the people in turn: reconciliation, formulas, caps, points (activity/person_stage.h)
//   book         rows go to sealed segments, sums per person to the ledger; one SQL transaction commits both
//
// Memory does not grow with the input. The same inputs in any order, in one run or many, end in the same credited total.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "activity/tally.h"
#include "core/result.h"
#include "core/time.h"
#include "identity/instance.h"
#include "identity/programme.h"
#include "journal/columns.h"
#include "methodology/methodology.h"

namespace tanhui::activity {

struct Progress {
  enum class Step { intake, look_back, settle, book } step = Step::intake;
  std::uint64_t records = 0;          // read so far, or settled so far
  std::uint64_t done = 0, total = 0;  // bytes or people partitions; total 0 when unknown
};

class RecordSource;
struct Context;

struct AccountRequest {
  std::vector<std::string> inputs;  // files, folders, "-"
  /// Instead of inputs: gives the records, which are of no profile. Made when the run knows its names.
  std::function<core::Result<std::unique_ptr<RecordSource>>(const Context&)> source = {};
  std::function<void(db::Transaction&)> also = {};  // in the transaction that books the run; also when the run changes nothing
  std::string only_source = {};                     // every record is one of this source, whatever it says
  bool lock_held = false;                           // the caller holds the instance's run lock
  std::filesystem::path profile;                    // empty: the native format
  bool dry_run = false;
  std::optional<std::filesystem::path> rejects;  // CSV of all records that did not simply count
  unsigned threads = 2;
  std::size_t memory_bytes = std::size_t{700} << 20;  // for records between intake and settling; more goes to a temporary file
  core::Millis now_ms = 0;
  std::function<void(const Progress&)> progress;  // called a few times a second, from one thread at a time; may throw to stop the run
};

/// What a recalculation was asked for (activity/recalculate.h).
struct Corrected {
  std::string methodology;            // its id
  std::vector<std::string> versions;  // that are switched on: "cn-420100-rail-2024@2"
  core::Day first, last;
  std::uint64_t records = 0;  // decided by another version than before
};

struct AccountReport {
  std::string programme, profile;
  std::uint64_t run = 0;                      // 0: nothing was booked
  std::optional<std::uint64_t> repeats = {};  // an earlier run of the very same inputs
  bool dry_run = false;
  std::string inputs_digest = {};  // hex
  std::optional<Corrected> corrected = {};
  Tally tally = {};
  journal::Names names = {};  // of the tally's cells
  std::int64_t debts = 0;     // accounts that owe more than before, because what is taken back was spent
  std::uint64_t segments = 0, segment_rows = 0, segment_bytes = 0;
  core::Day first_day = {}, last_day = {};                         // of plausible or corrected records; an empty range when there is none
  std::vector<std::string> methodologies = {}, illustrative = {};  // used
  std::uint64_t input_bytes = 0, spilled_bytes = 0;
  double seconds_intake = 0, seconds_look_back = 0, seconds_settle = 0, seconds_book = 0;
  double seconds() const { return seconds_intake + seconds_look_back + seconds_settle + seconds_book; }
};

/// Errors: those of the profile, the inputs and the instance (nothing is booked), and refused account.too-many-records.
/// A world that fails (disk full) throws; nothing is booked then either.
core::Result<AccountReport> account(identity::Instance& instance, const identity::Programme& programme, const methodology::Library& library,
                                    const AccountRequest& request);

}  // namespace tanhui::activity
