#include "activity/open_rows.h"

#include <gtest/gtest.h>

namespace tanhui::activity {
namespace {

constexpr Layout kFresh{.object = true, .extras = kExtraQuantities, .booked = false};

std::vector<std::uint64_t> rows_of(std::initializer_list<std::uint64_t> people, std::uint64_t object = 0, std::int64_t extra = kMissing) {
  std::vector<std::uint64_t> words;
  std::uint64_t event = 1;
  for (const std::uint64_t person : people) {
    std::array<std::uint64_t, OpenRows::kWords> row{};
    new (row.data()) Row{.person = {person, person},
                         .event = event,
                         .when = pack_when(core::Millis(1000 * event), 1, 2, Evidence::inferred),
                         .duration = pack_duration(5, true, false),
                         .quantity = 77,
                         .line = 0,
                         .rule = 3,
                         .region = 4};
    ++event;
    row[6] = object;
    row[7] = std::uint64_t(extra);
    row[8] = row[9] = std::uint64_t(kMissing);
    new (row.data() + 10)
        Booked{.milligrams = 9, .points = 8, .revision = 1, .outcome = Outcome::capped, .reason = Reason::daily_cap, .winner = 6};
    words.insert(words.end(), row.begin(), row.end());
  }
  return words;
}

TEST(OpenRows, APersonsRowsAreFoundNewestFirst) {
  OpenRows rows;
  const auto words = rows_of({1, 2, 1, 3, 1});
  for (std::size_t at = 0; at < words.size(); at += OpenRows::kWords) rows.add(words.data() + at);
  std::vector<std::uint64_t> events;
  rows.each_of({1, 1}, [&](const std::uint64_t* row) { events.push_back(reinterpret_cast<const Row*>(row)->event); });
  EXPECT_EQ(events, (std::vector<std::uint64_t>{5, 3, 1}));
  rows.each_of({9, 9}, [&](const std::uint64_t*) { ADD_FAILURE() << "nobody"; });
  EXPECT_EQ(rows.people(), 3u);
}

TEST(SeenKeys, KnowWhatTheySaw) {
  SeenKeys seen;
  for (std::uint64_t key = 1; key < 100'000; ++key) seen.add(key * 0x9E3779B97F4A7C15ULL);
  for (std::uint64_t key = 1; key < 100'000; ++key) EXPECT_TRUE(seen.may_hold(key * 0x9E3779B97F4A7C15ULL));
  int taken_for_seen = 0;
  for (std::uint64_t key = 100'000; key < 200'000; ++key) taken_for_seen += seen.may_hold(key * 0x9E3779B97F4A7C15ULL);
  EXPECT_LE(taken_for_seen, 3);
}

struct Words {  // of another process: other numbers
  std::array<std::vector<std::string>, kWordKinds> texts;
  std::uint16_t number_of(Word kind, std::string_view text) {
    auto& known = texts[std::size_t(kind)];
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (known[i] == text) return std::uint16_t(i);
    }
    known.emplace_back(text);
    return std::uint16_t(known.size() - 1);
  }
};

TEST(OpenBatch, ComesBackWithTheNumbersOfWhoReadsIt) {
  OpenBatchWriter writer([](Word kind, std::uint16_t number) {
    static const std::string words[] = {"metro-ride", "metro-gate", "420100", "cn-420100-rail-2024@1"};
    static const std::uint16_t numbers[] = {1, 2, 4, 3};  // those of rows_of()
    EXPECT_EQ(number, numbers[std::size_t(kind)]);
    return std::string_view(words[std::size_t(kind)]);
  });
  const auto first = rows_of({1, 2}), second = rows_of({3}, 55, 44);
  const std::string one = writer.write(first, kBookedLayout), two = writer.write(second, kBookedLayout);
  EXPECT_LT(two.size(), one.size()) << "words are defined once, and only what is used takes room";
  Words words;
  OpenBatchReader reader([&](Word kind, std::string_view text) { return words.number_of(kind, text); });
  const auto read = reader.read(one, kBookedLayout);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), first.size());
  const RowView view(read->data() + OpenRows::kWords, kBookedLayout);
  EXPECT_EQ(view.row().person, (core::PersonKey{2, 2}));
  EXPECT_EQ(view.row().activity(), 0);
  EXPECT_EQ(view.row().evidence(), Evidence::inferred);
  EXPECT_EQ(view.row().rule, 0);
  EXPECT_EQ(view.booked().milligrams, 9);
  EXPECT_EQ(view.booked().winner, 6u);
  const auto more = reader.read(two, kBookedLayout);
  ASSERT_TRUE(more);
  EXPECT_EQ(RowView(more->data(), kBookedLayout).object(), 55u);
  EXPECT_EQ(RowView(more->data(), kBookedLayout).extra(0), 44);
  writer.restart();
  Words others;
  OpenBatchReader late([&](Word kind, std::string_view text) { return others.number_of(kind, text); });
  EXPECT_EQ(late.read(two, kBookedLayout).error().id, "open-window.damaged") << "its words were defined before";
  EXPECT_TRUE(late.read(writer.write(second, kBookedLayout), kBookedLayout)) << "after a restart everything is defined again";
}

TEST(OpenBatch, ABatchThatIsCutShortIsDamaged) {
  OpenBatchWriter writer([](Word, std::uint16_t) { return std::string_view("x"); });
  const std::string bytes = writer.write(rows_of({1, 2}), kBookedLayout);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    OpenBatchReader reader([](Word, std::string_view) { return std::uint16_t(1); });
    EXPECT_FALSE(reader.read(std::string_view(bytes).substr(0, size), kBookedLayout)) << size;
  }
  OpenBatchReader reader([](Word, std::string_view) { return std::uint16_t(1); });
  EXPECT_FALSE(reader.read(bytes + "x", kBookedLayout));
  EXPECT_FALSE(reader.read(bytes, kFresh)) << "another kind of batch";
}

}  // namespace
}  // namespace tanhui::activity
