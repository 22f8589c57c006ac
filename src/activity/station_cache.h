// activity/station_cache.h: the stations of shared-mobility systems over time, as their GBFS feeds said: a distance is measured by where
// the stations were on the day of the ride, also when it is counted again years later.
//
// Whoever fetches a feed asks when it is due, sends the ETag that was kept, and stores what came. (Fetching is not done here.)
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "activity/gbfs.h"
#include "activity/intake_plan.h"
#include "core/result.h"
#include "db/db.h"

namespace tanhui::activity {

struct StationFeed {
  std::string system;  // our name for it, as profiles write it
  std::string url;     // of its station_information
  std::string etag;    // of what was stored last
  core::Millis due_ms = 0;
};

/// Errors: invalid_input gbfs.bad-system (letters, digits, - and _; 1 to 60), gbfs.bad-url.
core::Status add_station_feed(db::Transaction& tx, std::string_view system, std::string_view url, core::Millis now_ms);
std::vector<StationFeed> due_station_feeds(db::Reader& reader, core::Millis now_ms);

struct StationChanges {
  std::size_t added = 0, moved = 0, removed = 0, left_out = 0;
};
/// What came at `now_ms`. A station that moved, or is no longer there, keeps its old place for the time before. Nothing changes when the
/// file is older than the one that was stored last. Errors: those of read_gbfs_stations; gbfs.unknown-system; gbfs.no-stations (an empty
/// list is taken for an accident, not for the end of a system).
core::Result<StationChanges> store_stations(db::Transaction& tx, std::string_view system, std::string_view body, std::string_view etag,
                                            core::Millis now_ms);
/// Nothing new (304), or it could not be fetched: ask again then.
void postpone_station_feed(db::Transaction& tx, std::string_view system, core::Millis due_ms);

/// Where the stations were at `at_ms`; before the first file, where they were first.
std::shared_ptr<const Stations> stations_at(db::Reader& reader, std::string_view system, core::Millis at_ms);

}  // namespace tanhui::activity
