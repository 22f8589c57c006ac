// ledger_transfers STORE INPUT BATCH BALANCES: books the transfers of INPUT (lines "debit,credit,amount", accounts numbered from 0) in
// batches of BATCH, each durable before the next begins, and writes what then stands on each account to BALANCES, a line each.
// STORE is an empty SQLite file to be made or postgresql://…. Prints one JSON object: transfers, seconds, peak_bytes.
// The time includes making the transfers, keys and all; batches of 1 go through post(), larger ones through post_batch().
#include <fmt/format.h>

#include <chrono>
#include <fstream>

#include "core/invariant.h"
#include "ledger/ledger.h"

namespace {

using namespace tanhui;

constexpr std::int64_t kStart = 1'000'000'000'000;  // on every account, so that nothing is refused

struct Line {
  std::uint64_t debit = 0, credit = 0;
  std::int64_t amount = 0;
};

std::vector<Line> read_lines(const char* path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(fmt::format("{} cannot be read", path));
  std::vector<Line> lines;
  char comma = ',';
  for (Line line; file >> line.debit >> comma >> line.credit >> comma >> line.amount;) lines.push_back(line);
  return lines;
}

core::PersonKey account(std::uint64_t number) { return {number * 0x9e3779b97f4a7c15, number}; }  // scattered as real keys are

ledger::AssetId fund(db::Database& database, std::uint64_t accounts) {
  std::vector<core::PersonKey> people;
  for (std::uint64_t number = 0; number < accounts; ++number) people.push_back(account(number));
  std::sort(people.begin(), people.end());
  db::Transaction tx = database.begin();
  const ledger::AssetId asset = ledger::asset_id(tx, ledger::reduction_asset("bench", "travel", 2024));
  ledger::RunPosting posting = *ledger::RunPosting::start(tx, "funding", "");
  for (const core::PersonKey& person : people) posting.add(asset, person, kStart);
  posting.finish();
  tx.commit();
  return asset;
}

void book(db::Database& database, ledger::AssetId asset, const std::vector<Line>& lines, std::size_t batch) {
  std::vector<ledger::Transfer> transfers;
  for (std::size_t first = 0; first < lines.size(); first += batch) {
    transfers.clear();
    for (std::size_t i = first; i < std::min(lines.size(), first + batch); ++i)
      transfers.push_back({fmt::format("t-{:09}", i),
                           "",
                           {{account(lines[i].debit), asset, -lines[i].amount}, {account(lines[i].credit), asset, lines[i].amount}}});
    db::Transaction tx = database.begin();
    if (batch == 1) {
      core::invariant(*ledger::post(tx, transfers.front()) == ledger::Posted::now, "the benchmark's transfers are good");
    } else {
      for (const auto& answer : ledger::post_batch(tx, transfers))
        core::invariant(*answer == ledger::Posted::now, "the benchmark's transfers are good");
    }
    tx.commit();
  }
}

std::uint64_t accounts_in(const std::vector<Line>& lines) {
  std::uint64_t last = 0;
  for (const Line& line : lines) last = std::max({last, line.debit, line.credit});
  return last + 1;
}

void write_balances(db::Database& database, std::uint64_t accounts, const char* path) {
  std::vector<std::int64_t> amounts(accounts);
  database.each("SELECT owner, amount FROM balance",
                [&](const db::Row& row) { amounts.at(row.get<core::PersonKey>(0).low) = row.integer(1) - kStart; });
  std::ofstream file(path);
  for (const std::int64_t amount : amounts) file << amount << '\n';
  if (!file.flush()) throw std::runtime_error(fmt::format("{} cannot be written", path));
}

/// Most memory of this program; the kernel's ru_maxrss counts what started it too.
std::int64_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (std::int64_t kibibytes = 0; word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
  return 0;
}

int run(char** arguments) {
  const std::vector<Line> lines = read_lines(arguments[2]);
  auto opened = db::Database::open(arguments[1]);
  if (!opened) throw std::runtime_error(opened.error().message);
  db::Database database = *std::move(opened);
  const ledger::AssetId asset = fund(database, accounts_in(lines));
  const auto begin = std::chrono::steady_clock::now();
  book(database, asset, lines, std::stoul(arguments[3]));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (const auto sound = ledger::check(database); !sound) throw std::runtime_error(sound.error().message);
  write_balances(database, accounts_in(lines), arguments[4]);
  fmt::print("{{\"transfers\": {}, \"seconds\": {:.6f}, \"peak_bytes\": {}}}\n", lines.size(), seconds, peak_bytes());
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) return fmt::print(stderr, "usage: ledger_transfers STORE INPUT BATCH BALANCES\n"), 2;
  try {
    return run(arguments);
  } catch (const std::exception& failure) {
    return fmt::print(stderr, "ledger_transfers: {}\n", failure.what()), 1;
  }
}
