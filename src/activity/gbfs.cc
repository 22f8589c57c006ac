#include "activity/gbfs.h"

#include <fmt/format.h>

#include <algorithm>

#include "activity/fields.h"
#include "activity/foreign.h"
#include "activity/mds.h"

namespace tanhui::activity {
namespace {

using core::JsonTree;

constexpr std::int64_t kTtlMax = 7 * 86'400;

core::Result<JsonTree> parse(std::string_view body) {
  if (body.size() > kGbfsBytesMax)
    return core::Error{core::ErrorCode::invalid_input, "gbfs.too-large",
                       fmt::format("the file has {} bytes; at most {} are taken", body.size(), kGbfsBytesMax), "ask the operator for less"};
  return core::parse_json_tree(body);
}

// What all files say, then `read(data, file)`.
template <class T, class Read>
core::Result<GbfsFile<T>> read_file(std::string_view body, Read read) {
  const auto tree = parse(body);
  if (!tree) return tree.error();
  try {
    const FieldReader fields(*tree, "", "gbfs");
    GbfsFile<T> file;
    file.version = fields.text("version", 20);
    if (file.version != "3.0" && !file.version.starts_with("3."))
      return core::Error{core::ErrorCode::invalid_input,
                         "gbfs.unsupported-version",
                         fmt::format("version '{}' is not taken", file.version),
                         "take the feed of GBFS 3",
                         {{"version", file.version}}};
    static thread_local const TimeReader times = *TimeReader::make({"rfc3339"}, "UTC");
    const std::string updated = fields.text("last_updated", 40, Reason::bad_time);
    file.last_updated_ms = times.read(updated);
    if (file.last_updated_ms == kMissing)
      fields.fail("last_updated", fmt::format("'{}' is no time (RFC 3339)", updated), "", Reason::bad_time);
    file.ttl_s = fields.whole("ttl");
    if (file.ttl_s < 0) fields.fail("ttl", "is negative");
    file.ttl_s = std::min(file.ttl_s, kTtlMax);
    read(fields.object("data"), file);
    return file;
  } catch (const BadField& bad) {
    return bad.error;
  }
}

template <class T, class Read>
core::Result<GbfsFile<std::vector<T>>> read_list(std::string_view body, std::string_view name, Read read) {
  return read_file<std::vector<T>>(body, [&](const FieldReader& data, GbfsFile<std::vector<T>>& file) {
    const JsonTree& list = data.list(name);
    if (list.items.size() > kGbfsStationsMax)
      throw BadField{Reason::bad_row,
                     field_error("gbfs.too-many", data.path(name),
                                 fmt::format("has {} elements; at most {} are taken", list.items.size(), kGbfsStationsMax))};
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      try {
        file.data.push_back(read(data.element(list, name, i)));
      } catch (const BadField& bad) {
        file.left_out.push_back(bad.error);
      }
    }
  });
}

}  // namespace

core::Result<GbfsFile<std::vector<GbfsFeed>>> read_gbfs_discovery(std::string_view body) {
  return read_list<GbfsFeed>(body, "feeds", [](const FieldReader& feed) {
    GbfsFeed read{feed.text("name", 60), feed.text("url", 2000)};
    if (!read.url.starts_with("https://") && !read.url.starts_with("http://")) feed.fail("url", "is no http address");
    return read;
  });
}

core::Result<GbfsFile<GbfsSystem>> read_gbfs_system(std::string_view body) {
  return read_file<GbfsSystem>(body, [](const FieldReader& data, GbfsFile<GbfsSystem>& file) {
    file.data.system_id = data.text("system_id", 200);
    file.data.time_zone = data.text("timezone", 60);
    if (!core::Zone::find(file.data.time_zone))
      data.fail("timezone", fmt::format("'{}' is no zone of the IANA database", file.data.time_zone));
    const JsonTree& names = data.list("name");
    if (names.items.empty()) data.fail("name", "is empty");
    file.data.name = data.element(names, "name", 0).text("text", 400);
  });
}

core::Result<GbfsFile<std::vector<GbfsVehicleType>>> read_gbfs_vehicle_types(std::string_view body) {
  return read_list<GbfsVehicleType>(body, "vehicle_types", [](const FieldReader& type) {
    GbfsVehicleType read{type.text("vehicle_type_id", 200), type.text("form_factor", 40), type.text("propulsion_type", 40), {}};
    read.activity = activity_of_vehicle(read.form_factor, {read.propulsion_type});
    return read;
  });
}

core::Result<GbfsFile<std::vector<GbfsStation>>> read_gbfs_stations(std::string_view body) {
  auto file = read_list<GbfsStation>(body, "stations", [](const FieldReader& station) {
    GbfsStation read{station.text("station_id", 200), {}};
    for (const char* axis : {"lat", "lon"}) station.number(axis, {}, Reason::position_out_of_range);
    const auto position = read_position(station.value("lat").text, station.value("lon").text);
    if (!position) station.fail("lat", "and lon are no position on the earth", "", Reason::position_out_of_range);
    read.position = *position;
    return read;
  });
  if (!file) return file;
  auto read = *std::move(file);
  std::stable_sort(read.data.begin(), read.data.end(), [](const GbfsStation& a, const GbfsStation& b) { return a.id < b.id; });
  std::vector<GbfsStation> once;
  for (GbfsStation& station : read.data) {
    if (!once.empty() && once.back().id == station.id) {
      read.left_out.push_back(field_error("gbfs.bad-field", "data.stations", fmt::format("station '{}' stands twice", station.id)));
    } else {
      once.push_back(std::move(station));
    }
  }
  read.data = std::move(once);
  return read;
}

}  // namespace tanhui::activity
