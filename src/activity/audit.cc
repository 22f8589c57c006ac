#include "activity/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

#include "activity/posting_audit.h"
#include "activity/recheck.h"
#include "activity/record.h"
#include "core/files.h"
#include "core/invariant.h"
#include "core/merkle.h"
#include "core/quantity.h"
#include "core/threads.h"
#include "identity/trail.h"
#include "journal/catalogue.h"
#include "journal/log.h"
#include "journal/record_bytes.h"
#include "journal/segment.h"
#include "ledger/audit.h"
#include "ledger/ledger.h"

namespace tanhui::activity {
namespace {

namespace fs = std::filesystem;
using journal::diverges;
using journal::RunId;

constexpr std::size_t kReadBytes = std::size_t{1} << 20;

/// What the log says of one segment, and in which file its records lie now.
struct ClaimedSegment {
  std::uint64_t position = 0;
  journal::SegmentEntry entry;
  std::string file;
};
struct ClaimedFile {
  std::string programme;
  core::Day day;
  std::int64_t bytes = 0;
  core::Digest sha256{};
  std::vector<std::size_t> segments;  // by run
};

/// What is counted over the records of a segment or run.
struct Counted {
  std::int64_t records = 0, milligrams = 0, points = 0;
  std::int64_t accepted = 0, capped = 0, adjusted = 0;
  void add(const Counted& other) {
    records += other.records;
    milligrams = core::add_or_throw(milligrams, other.milligrams);
    points = core::add_or_throw(points, other.points);
    accepted += other.accepted;
    capped += other.capped;
    adjusted += other.adjusted;
  }
};

class Audit {
 public:
  Audit(identity::Instance& instance, const methodology::Library& library, const AuditRequest& request)
      : instance_(instance),
        library_(library),
        request_(request),
        snapshot_(instance.database().snapshot()),
        postings_(snapshot_, library, request.memory_bytes, instance.folder()) {}

  core::Result<AuditReport> run() {
    auto log = journal::audit_log(snapshot_, instance_.folder() / "log", request_.first_key,
                                  [this](std::uint64_t position, const journal::Entry& entry) { return claim(position, entry); });
    if (!log) return log.error();
    report_.log = *std::move(log);
    if (auto status = check_signing_key(); !status) return status.error();
    if (auto trail = check_staff_actions(); !trail) return trail.error();
    if (auto store = snapshot_.check_store(); !store) return diverges("database", "the store", store.error().message);
    for (auto step : {&Audit::check_run_rows, &Audit::check_segment_rows, &Audit::check_strays, &Audit::check_files, &Audit::check_runs}) {
      if (auto status = (this->*step)(); !status) return status.error();
    }
    auto compared = postings_.compare(runs_);
    if (!compared) return compared.error();
    report_.people_of_runs = *compared;
    if (auto books = ledger::check(snapshot_); !books) return diverges("ledger", "the ledger", books.error().message);
    std::set<std::string, std::less<>> run_keys;
    for (const auto& [id, entry] : runs_) run_keys.insert(entry.run.key);
    const auto transfers = ledger::check_transfers(snapshot_, [&](std::string_view key) { return run_keys.contains(key); });
    if (!transfers) return diverges("ledger", "the ledger", transfers.error().message);
    report_.runs = runs_.size();
    report_.segments = segments_.size();
    report_.files = files_.size();
    return report_;
  }

 private:
  // A damaged signing key would be found at the next run, which is late. A machine that only audits may not have it.
  core::Status check_signing_key() const {
    const auto text = core::read_file(instance_.folder() / "log.key");
    if (!text) return core::Done{};
    const auto signer = journal::Signer::parse(*text);
    const auto published = core::read_file(instance_.folder() / "log" / "key.pub");
    if (!signer || !published || signer->text() != *text || signer->key().text() + "\n" != *published)
      return diverges("log-key", fmt::format("'{}'", (instance_.folder() / "log.key").string()), "it is not the key that signs the log");
    return core::Done{};
  }

  // ---- what the log claims -------------------------------------------------------------------------------------------------------

  core::Status claim(std::uint64_t position, const journal::Entry& entry) {
    if (const auto* run = std::get_if<journal::RunEntry>(&entry)) return claim_run(position, *run);
    if (const auto* segment = std::get_if<journal::SegmentEntry>(&entry)) return claim_segment(position, *segment);
    if (const auto* compaction = std::get_if<journal::CompactionEntry>(&entry)) return claim_compaction(position, *compaction);
    if (const auto* actions = std::get_if<journal::StaffActionsEntry>(&entry)) staff_actions_.emplace_back(position, *actions);
    return core::Done{};
  }
  core::Status claim_run(std::uint64_t position, const journal::RunEntry& entry) {
    if (!runs_.emplace(entry.run.id, entry).second)
      return diverges("run", fmt::format("entry {} of the log", position), "the run is there twice");
    return check_methodologies(entry);
  }
  core::Status claim_segment(std::uint64_t position, const journal::SegmentEntry& entry) {
    const std::string file = journal::segment_path(entry.programme, entry.day, entry.run).string();
    const std::size_t index = segments_.size();
    if (!runs_.contains(entry.run)) return diverges("segment", fmt::format("entry {} of the log", position), "its run is not before it");
    if (!by_name_.emplace(std::tuple(entry.programme, entry.day, entry.run), index).second)
      return diverges("segment", fmt::format("entry {} of the log", position), "the segment is there twice");
    segments_.push_back({position, entry, file});
    files_[file] = {entry.programme, entry.day, entry.bytes, entry.sha256, {index}};
    return core::Done{};
  }
  core::Status claim_compaction(std::uint64_t position, const journal::CompactionEntry& entry) {
    ClaimedFile made{entry.programme, entry.day, entry.bytes, entry.sha256, {}};
    for (const RunId run : entry.runs) {
      const auto found = by_name_.find({entry.programme, entry.day, run});
      if (found == by_name_.end())
        return diverges("segment", fmt::format("entry {} of the log", position), "it moves a segment that is not there");
      files_.erase(segments_[found->second].file);
      segments_[found->second].file = entry.file;
      made.segments.push_back(found->second);
    }
    files_[entry.file] = std::move(made);
    return core::Done{};
  }
  core::Status check_methodologies(const journal::RunEntry& entry) const {
    for (const auto& used : entry.methodologies) {
      const auto* method = find_version(library_, used.id);
      const std::string where = fmt::format("run {}, methodology {}", entry.run.id, used.id);
      if (method == nullptr) return diverges("methodology", where, "the library does not have this version");
      if (method->digest != used.sha256)
        return diverges("methodology", where, "the library's file is not the one that the run used: a version was edited");
    }
    return core::Done{};
  }

  core::Status check_staff_actions() {
    identity::TrailAudit trail(snapshot_);
    for (const auto& [position, entry] : staff_actions_) {
      if (auto status = trail.check(position, entry); !status) return status.error();
    }
    const auto waiting = trail.finish();
    if (!waiting) return waiting.error();
    report_.staff_actions = trail.rows();
    report_.staff_actions_waiting = *waiting;
    return core::Done{};
  }

  // ---- what the database says of it ----------------------------------------------------------------------------------------------

  core::Status check_run_rows() {
    const auto rows = snapshot_.find<std::int64_t>("SELECT count(*) FROM run");
    if (std::size_t(rows.value_or(0)) != runs_.size())
      return diverges("run", "the table of runs", fmt::format("it has {} rows, the log {} runs", rows.value_or(0), runs_.size()));
    for (const auto& [id, entry] : runs_) {
      const auto row = journal::find_run(snapshot_, id);
      if (!row) return diverges("run", fmt::format("run {}", id), "the database does not have it");
      journal::RunEntry stored = entry;
      stored.run = *row;
      stored.corrections = journal::corrections_of_run(snapshot_, id);
      if (journal::entry_bytes(stored) != journal::entry_bytes(entry))
        return diverges("run", fmt::format("run {}", id), "its row is not what the log says");
    }
    return core::Done{};
  }

  core::Status check_segment_rows() {
    std::size_t rows = 0;
    for (const std::string& programme : journal::programmes_with_segments(snapshot_)) {
      for (const auto& row : journal::segments_between(snapshot_, programme, core::kFirstDay, core::kLastDay)) {
        ++rows;
        const std::string where = fmt::format("the segment of {} on {}, run {}", programme, core::to_text(row.day), row.run);
        const auto found = by_name_.find({programme, row.day, row.run});
        if (found == by_name_.end()) return diverges("segment", where, "the log does not have it");
        const ClaimedSegment& claimed = segments_[found->second];
        const ClaimedFile& file = files_.at(claimed.file);
        const auto& entry = claimed.entry;
        const bool same = row.position == claimed.position && row.info.root == entry.root && std::int64_t(row.info.rows) == entry.records &&
                          row.info.milligrams == entry.milligrams && row.info.points == entry.points &&
                          row.info.path.string() == claimed.file && row.info.sha256 == file.sha256 &&
                          std::int64_t(row.info.bytes) == file.bytes;
        if (!same) return diverges("segment", where, "its row is not what the log says");
        expected_info_.resize(segments_.size());
        expected_info_[found->second] = row.info;
      }
    }
    if (rows != segments_.size())
      return diverges("segment", "the table of segments", fmt::format("it has {} rows, the log {} segments", rows, segments_.size()));
    return core::Done{};
  }

  // ---- files and records ---------------------------------------------------------------------------------------------------------

  core::Status check_strays() {
    if (!fs::exists(instance_.journal()))
      return files_.empty() ? core::Status(core::Done{}) : diverges("file", "the journal", "its folder is missing");
    for (const auto& item : fs::recursive_directory_iterator(instance_.journal())) {
      if (!item.is_regular_file()) continue;
      const std::string name = fs::relative(item.path(), instance_.journal()).generic_string();
      if (!name.starts_with(".staging/") && !files_.contains(name))
        return diverges("file", fmt::format("'{}'", item.path().string()), "the log does not know it");
    }
    return core::Done{};
  }

  core::Status check_files() {
    std::vector<const std::pair<const std::string, ClaimedFile>*> files;
    std::uint64_t records = 0;
    for (const auto& file : files_) files.push_back(&file);
    for (const auto& segment : segments_) records += std::uint64_t(segment.entry.records);
    counted_.resize(segments_.size());
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    core::Status first = core::Done{};
    std::size_t first_at = files.size();
    core::on_threads(
        std::max(1U, request_.threads),
        [&](unsigned) {
          FileReading reading(*this);
          for (std::size_t at = next++; at < files.size(); at = next++) {
            auto status = reading.check(files[at]->first, files[at]->second, records);
            if (status) continue;
            const std::scoped_lock lock(mutex);
            next = files.size();
            if (at < first_at) first = status, first_at = at;
          }
        },
        [&](const std::exception_ptr&) { next = files.size(); });
    return first;
  }

  /// Reads files one after the other, in one thread.
  class FileReading {
   public:
    explicit FileReading(Audit& audit) : audit_(audit), hasher_(names_), writer_(audit.postings_) {}

    core::Status check(const std::string& name, const ClaimedFile& file, std::uint64_t records_in_all) {
      const fs::path path = audit_.instance_.journal() / name;
      if (auto status = check_bytes(path, file); !status) return status;
      edges_.assign(file.segments.size(), {});
      counted_.assign(file.segments.size(), {});
      ranges_.assign(file.segments.size(), {});
      auto opened = journal::SegmentReader::open(path);
      if (!opened) return opened.error();
      auto reader = *std::move(opened);
      for (std::size_t group = 0; group < reader.row_groups(); ++group) {
        if (auto status = reader.read(group, journal::ColumnSet::all(), names_, rows_); !status) return status;
        if (auto status = take(path, file); !status) return status;
        if (auto status = recompute(path, file.programme); !status) return status;
        audit_.note_progress(rows_.size(), records_in_all);
      }
      return check_segments(file);
    }

   private:
    core::Status check_bytes(const fs::path& path, const ClaimedFile& file) {
      std::ifstream in(path, std::ios::binary);
      if (!in) return diverges("file", fmt::format("'{}'", path.string()), "it is missing");
      buffer_.resize(kReadBytes);
      core::Sha256 hash;
      std::int64_t bytes = 0;
      while (in.read(buffer_.data(), std::streamsize(buffer_.size())), in.gcount() > 0) {
        hash.update({buffer_.data(), std::size_t(in.gcount())});
        bytes += in.gcount();
      }
      if (bytes != file.bytes)
        return diverges("file", fmt::format("'{}'", path.string()), fmt::format("it has {} bytes, not {}", bytes, file.bytes));
      if (hash.finish() != file.sha256) return diverges("file", fmt::format("'{}'", path.string()), "its SHA-256 is not what the log says");
      audit_.bytes_ += std::uint64_t(bytes);
      return core::Done{};
    }

    // Rows of one row group: hashed, counted and summed by the segment they belong to.
    core::Status take(const fs::path& path, const ClaimedFile& file) {
      leaves_.clear();
      hasher_.hash(rows_, 0, rows_.size(), leaves_);
      const auto accepted = index_of(names_.outcomes, name(Outcome::accepted)), capped = index_of(names_.outcomes, name(Outcome::capped));
      for (std::size_t begin = 0, end = 0; begin < rows_.size(); begin = end) {
        const std::size_t at = segment_of(file, begin);
        if (at == file.segments.size())
          return diverges("record", fmt::format("'{}'", path.string()), "a record is of a run that has no segment here");
        for (end = begin; end < rows_.size() && segment_of(file, end) == at; ++end) count(end, accepted, capped, counted_[at], ranges_[at]);
        edges_[at].append(std::span(leaves_).subspan(begin, end - begin));
        const ClaimedSegment& segment = audit_.segments_[file.segments[at]];
        if (auto status = writer_.add(audit_.runs_.at(segment.entry.run), file.day, rows_, names_, begin, end); !status) return status;
      }
      return core::Done{};
    }

    // Milligrams by the very version that the record names.
    core::Status recompute(const fs::path& path, const std::string& programme) {
      auto& recheck = rechecks_[programme];
      if (!recheck) {
        const auto settings = audit_.request_.programme(programme);
        if (!settings) return settings.error();
        auto zone = core::Zone::find(settings->time_zone);
        if (!zone) return zone.error();
        recheck = std::make_unique<Recheck>(audit_.library_, *settings, *std::move(zone));
      }
      const Recheck::Counts before = recheck->counts();
      if (auto status = recheck->check(rows_, names_); !status)
        return diverges("records", fmt::format("'{}'", path.string()), status.error().message);
      if (recheck->counts().differing > before.differing) {
        const Divergence& first = recheck->divergences().front();
        return diverges("records", fmt::format("'{}', account {}, event {:016x}", path.string(), core::to_hex(first.person), first.event),
                        fmt::format("{} mg are booked ({}), {} gives {} mg ({})", first.milligrams_booked, first.booked, first.methodology,
                                    first.milligrams_expected, first.expected));
      }
      const std::scoped_lock lock(audit_.mutex_);
      audit_.report_.recomputed += recheck->counts().equal + recheck->counts().within_cap - before.equal - before.within_cap;
      audit_.report_.not_alone += recheck->counts().not_alone - before.not_alone;
      return core::Done{};
    }

    std::size_t segment_of(const ClaimedFile& file, std::size_t row) const {
      if (rows_.run.empty()) return file.segments.size() == 1 ? 0 : file.segments.size();
      std::size_t at = 0;
      while (at < file.segments.size() && std::int64_t(audit_.segments_[file.segments[at]].entry.run) != rows_.run[row]) ++at;
      return at;
    }

    struct Range {
      core::PersonKey person_min, person_max;
      core::Millis start_min = INT64_MAX, start_max = INT64_MIN;
    };
    void count(std::size_t row, std::size_t accepted, std::size_t capped, Counted& counted, Range& range) const {
      if (counted.records++ == 0) range.person_min = rows_.person[row];
      range.person_max = rows_.person[row];
      range.start_min = std::min(range.start_min, rows_.start_ms[row]);
      range.start_max = std::max(range.start_max, rows_.start_ms[row]);
      counted.milligrams = core::add_or_throw(counted.milligrams, rows_.milligrams[row]);
      counted.points = core::add_or_throw(counted.points, rows_.points[row]);
      if (rows_.revision[row] > 0) {
        ++counted.adjusted;
      } else {
        counted.accepted += rows_.outcome[row] == accepted;
        counted.capped += rows_.outcome[row] == capped;
      }
    }

    core::Status check_segments(const ClaimedFile& file) {
      for (std::size_t at = 0; at < file.segments.size(); ++at) {
        const journal::SegmentEntry& entry = audit_.segments_[file.segments[at]].entry;
        const std::string where = fmt::format("the segment of {} on {}, run {}", entry.programme, core::to_text(entry.day), entry.run);
        if (edges_[at].root() != entry.root) return diverges("records", where, "its records do not hash to the root that the log has");
        const Counted& counted = counted_[at];
        if (counted.records != entry.records || counted.milligrams != entry.milligrams || counted.points != entry.points)
          return diverges("records", where, "its records do not add up to what the log says");
        const auto& row = audit_.expected_info_[file.segments[at]];
        const Range& range = ranges_[at];
        if (row.person_min != range.person_min || row.person_max != range.person_max || row.start_min != range.start_min ||
            row.start_max != range.start_max)
          return diverges("segment", where, "its row names other people or times than its records have");
        const std::scoped_lock lock(audit_.mutex_);
        audit_.counted_[file.segments[at]] = counted;
      }
      return core::Done{};
    }

    static std::size_t index_of(const std::vector<std::string>& words, std::string_view word) {
      return std::size_t(std::find(words.begin(), words.end(), word) - words.begin());
    }

    Audit& audit_;
    journal::Names names_;
    journal::Columns rows_;
    journal::RecordHasher hasher_;
    PostingAudit::Writer writer_;
    std::map<std::string, std::unique_ptr<Recheck>> rechecks_;  // by programme
    std::vector<core::Digest> leaves_;
    std::vector<core::merkle::Edge> edges_;
    std::vector<Counted> counted_;
    std::vector<Range> ranges_;
    std::string buffer_;
  };

  void note_progress(std::uint64_t records, std::uint64_t of) {
    const std::scoped_lock lock(mutex_);
    done_ += records;
    if (request_.progress) request_.progress(done_, of);
  }

  // A run's counts are those of its records, as far as records say: repetitions and refused records leave no row.
  core::Status check_runs() {
    std::map<RunId, Counted> sums;
    for (std::size_t i = 0; i < segments_.size(); ++i) sums[segments_[i].entry.run].add(counted_[i]);
    std::map<RunId, std::int64_t> segments;
    for (const auto& segment : segments_) ++segments[segment.entry.run];
    for (const auto& [id, entry] : runs_) {
      const Counted& sum = sums[id];
      const journal::Run& run = entry.run;
      const bool same = sum.milligrams == run.milligrams && sum.points == run.points && sum.accepted == run.accepted &&
                        sum.capped == run.capped && sum.adjusted == run.adjusted && segments[id] == entry.segments;
      if (!same) return diverges("run", fmt::format("run {}", id), "its records do not add up to what the log says of it");
      report_.records += std::uint64_t(sum.records);
      report_.milligrams = core::add_or_throw(report_.milligrams, sum.milligrams);
      report_.points = core::add_or_throw(report_.points, sum.points);
    }
    report_.bytes = bytes_;
    return core::Done{};
  }

  identity::Instance& instance_;
  const methodology::Library& library_;
  const AuditRequest& request_;
  db::Snapshot snapshot_;
  PostingAudit postings_;
  std::vector<std::pair<std::uint64_t, journal::StaffActionsEntry>> staff_actions_;
  std::map<RunId, journal::RunEntry> runs_;
  std::vector<ClaimedSegment> segments_;  // in the order of the log
  std::vector<journal::SegmentInfo> expected_info_;
  std::map<std::tuple<std::string, core::Day, RunId>, std::size_t> by_name_;
  std::map<std::string, ClaimedFile> files_;
  std::vector<Counted> counted_;  // by segment
  std::mutex mutex_;
  std::uint64_t done_ = 0;
  std::atomic<std::uint64_t> bytes_{0};
  AuditReport report_;
};

}  // namespace

core::Result<AuditReport> audit(identity::Instance& instance, const methodology::Library& library, const AuditRequest& request) {
  return Audit(instance, library, request).run();
}

}  // namespace tanhui::activity
