#include "identity/totp.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "core/bytes.h"
#include "core/invariant.h"
#include "identity/box.h"

namespace tanhui::identity {
namespace {

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", std::uint8_t(c));
  }
  return encoded;
}

}  // namespace

std::string totp_code(std::string_view secret, std::int64_t step, int digits) {
  core::invariant(digits >= 1 && digits <= 9, "a code has 1 to 9 digits");
  const std::string counter = core::ByteWriter().i64(step).take();
  std::array<std::uint8_t, 20> mac{};
  unsigned length = 0;
  core::invariant(HMAC(EVP_sha1(), secret.data(), int(secret.size()), reinterpret_cast<const unsigned char*>(counter.data()),
                       counter.size(), mac.data(), &length) != nullptr &&
                      length == mac.size(),
                  "HMAC-SHA1 gives a digest");
  const std::size_t at = mac.back() & 0xF;  // dynamic truncation, RFC 4226 5.3
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | mac[at + i];
  number &= 0x7FFF'FFFF;
  std::uint32_t modulus = 1;
  for (int i = 0; i < digits; ++i) modulus *= 10;
  return fmt::format("{:0{}}", number % modulus, digits);
}

std::optional<std::int64_t> find_totp_step(std::string_view secret, std::string_view code, core::Millis now_ms, std::int64_t last_used) {
  std::optional<std::int64_t> found;
  const std::int64_t now = totp_step(now_ms);
  for (std::int64_t step = now + 1; step >= now - 1; --step)  // all three, whichever fits
    if (equal_in_constant_time(totp_code(secret, step), code) && step > last_used) found = step;
  return found;
}

std::string to_base32(std::string_view bytes) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string text;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char byte : bytes) {
    buffer = buffer << 8 | std::uint8_t(byte);
    for (bits += 8; bits >= 5; bits -= 5) text.push_back(letters[buffer >> (bits - 5) & 31]);
  }
  if (bits > 0) text.push_back(letters[buffer << (5 - bits) & 31]);
  return text;
}

std::string totp_address(std::string_view secret, std::string_view issuer, std::string_view account) {
  return fmt::format("otpauth://totp/{}:{}?secret={}&issuer={}", percent_encoded(issuer), percent_encoded(account), to_base32(secret),
                     percent_encoded(issuer));
}

}  // namespace tanhui::identity
