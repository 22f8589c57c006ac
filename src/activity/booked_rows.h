// activity/booked_rows.h: what stands in the journal as words (activity/row.h, kBookedLayout), and back to columns.
#pragma once
#include <cstdint>

#include "activity/row.h"
#include "activity/rule_book.h"
#include "journal/columns.h"

namespace tanhui::activity {

/// Row `i` of the journal. `words` has room for a row of kBookedLayout.
void pack_booked(const journal::Columns& columns, std::size_t i, RuleBook::BookedRule rule, std::uint64_t* words);

/// Adds the row to the columns, all but `line` and `run`.
void unpack_booked(const RowView& view, const ActRule& rule, journal::Columns& columns);

}  // namespace tanhui::activity
