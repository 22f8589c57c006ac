#include "identity/sealed.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "core/files.h"
#include "core/json.h"
#include "identity/national.h"

namespace tanhui::identity {
namespace {

std::string unhex(std::string_view hex) {
  std::string bytes(hex.size() / 2, '\0');
  EXPECT_TRUE(core::from_hex(hex, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()})) << hex;
  return bytes;
}
std::string hex(std::string_view bytes) { return core::to_hex(bytes_of(bytes)); }
template <std::size_t N>
std::array<std::uint8_t, N> array_of(std::string_view digits) {
  std::array<std::uint8_t, N> bytes{};
  EXPECT_TRUE(core::from_hex(digits, bytes)) << digits;
  return bytes;
}

/// Starts anywhere and counts: no nonce comes twice within a test.
Randomness counting() {
  return [next = std::uint8_t(1)](std::span<std::uint8_t> bytes) mutable {
    for (std::uint8_t& byte : bytes) byte = next++;
  };
}

TEST(National, Sm3AsPublished) {  // GB/T 32905-2016, appendix A
  EXPECT_EQ(core::to_hex(national::sm3("abc")), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
  EXPECT_EQ(core::to_hex(national::sm3("abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd")),
            "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732");
}

TEST(National, Sm4AsPublished) {
  // GB/T 32907-2016, appendix A.1: counter mode over zeros with the plaintext as counter gives the block's encryption.
  const auto key = array_of<16>("0123456789abcdeffedcba9876543210");
  EXPECT_EQ(hex(national::sm4_ctr(key, key, std::string(16, '\0'))), "681edf34d206965e86b3e94f536e4246");
  // draft-ribose-cfrg-sm4-10, A.2.5.1: SM4-CTR.
  const auto iv = array_of<16>("000102030405060708090a0b0c0d0e0f");
  const std::string plain = unhex(
      "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
      "eeeeeeeeeeeeeeeeffffffffffffffffaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb");
  EXPECT_EQ(hex(national::sm4_ctr(key, iv, plain)),
            "ac3236cb970cc20791364c395a1342d1a3cbc1878c6f30cd074cce385cdd70c7"
            "f234bc0e24c11980fd1286310ce37b926e02fcd0faa0baf38b2933851d824514");
}

TEST(National, HmacSm3IsHmac) {
  // RFC 2104 over SM3, worked out from its definition: two digests with the key's blocks before them.
  const std::string key = "a key of thirty-two bytes, here.", text = "text";
  std::string inner(64, '\x36'), outer(64, '\x5c');
  for (std::size_t i = 0; i < key.size(); ++i) {
    inner[i] = char(inner[i] ^ key[i]);
    outer[i] = char(outer[i] ^ key[i]);
  }
  const core::Digest first = national::sm3(inner + text), second = national::sm3(outer + std::string(text_of(first)));
  EXPECT_EQ(national::hmac_sm3(bytes_of(key), text), second);
}

TEST(National, Sm2AsPublished) {  // GB/T 32918.5-2017, appendix A.2
  const national::Sm2Secret secret{array_of<32>("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")};
  const auto key = array_of<64>(
      "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
      "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13");
  const auto signature = array_of<64>(
      "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
      "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa");
  EXPECT_EQ(*national::sm2_public(secret), key);
  EXPECT_TRUE(national::sm2_verify(key, "message digest", signature));
  EXPECT_FALSE(national::sm2_verify(key, "message digest.", signature));
  auto changed = signature;
  changed[40] ^= 1;
  EXPECT_FALSE(national::sm2_verify(key, "message digest", changed));
  const auto made = *national::sm2_sign(secret, "another message");
  EXPECT_TRUE(national::sm2_verify(key, "another message", made));
  EXPECT_FALSE(national::sm2_verify(national::Sm2Public{}, "another message", made));
  EXPECT_EQ(national::sm2_sign(national::Sm2Secret(), "x").error().id, "sm2.bad-key");
}

// draft-irtf-cfrg-xchacha-03, A.3.1: decrypted as a sealed value whose place is not ours would be refused, so the library is asked itself.
TEST(Sealed, LibsodiumIsThePublishedCipher) {
  const auto key = array_of<32>("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const auto nonce = array_of<24>("404142434445464748494a4b4c4d4e4f5051525354555657");
  const std::string place = unhex("50515253c0c1c2c3c4c5c6c7");
  const std::string plain =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
  std::string out(plain.size() + 16, '\0');
  crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<std::uint8_t*>(out.data()), nullptr, bytes_of(plain).data(), plain.size(),
                                             bytes_of(place).data(), place.size(), nullptr, nonce.data(), key.data());
  EXPECT_EQ(hex(out).substr(0, 64), "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb");
  EXPECT_EQ(hex(out).substr(2 * plain.size()), "c0875924c1c7987947deafd8780acf49");
}

TEST(Sealed, OpensInItsPlaceOnly) {
  const DataKey key = DataKey::random(counting()), other{array_of<32>("0000000000000000000000000000000000000000000000000000000000000001")};
  const SealedPlace place{"contact", "sealed", "row-1"};
  for (const Suite suite : {Suite::standard, Suite::national}) {
    const std::string sealed = seal(suite, key, place, "+8613800138000", counting());
    EXPECT_EQ(*unseal(key, place, sealed), "+8613800138000");
    EXPECT_EQ(sealed.find("138"), std::string::npos);
    const struct {
      const char* why;
      SealedPlace place;
      const DataKey& key;
    } rows[] = {
        {"another row", {"contact", "sealed", "row-2"}, key},
        {"another column", {"contact", "note", "row-1"}, key},
        {"another table", {"person", "sealed", "row-1"}, key},
        {"letters moved between names", {"contac", "tsealed", "row-1"}, key},
        {"another key", place, other},
    };
    for (const auto& row : rows) EXPECT_EQ(unseal(row.key, row.place, sealed).error().id, "sealed.damaged") << row.why << name(suite);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
      std::string changed = sealed;
      changed[i] ^= 1;
      EXPECT_FALSE(unseal(key, place, changed)) << i;
      EXPECT_FALSE(unseal(key, place, sealed.substr(0, i))) << i;
    }
  }
}

RC_GTEST_PROP(SealedProperty, ComesBack, (const std::string& plain, const std::string& row, bool national)) {
  const DataKey key = DataKey::random(counting());
  const SealedPlace place{"t", "c", row};
  RC_ASSERT(*unseal(key, place, seal(national ? Suite::national : Suite::standard, key, place, plain, system_randomness())) == plain);
}

class Vault : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("tanhui_vault_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path file() const { return folder_ / "master.key"; }
  std::filesystem::path folder_;
};

TEST_F(Vault, RotatesAndRetires) {
  const SealedPlace place{"person", "wrapped_key", "p"};
  const DataKey key = DataKey::random(counting());
  LocalVault vault = *LocalVault::open_or_create(file(), Suite::standard, system_randomness());
  const std::string old = *vault.wrap(key, place, system_randomness());
  EXPECT_EQ(*vault.unwrap(old, place), key);
  EXPECT_FALSE(vault.is_old(old));
  ASSERT_TRUE(vault.rotate(Suite::national, system_randomness()));
  EXPECT_EQ(vault.suite(), Suite::national);
  EXPECT_TRUE(vault.is_old(old));
  EXPECT_EQ(*vault.unwrap(old, place), key);
  LocalVault again = *LocalVault::open(file());
  const std::string fresh = *again.wrap(*again.unwrap(old, place), place, system_randomness());
  EXPECT_EQ(*vault.unwrap(fresh, place), key);
  ASSERT_TRUE(again.retire_old());
  LocalVault last = *LocalVault::open(file());
  EXPECT_EQ(last.size(), 1u);
  EXPECT_EQ(*last.unwrap(fresh, place), key);
  EXPECT_EQ(last.unwrap(old, place).error().id, "sealed.unknown-master");
  ASSERT_TRUE(last.rotate(Suite::standard, system_randomness()));
  EXPECT_EQ(*again.unwrap(*last.wrap(key, place, system_randomness()), place), key);  // the other one notices
  EXPECT_EQ(again.present(), 3u);
  EXPECT_EQ(last.unwrap(fresh, {"person", "wrapped_key", "q"}).error().id, "sealed.damaged");
  EXPECT_EQ(last.unwrap("", place).error().id, "sealed.damaged");
}

TEST_F(Vault, FilesThatAreWrongSaySo) {
  EXPECT_EQ(LocalVault::open(file()).error().id, "vault.missing");
  const std::string key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  const struct {
    const char* why;
    std::string text, id;
  } rows[] = {
      {"good", "1 standard " + key + "\n", ""},
      {"two", "1 standard " + key + "\n3 national " + key + "\n", ""},
      {"empty", "", "vault.damaged"},
      {"numbers that go back", "2 standard " + key + "\n1 standard " + key + "\n", "vault.damaged"},
      {"a suite nobody knows", "1 rot13 " + key + "\n", "vault.damaged"},
      {"short", "1 standard AAAA\n", "vault.damaged"},
      {"no number", "standard " + key + "\n", "vault.damaged"},
      {"number 0", "0 standard " + key + "\n", "vault.damaged"},
      {"words", "hello\n", "vault.damaged"},
  };
  for (const auto& [why, text, id] : rows) {
    core::write_file(file(), text, 0600);
    const auto vault = LocalVault::open(file());
    EXPECT_EQ(vault ? "" : vault.error().id, id) << why;
  }
  core::write_file(file(), "1 standard " + key + "\n", 0600);
  ::chmod(file().c_str(), 0644);
  EXPECT_EQ(LocalVault::open(file()).error().id, "vault.readable");
}

TEST_F(Vault, ItsFileIsPrivateAndMadeOnce) {
  const LocalVault first = *LocalVault::open_or_create(file(), Suite::standard, system_randomness());
  const std::string text = *core::read_file(file());
  const LocalVault second = *LocalVault::open_or_create(file(), Suite::national, system_randomness());
  EXPECT_EQ(*core::read_file(file()), text);
  struct stat about {};
  ASSERT_EQ(::stat(file().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
}

}  // namespace
}  // namespace tanhui::identity
