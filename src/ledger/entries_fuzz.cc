// libFuzzer: any bytes as what a run did to a person: entries that are written and read as the same, or a failure that says so.
#include "core/invariant.h"
#include "db/value.h"
#include "ledger/entries.h"

using tanhui::core::invariant;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tanhui::ledger;  // NOLINT: a fuzz target is nobody's header
  try {
    const auto entries = read_entries({reinterpret_cast<const char*>(data), size});
    std::string written;
    for (const auto& [asset, amount] : entries) append_entry(written, asset, amount);
    invariant(written.size() <= size && read_entries(written) == entries, "entries that were read are written and read as the same");
  } catch (const tanhui::db::Failure&) {
    return 0;
  }
  return 0;
}
