#include "activity/mds.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "activity/fields.h"
#include "activity/geo.h"
#include "core/json.h"

namespace tanhui::activity {

using core::JsonTree;

namespace {

constexpr std::array kVehicleTypes{"bicycle",        "bus",   "cargo_bicycle", "car",
                                   "delivery_robot", "moped", "motorcycle",    "scooter_standing",
                                   "scooter_seated", "truck", "other"};
constexpr std::array kPropulsions{"human",  "electric_assist",    "electric",      "combustion", "combustion_diesel",
                                  "hybrid", "hydrogen_fuel_cell", "plug_in_hybrid"};
constexpr core::Millis kDurationToleranceMs = 60'000;   // clocks of vehicles and of back ends
constexpr std::int64_t kPositionToleranceMm = 100'000;  // of both positions together; then 5 % for maps that are not the sphere
constexpr core::Millis kHour = 3'600'000;

core::Error document_error(std::string_view id, std::string message, std::string action) {
  return {core::ErrorCode::invalid_input, std::string(id), std::move(message), std::move(action)};
}

// The list of elements, at the top or as a member of an object that says its version.
struct Document {
  JsonTree tree;
  const JsonTree* list = nullptr;
  std::string path;
};

core::Status find_list(Document& document, std::string_view body, std::string_view member) {
  if (body.size() > kMdsBytesMax)
    return document_error("mds.too-large", fmt::format("the document has {} bytes; at most {} are taken", body.size(), kMdsBytesMax),
                          "send it in several parts");
  auto tree = core::parse_json_tree(body);
  if (!tree) return tree.error();
  document.tree = *std::move(tree);
  document.list = &document.tree;
  if (document.tree.is(JsonTree::Kind::object)) {
    try {
      const FieldReader fields(document.tree, "", "mds");
      const std::string version = fields.text("version", 20);
      if (version != "2.0" && !version.starts_with("2.0."))
        return document_error("mds.unsupported-version", fmt::format("version '{}' is not taken", version), "send MDS 2.0");
      document.list = &fields.list(member);
      document.path = member;
    } catch (const BadField& bad) {
      return bad.error;
    }
  }
  if (!document.list->is(JsonTree::Kind::list))
    return document_error("mds.bad-field", "the document is neither a list nor an object", fmt::format("send a list of {}", member));
  if (document.list->items.size() > kMdsElementsMax)
    return document_error("mds.too-many",
                          fmt::format("the document holds {} elements; at most {} are taken", document.list->items.size(), kMdsElementsMax),
                          "send it in several parts");
  return core::Done{};
}

template <std::size_t kCount>
void check_one_of(const FieldReader& fields, std::string_view name, const std::string& word,
                  const std::array<const char*, kCount>& choices) {
  if (std::find(choices.begin(), choices.end(), word) == choices.end())
    fields.fail(name, fmt::format("'{}' is none of {}", word.substr(0, 40), fmt::join(choices, ", ")));
}

void check_provider(const FieldReader& fields, std::string_view provider_id) {
  if (read_uuid(fields, "provider_id") != provider_id)
    fields.fail("provider_id", "is not the provider that sends this", "send your own vehicles and trips");
}

MdsVehicle read_vehicle(const FieldReader& fields, std::string_view provider_id) {
  MdsVehicle vehicle;
  vehicle.provider_id = provider_id;
  check_provider(fields, provider_id);
  vehicle.device_id = read_uuid(fields, "device_id");
  vehicle.vehicle_type = fields.text("vehicle_type", 40);
  check_one_of(fields, "vehicle_type", vehicle.vehicle_type, kVehicleTypes);
  const JsonTree& propulsions = fields.list("propulsion_types");
  if (propulsions.items.empty() || propulsions.items.size() > kPropulsions.size())
    fields.fail("propulsion_types", fmt::format("has {} elements", propulsions.items.size()), "name each propulsion once");
  for (const JsonTree& propulsion : propulsions.items) {
    check_one_of(fields, "propulsion_types", propulsion.text, kPropulsions);
    vehicle.propulsion_types.push_back(propulsion.text);
  }
  vehicle.activity = activity_of_vehicle(vehicle.vehicle_type, vehicle.propulsion_types);
  return vehicle;
}

Position position_of(const FieldReader& trip, std::string_view name) {
  const FieldReader place = trip.object(name);
  for (const char* axis : {"lat", "lng"}) place.number(axis, {}, Reason::position_out_of_range);
  const auto position = read_position(place.value("lat").text, place.value("lng").text);
  if (!position) place.fail("lat", "and lng are no position on the earth", "", Reason::position_out_of_range);
  return *position;
}

core::Millis instant_of(const FieldReader& trip, std::string_view name) {
  const std::int64_t instant = trip.whole(name, Reason::bad_time);
  if (!is_time(instant)) trip.fail(name, fmt::format("{} is no time in milliseconds", instant), "", Reason::bad_time);
  return instant;
}

void read_trip(const FieldReader& trip, const MdsTripsRequest& request, ForeignRecord& record) {
  check_provider(trip, request.provider_id);
  record.start_ms = instant_of(trip, "start_time");
  record.end_ms = instant_of(trip, "end_time");
  if (record.end_ms < record.start_ms) trip.fail("end_time", "is before start_time", "", Reason::time_order);
  if (request.hour_ms && (record.end_ms < *request.hour_ms || record.end_ms >= *request.hour_ms + kHour))
    trip.fail("end_time", "is not in the hour that was asked for", "", Reason::bad_time);
  const std::int64_t duration = trip.whole("duration", Reason::bad_time);
  const core::Millis span = record.end_ms - record.start_ms;
  if (duration < 0 || duration > span / 1000 + kDurationToleranceMs / 1000 || duration * 1000 < span - kDurationToleranceMs)
    trip.fail("duration", fmt::format("{} s is not from start_time to end_time, {} s", duration, span / 1000), "", Reason::bad_time);
  record.quantity = trip.whole("distance");
  if (record.quantity < 0) trip.fail("distance", "is negative", "", Reason::quantity_too_small);
  const Position from = position_of(trip, "start_location"), to = position_of(trip, "end_location");
  const std::int64_t straight_mm = distance_millimetres(from, to);
  if (record.quantity < (straight_mm - straight_mm / 20 - kPositionToleranceMm) / 1000)
    trip.fail("distance", fmt::format("{} m is less than the straight line, {} m", record.quantity, straight_mm / 1000), "",
              Reason::position_out_of_range);
  const std::string type = trip.text_or_empty("trip_type", 40);
  if (!type.empty() && type != "rider")
    trip.fail("trip_type", fmt::format("'{}' is no rider's trip", type), "nothing to do; it earns nothing", Reason::unknown_activity);
  const std::string device = read_uuid(trip, "device_id");
  const auto activity = request.activity_of_device(device);
  if (!activity)
    throw BadField{Reason::unknown_activity,
                   field_error("mds.unknown-vehicle", trip.path("device_id"), fmt::format("vehicle {} is not registered", device),
                               "send the vehicle first, then the trip again")};
  if (activity->empty())
    trip.fail("device_id", "vehicles of this type and propulsion earn nothing", "nothing to do", Reason::unknown_activity);
  record.activity = *activity;
}

// Of a document: trip to the pseudonym that the operator says.
core::Result<std::unordered_map<std::string, std::string>> read_claims(const JsonTree& tree) {
  std::unordered_map<std::string, std::string> people;
  try {
    const FieldReader fields(tree, "", "mds");
    if (!fields.has("claims")) return people;
    const JsonTree& claims = fields.list("claims");
    for (std::size_t i = 0; i < claims.items.size(); ++i) {
      const FieldReader claim = fields.element(claims, "claims", i);
      if (!people.emplace(read_uuid(claim, "trip_id"), claim.text("person", 256)).second)
        claim.fail("trip_id", "has a claim already", "claim each trip once");
    }
  } catch (const BadField& bad) {
    return bad.error;
  }
  return people;
}

}  // namespace

std::string_view activity_of_vehicle(std::string_view type, const std::vector<std::string>& propulsions) {
  const auto all_of = [&](std::initializer_list<std::string_view> allowed) {
    return !propulsions.empty() && std::all_of(propulsions.begin(), propulsions.end(), [&](const std::string& propulsion) {
      return std::find(allowed.begin(), allowed.end(), propulsion) != allowed.end();
    });
  };
  if (type == "bicycle" || type == "cargo_bicycle")
    return all_of({"human"}) ? "bike-ride" : all_of({"human", "electric_assist", "electric"}) ? "ebike-ride" : "";
  if (type == "car") return all_of({"electric", "plug_in_hybrid", "hydrogen_fuel_cell"}) ? "nev-ride" : "";
  return "";
}

std::string mds_subject(std::string_view provider_id, std::string_view trip_id) { return fmt::format("mds:{}/{}", provider_id, trip_id); }

core::Result<std::vector<MdsElement<MdsVehicle>>> read_mds_vehicles(std::string_view body, std::string_view provider_id) {
  Document document;
  if (auto status = find_list(document, body, "vehicles"); !status) return status.error();
  std::vector<MdsElement<MdsVehicle>> vehicles;
  for (std::size_t i = 0; i < document.list->items.size(); ++i) {
    try {
      const FieldReader fields(document.list->items[i], fmt::format("{}[{}]", document.path, i), "mds");
      vehicles.push_back({read_vehicle(fields, provider_id), std::nullopt});
    } catch (const BadField& bad) {
      vehicles.push_back({std::nullopt, bad.error});
    }
  }
  return vehicles;
}

core::Result<std::vector<ForeignRecord>> read_mds_trips(std::string_view body, const MdsTripsRequest& request) {
  Document document;
  if (auto status = find_list(document, body, "trips"); !status) return status.error();
  std::unordered_map<std::string, std::string> people;
  if (document.tree.is(JsonTree::Kind::object)) {
    auto claims = read_claims(document.tree);
    if (!claims) return claims.error();
    people = *std::move(claims);
  }
  std::vector<ForeignRecord> records;
  for (std::size_t i = 0; i < document.list->items.size(); ++i) {
    ForeignRecord record;
    record.element = std::uint32_t(i + 1);
    try {
      const FieldReader trip(document.list->items[i], fmt::format("{}[{}]", document.path, i), "mds");
      const std::string id = read_uuid(trip, "trip_id", Reason::missing_event);
      record.event = mds_subject(request.provider_id, id);
      read_trip(trip, request, record);
      record.person = request.claims(record.event);
      if (const auto found = people.find(id); !record.person && found != people.end()) record.subject = found->second;
      if (!record.person && record.subject.empty())
        throw BadField{Reason::missing_person, field_error("mds.no-claim", trip.path("trip_id"), "nobody says whose trip it was",
                                                           "send a claim with the trip, or before it, and the trip again")};
    } catch (const BadField& bad) {
      record.reason = bad.reason;
      record.why = bad.error;
    }
    records.push_back(std::move(record));
  }
  return records;
}

std::optional<core::Millis> read_mds_hour(std::string_view text) {
  if (text.size() != 13 || text[10] != 'T') return std::nullopt;
  const auto day = core::parse_day(text.substr(0, 10));
  const int hour = text[11] >= '0' && text[11] <= '9' && text[12] >= '0' && text[12] <= '9' ? (text[11] - '0') * 10 + (text[12] - '0') : 24;
  if (!day || hour > 23) return std::nullopt;
  return core::Millis{day->count} * core::kMillisPerDay + hour * kHour;
}

MdsFailure mds_failure(const core::Error& why, std::string_view item_name, std::string_view item_id) {
  const auto field = std::find_if(why.params.begin(), why.params.end(), [](const auto& param) { return param.first == "field"; });
  const bool missing = why.id == "mds.missing-field" || why.id == "mds.no-claim";
  return {std::string(item_name), std::string(item_id),
          why.id == "mds.unknown-vehicle" ? "unregistered"
          : missing                       ? "missing_param"
                                          : "bad_param",
          why.message, field == why.params.end() ? std::vector<std::string>{} : std::vector{field->second}};
}

std::string mds_bulk_answer(std::size_t total, const std::vector<MdsFailure>& failures) {
  boost::json::array list;
  for (const MdsFailure& failure : failures) {
    boost::json::object item;
    if (!failure.item_id.empty()) item[failure.item_name] = failure.item_id;
    list.push_back(boost::json::object{{"item", std::move(item)},
                                       {"error", failure.error},
                                       {"error_description", failure.description},
                                       {"error_details", boost::json::array(failure.details.begin(), failure.details.end())}});
  }
  return boost::json::serialize(boost::json::object{{"success", total - failures.size()}, {"total", total}, {"failures", std::move(list)}});
}

}  // namespace tanhui::activity
