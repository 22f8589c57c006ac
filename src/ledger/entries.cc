#include "ledger/entries.h"

#include "db/value.h"

namespace tanhui::ledger {
namespace {

constexpr int kVarintBytesMax = 10;

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(char(value | 0x80));
  out.push_back(char(value));
}

std::uint64_t read_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < kVarintBytesMax && !bytes.empty(); ++i) {
    const auto byte = std::uint8_t(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) return value;
  }
  throw db::Failure("the postings of a run are damaged: a number does not end");
}

}  // namespace

void append_entry(std::string& out, std::int64_t asset, std::int64_t amount) {
  append_varint(out, std::uint64_t(asset));
  append_varint(out, (std::uint64_t(amount) << 1) ^ std::uint64_t(amount >> 63));
}

std::vector<std::pair<std::int64_t, std::int64_t>> read_entries(std::string_view bytes) {
  std::vector<std::pair<std::int64_t, std::int64_t>> entries;
  while (!bytes.empty()) {
    const std::uint64_t asset = read_varint(bytes);
    const std::uint64_t zigzag = read_varint(bytes);
    entries.emplace_back(std::int64_t(asset), std::int64_t(zigzag >> 1) ^ -std::int64_t(zigzag & 1));
  }
  return entries;
}

}  // namespace tanhui::ledger
