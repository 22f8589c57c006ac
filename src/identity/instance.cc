#include "identity/instance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/files.h"
#include "core/invariant.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
using KeyBytes = std::array<std::uint8_t, core::KeySecret::kBytes>;

std::filesystem::path key_path(const std::filesystem::path& folder) { return folder / "secret.key"; }
std::filesystem::path default_database(const std::filesystem::path& folder) { return folder / "tanhui.db"; }
std::filesystem::path address_path(const std::filesystem::path& folder) { return folder / "database"; }

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

void write_private(const std::filesystem::path& path, std::string_view bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (*file < 0 || !core::write_all(*file, bytes) || ::fsync(*file) != 0) fail("writing", path);
}

void keep_names(const std::filesystem::path& folder) {
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (*directory < 0 || ::fsync(*directory) != 0) fail("keeping", folder);
}

std::filesystem::path draft_of(const std::filesystem::path& path) { return path.string() + fmt::format(".{}", ::getpid()); }

/// Two processes that make the instance together end with the same key: a whole file appears under the name, or none does.
void make_key(const std::filesystem::path& folder) {
  core::invariant(sodium_init() >= 0, "libsodium has a source of randomness");
  KeyBytes bytes;
  randombytes_buf(bytes.data(), bytes.size());
  const auto draft = draft_of(key_path(folder));
  write_private(draft, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  sodium_memzero(bytes.data(), bytes.size());
  if (::link(draft.c_str(), key_path(folder).c_str()) != 0 && errno != EEXIST) fail("naming", key_path(folder));
  ::unlink(draft.c_str());
  keep_names(folder);
}

struct Key {
  core::KeySecret secret;
  core::Digest digest;  // tells the database which key it belongs to
};

core::Result<Key> read_key(const std::filesystem::path& folder) {
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
  core::Sha256 hash;
  hash.update("tanhui instance");
  hash.update({reinterpret_cast<const char*>(bytes.data()), core::KeySecret::kBytes});
  const Key key{core::KeySecret(std::span<const std::uint8_t, core::KeySecret::kBytes>(bytes.data(), core::KeySecret::kBytes)),
                hash.finish()};
  sodium_memzero(bytes.data(), bytes.size());
  return key;
}

Error key_missing(const std::filesystem::path& folder) {
  return {ErrorCode::refused,
          "instance.key-missing",
          fmt::format("'{}' has a database but not its secret.key", folder.string()),
          "restore secret.key from a backup; a new one would not recognise anybody",
          {{"folder", folder.string()}}};
}

/// Files by their full path, servers by their address without a password: what tells two databases apart.
core::Result<std::string> identity_of(std::string_view where) {
  auto name = db::Database::name_of(where);
  if (!name || where.find("://") != std::string_view::npos) return name;
  return std::filesystem::weakly_canonical(*name).string();
}

std::optional<std::string> remembered(const std::filesystem::path& folder) {
  std::ifstream file(address_path(folder));
  std::string where;
  return std::getline(file, where) && !where.empty() ? std::optional(where) : std::nullopt;
}

bool has_accounts(const std::filesystem::path& folder) {
  return std::filesystem::exists(address_path(folder)) || std::filesystem::exists(default_database(folder));
}

std::optional<core::Digest> key_of(db::Database& database) {
  return database.find<core::Digest>("SELECT key_digest FROM instance WHERE one = 1");
}

core::Status claim(db::Database& database, const core::Digest& key, const std::filesystem::path& folder) {
  if (!key_of(database))
    (void)database.transact([&](db::Transaction& tx) -> core::Status {
      tx.exec("INSERT INTO instance (one, key_digest) VALUES (1, $1) ON CONFLICT DO NOTHING", key);
      return core::Done{};
    });
  if (key_of(database) == key) return core::Done{};
  return Error{ErrorCode::refused,
               "instance.other-key",
               fmt::format("the database '{}' belongs to another instance: it was made with another secret.key than that of '{}'",
                           database.name(), folder.string()),
               "give the instance folder that it belongs to, or another database",
               {{"folder", folder.string()}, {"store", database.name()}}};
}

core::Status check_folder(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder) || std::filesystem::is_directory(folder)) return core::Done{};
  return Error{ErrorCode::invalid_input,
               "instance.not-a-folder",
               fmt::format("'{}' is not a folder", folder.string()),
               "give a folder, or a path that does not exist yet",
               {{"folder", folder.string()}}};
}

}  // namespace

RunLock::RunLock(RunLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), lock_(std::exchange(other.lock_, std::nullopt)) {}
RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(lock_, other.lock_);
  return *this;
}
RunLock::~RunLock() {
  lock_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
}

core::Result<std::string> Instance::database_of(const std::filesystem::path& folder, std::string_view database) {
  const std::string kept = remembered(folder).value_or(default_database(folder).string());
  if (database.empty()) return kept;
  const auto asked = identity_of(database);
  if (!asked) return asked;
  const auto is = identity_of(kept);
  if (!is) return is;
  if (*asked == *is || !has_accounts(folder)) return std::string(database);
  return Error{ErrorCode::refused,
               "instance.other-database",
               fmt::format("'{}' has its accounts in '{}', not in '{}'", folder.string(), *is, *asked),
               "leave --database (and TANHUI_DATABASE) out, give another --instance, or move the accounts by `tanhui migrate`",
               {{"folder", folder.string()}, {"store", *is}}};
}

core::Result<Instance> Instance::open_or_create(const std::filesystem::path& folder, std::string_view database) {
  if (const auto status = check_folder(folder); !status) return status.error();
  const auto where = database_of(folder, database);
  if (!where) return where.error();
  // Of several processes that begin together each finds either nothing or a key: it is there before anything that needs it.
  const bool accounts = has_accounts(folder);
  const auto has_key = [&] { return std::filesystem::exists(key_path(folder)); };
  if (accounts && !has_key()) return key_missing(folder);
  std::filesystem::create_directories(folder / "journal");
  if (!has_key() && *where == default_database(folder).string()) make_key(folder);
  auto opened = db::Database::open(*where);
  if (!opened) return opened.error();
  db::Database store = *std::move(opened);
  if (!has_key()) {
    if (key_of(store) && !has_key()) return key_missing(folder);
    make_key(folder);
  }
  return with_key(folder, *where, std::move(store));
}

core::Result<Instance> Instance::open(const std::filesystem::path& folder, std::string_view database) {
  if (!std::filesystem::exists(key_path(folder)) && !has_accounts(folder))
    return Error{ErrorCode::not_found,
                 "instance.not-found",
                 fmt::format("there is no instance in '{}'", folder.string()),
                 "account something first, or give the folder of an instance",
                 {{"folder", folder.string()}}};
  if (!std::filesystem::exists(key_path(folder))) return key_missing(folder);
  const auto where = database_of(folder, database);
  if (!where) return where.error();
  auto opened = db::Database::open(*where);
  if (!opened) return opened.error();
  return with_key(folder, *where, *std::move(opened));
}

core::Result<Instance> Instance::with_key(const std::filesystem::path& folder, std::string where, db::Database database) {
  const auto key = read_key(folder);
  if (!key) return key.error();
  if (const auto claimed = claim(database, key->digest, folder); !claimed) return claimed.error();
  if (!has_accounts(folder)) remember_database(folder, where);
  return Instance(folder, std::move(where), key->secret, std::move(database));
}

core::Result<db::Database> Instance::connect() const { return db::Database::open(where_); }

void remember_database(const std::filesystem::path& folder, std::string_view where) {
  const auto is = identity_of(where), standard = identity_of(default_database(folder).string());
  if (is && standard && *is == *standard) {
    std::filesystem::remove(address_path(folder));
  } else {
    const bool is_file = where.find("://") == std::string_view::npos;
    const auto draft = draft_of(address_path(folder));
    write_private(draft, (is_file ? *is : std::string(where)) + "\n");
    std::filesystem::rename(draft, address_path(folder));
  }
  keep_names(folder);
}

core::Result<RunLock> Instance::lock_for_run() {
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
                 "wait until it is done, or stop the service that runs on it, then start again",
                 {{"process", process}}};
  }
  const std::string process = std::to_string(::getpid());
  if (::ftruncate(*file, 0) != 0 || !core::write_all(*file, process)) fail("writing", path);
  auto lock = database_.try_lock("run");
  if (!lock)
    return Error{ErrorCode::refused,
                 "instance.busy",
                 fmt::format("another run is booking into '{}', from another machine or folder", database_.name()),
                 "wait until it is done, or stop the service that runs on it, then start again",
                 {{"process", "elsewhere"}}};
  return RunLock(file.release(), *std::move(lock));
}

}  // namespace tanhui::identity
