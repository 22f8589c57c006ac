// activity/booking.h: a run as rows of the catalogue and entries of the log, in the transaction that makes it happen.
#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "journal/catalogue.h"
#include "journal/correction.h"
#include "journal/entry.h"
#include "journal/log.h"
#include "journal/segment.h"
#include "methodology/methodology.h"

namespace tanhui::activity {

struct RunRecord {
  journal::Run run;
  std::int64_t points_expire_days = 0;
  std::vector<std::string> methodologies;  // used: "cn-420100-rail-2024@1"
  std::vector<journal::Correction> corrections = {};
  const std::map<core::Day, journal::SegmentInfo>* segments = nullptr;
};

void record_run(db::Transaction& tx, const journal::Log& log, const methodology::Library& library, RunRecord record);

}  // namespace tanhui::activity
