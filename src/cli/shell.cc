#include "cli/shell.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "identity/programmes.h"

namespace tanhui::cli {
namespace {

bool is_home(const std::filesystem::path& folder) {
  return std::filesystem::is_directory(folder / "methodologies") && std::filesystem::is_directory(folder / "programmes");
}

std::filesystem::path upwards(std::filesystem::path folder) {
  for (; !is_home(folder); folder = folder.parent_path()) {
    if (folder == folder.parent_path()) return {};
  }
  return folder;
}

}  // namespace

std::filesystem::path find_home(const char* program) {
  if (const char* home = std::getenv("TANHUI_HOME"); home != nullptr && *home != '\0') return home;
  std::error_code ignored;
  const auto self = std::filesystem::canonical("/proc/self/exe", ignored);
  if (auto home = upwards((ignored ? std::filesystem::absolute(program) : self).parent_path()); !home.empty()) return home;
  if (auto home = upwards(std::filesystem::current_path()); !home.empty()) return home;
  return std::filesystem::current_path();
}

core::Result<identity::Programme> Shell::programme(const std::string& id) const {
  auto opened = open_instance();
  if (!opened && opened.error().id != "instance.not-found") return opened.error();
  if (opened) {
    auto there = *std::move(opened);
    if (auto found = identity::programme_at(there.database(), id, now_ms())) return *std::move(found);
  }
  return identity::find_programme(home / "programmes", id);
}

core::Result<identity::Programme> Shell::open_programme(const std::string& id) const {
  auto found = programme(id);
  auto opened = open_instance();
  if (!found || !opened) return found;
  auto there = *std::move(opened);
  const auto stored = identity::stored_programme(there.database(), id, now_ms());
  if (!stored) return found;
  if (auto open = identity::check_open(*stored); !open) return open.error();
  return found;
}

core::Result<methodology::Library> Shell::library() const {
  std::vector<methodology::Problem> problems;
  auto library = methodology::Library::load(home / "methodologies", problems);
  for (const methodology::Problem& problem : problems) {
    if (!problem.warning) fmt::print(stderr, "{}\n", problem.text);
  }
  return library;
}

core::Result<std::filesystem::path> Shell::profile(const std::string& name) const {
  if (std::filesystem::is_regular_file(name)) return std::filesystem::path(name);
  const std::filesystem::path known = home / "profiles" / (name + ".yaml");
  if (std::filesystem::is_regular_file(known)) return known;
  std::string there;
  std::error_code ignored;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(home / "profiles", ignored)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  for (const std::string& one : names) there += (there.empty() ? "" : ", ") + one;
  return core::Error{core::ErrorCode::not_found,
                     "profile.not-found",
                     fmt::format("there is no profile '{}'", name),
                     "use one of these, or the path of a profile file: " + there,
                     {{"profile", name}}};
}

int complain(const core::Error& error, bool chinese) {
  fmt::print(stderr, "{}: {}\n", chinese ? "错误" : "error", error.message);
  if (!error.action.empty()) fmt::print(stderr, "  {}: {}\n", chinese ? "处理办法" : "what to do", error.action);
  return kRefused;
}

core::PersonKey person_key(const identity::Instance& instance, const std::string& person) {
  core::PersonKey key;
  if (person.size() == 32) {
    const auto high = std::from_chars(person.data(), person.data() + 16, key.high, 16);
    const auto low = std::from_chars(person.data() + 16, person.data() + 32, key.low, 16);
    if (high.ptr == person.data() + 16 && low.ptr == person.data() + 32) return key;
  }
  return instance.secret().person(person);
}

core::Millis now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::uint64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::uint64_t(usage.ru_maxrss) * 1024;
}

bool is_terminal(int descriptor) { return isatty(descriptor) == 1; }

}  // namespace tanhui::cli
