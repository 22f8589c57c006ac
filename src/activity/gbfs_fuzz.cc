// Any bytes as GBFS files: stations come in order, each once, each on the earth.
#include <cstdint>
#include <string_view>

#include "activity/gbfs.h"
#include "core/invariant.h"

using namespace tanhui::activity;
using tanhui::core::invariant;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (const auto stations = read_gbfs_stations(body)) {
    for (std::size_t i = 0; i < stations->data.size(); ++i) {
      const auto& [id, position] = stations->data[i];
      invariant(!id.empty() && (i == 0 || stations->data[i - 1].id < id), "each station once, in order");
      invariant(position.latitude >= -90'000'000'000 && position.latitude <= 90'000'000'000 && position.longitude >= -180'000'000'000 &&
                    position.longitude <= 180'000'000'000,
                "each on the earth");
    }
    invariant(stations->ttl_s >= 0, "time goes forward");
  }
  (void)read_gbfs_discovery(body);
  (void)read_gbfs_system(body);
  (void)read_gbfs_vehicle_types(body);
  return 0;
}
