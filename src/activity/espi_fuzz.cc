// Any bytes as a Green Button feed: a record says why it is refused or is whole; what counts of a meter never overlaps.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "activity/espi.h"
#include "core/invariant.h"

using namespace tanhui::activity;
using tanhui::core::invariant;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto records = read_espi({reinterpret_cast<const char*>(data), size}, {.custodian = "utility", .claims = [](std::string_view) {
                                                                                 return std::optional(tanhui::core::PersonKey{1, 2});
                                                                               }});
  if (!records) return 0;
  std::map<std::string, std::vector<const ForeignRecord*>> by_meter;
  for (std::size_t i = 0; i < records->size(); ++i) {
    const ForeignRecord& record = (*records)[i];
    invariant(record.element == i + 1, "elements keep their order");
    invariant((record.reason == Reason::none) != record.why.has_value(), "a refused reading says why, another does not");
    if (record.reason != Reason::none) continue;
    invariant(!record.event.empty() && !record.object.empty(), "a reading has an event and a meter");
    invariant(record.quantity >= 0 && record.start_ms < record.end_ms, "a reading is of an interval");
    by_meter[record.object].push_back(&record);
  }
  for (auto& [meter, readings] : by_meter) {
    std::sort(readings.begin(), readings.end(), [](const auto* a, const auto* b) { return a->start_ms < b->start_ms; });
    for (std::size_t i = 1; i < readings.size(); ++i) {
      invariant(readings[i]->start_ms >= readings[i - 1]->end_ms || readings[i]->event == readings[i - 1]->event,
                "no interval counts twice");
    }
  }
  return 0;
}
