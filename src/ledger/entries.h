// ledger/entries.h: what a run did to one person, packed: (asset:varint amount:zigzag-varint)*, assets ascending. Private to the ledger.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tanhui::ledger {

void append_entry(std::string& out, std::int64_t asset, std::int64_t amount);
/// Throws db::Failure when the bytes are not entries.
std::vector<std::pair<std::int64_t, std::int64_t>> read_entries(std::string_view bytes);

}  // namespace tanhui::ledger
