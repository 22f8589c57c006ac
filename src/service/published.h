// service/published.h: formats in which a later publication replaces an earlier one (an hour of MDS trips, estimated meter readings). The
// engine knows no edits: what was credited is unwound, and what is right is credited under the same event with a revision.
//
//   auto plan = plan_publication(tx, maker, programme, source, records, {Replace::always, hour_ms});   // commit, then submit plan.records
//   publication_done(tx, programme, source, plan);                                                     // when they were committed
//
// What is published is remembered before it is submitted. After a crash in between, the same publication makes the same records again, and
// what was to be unwound comes with the source's next publication, whichever it is; all of it counts once.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "activity/foreign.h"
#include "db/db.h"

namespace tanhui::service {

enum class Replace {
  always,          // the last word counts (MDS)
  better_evidence  // only a better observation replaces another (ESPI)
};

struct PublicationRules {
  Replace replace = Replace::always;
  /// Not 0: the publication is everything there is of this period; what was published with it before and is not there now is withdrawn.
  std::int64_t period = 0;
};

struct PublicationPlan {
  /// To be submitted together: first what unwinds, then what counts. `element` is the element of the document; 0 for what unwinds.
  std::vector<activity::ForeignRecord> records;
  std::size_t fresh = 0, same = 0, corrected = 0, withdrawn = 0, refused = 0;
};

/// `records` are what a reader made of the document, refused ones included: they stay refused, and unwind what they replace.
PublicationPlan plan_publication(db::Transaction& tx, const activity::RecordMaker& maker, std::string_view programme,
                                 std::string_view source, const std::vector<activity::ForeignRecord>& records,
                                 const PublicationRules& rules);

void publication_done(db::Transaction& tx, std::string_view programme, std::string_view source, const PublicationPlan& plan);

}  // namespace tanhui::service
