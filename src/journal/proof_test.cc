#include "journal/proof.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/files.h"
#include "core/json.h"
#include "journal/small_journal.h"
#include "journal/witness.h"

namespace tanhui::journal {
namespace {

TEST(Proof, EveryRecordOfASegmentIsProved) {
  SmallJournal journal;
  journal.book(1, 11);
  for (std::uint64_t event = 1; event <= 11; ++event) {
    const auto proven = verify_proof(journal.prove(event), journal.first_key);
    ASSERT_TRUE(proven) << proven.error().message;
    ASSERT_EQ(proven->records.size(), 1u);
    EXPECT_EQ(proven->records[0].record.event, event);
    EXPECT_EQ(proven->records[0].segment.run, RunId(1));
    EXPECT_EQ(proven->milligrams, 1000);
    EXPECT_EQ(proven->signed_by, journal.first_key);
  }
  EXPECT_EQ(verify_proof(journal.prove(3, core::PersonKey{3, 7}), journal.first_key)->records.size(), 1u);
  EXPECT_EQ(make_proof(journal.database, journal.folder.path(), {12, {}, ""}).error().id, "proof.unknown-record");
  EXPECT_EQ(make_proof(journal.database, journal.folder.path(), {3, core::PersonKey{4, 7}, ""}).error().id, "proof.unknown-record");
}

TEST(Proof, AnAdjustedRecordIsProvedWithItsAdjustment) {
  SmallJournal journal;
  journal.book(1, 5);
  journal.book(2, 2, 1, -1000);
  const auto proven = verify_proof(journal.prove(2), journal.first_key);
  ASSERT_TRUE(proven);
  ASSERT_EQ(proven->records.size(), 2u);
  EXPECT_EQ(proven->milligrams, 0);
}

TEST(Proof, WhoKnowsAnOlderKeyCanCheckANewerProof) {
  SmallJournal journal;
  journal.book(1, 5);
  const std::string before = journal.prove(1);
  Log log = journal.open();
  ASSERT_TRUE(log.rotate_key(journal.database, 5));
  const PublicKey second = log.key();
  journal.book(2, 3);
  ASSERT_TRUE(log.rotate_key(journal.database, 6));
  journal.book(3, 3);
  const std::string after = journal.prove(1);
  const auto with_first = verify_proof(after, journal.first_key), with_second = verify_proof(after, second);
  ASSERT_TRUE(with_first) << with_first.error().message;
  ASSERT_TRUE(with_second);
  EXPECT_EQ(with_first->signed_by, log.key());
  EXPECT_EQ(with_first->records.size(), 3u);
  EXPECT_TRUE(verify_proof(before, journal.first_key));
  EXPECT_EQ(verify_proof(before, second).error().id, "proof.wrong") << "the new key cannot speak for what the old one signed alone";
  EXPECT_EQ(verify_proof(after, Signer::generate("city.example/log").key()).error().id, "proof.wrong");
}

TEST(Proof, AnyChangedByteIsFound) {
  SmallJournal journal;
  journal.book(1, 6);
  ASSERT_TRUE(journal.open().rotate_key(journal.database, 5));
  journal.book(2, 1, 1, -1000);
  const std::string good = journal.prove(1);
  ASSERT_TRUE(verify_proof(good, journal.first_key));
  const auto meaning = core::parse_json(good);
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = char(bad[at] ^ 1 << at % 7);
    const auto parsed = core::parse_json(bad);
    if (parsed && *parsed == *meaning) continue;  // white space
    EXPECT_FALSE(verify_proof(bad, journal.first_key)) << at << ": " << bad.substr(at > 20 ? at - 20 : 0, 40);
  }
}

TEST(Proof, ARecordCountsOnce) {
  SmallJournal journal;
  journal.book(1, 3);
  auto document = *core::parse_json(journal.prove(2));
  boost::json::array& records = document.as_object()["records"].as_array();
  records.push_back(records[0]);
  const auto twice = verify_proof(boost::json::serialize(document), journal.first_key);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().id, "proof.wrong");
  EXPECT_NE(twice.error().message.find("twice"), std::string::npos) << twice.error().message;
}

TEST(Proof, TheCheckpointIsOfTheKeysLog) {
  SmallJournal journal;
  journal.book(1, 1);
  auto document = *core::parse_json(journal.prove(1));
  const Signer signer = *Signer::parse(*core::read_file(journal.folder / "log.key"));
  const Note note = *parse_note(std::string(document.as_object()["checkpoint"].as_string()));
  Checkpoint checkpoint = *parse_checkpoint(note.text);
  checkpoint.origin = "other.example/log";
  const std::string text = to_text(checkpoint);
  document.as_object()["checkpoint"] = to_text(Note{text, {signer.sign(text)}});
  const auto other = verify_proof(boost::json::serialize(document), journal.first_key);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("another log"), std::string::npos) << other.error().message;
}

TEST(Proof, NothingElseIsInIt) {
  SmallJournal journal;
  journal.book(1, 2);
  ASSERT_TRUE(journal.open().rotate_key(journal.database, 5));
  const std::string good = journal.prove(1);
  ASSERT_TRUE(verify_proof(good, journal.first_key));
  const auto inserted = [&](std::string_view before, std::string_view member) {
    std::string text = good;
    return text.insert(text.find(before) + before.size(), member);
  };
  for (const std::string& bad :
       {inserted("{", "\"note\":1,"), inserted("\"records\":[{", "\"note\":1,"), inserted("\"keys\":[{", "\"note\":1,"),
        inserted("{", "\"keys\":[],"), inserted("\"records\":[{", "\"index\":0,"), inserted("\"record\":{", "\"milligrams\":1,")}) {
    const auto verified = verify_proof(bad, journal.first_key);
    ASSERT_FALSE(verified) << bad;
    EXPECT_EQ(verified.error().id, "proof.bad") << bad;
  }
  EXPECT_EQ(verify_proof(inserted("\"record\":{", "\"note\":1,"), journal.first_key).error().id, "proof.wrong");
}

TEST(Proof, WhatIsNoProof) {
  SmallJournal journal;
  journal.book(1, 2);
  const std::string good = journal.prove(1);
  const auto replaced = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  for (const std::string& bad : {std::string(), std::string("{}"), std::string("[]"), replaced("tanhui-proof", "tanhui-prooF"),
                                 replaced("\"records\":[", "\"records\":[7,"), replaced("\"index\":0", "\"index\":-1"),
                                 replaced("\"path\":[", "\"path\":[\"\","), std::string(100, '[')}) {
    const auto verified = verify_proof(bad, journal.first_key);
    ASSERT_FALSE(verified) << bad;
    EXPECT_EQ(verified.error().id, "proof.bad") << bad;
  }
}

TEST(Witness, SignsOnlyWhatGrows) {
  SmallJournal journal;
  journal.book(1, 2);
  const Signer signer = Signer::generate("witness.example/w", KeyType::witness);
  const Witness witness(signer, journal.first_key, journal.folder / "seen");
  const std::string first = *witness_request(journal.database, journal.folder.path(), 0);
  const auto answer = witness.add_checkpoint(first, 77);
  ASSERT_EQ(answer.status, 200) << answer.body;
  {
    db::Transaction tx = journal.database.begin();
    EXPECT_TRUE(add_cosignature(tx, *newest_checkpoint(tx) + answer.body, signer.key()));
    tx.commit();
  }
  const PublicKey keys[] = {signer.key()};
  EXPECT_EQ(verify_proof(journal.prove(1), journal.first_key, keys)->witnesses, std::vector<std::string>{"witness.example/w"});
  const std::uint64_t seen = log_size(journal.database);
  journal.book(2, 3);
  EXPECT_EQ(verify_proof(journal.prove(1), journal.first_key, keys).error().id, "proof.wrong") << "nobody witnessed the new checkpoint";
  EXPECT_EQ(witness.add_checkpoint(*witness_request(journal.database, journal.folder.path(), seen - 1), 78).status, 409);
  EXPECT_EQ(witness.add_checkpoint(*witness_request(journal.database, journal.folder.path(), seen - 1), 78).body,
            std::to_string(seen) + "\n");
  const std::string second = *witness_request(journal.database, journal.folder.path(), seen);
  std::string forged = second;
  forged[second.find('\n') + 3] ^= 1;  // in the proof
  EXPECT_NE(witness.add_checkpoint(forged, 78).status, 200);
  EXPECT_EQ(witness.add_checkpoint(second, 78).status, 200);
  EXPECT_EQ(witness.add_checkpoint(second, 79).status, 409) << "it has moved on";
  EXPECT_EQ(witness.add_checkpoint(first, 79).status, 409);
  EXPECT_EQ(witness_request(journal.database, journal.folder.path(), 1000).error().id, "witness.bad-size");
}

TEST(Witness, RefusesWhatIsNotItsLogs) {
  SmallJournal journal, other;
  journal.book(1, 2);
  other.book(1, 3);
  const Signer signer = Signer::generate("witness.example/w", KeyType::witness);
  const Witness witness(signer, journal.first_key, journal.folder / "seen");
  EXPECT_EQ(witness.add_checkpoint(*witness_request(other.database, other.folder.path(), 0), 1).status, 403) << "same name, another key";
  EXPECT_EQ(witness.add_checkpoint("old 0\n\nnonsense", 1).status, 400);
  EXPECT_EQ(witness.add_checkpoint("", 1).status, 400);
  const Witness elsewhere(signer, Signer::generate("other.example/log").key(), journal.folder / "seen2");
  EXPECT_EQ(elsewhere.add_checkpoint(*witness_request(journal.database, journal.folder.path(), 0), 1).status, 404);
  std::string beyond = *witness_request(journal.database, journal.folder.path(), 0);
  beyond.replace(0, 5, "old 9");
  EXPECT_EQ(witness.add_checkpoint(beyond, 1).status, 400);
}

TEST(Witness, ALogThatShowsTwoHistoriesIsFoundOut) {
  SmallJournal journal;
  const std::string key = *[&] {
    std::ifstream in(journal.folder / "log.key");
    return std::optional(std::string(std::istreambuf_iterator<char>(in), {}));
  }();
  const Signer liar = *Signer::parse(key);
  const Signer signer = Signer::generate("witness.example/w", KeyType::witness);
  const Witness witness(signer, journal.first_key, journal.folder / "seen");
  journal.book(1, 2);
  ASSERT_EQ(witness.add_checkpoint(*witness_request(journal.database, journal.folder.path(), 0), 1).status, 200);
  core::merkle::Edge edge;
  for (int i = 0; i < 5; ++i) edge.append(core::merkle::leaf_hash("another history " + std::to_string(i)));
  Note note{to_text(Checkpoint{"city.example/log", edge.size(), edge.root()}), {}};
  note.signatures.push_back(liar.sign(note.text));
  EXPECT_EQ(witness.add_checkpoint("old 3\n\n" + to_text(note), 2).status, 422);
}

}  // namespace
}  // namespace tanhui::journal
