// backup/backup.h: an instance in a second place: a copy while it works, the copy back into an empty folder, its accounts on another
// store. Nothing is ever overwritten, and what is finished was compared with what it was made from.
//
// A backup is a folder that is an instance itself, whatever store the original has its accounts on:
//   tanhui.db     everything that was committed at one moment, a SQLite database (`tanhui --instance BACKUP balance` reads it)
//   secret.key    mode 0600, and log.key and master.key where there are any: who holds the backup holds the instance. A person who is
//                 erased later is in it still, and it opens what it holds: erase again after a restore (docs/privacy.md)
//   journal/      the segments that tanhui.db names: hard links where the file system allows, for they never change
//   log/          the public files of the log as they were just before
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/result.h"
#include "identity/instance.h"

namespace tanhui::backup {

struct Summary {
  std::string database;  // where the accounts are now, without a password
  std::int64_t tables = 0, rows = 0, segments = 0;
  std::int64_t segment_bytes = 0;
};

/// Writes a backup of `instance` to the folder `to`, which appears when it is complete; runs and transfers go on meanwhile.
/// Errors: backup.not-empty (`to` is there and holds something), backup.segment-missing.
core::Result<Summary> make_backup(identity::Instance& instance, const std::filesystem::path& to);

/// Makes the instance in `folder` from a backup: into tanhui.db, or into `database` when that is not empty. Checks every segment's digest,
/// the ledger, and that key and database belong together.
/// Errors: backup.not-a-backup, backup.not-empty (`folder` holds something), backup.damaged (names the file), ledger.broken, db.not-empty,
/// and those of identity::Instance::open.
core::Result<Summary> restore(const std::filesystem::path& from, const std::filesystem::path& folder, std::string_view database = "");

/// Copies all accounts from one store to another, empty one, in one transaction, and compares both sides: every table's rows and digest,
/// the ledger's laws and totals, and the log's entries against its checkpoints. `from` and `to` are what db::Database::open takes, or an
/// instance's folder (its present database; its own tanhui.db): that instance then has its accounts at `to`. Writers wait meanwhile. The
/// original stays as it is. Errors: db.not-empty, db.copy-differs, ledger.broken, instance.busy, and those of identity::Instance::open and
/// db::Database::open.
core::Result<Summary> migrate(std::string_view from, std::string_view to);

}  // namespace tanhui::backup
