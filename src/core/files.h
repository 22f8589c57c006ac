// core/files.h: small files whole: read, and written so that they are there whole or not at all, whatever stops the machine.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tanhui::core {

/// Nothing when it cannot be opened.
std::optional<std::string> read_file(const std::filesystem::path& path);
/// Durable when it returns. Throws std::system_error with the path.
void write_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode);
/// Writes all of it, however many calls that takes; false when the disk fails, with its reason in errno.
bool write_all(int descriptor, std::string_view bytes);
/// fsync of a folder: makes the names in it durable.
void sync_folder(const std::filesystem::path& folder);

/// Held while the object lives, against other processes; waits for them. The file is made when it is missing.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace tanhui::core
