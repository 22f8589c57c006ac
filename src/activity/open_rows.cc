#include "activity/open_rows.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "core/bytes.h"
#include "core/invariant.h"

namespace tanhui::activity {
namespace {

static_assert(std::endian::native == std::endian::little, "rows in batches are this machine's words");

constexpr std::uint16_t kUndefined = 0xFFFF;

core::Error damaged(std::string_view what) {
  return {core::ErrorCode::refused, "open-window.damaged", fmt::format("a batch of the open window cannot be read: {}", what),
          "restore the database from a backup; records after that backup must be sent again"};
}

std::uint8_t code_of(const Layout& layout) {
  return std::uint8_t((layout.object ? 1U : 0U) | unsigned(layout.extras) << 1 | (layout.booked ? 8U : 0U));
}
Layout layout_of(std::uint8_t code) { return {.object = (code & 1) != 0, .extras = std::size_t(code >> 1 & 3), .booked = (code & 8) != 0}; }

// What of the optional words any row fills.
Layout narrowest(std::span<const std::uint64_t> words, const Layout& layout) {
  Layout used{.object = false, .extras = 0, .booked = layout.booked};
  for (std::size_t at = 0; at < words.size(); at += layout.words()) {
    const RowView view(words.data() + at, layout);
    used.object |= view.object() != 0;
    for (std::size_t extra = used.extras; extra < layout.extras; ++extra) {
      if (view.extra(extra) != kMissing) used.extras = extra + 1;
    }
  }
  return used;
}

void copy_row(const RowView& view, const Layout& into, std::uint64_t* words) {
  std::memcpy(words, &view.row(), sizeof(Row));
  std::size_t at = sizeof(Row) / 8;
  if (into.object) words[at++] = view.object();
  for (std::size_t extra = 0; extra < into.extras; ++extra) words[at++] = std::uint64_t(view.extra(extra));
  if (into.booked) std::memcpy(words + at, &view.booked(), sizeof(Booked));
}

}  // namespace

std::uint32_t OpenRows::add(const std::uint64_t* words) {
  core::invariant(size_ != kNone, "an open window has fewer rows than 32 bits can count");
  if (size_ / kPageRows == pages_.size()) pages_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(kPageRows * (kWords + 1)));
  const std::uint32_t row = size_++;
  std::uint64_t* at = words_of(row);
  std::memcpy(at, words, kWords * 8);
  const core::PersonKey& person = reinterpret_cast<const Row*>(words)->person;
  auto [found, fresh] = people_[shard_of(person.high)].try_emplace(person, kNone);
  at[kWords] = found->second;
  found->second = row;
  return row;
}

std::size_t OpenRows::people() const {
  std::size_t sum = 0;
  for (const auto& shard : people_) sum += shard.size();
  return sum;
}

void OpenRows::clear() {
  pages_.clear();
  size_ = 0;
  for (auto& shard : people_) shard.clear();
}

void OpenBatchWriter::define(Word kind, std::uint16_t number, std::string& definitions, std::size_t& count) {
  std::vector<bool>& defined = defined_[std::size_t(kind)];
  if (number < defined.size() && defined[number]) return;
  if (defined.size() <= number) defined.resize(std::size_t(number) + 1);
  defined[number] = true;
  const std::string_view text = text_of_(kind, number);
  core::ByteWriter out;
  out.u8(std::uint8_t(kind)).varint(number).varint(text.size()).raw(text);
  definitions += out.take();
  ++count;
}

std::string OpenBatchWriter::write(std::span<const std::uint64_t> words, const Layout& layout) {
  const bool restarts = restart_;
  if (restart_) {
    for (auto& defined : defined_) defined.clear();
    restart_ = false;
  }
  std::string definitions;
  std::size_t count = 0;
  const std::size_t rows = words.size() / layout.words();
  for (std::size_t i = 0; i < rows; ++i) {
    const Row& row = RowView(words.data() + i * layout.words(), layout).row();
    define(Word::activity, row.activity(), definitions, count);
    define(Word::source, row.source(), definitions, count);
    define(Word::region, row.region, definitions, count);
    if (row.rule != kNoMethodology) define(Word::methodology, row.rule, definitions, count);
  }
  const Layout used = narrowest(words, layout);
  core::ByteWriter head;
  head.u8(1).u8(restarts ? 1 : 0).varint(count).raw(definitions).u8(code_of(used)).varint(rows);
  std::string bytes = head.take();
  const std::size_t begin = bytes.size();
  bytes.resize(begin + rows * used.bytes());
  std::array<std::uint64_t, OpenRows::kWords> row;
  for (std::size_t i = 0; i < rows; ++i) {
    copy_row(RowView(words.data() + i * layout.words(), layout), used, row.data());
    std::memcpy(bytes.data() + begin + i * used.bytes(), row.data(), used.bytes());
  }
  return bytes;
}

core::Result<std::vector<std::uint64_t>> OpenBatchReader::read(std::string_view bytes, const Layout& layout) {
  core::ByteReader in(bytes);
  if (in.u8() != 1) return damaged("its version is not known");
  if (in.u8() == 1) {
    for (auto& numbers : numbers_) numbers.clear();
  }
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    const std::uint8_t kind = in.u8();
    const std::uint64_t number = in.varint();
    const std::string_view text = in.bytes(in.varint());
    if (!in.ok() || kind >= kWordKinds || number >= kUndefined) return damaged("a definition is broken");
    std::vector<std::uint16_t>& numbers = numbers_[kind];
    if (numbers.size() <= number) numbers.resize(std::size_t(number) + 1, kUndefined);
    numbers[std::size_t(number)] = number_of_(Word(kind), text);
  }
  const Layout stored = layout_of(in.u8());
  const std::uint64_t rows = in.varint();
  if (!in.ok() || stored.booked != layout.booked || rows > bytes.size()) return damaged("its head is broken");
  std::vector<std::uint64_t> words(std::size_t(rows) * layout.words());
  std::array<std::uint64_t, OpenRows::kWords> copy;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::string_view raw = in.bytes(stored.bytes());
    if (!in.ok()) return damaged("it ends in the middle");
    std::memcpy(copy.data(), raw.data(), raw.size());
    Row& row = *reinterpret_cast<Row*>(copy.data());
    bool known = true;
    const auto here = [&](Word kind, std::uint16_t number) {
      const auto& numbers = numbers_[std::size_t(kind)];
      const std::uint16_t found = number < numbers.size() ? numbers[number] : kUndefined;
      known &= found != kUndefined;
      return found;
    };
    row.region = here(Word::region, row.region);
    row.when = pack_when(row.start_ms(), here(Word::activity, row.activity()), here(Word::source, row.source()), row.evidence());
    if (row.rule != kNoMethodology) row.rule = here(Word::methodology, row.rule);
    if (!known) return damaged("a row names a word that is not defined, or that this programme no longer has");
    if (row.evidence() > Evidence::declared) return damaged("an evidence is not known");
    copy_row(RowView(copy.data(), stored), layout, words.data() + i * layout.words());
  }
  if (!in.done()) return damaged("something follows its last row");
  return words;
}

}  // namespace tanhui::activity
