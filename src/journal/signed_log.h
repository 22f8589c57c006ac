// journal/signed_log.h: the log that fuzz targets judge by: a small journal with fixed keys, a change of keys and an adjusted record, the
// same on every machine and day, so that the inputs in tests/corpus stay signed by it. Fuzz targets only.
#pragma once
#include <sodium.h>

#include <set>

#include "core/invariant.h"
#include "journal/small_journal.h"
#include "journal/witness.h"

namespace tanhui::journal {

struct SignedLog {
  PublicKey first_key, second_key;
  std::set<std::string, std::less<>> signed_texts;  // what its keys signed: the texts of its checkpoints
  std::vector<std::string> proofs;                  // of an adjusted record under the second key, and of another record
  std::vector<std::string> witness_requests;        // of somebody who saw nothing, and who saw the first run
};

namespace signed_log_parts {

/// Keys come from libsodium's source of randomness; while this lives, that counts upwards.
class CountingRandomness {
 public:
  CountingRandomness() {
    next_ = 1;
    randombytes_set_implementation(&kCounting);
  }
  ~CountingRandomness() { randombytes_set_implementation(&randombytes_sysrandom_implementation); }
  CountingRandomness(const CountingRandomness&) = delete;
  CountingRandomness& operator=(const CountingRandomness&) = delete;

 private:
  static void fill(void* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) static_cast<std::uint8_t*>(bytes)[i] = next_++;
  }
  static std::uint32_t number() { return next_++; }
  static inline std::uint8_t next_ = 1;
  static inline randombytes_implementation kCounting{[] { return "counting"; }, number, nullptr, nullptr, fill, nullptr};
};

inline SignedLog make() {
  const CountingRandomness counting;
  SmallJournal journal;
  SignedLog log;
  log.first_key = journal.first_key;
  journal.book(1, 3);
  log.witness_requests.push_back(*witness_request(journal.database, journal.folder.path(), 0));
  const std::uint64_t seen = log_size(journal.database);
  log.proofs.push_back(journal.prove(2));
  core::invariant(bool(journal.open().rotate_key(journal.database, 5)), "the key is replaced");
  log.second_key = journal.open().key();
  journal.book(2, 1, 1, -400);
  log.witness_requests.push_back(*witness_request(journal.database, journal.folder.path(), seen));
  log.proofs.push_back(journal.prove(1));
  journal.database.each("SELECT note FROM log_checkpoint",
                        [&](const db::Row& row) { log.signed_texts.insert(parse_note(row.text(0))->text); });
  return log;
}

}  // namespace signed_log_parts

/// Built once in a process.
inline const SignedLog& signed_log() {
  static const SignedLog log = signed_log_parts::make();
  return log;
}

}  // namespace tanhui::journal
