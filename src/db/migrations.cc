#include "db/migrations.h"

#include <fmt/format.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "db/connection.h"

namespace tanhui::db {
namespace {

struct RollbackUnlessDone {
  Connection& connection;
  ~RollbackUnlessDone() {
    if (connection.in_transaction()) connection.rollback();
  }
};

struct Applied {
  std::int64_t version;
  std::string name;
  std::string digest;
};

std::vector<Applied> applied_so_far(Connection& connection) {
  std::vector<Applied> applied;
  if (!connection.has_table("schema_version")) return applied;
  const auto statement = connection.prepare("SELECT version, name, digest FROM schema_version ORDER BY version");
  while (statement->step()) applied.push_back({statement->integer(0), std::string(statement->text(1)), std::string(statement->text(2))});
  statement->reset();
  return applied;
}

core::Status compare(const std::vector<Applied>& applied, std::span<const Migration> all, std::string_view store) {
  if (applied.size() > all.size())
    return core::Error{core::ErrorCode::refused,
                       "db.newer",
                       fmt::format("'{}' was written by a newer tanhui: it has schema version {}, this program knows {}", store,
                                   applied.size(), all.size()),
                       "use the newer program; a database never goes back",
                       {{"store", std::string(store)}}};
  for (std::size_t i = 0; i < applied.size(); ++i)
    if (applied[i].version != std::int64_t(i + 1) || applied[i].name != all[i].name ||
        applied[i].digest != core::to_hex(core::sha256(all[i].sql)))
      return core::Error{core::ErrorCode::refused,
                         "db.changed-migration",
                         fmt::format("'{}' was made with another text of schema version {} ({} there, {} here)", store, i + 1,
                                     applied[i].name, all[i].name),
                         "use the program that made it, or start with a new instance folder",
                         {{"store", std::string(store)}}};
  return core::Done{};
}

void apply(Connection& connection, const Migration& migration, std::size_t version) {
  connection.run_script(std::string(migration.sql));
  const auto statement = connection.prepare("INSERT INTO schema_version (version, name, digest) VALUES ($1, $2, $3)");
  const std::string digest = core::to_hex(core::sha256(migration.sql));
  const Parameter parameters[] = {std::int64_t(version), migration.name, digest};
  statement->bind(parameters);
  while (statement->step()) {}
  statement->reset();
}

}  // namespace

core::Status migrate(Connection& connection, std::span<const Migration> all, std::string_view store) {
  for (std::size_t i = 0; i < all.size(); ++i)
    core::invariant(all[i].name.starts_with(fmt::format("{:04}_", i + 1)), "migrations are numbered from 0001 without a gap");
  {  // an up-to-date store is opened without the write lock, so a reader never waits for a long run
    connection.begin(Begin::read);
    RollbackUnlessDone guard{connection};
    if (applied_so_far(connection).size() == all.size()) return compare(applied_so_far(connection), all, store);
  }
  connection.begin(Begin::write);
  RollbackUnlessDone guard{connection};
  connection.run_script(
      "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL) STRICT;");
  const std::vector<Applied> applied = applied_so_far(connection);
  if (auto problem = compare(applied, all, store); !problem) return problem;
  for (std::size_t i = applied.size(); i < all.size(); ++i) apply(connection, all[i], i + 1);
  connection.tune();
  connection.commit();
  return core::Done{};
}

}  // namespace tanhui::db
