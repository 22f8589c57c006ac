// journal/correction.h: which versions of methodologies were put right for days that were accounted already (tanhui recalculate). Rows of
// the instance's database; the adjustments themselves stand in the segments.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "db/db.h"
#include "journal/publication.h"

namespace tanhui::journal {

/// Records of the local days [first, last] that were booked by a lower version of the methodology count by this one where it is in force.
struct Correction {
  std::string methodology;  // its id
  int version = 0;
  core::Day first, last;
  friend bool operator==(const Correction&, const Correction&) = default;
};

void insert_correction(db::Transaction& tx, std::string_view programme, RunId run, const Correction& correction);
std::vector<Correction> corrections_of(db::Reader& reader, std::string_view programme);  // by methodology, version, run

std::vector<Correction> corrections_of_run(db::Reader& reader, RunId run);  // in the same order

}  // namespace tanhui::journal
