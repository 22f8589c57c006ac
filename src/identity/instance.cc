#include "identity/instance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/invariant.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
using KeyBytes = std::array<std::uint8_t, core::KeySecret::kBytes>;

std::filesystem::path key_path(const std::filesystem::path& folder) { return folder / "secret.key"; }
std::filesystem::path database_path(const std::filesystem::path& folder) { return folder / "tanhui.db"; }

[[noreturn]] void fail(std::string_view doing, const std::filesystem::path& path) {
  throw db::Failure(fmt::format("{} '{}' failed: {}", doing, path.string(), std::strerror(errno)));
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int operator*() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

/// Two processes that make the instance together end with the same key: a whole file appears under the name, or none does.
void make_key(const std::filesystem::path& folder) {
  core::invariant(sodium_init() >= 0, "libsodium has a source of randomness");
  KeyBytes bytes;
  randombytes_buf(bytes.data(), bytes.size());
  const auto draft = folder / fmt::format("secret.key.{}", ::getpid());
  {
    const Descriptor file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (*file < 0 || ::write(*file, bytes.data(), bytes.size()) != ssize_t(bytes.size()) || ::fsync(*file) != 0) fail("writing", draft);
  }
  sodium_memzero(bytes.data(), bytes.size());
  if (::link(draft.c_str(), key_path(folder).c_str()) != 0 && errno != EEXIST) fail("naming", key_path(folder));
  ::unlink(draft.c_str());
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (*directory < 0 || ::fsync(*directory) != 0) fail("keeping", folder);
}

core::Result<core::KeySecret> read_key(const std::filesystem::path& folder) {
  const Descriptor file(::open(key_path(folder).c_str(), O_RDONLY | O_CLOEXEC));
  if (*file < 0) fail("opening", key_path(folder));
  std::array<std::uint8_t, core::KeySecret::kBytes + 1> bytes;  // one more, to see that the file ends
  const ssize_t count = ::read(*file, bytes.data(), bytes.size());
  if (count != ssize_t(core::KeySecret::kBytes))
    return Error{ErrorCode::refused,
                 "instance.key-damaged",
                 fmt::format("'{}' does not hold exactly {} bytes", key_path(folder).string(), core::KeySecret::kBytes),
                 "restore it from a backup; without it nobody's records are recognised",
                 {{"folder", folder.string()}}};
  const core::KeySecret secret{std::span<const std::uint8_t, core::KeySecret::kBytes>(bytes.data(), core::KeySecret::kBytes)};
  sodium_memzero(bytes.data(), bytes.size());
  return secret;
}

Error key_missing(const std::filesystem::path& folder) {
  return {ErrorCode::refused,
          "instance.key-missing",
          fmt::format("'{}' holds a database but not its secret.key", folder.string()),
          "restore secret.key from a backup; a new one would not recognise anybody",
          {{"folder", folder.string()}}};
}

}  // namespace

RunLock::RunLock(RunLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
RunLock::~RunLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

core::Result<Instance> Instance::open_or_create(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder) && !std::filesystem::is_directory(folder))
    return Error{ErrorCode::invalid_input,
                 "instance.not-a-folder",
                 fmt::format("'{}' is not a folder", folder.string()),
                 "give a folder, or a path that does not exist yet",
                 {{"folder", folder.string()}}};
  std::filesystem::create_directories(folder / "journal");
  if (!std::filesystem::exists(key_path(folder))) {
    if (std::filesystem::exists(database_path(folder))) return key_missing(folder);
    make_key(folder);
  }
  return open(folder);
}

core::Result<Instance> Instance::open(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(key_path(folder)) && !std::filesystem::exists(database_path(folder)))
    return Error{ErrorCode::not_found,
                 "instance.not-found",
                 fmt::format("there is no instance in '{}'", folder.string()),
                 "account something first, or give the folder of an instance",
                 {{"folder", folder.string()}}};
  if (!std::filesystem::exists(key_path(folder))) return key_missing(folder);
  auto secret = read_key(folder);
  if (!secret) return secret.error();
  auto database = db::Database::open(database_path(folder).string());
  if (!database) return database.error();
  return Instance(folder, *secret, *std::move(database));
}

core::Result<db::Database> Instance::connect() const { return db::Database::open(database_path(folder_).string()); }

core::Result<RunLock> Instance::lock_for_run() const {
  const auto path = folder_ / "run.lock";
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (*file < 0) fail("opening", path);
  if (::flock(*file, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) fail("locking", path);
    std::array<char, 32> holder{};
    const ssize_t count = ::pread(*file, holder.data(), holder.size() - 1, 0);
    const std::string process = count > 0 ? std::string(holder.data(), std::size_t(count)) : "unknown";
    return Error{ErrorCode::refused,
                 "instance.busy",
                 fmt::format("another run is booking into '{}' (process {})", folder_.string(), process),
                 "wait until it is done, then start again",
                 {{"process", process}}};
  }
  const std::string process = std::to_string(::getpid());
  if (::ftruncate(*file, 0) != 0 || ::pwrite(*file, process.data(), process.size(), 0) != ssize_t(process.size())) fail("writing", path);
  return RunLock(file.release());
}

}  // namespace tanhui::identity
