#include "core/hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "core/invariant.h"

namespace tanhui::core {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  bool finished = false;  // OpenSSL would hand out another digest without complaint
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  invariant(state_->context != nullptr && EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1, "SHA-256 can be started");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  invariant(!state_->finished, "SHA-256 takes bytes before it is finished");
  invariant(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1, "SHA-256 takes bytes");
}

Digest Sha256::finish() {
  Digest digest{};
  invariant(!std::exchange(state_->finished, true), "SHA-256 is finished once");
  invariant(EVP_DigestFinal_ex(state_->context, digest.data(), nullptr) == 1, "SHA-256 gives a digest");
  return digest;
}

Digest sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

Digest hmac_sha256(std::string_view key, std::string_view bytes) {
  Digest digest{};
  unsigned length = 0;
  invariant(HMAC(EVP_sha256(), key.data(), int(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                 digest.data(), &length) != nullptr &&
                length == digest.size(),
            "HMAC-SHA256 gives a digest");
  return digest;
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) text.append({digits[byte >> 4], digits[byte & 15]});
  return text;
}

std::string to_hex(const PersonKey& key) { return fmt::format("{:016x}{:016x}", key.high, key.low); }

KeySecret::KeySecret(std::span<const std::uint8_t, kBytes> bytes) { std::copy(bytes.begin(), bytes.end(), bytes_.begin()); }

PersonKey KeySecret::person(std::string_view id) const {
  const XXH128_hash_t hash = XXH3_128bits_withSecret(id.data(), id.size(), bytes_.data(), kBytes);
  return {hash.high64, hash.low64};
}

Digest KeySecret::key_for(std::string_view purpose) const {
  return hmac_sha256({reinterpret_cast<const char*>(bytes_.data()), kBytes}, "tanhui key for " + std::string(purpose));
}

std::uint64_t name_seed(std::string_view name) { return XXH3_64bits(name.data(), name.size()); }

std::uint64_t event_key(std::uint64_t source_seed, std::string_view id) {
  const std::uint64_t key = XXH3_64bits_withSeed(id.data(), id.size(), source_seed);
  return key == 0 ? 1 : key;
}

}  // namespace tanhui::core
