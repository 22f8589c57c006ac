// core/base64.h: base64 (RFC 4648 section 4, padded) and base64url (section 5, without padding). Reading is strict: one way to write
// a value, and only that is read (no blanks, no stray bits, no padding where there is none).
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tanhui::core {

std::string to_base64(std::span<const std::uint8_t> bytes);
std::string to_base64url(std::span<const std::uint8_t> bytes);
std::optional<std::string> parse_base64(std::string_view text);
std::optional<std::string> parse_base64url(std::string_view text);

/// As above into a buffer of the caller's, which costs no memory: the number of bytes, or nothing when `text` is wrong or holds more.
std::optional<std::size_t> parse_base64(std::string_view text, std::span<std::uint8_t> into);
/// True when `text` is exactly `into.size()` bytes.
bool parse_base64url_exactly(std::string_view text, std::span<std::uint8_t> into);

}  // namespace tanhui::core
