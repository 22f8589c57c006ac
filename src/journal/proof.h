// journal/proof.h: a proof that a record is in the log, in one JSON document that needs nothing else but the log's public key to be
// checked.
//
//   {"format":"tanhui-proof","version":1,
//    "records":[{"record":{...},           what the bytes say, to be read by people; checked against them
//                "bytes":B,                canonical bytes (record_bytes.h)
//                "index":N,"path":[B...],  to the root that the segment's entry names
//                "entry":"{...}",          the segment's entry in the log (entry.h), as it stands there
//                "log_index":N,"log_path":[B...]}...],
//    "checkpoint":"...",                   the signed note (note.h) whose root the paths end in
//    "keys":[{"entry":"{...}","log_index":N,"log_path":[B...],"checkpoint":"..."}...]}
//
// B is base64. `keys` hands over from the log's first key to the one that signed, one entry for each change; each is proved under a
// checkpoint that the key before signed. A record that was adjusted later has several rows; its milligrams are their sum, and all of them
// are there. Other members, and members that are named twice, are refused.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/result.h"
#include "db/db.h"
#include "journal/checkpoint.h"
#include "journal/entry.h"
#include "journal/note.h"
#include "journal/record_bytes.h"

namespace tanhui::journal {

struct ProvenRecord {
  Record record;
  SegmentEntry segment;
};
struct ProvenRecords {
  std::vector<ProvenRecord> records;
  Checkpoint checkpoint;
  PublicKey signed_by;
  std::vector<std::string> witnesses;  // names of those of the given witnesses that cosigned
  std::int64_t milligrams = 0, points = 0;
};

/// Checks a proof with the log's public key: its first one, or a later one that signed the checkpoint itself. Each of `witnesses` must have
/// cosigned. A record that stands in it twice makes it wrong, so that amounts cannot be counted twice. Errors: invalid_input proof.bad
/// (what is no proof, with the member), refused proof.wrong (what does not hold, and why).
core::Result<ProvenRecords> verify_proof(std::string_view document, const PublicKey& log_key, std::span<const PublicKey> witnesses = {});

struct ProofRequest {
  std::uint64_t event = 0;                // key of the event (core::event_key)
  std::optional<core::PersonKey> person;  // searches only that person's row groups
  std::string programme;                  // empty: all
};
/// The proof of every row of an event. `instance` holds journal/ and log/.
/// Errors: not_found proof.unknown-record, and those of damaged segments.
core::Result<std::string> make_proof(db::Reader& reader, const std::filesystem::path& instance, const ProofRequest& request);

}  // namespace tanhui::journal
