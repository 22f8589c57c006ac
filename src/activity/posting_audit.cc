#include "activity/posting_audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "core/bytes.h"
#include "core/int128.h"
#include "core/invariant.h"
#include "core/quantity.h"
#include "journal/log_audit.h"

namespace tanhui::activity {
namespace {

using journal::diverges;
using journal::RunId;

// A row of the shuffle: what some records of a run add to one asset of a person.
constexpr std::size_t kWords = 4;  // person, person, run and asset, amount
constexpr unsigned kAssetBits = 24;
constexpr std::uint64_t kAssetMax = (std::uint64_t{1} << kAssetBits) - 1;

struct Sum {
  core::PersonKey person;
  std::uint64_t run_asset = 0;
  std::int64_t amount = 0;
  RunId run() const { return run_asset >> kAssetBits; }
  std::int64_t asset() const { return std::int64_t(run_asset & kAssetMax); }
  auto key() const { return std::tuple(run_asset >> kAssetBits, person, run_asset); }
};

using Amounts = std::vector<std::pair<std::int64_t, std::int64_t>>;  // (asset, amount), by asset

}  // namespace

const methodology::Methodology* find_version(const methodology::Library& library, std::string_view id_and_version) {
  const std::size_t at = id_and_version.rfind('@');
  int version = 0;
  if (at == std::string_view::npos) return nullptr;
  const auto read = std::from_chars(id_and_version.data() + at + 1, id_and_version.data() + id_and_version.size(), version);
  if (read.ptr != id_and_version.data() + id_and_version.size()) return nullptr;
  return library.find(id_and_version.substr(0, at), version);
}

PostingAudit::PostingAudit(db::Reader& reader, const methodology::Library& library, std::size_t memory_bytes,
                           const std::filesystem::path& spill_folder)
    : reader_(reader), library_(library), shuffle_(kWords, memory_bytes, spill_folder) {}

core::Result<std::int64_t> PostingAudit::asset_of(const ledger::Asset& asset, std::string_view where) {
  const std::scoped_lock lock(mutex_);
  const auto known = assets_.find(asset);
  if (known != assets_.end()) return known->second;
  const auto found = ledger::find_asset(reader_, asset);
  if (!found) return diverges("posting", where, "its records credit an asset that the ledger does not have");
  core::invariant(std::uint64_t(found->value) <= kAssetMax, "an asset's id fits 24 bits");
  assets_.emplace(asset, found->value);
  return found->value;
}

core::Result<std::int64_t> PostingAudit::Writer::reduction(const journal::RunEntry& run, core::Day day, const std::string& methodology) {
  const std::string where = fmt::format("run {}, methodology {}", run.run.id, methodology);
  const auto* method = find_version(audit_.library_, methodology);
  if (method == nullptr) return diverges("methodology", where, "the library does not have this version");
  const int year = int(std::chrono::year_month_day{std::chrono::sys_days{std::chrono::days{day.count}}}.year());
  return audit_.asset_of(ledger::reduction_asset(run.run.programme, method->category, year), where);
}

core::Result<std::int64_t> PostingAudit::Writer::points(const journal::RunEntry& run, core::Day day) {
  return audit_.asset_of(ledger::points_asset(run.run.programme, day, run.points_expire_days), fmt::format("run {}", run.run.id));
}

void PostingAudit::Writer::put(const core::PersonKey& person, RunId run, std::int64_t asset, std::int64_t amount) {
  if (amount == 0) return;
  std::uint64_t* row = writer_.add(person.high);
  row[0] = person.high;
  row[1] = person.low;
  row[2] = run << kAssetBits | std::uint64_t(asset);
  row[3] = std::uint64_t(amount);
}

core::Status PostingAudit::Writer::add(const journal::RunEntry& run, core::Day day, const journal::Columns& rows,
                                       const journal::Names& names, std::size_t begin, std::size_t end) {
  by_methodology_.assign(names.methodologies.size(), 0);
  std::int64_t points_asset = 0, points = 0, milligrams = 0, reduction_asset = 0;
  for (std::size_t i = begin; i < end; ++i) {
    if (i > begin && rows.person[i] != rows.person[i - 1]) {
      put(rows.person[i - 1], run.run.id, reduction_asset, std::exchange(milligrams, 0));
      put(rows.person[i - 1], run.run.id, points_asset, std::exchange(points, 0));
    }
    if (rows.points[i] != 0 && points_asset == 0) {
      const auto asset = this->points(run, day);
      if (!asset) return asset.error();
      points_asset = *asset;
    }
    points = core::add_or_throw(points, rows.points[i]);
    if (rows.milligrams[i] == 0) continue;
    const std::uint16_t methodology = rows.methodology[i];
    const std::string where = fmt::format("run {} on {}", run.run.id, core::to_text(day));
    if (methodology == journal::kNoName) return diverges("records", where, "a record has milligrams and no methodology");
    if (by_methodology_[methodology] == 0) {
      const auto asset = reduction(run, day, names.methodologies[methodology]);
      if (!asset) return asset.error();
      by_methodology_[methodology] = *asset;
    }
    if (by_methodology_[methodology] != reduction_asset) {
      put(rows.person[i], run.run.id, reduction_asset, std::exchange(milligrams, 0));
      reduction_asset = by_methodology_[methodology];
    }
    milligrams = core::add_or_throw(milligrams, rows.milligrams[i]);
  }
  if (begin == end) return core::Done{};
  put(rows.person[end - 1], run.run.id, reduction_asset, milligrams);
  put(rows.person[end - 1], run.run.id, points_asset, points);
  writer_.flush();
  return core::Done{};
}

// One run's side of the ledger while the people go by.
struct PostingAudit::OfRun {
  std::int64_t transfer = 0;
  ledger::RunDigest digest;
  std::map<core::PersonKey, Amounts> debt_changes;
};

namespace {

/// What a run asked for and what was booked agree when they are equal pool by pool: points of a programme are one pool, a reduction its
/// own.
bool agree(const Amounts& requested, const Amounts& booked, const Amounts& debts, const std::map<std::int64_t, ledger::Asset>& assets) {
  if (debts.empty() && requested == booked) return true;
  std::map<std::pair<std::string, std::int64_t>, core::Int128> pools;
  const auto add = [&](const Amounts& amounts, int sign) {
    for (const auto& [asset, amount] : amounts) {
      const auto found = assets.find(asset);
      if (found == assets.end()) return false;
      const bool points = found->second.kind == ledger::AssetKind::points;
      pools[{found->second.programme, points ? 0 : asset}] += sign * core::Int128(amount);
    }
    return true;
  };
  if (!add(requested, 1) || !add(booked, -1) || !add(debts, 1)) return false;
  return std::all_of(pools.begin(), pools.end(), [](const auto& pool) { return pool.second == 0; });
}

std::vector<Sum> sums_of(const Shuffle& shuffle, std::size_t partition) {
  std::vector<Sum> sums;
  sums.reserve(shuffle.rows(partition));
  shuffle.each_block(partition, [&](const std::uint64_t* words, std::size_t rows) {
    for (std::size_t i = 0; i < rows; ++i, words += kWords) sums.push_back({{words[0], words[1]}, words[2], std::int64_t(words[3])});
  });
  std::sort(sums.begin(), sums.end(), [](const Sum& a, const Sum& b) { return a.key() < b.key(); });
  std::size_t kept = 0;
  for (const Sum& sum : sums) {
    if (kept > 0 && sums[kept - 1].key() == sum.key())
      sums[kept - 1].amount = core::add_or_throw(sums[kept - 1].amount, sum.amount);
    else
      sums[kept++] = sum;
  }
  sums.resize(kept);
  std::erase_if(sums, [](const Sum& sum) { return sum.amount == 0; });
  return sums;
}

}  // namespace

core::Result<std::uint64_t> PostingAudit::compare(const std::map<RunId, journal::RunEntry>& runs) {
  std::map<std::int64_t, ledger::Asset> assets;
  for (const auto& total : ledger::totals(reader_)) assets.emplace(total.id.value, total.asset);
  std::map<RunId, OfRun> of_runs;
  for (const auto& [id, entry] : runs) {
    const auto transfer = ledger::find_run_transfer(reader_, entry.run.key);
    const std::string where = fmt::format("the postings of run {}", id);
    if (!transfer) return diverges("transfer", where, "the ledger does not have its transfer");
    if (transfer->digest != entry.run.postings_digest) return diverges("transfer", where, "the ledger's digest is not what the log says");
    OfRun& of_run = of_runs.emplace(id, OfRun{transfer->id, ledger::RunDigest(entry.run.key, transfer->reason), {}}).first->second;
    ledger::each_debt_change(reader_, transfer->id, [&](const core::PersonKey& person, std::int64_t asset, std::int64_t amount) {
      of_run.debt_changes[person].emplace_back(asset, amount);
    });
  }
  std::uint64_t compared = 0;
  for (std::size_t partition = 0; partition < Shuffle::kPartitions; ++partition) {
    const std::vector<Sum> sums = sums_of(shuffle_, partition);
    shuffle_.release(partition);
    std::size_t at = 0;
    for (auto& [id, of_run] : of_runs) {
      std::optional<core::Error> problem;
      const auto judge = [&](const core::PersonKey& person, const Amounts& booked) {
        if (problem) return;
        Amounts requested;
        for (; at < sums.size() && sums[at].run() == id && sums[at].person == person; ++at) {
          requested.emplace_back(sums[at].asset(), sums[at].amount);
          of_run.digest.add(person, sums[at].asset(), sums[at].amount);
        }
        const auto debts = of_run.debt_changes.find(person);
        ++compared;
        if (!agree(requested, booked, debts == of_run.debt_changes.end() ? Amounts{} : debts->second, assets))
          problem = diverges("posting", fmt::format("run {}, account {}", id, core::to_hex(person)),
                             "what was posted is not the sum of the run's records");
      };
      const auto judge_unposted = [&](const core::PersonKey* before) {  // people whom the ledger has no postings of
        while (!problem && at < sums.size() && sums[at].run() == id && (before == nullptr || sums[at].person < *before))
          judge(core::PersonKey(sums[at].person), {});
      };
      ledger::each_run_posting(reader_, of_run.transfer, std::uint8_t(partition),
                               [&](const core::PersonKey& person, const Amounts& booked) {
                                 judge_unposted(&person);
                                 judge(person, booked);
                               });
      judge_unposted(nullptr);
      if (problem) return *problem;
    }
    core::invariant(at == sums.size(), "every sum belongs to a run of the log");
  }
  for (auto& [id, of_run] : of_runs)
    if (of_run.digest.finish() != runs.at(id).run.postings_digest)
      return diverges("posting", fmt::format("run {}", id), "the sums of its records do not have the digest that the log says");
  return compared;
}

}  // namespace tanhui::activity
