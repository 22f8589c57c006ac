#include "journal/record_bytes.h"

#include <algorithm>
#include <cstring>

#include "core/bytes.h"

namespace tanhui::journal {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kSeenWords = 1024;       // combinations of words kept as bytes
constexpr std::size_t kRecordsTogether = 512;  // hashed at a time: their bytes stay in the cache
constexpr std::uint16_t kNeverSeen = 0xFFFE;

enum Present : std::uint8_t { kDuration = 1, kQuantity = 2, kExtra = 4, kObject = 32, kWinner = 64, kLine = 128 };

std::string_view word(const std::vector<std::string>& words, std::uint16_t index) {
  return index == kNoName ? std::string_view() : std::string_view(words.at(index));
}
template <class T>
T value_or(const std::vector<T>& column, std::size_t row, T none) {
  return column.empty() ? none : column[row];
}
std::optional<std::int64_t> number(const std::vector<std::int64_t>& column, std::size_t row) {
  const std::int64_t value = value_or(column, row, kMissing);
  return value == kMissing ? std::nullopt : std::optional(value);
}

void append_word(core::ByteWriter& out, std::string_view text) { out.varint(text.size()).raw(text); }

/// A buffer that is surely long enough for the numbers of one record: 16 + 2 * 8 + 3 + 1 + 8 varints + 2 keys.
struct NumberBuffer {
  char bytes[192];
  char* end = bytes;
  void big_endian(std::uint64_t value) {
    const std::uint64_t swapped = __builtin_bswap64(value);
    std::memcpy(end, &swapped, 8);
    end += 8;
  }
  void byte(std::uint8_t value) { *end++ = char(value); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(std::uint8_t(value | 0x80));
    byte(std::uint8_t(value));
  }
  void zigzag(std::int64_t value) { varint((std::uint64_t(value) << 1) ^ std::uint64_t(value >> 63)); }
};

void put_numbers(const Columns& rows, std::size_t row, NumberBuffer& out) {
  out.big_endian(rows.person[row].high);
  out.big_endian(rows.person[row].low);
  out.big_endian(std::uint64_t(rows.start_ms[row]));
  out.big_endian(rows.event[row]);
  out.varint(rows.revision[row]);
  const std::uint64_t object = value_or(rows.object, row, std::uint64_t{0}), winner = value_or(rows.winner, row, std::uint64_t{0});
  const std::uint32_t line = value_or(rows.line, row, std::uint32_t{0});
  std::uint8_t present =
      std::uint8_t((rows.duration_ms[row] != kMissing ? kDuration : 0) | (rows.quantity[row] != kMissing ? kQuantity : 0) |
                   (object != 0 ? kObject : 0) | (winner != 0 ? kWinner : 0) | (line != 0 ? kLine : 0));
  for (std::size_t i = 0; i < kExtraQuantities; ++i)
    if (value_or(rows.extra[i], row, kMissing) != kMissing) present = std::uint8_t(present | kExtra << i);
  out.byte(present);
  if ((present & kDuration) != 0) out.zigzag(rows.duration_ms[row]);
  if ((present & kQuantity) != 0) out.zigzag(rows.quantity[row]);
  for (std::size_t i = 0; i < kExtraQuantities; ++i)
    if ((present & kExtra << i) != 0) out.zigzag(rows.extra[i][row]);
  if (object != 0) out.big_endian(object);
  if (winner != 0) out.big_endian(winner);
  if (line != 0) out.varint(line);
  out.zigzag(rows.milligrams[row]);
  out.zigzag(rows.points[row]);
}

bool holds_missing(const Record& record) {
  const auto is_missing = [](const std::optional<std::int64_t>& value) { return value == kMissing; };
  return is_missing(record.duration_ms) || is_missing(record.quantity) || std::any_of(record.extra.begin(), record.extra.end(), is_missing);
}

}  // namespace

Record record_at(const Columns& rows, std::size_t row, const Names& names) {
  Record record;
  record.activity = word(names.activities, rows.activity[row]);
  record.source = word(names.sources, rows.source[row]);
  record.region = word(names.regions, rows.region[row]);
  record.methodology = word(names.methodologies, rows.methodology[row]);
  record.evidence = word(names.evidences, rows.evidence[row]);
  record.outcome = word(names.outcomes, rows.outcome[row]);
  record.reason = word(names.reasons, rows.reason[row]);
  record.winner_source = word(names.sources, value_or(rows.winner_source, row, kNoName));
  record.person = rows.person[row];
  record.start_ms = rows.start_ms[row];
  record.event = rows.event[row];
  record.revision = rows.revision[row];
  record.duration_ms = number(rows.duration_ms, row);
  record.quantity = number(rows.quantity, row);
  for (std::size_t i = 0; i < kExtraQuantities; ++i) record.extra[i] = number(rows.extra[i], row);
  record.object = value_or(rows.object, row, std::uint64_t{0});
  record.winner = value_or(rows.winner, row, std::uint64_t{0});
  record.line = value_or(rows.line, row, std::uint32_t{0});
  record.milligrams = rows.milligrams[row];
  record.points = rows.points[row];
  return record;
}

std::string record_bytes(const Record& record) {
  core::ByteWriter out;
  out.u8(kVersion);
  for (const std::string* text : {&record.activity, &record.source, &record.region, &record.methodology, &record.evidence, &record.outcome,
                                  &record.reason, &record.winner_source})
    append_word(out, *text);
  std::uint8_t present =
      std::uint8_t((record.duration_ms ? kDuration : 0) | (record.quantity ? kQuantity : 0) | (record.object != 0 ? kObject : 0) |
                   (record.winner != 0 ? kWinner : 0) | (record.line != 0 ? kLine : 0));
  for (std::size_t i = 0; i < kExtraQuantities; ++i)
    if (record.extra[i]) present = std::uint8_t(present | kExtra << i);
  out.u64(record.person.high).u64(record.person.low).i64(record.start_ms).u64(record.event).varint(record.revision).u8(present);
  if (record.duration_ms) out.zigzag(*record.duration_ms);
  if (record.quantity) out.zigzag(*record.quantity);
  for (const auto& quantity : record.extra)
    if (quantity) out.zigzag(*quantity);
  if (record.object != 0) out.u64(record.object);
  if (record.winner != 0) out.u64(record.winner);
  if (record.line != 0) out.varint(record.line);
  out.zigzag(record.milligrams).zigzag(record.points);
  return out.take();
}

std::optional<Record> parse_record(std::string_view bytes) {
  core::ByteReader in(bytes);
  if (in.u8() != kVersion) return std::nullopt;
  Record record;
  for (std::string* text : {&record.activity, &record.source, &record.region, &record.methodology, &record.evidence, &record.outcome,
                            &record.reason, &record.winner_source})
    *text = in.bytes(in.varint());
  record.person.high = in.u64();
  record.person.low = in.u64();
  record.start_ms = in.i64();
  record.event = in.u64();
  const std::uint64_t revision = in.varint();
  const std::uint8_t present = in.u8();
  if ((present & kDuration) != 0) record.duration_ms = in.zigzag();
  if ((present & kQuantity) != 0) record.quantity = in.zigzag();
  for (std::size_t i = 0; i < kExtraQuantities; ++i)
    if ((present & kExtra << i) != 0) record.extra[i] = in.zigzag();
  if ((present & kObject) != 0) record.object = in.u64();
  if ((present & kWinner) != 0) record.winner = in.u64();
  const std::uint64_t line = (present & kLine) != 0 ? in.varint() : 0;
  record.milligrams = in.zigzag();
  record.points = in.zigzag();
  if (!in.done() || revision > UINT16_MAX || line > UINT32_MAX) return std::nullopt;
  record.revision = std::uint32_t(revision);
  record.line = std::uint32_t(line);
  if (holds_missing(record)) return std::nullopt;          // a number that a row cannot hold
  if (record_bytes(record) != bytes) return std::nullopt;  // a bit that says "present" and a value that says "none"
  return record;
}

RecordHasher::RecordHasher(const Names& names) : names_(names), seen_(kSeenWords) {
  for (Words& words : seen_) words.indexes.fill(kNeverSeen);
}

const std::string& RecordHasher::words_of(const Columns& rows, std::size_t row) {
  const std::array<std::uint16_t, 8> indexes{
      rows.activity[row], rows.source[row],  rows.region[row], rows.methodology[row],
      rows.evidence[row], rows.outcome[row], rows.reason[row], value_or(rows.winner_source, row, kNoName)};
  std::uint64_t halves[2];
  std::memcpy(halves, indexes.data(), sizeof halves);
  const std::uint64_t mixed = (halves[0] * 0x9e3779b97f4a7c15ull) ^ (halves[1] * 0xd6e8feb86659fd93ull);
  Words& words = seen_[(mixed ^ mixed >> 29) >> 20 & (kSeenWords - 1)];
  if (words.indexes == indexes) [[likely]]
    return words.bytes;
  core::ByteWriter out;
  out.u8(kVersion);
  append_word(out, word(names_.activities, indexes[0]));
  append_word(out, word(names_.sources, indexes[1]));
  append_word(out, word(names_.regions, indexes[2]));
  append_word(out, word(names_.methodologies, indexes[3]));
  append_word(out, word(names_.evidences, indexes[4]));
  append_word(out, word(names_.outcomes, indexes[5]));
  append_word(out, word(names_.reasons, indexes[6]));
  append_word(out, word(names_.sources, indexes[7]));
  words.indexes = indexes;
  words.bytes = out.take();
  return words.bytes;
}

void RecordHasher::hash(const Columns& rows, std::size_t begin, std::size_t end, std::vector<core::Digest>& leaves) {
  for (std::size_t row = begin; row < end; ++row) {
    NumberBuffer numbers;
    put_numbers(rows, row, numbers);
    batch_.open();
    batch_.bytes().append(words_of(rows, row)).append(numbers.bytes, std::size_t(numbers.end - numbers.bytes));
    batch_.close();
    if (batch_.size() == kRecordsTogether) batch_.hash(leaves);
  }
  batch_.hash(leaves);
}

}  // namespace tanhui::journal
