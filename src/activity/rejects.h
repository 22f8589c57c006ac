// activity/rejects.h: the file that tells a partner what became of each record that did not simply count.
#pragma once
#include <filesystem>
#include <vector>

#include "activity/intake.h"
#include "activity/tally.h"
#include "core/result.h"

namespace tanhui::activity {

/// Before a run starts: whether the file can be written. Errors: rejects.unwritable.
core::Status check_rejects_file(const std::filesystem::path& path);

/// CSV in order of the inputs: file, line, outcome, reason, duplicate_of (file:line in these inputs, or the event key of a record
/// of an earlier run), explanation. Throws when the disk fails.
void write_rejects_file(const std::filesystem::path& path, std::vector<Noted> noted, const RecordSource& source);

}  // namespace tanhui::activity
