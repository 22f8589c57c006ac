// journal/proof_json.h: private to the room: how a proof shows a record to people.
#pragma once
#include <boost/json.hpp>

#include "journal/entry.h"
#include "journal/record_bytes.h"

namespace tanhui::journal {

constexpr std::string_view kProofFormat = "tanhui-proof";
constexpr std::int64_t kProofVersion = 1;

boost::json::object record_json(const Record& record, const SegmentEntry& segment);

}  // namespace tanhui::journal
