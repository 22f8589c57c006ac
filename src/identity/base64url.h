// identity/base64url.h: base 64 with the URL alphabet and without padding (RFC 4648 section 5), as JOSE and WebAuthn write bytes; and the
// ordinary one, as HTTP does.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace tanhui::identity {

std::string to_base64url(std::string_view bytes);
/// Nothing when it is not exactly that.
std::optional<std::string> from_base64url(std::string_view text);
std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);
/// 32 random bytes, written so: 43 characters.
std::string random_token();

}  // namespace tanhui::identity
