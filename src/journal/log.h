// journal/log.h: the transparency log of one instance. Append-only: what is in it cannot be changed or taken out without being found out by
// whoever kept a checkpoint. Everything that must be provable comes through one door, append(), in the transaction that makes it happen:
//
//   append    entries (journal/entry.h) and the checkpoint that covers them commit with the run, or not at all
//   publish   after the commit the tiles (journal/tiles.h) and the checkpoint are written to <instance>/log/; again is harmless, and
//             a crash between is made good when the log is opened next
//
// The signing key is <instance>/log.key, mode 0600. Its public half, from which everything can be checked, is <instance>/log/key.pub.
// Decision 0015. Errors of the disk and the database throw.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/merkle.h"
#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "journal/checkpoint.h"
#include "journal/entry.h"
#include "journal/note.h"

namespace tanhui::journal {

struct Appended {
  std::uint64_t first = 0;  // position of the first entry
  Checkpoint checkpoint;
};

class Log {
 public:
  /// Opens the log of an instance, makes key and first entry when neither exists, and publishes what a crash left unpublished.
  /// `origin`: the name of a new log; empty for "localhost/tanhui-<8 hex digits>".
  /// Errors: refused log.key-missing (a log without its key), log.other-key (the key is not the log's), and note.bad-key.
  static core::Result<Log> open(const std::filesystem::path& instance, db::Database& database, core::Millis now_ms,
                                std::string_view origin = "");

  /// The only way in. Order of entries is their order in the log.
  Appended append(db::Transaction& tx, std::span<const Entry> entries, core::Millis now_ms) const;
  /// Writes to the log's folder what is committed and not there yet.
  void publish(db::Reader& reader) const;

  /// A new signing key. Its entry is covered by a checkpoint that both keys sign; from then on only the new one signs.
  core::Result<Appended> rotate_key(db::Database& database, core::Millis now_ms);

  const PublicKey& key() const { return signer_.key(); }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  Log(std::filesystem::path instance, Signer signer);
  Appended append_signed(db::Transaction& tx, std::span<const Entry> entries, core::Millis now_ms, const Signer* also) const;
  std::filesystem::path instance_, folder_;
  Signer signer_;
};

// ---- questions; they need no key ------------------------------------------------------------------------------------------------

std::uint64_t log_size(db::Reader& reader);
std::string log_entry_bytes(db::Reader& reader, std::uint64_t position);
/// The newest checkpoint, or the smallest that covers `size` entries.
std::optional<std::string> newest_checkpoint(db::Reader& reader);
std::optional<std::string> checkpoint_covering(db::Reader& reader, std::uint64_t size);

/// A key of the log and the sizes of trees it signs: [from, to), to 0 for "until now". Read from the log's own entries.
struct KeyPeriod {
  PublicKey key;
  std::uint64_t position = 0;  // of its entry
  std::uint64_t from = 0, to = 0;
};
core::Result<std::vector<KeyPeriod>> log_keys(db::Reader& reader);

/// Adds a witness's line to the newest checkpoint. Errors: not_found log.no-such-checkpoint, note.bad-signature, and log.not-a-witness.
core::Status add_cosignature(db::Transaction& tx, std::string_view signed_note, const PublicKey& witness);

}  // namespace tanhui::journal
