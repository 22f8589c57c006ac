#include "ledger/entries.h"

#include "core/bytes.h"
#include "db/value.h"

namespace tanhui::ledger {

void append_entry(std::string& out, std::int64_t asset, std::int64_t amount) {
  core::ByteWriter entry;
  entry.varint(std::uint64_t(asset)).zigzag(amount);
  out += entry.take();
}

std::vector<std::pair<std::int64_t, std::int64_t>> read_entries(std::string_view bytes) {
  std::vector<std::pair<std::int64_t, std::int64_t>> entries;
  core::ByteReader in(bytes);
  while (!in.done()) {
    const auto asset = std::int64_t(in.varint());
    entries.emplace_back(asset, in.zigzag());
    if (!in.ok()) throw db::Failure("the postings of a run are damaged: a number does not end, or is longer than it needs to be");
  }
  return entries;
}

}  // namespace tanhui::ledger
