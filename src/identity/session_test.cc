#include "identity/session.h"

#include <gtest/gtest.h>

#include "core/hash.h"
#include "identity/tenancy_fixture.h"

namespace tanhui::identity {
namespace {

using test::error_of, test::must;
constexpr SessionLimits kLimits{100, 1'000};

NewSession start(db::Database& database, core::Millis now, std::string_view owner = "st-1", bool pending = false) {
  db::Transaction tx = database.begin();
  NewSession made = start_session(tx, SessionKind::staff, owner, pending, kLimits, "curl/8.0", now);
  tx.commit();
  return made;
}
void seen(db::Database& database, const std::string& id, core::Millis now) {
  db::Transaction tx = database.begin();
  note_seen(tx, id, now);
  tx.commit();
}

TEST(Session, LastsWhileItIsSeenAndNotForEver) {
  db::Database database = db::test::fresh_database();
  const auto made = start(database, 0);
  EXPECT_EQ(made.token.size(), 43u);
  EXPECT_EQ(must(find_session(database, made.token, 99)).owner, "st-1");
  EXPECT_EQ(error_of(find_session(database, made.token, 100)), "session.none") << "not seen for its idle time";
  for (core::Millis now = 50; now < 1'000; now += 50) seen(database, made.session.id, now);
  EXPECT_TRUE(find_session(database, made.token, 999));
  seen(database, made.session.id, 1'000);
  EXPECT_FALSE(find_session(database, made.token, 1'000)) << "its end in any case";
}

TEST(Session, TheTokenIsNowhereInTheDatabase) {
  db::Database database = db::test::fresh_database();
  const auto made = start(database, 0);
  EXPECT_EQ(database.find<core::Digest>("SELECT token FROM session"), core::sha256(made.token));
  for (std::string wrong : {std::string(), made.token + "A", made.token.substr(1), std::string(43, 'A'), made.session.id})
    EXPECT_EQ(error_of(find_session(database, wrong, 1)), "session.none") << wrong;
  EXPECT_NE(start(database, 0).token, made.token);
}

TEST(Session, OneOrAllAreRevokedByTheirOwner) {
  db::Database database = db::test::fresh_database();
  const auto first = start(database, 0), second = start(database, 1), third = start(database, 2), other = start(database, 3, "st-2");
  EXPECT_EQ(sessions_of(database, SessionKind::staff, "st-1", 5).size(), 3u);
  EXPECT_EQ(sessions_of(database, SessionKind::staff, "st-1", 5).front().id, third.session.id) << "the newest first";
  EXPECT_EQ(sessions_of(database, SessionKind::person, "st-1", 5).size(), 0u) << "a person with the same id is somebody else";
  db::Transaction tx = database.begin();
  EXPECT_EQ(error_of(revoke_session(tx, SessionKind::staff, "st-1", other.session.id, 6)), "session.not-found");
  EXPECT_TRUE(revoke_session(tx, SessionKind::staff, "st-1", first.session.id, 6));
  EXPECT_EQ(error_of(revoke_session(tx, SessionKind::staff, "st-1", first.session.id, 6)), "session.not-found");
  EXPECT_FALSE(find_session(tx, first.token, 7));
  EXPECT_EQ(revoke_sessions(tx, SessionKind::staff, "st-1", 8, second.session.id), 1);
  EXPECT_TRUE(find_session(tx, second.token, 9));
  EXPECT_TRUE(find_session(tx, other.token, 9));
  EXPECT_EQ(clear_sessions(tx, 9), 2);
  tx.commit();
}

TEST(Session, TheSecondFactorMakesAnotherOne) {
  db::Database database = db::test::fresh_database();
  const auto pending = start(database, 0, "st-1", true);
  EXPECT_TRUE(must(find_session(database, pending.token, 1)).pending);
  db::Transaction tx = database.begin();
  const auto whole = complete_session(tx, pending.session, kLimits, 2);
  tx.commit();
  EXPECT_FALSE(find_session(database, pending.token, 3));
  EXPECT_FALSE(must(find_session(database, whole.token, 3)).pending);
  EXPECT_EQ(must(find_session(database, whole.token, 3)).agent, "curl");
}

TEST(Session, ThereAreNotMoreThanSomeOfOneOwner) {
  db::Database database = db::test::fresh_database();
  const auto first = start(database, 0);
  for (std::size_t i = 1; i <= kSessionsMax; ++i) start(database, core::Millis(i));
  EXPECT_EQ(sessions_of(database, SessionKind::staff, "st-1", 50).size(), kSessionsMax);
  EXPECT_FALSE(find_session(database, first.token, 50)) << "the one not seen for longest ended";
}

TEST(Session, TheCsrfTokenBelongsToTheSession) {
  const std::string token(43, 'a'), other(43, 'b');
  EXPECT_TRUE(csrf_matches(token, csrf_token(token)));
  EXPECT_FALSE(csrf_matches(token, csrf_token(other)));
  EXPECT_FALSE(csrf_matches(token, ""));
  EXPECT_FALSE(csrf_matches(token, token));
  // HMAC-SHA256 with the key "aaa...a" over "tanhui csrf", by another program: printf 'tanhui csrf' | openssl dgst -sha256 -hmac ...
  EXPECT_EQ(csrf_token(token).size(), 43u);
}

TEST(Session, AnAgentInWords) {
  const struct {
    const char *header, *words;
  } rows[] = {
      {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:120.0) Gecko/20100101 Firefox/120.0", "Firefox on Windows"},
      {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36", "Chrome on Linux"},
      {"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0 Safari/537.36 Edg/119.0", "Edge on Windows"},
      {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 Mobile/15E148 MicroMessenger/8.0.42", "WeChat on iPhone"},
      {"curl/8.4.0", "curl"},
      {"my-agent/1 (something)", "my-agent/1"},
      {"\x01<script>\n", "<script>"},
      {"", ""},
  };
  for (const auto& [header, words] : rows) EXPECT_EQ(summary_of_agent(header), words);
  EXPECT_LE(summary_of_agent(std::string(10'000, 'x')).size(), 120u);
}

}  // namespace
}  // namespace tanhui::identity
