// durable_bench ours|plain FOLDER ENTRIES BATCH: appends ENTRIES entries, BATCH to a transaction, each durable before the next begins; once
// for every line on standard input, each time into a new SQLite file; answers with a line of JSON.
//   ours    journal/log.h: the entries, the tree's edge and a signed checkpoint commit together, then tiles and checkpoint are published
//   plain   the same bytes into the same kind of table, and nothing that proves anything
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <iostream>

#include "journal/log.h"

namespace {

using namespace tanhui;
namespace fs = std::filesystem;

journal::Entry entry(std::uint64_t number) {
  return journal::SegmentEntry{"bench", core::Day{20'000}, number, 1'000, std::int64_t(number), 0, 20'000, {}, {}};
}

/// Appends through `append(entries)`; the times of the transactions in order of size.
template <class Append>
std::vector<double> timed(std::uint64_t count, std::uint64_t batch, Append append) {
  std::vector<double> milliseconds;
  std::vector<journal::Entry> entries;
  for (std::uint64_t at = 0; at < count; at += batch) {
    entries.clear();
    for (std::uint64_t i = at; i < std::min(at + batch, count); ++i) entries.push_back(entry(i));
    const auto begin = std::chrono::steady_clock::now();
    append(entries);
    milliseconds.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  return milliseconds;
}

std::vector<double> ours(const fs::path& folder, db::Database& database, std::uint64_t count, std::uint64_t batch) {
  auto log = journal::Log::open(folder, database, 0, "bench.example/log");
  if (!log) throw std::runtime_error(log.error().message);
  return timed(count, batch, [&](const std::vector<journal::Entry>& entries) {
    db::Transaction tx = database.begin();
    (void)log->append(tx, entries, 0);
    tx.commit();
    log->publish(database);
  });
}

std::vector<double> plain(db::Database& database, std::uint64_t count, std::uint64_t batch) {
  std::int64_t position = 0;
  std::vector<std::int64_t> positions;
  std::vector<std::string> texts;
  std::vector<std::string_view> bytes;
  return timed(count, batch, [&](const std::vector<journal::Entry>& entries) {
    positions.clear();
    texts.clear();
    for (const journal::Entry& one : entries) {
      positions.push_back(++position);
      texts.push_back(journal::entry_bytes(one));
    }
    bytes.assign(texts.begin(), texts.end());
    db::Transaction tx = database.begin();
    db::BulkInsert(tx, "log_entry", {"position", "bytes"}).insert({positions, bytes});
    tx.commit();
  });
}

void once(bool proving, const fs::path& folder, std::uint64_t count, std::uint64_t batch) {
  fs::remove_all(folder);
  fs::create_directories(folder);
  auto opened = db::Database::open((folder / "tanhui.db").string());
  if (!opened) throw std::runtime_error(opened.error().message);
  db::Database database = *std::move(opened);
  const auto begin = std::chrono::steady_clock::now();
  const auto milliseconds = proving ? ours(folder, database, count, batch) : plain(database, count, batch);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  // The log's first entry is its key; all others must be there, byte for byte.
  const auto kept = database.find<std::int64_t, std::int64_t>("SELECT count(*), sum(length(bytes)) FROM log_entry WHERE position > 0");
  fmt::print("{{\"seconds\": {}, \"p50_ms\": {}, \"entries\": {}, \"bytes\": {}}}\n", seconds.count(),
             milliseconds[milliseconds.size() / 2], std::get<0>(*kept), std::get<1>(*kept));
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view kind = count == 5 ? arguments[1] : "";
  if (kind != "ours" && kind != "plain") return fmt::print(stderr, "usage: durable_bench ours|plain FOLDER ENTRIES BATCH\n"), 2;
  try {
    for (std::string line; std::getline(std::cin, line);)
      once(kind == "ours", arguments[2], std::stoull(arguments[3]), std::stoull(arguments[4]));
  } catch (const std::exception& problem) {
    return fmt::print(stderr, "durable_bench: {}\n", problem.what()), 1;
  }
}
