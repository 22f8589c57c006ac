#include "journal/compaction.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <system_error>

#include "core/files.h"
#include "core/invariant.h"
#include "core/merkle.h"
#include "journal/catalogue.h"
#include "journal/record_bytes.h"
#include "journal/segment.h"

namespace tanhui::journal {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kRowsTogether = 4096;

fs::path staging_of(const fs::path& journal) { return journal / ".staging" / "compaction"; }

/// programme=<id>/day=<day>/runs-000001-000009.parquet
fs::path compacted_path(std::string_view programme, core::Day day, RunId first, RunId last) {
  return segment_path(programme, day, first).parent_path() / fmt::format("runs-{:06}-{:06}.parquet", first, last);
}

/// Rows of one file in their order, a row group at a time.
class Source {
 public:
  static core::Result<Source> open(const fs::path& path, RunId run, Names& names) {
    auto reader = SegmentReader::open(path);
    if (!reader) return reader.error();
    Source source(*std::move(reader), run, names);
    if (auto status = source.load(); !status) return status.error();
    return source;
  }
  bool done() const { return row_ == rows_.size(); }
  auto key() const { return std::tuple(rows_.person[row_], rows_.start_ms[row_], run()); }
  RunId run() const { return rows_.run.empty() ? run_ : RunId(rows_.run[row_]); }
  const Columns& rows() const { return rows_; }
  std::size_t row() const { return row_; }
  core::Status next() {
    if (++row_ < rows_.size()) return core::Done{};
    return load();
  }

 private:
  Source(SegmentReader reader, RunId run, Names& names) : reader_(std::move(reader)), run_(run), names_(&names) {}
  core::Status load() {
    row_ = 0;
    rows_.clear();
    while (rows_.size() == 0 && group_ < reader_.row_groups())
      if (auto status = reader_.read(group_++, ColumnSet::all(), *names_, rows_); !status) return status;
    return core::Done{};
  }
  SegmentReader reader_;
  RunId run_;
  Names* names_;
  Columns rows_;
  std::size_t group_ = 0, row_ = 0;
};

class DayCompaction {
 public:
  DayCompaction(const fs::path& journal, std::vector<CataloguedSegment> segments) : journal_(journal), segments_(std::move(segments)) {
    for (const auto& segment : segments_) files_.insert(segment.info.path);
    path_ = compacted_path(segments_.front().programme, segments_.front().day, segments_.front().run, segments_.back().run);
  }
  std::size_t files() const { return files_.size(); }
  const fs::path& path() const { return path_; }

  /// Writes the new file. Errors: a source that cannot be read or is not what the log has.
  core::Result<SegmentInfo> stage() {
    const fs::path staged = staging_of(journal_) / path_;
    fs::create_directories(staged.parent_path());
    SegmentWriter writer(staged, names_,
                         {{"tanhui.programme", segments_.front().programme}, {"tanhui.day", core::to_text(segments_.front().day)}});
    RecordHasher hasher(names_);
    if (auto status = merge(writer, hasher); !status) return status.error();
    for (const auto& segment : segments_) {
      const auto edge = edges_.find(segment.run);
      if (edge == edges_.end() || edge->second.root() != segment.info.root)
        return core::Error{
            core::ErrorCode::refused,
            "compaction.damaged",
            fmt::format("the records of run {} in '{}' do not hash to the root in the log", segment.run, segment.info.path.string()),
            "run `tanhui verify --all`; restore the file from a backup, then compact again",
            {{"path", segment.info.path.string()}}};
    }
    return writer.close();
  }

  CompactionEntry entry(const SegmentInfo& info) const {
    CompactionEntry entry{segments_.front().programme, segments_.front().day, path_.string(), std::int64_t(info.bytes), info.sha256, {}};
    for (const auto& segment : segments_) entry.runs.push_back(segment.run);
    return entry;
  }

 private:
  core::Status merge(SegmentWriter& writer, RecordHasher& hasher) {
    std::vector<Source> sources;
    std::set<fs::path> opened;
    for (const auto& segment : segments_) {
      if (!opened.insert(segment.info.path).second) continue;
      auto source = Source::open(journal_ / segment.info.path, segment.run, names_);
      if (!source) return source.error();
      if (!source->done()) sources.push_back(*std::move(source));
    }
    Columns batch;
    while (!sources.empty()) {
      auto least = sources.begin();
      for (auto at = sources.begin() + 1; at != sources.end(); ++at)
        if (at->key() < least->key()) least = at;
      batch.append(least->rows(), least->row(), least->row() + 1);
      batch.run.resize(batch.size());
      batch.run.back() = std::int64_t(least->run());
      if (auto status = least->next(); !status) return status;
      if (least->done()) sources.erase(least);
      if (batch.size() == kRowsTogether || sources.empty()) flush(writer, hasher, batch);
    }
    return core::Done{};
  }
  void flush(SegmentWriter& writer, RecordHasher& hasher, Columns& batch) {
    std::vector<core::Digest> leaves;
    hasher.hash(batch, 0, batch.size(), leaves);
    for (std::size_t i = 0; i < leaves.size(); ++i) edges_[RunId(batch.run[i])].append(leaves[i]);
    writer.append(batch, leaves, 0, batch.size());
    batch.clear();
  }

  const fs::path& journal_;
  std::vector<CataloguedSegment> segments_;  // of one day, by run
  std::set<fs::path> files_;
  fs::path path_;
  Names names_;
  std::map<RunId, core::merkle::Edge> edges_;
};

/// The third step, which may be done again: the new file in its place, no file that no segment names beside it.
void place(db::Reader& reader, const fs::path& journal, const fs::path& path) {
  const fs::path staged = staging_of(journal) / path, target = journal / path;
  if (::link(staged.c_str(), target.c_str()) != 0 && errno != EEXIST)
    throw fs::filesystem_error("cannot place", staged, target, {errno, std::generic_category()});
  core::sync_folder(target.parent_path());
  std::set<std::string> named;
  reader.each(
      "SELECT DISTINCT path FROM segment WHERE path LIKE $1", [&](const db::Row& row) { named.insert(row.get<std::string>(0)); },
      path.parent_path().string() + "/%");
  for (const auto& item : fs::directory_iterator(target.parent_path())) {
    const fs::path name = path.parent_path() / item.path().filename();
    if (item.path().extension() == ".parquet" && !named.contains(name.string())) fs::remove(item.path());
  }
  core::sync_folder(target.parent_path());
  fs::remove(staged);
}

}  // namespace

core::Result<CompactionReport> compact(db::Database& database, const Log& log, const fs::path& journal, std::string_view programme,
                                       std::size_t files_min, core::Millis now_ms, const std::function<void(core::Day)>& progress) {
  CompactionReport report;
  for (const std::string& id : programmes_with_segments(database)) {
    if (!programme.empty() && programme != id) continue;
    std::map<core::Day, std::vector<CataloguedSegment>> days;
    for (auto& segment : segments_between(database, id, core::kFirstDay, core::kLastDay)) days[segment.day].push_back(std::move(segment));
    for (auto& [day, segments] : days) {
      std::map<std::string, std::uint64_t> before;
      for (const auto& segment : segments) before[segment.info.path.string()] = segment.info.bytes;
      if (before.size() < std::max<std::size_t>(files_min, 2)) continue;
      if (progress) progress(day);
      DayCompaction compaction(journal, std::move(segments));
      const auto info = compaction.stage();
      if (!info) {
        fs::remove(staging_of(journal) / compaction.path());
        return info.error();
      }
      {
        db::Transaction tx = database.begin();
        const CompactionEntry entry = compaction.entry(*info);
        for (const RunId run : entry.runs)
          tx.exec("UPDATE segment SET path = $4, bytes = $5, sha256 = $6 WHERE programme = $1 AND day = $2 AND run = $3", id,
                  core::to_text(day), std::int64_t(run), entry.file, entry.bytes, entry.sha256);
        const Entry entries[] = {entry};
        log.append(tx, entries, now_ms);
        tx.commit();
      }
      place(database, journal, compaction.path());
      ++report.days;
      report.files_before += before.size();
      ++report.files_after;
      report.records += info->rows;
      for (const auto& [path, bytes] : before) report.bytes_before += bytes;
      report.bytes_after += info->bytes;
    }
  }
  if (report.days > 0) log.publish(database);
  return report;
}

void recover_compactions(db::Reader& reader, const fs::path& journal) {
  if (!fs::is_directory(staging_of(journal))) return;
  std::vector<fs::path> staged;
  for (const auto& item : fs::recursive_directory_iterator(staging_of(journal)))
    if (item.is_regular_file()) staged.push_back(item.path().lexically_relative(staging_of(journal)));
  for (const fs::path& path : staged) {
    if (reader.find<std::int64_t>("SELECT run FROM segment WHERE path = $1 LIMIT 1", path.string()))
      place(reader, journal, path);
    else
      fs::remove(staging_of(journal) / path);
  }
  fs::remove_all(staging_of(journal));
}

}  // namespace tanhui::journal
