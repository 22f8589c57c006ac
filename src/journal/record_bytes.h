// journal/record_bytes.h: the canonical bytes of a record, which a segment's Merkle tree is made of. They hold everything that the row
// holds, words as words, so that a proof explains itself and does not depend on Parquet. Golden bytes: record_bytes_test.cc.
//
//   record  := version:u8=1 words numbers
//   words   := activity source region methodology evidence outcome reason winner_source      each length:varint byte*, empty for none
//   numbers := person[16] start_ms:i64 event:u64 revision:varint present:u8
//              duration_ms:zigzag? quantity:zigzag? quantity_2..4:zigzag? object:u64? winner:u64? line:varint?
//              milligrams:zigzag points:zigzag
//   present := bits 0 duration, 1 quantity, 2 3 4 quantity_2..4, 5 object, 6 winner, 7 line: only these are written
//
// Integers are big-endian; varint and zigzag as in core/bytes.h. The leaf hash is that of RFC 6962.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/merkle.h"
#include "journal/columns.h"

namespace tanhui::journal {

/// A record by itself, as a proof shows it.
struct Record {
  std::string activity, source, region, methodology, evidence, outcome, reason, winner_source;
  core::PersonKey person;
  core::Millis start_ms = 0;
  std::uint64_t event = 0;
  std::uint32_t revision = 0;
  std::optional<std::int64_t> duration_ms, quantity;
  std::array<std::optional<std::int64_t>, kExtraQuantities> extra;
  std::uint64_t object = 0, winner = 0;
  std::uint32_t line = 0;
  std::int64_t milligrams = 0, points = 0;
  friend bool operator==(const Record&, const Record&) = default;
};

Record record_at(const Columns& rows, std::size_t row, const Names& names);
std::string record_bytes(const Record& record);
/// Nothing when the bytes are not exactly one record.
std::optional<Record> parse_record(std::string_view bytes);

/// Leaf hashes of many rows. Keeps its memory; one for each thread.
class RecordHasher {
 public:
  /// `names` may grow while this lives, but what an index means never changes.
  explicit RecordHasher(const Names& names);
  /// Appends the leaf hashes of rows [begin, end) to `leaves`.
  void hash(const Columns& rows, std::size_t begin, std::size_t end, std::vector<core::Digest>& leaves);

 private:
  struct Words {  // a combination of words that was met, as bytes
    std::array<std::uint16_t, 8> indexes;
    std::string bytes;
  };
  const std::string& words_of(const Columns& rows, std::size_t row);

  const Names& names_;
  std::vector<Words> seen_;  // a direct-mapped cache
  core::merkle::LeafBatch batch_;
};

}  // namespace tanhui::journal
