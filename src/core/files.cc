#include "core/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

namespace tanhui::core {
namespace {

[[noreturn]] void throw_errno(const std::filesystem::path& path, const char* what, int error = errno) {
  throw std::system_error(error, std::generic_category(), std::string(what) + " '" + path.string() + "'");
}

}  // namespace

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(std::size_t(written));
  }
  return true;
}

std::optional<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void write_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode) {
  const std::filesystem::path draft = path.string() + ".draft";
  const int descriptor = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (descriptor < 0) throw_errno(draft, "cannot create");
  const bool written = write_all(descriptor, bytes) && ::fsync(descriptor) == 0;
  const int error = errno;
  ::close(descriptor);
  if (!written) throw_errno(draft, "cannot write", error);
  if (::rename(draft.c_str(), path.c_str()) != 0) throw_errno(path, "cannot name");
  sync_folder(path.parent_path());
}

void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw_errno(folder, "cannot open the folder");
  const int failed = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  if (failed != 0) throw_errno(folder, "cannot sync the folder", error);
}

FileLock::FileLock(const std::filesystem::path& path) : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (descriptor_ < 0) throw_errno(path, "cannot open");
  while (::flock(descriptor_, LOCK_EX) != 0)
    if (errno != EINTR) throw_errno(path, "cannot lock");
}
FileLock::~FileLock() { ::close(descriptor_); }

}  // namespace tanhui::core
