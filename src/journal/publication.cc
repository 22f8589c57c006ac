#include "journal/publication.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <system_error>

#include "core/files.h"
#include "core/invariant.h"

namespace tanhui::journal {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kProgrammeIdMax = 100;
constexpr const char* kStaging = ".staging";

bool is_programme_id(std::string_view id) {
  return !id.empty() && id.size() <= kProgrammeIdMax && id.front() != '.' &&
         id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == std::string_view::npos;
}

std::string run_name(RunId run) { return fmt::format("run-{:06}", run); }

std::optional<RunId> parse_run_name(std::string_view text) {
  if (!text.starts_with("run-") || text.size() < 5) return std::nullopt;
  RunId run = 0;
  for (const char c : text.substr(4)) {
    if (c < '0' || c > '9') return std::nullopt;
    run = run * 10 + RunId(c - '0');
  }
  return run_name(run) == text ? std::optional(run) : std::nullopt;
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// Makes `folder` and the missing folders above it, each durable in its parent.
void make_folders(const fs::path& folder) {
  if (folder.empty() || fs::is_directory(folder)) return;
  make_folders(folder.parent_path());
  fs::create_directory(folder);
  core::sync_folder(folder.parent_path());
}

bool same_bytes(const fs::path& a, const fs::path& b) {
  if (fs::file_size(a) != fs::file_size(b)) return false;
  std::ifstream first(a, std::ios::binary), second(b, std::ios::binary);
  return std::equal(std::istreambuf_iterator<char>(first), {}, std::istreambuf_iterator<char>(second));
}

// Never over a segment that is there already: rename() alone would replace it.
void move_into_place(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EINVAL && !fs::exists(to)) return fs::rename(from, to);  // a file system without the flag
  if (errno != EEXIST && errno != EINVAL) throw fs::filesystem_error("cannot publish", from, to, {errno, std::generic_category()});
  core::invariant(same_bytes(from, to), "a published segment never changes: " + to.string());
  fs::remove(from);
}

}  // namespace

fs::path segment_path(std::string_view programme, core::Day day, RunId run) {
  core::invariant(is_programme_id(programme), "a programme id is [a-z0-9._-], at most 100 characters");
  return fs::path(fmt::format("programme={}", programme)) / fmt::format("day={}", core::to_text(day)) / (run_name(run) + ".parquet");
}

Publication::Publication(fs::path journal, RunId run)
    : journal_(std::move(journal)), staging_(journal_ / kStaging / run_name(run)), run_(run) {}

fs::path Publication::stage(std::string_view programme, core::Day day) {
  fs::path path = staging_ / segment_path(programme, day, run_);
  make_folders(path.parent_path());
  return path;
}

fs::path Publication::place(std::string_view programme, core::Day day) const { return journal_ / segment_path(programme, day, run_); }

std::size_t Publication::publish() {
  if (!fs::is_directory(staging_)) return 0;
  const auto staged = files_below(staging_);
  std::set<fs::path> touched;
  for (const fs::path& file : staged) {
    const fs::path target = journal_ / file.lexically_relative(staging_);
    make_folders(target.parent_path());
    move_into_place(file, target);
    touched.insert(target.parent_path());
  }
  for (const fs::path& folder : touched) core::sync_folder(folder);  // durable in the journal before the staging folder goes
  discard();
  return staged.size();
}

void Publication::discard() {
  fs::remove_all(staging_);
  if (fs::is_directory(staging_.parent_path())) core::sync_folder(staging_.parent_path());
}

Recovery recover(const fs::path& journal, const std::function<bool(RunId)>& committed) {
  Recovery recovery;
  if (!fs::is_directory(journal / kStaging)) return recovery;
  std::vector<RunId> runs;
  for (const auto& entry : fs::directory_iterator(journal / kStaging))
    if (const auto run = parse_run_name(entry.path().filename().string())) runs.push_back(*run);
  std::sort(runs.begin(), runs.end());
  for (const RunId run : runs) {
    Publication left(journal, run);
    if (committed(run)) {
      left.publish();
      recovery.published.push_back(run);
    } else {
      left.discard();
      recovery.discarded.push_back(run);
    }
  }
  return recovery;
}

}  // namespace tanhui::journal
