// The library as a whole: which files there are, read on all cores, and their worked examples.
#include <atomic>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/invariant.h"
#include "methodology/loader.h"
#include "methodology/reference.h"

namespace tanhui::methodology {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 20'000;

struct File {
  fs::path path;
  std::optional<Source> source;
  std::optional<YamlNode> root;
  std::vector<Problem> problems;
  std::shared_ptr<const Table> table;
  std::shared_ptr<const Methodology> methodology;
};

std::optional<std::string> read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    if (in && fs::exists(path) && fs::is_regular_file(path) && fs::file_size(path) == 0) return std::string();
    return std::nullopt;
  }
  return text.str();
}

/// Runs `work` for every file, on all cores; the files do not see each other.
template <class Work>
void for_all(std::vector<File>& files, Work work) {
  std::atomic<std::size_t> next = 0;
  const auto worker = [&] {
    for (std::size_t i = next++; i < files.size(); i = next++) work(files[i]);
  };
  const std::size_t helpers = std::min<std::size_t>({std::max(1U, std::thread::hardware_concurrency()), 8, files.size()});
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < helpers; ++i) threads.emplace_back(worker);
  worker();
}

/// Reads and parses; the root stays empty after a problem.
void parse(File& file) {
  const auto text = read_text(file.path);
  file.source.emplace(file.path.string(), text.value_or(""));
  Reporter report(*file.source, file.problems);
  if (!text)
    report.mistake({}, "the file cannot be read", "check its name and permissions");
  else
    file.root = parse_yaml(*file.source, report);
}

std::vector<fs::path> yaml_files(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && paths.size() < kFilesMax; it.increment(error))
    if (it->path().extension() == ".yaml" && it->is_regular_file()) paths.push_back(it->path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<fs::path> subfolders(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->is_directory() && it->path().filename() != "tables") paths.push_back(it->path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

void take_problems(std::vector<File>& files, std::vector<Problem>& problems) {
  for (File& file : files) {
    std::stable_sort(file.problems.begin(), file.problems.end(),
                     [](const Problem& a, const Problem& b) { return std::pair(a.line, a.column) < std::pair(b.line, b.column); });
    std::move(file.problems.begin(), file.problems.end(), std::back_inserter(problems));
  }
}

bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code error;
  return fs::equivalent(a, b, error);
}

/// activities.yaml and regions.yaml, which everything else refers to.
core::Status read_catalogues(Library::State& state, std::vector<Problem>& problems) {
  for (const char* name : {"activities.yaml", "regions.yaml"}) {
    std::vector<File> one(1);
    one[0].path = state.folder / name;
    if (!fs::exists(one[0].path))
      return core::Error{core::ErrorCode::not_found,
                         "methodology.no-library",
                         fmt::format("'{}' is not a methodology library: {} is missing", state.folder.string(), name),
                         "give the folder that holds activities.yaml, or run in the project's folder",
                         {{"folder", state.folder.string()}}};
    parse(one[0]);
    Reporter report(*one[0].source, one[0].problems);
    if (one[0].root && std::string_view(name) == "activities.yaml")
      state.activities = read_activities(*one[0].root, report);
    else if (one[0].root)
      state.regions = read_regions(*one[0].root, report);
    take_problems(one, problems);
  }
  for (std::size_t i = 0; i < state.activities.size(); ++i) state.activity_index.emplace(state.activities[i].id, i);
  for (std::size_t i = 0; i < state.regions.size(); ++i) state.region_index.emplace(state.regions[i].code, i);
  return core::Done{};
}

void read_shared_tables(Library::State& state, std::vector<Problem>& problems) {
  std::vector<File> files;
  for (const fs::path& path : yaml_files(state.folder / "tables"))
    files.push_back({.path = path, .source = {}, .root = {}, .problems = {}, .table = {}, .methodology = {}});
  for_all(files, [&](File& file) {
    parse(file);
    if (!file.root) return;
    Reporter report(*file.source, file.problems);
    file.table = read_table(*file.root, file.path.stem().string(), true, state, report);
  });
  for (File& file : files)
    if (file.table && std::none_of(file.problems.begin(), file.problems.end(), [](const Problem& problem) { return !problem.warning; }))
      state.tables.emplace(file.table->id, file.table);
  take_problems(files, problems);
}

void read_methodologies(Library::State& state, const std::vector<fs::path>& extra, std::vector<Problem>& problems) {
  std::vector<File> files;
  const auto add = [&](const fs::path& path) {
    files.push_back({.path = path, .source = {}, .root = {}, .problems = {}, .table = {}, .methodology = {}});
  };
  for (const fs::path& folder : subfolders(state.folder))
    for (const fs::path& path : yaml_files(folder))
      if (std::none_of(extra.begin(), extra.end(), [&](const fs::path& other) { return same_file(path, other); })) add(path);
  const std::size_t own = files.size();
  for (const fs::path& path : extra) add(path);
  for_all(files, [&](File& file) {
    parse(file);
    if (!file.root) return;
    Reporter report(*file.source, file.problems);
    file.methodology = read_methodology(*file.root, file.path.stem().string(), state, report);
    if (!file.problems.empty() &&
        std::any_of(file.problems.begin(), file.problems.end(), [](const Problem& problem) { return !problem.warning; }))
      file.methodology = nullptr;
  });
  std::map<std::pair<std::string, int>, File*> by_id;
  for (std::size_t i = files.size(); i-- > 0;) {  // named files first: they replace the library's
    File& file = files[i];
    if (!file.methodology) continue;
    const auto [first, is_new] = by_id.emplace(std::pair(file.methodology->id, file.methodology->version), &file);
    if (is_new || i < own) {
      if (is_new)
        state.methodologies.push_back(file.methodology);
      else if (first->second < &files[own]) {
        Reporter report(*file.source, file.problems);
        report.mistake(
            {},
            fmt::format("'{}' version {} stands in {} too", file.methodology->id, file.methodology->version, first->second->path.string()),
            "keep one file, or give this one a new version");
      }
    }
  }
  std::sort(state.methodologies.begin(), state.methodologies.end(),
            [](const auto& a, const auto& b) { return std::tie(a->id, a->version) < std::tie(b->id, b->version); });
  take_problems(files, problems);
}

}  // namespace

std::vector<std::string> Library::State::chain(std::string_view region) const {
  std::vector<std::string> codes{std::string(region)};
  for (auto found = region_index.find(region); found != region_index.end() && !regions[found->second].parent.empty();
       found = region_index.find(codes.back()))
    codes.push_back(regions[found->second].parent);
  return codes;
}

core::Result<Library> Library::load(const fs::path& folder, std::vector<Problem>& problems) { return load(folder, {}, problems); }

core::Result<Library> Library::load(const fs::path& folder, const std::vector<fs::path>& files, std::vector<Problem>& problems) {
  auto state = std::make_shared<State>();
  state->folder = folder;
  if (auto catalogues = read_catalogues(*state, problems); !catalogues) return catalogues.error();
  read_shared_tables(*state, problems);
  read_methodologies(*state, files, problems);
  return Library(std::move(state));
}

const std::vector<ActivityType>& Library::activities() const { return state_->activities; }

std::optional<std::size_t> Library::find_activity(std::string_view id) const {
  const auto found = state_->activity_index.find(id);
  return found == state_->activity_index.end() ? std::nullopt : std::optional(found->second);
}

const std::vector<Region>& Library::regions() const { return state_->regions; }

const Region* Library::find_region(std::string_view code) const {
  const auto found = state_->region_index.find(code);
  return found == state_->region_index.end() ? nullptr : &state_->regions[found->second];
}

std::vector<std::string> Library::region_chain(std::string_view code) const { return state_->chain(code); }

const std::vector<std::shared_ptr<const Methodology>>& Library::methodologies() const { return state_->methodologies; }

const Methodology* Library::find(std::string_view id) const {
  const Methodology* newest = nullptr;
  for (const auto& methodology : state_->methodologies)
    if (methodology->id == id) newest = methodology.get();  // by version
  return newest;
}

const Methodology* Library::find(std::string_view id, int version) const {
  for (const auto& methodology : state_->methodologies)
    if (methodology->id == id && methodology->version == version) return methodology.get();
  return nullptr;
}

}  // namespace tanhui::methodology
