// journal/signed_log.h: the log that fuzz targets judge by: a small journal with a change of keys and an adjusted record, the same on every
// day, so that the inputs in tests/corpus stay signed by it. Its keys come from what it holds: when a format changes it is another log, and
// the kept inputs are only not signed by it (`fuzz_replay --write-signed` writes them again). Fuzz targets only.
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

/// Keys come from libsodium's source of randomness; while this lives, that is a hash of `seed` and a counter.
class SeededRandomness {
 public:
  explicit SeededRandomness(std::string seed) {
    seed_ = std::move(seed);
    randombytes_set_implementation(&kSeeded);
  }
  ~SeededRandomness() { randombytes_set_implementation(&randombytes_sysrandom_implementation); }
  SeededRandomness(const SeededRandomness&) = delete;
  SeededRandomness& operator=(const SeededRandomness&) = delete;

 private:
  static void fill(void* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      seed_.push_back('.');
      static_cast<std::uint8_t*>(bytes)[i] = core::sha256(seed_).front();
    }
  }
  static std::uint32_t number() {
    std::uint32_t number = 0;
    fill(&number, sizeof number);
    return number;
  }
  static inline std::string seed_;
  static inline randombytes_implementation kSeeded{[] { return "seeded"; }, number, nullptr, nullptr, fill, nullptr};
};

inline SignedLog make(std::string seed) {
  const SeededRandomness seeded(std::move(seed));
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
  static const SignedLog log = [] {
    std::string holds;
    for (const std::string& text : signed_log_parts::make("").signed_texts) holds += text;
    return signed_log_parts::make(holds);
  }();
  return log;
}

}  // namespace tanhui::journal
