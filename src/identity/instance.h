// identity/instance.h: the folder in which one installation lives.
//
//   secret.key    192 random bytes that key people and events (core::KeySecret), readable by the owner only. Losing it means that
//                 nobody's records are recognised again: back it up, and never make a new one for an old database.
//   tanhui.db     accounts, runs, consents
//   journal/      sealed segments
//   run.lock      held while a run books, so that two never interleave
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/hash.h"
#include "core/result.h"
#include "db/db.h"

namespace tanhui::identity {

/// Held while the object lives; the system lets go of it when the process ends, however it ends.
class RunLock {
 public:
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  ~RunLock();

 private:
  friend class Instance;
  explicit RunLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

class Instance {
 public:
  /// Errors: instance.not-a-folder, instance.key-missing (a database without its key), instance.key-damaged, and those of
  /// db::Database::open.
  static core::Result<Instance> open_or_create(const std::filesystem::path& folder);
  /// As above, but instance.not-found when there is none.
  static core::Result<Instance> open(const std::filesystem::path& folder);

  db::Database& database() { return database_; }
  /// One more connection, for another thread.
  core::Result<db::Database> connect() const;
  const core::KeySecret& secret() const { return secret_; }
  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path journal() const { return folder_ / "journal"; }
  /// Refused instance.busy, with the process that runs, when another run holds it.
  core::Result<RunLock> lock_for_run() const;

 private:
  Instance(std::filesystem::path folder, core::KeySecret secret, db::Database database)
      : folder_(std::move(folder)), secret_(secret), database_(std::move(database)) {}
  std::filesystem::path folder_;
  core::KeySecret secret_;
  db::Database database_;
};

}  // namespace tanhui::identity
