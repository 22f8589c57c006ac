// ledger_bench PEOPLE ASSETS: how fast a run's postings are booked. Four runs into a new SQLite file: into empty accounts, twice into
// existing ones, and one whose every second amount takes back. Prints million person-asset postings per second, by the wall clock
// and by the processor time of this process (the one to compare on a machine that is busy with other work), commit included.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <random>

#include "ledger/ledger.h"

namespace {

using namespace tanhui;

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

double wall_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void book_run(db::Database& database, const std::vector<core::PersonKey>& people, std::size_t assets, int number, std::string_view what,
              int least) {
  std::mt19937_64 random(std::uint64_t(number) + 1);
  const double wall = wall_seconds(), processor = processor_seconds();
  db::Transaction tx = database.begin();
  std::vector<ledger::AssetId> ids;
  for (std::size_t i = 0; i < assets; ++i)
    ids.push_back(ledger::asset_id(tx, ledger::reduction_asset("bench", fmt::format("category-{}", i), 2024)));
  ledger::RunPosting posting = *ledger::RunPosting::start(tx, fmt::format("run {}", number), what);
  for (const core::PersonKey& person : people)
    for (const ledger::AssetId id : ids) posting.add(id, person, std::int64_t(random() % 10'000) + least);
  const ledger::RunTotals totals = posting.finish();
  tx.commit();
  const double count = double(totals.postings) / 1e6;
  fmt::print("{:<24} {:5.2f} million postings  {:5.2f} M/s wall  {:5.2f} M/s processor\n", what, count, count / (wall_seconds() - wall),
             count / (processor_seconds() - processor));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return fmt::print(stderr, "usage: ledger_bench PEOPLE ASSETS, for example 500000 3\n"), 2;
  std::vector<core::PersonKey> people(std::stoul(arguments[1]));
  std::mt19937_64 random(1);
  for (core::PersonKey& person : people) person = {random(), random()};
  std::sort(people.begin(), people.end());
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("tanhui-ledger-bench-{}", ::getpid());
  std::filesystem::create_directories(folder);
  {
    db::Database database = *db::Database::open((folder / "bench.db").string());
    const std::size_t assets = std::stoul(arguments[2]);
    book_run(database, people, assets, 1, "empty accounts", 1);
    book_run(database, people, assets, 2, "existing accounts", 1);
    book_run(database, people, assets, 3, "existing accounts, again", 1);
    book_run(database, people, assets, 4, "half taken back", -5'000);
    const double wall = wall_seconds();
    const auto holds = ledger::check(database);
    fmt::print("{:<24} {} in {:.2f} s\n", "check of all accounts", holds ? "holds" : holds.error().message, wall_seconds() - wall);
  }
  fmt::print("{:<24} {:.1f} MB\n", "database", double(std::filesystem::file_size(folder / "bench.db")) / 1e6);
  std::filesystem::remove_all(folder);
}
