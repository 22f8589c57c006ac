// Any bytes as MDS: elements in are records out, in order; a record without a reason is whole.
#include <cstdint>
#include <string_view>

#include "activity/mds.h"
#include "core/invariant.h"

using namespace tanhui::activity;
using tanhui::core::invariant;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view provider = "63f13c48-34ff-49d2-aca7-cf6a5b6171c3";
  const MdsTripsRequest request{.provider_id = std::string(provider),
                                .activity_of_device = [](std::string_view) { return std::optional<std::string>("bike-ride"); }};
  if (const auto trips = read_mds_trips(body, request)) {
    for (std::size_t i = 0; i < trips->size(); ++i) {
      const ForeignRecord& record = (*trips)[i];
      invariant(record.element == i + 1, "elements keep their order");
      invariant((record.reason == Reason::none) != record.why.has_value(), "a refused trip says why, another does not");
      if (record.reason != Reason::none) continue;
      invariant(!record.event.empty() && !record.subject.empty() && !record.activity.empty(), "a trip has an id, a person and an activity");
      invariant(record.end_ms >= record.start_ms && record.quantity >= 0, "a trip goes forward");
    }
  }
  if (const auto vehicles = read_mds_vehicles(body, provider)) {
    for (const auto& vehicle : *vehicles) invariant(vehicle.value.has_value() != vehicle.why.has_value(), "a vehicle, or why not");
  }
  return 0;
}
