// journal/note.h: signed notes and the keys that sign them, as C2SP signed-note and tlog-cosignature write them: any tool of that family
// reads ours. Ed25519 by libsodium. Vectors: note_test.cc.
//
//   note        text that ends in a newline, an empty line, then signature lines:  — <key name> <base64(id:u32be signature)>
//   public key  <name>+<id, 8 hex digits>+<base64(type:u8 public key)>      id = first 4 bytes of SHA-256(name 0A type public key)
//   private key PRIVATE+KEY+<name>+<id>+<base64(type:u8 seed)>              kept in a file that only its owner reads
//   type        1 a log's signature, 4 a witness's cosignature: its bytes are time:u64be signature, and what it signs begins with that time
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace tanhui::journal {

enum class KeyType : std::uint8_t { log = 1, witness = 4 };

struct PublicKey {
  std::string name;  // not empty, no space, no plus
  std::uint32_t id = 0;
  KeyType type = KeyType::log;
  std::array<std::uint8_t, 32> bytes{};
  std::string text() const;
  friend bool operator==(const PublicKey&, const PublicKey&) = default;
};
/// Errors: invalid_input note.bad-key.
core::Result<PublicKey> parse_public_key(std::string_view text);

struct Signature {
  std::string name;
  std::uint32_t id = 0;
  std::string bytes;
  std::string line() const;  // with its newline
};
struct Note {
  std::string text;  // with its last newline
  std::vector<Signature> signatures;
};
/// Errors: invalid_input note.bad-note. At most 1 MiB and 64 signatures.
core::Result<Note> parse_note(std::string_view bytes);
std::string to_text(const Note& note);

/// Which of `keys` signed the note. A known key whose signature is wrong makes the whole note refused: note.bad-signature; unknown keys
/// are passed over.
core::Result<std::vector<PublicKey>> signers(const Note& note, std::span<const PublicKey> keys);
/// The time that a witness's cosignature carries, in POSIX seconds.
std::optional<std::uint64_t> cosigned_at(const Note& note, const PublicKey& witness);

class Signer {
 public:
  static Signer generate(std::string_view name, KeyType type = KeyType::log);
  static Signer from_seed(std::string_view name, std::span<const std::uint8_t, 32> seed, KeyType type = KeyType::log);
  /// Errors: note.bad-key, which does not repeat the text.
  static core::Result<Signer> parse(std::string_view text);
  ~Signer();
  Signer(const Signer&) = default;
  Signer& operator=(const Signer&) = default;

  const PublicKey& key() const { return key_; }
  std::string text() const;  // secret
  /// `posix_seconds` counts for witnesses only.
  Signature sign(std::string_view note_text, std::uint64_t posix_seconds = 0) const;

 private:
  Signer() = default;
  PublicKey key_;
  std::array<std::uint8_t, 32> seed_{};
};

std::string base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);  // strict: padding, no blanks, no stray bits

}  // namespace tanhui::journal
