// core/hash.h: digests that prove (SHA-256) and keys that find (XXH3, keyed by the instance's secret).
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tanhui::core {

using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 over pieces; OpenSSL does the work.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  Digest finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};
Digest sha256(std::string_view bytes);

Digest hmac_sha256(std::string_view key, std::string_view bytes);

std::string to_hex(std::span<const std::uint8_t> bytes);

/// A person inside one instance: 128 bits of the (already pseudonymous) id a partner sent, keyed by the instance's secret.
struct PersonKey {
  std::uint64_t high = 0, low = 0;
  friend constexpr auto operator<=>(const PersonKey&, const PersonKey&) = default;
};
std::string to_hex(const PersonKey& key);  // 32 digits

/// Key of a partner's event within its source, or of an object (a meter, a serial number, a document); never 0, which means "none".
/// The same on every machine, because it settles ties between colliding reports. `source_seed` is name_seed() of the source's id.
std::uint64_t event_key(std::uint64_t source_seed, std::string_view id);
std::uint64_t name_seed(std::string_view name);

/// Secret of one instance: 192 random bytes, made when the instance is made. Not a signature key; it only keeps
/// whoever steals a journal from enumerating guessable ids without also stealing the secret. Decision 0004.
class KeySecret {
 public:
  static constexpr std::size_t kBytes = 192;
  explicit KeySecret(std::span<const std::uint8_t, kBytes> bytes);
  PersonKey person(std::string_view id) const;
  /// A key for another purpose ("totp"): HMAC-SHA256 under the secret. Nothing about the secret or the other keys follows from it.
  Digest key_for(std::string_view purpose) const;

 private:
  std::array<std::uint8_t, kBytes> bytes_;
};

}  // namespace tanhui::core
