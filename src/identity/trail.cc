#include "identity/trail.h"

#include <fmt/format.h>

#include "core/json.h"
#include "core/merkle.h"
#include "journal/log_audit.h"

namespace tanhui::identity {
namespace {

constexpr std::string_view kColumns = "id, at_ms, staff, action, programme, object, request, before, after";

StaffAction action_of(const db::Row& row) {
  return {row.integer(0),
          row.integer(1),
          row.get<std::string>(2),
          row.get<std::string>(3),
          row.get<std::string>(4),
          row.get<std::string>(5),
          row.get<std::string>(6),
          db::read_column<std::optional<core::Digest>>(row, 7),
          db::read_column<std::optional<core::Digest>>(row, 8)};
}

std::optional<core::Digest> digest_of(std::string_view text) { return text.empty() ? std::nullopt : std::optional(core::sha256(text)); }

struct Covered {
  std::int64_t count = 0;
  core::Digest root{};
};

/// The rows [first, first + count) that are there, without a gap.
Covered cover(db::Reader& reader, std::int64_t first, std::int64_t count) {
  Covered covered;
  core::merkle::Edge edge;
  std::vector<core::Digest> leaf;
  reader.each(
      fmt::format("SELECT {} FROM staff_action WHERE id >= $1 AND id < $2 ORDER BY id", kColumns),
      [&](const db::Row& row) {
        const StaffAction action = action_of(row);
        if (action.id != first + covered.count) return;
        edge.append(core::merkle::leaf_hash(leaf_of(action)));
        ++covered.count;
      },
      first, first + count);
  covered.root = edge.size() == 0 ? core::merkle::empty_root() : edge.root();
  return covered;
}

std::int64_t next_waiting(db::Reader& reader) {
  return reader.find<std::int64_t>("SELECT first + count FROM staff_action_batch ORDER BY first DESC LIMIT 1").value_or(1);
}

}  // namespace

std::int64_t record_action(db::Transaction& tx, const By& by, std::string_view action, std::string_view programme, std::string_view object,
                           std::string_view before, std::string_view after) {
  const std::int64_t id = tx.find<std::int64_t>("SELECT id FROM staff_action ORDER BY id DESC LIMIT 1").value_or(0) + 1;
  tx.exec(
      "INSERT INTO staff_action (id, at_ms, staff, action, programme, object, request, before, after) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
      id, by.at_ms, by.staff, action, programme, object, by.request, digest_of(before), digest_of(after));
  return id;
}

std::string leaf_of(const StaffAction& action) {
  const auto hex = [](const std::optional<core::Digest>& digest) {
    return digest ? boost::json::value(core::to_hex(*digest)) : boost::json::value(nullptr);
  };
  return boost::json::serialize(boost::json::object{{"id", action.id},
                                                    {"at_ms", action.at_ms},
                                                    {"staff", action.staff},
                                                    {"action", action.action},
                                                    {"programme", action.programme},
                                                    {"object", action.object},
                                                    {"request", action.request},
                                                    {"before", hex(action.before)},
                                                    {"after", hex(action.after)}});
}

std::vector<StaffAction> actions_after(db::Reader& reader, std::string_view programme, std::int64_t after_id, std::size_t limit) {
  std::vector<StaffAction> actions;
  const auto visit = [&](const db::Row& row) { actions.push_back(action_of(row)); };
  if (programme.empty())
    reader.each(fmt::format("SELECT {} FROM staff_action WHERE id > $1 ORDER BY id LIMIT $2", kColumns), visit, after_id,
                std::int64_t(limit));
  else
    reader.each(fmt::format("SELECT {} FROM staff_action WHERE programme = $1 AND id > $2 ORDER BY id LIMIT $3", kColumns), visit,
                programme, after_id, std::int64_t(limit));
  return actions;
}

std::int64_t waiting_actions(db::Reader& reader) {
  return reader.find<std::int64_t>("SELECT count(*) FROM staff_action WHERE id >= $1", next_waiting(reader)).value_or(0);
}

std::optional<journal::Appended> join_log(db::Transaction& tx, const journal::Log& log, core::Millis now_ms) {
  const std::int64_t first = next_waiting(tx);
  const Covered covered = cover(tx, first, kBatchActionsMax);
  if (covered.count == 0) return std::nullopt;
  const journal::Entry entry = journal::StaffActionsEntry{first, covered.count, covered.root};
  const journal::Appended appended = log.append(tx, {&entry, 1}, now_ms);
  tx.exec("INSERT INTO staff_action_batch (first, count, position) VALUES ($1, $2, $3)", first, covered.count,
          std::int64_t(appended.first));
  return appended;
}

core::Status TrailAudit::check(std::uint64_t position, const journal::StaffActionsEntry& entry) {
  const std::string where =
      fmt::format("entry {} of the log, acts of staff {} to {}", position, entry.first, entry.first + entry.count - 1);
  if (entry.first != next_) return journal::diverges("staff-actions", where, fmt::format("the next act is {}", next_));
  const Covered covered = cover(reader_, entry.first, entry.count);
  if (covered.count != entry.count)
    return journal::diverges("staff-actions", where, fmt::format("act {} is missing", entry.first + covered.count));
  if (covered.root != entry.root) return journal::diverges("staff-actions", where, "a row is not what it was when it joined the log");
  const auto stored =
      reader_.find<std::int64_t, std::int64_t>("SELECT count, position FROM staff_action_batch WHERE first = $1", entry.first);
  if (!stored || *stored != std::tuple(entry.count, std::int64_t(position)))
    return journal::diverges("staff-actions", where, "the database does not have the batch so");
  next_ += entry.count;
  ++batches_;
  return core::Done{};
}

core::Result<std::int64_t> TrailAudit::finish() {
  const auto count = [&](const char* sql) { return reader_.find<std::int64_t>(sql).value_or(0); };
  if (count("SELECT count(*) FROM staff_action_batch") != batches_)
    return journal::diverges("staff-actions", "the table of batches", "it has one that the log does not have");
  const std::int64_t rows = count("SELECT count(*) FROM staff_action"), last = count("SELECT COALESCE(MAX(id), 0) FROM staff_action");
  if (rows != last) return journal::diverges("staff-actions", "the table of acts of staff", "a row is missing");
  return rows - (next_ - 1);
}

}  // namespace tanhui::identity
