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
          (given ? record_consent : withdraw_consent)(tx, "city", kBob, source, at, {});
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

TEST(Consent, PurposesDoNotMix) {
  db::Database database = db::test::fresh_database();
  db::Transaction tx = database.begin();
  EXPECT_TRUE(change_consent(tx, "city", kBob, "gate", true, 10, {Purpose::crediting, SaidBy::person, "terms-3"}));
  EXPECT_TRUE(change_consent(tx, "city", kBob, "*", false, 20, {Purpose::marketing, SaidBy::partner}));
  EXPECT_FALSE(change_consent(tx, "city", kBob, "*", false, 30, {Purpose::marketing, SaidBy::partner}));
  EXPECT_TRUE(has_consent(tx, "city", kBob, "gate", Purpose::crediting, false));
  EXPECT_FALSE(has_consent(tx, "city", kBob, "app", Purpose::crediting, false));
  EXPECT_FALSE(has_consent(tx, "city", kBob, "gate", Purpose::marketing, true));
  EXPECT_TRUE(has_consent(tx, "city", kBob, "gate", Purpose::statistics, true));
  EXPECT_FALSE(has_consent(tx, "town", kBob, "gate", Purpose::crediting, false));
  EXPECT_TRUE(withdrawn(tx, "city").empty());
  EXPECT_TRUE(ConsentBook(tx, "city", kSources, true).allows(kBob, 0));
  EXPECT_FALSE(ConsentBook(tx, "city", kSources, false, Purpose::marketing).allows(kBob, 0));
  const auto words = consent_history(tx, kBob);
  ASSERT_EQ(words.size(), 2u);
  EXPECT_EQ(words[0].wording, "terms-3");
  EXPECT_EQ(words[0].said_by, SaidBy::person);
  EXPECT_EQ(words[1].purpose, Purpose::marketing);
  EXPECT_FALSE(words[1].given);
  EXPECT_EQ(parse_purpose("statistics") ? std::string(name(*parse_purpose("statistics"))) : "", "statistics");
  EXPECT_EQ(parse_purpose("fun").error().id, "consent.unknown-purpose");
}

TEST(Consent, TheErasedAgreeToNothing) {
  db::Database database = db::test::fresh_database();
  db::Transaction tx = database.begin();
  record_consent(tx, "city", kBob, "*", 10);
  tx.exec("INSERT INTO erased_pseudonym (key, erased_ms) VALUES ($1, 5)", kBob);
  const ConsentBook open(tx, "city", kSources, false), elsewhere(tx, "town", kSources, false);
  EXPECT_FALSE(open.always());
  EXPECT_FALSE(open.allows(kBob, 0) || elsewhere.allows(kBob, 1));
  EXPECT_TRUE(open.allows(kAnn, 0));
  EXPECT_FALSE(has_consent(tx, "city", kBob, "gate", Purpose::crediting, true));
}

}  // namespace
}  // namespace tanhui::identity
