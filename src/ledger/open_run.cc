#include "ledger/open_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/bytes.h"
#include "core/invariant.h"
#include "core/quantity.h"
#include "ledger/audit.h"
#include "ledger/entries.h"
#include "ledger/run_booking.h"
#include "ledger/stored_asset.h"

namespace tanhui::ledger {
namespace {

constexpr std::size_t kRowsTogether = 2048;

std::string pack(const PackedRows& rows) {
  core::ByteWriter out;
  for (std::size_t i = 0; i < rows.owners.size(); ++i) {
    if (rows.row(i).empty()) continue;
    const db::PersonBytes owner = db::to_bytes(rows.owners[i]);
    out.raw({owner.data(), owner.size()}).varint(rows.row(i).size()).raw(rows.row(i));
  }
  return out.take();
}

/// visit(person, entries), entries packed
template <class Visit>
void unpack(std::string_view rows, Visit visit) {
  core::ByteReader in(rows);
  while (!in.done()) {
    const std::string_view owner = in.bytes(16);
    const std::string_view entries = in.bytes(in.varint());
    if (!in.ok()) throw db::Failure("the postings of an open run are damaged: they end in the middle");
    visit(db::person_from(owner), entries);
  }
}

/// What all batches did to one asset of a person.
struct Line {
  core::PersonKey person;
  std::int64_t asset = 0, requested = 0, booked = 0;
  auto key() const { return std::tie(person, asset); }
};

std::vector<Line> lines_of(db::Reader& reader, std::int64_t transfer) {
  std::vector<Line> lines;
  reader.each(
      "SELECT requested, booked FROM open_posting WHERE transfer = $1 ORDER BY batch",
      [&](const db::Row& row) {
        unpack(row.bytes(0), [&](const core::PersonKey& person, std::string_view entries) {
          for (const auto& [asset, amount] : read_entries(entries)) lines.push_back({person, asset, amount, 0});
        });
        unpack(row.bytes(1), [&](const core::PersonKey& person, std::string_view entries) {
          for (const auto& [asset, amount] : read_entries(entries)) lines.push_back({person, asset, 0, amount});
        });
      },
      transfer);
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.key() < b.key(); });
  std::size_t kept = 0;
  for (const Line& line : lines) {
    if (kept > 0 && lines[kept - 1].key() == line.key()) {
      lines[kept - 1].requested = core::add_or_throw(lines[kept - 1].requested, line.requested);
      lines[kept - 1].booked = core::add_or_throw(lines[kept - 1].booked, line.booked);
    } else {
      lines[kept++] = line;
    }
  }
  lines.resize(kept);
  return lines;
}

}  // namespace

core::Result<OpenRun> OpenRun::open(db::Transaction& tx, std::string_view key, std::string_view reason, Own counter) {
  tx.exec(
      "INSERT INTO transfer (id, key, digest, reason) SELECT coalesce(max(id), 0) + 1, $1, $2, $3 FROM transfer WHERE true "
      "ON CONFLICT (key) DO NOTHING",
      key, core::Digest{}, reason);
  const auto id = tx.find<std::int64_t>("SELECT id FROM transfer WHERE key = $1 AND digest = $2", key, core::Digest{});
  if (!id)
    return core::Error{core::ErrorCode::conflict,
                       "ledger.run-booked",
                       fmt::format("the run '{}' is already booked", key),
                       "nothing needs to be done: its credits are in the accounts",
                       {{"key", std::string(key)}}};
  tx.exec("INSERT INTO open_run (transfer) VALUES ($1) ON CONFLICT DO NOTHING", *id);
  OpenRun run(std::string(key), std::string(reason), *id, counter);
  run.read_pending(tx);
  return run;
}

void OpenRun::read_pending(db::Transaction& tx) {
  batch_ = tx.find<std::int64_t>("SELECT coalesce(max(batch), 0) FROM open_posting WHERE transfer = $1", transfer_).value_or(0);
  tx.each(
      "SELECT requested FROM open_posting WHERE transfer = $1 AND booked IS NULL ORDER BY batch",
      [&](const db::Row& row) {
        unpack(row.bytes(0), [&](const core::PersonKey& person, std::string_view entries) {
          for (const auto& [asset, amount] : read_entries(entries)) pending_.push_back({person, {asset}, amount});
        });
      },
      transfer_);
}

void OpenRun::post(db::Transaction& tx, std::span<const Delta> deltas) {
  if (deltas.empty()) return;
  PackedRows requested;
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    const Delta& delta = deltas[i];
    core::invariant(i == 0 || deltas[i - 1].person <= delta.person, "people of a batch come in ascending order");
    core::invariant(delta.amount >= -kAmountMax && delta.amount <= kAmountMax, "an amount of a run is within the ledger's bounds");
    append_entry(requested.bytes, delta.asset.value, delta.amount);
    if (i + 1 == deltas.size() || deltas[i + 1].person != delta.person) requested.close(delta.person);
  }
  const std::string packed = pack(requested);
  tx.exec("INSERT INTO open_posting (transfer, batch, requested) VALUES ($1, $2, $3)", transfer_, ++batch_, db::Bytes{packed});
  pending_.insert(pending_.end(), deltas.begin(), deltas.end());
}

// What is pending becomes rows of a few thousand postings each, by person: accounts of people who follow each other lie on the same pages.
void OpenRun::slice_pending(db::Transaction& tx, std::size_t postings_max) {
  std::stable_sort(pending_.begin(), pending_.end(), [](const Delta& a, const Delta& b) { return a.person < b.person; });
  tx.exec("DELETE FROM open_posting WHERE transfer = $1 AND booked IS NULL", transfer_);
  for (std::size_t begin = 0, end = 0; begin < pending_.size(); begin = end) {
    for (end = begin; end < pending_.size() && (end - begin < postings_max || pending_[end].person == pending_[end - 1].person);) ++end;
    PackedRows requested;
    for (std::size_t i = begin; i < end; ++i) {
      append_entry(requested.bytes, pending_[i].asset.value, pending_[i].amount);
      if (i + 1 == end || pending_[i + 1].person != pending_[i].person) requested.close(pending_[i].person);
    }
    const std::string packed = pack(requested);
    tx.exec("INSERT INTO open_posting (transfer, batch, requested) VALUES ($1, $2, $3)", transfer_, ++batch_, db::Bytes{packed});
    slices_.push_back({batch_, {pending_.begin() + std::ptrdiff_t(begin), pending_.begin() + std::ptrdiff_t(end)}});
  }
  sliced_ = pending_.size();
  pending_.clear();
}

RunTotals OpenRun::book(db::Transaction& tx, std::size_t postings_max) {
  if (slices_.empty()) {
    if (pending_.empty()) return {};
    slice_pending(tx, postings_max);
  }
  const Slice slice = std::move(slices_.front());
  slices_.pop_front();
  sliced_ -= slice.deltas.size();
  RunBooking booking(tx, transfer_, counter_, RunBooking::Into::block, std::move(assets_));
  std::vector<core::PersonKey> people;
  for (const Delta& delta : slice.deltas) {
    if (people.empty() || people.back() != delta.person) people.push_back(delta.person);
  }
  booking.expect_debts_of(people);
  for (const Delta& delta : slice.deltas) booking.add(delta.asset.value, delta.person, delta.amount);
  RunTotals totals = booking.finish();
  assets_ = booking.take_assets();
  const std::string requested = pack(booking.requested), booked = pack(booking.booked);
  const std::int64_t changed =
      tx.exec("UPDATE open_posting SET requested = $3, booked = $4 WHERE transfer = $1 AND batch = $2 AND booked IS NULL", transfer_,
              slice.batch, db::Bytes{requested}, db::Bytes{booked});
  core::invariant(changed == 1, "what is booked was posted and not booked before");
  return totals;
}

RunTotals OpenRun::close(db::Transaction& tx) {
  while (unbooked() > 0) book(tx);
  const std::vector<Line> lines = lines_of(tx, transfer_);
  RunTotals totals;
  RunDigest digest(key_, reason_);
  db::BulkInsert insert(tx, "run_posting", {"transfer", "owner", "entries"});
  PackedRows rows;
  const auto flush = [&] {
    if (rows.owners.empty()) return;
    std::vector<std::string_view> packed;
    for (std::size_t i = 0; i < rows.owners.size(); ++i) packed.push_back(rows.row(i));
    insert.insert({transfer_, std::span<const core::PersonKey>(rows.owners), std::span<const std::string_view>(packed)});
    rows.clear();
  };
  std::map<std::int64_t, RunTotals::PerAsset> per_asset;
  for (std::size_t begin = 0, end = 0; begin < lines.size(); begin = end) {
    bool any = false;
    for (end = begin; end < lines.size() && lines[end].person == lines[begin].person; ++end) {
      const Line& line = lines[end];
      if (line.requested != 0) digest.add(line.person, line.asset, line.requested);
      any |= line.requested != 0 || line.booked != 0;
      RunTotals::PerAsset& sum = per_asset[line.asset];
      sum.asset = {line.asset};
      sum.requested = core::add_or_throw(sum.requested, line.requested);
      sum.booked = core::add_or_throw(sum.booked, line.booked);
      if (line.booked == 0) continue;
      append_entry(rows.bytes, line.asset, line.booked);
      ++totals.postings;
    }
    if (rows.open()) rows.close(lines[begin].person);
    if (any) ++totals.people;
    if (rows.owners.size() == kRowsTogether) flush();
  }
  flush();
  tx.each(
      "SELECT asset, CAST(sum(amount) AS BIGINT), CAST(sum(CASE WHEN amount > 0 THEN 1 ELSE 0 END) AS BIGINT) FROM debt_change "
      "WHERE transfer = $1 GROUP BY asset",
      [&](const db::Row& row) {
        RunTotals::PerAsset& sum = per_asset[row.integer(0)];
        sum.asset = {row.integer(0)};
        sum.debt_change = row.integer(1);
        totals.new_debts += row.integer(2);
      },
      transfer_);
  for (const auto& [asset, sum] : per_asset) totals.per_asset.push_back(sum);
  totals.digest = digest.finish();
  tx.exec("UPDATE transfer SET digest = $2 WHERE id = $1", transfer_, totals.digest);
  tx.exec("DELETE FROM open_posting WHERE transfer = $1", transfer_);
  tx.exec("DELETE FROM open_run WHERE transfer = $1", transfer_);
  return totals;
}

void each_open_posting(db::Reader& reader,
                       const std::function<void(std::int64_t, const core::PersonKey&, std::int64_t, std::int64_t)>& visit) {
  reader.each("SELECT transfer, booked FROM open_posting WHERE booked IS NOT NULL", [&](const db::Row& row) {
    const std::int64_t transfer = row.integer(0);
    unpack(row.bytes(1), [&](const core::PersonKey& person, std::string_view entries) {
      for (const auto& [asset, amount] : read_entries(entries)) visit(transfer, person, asset, amount);
    });
  });
}

}  // namespace tanhui::ledger
