#include "cli/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "core/files.h"

namespace tanhui::cli {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(), "cannot write '" + path.string() + "'");
}

}  // namespace

OutputFile::OutputFile(std::filesystem::path path) : path_(std::move(path)), draft_(path_.string() + fmt::format(".{}", ::getpid())) {
  const int descriptor = ::open(draft_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) fail(draft_);
  ::close(descriptor);
  stream_.open(draft_, std::ios::binary | std::ios::trunc);
}

OutputFile::~OutputFile() {
  if (!kept_) ::unlink(draft_.c_str());
}

void OutputFile::keep() {
  stream_.close();
  if (!stream_) fail(draft_);
  const int descriptor = ::open(draft_.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced || ::rename(draft_.c_str(), path_.c_str()) != 0) fail(path_);
  core::sync_folder(path_.parent_path());
  kept_ = true;
}

}  // namespace tanhui::cli
