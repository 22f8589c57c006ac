#include "core/hash.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "core/bytes.h"
#include "core/invariant.h"

namespace tanhui::core {
namespace {

TEST(Sha256, StandardVectors) {  // FIPS 180-2, appendix B
  const struct {
    std::string text;
    const char* digest;
  } rows[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {std::string(1'000'000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const auto& [text, digest] : rows) EXPECT_EQ(to_hex(sha256(text)), digest);
}

TEST(Sha256, FinishesOnce) {
  Sha256 hash;
  hash.update("abc");
  (void)hash.finish();
  EXPECT_THROW((void)hash.finish(), InvariantBroken);
  EXPECT_THROW(hash.update("d"), InvariantBroken);
}

RC_GTEST_PROP(Sha256Property, PiecesEqualTheWhole, (const std::string& first, const std::string& second)) {
  Sha256 pieces;
  pieces.update(first);
  pieces.update(second);
  RC_ASSERT(pieces.finish() == sha256(first + second));
}

TEST(EventKey, IsTheSameOnEveryMachine) {               // it settles ties between colliding reports: these values never change
  EXPECT_EQ(name_seed(""), 0x2d06800538d394c2u);        // the published XXH3 value of nothing
  EXPECT_EQ(name_seed("trip-1"), 0x43b57882a30116ceu);  // as the xxhsum tool prints it
  EXPECT_EQ(event_key(name_seed("metro"), "trip-1"), 0xe46e7f96fd247aecu);
}

TEST(EventKey, BelongsToItsSource) {
  EXPECT_NE(event_key(name_seed("metro"), "1"), event_key(name_seed("bus"), "1"));
  EXPECT_EQ(event_key(name_seed("metro"), "1"), event_key(name_seed("metro"), "1"));
}

RC_GTEST_PROP(EventKeyProperty, IsNeverNone, (std::uint64_t seed, const std::string& id)) { RC_ASSERT(event_key(seed, id) != 0); }

std::array<std::uint8_t, KeySecret::kBytes> secret_bytes(std::uint8_t first) {
  std::array<std::uint8_t, KeySecret::kBytes> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::uint8_t(first + 7 * i);
  return bytes;
}

TEST(PersonKey, DependsOnTheInstance) {
  const KeySecret ours(secret_bytes(1)), theirs(secret_bytes(2));
  EXPECT_EQ(ours.person("a"), KeySecret(secret_bytes(1)).person("a"));
  EXPECT_NE(ours.person("a"), theirs.person("a"));
  EXPECT_EQ(to_hex(PersonKey{0x1, 0xabc}), "00000000000000010000000000000abc");
}

TEST(PersonKey, TenThousandNumberedPeopleAreTenThousandKeys) {
  const KeySecret secret(secret_bytes(3));
  std::set<PersonKey> keys;
  for (int i = 0; i < 10'000; ++i) keys.insert(secret.person("p" + std::to_string(i)));
  EXPECT_EQ(keys.size(), 10'000u);
}

TEST(ByteWriter, GoldenBytes) {  // hashed and signed: these bytes never change
  ByteWriter out;
  out.u8(1).u16(0x0203).u32(0x04050607).u64(0x08090a0b0c0d0e0f).i64(-2).str("碳");
  const std::string bytes = out.take();
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  EXPECT_EQ(to_hex({data, bytes.size()}), "0102030405060708090a0b0c0d0e0ffffffffffffffffe00000003e7a2b3");
}

}  // namespace
}  // namespace tanhui::core
