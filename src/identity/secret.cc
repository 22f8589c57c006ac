#include "identity/secret.h"

#include "core/invariant.h"

namespace tanhui::identity {

Randomness system_randomness() {
  core::invariant(sodium_init() >= 0, "libsodium has a source of randomness");
  return [](std::span<std::uint8_t> bytes) { randombytes_buf(bytes.data(), bytes.size()); };
}

}  // namespace tanhui::identity
