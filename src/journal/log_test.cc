#include "journal/log.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/invariant.h"
#include "db/test_database.h"
#include "journal/test_folder.h"
#include "journal/tiles.h"

namespace tanhui::journal {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}
void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes; }

Entry segment_number(int number) {
  return SegmentEntry{"city", core::Day{20'000}, RunId(number), 1, number, 0, 1, core::sha256(std::to_string(number)), core::sha256("")};
}
std::vector<Entry> segments(int begin, int end) {
  std::vector<Entry> entries;
  for (int i = begin; i < end; ++i) entries.push_back(segment_number(i));
  return entries;
}

struct Instance {
  TestFolder folder;
  db::Database database = db::test::fresh_database();
  Log open(std::string_view origin = "city.example/log") {
    auto log = Log::open(folder.path(), database, 1000, origin);
    if (!log) throw std::runtime_error(log.error().message);
    return *std::move(log);
  }
  Appended append(const Log& log, const std::vector<Entry>& entries) {
    db::Transaction tx = database.begin();
    const Appended appended = log.append(tx, entries, 2000);
    tx.commit();
    return appended;
  }
};

TEST(Log, EntriesAndTheirCheckpointCommitTogetherAndAreThenPublished) {
  Instance instance;
  const Log log = instance.open();
  EXPECT_EQ(log_size(instance.database), 1u) << "its first entry is its key";
  {
    db::Transaction rolled_back = instance.database.begin();
    (void)log.append(rolled_back, segments(1, 3), 2000);
  }
  EXPECT_EQ(log_size(instance.database), 1u);
  const Appended appended = instance.append(log, segments(1, 300));
  EXPECT_EQ(appended.first, 1u);
  EXPECT_EQ(appended.checkpoint.size, 300u);
  log.publish(instance.database);
  const std::string published = read(instance.folder / "log/checkpoint");
  EXPECT_EQ(published, *newest_checkpoint(instance.database));
  const auto note = parse_note(published);
  ASSERT_TRUE(note);
  EXPECT_EQ(*parse_checkpoint(note->text), appended.checkpoint);
  const auto key = parse_public_key(read(instance.folder / "log/key.pub"));
  ASSERT_TRUE(key);
  EXPECT_EQ(signers(*note, {&*key, 1})->size(), 1u);
  TileReader tiles(instance.folder / "log", 300);
  EXPECT_EQ(core::merkle::root(300, tiles.source()), appended.checkpoint.root);
  EXPECT_EQ(tiles.entries(1).back(), entry_bytes(segment_number(299)));
  EXPECT_EQ(fs::status(instance.folder / "log.key").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST(Log, GrowsConsistentlyFromCheckpointToCheckpoint) {
  Instance instance;
  const Log log = instance.open();
  std::vector<Checkpoint> checkpoints;
  for (int i = 0; i < 40; ++i) checkpoints.push_back(instance.append(log, segments(i * 10, i * 10 + 1 + i % 7)).checkpoint);
  log.publish(instance.database);
  TileReader tiles(instance.folder / "log", checkpoints.back().size);
  for (std::size_t i = 1; i < checkpoints.size(); ++i) {
    const auto path = core::merkle::consistency_path(checkpoints[i - 1].size, checkpoints[i].size, tiles.source());
    EXPECT_TRUE(core::merkle::consistent(checkpoints[i - 1].size, checkpoints[i - 1].root, checkpoints[i].size, checkpoints[i].root, path));
  }
}

TEST(Log, WhatACrashLeftUnpublishedIsPublishedWhenItIsOpened) {
  Instance instance;
  {
    const Log log = instance.open();
    instance.append(log, segments(1, 500));  // and no publish
    fs::remove_all(instance.folder / "log/tile/0");
  }
  (void)instance.open();
  TileReader tiles(instance.folder / "log", 500);
  EXPECT_EQ(core::merkle::root(500, tiles.source()), parse_checkpoint(parse_note(*newest_checkpoint(instance.database))->text)->root);
  fs::remove_all(instance.folder / "log");  // the files are a copy
  (void)instance.open();
  EXPECT_EQ(read(instance.folder / "log/checkpoint"), *newest_checkpoint(instance.database));
}

TEST(Log, ANewKeyIsNamedByTheOldOne) {
  Instance instance;
  Log log = instance.open();
  const PublicKey first = log.key();
  instance.append(log, segments(1, 4));
  const auto rotated = log.rotate_key(instance.database, 3000);
  ASSERT_TRUE(rotated);
  const PublicKey second = log.key();
  EXPECT_NE(first, second);
  const auto both = parse_note(*checkpoint_covering(instance.database, rotated->checkpoint.size));
  const PublicKey keys[] = {first, second};
  EXPECT_EQ(signers(*both, keys)->size(), 2u);
  const auto later = instance.append(instance.open(), segments(9, 10));
  const auto only_new = parse_note(*checkpoint_covering(instance.database, later.checkpoint.size));
  EXPECT_EQ(*signers(*only_new, keys), (std::vector<PublicKey>{second}));
  const auto periods = log_keys(instance.database);
  ASSERT_TRUE(periods);
  ASSERT_EQ(periods->size(), 2u);
  EXPECT_EQ((*periods)[0].to, 5u);
  EXPECT_EQ((*periods)[1].from, 5u);
  EXPECT_EQ((*periods)[1].key, second);
}

TEST(Log, ACrashWhileTheKeyChangesLeavesOneThatWorks) {
  Instance instance;
  Log log = instance.open();
  const std::string old_key = read(instance.folder / "log.key");
  ASSERT_TRUE(log.rotate_key(instance.database, 3000));
  fs::rename(instance.folder / "log.key", instance.folder / "log.key.next");  // as before the last rename
  write(instance.folder / "log.key", old_key);
  EXPECT_EQ(instance.open().key(), log.key());
  write(instance.folder / "log.key.next", Signer::generate("city.example/log").text());  // as before the commit
  EXPECT_EQ(instance.open().key(), log.key());
}

TEST(Log, KeysThatAreMissingOrOthersAreRefused) {
  Instance instance;
  const std::string right = (void(instance.open()), read(instance.folder / "log.key"));
  const auto refused = [&] { return Log::open(instance.folder.path(), instance.database, 0).error().id; };
  fs::remove(instance.folder / "log.key");
  EXPECT_EQ(refused(), "log.key-missing");
  write(instance.folder / "log.key", Signer::generate("city.example/log").text());
  EXPECT_EQ(refused(), "log.other-key");
  write(instance.folder / "log.key", "nonsense");
  EXPECT_EQ(refused(), "note.bad-key");
  write(instance.folder / "log.key", right);
  auto empty = db::test::fresh_database();
  EXPECT_EQ(Log::open(instance.folder.path(), empty, 0).error().id, "log.other-key");
}

TEST(Log, AWitnessAddsItsLine) {
  Instance instance;
  const Log log = instance.open();
  instance.append(log, segments(1, 4));
  const Signer witness = Signer::generate("witness.example/w1", KeyType::witness);
  Note note = *parse_note(*newest_checkpoint(instance.database));
  note.signatures = {witness.sign(note.text, 77)};
  db::Transaction tx = instance.database.begin();
  EXPECT_TRUE(add_cosignature(tx, to_text(note), witness.key()));
  EXPECT_TRUE(add_cosignature(tx, to_text(note), witness.key())) << "again is harmless";
  EXPECT_EQ(add_cosignature(tx, to_text(note), log.key()).error().id, "log.not-a-witness");
  note.text += "x\n";
  note.signatures = {witness.sign(note.text, 78)};
  EXPECT_EQ(add_cosignature(tx, to_text(note), witness.key()).error().id, "log.no-such-checkpoint");
  tx.commit();
  log.publish(instance.database);
  const Note published = *parse_note(read(instance.folder / "log/checkpoint"));
  EXPECT_EQ(published.signatures.size(), 2u);
  EXPECT_EQ(cosigned_at(published, witness.key()), 77u);
}

}  // namespace
}  // namespace tanhui::journal
