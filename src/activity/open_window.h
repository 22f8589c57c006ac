// activity/open_window.h: records of the last days, credited the moment they come and sealed later. The other way into the journal is the
// accounting run (activity/account.h); both settle people by the same code (activity/person_stage.h), so that a record ends the same
// whichever way it came. Decision 0017.
//
//   auto window = OpenWindow::open(instance, programme, library, settings, now);     // with the instance's run lock held
//   database.transact: window->credit(tx, submissions, now);  then window->committed(), or window->rolled_back()
//   window->seal(now);                                          // the records so far become segments, a run, entries of the log
//   window->settle_waiting(now);                                // seals, then a run takes what only a run can decide
//
// In memory: all records of the open days and of the days before them that those can depend on, by person. On a few records the window
// cannot decide alone: those of days that are no longer open, and those whose event id or object was used before by somebody else, or on a
// day that is not in memory. They wait, durable like the others, for the next run. A record that was answered keeps its answer unless a
// later record of the person changes it; then an adjustment is booked, as in a run.
//
// One thread at a time. Bodies may be read meanwhile by others (activity/body_reader.h).
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "activity/account.h"
#include "activity/intake.h"
#include "activity/person_stage.h"
#include "activity/record.h"
#include "activity/row.h"
#include "core/result.h"
#include "db/db.h"
#include "identity/instance.h"
#include "identity/programme.h"
#include "methodology/methodology.h"

namespace tanhui::activity {

struct OpenWindowSettings {
  int open_days = 0;  // today and the days before it that take records at once; 0: as many as the programme says
  std::size_t memory_bytes = std::size_t{1} << 30;  // of the rows in memory; beyond it nothing is taken until the window was sealed
  core::Millis book_every_ms = 500;                 // balances follow credits at the latest after so long
  unsigned threads = 2;                             // of runs
};

/// What a record was answered with. One that waits has no outcome yet.
struct WindowAnswer {
  Answer answer;
  bool waits = false;
  /// Of a repetition (same-event): what its first report has been credited with by now, so that a request that is sent again after a lost
  /// answer gets it.
  std::optional<Answer> first = std::nullopt;
  enum class Why : std::uint8_t { none, late_day, seen_before } why = Why::none;
};

/// One request's records. `answers` gets one for each, in their order.
struct Submission {
  const RecordBatch* records = nullptr;
  core::Digest digest{};  // of the bytes they were read from
  std::vector<WindowAnswer> answers = {};
};

struct WindowTotals {
  std::uint64_t records = 0, waiting = 0, adjusted = 0;
  std::array<std::uint64_t, kOutcomes> outcomes{};
  std::int64_t milligrams = 0, points = 0;
};

/// Somebody's credit in the last batch, for whoever watches.
struct Credited {
  core::PersonKey person;
  std::int64_t milligrams = 0, points = 0;
};

struct SealReport {
  std::uint64_t run = 0;  // 0: there was nothing to seal
  std::uint64_t rows = 0, segments = 0;
  double seconds = 0;
};

/// Programmes with records that were credited and are not sealed, or that wait for a run.
std::vector<std::string> open_windows(db::Reader& reader);

/// The words of a record that is read from a batch.
class OpenWords {
 public:
  std::string activity(const Row& row) const { return texts[0][row.activity()]; }
  std::string source(const Row& row) const { return texts[1][row.source()]; }
  std::string region(const Row& row) const { return texts[2][row.region]; }
  std::string methodology(const Row& row) const { return row.rule == 0xFFFF ? "" : texts[3][row.rule]; }
  std::array<std::vector<std::string>, 4> texts = {};
};
/// All records of the open window of a programme as SQL has them, in the order in which they were credited: for statements and audits that
/// are made elsewhere than in the service. Errors: refused open-window.damaged.
core::Status each_open_record(db::Reader& reader, std::string_view programme,
                              const std::function<void(const RowView&, const OpenWords&)>& visit);

/// For runs and commands while no service runs on the instance, with its run lock held: what a service left open is sealed, so that a run
/// sees it. Nothing when there is nothing. What waits goes on waiting.
core::Result<SealReport> seal_left_open(identity::Instance& instance, const identity::Programme& programme,
                                        const methodology::Library& library, core::Millis now_ms);
/// The same, and then a run decides what waits.
core::Result<std::optional<AccountReport>> settle_left_open(identity::Instance& instance, const identity::Programme& programme,
                                                            const methodology::Library& library, core::Millis now_ms);

class OpenWindow {
 public:
  /// Loads the open days, and what was credited and not sealed when the process ended. What was credited under other settings (of the
  /// programme or its methodologies) is sealed first. The instance, programme and library outlive the window.
  /// Errors: those of looking back into the journal; refused open-window.damaged.
  static core::Result<std::unique_ptr<OpenWindow>> open(identity::Instance& instance, const identity::Programme& programme,
                                                        const methodology::Library& library, const OpenWindowSettings& settings,
                                                        core::Millis now_ms);
  virtual ~OpenWindow() = default;

  /// Decides all submissions together and writes what follows to `tx`. Errors: refused open-window.full.
  virtual core::Result<WindowTotals> credit(db::Transaction& tx, std::span<Submission> submissions, core::Millis now_ms) = 0;
  /// Lets the balances follow what was credited, if that is not done yet and due. credit() does so too. Then committed() or rolled_back().
  virtual bool book(db::Transaction& tx, core::Millis now_ms) = 0;
  virtual bool books_due(core::Millis now_ms) const = 0;
  virtual void committed() = 0;
  virtual void rolled_back() = 0;
  /// Loads everything again: after a commit of which nobody knows whether it happened.
  virtual core::Status refresh(core::Millis now_ms) = 0;
  /// Credits of the last credit(), by person.
  virtual const std::vector<Credited>& credited() const = 0;

  virtual core::Result<SealReport> seal(core::Millis now_ms) = 0;
  /// Seals, and lets a run decide what waits. Nothing when nothing waits.
  virtual core::Result<std::optional<AccountReport>> settle_waiting(core::Millis now_ms) = 0;
  /// Seals, runs `request` and loads the window again.
  virtual core::Result<AccountReport> account(AccountRequest request) = 0;

  virtual Names& names() = 0;
  virtual std::uint64_t unsealed() const = 0;
  virtual std::uint64_t waiting() const = 0;
  virtual std::size_t memory_bytes() const = 0;
  virtual core::Day first_open_day(core::Millis now_ms) const = 0;

  /// What a person has in the window, newest first: for statements.
  struct Line {
    std::string activity, source, region, methodology, outcome, reason;
    core::Millis start_ms = 0, end_ms = 0;
    std::int64_t milligrams = 0, points = 0;
    std::uint32_t revision = 0;
  };
  virtual std::vector<Line> lines_of(const core::PersonKey& person) const = 0;
};

}  // namespace tanhui::activity
