#include "ledger/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/bytes.h"
#include "ledger/entries.h"
#include "ledger/ledger.h"

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

core::Status check_transfers(db::Reader& reader, const std::function<bool(std::string_view key)>& checked_elsewhere) {
  struct Stored {
    Transfer transfer;
    core::Digest digest;
  };
  std::set<std::int64_t> open;  // their digests are made when they are closed
  reader.each("SELECT transfer FROM open_run", [&](const db::Row& row) { open.insert(row.integer(0)); });
  std::map<std::int64_t, Stored> page;
  std::int64_t last = 0;
  do {
    page.clear();
    reader.each(
        "SELECT id, key, reason, digest FROM transfer WHERE id > $1 ORDER BY id LIMIT $2",
        [&](const db::Row& row) {
          last = row.integer(0);
          if (checked_elsewhere(row.text(1)) || open.contains(last)) return;
          page[last] = {{row.get<std::string>(1), row.get<std::string>(2), {}}, row.get<core::Digest>(3)};
        },
        last, std::int64_t(kTogether));
    if (page.empty()) continue;
    const std::int64_t first = page.begin()->first, end = page.rbegin()->first;
    const auto post = [&](const db::Row& row, const Owner& owner) {
      const auto found = page.find(row.integer(0));
      if (found != page.end()) found->second.transfer.postings.push_back({owner, {row.integer(2)}, row.integer(3)});
    };
    reader.each(
        "SELECT transfer, owner, asset, amount FROM posting WHERE transfer BETWEEN $1 AND $2",
        [&](const db::Row& row) { post(row, row.get<core::PersonKey>(1)); }, first, end);
    reader.each(
        "SELECT transfer, account, asset, amount FROM system_posting WHERE transfer BETWEEN $1 AND $2",
        [&](const db::Row& row) { post(row, Own(row.integer(1))); }, first, end);
    for (auto& [id, stored] : page) {
      core::Digest made = core::sha256(canonical_bytes(stored.transfer));
      const bool of_people = std::any_of(stored.transfer.postings.begin(), stored.transfer.postings.end(),
                                         [](const Posting& posting) { return std::holds_alternative<core::PersonKey>(posting.owner); });
      if (!of_people) {  // points that expired: like a run, but what was booked is what was asked for
        RunDigest run(stored.transfer.key, stored.transfer.reason);
        reader.each(
            "SELECT owner, entries FROM run_posting WHERE transfer = $1 ORDER BY owner",
            [&](const db::Row& row) {
              const auto person = row.get<core::PersonKey>(0);
              for (const auto& [asset, amount] : read_entries(row.bytes(1))) run.add(person, asset, amount);
            },
            id);
        made = run.finish();
      }
      if (made != stored.digest)
        return core::Error{core::ErrorCode::refused,
                           "ledger.broken",
                           fmt::format("transfer {} ('{}') is not what was asked for under its key", id, stored.transfer.key),
                           "stop booking, keep a copy of the database, and compare it with a backup",
                           {{"transfer", std::to_string(id)}}};
    }
  } while (!page.empty() || reader.find<std::int64_t>("SELECT id FROM transfer WHERE id > $1 LIMIT 1", last));
  return core::Done{};
}

}  // namespace tanhui::ledger
