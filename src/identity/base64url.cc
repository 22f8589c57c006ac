#include "identity/base64url.h"

#include <sodium.h>

#include <array>

#include "core/invariant.h"

namespace tanhui::identity {
namespace {

constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

std::string encoded(std::string_view bytes, int variant) {
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), variant);
  text.pop_back();  // the zero at the end
  return text;
}

std::optional<std::string> decoded(std::string_view text, int variant) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  std::size_t length = 0;
  const char* end = nullptr;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(), text.size(), nullptr, &length, &end,
                        variant) != 0 ||
      end != text.data() + text.size())
    return std::nullopt;
  bytes.resize(length);
  return bytes;
}

}  // namespace

std::string to_base64url(std::string_view bytes) { return encoded(bytes, kVariant); }
std::string to_base64(std::string_view bytes) { return encoded(bytes, sodium_base64_VARIANT_ORIGINAL); }

std::optional<std::string> from_base64url(std::string_view text) { return decoded(text, kVariant); }
std::optional<std::string> from_base64(std::string_view text) { return decoded(text, sodium_base64_VARIANT_ORIGINAL); }

std::string random_token() {
  core::invariant(sodium_init() >= 0, "libsodium has a source of randomness");
  std::array<char, 32> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  return to_base64url({bytes.data(), bytes.size()});
}

}  // namespace tanhui::identity
