// identity/jws.h: signed JSON tokens (RFC 7515, 7517, 7518) in the compact form, read and verified: RS256 and ES256, by the keys of a JWKS.
// OpenSSL does the arithmetic. Any other algorithm, "none" among them, is refused; so are keys too small to trust (RSA below 2048 bits).
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"

namespace tanhui::identity {

constexpr std::size_t kTokenBytesMax = 16'384;

/// The payload of a token that one of the keys signed: the one that it names (kid), or any that fits when it names none.
/// Errors: refused jws.bad, with why.
core::Result<std::string> verify_jws(std::string_view token, std::string_view jwks);

}  // namespace tanhui::identity
