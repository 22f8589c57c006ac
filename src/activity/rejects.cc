#include "activity/rejects.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <tuple>

namespace tanhui::activity {
namespace {

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\n\r") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' ? "\"\"" : std::string(1, c));
  return out + "\"";
}

std::string winner_text(const Noted& noted, const RecordSource& source) {
  if (noted.winner_line != 0) {
    const InputReader::Place place = source.locate(noted.winner_line);
    return fmt::format("{}:{}", place.file, place.line);
  }
  return noted.winner == 0 ? "" : fmt::format("event {:016x}", noted.winner);
}

}  // namespace

core::Status check_rejects_file(const std::filesystem::path& path) {
  if (std::ofstream(path, std::ios::binary | std::ios::app)) return core::Done{};
  return core::Error{core::ErrorCode::invalid_input,
                     "rejects.unwritable",
                     fmt::format("the rejects file {} cannot be written", path.string()),
                     "name a file in a folder that exists and that you may write to",
                     {{"file", path.string()}}};
}

void write_rejects_file(const std::filesystem::path& path, std::vector<Noted> noted, const RecordSource& source) {
  std::sort(noted.begin(), noted.end(),
            [](const Noted& a, const Noted& b) { return std::tuple(a.line, a.reason) < std::tuple(b.line, b.reason); });
  std::ofstream file;
  file.exceptions(std::ios::badbit | std::ios::failbit);
  file.open(path, std::ios::binary | std::ios::trunc);
  file << "file,line,outcome,reason,duplicate_of,explanation\n";
  for (const Noted& one : noted) {
    const InputReader::Place place = source.locate(one.line);
    file << csv_field(place.file) << ',' << place.line << ',' << name(one.outcome) << ',' << name(one.reason) << ','
         << csv_field(winner_text(one, source)) << ',' << csv_field(explanation(one.reason, false)) << '\n';
  }
  file.flush();
}

}  // namespace tanhui::activity
