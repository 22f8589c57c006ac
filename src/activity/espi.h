// activity/espi.h: Green Button (NAESB ESPI 3.3 to 4.0): an Atom feed of a customer's meter data to electricity meter readings.
//
// Event: custodian, usage point, start and duration of the interval. Object: the usage point. A usage point is known by its Atom id where
// that is a UUID, as the standard wants, else by the path of its address.
// Subject: the usage point ("espi:<custodian>/<usage point>"), which the custodian claims for its customer beforehand. Readings that nobody
// claims are refused (missing-person).
// Taken: electricity delivered to the customer, in Wh or J, as amounts of an interval or as a register that counts on (then the
// differences). value x 10^powerOfTenMultiplier is exact and cut to whole watt-hours. Export, net flow, other commodities and units are
// refused with why. Quality: measured (0, 17, 18, 19 and none said): metered; edited, estimated, derived, mixed, raw (7, 8, 9, 11, 13, 14,
// 16): inferred; questionable, projected and weather-normalised (10, 12, 15) are no readings and are refused. One interval of a usage point
// counts once: a reading that overlaps another of the feed (daily totals beside hours) is refused.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "activity/foreign.h"
#include "core/result.h"

namespace tanhui::activity {

constexpr std::size_t kEspiBytesMax = std::size_t{32} << 20;
constexpr std::size_t kEspiTagsMax = 2'000'000;  // what the tree in memory grows with
constexpr std::size_t kEspiReadingsMax = 50'000;

struct EspiRequest {
  std::string custodian;  // who holds the data: the partner
  Claims claims = no_claims;
};

/// One record for each IntervalReading, in the order of the feed. A document type declaration is refused, so nothing from outside is ever
/// read and nothing expands. Errors: espi.too-large, espi.too-many, espi.doctype, espi.broken, espi.not-a-feed, espi.no-readings.
core::Result<std::vector<ForeignRecord>> read_espi(std::string_view body, const EspiRequest& request);

}  // namespace tanhui::activity
