// activity/mds.h: Mobility Data Specification 2.0: trips of shared vehicles, as an operator pushes them (Agency, a list of trips) or
// publishes them (Provider, the trips that ended in one hour), and the vehicles that say what a trip was.
//
// Event: provider and trip id. A trip that is published again with other contents is a correction; service/published.h tells.
// Who: MDS knows no riders, and its vehicles are not to be asked about them. The operator says beside MDS whose trip it was, by a member
// "claims" of the same document, which its signature covers:
//   {"version": "2.0.0", "trips": [...], "claims": [{"trip_id": "...", "person": "o1.<43 characters>"}]}
// or beforehand as a claim on the subject "mds:<provider>/<trip>". A trip without a claim is refused (missing-person) and may be sent
// again. What: by the vehicle's type and propulsion (activity_of_vehicle). Distance in metres; duration, speed and distance are judged by
// the methodology; here only whether the trip agrees with itself. Positions are looked at for that and not kept.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "activity/foreign.h"
#include "core/result.h"

namespace tanhui::activity {

constexpr std::size_t kMdsElementsMax = 10'000;
constexpr std::size_t kMdsBytesMax = std::size_t{32} << 20;

struct MdsVehicle {
  std::string provider_id, device_id;
  std::string vehicle_type;
  std::vector<std::string> propulsion_types;
  std::string activity;  // empty: trips of it are no activity of the catalogue
};

/// bicycle and cargo_bicycle, human: bike-ride; with a motor: ebike-ride. car that is electric, plug-in hybrid or on hydrogen, and
/// nothing else: nev-ride. Everything else (scooters, mopeds, combustion, robots, buses whose passengers nobody counted): nothing.
std::string_view activity_of_vehicle(std::string_view vehicle_type, const std::vector<std::string>& propulsion_types);

template <class T>
struct MdsElement {
  std::optional<T> value;
  std::optional<core::Error> why;  // instead of a value
};

/// Agency POST and PUT /vehicles (a list), Provider GET /vehicles ({"vehicles": [...]}). One element each, in order. Errors: json.broken
/// and the like, mds.bad-field of the document itself, mds.unsupported-version, mds.too-many, mds.too-large.
core::Result<std::vector<MdsElement<MdsVehicle>>> read_mds_vehicles(std::string_view body, std::string_view provider_id);

/// Nothing: the vehicle is not known. An empty text: it is, and earns nothing.
using ActivityOfDevice = std::function<std::optional<std::string>(std::string_view device_id)>;

struct MdsTripsRequest {
  std::string provider_id;  // who sent it: trips of others are refused
  ActivityOfDevice activity_of_device;
  Claims claims = no_claims;
  std::optional<core::Millis> hour_ms = std::nullopt;  // a published hour: its first instant; trips that ended in another are refused
};

/// One record for each trip, in order; refused ones say why. Errors: as above.
core::Result<std::vector<ForeignRecord>> read_mds_trips(std::string_view body, const MdsTripsRequest& request);

/// "2025-12-28T08", the parameter end_time of Provider trips. Nothing when it is none.
std::optional<core::Millis> read_mds_hour(std::string_view text);

std::string mds_subject(std::string_view provider_id, std::string_view trip_id);

/// The answer to a push: {"success": 1, "total": 2, "failures": [{"item": {"trip_id": ...}, "error": "bad_param", ...}]}.
/// An element that was taken and earned nothing is no failure.
struct MdsFailure {
  std::string item_name, item_id;  // "trip_id" and its value, where it could be read
  std::string error;               // bad_param, missing_param, unregistered
  std::string description;
  std::vector<std::string> details;
};
std::string mds_bulk_answer(std::size_t total, const std::vector<MdsFailure>& failures);
MdsFailure mds_failure(const core::Error& why, std::string_view item_name, std::string_view item_id);

}  // namespace tanhui::activity
