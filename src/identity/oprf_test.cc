#include "identity/oprf.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/hash.h"
#include "core/json.h"

namespace tanhui::identity::oprf {
namespace {

std::string unhex(std::string_view hex) {
  std::string bytes(hex.size() / 2, '\0');
  EXPECT_TRUE(core::from_hex(hex, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()})) << hex;
  return bytes;
}
template <std::size_t N>
std::array<std::uint8_t, N> array_of(std::string_view hex) {
  std::array<std::uint8_t, N> bytes{};
  EXPECT_TRUE(core::from_hex(hex, bytes)) << hex;
  return bytes;
}
Scalar scalar(std::string_view hex) { return Scalar(array_of<32>(hex)); }
Element element(std::string_view hex) { return array_of<32>(hex); }

/// Counts up: the same each time, and no scalar of it is 0.
Randomness counting(std::uint8_t start = 1) {
  return [next = start](std::span<std::uint8_t> bytes) mutable {
    for (std::uint8_t& byte : bytes) byte = next++;
  };
}

const SecretBytes<32> kSeed{array_of<32>("a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3")};
constexpr std::string_view kKeyInfo = "test key", kSecond = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
constexpr std::string_view kBlind = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706";

// RFC 9497, appendix A.1: ristretto255-SHA512.
TEST(Oprf, KeysOfRfc9497) {
  const KeyPair plain = derive_key_pair(Mode::oprf, kSeed, kKeyInfo), verifiable = derive_key_pair(Mode::voprf, kSeed, kKeyInfo);
  EXPECT_EQ(core::to_hex(plain.secret.bytes()), "5ebcea5ee37023ccb9fc2d2019f9d7737be85591ae8652ffa9ef0f4d37063b0e");
  EXPECT_EQ(core::to_hex(verifiable.secret.bytes()), "e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909");
  EXPECT_EQ(core::to_hex(verifiable.public_key), "c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e");
}

TEST(Oprf, VectorsOfRfc9497) {
  const struct {
    Mode mode;
    std::string_view input, blinded, evaluated, output;
  } rows[] = {
      {Mode::oprf, "00", "609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c",
       "7ec6578ae5120958eb2db1745758ff379e77cb64fe77b0b2d8cc917ea0869c7e",
       "527759c3d9366f277d8c6020418d96bb393ba2afb20ff90df23fb7708264e2f3ab9135e3bd69955851de4b1f9fe8a0973396719b7912ba9ee8aa7d0b5e24bcf6"},
      {Mode::oprf, kSecond, "da27ef466870f5f15296299850aa088629945a17d1f5b7f5ff043f76b3c06418",
       "b4cbf5a4f1eeda5a63ce7b77c7d23f461db3fcab0dd28e4e17cecb5c90d02c25",
       "f4a74c9c592497375e796aa837e907b1a045d34306a749db9f34221f7e750cb4f2a6413a6bf6fa5e19ba6348eb673934a722a7ede2e7621306d18951e7cf2c73"},
      {Mode::voprf, "00", "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945",
       "aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e",
       "b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7da4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c"},
      {Mode::voprf, kSecond, "cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c",
       "60a59a57208d48aca71e9e850d22674b611f752bed48b36f7a91b372bd7ad468",
       "8a9a2f3c7f085b65933594309041fc1898d42d0858e59f90814ae90571a6df60356f4610bf816f27afdd84f47719e480906d27ecd994985890e5f539e7ea74b6"},
  };
  for (const auto& [mode, input_hex, blinded, evaluated, output] : rows) {
    const KeyPair key = derive_key_pair(mode, kSeed, kKeyInfo);
    const std::string input = unhex(input_hex);
    const auto sent = blind(mode, input, scalar(kBlind));
    ASSERT_TRUE(sent);
    EXPECT_EQ(core::to_hex(*sent), blinded);
    const Element batch[] = {*sent};
    const auto evaluation = evaluate(mode, key, batch, counting());
    ASSERT_TRUE(evaluation);
    EXPECT_EQ(core::to_hex(evaluation->elements[0]), evaluated);
    EXPECT_EQ(core::to_hex(*finalize(input, scalar(kBlind), evaluation->elements[0])), output);
    EXPECT_EQ(core::to_hex(*evaluate_directly(mode, key.secret, input)), output);
  }
}

TEST(Oprf, ProofsOfRfc9497) {
  const std::string_view first = "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945";
  const struct {
    const char* why;
    std::vector<std::string_view> blinded;
    std::string_view scalar, c, s;
  } rows[] = {
      {"vector 1",
       {first},
       "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e",
       "ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd06",
       "6d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d"},
      {"vector 2",
       {"cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c"},
       "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e",
       "401a0da6264f8cf45bb2f5264bc31e109155600babb3cd4e5af7d181a2c9dc0a",
       "67154fabf031fd936051dec80b0b6ae29c9503493dde7393b722eafdf5a50b02"},
      {"vector 3, a batch of two",
       {first, "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654"},
       "419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c",
       "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a",
       "5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08"},
  };
  const KeyPair key = derive_key_pair(Mode::voprf, kSeed, kKeyInfo);
  for (const auto& [why, blinded, proof_scalar, c, s] : rows) {
    std::vector<Element> batch;
    for (const auto hex : blinded) batch.push_back(element(hex));
    const auto evaluation = evaluate_with(Mode::voprf, key, batch, scalar(proof_scalar));
    ASSERT_TRUE(evaluation) << why;
    EXPECT_EQ(core::to_hex(evaluation->proof.c), c) << why;
    EXPECT_EQ(core::to_hex(evaluation->proof.s), s) << why;
    EXPECT_TRUE(verify(key.public_key, batch, evaluation->elements, evaluation->proof)) << why;
  }
}

// RFC 9380, appendix K.3: expand_message_xmd with SHA-512.
TEST(Oprf, ExpandsMessagesAsRfc9380) {
  constexpr std::string_view dst = "QUUX-V01-CS02-with-expander-SHA512-256";
  const struct {
    std::string_view message, uniform;
  } rows[] = {
      {"", "6b9a7312411d92f921c6f68ca0b6380730a1a4d982c507211a90964c394179ba"},
      {"abc", "0da749f12fbe5483eb066a5f595055679b976e93abe9be6f0f6318bce7aca8dc"},
      {"abcdef0123456789", "087e45a86e2939ee8b91100af1583c4938e0f5fc6c9db4b107b83346bc967f58"},
  };
  for (const auto& [message, uniform] : rows) EXPECT_EQ(core::to_hex(expand_message_xmd(message, dst, 32)), uniform) << message;
  EXPECT_EQ(expand_message_xmd("", dst, 129).size(), 129u);
}

TEST(Oprf, AForgedBatchIsFound) {
  const KeyPair key = derive_key_pair(Mode::voprf, kSeed, kKeyInfo), other = derive_key_pair(Mode::voprf, kSeed, "other");
  std::vector<Element> batch;
  for (const char* input : {"a", "b", "c"}) batch.push_back(*blind(Mode::voprf, input, random_scalar(counting())));
  const Evaluation good = *evaluate(Mode::voprf, key, batch, counting());
  const auto refused = [&](const Element& public_key, const std::vector<Element>& blinded, const std::vector<Element>& evaluated,
                           const Proof& proof) {
    const auto status = verify(public_key, blinded, evaluated, proof);
    return status ? "" : status.error().id;
  };
  EXPECT_EQ(refused(key.public_key, batch, good.elements, good.proof), "");
  EXPECT_EQ(refused(other.public_key, batch, good.elements, good.proof), "oprf.bad-proof");
  Evaluation one_other = good;
  one_other.elements[1] = evaluate(Mode::voprf, other, std::span(&batch[1], 1), counting())->elements[0];
  EXPECT_EQ(refused(key.public_key, batch, one_other.elements, one_other.proof), "oprf.bad-proof");
  std::vector<Element> swapped = good.elements;
  std::swap(swapped[0], swapped[1]);
  EXPECT_EQ(refused(key.public_key, batch, swapped, good.proof), "oprf.bad-proof");
  Proof zero;
  EXPECT_EQ(refused(key.public_key, batch, good.elements, zero), "oprf.bad-proof");
  Proof wide = good.proof;
  wide.s.fill(0xff);
  EXPECT_EQ(refused(key.public_key, batch, good.elements, wide), "oprf.bad-proof");
  EXPECT_EQ(refused(key.public_key, batch, {good.elements[0]}, good.proof), "oprf.batch-size");
  EXPECT_EQ(refused(Element{}, batch, good.elements, good.proof), "oprf.bad-proof");
}

TEST(Oprf, RefusalsNameThePlace) {
  const KeyPair key = random_key_pair(counting());
  const Element good = *blind(Mode::voprf, "x", random_scalar(counting()));
  Element wild;
  wild.fill(0xff);
  const struct {
    const char* why;
    std::vector<Element> batch;
    std::string_view id, place;
  } rows[] = {
      {"no element", {}, "oprf.batch-size", ""},
      {"more than a batch holds", std::vector<Element>(kBatchMax + 1, good), "oprf.batch-size", ""},
      {"no element of the group", {good, wild}, "oprf.bad-element", "2"},
      {"the neutral element would give the key's absence away", {Element{}, good}, "oprf.bad-element", "1"},
  };
  for (const auto& [why, batch, id, place] : rows) {
    const auto refused = evaluate(Mode::voprf, key, batch, counting());
    ASSERT_FALSE(refused) << why;
    EXPECT_EQ(refused.error().id, id) << why;
    EXPECT_TRUE(place.empty() || refused.error().params[0].second == place) << why;
  }
  EXPECT_TRUE(evaluate(Mode::voprf, key, std::vector<Element>(kBatchMax, good), counting()));
  EXPECT_EQ(finalize("x", random_scalar(counting()), wild).error().id, "oprf.bad-element");
  EXPECT_TRUE(blind(Mode::oprf, std::string(kInputMax, 'x'), random_scalar(counting())));
  EXPECT_EQ(blind(Mode::oprf, std::string(kInputMax + 1, 'x'), random_scalar(counting())).error().id, "oprf.bad-input");
}

TEST(Oprf, KeysAreScalars) {
  // The group's order is 2^252 + 27742317777372353535851937790883648493.
  const std::string_view order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
  EXPECT_EQ(key_pair_of(scalar(order)).error().id, "oprf.bad-key");
  EXPECT_EQ(key_pair_of(Scalar()).error().id, "oprf.bad-key");
  const KeyPair made = random_key_pair(counting());
  EXPECT_EQ(key_pair_of(made.secret)->public_key, made.public_key);
}

RC_GTEST_PROP(OprfProperty, TheBlindNeverShowsInTheOutput, (const std::string& input, std::uint8_t one, std::uint8_t other)) {
  const KeyPair key = derive_key_pair(Mode::voprf, kSeed, "property");
  const auto through = [&](std::uint8_t start) {
    const Scalar secret = random_scalar(counting(start));
    const Element batch[] = {*blind(Mode::voprf, input, secret)};
    const Evaluation evaluation = *evaluate(Mode::voprf, key, batch, counting(start));
    RC_ASSERT(bool(verify(key.public_key, batch, evaluation.elements, evaluation.proof)));
    return *finalize(input, secret, evaluation.elements[0]);
  };
  RC_ASSERT(through(one) == through(other));
  RC_ASSERT(through(one) == *evaluate_directly(Mode::voprf, key.secret, input));
}

}  // namespace
}  // namespace tanhui::identity::oprf
