// identity/sealed.h: what is encrypted at rest, and under which keys.
//
//   master key    in the operator's hands: a file beside the database (LocalVault) or a key service behind the port KeyVault
//   data key      32 random bytes for each person, stored only wrapped by the master key; destroying it destroys what it sealed
//   sealed value  ciphertext under a data key, bound to its table, column and row: moved elsewhere it does not open
//
// Two suites; a value says by which it was made, so both are read always:
//   standard   XChaCha20-Poly1305 (libsodium)      sealed := 01 nonce:24 ciphertext tag:16
//   national   SM4-CTR, then HMAC-SM3 (OpenSSL)    sealed := 02 iv:16 ciphertext tag:32
//              OpenSSL 3.0 has no SM4-GCM. SM4 and HMAC keys are HMAC-SM3(data key, "tanhui sm4-ctr") cut to 16 bytes and
//              HMAC-SM3(data key, "tanhui hmac-sm3"); the tag is over length:u64be of the place, place, iv, ciphertext.
// Source: GB/T 32905 (SM3), GB/T 32907 (SM4), RFC 2104; draft-irtf-cfrg-xchacha.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/hash.h"
#include "core/result.h"
#include "identity/secret.h"

namespace tanhui::identity {

enum class Suite : std::uint8_t { standard = 1, national = 2 };
std::string_view name(Suite suite);
/// Errors: sealed.unknown-suite.
core::Result<Suite> parse_suite(std::string_view name);

using DataKey = SecretBytes<32>;

/// Where a value stands. `row` is the bytes of its primary key.
struct SealedPlace {
  std::string_view table, column, row;
};

constexpr std::size_t kSealedPlainMax = 64 * 1024;  // bytes

/// `plain` has at most kSealedPlainMax bytes (an invariant: what is longer is refused where it comes in).
std::string seal(Suite suite, const DataKey& key, const SealedPlace& place, std::string_view plain, const Randomness& randomness);
/// Errors: sealed.damaged: another key, another place, or changed bytes; which of them cannot be told.
core::Result<std::string> unseal(const DataKey& key, const SealedPlace& place, std::string_view sealed);

/// HMAC-SHA256 or HMAC-SM3: finds a value again without storing it readably.
core::Digest keyed_hash(Suite suite, const DataKey& key, std::string_view text);

/// The port to whatever keeps the master key: this and a key service can be changed for each other.
class KeyVault {
 public:
  virtual ~KeyVault() = default;
  virtual Suite suite() const = 0;  // by which new values are made
  /// Wrapped bytes name their master key. Errors: of the vault.
  virtual core::Result<std::string> wrap(const DataKey& key, const SealedPlace& place, const Randomness& randomness) = 0;
  /// Errors: sealed.unknown-master (wrapped by a master key that is not here), sealed.damaged.
  virtual core::Result<DataKey> unwrap(std::string_view wrapped, const SealedPlace& place) = 0;
  /// Whether it was wrapped by another master key than the present one.
  virtual bool is_old(std::string_view wrapped) const = 0;
};

/// Master keys in a file that its owner alone reads (mode 0600), never in the database. Several threads share it, and a program that runs
/// for long notices when `tanhui keys` changed the file:
///   <number> standard|national <base64url of 32 bytes>          one line each, numbers ascending, the last one is the present one
/// wrapped := number:u32be sealed
class LocalVault : public KeyVault {
 public:
  /// Errors: vault.missing, vault.damaged (names the line), vault.readable (others may read it).
  static core::Result<LocalVault> open(const std::filesystem::path& file);
  /// Makes the first key when there is no file; two processes that begin together end with the same one.
  static core::Result<LocalVault> open_or_create(const std::filesystem::path& file, Suite suite, const Randomness& randomness);
  /// A new present key; the older ones stay until nothing is wrapped by them. Wrap again, then retire.
  core::Status rotate(Suite suite, const Randomness& randomness);
  /// Forgets all but the present key: what is still wrapped by another is lost.
  core::Status retire_old();
  std::uint32_t present() const;
  std::size_t size() const;

  Suite suite() const override;
  core::Result<std::string> wrap(const DataKey& key, const SealedPlace& place, const Randomness& randomness) override;
  core::Result<DataKey> unwrap(std::string_view wrapped, const SealedPlace& place) override;
  bool is_old(std::string_view wrapped) const override;

 private:
  struct Master {
    Suite suite;
    DataKey key;
  };
  using Masters = std::map<std::uint32_t, Master>;
  LocalVault(std::filesystem::path file, Masters keys) : file_(std::move(file)), keys_(std::move(keys)) {}
  static core::Result<Masters> read(const std::filesystem::path& file);
  static std::string text_of_keys(const Masters& keys);
  void write();
  /// The keys as the file has them now; what is known already when it cannot be read. The caller holds the mutex.
  void read_again();
  std::filesystem::path file_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  Masters keys_;
};

}  // namespace tanhui::identity
