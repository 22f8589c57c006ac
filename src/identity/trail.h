// identity/trail.h: what members of staff did, each act a row that is written in the transaction of the act itself. Rows are numbered
// without a gap and never change. Batches of them join the transparency log: one entry (journal::StaffActionsEntry) holds how many rows
// and the Merkle root over them, so that a row that is changed, added or taken out afterwards is found by `tanhui verify --all`.
//
//   leaf := one JSON object, members in this order, no blanks:
//           {"id":N,"at_ms":N,"staff":S,"action":S,"programme":S,"object":S,"request":S,"before":H|null,"after":H|null}
//
// No personal data: staff and objects are ids, what was before and after is there as SHA-256 of a text that the act describes.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/result.h"
#include "db/db.h"
#include "identity/edit.h"
#include "journal/log.h"

namespace tanhui::identity {

struct StaffAction {
  std::int64_t id = 0;
  core::Millis at_ms = 0;
  std::string staff, action, programme, object, request;
  std::optional<core::Digest> before = {}, after = {};
};

/// `before` and `after`: what the object was and is, as text; empty: it was not there. Returns the row's id.
std::int64_t record_action(db::Transaction& tx, const By& by, std::string_view action, std::string_view programme, std::string_view object,
                           std::string_view before = "", std::string_view after = "");

std::string leaf_of(const StaffAction& action);

/// Rows after `after_id`, oldest first; `programme` empty: of all.
std::vector<StaffAction> actions_after(db::Reader& reader, std::string_view programme, std::int64_t after_id, std::size_t limit);

/// How many are not in the log yet.
std::int64_t waiting_actions(db::Reader& reader);

constexpr std::int64_t kBatchActionsMax = 100'000;

/// Puts what waits into the log, at most kBatchActionsMax rows; nothing when none waits. The caller commits, then publishes the log.
std::optional<journal::Appended> join_log(db::Transaction& tx, const journal::Log& log, core::Millis now_ms);

/// Holds the batches that the log has against the rows. Feed it every StaffActionsEntry in the log's order, then finish.
class TrailAudit {
 public:
  explicit TrailAudit(db::Reader& reader) : reader_(reader) {}
  /// Errors: verify.staff-actions.
  core::Status check(std::uint64_t position, const journal::StaffActionsEntry& entry);
  /// Errors: as above: rows and batches that the log does not have. Returns the number of rows that wait for their entry.
  core::Result<std::int64_t> finish();
  std::int64_t rows() const { return next_ - 1; }

 private:
  db::Reader& reader_;
  std::int64_t next_ = 1, batches_ = 0;
};

}  // namespace tanhui::identity
