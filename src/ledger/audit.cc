#include "ledger/audit.h"

#include "core/bytes.h"
#include "ledger/entries.h"

namespace tanhui::ledger {
namespace {

constexpr std::size_t kTogether = 2048;

}  // namespace

RunDigest::RunDigest(std::string_view key, std::string_view reason) {
  core::ByteWriter head;
  head.u8(1).str(key).str(reason);
  hash_.update(head.take());
}

void RunDigest::add(const core::PersonKey& person, std::int64_t asset, std::int64_t amount) {
  waiting_.push_back({__builtin_bswap64(person.high), __builtin_bswap64(person.low), __builtin_bswap64(std::uint64_t(asset)),
                      __builtin_bswap64(std::uint64_t(amount))});
  if (waiting_.size() == kTogether) flush();
}

void RunDigest::flush() {
  hash_.update({reinterpret_cast<const char*>(waiting_.data()), waiting_.size() * sizeof waiting_[0]});
  waiting_.clear();
}

core::Digest RunDigest::finish() {
  flush();
  return hash_.finish();
}

std::optional<RunTransfer> find_run_transfer(db::Reader& reader, std::string_view key) {
  const auto found = reader.find<std::int64_t, std::string, core::Digest>("SELECT id, reason, digest FROM transfer WHERE key = $1", key);
  if (!found) return std::nullopt;
  return RunTransfer{std::get<0>(*found), std::get<1>(*found), std::get<2>(*found)};
}

void each_run_posting(db::Reader& reader, std::int64_t transfer, std::uint8_t first_byte,
                      const std::function<void(const core::PersonKey&, const std::vector<std::pair<std::int64_t, std::int64_t>>&)>& visit) {
  const core::PersonKey first{std::uint64_t(first_byte) << 56, 0},
      last{std::uint64_t(first_byte) << 56 | ~std::uint64_t{0} >> 8, ~std::uint64_t{0}};
  reader.each(
      "SELECT owner, entries FROM run_posting WHERE transfer = $1 AND owner BETWEEN $2 AND $3 ORDER BY owner",
      [&](const db::Row& row) { visit(row.get<core::PersonKey>(0), read_entries(row.bytes(1))); }, transfer, first, last);
}

void each_debt_change(db::Reader& reader, std::int64_t transfer,
                      const std::function<void(const core::PersonKey&, std::int64_t asset, std::int64_t amount)>& visit) {
  reader.each(
      "SELECT owner, asset, amount FROM debt_change WHERE transfer = $1 ORDER BY owner, asset",
      [&](const db::Row& row) { visit(row.get<core::PersonKey>(0), row.integer(1), row.integer(2)); }, transfer);
}

}  // namespace tanhui::ledger
