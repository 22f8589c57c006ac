// activity/divergence.h: a record that is not booked as it ought to be (activity/recheck.h finds them).
#pragma once
#include <cstdint>
#include <string>

#include "core/hash.h"
#include "core/time.h"

namespace tanhui::activity {

constexpr std::size_t kDivergencesMax = 20;  // the first ones are told, all are counted

struct Divergence {
  core::PersonKey person;
  std::uint64_t event = 0;
  core::Millis start_ms = 0;
  std::int64_t milligrams_expected = 0, milligrams_booked = 0;  // expected of a capped row: the most it may have
  std::int64_t points_expected = 0, points_booked = 0;          // of resettle() only
  std::string expected, booked;  // outcome and reason: "accepted: credited"; "too-fast" of a row beyond limits
  std::string methodology;       // "cn-420100-rail-2024@1"
};

}  // namespace tanhui::activity
