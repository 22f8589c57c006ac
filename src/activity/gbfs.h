// activity/gbfs.h: GBFS 3 files of a shared-mobility system: its stations as the table that distances are measured by, its vehicle types as
// activities, and what the system is. GBFS has no users and no trips, and its g_CO2_km is no emission factor of ours: neither is read.
//
// A file is read whole or not at all, but for elements that are wrong by themselves: those are left out and told.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "activity/geo.h"
#include "core/result.h"
#include "core/time.h"

namespace tanhui::activity {

constexpr std::size_t kGbfsBytesMax = std::size_t{64} << 20;
constexpr std::size_t kGbfsStationsMax = 200'000;

struct GbfsFeed {
  std::string name, url;
};
struct GbfsSystem {
  std::string system_id, name, time_zone;
};
struct GbfsVehicleType {
  std::string id, form_factor, propulsion_type;
  std::string activity;  // activity_of_vehicle(); empty: none of the catalogue
};
struct GbfsStation {
  std::string id;
  Position position;
};

template <class T>
struct GbfsFile {
  std::string version;
  core::Millis last_updated_ms = 0;
  std::int64_t ttl_s = 0;  // it need not be fetched again before
  T data;
  std::vector<core::Error> left_out = {};
};

/// Errors of all: json.broken and the like, gbfs.too-large, gbfs.too-many, gbfs.unsupported-version, gbfs.missing-field, gbfs.bad-field.
core::Result<GbfsFile<std::vector<GbfsFeed>>> read_gbfs_discovery(std::string_view body);
core::Result<GbfsFile<GbfsSystem>> read_gbfs_system(std::string_view body);
core::Result<GbfsFile<std::vector<GbfsVehicleType>>> read_gbfs_vehicle_types(std::string_view body);
/// Stations in the order of their ids. One id twice: the first counts, the other is left out.
core::Result<GbfsFile<std::vector<GbfsStation>>> read_gbfs_stations(std::string_view body);

}  // namespace tanhui::activity
