#include "identity/partner_key.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include "identity/tenancy_fixture.h"

namespace tanhui::identity {
namespace {

using test::at, test::error_of, test::must, test::within, test::World;
const Box kBox(core::sha256("a key"));

std::string public_key() {
  std::string key(crypto_sign_PUBLICKEYBYTES, '\0'), secret(crypto_sign_SECRETKEYBYTES, '\0');
  crypto_sign_keypair(reinterpret_cast<unsigned char*>(key.data()), reinterpret_cast<unsigned char*>(secret.data()));
  return key;
}

class Keys : public testing::Test {
 protected:
  core::Result<MadePartnerKey> create(const WantedKey& wanted, core::Millis now = 10) {
    return within(world_.database, [&](auto& tx) { return create_partner_key(tx, at(now), kBox, wanted); });
  }
  std::string found(std::string_view id, core::Millis now) { return error_of(find_key(world_.database, kBox, id, now)); }
  World world_;
  const WantedKey wanted_{"metro", "city", "gate"};
};

TEST_F(Keys, BelongToASourceOfAProgrammeOfTheOrganisation) {
  const std::string good = public_key();
  using A = KeyAlgorithm;
  const struct {
    const char* why;
    WantedKey wanted;
    const char* error;
  } rows[] = {
      {"its own programme", {"metro", "city", "gate"}, ""},
      {"a programme below", {"metro", "company", "gate"}, ""},
      {"the programme above", {"metro", "province", "gate"}, "partner-key.other-programme"},
      {"a programme beside", {"metro", "town", "gate"}, "partner-key.other-programme"},
      {"no such organisation", {"nobody", "city", "gate"}, "organisation.not-found"},
      {"no such programme", {"metro", "nowhere", "gate"}, "programme.not-found"},
      {"no such source", {"metro", "city", "gates"}, "partner-key.unknown-source"},
      {"a public key", {"metro", "city", "gate", A::ed25519, good}, ""},
      {"no public key", {"metro", "city", "gate", A::ed25519}, "partner-key.bad-public-key"},
      {"a short one", {"metro", "city", "gate", A::ed25519, good.substr(1)}, "partner-key.bad-public-key"},
      {"no point of the curve", {"metro", "city", "gate", A::ed25519, std::string(32, '\0')}, "partner-key.bad-public-key"},
      {"a public key as a secret", {"metro", "city", "gate", A::hmac_sha256, good}, "partner-key.bad-public-key"},
      {"over before it begins", {"metro", "city", "gate", A::hmac_sha256, "", false, 30, 30}, "partner-key.bad-period"},
      {"over already", {"metro", "city", "gate", A::hmac_sha256, "", false, 1, 10}, "partner-key.bad-period"},
  };
  for (const auto& [why, wanted, error] : rows) EXPECT_EQ(error_of(create(wanted)), error) << why;
}

TEST_F(Keys, AreFoundByTheirIdWhileTheyAreGood) {
  WantedKey wanted = wanted_;
  wanted.valid_from_ms = 20, wanted.valid_to_ms = 30, wanted.sandbox = true;
  const auto made = must(create(wanted));
  EXPECT_EQ(made.secret.size(), 32u);
  EXPECT_EQ(found(made.key.id, 19), "partner-key.not-yet");
  EXPECT_EQ(found(made.key.id, 30), "partner-key.over");
  EXPECT_EQ(found("pk-unknown", 20), "partner-key.unknown");
  const auto key = must(find_key(world_.database, kBox, made.key.id, 29));
  EXPECT_EQ(key.bytes, made.secret);
  EXPECT_TRUE(key.key.sandbox);
  EXPECT_EQ(key.key.source, "gate");
  EXPECT_EQ(world_.database.query<std::string>("SELECT key FROM partner_key").size(), 1u);
  EXPECT_EQ(std::get<0>(world_.database.query<std::string>("SELECT key FROM partner_key")[0]).find(made.secret), std::string::npos)
      << "the secret is sealed";
  WantedKey signer = wanted_;
  signer.algorithm = KeyAlgorithm::ed25519, signer.public_key = public_key();
  const auto other = must(create(signer));
  EXPECT_TRUE(other.secret.empty());
  EXPECT_EQ(must(find_key(world_.database, kBox, other.key.id, 10)).bytes, signer.public_key);
}

TEST_F(Keys, AreRotatedWithoutAGapAndRevokedAtOnce) {
  const auto first = must(create(wanted_, 10));
  const auto rotate = [&](core::Millis now, const std::string& id, core::Millis overlap) {
    return within(world_.database, [&](auto& tx) { return rotate_partner_key(tx, at(now), kBox, id, overlap); });
  };
  const auto second = must(rotate(100, first.key.id, 50));
  EXPECT_NE(second.secret, first.secret);
  EXPECT_EQ(found(first.key.id, 149), "");
  EXPECT_EQ(found(second.key.id, 100), "");
  EXPECT_EQ(found(first.key.id, 150), "partner-key.over");
  EXPECT_EQ(error_of(rotate(160, first.key.id, 50)), "partner-key.over");
  const auto third = must(rotate(100, second.key.id, -5));
  EXPECT_EQ(found(second.key.id, 102), "partner-key.over") << "no overlap";
  const auto revoke = [&](const std::string& id) {
    return within(world_.database, [&](auto& tx) { return revoke_partner_key(tx, at(200), id); });
  };
  EXPECT_EQ(must(revoke(third.key.id)).revoked_ms, 200);
  EXPECT_EQ(must(revoke(third.key.id)).revoked_ms, 200) << "again is harmless";
  EXPECT_EQ(error_of(revoke("pk-unknown")), "partner-key.not-found");
  EXPECT_EQ(found(third.key.id, 201), "partner-key.revoked");
  EXPECT_EQ(partner_keys(world_.database, "metro").size(), 3u);
  EXPECT_EQ(partner_keys(world_.database, "tram").size(), 0u);
}

TEST_F(Keys, OfASuspendedOrganisationSignNothing) {
  const auto made = must(create(wanted_));
  OrganisationDetails details = must(find_organisation(world_.database, "metro")).details;
  details.state = OrganisationState::suspended;
  must(within(world_.database, [&](auto& tx) { return change_organisation(tx, at(11), "metro", details); }));
  EXPECT_EQ(found(made.key.id, 12), "partner-key.not-active");
  EXPECT_EQ(error_of(create(wanted_)), "partner-key.not-active");
}

TEST_F(Keys, UseIsNotedOnceAMinute) {
  const auto made = must(create(wanted_));
  db::Transaction tx = world_.database.begin();
  EXPECT_TRUE(note_key_used(tx, made.key.id, 100'000));
  EXPECT_FALSE(note_key_used(tx, made.key.id, 159'999));
  EXPECT_TRUE(note_key_used(tx, made.key.id, 160'000));
  EXPECT_EQ(must(find_partner_key(tx, made.key.id)).used_ms, 160'000);
}

}  // namespace
}  // namespace tanhui::identity
