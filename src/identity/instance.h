// identity/instance.h: the folder in which one installation lives.
//
//   secret.key    192 random bytes that key people and events (core::KeySecret), readable by the owner only. Losing it means that
//                 nobody's records are recognised again: back it up, and never make a new one for an old database.
//   tanhui.db     accounts, runs, consents; unless they are on PostgreSQL, for example:
//   master.key    keys that wrap all others (identity/sealed.h), once people registered or pseudonyms were made here; owner only
//   database      the address of the database, readable by the owner only, when it is not tanhui.db
//   journal/      sealed segments
//   run.lock      held while a run books, so that two never interleave
//
// The database knows which secret.key it belongs to (table instance); another folder is refused.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/hash.h"
#include "core/result.h"
#include "db/db.h"

namespace tanhui::identity {

/// Held while the object lives; the system lets go of it when the process ends, however it ends. On PostgreSQL also against other
/// machines and folders; then the instance must outlive it.
class RunLock {
 public:
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  ~RunLock();

 private:
  friend class Instance;
  RunLock(int descriptor, db::Lock lock) : descriptor_(descriptor), lock_(std::move(lock)) {}
  int descriptor_ = -1;
  std::optional<db::Lock> lock_;
};

class Instance {
 public:
  /// `database` is what db::Database::open takes; empty means the one that the folder remembers, at first its tanhui.db.
  /// Errors: instance.not-a-folder, instance.key-missing (a database without its key), instance.key-damaged, instance.other-database
  /// (the folder has its accounts elsewhere), instance.other-key (the database belongs to another folder), and those of
  /// db::Database::open.
  static core::Result<Instance> open_or_create(const std::filesystem::path& folder, std::string_view database = "");
  /// As above, but instance.not-found when there is none.
  static core::Result<Instance> open(const std::filesystem::path& folder, std::string_view database = "");
  /// Where the accounts of `folder` are or would be: the address for db::Database::open. Errors: as above.
  static core::Result<std::string> database_of(const std::filesystem::path& folder, std::string_view database = "");

  db::Database& database() { return database_; }
  /// One more connection, for another thread.
  core::Result<db::Database> connect() const;
  const core::KeySecret& secret() const { return secret_; }
  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path journal() const { return folder_ / "journal"; }
  std::filesystem::path master_keys() const { return folder_ / "master.key"; }
  /// Refused instance.busy, with the process that runs where that is known, when another run holds it.
  core::Result<RunLock> lock_for_run();

 private:
  Instance(std::filesystem::path folder, std::string where, core::KeySecret secret, db::Database database)
      : folder_(std::move(folder)), where_(std::move(where)), secret_(secret), database_(std::move(database)) {}
  static core::Result<Instance> with_key(const std::filesystem::path& folder, std::string where, db::Database database);
  std::filesystem::path folder_;
  std::string where_;  // may hold a password
  core::KeySecret secret_;
  db::Database database_;
};

/// Moves the folder over to another database: what `tanhui migrate` does when the copy is proven.
void remember_database(const std::filesystem::path& folder, std::string_view where);

}  // namespace tanhui::identity
