// journal/witness.h: somebody who is not the operator remembers the largest checkpoint of a log and signs only what grows from it, so an
// operator cannot show one log to some and another to others. C2SP tlog-witness and tlog-cosignature; the messages are the same whether
// they go by HTTP, by mail or by hand.
//
//   request   old <size>, up to 63 base64 hashes of a consistency proof, an empty line, the checkpoint
//   answer    200 the cosignature line · 400 old size beyond the new · 403 not the log's signature · 404 another log
//             409 old size is not the one remembered; the body is that one · 422 the proof does not hold
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "core/result.h"
#include "db/db.h"
#include "journal/note.h"

namespace tanhui::journal {

struct WitnessAnswer {
  int status = 200;
  std::string body;
};

class Witness {
 public:
  /// `memory`: a file that holds the largest checkpoint seen; made by the first one. `signer` is of type witness.
  Witness(Signer signer, PublicKey log, std::filesystem::path memory);
  /// Looks, remembers, then signs; looking and remembering are one step for all processes.
  WitnessAnswer add_checkpoint(std::string_view request, std::uint64_t posix_seconds) const;

 private:
  Signer signer_;
  PublicKey log_;
  std::filesystem::path memory_;
};

/// What the log sends a witness that remembers `old_size` entries (0: nothing yet).
/// Errors: invalid_input witness.bad-size when the log is not that large.
core::Result<std::string> witness_request(db::Reader& reader, const std::filesystem::path& instance, std::uint64_t old_size);

}  // namespace tanhui::journal
