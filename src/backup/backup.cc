#include "backup/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "core/hash.h"
#include "db/copy.h"
#include "journal/log.h"
#include "journal/log_audit.h"
#include "ledger/ledger.h"

namespace tanhui::backup {
namespace fs = std::filesystem;
namespace {

using core::Error, core::ErrorCode;

constexpr const char* kDatabase = "tanhui.db";
constexpr const char* kMasterKeys = "master.key";
constexpr const char* kKeys[] = {"secret.key", "log.key", "log.key.next"};

/// A folder that takes its name when it is complete, and is gone otherwise.
class Draft {
 public:
  explicit Draft(const fs::path& target)
      : target_(fs::absolute(target).lexically_normal()), draft_(without_end(target_).string() + fmt::format(".partial-{}", ::getpid())) {
    fs::remove_all(draft_);
    fs::create_directories(draft_);
    fs::permissions(draft_, fs::perms::owner_all);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(draft_, ignored);
  }
  const fs::path& folder() const { return draft_; }
  void keep() {
    const int folder = ::open(draft_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool durable = folder >= 0 && ::syncfs(folder) == 0;  // thousands of files: one wait, not one for each
    if (folder >= 0) ::close(folder);
    if (!durable) throw db::Failure(fmt::format("'{}' could not be made durable", draft_.string()));
    fs::rename(draft_, without_end(target_));  // over an empty folder, as rename(2) allows
    kept_ = true;
  }

 private:
  static fs::path without_end(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }
  fs::path target_, draft_;
  bool kept_ = false;
};

core::Status check_vacant(const fs::path& folder) {
  if (!fs::exists(folder) || (fs::is_directory(folder) && fs::is_empty(folder))) return core::Done{};
  return Error{ErrorCode::refused,
               "backup.not-empty",
               fmt::format("'{}' is there and holds something", folder.string()),
               "give a folder that does not exist yet; nothing is ever overwritten",
               {{"folder", folder.string()}}};
}

void copy_private(const fs::path& from, const fs::path& to) {
  fs::copy_file(from, to);
  fs::permissions(to, fs::perms::owner_read | fs::perms::owner_write);
}

void copy_keys(const fs::path& from, const fs::path& to) {
  for (const char* key : kKeys)
    if (fs::exists(from / key)) copy_private(from / key, to / key);
}

/// After the accounts: what was wrapped by a master key made meanwhile must open from the copy too. Older ones are retired days later.
void copy_master_keys(const fs::path& from, const fs::path& to) {
  if (fs::exists(from / kMasterKeys)) copy_private(from / kMasterKeys, to / kMasterKeys);
}

/// The log's files are written from the database after a commit and only grow: taken first, they are never ahead of it.
void copy_log(const fs::path& from, const fs::path& to) {
  if (fs::is_directory(from / "log")) fs::copy(from / "log", to / "log", fs::copy_options::recursive);
}

struct Segment {
  fs::path path;  // below the journal
  core::Digest sha256{};
  std::int64_t bytes = 0;
};

/// Files, not rows: after a compaction the segments of several runs lie in one.
std::vector<Segment> segments_of(db::Reader& reader) {
  std::vector<Segment> segments;
  reader.each("SELECT DISTINCT path, sha256, bytes FROM segment ORDER BY path", [&](const db::Row& row) {
    segments.push_back({row.get<std::string>(0), row.get<core::Digest>(1), row.integer(2)});
  });
  return segments;
}

void link_or_copy(const fs::path& from, const fs::path& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return;
  if (errno == ENOENT) throw fs::filesystem_error("no such segment", from, {errno, std::generic_category()});
  fs::copy_file(from, to);  // another file system, or one without links
}

/// What has just committed, a run or a compaction, may not have moved its files into their places yet: then they are staged.
bool take_segment(const fs::path& journal, const fs::path& path, const fs::path& to) {
  const fs::path staging = journal / ".staging";
  fs::create_directories(to.parent_path());
  for (const fs::path& place : {journal / path, staging / path.stem() / path, staging / "compaction" / path, journal / path}) {
    try {
      link_or_copy(place, to);
      return true;
    } catch (const fs::filesystem_error& error) {
      if (error.code() != std::errc::no_such_file_or_directory) throw;
    }
  }
  return false;
}

/// Copies and hashes what it copied; false when that is not what the digest says.
bool copy_checked(const fs::path& from, const fs::path& to, const core::Digest& expected) {
  constexpr std::size_t kPieceBytes = 1 << 20;
  fs::create_directories(to.parent_path());
  std::ifstream in(from, std::ios::binary);
  std::ofstream out(to, std::ios::binary | std::ios::trunc);
  core::Sha256 hash;
  std::vector<char> piece(kPieceBytes);
  while (in.read(piece.data(), std::streamsize(piece.size())) || in.gcount() > 0) {
    hash.update({piece.data(), std::size_t(in.gcount())});
    out.write(piece.data(), in.gcount());
  }
  out.close();
  if (!out) throw db::Failure(fmt::format("writing '{}' failed", to.string()));
  return hash.finish() == expected;
}

Error damaged(const fs::path& file, std::string_view what) {
  return {ErrorCode::refused,
          "backup.damaged",
          fmt::format("'{}' in the backup is {}", file.string(), what),
          "use another backup, or take the file from another copy of the same journal",
          {{"file", file.string()}}};
}

Summary summary_of(std::string database, const std::vector<db::TableDigest>& tables, const std::vector<Segment>& segments) {
  Summary summary{.database = std::move(database), .tables = std::int64_t(tables.size()), .segments = std::int64_t(segments.size())};
  for (const db::TableDigest& table : tables) summary.rows += table.rows;
  for (const Segment& segment : segments) summary.segment_bytes += segment.bytes;
  return summary;
}

bool same_totals(const std::vector<ledger::AssetTotal>& a, const std::vector<ledger::AssetTotal>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const ledger::AssetTotal& x, const ledger::AssetTotal& y) {
    const auto all = [](const ledger::AssetTotal& one) {
      return std::tie(one.asset, one.id, one.held, one.holders, one.issued, one.redeemed, one.expired, one.pool, one.debts);
    };
    return all(x) == all(y);
  });
}

/// The copy is read back inside its transaction: the caller commits what is proven.
core::Result<std::vector<db::TableDigest>> copy_proven(db::Reader& from, db::Transaction& to, std::string_view target) {
  if (const auto empty = db::check_empty(to, target); !empty) return empty.error();
  auto read = db::copy_tables(from, to);
  if (const auto same = db::compare(read, db::digests(to)); !same) return same.error();
  if (const auto holds = ledger::check(to); !holds) return holds.error();
  if (!same_totals(ledger::totals(from), ledger::totals(to)))
    return Error{ErrorCode::refused, "db.copy-differs", "the totals of the copy are not those of the original", "keep the original", {}};
  return read;
}

/// Opening the instance compares key and database.
core::Result<Summary> check_restored(const fs::path& from, const fs::path& draft) {
  auto opened = identity::Instance::open(draft);
  if (!opened) return opened.error();
  identity::Instance instance = *std::move(opened);
  const auto segments = segments_of(instance.database());
  for (const Segment& segment : segments) {
    if (!fs::exists(from / "journal" / segment.path)) return damaged(segment.path, "missing");
    if (!copy_checked(from / "journal" / segment.path, instance.journal() / segment.path, segment.sha256))
      return damaged(segment.path, "not what was sealed: its digest is another one");
  }
  fs::create_directories(instance.journal());
  db::Snapshot snapshot = instance.database().snapshot();
  if (const auto holds = ledger::check(snapshot); !holds) return holds.error();
  return summary_of(instance.database().name(), db::digests(snapshot), segments);
}

/// The restored accounts go to another store, and the folder remembers it.
core::Result<Summary> move_to(const fs::path& draft, std::string_view database) {
  const fs::path file = draft / kDatabase;
  Summary summary;
  {
    auto opened = db::Database::open(file.string());
    auto target = db::Database::open(database);
    if (!opened) return opened.error();
    if (!target) return target.error();
    db::Database original = *std::move(opened), store = *std::move(target);
    db::Snapshot snapshot = original.snapshot();
    db::Transaction tx = store.begin();
    const auto copied = copy_proven(snapshot, tx, store.name());
    if (!copied) return copied.error();
    if (journal::log_size(tx) > 0) {  // and every entry hashes to every checkpoint on the new side
      const auto log =
          journal::audit_log(tx, std::nullopt, std::nullopt, [](std::uint64_t, const journal::Entry&) { return core::Done{}; });
      if (!log) return log.error();
    }
    summary = summary_of(store.name(), *copied, segments_of(tx));
    tx.commit();
  }
  for (const char* tail : {"", "-wal", "-shm"}) fs::remove(file.string() + tail);
  const auto instance = identity::Instance::open_or_create(draft, database);
  if (!instance) return instance.error();
  return summary;
}

}  // namespace

core::Result<Summary> make_backup(identity::Instance& instance, const fs::path& to) {
  if (const auto vacant = check_vacant(to); !vacant) return vacant.error();
  Draft draft(to);
  copy_keys(instance.folder(), draft.folder());
  copy_log(instance.folder(), draft.folder());
  if (const auto saved = db::save_to_file(instance.database(), draft.folder() / kDatabase); !saved) return saved.error();
  copy_master_keys(instance.folder(), draft.folder());
  fs::create_directories(draft.folder() / "journal");
  Summary summary;
  {
    auto opened = db::Database::open((draft.folder() / kDatabase).string());
    if (!opened) return opened.error();
    db::Database copy = *std::move(opened);
    const auto segments = segments_of(copy);
    for (const Segment& segment : segments)
      if (!take_segment(instance.journal(), segment.path, draft.folder() / "journal" / segment.path))
        return Error{
            ErrorCode::refused,
            "backup.segment-missing",
            fmt::format("the segment '{}' is in the database but not in the journal", segment.path.string()),
            "start the backup again: a compaction may have moved it meanwhile; if it stays so, `tanhui verify --all` names what is lost",
            {{"segment", segment.path.string()}}};
    summary = summary_of(copy.name(), db::digests(copy), segments);
  }
  fs::permissions(draft.folder() / kDatabase, fs::perms::owner_read | fs::perms::owner_write);
  draft.keep();
  summary.database = (to / kDatabase).string();
  return summary;
}

core::Result<Summary> restore(const fs::path& from, const fs::path& folder, std::string_view database) {
  for (const char* needed : {"secret.key", kDatabase})
    if (!fs::is_regular_file(from / needed))
      return Error{ErrorCode::invalid_input,
                   "backup.not-a-backup",
                   fmt::format("'{}' holds no {}", from.string(), needed),
                   "give the folder that `tanhui backup` wrote",
                   {{"folder", from.string()}}};
  if (const auto vacant = check_vacant(folder); !vacant) return vacant.error();
  Draft draft(folder);
  copy_keys(from, draft.folder());
  copy_master_keys(from, draft.folder());
  copy_log(from, draft.folder());
  copy_private(from / kDatabase, draft.folder() / kDatabase);
  auto restored = check_restored(from, draft.folder());
  if (restored && !database.empty()) restored = move_to(draft.folder(), database);
  if (!restored) return restored.error();
  draft.keep();
  Summary summary = *restored;
  if (database.empty()) summary.database = (folder / kDatabase).string();
  return summary;
}

namespace {

/// What the user named: a store, or the folder of an instance.
struct Side {
  std::string where;
  std::optional<fs::path> folder;
};

std::optional<fs::path> folder_in(std::string_view named) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (named.starts_with(kSqlite)) named.remove_prefix(kSqlite.size());
  return fs::is_directory(named) ? std::optional(fs::path(named)) : std::nullopt;
}

core::Result<Side> source_of(std::string_view named) {
  const auto folder = folder_in(named);
  if (!folder) return Side{std::string(named), std::nullopt};
  auto where = identity::Instance::database_of(*folder);
  if (!where) return where.error();
  return Side{*where, folder};
}

Side target_of(std::string_view named) {
  const auto folder = folder_in(named);
  return folder ? Side{(*folder / kDatabase).string(), folder} : Side{std::string(named), std::nullopt};
}

}  // namespace

core::Result<Summary> migrate(std::string_view from, std::string_view to) {
  const auto source = source_of(from);
  if (!source) return source.error();
  const Side target = target_of(to);
  // The folder that moves over must be the one that the accounts belong to, and no run may be under way in it.
  const auto folder = source->folder ? source->folder : target.folder;
  std::optional<identity::Instance> instance;
  std::optional<identity::RunLock> lock;
  if (folder) {
    auto opened = identity::Instance::open(*folder, source->where);
    if (!opened) return opened.error();
    instance.emplace(*std::move(opened));
    auto locked = instance->lock_for_run();
    if (!locked) return locked.error();
    lock.emplace(*std::move(locked));
  }
  auto opened_from = db::Database::open(source->where);
  if (!opened_from) return opened_from.error();
  auto opened_to = db::Database::open(target.where);
  if (!opened_to) return opened_to.error();
  db::Database store = *std::move(opened_to);
  db::Database original = *std::move(opened_from);
  Summary summary;
  {
    db::Transaction reading = original.begin();  // not a snapshot: what others wrote meanwhile would be lost
    db::Transaction tx = store.begin();
    const auto copied = copy_proven(reading, tx, store.name());
    if (!copied) return copied.error();
    if (journal::log_size(tx) > 0) {  // and every entry hashes to every checkpoint on the new side
      const auto log =
          journal::audit_log(tx, std::nullopt, std::nullopt, [](std::uint64_t, const journal::Entry&) { return core::Done{}; });
      if (!log) return log.error();
    }
    summary = summary_of(store.name(), *copied, segments_of(tx));
    tx.commit();
  }
  if (folder) identity::remember_database(*folder, target.where);
  return summary;
}

}  // namespace tanhui::backup
