// libFuzzer: any bytes as a proof, checked with the fixed log's first key. Whatever else is in the document: what it proves are records of
// that log, each once, under a checkpoint that the log signed.
#include <algorithm>

#include "core/invariant.h"
#include "journal/signed_log.h"

using namespace tanhui::journal;
using tanhui::core::invariant;

namespace {

bool same(const ProvenRecord& a, const ProvenRecord& b) { return a.record == b.record && a.segment == b.segment; }

const std::vector<ProvenRecord>& records_of_log() {
  static const std::vector<ProvenRecord> records = [] {
    std::vector<ProvenRecord> all;
    for (const std::string& proof : signed_log().proofs) {
      const auto proven = verify_proof(proof, signed_log().first_key);
      invariant(bool(proven), "the log's own proofs hold");
      all.insert(all.end(), proven->records.begin(), proven->records.end());
    }
    return all;
  }();
  return records;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto& known = records_of_log();
  const auto proven = verify_proof({reinterpret_cast<const char*>(data), size}, signed_log().first_key);
  if (!proven) {
    invariant(proven.error().id == "proof.bad" || proven.error().id == "proof.wrong", "a refusal is one of those in the header");
    invariant(!proven.error().message.empty() && !proven.error().action.empty(), "a refusal says what is wrong and what to do");
    return 0;
  }
  invariant(signed_log().signed_texts.contains(to_text(proven->checkpoint)), "a proof holds under a checkpoint that the log signed");
  std::int64_t milligrams = 0, points = 0;
  for (std::size_t i = 0; i < proven->records.size(); ++i) {
    const ProvenRecord& one = proven->records[i];
    invariant(std::any_of(known.begin(), known.end(), [&](const auto& other) { return same(one, other); }), "what is proved is in the log");
    for (std::size_t j = 0; j < i; ++j) invariant(!same(one, proven->records[j]), "a record is proved once");
    milligrams += one.record.milligrams;
    points += one.record.points;
  }
  invariant(milligrams == proven->milligrams && points == proven->points, "the amounts are those of the records");
  return 0;
}
