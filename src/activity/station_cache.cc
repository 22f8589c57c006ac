#include "activity/station_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace tanhui::activity {
namespace {

constexpr core::Millis kDueLeastMs = 60'000;

core::Error error(core::ErrorCode code, std::string_view id, std::string message, std::string action) {
  return {code, std::string(id), std::move(message), std::move(action)};
}

}  // namespace

core::Status add_station_feed(db::Transaction& tx, std::string_view system, std::string_view url, core::Millis now_ms) {
  const bool named = !system.empty() && system.size() <= 60 && std::all_of(system.begin(), system.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (!named)
    return error(core::ErrorCode::invalid_input, "gbfs.bad-system", fmt::format("'{}' is no name of a system", system.substr(0, 80)),
                 "use 1 to 60 letters, digits, - and _");
  if ((!url.starts_with("https://") && !url.starts_with("http://")) || url.size() > 2000)
    return error(core::ErrorCode::invalid_input, "gbfs.bad-url", "the address is no http address", "name the feed's station_information");
  tx.exec(
      "INSERT INTO station_feed (system, url, etag, last_updated_ms, fetched_ms, due_ms) VALUES ($1, $2, '', 0, 0, $3) "
      "ON CONFLICT (system) DO UPDATE SET url = excluded.url, etag = '', due_ms = excluded.due_ms",
      system, url, now_ms);
  return core::Done{};
}

std::vector<StationFeed> due_station_feeds(db::Reader& reader, core::Millis now_ms) {
  std::vector<StationFeed> feeds;
  for (auto& [system, url, etag, due] : reader.query<std::string, std::string, std::string, std::int64_t>(
           "SELECT system, url, etag, due_ms FROM station_feed WHERE due_ms <= $1 ORDER BY due_ms, system", now_ms))
    feeds.push_back({system, url, etag, due});
  return feeds;
}

core::Result<StationChanges> store_stations(db::Transaction& tx, std::string_view system, std::string_view body, std::string_view etag,
                                            core::Millis now_ms) {
  const auto last = tx.find<std::int64_t>("SELECT last_updated_ms FROM station_feed WHERE system = $1", system);
  if (!last)
    return error(core::ErrorCode::not_found, "gbfs.unknown-system", fmt::format("there is no system '{}'", system), "add its feed first");
  const auto file = read_gbfs_stations(body);
  if (!file) return file.error();
  if (file->data.empty())
    return error(core::ErrorCode::invalid_input, "gbfs.no-stations", fmt::format("the feed of '{}' holds no station", system),
                 "nothing was changed; look at the feed");
  const core::Millis due = now_ms + std::max(file->ttl_s * 1000, kDueLeastMs);
  if (file->last_updated_ms < *last) {
    tx.exec("UPDATE station_feed SET fetched_ms = $2, due_ms = $3 WHERE system = $1", system, now_ms, due);
    return StationChanges{};
  }
  StationChanges changes;
  changes.left_out = file->left_out.size();
  std::map<std::string, Position, std::less<>> before;
  for (const auto& [station, latitude, longitude] : tx.query<std::string, std::int64_t, std::int64_t>(
           "SELECT station, latitude, longitude FROM station WHERE system = $1 AND until_ms IS NULL", system))
    before.emplace(station, Position{latitude, longitude});
  const auto close = [&](std::string_view station) {
    // A second change within the same millisecond leaves nothing of the first.
    tx.exec("DELETE FROM station WHERE system = $1 AND station = $2 AND until_ms IS NULL AND from_ms >= $3", system, station, now_ms);
    tx.exec("UPDATE station SET until_ms = $3 WHERE system = $1 AND station = $2 AND until_ms IS NULL", system, station, now_ms);
  };
  for (const GbfsStation& station : file->data) {
    const auto found = before.find(station.id);
    if (found != before.end() && found->second == station.position) {
      before.erase(found);
      continue;
    }
    ++(found == before.end() ? changes.added : changes.moved);
    if (found != before.end()) {
      close(station.id);
      before.erase(found);
    }
    tx.exec("INSERT INTO station (system, station, from_ms, until_ms, latitude, longitude) VALUES ($1, $2, $3, NULL, $4, $5)", system,
            station.id, now_ms, station.position.latitude, station.position.longitude);
  }
  for (const auto& [station, position] : before) close(station);
  changes.removed = before.size();
  tx.exec("UPDATE station_feed SET etag = $2, last_updated_ms = $3, fetched_ms = $4, due_ms = $5 WHERE system = $1", system,
          etag.substr(0, 200), file->last_updated_ms, now_ms, due);
  return changes;
}

void postpone_station_feed(db::Transaction& tx, std::string_view system, core::Millis due_ms) {
  tx.exec("UPDATE station_feed SET due_ms = $2 WHERE system = $1", system, due_ms);
}

std::shared_ptr<const Stations> stations_at(db::Reader& reader, std::string_view system, core::Millis at_ms) {
  auto stations = std::make_shared<Stations>();
  // Rows in the order of time: the one that holds at that time wins, else the first one after it.
  reader.each(
      "SELECT station, from_ms, coalesce(until_ms, 9223372036854775807), latitude, longitude FROM station WHERE system = $1 "
      "ORDER BY station, from_ms",
      [&](const db::Row& row) {
        const std::string station(row.text(0));
        const core::Millis from = row.integer(1), until = row.integer(2);
        const Position position{row.integer(3), row.integer(4)};
        if (from <= at_ms && at_ms < until) {
          (*stations)[station] = position;
        } else if (from > at_ms) {
          stations->try_emplace(station, position);
        }
      },
      system);
  return stations;
}

}  // namespace tanhui::activity
