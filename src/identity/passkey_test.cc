#include "identity/passkey.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>

#include "core/bytes.h"
#include "identity/base64url.h"
#include "identity/tenancy_fixture.h"

namespace tanhui::identity {
namespace {

using test::at, test::error_of, test::must, test::within;
const RelyingParty kParty{"console.example.org", "https://console.example.org"};

std::string text_of(const core::Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

/// A bstr of CBOR that is not longer than 65535 bytes, its length in two bytes.
std::string cbor_bytes(std::string_view bytes) { return core::ByteWriter().u8(0x59).u16(std::uint16_t(bytes.size())).raw(bytes).take(); }

/// An authenticator in software: makes real keys and real signatures, and lies where a test asks it to.
class VirtualAuthenticator {
 public:
  enum class Kind { es256, eddsa, rs256 };
  explicit VirtualAuthenticator(Kind kind) : kind_(kind) {
    EVP_PKEY* key = kind == Kind::es256   ? EVP_EC_gen("P-256")
                    : kind == Kind::eddsa ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                          : EVP_RSA_gen(2048);
    key_.reset(key);
  }
  std::string origin = kParty.origin, party = kParty.id, credential = random_token();
  std::uint8_t flags = 0x05;  // present and verified
  std::uint32_t counter = 0;

  NewPasskey create(std::string_view challenge, std::string_view type = "webauthn.create") {
    std::string data = head(flags | 0x40);
    data += std::string(16, '\0');  // aaguid: none
    data += core::ByteWriter().u16(std::uint16_t(credential.size())).raw(credential).take() + cose_key();
    return {credential, client_data(challenge, type), data, "test key"};
  }
  PasskeyLogin get(std::string_view challenge, std::string_view type = "webauthn.get") {
    PasskeyLogin login{credential, client_data(challenge, type), head(flags), ""};
    login.signature = sign(login.authenticator_data + text_of(core::sha256(login.client_data)));
    return login;
  }

 private:
  std::string client_data(std::string_view challenge, std::string_view type) const {
    return fmt::format(R"({{"type":"{}","challenge":"{}","origin":"{}","crossOrigin":false}})", type, challenge, origin);
  }
  std::string head(unsigned with_flags) const {
    return core::ByteWriter().raw(text_of(core::sha256(party))).u8(std::uint8_t(with_flags)).u32(counter).take();
  }
  std::string number(const char* name, std::size_t width) const {
    BIGNUM* value = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &value);
    std::string bytes(width, '\0');
    BN_bn2binpad(value, reinterpret_cast<unsigned char*>(bytes.data()), int(width));
    BN_free(value);
    return bytes;
  }
  /// RFC 9053: maps with small integers as keys, written by hand.
  std::string cose_key() const {
    const auto hex = [](std::initializer_list<int> bytes) { return std::string(bytes.begin(), bytes.end()); };
    if (kind_ == Kind::es256)  // {1: 2, 3: -7, -1: 1, -2: x, -3: y}
      return hex({0xA5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21}) + cbor_bytes(number(OSSL_PKEY_PARAM_EC_PUB_X, 32)) + hex({0x22}) +
             cbor_bytes(number(OSSL_PKEY_PARAM_EC_PUB_Y, 32));
    if (kind_ == Kind::eddsa) {  // {1: 1, 3: -8, -1: 6, -2: x}
      std::string x(32, '\0');
      std::size_t length = x.size();
      EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(x.data()), &length);
      return hex({0xA4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21}) + cbor_bytes(x);
    }
    // {1: 3, 3: -257, -1: n, -2: e}
    return hex({0xA4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20}) + cbor_bytes(number(OSSL_PKEY_PARAM_RSA_N, 256)) +
           hex({0x21, 0x43, 0x01, 0x00, 0x01});
  }
  std::string sign(const std::string& message) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestSignInit(context.get(), nullptr, kind_ == Kind::eddsa ? nullptr : EVP_sha256(), nullptr, key_.get());
    std::string signature(512, '\0');
    std::size_t length = signature.size();
    EXPECT_EQ(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length,
                             reinterpret_cast<const unsigned char*>(message.data()), message.size()),
              1);
    signature.resize(length);
    return signature;
  }
  Kind kind_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_{nullptr, EVP_PKEY_free};
};
using Kind = VirtualAuthenticator::Kind;

class Passkeys : public testing::Test {
 protected:
  Passkeys() {
    ann_ = must(within(database_, [&](auto& tx) { return create_staff(tx, at(0), "ann@example.org", "Ann", ""); })).id;
  }
  std::string new_challenge(core::Millis now) {
    return must(within(database_, [&](auto& tx) { return challenge_for_new_passkey(tx, ann_, now); }));
  }
  std::string login_challenge(core::Millis now) {
    db::Transaction tx = database_.begin();
    std::string challenge = challenge_for_login(tx, now);
    tx.commit();
    return challenge;
  }
  core::Result<Passkey> add(const NewPasskey& made, core::Millis now) {
    return within(database_, [&](auto& tx) { return add_passkey(tx, at(now), kParty, made); });
  }
  core::Result<Staff> log_in(const PasskeyLogin& login, core::Millis now) {
    return within(database_, [&](auto& tx) { return check_passkey(tx, kParty, login, now); });
  }
  db::Database database_ = db::test::fresh_database();
  std::string ann_;
};

TEST_F(Passkeys, EveryKindOfKeyRegistersAndLogsIn) {
  for (const Kind kind : {Kind::es256, Kind::eddsa, Kind::rs256}) {
    VirtualAuthenticator phone(kind);
    const auto made = add(phone.create(new_challenge(1)), 2);
    ASSERT_TRUE(made) << int(kind) << made.error().message;
    EXPECT_EQ(made->staff, ann_);
    const auto login = phone.get(login_challenge(3));
    EXPECT_EQ(must(log_in(login, 4)).id, ann_) << int(kind);
    EXPECT_EQ(error_of(log_in(login, 5)), "passkey.bad") << "a challenge is good for one success";
    EXPECT_EQ(error_of(add(phone.create(new_challenge(6)), 7)), "passkey.exists");
  }
  EXPECT_EQ(passkeys_of(database_, ann_).size(), 3u);
}

TEST_F(Passkeys, WhatDoesNotHold) {
  const struct {
    const char* why;
    void (*lie)(VirtualAuthenticator&);
    const char* says;
  } rows[] = {
      {"another site asks", [](auto& a) { a.origin = "https://console.example.org.evil.example"; }, "origin"},
      {"made for another site", [](auto& a) { a.party = "evil.example"; }, "another site"},
      {"nobody unlocked it", [](auto& a) { a.flags = 0x01; }, "unlock"},
      {"nobody was there", [](auto& a) { a.flags = 0x04; }, ""},
  };
  for (const auto& [why, lie, says] : rows) {
    VirtualAuthenticator phone(Kind::es256), liar(Kind::es256);
    must(add(phone.create(new_challenge(1)), 2));
    lie(liar);
    const auto refused = add(liar.create(new_challenge(3)), 4);
    EXPECT_EQ(error_of(refused), "passkey.bad") << why;
    lie(phone);
    const auto login = log_in(phone.get(login_challenge(5)), 6);
    EXPECT_EQ(error_of(login), "passkey.bad") << why;
    EXPECT_NE(login.error().message.find(says), std::string::npos) << why << ": " << login.error().message;
  }
}

TEST_F(Passkeys, ChallengesAreForOnePurposeAndNotForEver) {
  VirtualAuthenticator phone(Kind::eddsa);
  EXPECT_EQ(error_of(add(phone.create(login_challenge(1)), 2)), "passkey.bad") << "a challenge for logins";
  EXPECT_EQ(error_of(add(phone.create(new_challenge(1), "webauthn.get"), 2)), "passkey.bad");
  EXPECT_EQ(error_of(add(phone.create(new_challenge(1)), 1 + kChallengeMs)), "passkey.bad") << "too old";
  EXPECT_EQ(error_of(add(phone.create(random_token()), 2)), "passkey.bad") << "not ours";
  must(add(phone.create(new_challenge(1)), kChallengeMs));
  EXPECT_EQ(error_of(log_in(phone.get(new_challenge(1)), 2)), "passkey.bad") << "a challenge for registration";
  EXPECT_EQ(error_of(log_in(phone.get(login_challenge(1), "webauthn.create"), 2)), "passkey.bad");
  EXPECT_EQ(error_of(log_in(phone.get(login_challenge(1)), 1 + kChallengeMs)), "passkey.bad");
}

TEST_F(Passkeys, OnlyTheKeyItselfSigns) {
  VirtualAuthenticator phone(Kind::es256), other(Kind::es256);
  must(add(phone.create(new_challenge(1)), 2));
  other.credential = phone.credential;
  EXPECT_EQ(error_of(log_in(other.get(login_challenge(3)), 4)), "passkey.bad") << "another key under its id";
  auto login = phone.get(login_challenge(5));
  login.credential = "somebody";
  EXPECT_EQ(error_of(log_in(login, 6)), "passkey.unknown");
  for (const auto change : {+[](PasskeyLogin& l) { l.authenticator_data[36] ^= 1; }, +[](PasskeyLogin& l) { l.signature[8] ^= 1; },
                            +[](PasskeyLogin& l) { l.signature.clear(); }, +[](PasskeyLogin& l) { l.client_data += " "; },
                            +[](PasskeyLogin& l) { l.authenticator_data.resize(36); }, +[](PasskeyLogin& l) { l.client_data = "{}"; }}) {
    auto changed = phone.get(login_challenge(7));
    change(changed);
    EXPECT_EQ(error_of(log_in(changed, 8)), "passkey.bad");
  }
  auto made = VirtualAuthenticator(Kind::es256).create(new_challenge(9));
  made.credential = "somebody";
  EXPECT_EQ(error_of(add(made, 10)), "passkey.bad") << "an id that is not that of the data";
  made = VirtualAuthenticator(Kind::es256).create(new_challenge(9));
  made.authenticator_data.pop_back();
  EXPECT_EQ(error_of(add(made, 10)), "passkey.bad");
}

TEST_F(Passkeys, ACopyIsFoundByItsCounter) {
  VirtualAuthenticator key(Kind::es256);
  key.counter = 5;
  must(add(key.create(new_challenge(1)), 2));
  key.counter = 6;
  must(log_in(key.get(login_challenge(3)), 4));
  EXPECT_EQ(error_of(log_in(key.get(login_challenge(5)), 6)), "passkey.bad") << "the same count again";
  key.counter = 0;
  EXPECT_EQ(error_of(log_in(key.get(login_challenge(7)), 8)), "passkey.bad");
  key.counter = 7;
  EXPECT_TRUE(log_in(key.get(login_challenge(9)), 10));
}

TEST_F(Passkeys, AreRemovedAndEndWithTheAccount) {
  VirtualAuthenticator first(Kind::es256), second(Kind::es256);
  const auto made = must(add(first.create(new_challenge(1)), 2));
  must(add(second.create(new_challenge(1)), 2));
  EXPECT_EQ(error_of(within(database_, [&](auto& tx) { return remove_passkey(tx, at(3), "st-other", made.id); })), "passkey.not-found");
  must(within(database_, [&](auto& tx) { return remove_passkey(tx, at(3), ann_, made.id); }));
  EXPECT_EQ(error_of(log_in(first.get(login_challenge(4)), 5)), "passkey.unknown");
  must(within(database_, [&](auto& tx) { return set_active(tx, at(6), ann_, false); }));
  EXPECT_EQ(error_of(log_in(second.get(login_challenge(7)), 8)), "passkey.unknown");
  must(within(database_, [&](auto& tx) { return reset_staff(tx, at(9), ann_, ""); }));
  EXPECT_TRUE(passkeys_of(database_, ann_).empty());
}

}  // namespace
}  // namespace tanhui::identity
