// journal/log_audit.h: reads a whole log as an auditor does, trusting nothing but the key it is given: every entry can be read and hashes
// to the roots that every checkpoint signed, one checkpoint after the other; keys change only as the key before says; the published files
// are those of the entries, byte for byte.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>

#include "core/result.h"
#include "db/db.h"
#include "journal/entry.h"
#include "journal/note.h"

namespace tanhui::journal {

struct LogAudit {
  std::uint64_t entries = 0, checkpoints = 0, keys = 0, files = 0;
  std::string origin;
  std::string newest_checkpoint;
};

/// Calls `visit(position, entry)` for every entry in order; what it answers ends the audit when it is an error. `first_key`: the log's
/// first key as the auditor knows it from elsewhere; without it the log's own word is taken. `folder`: <instance>/log, or nothing when only
/// the database is to be read. Errors, all refused, each naming the first thing that does not hold: verify.log-entry,
/// verify.log-checkpoint, verify.log-key, verify.log-head, verify.log-file.
core::Result<LogAudit> audit_log(db::Reader& reader, const std::optional<std::filesystem::path>& folder,
                                 const std::optional<PublicKey>& first_key,
                                 const std::function<core::Status(std::uint64_t, const Entry&)>& visit);

/// What an audit says when something does not hold.
core::Error diverges(std::string_view what, std::string_view where, std::string_view why);

}  // namespace tanhui::journal
