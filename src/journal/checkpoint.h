// journal/checkpoint.h: what a log says of itself: so many entries, with this root. C2SP tlog-checkpoint; the note around it is note.h's.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/hash.h"
#include "core/result.h"

namespace tanhui::journal {

struct Checkpoint {
  std::string origin;  // the log's name, which is its key's too
  std::uint64_t size = 0;
  core::Digest root{};
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};
std::string to_text(const Checkpoint& checkpoint);  // the three lines that are signed
/// Errors: invalid_input checkpoint.bad. Extension lines are passed over.
core::Result<Checkpoint> parse_checkpoint(std::string_view note_text);

}  // namespace tanhui::journal
