// http/signature.h: HTTP message signatures (RFC 9421) and content digests (RFC 9530): who sent this request, and that nobody changed it.
//
//   Signature-Input: sig=("@method" "@target-uri" "content-digest");created=1618884473;keyid="metro-1";nonce="…"
//   Signature:       sig=:…:
//   Content-Digest:  sha-256=:…:
//
// Algorithms hmac-sha256 (a secret that both sides have) and ed25519. The key decides the algorithm; a parameter `alg` that says otherwise
// is refused. Components: @method, @target-uri, @authority, @scheme, @request-target, @path, @query and header fields; parameters of
// components (sf, key, bs, req, tr, @query-param) are refused. What a policy asks to be covered is covered, or the request is refused.
//
// Replays: `created` must lie within the window around now, a nonce is taken once (NonceStore). Pure but for the store: time is passed in.
#pragma once
#include <openssl/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/result.h"
#include "core/time.h"

namespace tanhui::http {

using FieldView = std::pair<std::string_view, std::string_view>;  // name in any case, value

/// A request as it came. Views live as long as the call.
struct MessageView {
  std::string_view method;     // POST
  std::string_view scheme;     // https
  std::string_view authority;  // the Host field: example.com, example.com:8443
  std::string_view target;     // path and query as sent: /foo?a=b
  std::span<const FieldView> fields;
  std::string_view body;
};

enum class SignatureAlgorithm : std::uint8_t { hmac_sha256, ed25519 };
std::string_view name(SignatureAlgorithm algorithm);

/// Wiped when it dies. Cheap to share, not to copy.
class SignatureKey {
 public:
  static constexpr std::size_t kSecretMin = 32, kSecretMax = 64;  // bytes
  /// Errors: signature.bad-key.
  static core::Result<SignatureKey> hmac(std::span<const std::uint8_t> secret);
  static core::Result<SignatureKey> ed25519_public(std::span<const std::uint8_t> key);    // 32 bytes
  static core::Result<SignatureKey> ed25519_private(std::span<const std::uint8_t> seed);  // 32 bytes; signs and verifies
  SignatureKey(SignatureKey&&) noexcept;
  SignatureKey& operator=(SignatureKey&&) noexcept;
  ~SignatureKey();

  SignatureAlgorithm algorithm() const { return algorithm_; }
  /// The signature's bytes. Errors: signature.bad-key when this is a public key.
  core::Result<std::string> sign(std::string_view base) const;
  bool verify(std::string_view base, std::span<const std::uint8_t> signature) const;

 private:
  SignatureKey(SignatureAlgorithm algorithm, EVP_PKEY* key, bool can_sign);
  SignatureAlgorithm algorithm_;
  bool can_sign_;
  std::array<std::uint8_t, 64> inner_{}, outer_{};  // an HMAC secret as its two blocks
  EVP_PKEY* key_ = nullptr;
};

/// Asked for the key of a keyid; null when there is none (or it is revoked).
using KeyLookup = std::function<const SignatureKey*(std::string_view keyid)>;

/// Nonces that were taken, by key, each for as long as its signature is in the window. In memory and bounded; several threads share it.
/// When the process starts it does not know what came before, so for one window it takes only signatures made after it began: a signature
/// is good once, also across a restart. Servers that share a database each have their own: there a replay is caught by Idempotency-Key.
class NonceStore {
 public:
  /// `entries_max`: of one window; each costs 32 bytes at most.
  explicit NonceStore(core::Millis start_ms, std::size_t entries_max = 4'000'000);
  enum class Taken : std::uint8_t { now, earlier, full };
  Taken take(std::string_view keyid, std::string_view nonce, core::Millis now_ms, core::Millis window_ms);
  core::Millis start_ms() const { return start_ms_; }

 private:
  struct Entry {
    std::uint64_t high = 0, low = 0;
    bool operator==(const Entry&) const = default;
  };
  class Set {
   public:
    bool contains(const Entry& entry) const;
    bool insert(const Entry& entry, std::size_t entries_max);  // false when full
    void clear();

   private:
    std::size_t place_of(const Entry& entry) const;
    std::vector<Entry> slots_;
    std::size_t count_ = 0;
  };
  struct Shard {
    std::mutex mutex;
    core::Millis turned_ms = 0;
    Set current, previous;
  };
  static constexpr std::size_t kShards = 16;
  core::Millis start_ms_;
  std::size_t entries_max_;
  std::array<Shard, kShards> shards_;
};

struct SignaturePolicy {
  core::Millis window_ms = 5 * 60 * 1000;  // how far `created` may be from now, either way
  bool nonce_required = true;
  /// Fields that must be covered when they are there. Always covered: @method, the target (@target-uri, or @request-target or @path with
  /// @query, each with @authority), and content-digest when there is a body.
  std::vector<std::string> covered_fields = {"idempotency-key", "content-type"};
};

/// Views into the verifier's memory: good until its next message.
struct VerifiedSignature {
  std::string_view label, keyid, nonce, tag;
  core::Millis created_ms = 0;
};

/// Keeps its memory between messages: one for each thread.
class SignatureVerifier {
 public:
  explicit SignatureVerifier(SignaturePolicy policy = {}) : policy_(std::move(policy)) {}
  /// The first signature whose key is known is checked, and the digest of the body. `nonces` may be null: then nonces are not looked at.
  /// Errors (all refused): signature.missing, signature.malformed, signature.unsupported, signature.unknown-key, signature.algorithm,
  /// signature.not-covered, signature.outside-window, signature.expired, signature.wrong, signature.no-nonce, signature.replayed,
  /// signature.before-start, signature.busy (too many nonces), and those of check_content_digest.
  core::Result<VerifiedSignature> verify(const MessageView& message, const KeyLookup& keys, NonceStore* nonces, core::Millis now_ms);

 private:
  SignaturePolicy policy_;
  std::string base_, inputs_, signatures_, digests_;
};

struct SignatureParameters {
  std::int64_t created_s = 0;
  std::optional<std::int64_t> expires_s = {};
  std::string keyid;
  std::string nonce = {}, tag = {};  // left out when empty
  bool with_algorithm = false;
};
struct SignatureFields {
  std::string signature_input, signature;  // values of the two fields
};
/// Errors: signature.missing-field (a component that the message lacks), signature.unsupported, signature.bad-key.
core::Result<SignatureFields> sign(const MessageView& message, std::string_view label, std::span<const std::string_view> components,
                                   const SignatureParameters& parameters, const SignatureKey& key);

enum class DigestAlgorithm : std::uint8_t { sha256, sha512 };
/// The value of Content-Digest for a body.
std::string content_digest(std::string_view body, DigestAlgorithm algorithm = DigestAlgorithm::sha256);
/// Every digest in the field that is sha-256 or sha-512 must fit, and there must be one. Errors: digest.malformed, digest.unsupported,
/// digest.wrong.
core::Status check_content_digest(std::string_view field, std::string_view body);

}  // namespace tanhui::http
