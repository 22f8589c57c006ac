#include "identity/box.h"

#include <sodium.h>

#include "core/invariant.h"

namespace tanhui::identity {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == sizeof(core::Digest));

unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

Box::~Box() { sodium_memzero(key_.data(), key_.size()); }

std::string Box::seal(std::string_view secret, std::string_view bound_to) const {
  core::invariant(sodium_init() >= 0, "libsodium has a source of randomness");
  std::string nonce(kNonceBytes, '\0');
  randombytes_buf(nonce.data(), nonce.size());
  std::string sealed(secret.size() + kTagBytes, '\0');
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes(sealed), nullptr, bytes(secret), secret.size(), bytes(bound_to), bound_to.size(),
                                             nullptr, bytes(std::string_view(nonce)), key_.data());
  return kVersion + nonce + sealed;
}

std::optional<std::string> Box::open(std::string_view box, std::string_view bound_to) const {
  if (box.size() < 1 + kNonceBytes + kTagBytes || box.front() != kVersion) return std::nullopt;
  const std::string_view nonce = box.substr(1, kNonceBytes), sealed = box.substr(1 + kNonceBytes);
  std::string secret(sealed.size() - kTagBytes, '\0');
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(bytes(secret), nullptr, nullptr, bytes(sealed), sealed.size(), bytes(bound_to),
                                                 bound_to.size(), bytes(nonce), key_.data()) != 0)
    return std::nullopt;
  return secret;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace tanhui::identity
