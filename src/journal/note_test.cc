#include "journal/note.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/merkle.h"
#include "journal/checkpoint.h"

namespace tanhui::journal {
namespace {

std::array<std::uint8_t, 32> seed_from(std::uint8_t first) {
  std::array<std::uint8_t, 32> seed;
  for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = std::uint8_t(first + i);
  return seed;
}

Checkpoint of_seven_entries() {
  core::merkle::Edge edge;
  for (int i = 0; i < 7; ++i) edge.append(core::merkle::leaf_hash("entry-" + std::to_string(i)));
  return {"registry.example/log1", 7, edge.root()};
}

// Keys, signature and cosignature as another program computed them from the same seeds.
constexpr const char* kPublic = "registry.example/log1+4517142d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
constexpr const char* kWitness = "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
constexpr const char* kCheckpoint =
    "registry.example/log1\n7\nkTlgHMHKirKnoMLBNMBIRfKxulSag9bIRc/NpDnMWF0=\n\n"
    "\xE2\x80\x94 registry.example/log1 RRcULVnRbraXwXfkvhCmDiaZCicbqZx7qXruD311fWDq7Cf4AoMt7FHbV78m9BAIJ0o1eEWsl3k4h47IcN9GQtHLEgw=\n";
constexpr const char* kCosignature =
    "\xE2\x80\x94 witness.example/w1 "
    "IDJKvgAAAABpaJ6AxgAyddvFIrr+Uj0pyTskCwrDdWvv7+pikQ9BKgoWsdgdpNnprf3mrNV/CK6risrKv8ucRy9PTOEhILcXJAIhDw==\n";
constexpr std::uint64_t kCosignedAt = 1'768'464'000;

TEST(Note, KeysAndSignaturesAreThoseOfOtherPrograms) {
  const Signer log = Signer::from_seed("registry.example/log1", seed_from(0));
  EXPECT_EQ(log.key().text(), kPublic);
  EXPECT_EQ(to_text(Note{to_text(of_seven_entries()), {log.sign(to_text(of_seven_entries()))}}), kCheckpoint);
  const Signer witness = Signer::from_seed("witness.example/w1", seed_from(0x20), KeyType::witness);
  EXPECT_EQ(witness.key().text(), kWitness);
  EXPECT_EQ(witness.sign(to_text(of_seven_entries()), kCosignedAt).line(), kCosignature);
}

TEST(Note, ACheckpointWithAWitnessIsRead) {
  const auto note = parse_note(std::string(kCheckpoint) + kCosignature);
  ASSERT_TRUE(note);
  EXPECT_EQ(to_text(*note), std::string(kCheckpoint) + kCosignature);
  EXPECT_EQ(*parse_checkpoint(note->text), of_seven_entries());
  const PublicKey keys[] = {*parse_public_key(kPublic), *parse_public_key(kWitness)};
  EXPECT_EQ(*signers(*note, keys), (std::vector<PublicKey>{keys[0], keys[1]}));
  EXPECT_EQ(cosigned_at(*note, keys[1]), kCosignedAt);
  EXPECT_EQ(signers(*note, std::span(keys, 0))->size(), 0u);  // unknown keys are passed over
}

TEST(Note, AnyChangedByteOfACheckpointIsFound) {
  const PublicKey keys[] = {*parse_public_key(kPublic)};
  const std::string good = kCheckpoint;
  for (std::size_t at = 0; at < good.size(); ++at)
    for (const int bit : {0, 3, 6}) {
      std::string bad = good;
      bad[at] = char(bad[at] ^ 1 << bit);
      const auto note = parse_note(bad);
      if (!note) continue;
      const auto signed_by = signers(*note, keys);
      EXPECT_TRUE(!signed_by || signed_by->empty() || to_text(*note) == good) << at << " " << bit;
    }
}

TEST(Note, WhatIsNoNote) {
  const std::string good = kCheckpoint;
  const struct {
    const char* why;
    std::string bytes;
  } rows[] = {
      {"empty", ""},
      {"no signature", "text\n\n"},
      {"no empty line", "text\n\xE2\x80\x94 a AAAAAAAA\n"},
      {"signature without its newline", good.substr(0, good.size() - 1)},
      {"a control character", "te\txt\n\n\xE2\x80\x94 a AAAAAAAA\n"},
      {"not UTF-8", "te\xFFxt\n\n\xE2\x80\x94 a AAAAAAAA\n"},
      {"a hyphen for a dash", "text\n\n- a AAAAAAAA\n"},
      {"no base64", "text\n\n\xE2\x80\x94 a AAAA*AAA\n"},
      {"a key's name with a plus", "text\n\n\xE2\x80\x94 a+b AAAAAAAA\n"},
      {"too short for an id and a signature", "text\n\n\xE2\x80\x94 a AAAA\n"},
  };
  for (const auto& [why, bytes] : rows) {
    const auto note = parse_note(bytes);
    EXPECT_FALSE(note) << why;
    if (!note) {
      EXPECT_EQ(note.error().id, "note.bad-note") << why;
    }
  }
  std::string many = "text\n\n";
  for (int i = 0; i < 65; ++i) many += "\xE2\x80\x94 a AAAAAAAA\n";
  EXPECT_FALSE(parse_note(many));
}

TEST(Note, TheLastEmptyLineSeparates) {
  const auto note = parse_note("one\n\ntwo\n\n\xE2\x80\x94 a AAAAAAAA\n");
  ASSERT_TRUE(note);
  EXPECT_EQ(note->text, "one\n\ntwo\n");
}

TEST(Note, WhatIsNoKey) {
  const std::string good = kPublic;
  for (const std::string& bad :
       {std::string(), std::string("name"), std::string("name+4517142d"), "x" + good, good.substr(0, good.size() - 1),
        std::string("registry.example/log1+4517142e+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"),
        std::string("registry.example/log1+4517142D+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"),
        std::string("a b+4517142d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"), "PRIVATE+KEY+" + good})
    EXPECT_FALSE(parse_public_key(bad)) << bad;
  const Signer signer = Signer::generate("a.example/log");
  EXPECT_EQ(Signer::parse(signer.text())->key(), signer.key());
  EXPECT_FALSE(Signer::parse(signer.key().text()));
  std::string damaged = signer.text();
  damaged[damaged.size() - 10] = damaged[damaged.size() - 10] == 'A' ? 'B' : 'A';
  const auto refused = Signer::parse(damaged);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find(damaged.substr(30)), std::string::npos);  // a secret is not repeated
}

TEST(Checkpoint, WhatIsNone) {
  for (const char* bad : {"", "a\n", "a\n7\n", "a\n07\nkTlgHMHKirKnoMLBNMBIRfKxulSag9bIRc/NpDnMWF0=\n",
                          "a b\n7\nkTlgHMHKirKnoMLBNMBIRfKxulSag9bIRc/NpDnMWF0=\n", "a\n-7\nkTlgHMHKirKnoMLBNMBIRfKxulSag9bIRc/NpDnMWF0=\n",
                          "a\n7\nkTlg\n", "a\n7\nnonsense\n", "a\n99999999999999999999\nkTlgHMHKirKnoMLBNMBIRfKxulSag9bIRc/NpDnMWF0=\n"})
    EXPECT_FALSE(parse_checkpoint(bad)) << bad;
  EXPECT_TRUE(parse_checkpoint("a\n0\nkTlgHMHKirKnoMLBNMBIRfKxulSag9bIRc/NpDnMWF0=\nan extension\n"));
}

RC_GTEST_PROP(Base64Property, ComesBackAndNothingElseDoes, (const std::string& bytes)) {
  RC_ASSERT(from_base64(base64(bytes)) == bytes);
  const auto other = from_base64(bytes);
  if (other) RC_ASSERT(base64(*other) == bytes);  // RC_ASSERT looks at both sides of a ||
}

}  // namespace
}  // namespace tanhui::journal
