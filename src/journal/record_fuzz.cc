// libFuzzer: any bytes as a record: what is read is written as it stood, and a segment that holds the record as a row hashes the same
// bytes.
#include "core/invariant.h"
#include "journal/record_bytes.h"

using namespace tanhui::journal;
using tanhui::core::invariant;

namespace {

std::uint16_t index_of(const std::string& word, std::vector<std::string>& words, bool may_lack = false) {
  if (may_lack && word.empty()) return kNoName;
  words.push_back(word);
  return std::uint16_t(words.size() - 1);
}

/// The record as the only row of a segment.
Columns row_of(const Record& record, Names& names) {
  Columns row;
  row.person = {record.person};
  row.start_ms = {record.start_ms};
  row.duration_ms = {record.duration_ms.value_or(kMissing)};
  row.activity = {index_of(record.activity, names.activities)};
  row.source = {index_of(record.source, names.sources)};
  row.region = {index_of(record.region, names.regions)};
  row.methodology = {index_of(record.methodology, names.methodologies, true)};
  row.event = {record.event};
  row.object = {record.object};
  row.evidence = {std::uint8_t(index_of(record.evidence, names.evidences))};
  row.quantity = {record.quantity.value_or(kMissing)};
  for (std::size_t i = 0; i < kExtraQuantities; ++i) row.extra[i] = {record.extra[i].value_or(kMissing)};
  row.outcome = {std::uint8_t(index_of(record.outcome, names.outcomes))};
  row.reason = {std::uint8_t(index_of(record.reason, names.reasons))};
  row.milligrams = {record.milligrams};
  row.points = {record.points};
  row.winner = {record.winner};
  row.winner_source = {index_of(record.winner_source, names.sources, true)};
  row.revision = {std::uint16_t(record.revision)};
  row.line = {record.line};
  return row;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto record = parse_record(bytes);
  if (!record) return 0;
  invariant(record_bytes(*record) == bytes, "a record has one way to be written");
  Names names;
  const Columns row = row_of(*record, names);
  invariant(record_at(row, 0, names) == *record, "a row says what the record says");
  std::vector<tanhui::core::Digest> leaves;
  RecordHasher(names).hash(row, 0, 1, leaves);
  invariant(leaves.at(0) == tanhui::core::merkle::leaf_hash(bytes), "a row hashes as the record's bytes");
  return 0;
}
