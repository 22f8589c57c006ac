// libFuzzer: any bytes as an entry of the log: what is read is written byte for byte as it stood, and read again as the same kind.
#include "core/invariant.h"
#include "journal/entry.h"

using namespace tanhui::journal;
using tanhui::core::invariant;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto entry = parse_entry(bytes);
  if (!entry) {
    invariant(entry.error().id == "entry.bad" || entry.error().id == "entry.unknown-type", "a refusal is one of those in the header");
    invariant(!entry.error().message.empty() && !entry.error().action.empty(), "a refusal says what is wrong and what to do");
    return 0;
  }
  const std::string written = entry_bytes(*entry);
  invariant(written == bytes, "an entry has one way to be written");
  const auto again = parse_entry(written);
  invariant(again && again->index() == entry->index() && type_name(*again) == type_name(*entry), "an entry is read again as what it was");
  return 0;
}
