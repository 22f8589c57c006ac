// service/imports.h: files that are sent to be accounted. The file is on disk and its row in SQL before the answer; one after the other
// they are taken by a run (activity/account.h) while no batch is credited. A run is all or nothing and known by its input, so an import
// that was interrupted is simply taken again.
#pragma once
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "activity/account.h"
#include "core/result.h"
#include "db/pool.h"
#include "service/committer.h"

namespace tanhui::service {

struct NewImport {
  std::string programme, source, sender;  // source: whose records alone it may hold; empty: any
  std::string profile;                    // a name in profiles/; empty: the native format
};

struct Import {
  std::string id, programme, source, sender, profile, state, report;
  std::int64_t bytes = 0;
  core::Millis created_ms = 0;
  std::optional<core::Millis> finished_ms = {};
  std::optional<std::int64_t> run = {};
};
std::optional<Import> find_import(db::Reader& reader, std::string_view id);
/// The newest first. `source` empty: of all.
std::vector<Import> imports_of(db::Reader& reader, std::string_view programme, std::string_view source, std::int64_t limit);

class Imports {
 public:
  /// `home` has profiles/; `folder` is the instance's. What was queued when the process ended is taken up.
  Imports(Committer& committer, db::Pool& databases, std::filesystem::path home, std::filesystem::path folder,
          std::function<core::Millis()> now, std::function<void(std::span<std::uint8_t>)> random);
  /// A run that has begun is finished; what is queued waits for the next process.
  ~Imports();

  /// Errors: not_found import.no-profile; refused import.too-many (queued), programme.not-open, db.busy.
  core::Result<Import> add(const NewImport& wanted, std::string_view bytes);
  /// Of the one that runs now.
  std::optional<activity::Progress> progress_of(std::string_view id) const;

 private:
  static constexpr std::int64_t kQueuedMax = 100;
  std::filesystem::path file_of(std::string_view id) const { return folder_ / id; }
  void loop();
  std::optional<Import> next();
  void take(const Import& import);
  void finish(const Import& import, bool fine, const std::string& report, std::optional<std::int64_t> run);

  Committer& committer_;
  db::Pool& databases_;
  const std::filesystem::path home_, folder_;
  const std::function<core::Millis()> now_;
  const std::function<void(std::span<std::uint8_t>)> random_;
  mutable std::mutex mutex_;
  std::condition_variable something_;
  bool stopping_ = false, added_ = true;
  std::string running_;
  activity::Progress progress_;
  std::thread thread_;
};

}  // namespace tanhui::service
