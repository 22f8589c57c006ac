// identity/blinding.h: pseudonyms in bulk: files of ids in, files of pseudonyms out, line for line. Streams of any length, memory for one
// batch. `tanhui pseudonym` is these functions with file names; clients/python writes and reads the same.
//
//   partner    blind      ids, one a line             -> requests, and a state that stays with the partner
//   platform   evaluate   requests                    -> responses
//   partner    finish     ids, state, responses       -> pseudonyms, one a line in the order of the ids
//   partner    hash       ids, the partner's key      -> hashes, one a line         } the weaker way,
//   platform   rekey      hashes                      -> pseudonyms, one a line     } see identity/pseudonym.h
//
//   request    {"version":1,"elements":["<base64url of 32 bytes>", …]}                                  1 to 1,000 elements, one JSON a
//   line response   {"version":1,"public_key":"<…>","elements":["<…>", …],"proof":"<base64url of 64 bytes>"}  in the order of the requests
//   state      text, private: the seed that every blind follows from, and a keyed digest of the ids, so that finish sees that they are
//              the same. It has no id in it; who has it and the requests can try ids.
//
// A line that is no id is a problem, which names the line and never the id; with `skip_bad` its line stays empty in every output.
#pragma once
#include <cstdint>
#include <istream>
#include <ostream>
#include <string>
#include <vector>

#include "core/result.h"
#include "identity/person_id.h"
#include "identity/pseudonym.h"

namespace tanhui::identity {

constexpr std::size_t kBatchLineMax = 256 * 1024;  // bytes of a request or response
constexpr std::size_t kProblemsShownMax = 20;

struct BlindOptions {
  IdKind kind = IdKind::phone;
  std::uint32_t version = 1;
  oprf::Element public_key{};
  bool skip_bad = false;
};

struct LineProblem {
  std::int64_t line = 0;  // from 1
  core::Error error;
};
/// What a pass over a file did.
struct BatchReport {
  std::int64_t lines = 0, good = 0;
  std::vector<LineProblem> problems;  // the first kProblemsShownMax
  std::int64_t bad() const { return lines - good; }
};

struct BlindState {
  BlindOptions options;
  std::int64_t lines = 0;
  core::Digest check{};
  SecretBytes<32> seed;
  std::string text() const;
};
/// Errors: blind.bad-state.
core::Result<BlindState> parse_blind_state(std::string_view text);

struct Blinded {
  BlindState state;
  BatchReport report;
};
/// Errors: blind.bad-lines (without skip_bad; after the whole file was read, so that all are known: see `report`).
core::Result<Blinded> blind_lines(std::istream& ids, std::ostream& requests, const BlindOptions& options, const Randomness& randomness,
                                  BatchReport& report);
/// Errors: blind.bad-request (names the line), those of PseudonymKeys::evaluate. Returns the number of elements.
core::Result<std::int64_t> evaluate_lines(std::istream& requests, std::ostream& responses, const PseudonymKeys& keys,
                                          const Randomness& randomness);
/// Checks every proof under the public key of the state. After an error what was written is worth nothing. Errors: blind.other-ids (the ids
/// are not those of the state), blind.bad-response, blind.other-key, oprf.bad-proof.
core::Result<BatchReport> finish_lines(std::istream& ids, std::istream& responses, std::ostream& pseudonyms, const BlindState& state);

/// Errors: blind.bad-lines.
core::Result<BatchReport> hash_lines(std::istream& ids, std::ostream& hashes, IdKind kind, bool skip_bad, const DataKey& partner_key,
                                     BatchReport& report);
/// Errors: blind.bad-hash (names the line).
core::Result<std::int64_t> rekey_lines(std::istream& hashes, std::ostream& pseudonyms, const DataKey& rekey, std::string_view partner);

/// Errors: id.unknown-kind.
core::Result<IdKind> parse_id_kind(std::string_view name);
std::string_view name(IdKind kind);

}  // namespace tanhui::identity
