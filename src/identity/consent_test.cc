#include "identity/consent.h"

#include <gtest/gtest.h>

#include "db/test_database.h"

namespace tanhui::identity {
namespace {

constexpr core::PersonKey kAnn{1, 1}, kBob{2, 2}, kCid{3, 3};
const std::vector<std::string> kSources = {"gate", "app"};

TEST(Consent, TheLatestWordCounts) {
  struct Word {
    bool given;
    const char* source;
    core::Millis at;
  };
  const struct {
    const char* why;
    std::vector<Word> words;
    bool gate, app;
    bool required_gate;
  } rows[] = {
      {"no word", {}, true, true, false},
      {"agreed", {{true, "gate", 1}}, true, true, true},
      {"withdrew from one", {{false, "gate", 1}}, false, true, false},
      {"withdrew from all", {{false, "*", 1}}, false, false, false},
      {"agreed again", {{false, "gate", 1}, {true, "gate", 2}}, true, true, true},
      {"agreed to all later", {{false, "gate", 1}, {true, "*", 2}}, true, true, true},
      {"a word on one after all", {{false, "*", 1}, {true, "app", 2}}, false, true, false},
      {"told out of order", {{true, "gate", 5}, {false, "gate", 3}}, true, true, true},
      {"the same moment: the withdrawal", {{true, "gate", 5}, {false, "gate", 5}}, false, true, false},
      {"the same moment, the other way round", {{false, "gate", 5}, {true, "gate", 5}}, false, true, false},
      {"the same moment, all and one", {{true, "*", 5}, {false, "gate", 5}}, false, true, false},
      {"a source that is no more", {{false, "gone", 1}}, true, true, false},
  };
  for (const auto& [why, words, gate, app, required_gate] : rows) {
    db::Database database = db::test::fresh_database();
    {
      db::Transaction tx = database.begin();
      for (const auto& [given, source, at] : words)
        for (int twice = 0; twice < 2; ++twice)  // saying it again changes nothing
          (given ? record_consent : withdraw_consent)(tx, "city", kBob, source, at);
      withdraw_consent(tx, "elsewhere", kBob, "*", 99);
      tx.commit();
    }
    const ConsentBook book(database, "city", kSources, false), strict(database, "city", kSources, true);
    EXPECT_EQ(book.allows(kBob, 0), gate) << why;
    EXPECT_EQ(book.allows(kBob, 1), app) << why;
    EXPECT_EQ(strict.allows(kBob, 0), required_gate) << why;
    EXPECT_TRUE(book.allows(kAnn, 0) && book.allows(kCid, 1)) << why;
    EXPECT_FALSE(strict.allows(kAnn, 0) || strict.allows(kCid, 1)) << why;
    EXPECT_EQ(withdrawn(database, "city").size(), gate && app && std::string_view(why) != "a source that is no more" ? 0u : 1u) << why;
  }
}

TEST(Consent, NoWordsCostNothing) {
  db::Database database = db::test::fresh_database();
  EXPECT_TRUE(ConsentBook(database, "city", kSources, false).always());
  EXPECT_FALSE(ConsentBook(database, "city", kSources, true).always());
}

TEST(Consent, TheWithdrawnComeInOrder) {
  db::Database database = db::test::fresh_database();
  db::Transaction tx = database.begin();
  for (const auto& person : {kCid, kAnn, kBob}) withdraw_consent(tx, "city", person, "gate", 1);
  withdraw_consent(tx, "city", kAnn, "app", 2);
  record_consent(tx, "city", kBob, "*", 3);
  EXPECT_EQ(withdrawn(tx, "city"), (std::vector<core::PersonKey>{kAnn, kCid}));
}

TEST(Consent, AWordIsSaidOnceAndIsTheLast) {
  const struct {
    const char* why;
    const char* source;
    bool given;
    core::Millis now_ms;
    bool said;
  } rows[] = {
      {"the first word", "metro", true, 10, true},
      {"again", "metro", true, 20, false},
      {"on every source is another word", "*", true, 20, true},
      {"again", "*", true, 30, false},
      {"one source taken back", "metro", false, 30, true},
      {"on every source once more: it overrules", "*", true, 40, true},
      {"taken back with a clock that went back", "metro", false, 5, true},
      {"again", "metro", false, 50, false},
  };
  db::Database database = db::test::fresh_database();
  const std::vector<std::string> sources = {"metro"};
  for (const auto& [why, source, given, now_ms, said] : rows) {
    db::Transaction tx = database.begin();
    EXPECT_EQ(change_consent(tx, "city", kBob, source, given, now_ms), said) << why;
    EXPECT_EQ(ConsentBook(tx, "city", sources, true).allows(kBob, 0), given) << why;
    tx.commit();
  }
}

}  // namespace
}  // namespace tanhui::identity
