// identity/totp.h: one-time codes from the time of day, as authenticator applications make them: RFC 6238 over RFC 4226, HMAC-SHA1, steps
// of 30 s, six digits. Pure functions.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"

namespace tanhui::identity {

constexpr core::Millis kTotpStepMs = 30'000;
constexpr int kTotpDigits = 6;
constexpr std::size_t kTotpSecretBytes = 20;

/// The code of a step: at most 9 digits, zeros in front. `secret`: the bytes.
std::string totp_code(std::string_view secret, std::int64_t step, int digits = kTotpDigits);
constexpr std::int64_t totp_step(core::Millis now_ms) { return now_ms / kTotpStepMs; }

/// The step whose code this is: that of now, or one before or after, for a clock that drifted. A step up to `last_used` does not count,
/// so that a code works once. Compares in constant time.
std::optional<std::int64_t> find_totp_step(std::string_view secret, std::string_view code, core::Millis now_ms, std::int64_t last_used);

/// What an authenticator reads from a picture: otpauth://totp/ISSUER:ACCOUNT?secret=BASE32&issuer=ISSUER
std::string totp_address(std::string_view secret, std::string_view issuer, std::string_view account);
/// RFC 4648 base 32 without padding.
std::string to_base32(std::string_view bytes);

}  // namespace tanhui::identity
