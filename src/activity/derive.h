// activity/derive.h: records that are only parts of an act. An entry and an exit tap make a ride; a day's meter readings make a saving
// against the home's own baseline. The act is credited on its last record; the others end as accepted parts of it.
#pragma once
#include "activity/act.h"
#include "core/time.h"

namespace tanhui::activity {

/// Pairs open entry and exit taps of one person, in order of time. The ride runs from entry to exit and has the exit's quantity
/// (a fare's least distance). Taps without a partner are held. A pair outside the rule's limits is rejected, both taps.
void pair_taps(std::span<Act> acts, std::span<const ActRule> rules);

constexpr int kBaselineDays = 7;                         // the "seven-day line" of the Shenzhen home electricity method
constexpr core::Millis kCompleteDayMs = 23 * 3'600'000;  // the shortest day of a clock change

/// Turns the open readings of one person into savings, meter by meter (object; 0 is one meter): mean of the seven days before, each
/// complete, minus the day's use; nothing for a day without use (an empty home). The saving stands on the day's last reading.
/// Readings of one meter that overlap in time: the better evidence stays.
void save_from_readings(std::span<Act> acts, std::span<const ActRule> rules);

/// All quantities of an act, in its activity's order; kMissing where absent.
using Quantities = std::array<std::int64_t, kQuantities>;

/// Bounds, duration and speed of a complete act; none when it is plausible. A duration of kMissing is not known and not checked.
Reason implausible(const Quantities& quantities, core::Millis duration_ms, const ActRule& rule);

}  // namespace tanhui::activity
