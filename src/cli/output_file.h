// cli/output_file.h: a file that takes its name when it is complete and is gone otherwise. Readable by its owner only: what goes into one
// is nobody else's business until its owner says so.
#pragma once
#include <filesystem>
#include <fstream>

namespace tanhui::cli {

class OutputFile {
 public:
  explicit OutputFile(std::filesystem::path path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();
  std::ostream& stream() { return stream_; }
  /// Durable under its name when it returns; throws when the disk failed.
  void keep();

 private:
  std::filesystem::path path_, draft_;
  std::ofstream stream_;
  bool kept_ = false;
};

}  // namespace tanhui::cli
