#include "journal/checkpoint.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "journal/note.h"

namespace tanhui::journal {

std::string to_text(const Checkpoint& checkpoint) {
  const std::string_view root(reinterpret_cast<const char*>(checkpoint.root.data()), checkpoint.root.size());
  return fmt::format("{}\n{}\n{}\n", checkpoint.origin, checkpoint.size, base64(root));
}

core::Result<Checkpoint> parse_checkpoint(std::string_view note_text) {
  const auto bad = [](std::string_view why) {
    return core::Error{core::ErrorCode::invalid_input,
                       "checkpoint.bad",
                       fmt::format("the checkpoint {}", why),
                       "get it again from the log, unchanged",
                       {{"reason", std::string(why)}}};
  };
  const auto line = [&] {
    const std::size_t end = note_text.find('\n');
    const std::string_view text = note_text.substr(0, end);
    note_text.remove_prefix(end == std::string_view::npos ? note_text.size() : end + 1);
    return text;
  };
  Checkpoint checkpoint;
  checkpoint.origin = line();
  if (checkpoint.origin.empty() || checkpoint.origin.find_first_of(" +") != std::string::npos) return bad("names no log in its first line");
  const std::string_view size = line();
  const auto read = std::from_chars(size.data(), size.data() + size.size(), checkpoint.size);
  if (size.empty() || read.ptr != size.data() + size.size() || read.ec != std::errc{} || (size.size() > 1 && size.front() == '0'))
    return bad("has no number of entries in its second line");
  const auto root = from_base64(line());
  if (!root || root->size() != checkpoint.root.size()) return bad("has no root of 32 bytes in its third line");
  std::memcpy(checkpoint.root.data(), root->data(), root->size());
  return checkpoint;
}

}  // namespace tanhui::journal
