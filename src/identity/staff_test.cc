#include "identity/staff.h"

#include <gtest/gtest.h>

#include "identity/session.h"
#include "identity/tenancy_fixture.h"
#include "identity/totp.h"
#include "identity/trail.h"

namespace tanhui::identity {
namespace {

using test::at, test::error_of, test::must, test::within;
constexpr PasswordCost kCheap{1, 8192}, kDearer{2, 16384};
constexpr std::string_view kPassword = "correct horse battery";
const Box kBox(core::sha256("a key"));

// RFC 6238 appendix B, SHA1: eight digits.
TEST(Totp, CodesOfTheStandard) {
  const struct {
    core::Millis seconds;
    const char* code;
  } rows[] = {{59, "94287082"},         {1111111109, "07081804"}, {1111111111, "14050471"},
              {1234567890, "89005924"}, {2000000000, "69279037"}, {20000000000, "65353130"}};
  for (const auto& [seconds, code] : rows) EXPECT_EQ(totp_code("12345678901234567890", totp_step(seconds * 1000), 8), code) << seconds;
  // RFC 4226 appendix D: six digits, by counter.
  const char* const hotp[] = {"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"};
  for (int counter = 0; counter < 10; ++counter) EXPECT_EQ(totp_code("12345678901234567890", counter), hotp[counter]);
}

TEST(Totp, ACodeCountsOneStepAroundAndOnce) {
  const std::string secret = "12345678901234567890";
  const core::Millis now = 100 * kTotpStepMs + 7;
  for (std::int64_t step = 97; step <= 103; ++step) {
    const auto found = find_totp_step(secret, totp_code(secret, step), now, 0);
    EXPECT_EQ(found, step >= 99 && step <= 101 ? std::optional(step) : std::nullopt) << step;
    EXPECT_FALSE(find_totp_step(secret, totp_code(secret, step), now, 101)) << "used before";
  }
  EXPECT_FALSE(find_totp_step(secret, "", now, 0));
  EXPECT_FALSE(find_totp_step(secret, "1234567", now, 0));
}

TEST(Totp, Base32AndTheAddress) {
  // RFC 4648 section 10.
  const std::pair<const char*, const char*> rows[] = {
      {"", ""}, {"f", "MY"}, {"fo", "MZXQ"}, {"foo", "MZXW6"}, {"foob", "MZXW6YQ"}, {"fooba", "MZXW6YTB"}, {"foobar", "MZXW6YTBOI"}};
  for (const auto& [bytes, text] : rows) EXPECT_EQ(to_base32(bytes), text);
  EXPECT_EQ(totp_address("foobar", "Tan hui", "a@b.cn"), "otpauth://totp/Tan%20hui:a%40b.cn?secret=MZXW6YTBOI&issuer=Tan%20hui");
}

TEST(Box, OpensOnlyForWhatItWasMadeFor) {
  const std::string box = kBox.seal("secret", "totp st-1");
  EXPECT_EQ(kBox.open(box, "totp st-1"), "secret");
  EXPECT_FALSE(kBox.open(box, "totp st-2"));
  EXPECT_FALSE(Box(core::sha256("another key")).open(box, "totp st-1"));
  for (std::size_t i = 0; i < box.size(); ++i) {
    std::string changed = box;
    changed[i] = char(changed[i] ^ 1);
    EXPECT_FALSE(kBox.open(changed, "totp st-1")) << i;
    EXPECT_FALSE(kBox.open(box.substr(0, i), "totp st-1")) << i;
  }
  EXPECT_NE(kBox.seal("secret", "x"), kBox.seal("secret", "x"));
}

class Login : public testing::Test {
 protected:
  Login() {
    const auto hash = must(hash_password(kPassword, "ann@example.org", kCheap));
    id_ = must(within(database_, [&](auto& tx) { return create_staff(tx, at(0), "Ann@Example.org", "Ann", hash); })).id;
  }
  std::string login(core::Millis now, std::string_view password = kPassword, std::string_view email = "ann@example.org") {
    return error_of(check_login(database_, email, password, now, kCheap));
  }
  std::string second(core::Millis now, std::string_view code) { return error_of(check_second_factor(database_, kBox, id_, code, now)); }
  std::vector<std::string> set_up_totp(core::Millis now) {
    secret_ = must(within(database_, [&](auto& tx) { return propose_totp(tx, at(now), kBox, id_); }));
    return must(within(database_, [&](auto& tx) { return confirm_totp(tx, at(now), kBox, id_, totp_code(secret_, totp_step(now))); }));
  }
  db::Database database_ = db::test::fresh_database();
  std::string id_, secret_;
};

TEST_F(Login, TheRightPasswordOfTheRightAccount) {
  EXPECT_EQ(login(1), "");
  EXPECT_EQ(login(2, kPassword, "ANN@example.org"), "");
  EXPECT_EQ(login(3, "correct horse batterz"), "staff.wrong-login");
  EXPECT_EQ(login(4, ""), "staff.wrong-login");
  EXPECT_EQ(login(5, std::string(2000, 'x')), "staff.wrong-login");
  EXPECT_EQ(login(6, kPassword, "bob@example.org"), "staff.wrong-login");
  EXPECT_EQ(login(7, kPassword, "ann"), "staff.bad-email");
  EXPECT_EQ(login(8), "");
}

TEST_F(Login, GuessingGetsSlowerAndForgettingIsForgiven) {
  // The fifth wrong one in a row lets the address wait 1 s, the next 2 s, 4 s ... 15 min at most. Whether somebody has the address or not.
  for (const std::string email : {"ann@example.org", "nobody@example.org"}) {
    core::Millis now = 1'000;
    for (int i = 0; i < 5; ++i) EXPECT_EQ(login(now, "wrong wrong wrong", email), "staff.wrong-login") << i;
    for (const core::Millis wait : {1'000, 2'000, 4'000, 8'000, 16'000, 32'000, 64'000, 128'000, 256'000, 512'000, 900'000, 900'000}) {
      EXPECT_EQ(login(now + wait - 1, "wrong wrong wrong", email), "staff.wait") << wait;
      now += wait;
      EXPECT_EQ(login(now, "wrong wrong wrong", email), "staff.wrong-login") << wait;
    }
    if (email == "nobody@example.org") continue;
    EXPECT_EQ(login(now + 899'999), "staff.wait") << "the right one waits too";
    EXPECT_EQ(login(now + 900'000), "");
    EXPECT_EQ(login(now + 900'001, "wrong wrong wrong"), "staff.wrong-login") << "and all is forgotten";
    EXPECT_EQ(login(now + 900'002), "");
  }
  db::Transaction tx = database_.begin();
  EXPECT_EQ(clear_attempts(tx, core::Millis{1} << 40), 1);
}

TEST_F(Login, APasswordIsHashedAnewWhenItsCostWasRaised) {
  const auto hash = [&] { return *database_.find<std::string>("SELECT password FROM staff"); };
  const std::string before = hash();
  EXPECT_EQ(login(1), "");
  EXPECT_EQ(hash(), before);
  EXPECT_EQ(error_of(check_login(database_, "ann@example.org", "wrong wrong wrong", 2, kDearer)), "staff.wrong-login");
  EXPECT_EQ(hash(), before) << "not by a wrong one";
  EXPECT_EQ(error_of(check_login(database_, "ann@example.org", kPassword, 3, kDearer)), "");
  EXPECT_NE(hash(), before);
  EXPECT_NE(hash().find("$argon2id$v=19$m=16,t=2,p=1$"), std::string::npos) << hash();
  EXPECT_EQ(error_of(check_login(database_, "ann@example.org", kPassword, 4, kDearer)), "");
}

TEST_F(Login, WhatAPasswordMustBe) {
  const struct {
    const char* why;
    std::string password;
    bool good;
  } rows[] = {{"short", "elevenchars", false},
              {"twelve", "twelve chars", true},
              {"twelve of Chinese", "碳惠碳惠碳惠碳惠碳惠碳惠", true},
              {"four of Chinese in twelve bytes", "碳惠碳惠", false},
              {"long", std::string(1025, 'x'), false},
              {"the address", "ann@example.org", false}};
  for (const auto& [why, password, good] : rows) EXPECT_EQ(bool(hash_password(password, "ann@example.org", kCheap)), good) << why;
}

TEST_F(Login, TheSecondFactorComesOnTop) {
  const core::Millis now = 1'000'000'000;
  const auto code = [&](core::Millis when) { return totp_code(secret_, totp_step(when)); };
  EXPECT_EQ(second(now, "123456"), "staff.no-totp");
  const auto recovery = set_up_totp(now);
  ASSERT_EQ(recovery.size(), kRecoveryCodes);
  EXPECT_TRUE(must(check_login(database_, "ann@example.org", kPassword, now, kCheap)).has_totp);
  EXPECT_EQ(second(now, code(now)), "staff.wrong-code") << "the code that confirmed it was used";
  const core::Millis later = now + kTotpStepMs;
  EXPECT_EQ(second(later, code(later)), "");
  EXPECT_EQ(second(later, code(later)), "staff.wrong-code") << "each code once";
  EXPECT_EQ(second(later + 2 * kTotpStepMs, code(later + kTotpStepMs)), "") << "a clock that is slow by one step";
  std::string shouted;
  for (const char c : recovery[3]) shouted.push_back(c == '-' ? ' ' : char(std::toupper(c)));
  EXPECT_EQ(second(later, shouted), "") << "a recovery code as people type it";
  EXPECT_EQ(second(later, recovery[3]), "staff.wrong-code") << "each once";
  EXPECT_EQ(recovery_codes_left(database_, id_), 9);
  EXPECT_FALSE(database_.find<std::string>("SELECT staff FROM staff_recovery WHERE digest = $1", core::sha256(recovery[4])));
  EXPECT_EQ(error_of(within(database_, [&](auto& tx) { return propose_totp(tx, at(1), kBox, id_); })), "staff.has-totp");
  EXPECT_EQ(error_of(within(database_, [&](auto& tx) { return remove_totp(tx, at(1), id_); })), "");
  EXPECT_EQ(recovery_codes_left(database_, id_), 0);
  EXPECT_EQ(error_of(within(database_, [&](auto& tx) { return remove_totp(tx, at(1), id_); })), "staff.no-totp");
}

TEST_F(Login, TheRightPasswordDoesNotForgiveWrongCodes) {
  core::Millis now = 1'000'000'000;
  set_up_totp(now);
  int waits = 0;
  for (int i = 0; i < 20; ++i) {  // whoever knows the password guesses codes
    waits += login(now) == "staff.wait" ? 1 : 0;
    waits += second(now, "000000") == "staff.wait" ? 1 : 0;
    now += 10;
  }
  EXPECT_GE(waits, 25);
}

TEST_F(Login, ResetAndDisabledEndEverything) {
  set_up_totp(1'000'000'000);
  std::string token;
  const auto start = [&] {
    db::Transaction tx = database_.begin();
    token = start_session(tx, SessionKind::staff, id_, false, kStaffSession, "", 1).token;
    tx.commit();
  };
  start();
  const auto hash = must(hash_password("another password", "", kCheap));
  EXPECT_FALSE(must(within(database_, [&](auto& tx) { return reset_staff(tx, at(2), id_, hash); })).has_totp);
  EXPECT_FALSE(find_session(database_, token, 3));
  EXPECT_EQ(login(4), "staff.wrong-login");
  EXPECT_EQ(login(5, "another password"), "");
  start();
  const auto disabled = must(within(database_, [&](auto& tx) { return set_active(tx, at(6), id_, false); }));
  EXPECT_FALSE(disabled.active);
  EXPECT_FALSE(find_session(database_, token, 7));
  EXPECT_EQ(login(8, "another password"), "staff.wrong-login");
  EXPECT_EQ(error_of(within(database_, [&](auto& tx) { return set_active(tx, at(9), id_, true, 1); })), "edit.conflict");
  must(within(database_, [&](auto& tx) { return set_active(tx, at(9), id_, true, disabled.version); }));
  EXPECT_EQ(login(10, "another password"), "");
}

TEST_F(Login, AddressesAndNames) {
  const auto create = [&](std::string_view email, std::string_view name) {
    return error_of(within(database_, [&](auto& tx) { return create_staff(tx, at(0), email, name, ""); }));
  };
  EXPECT_EQ(create("ANN@example.org", "Ann"), "staff.exists");
  EXPECT_EQ(create("bob@example.org", ""), "staff.bad-name");
  EXPECT_EQ(create("bob@example.org", "\xff"), "staff.bad-name");
  EXPECT_EQ(create("bob@example.org", "鲍勃"), "");
  for (const char* bad : {"", "@", "a@", "@b.c", "a b@c.d", "a@b", "a@b@c.d", "a@.b", "a@b.", "ä@b.c"})
    EXPECT_EQ(create(bad, "X"), "staff.bad-email") << bad;
  EXPECT_EQ(login(1, "", "bob@example.org"), "staff.wrong-login") << "no password is no way in";
  EXPECT_EQ(all_staff(database_, "", 10).size(), 2u);
  EXPECT_EQ(all_staff(database_, all_staff(database_, "", 1)[0].id, 10).size(), 1u);
  for (const auto& action : actions_after(database_, "", 0, 100)) EXPECT_EQ(action.object.find('@'), std::string::npos);
}

}  // namespace
}  // namespace tanhui::identity
