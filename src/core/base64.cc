#include "core/base64.h"

#include <algorithm>
#include <array>

namespace tanhui::core {
namespace {

constexpr std::string_view kStandard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kNone = 0xff;

constexpr std::array<std::uint8_t, 256> values_of(std::string_view alphabet) {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::size_t i = 0; i < alphabet.size(); ++i) values[std::uint8_t(alphabet[i])] = std::uint8_t(i);
  return values;
}
constexpr auto kStandardValues = values_of(kStandard), kUrlValues = values_of(kUrl);

std::string write(std::span<const std::uint8_t> bytes, std::string_view alphabet, bool padded) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < have ? bytes[at + i] : 0);
    for (std::size_t i = 0; i <= have; ++i) text.push_back(alphabet[group >> (18 - 6 * i) & 63]);
    if (padded) text.append(3 - have, '=');
  }
  return text;
}

std::optional<std::size_t> read(std::string_view text, const std::array<std::uint8_t, 256>& values, std::span<std::uint8_t> into) {
  if (text.size() % 4 == 1 || text.size() / 4 * 3 + (text.size() % 4 == 0 ? 0 : text.size() % 4 - 1) > into.size()) return std::nullopt;
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t count = 0;
  std::uint8_t wrong = 0;
  for (const char letter : text) {
    const std::uint8_t value = values[std::uint8_t(letter)];
    wrong |= value;
    bits = bits << 6 | (value & 63);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    into[count++] = std::uint8_t(bits >> held);
  }
  const bool stray = (bits & ((1u << held) - 1)) != 0;
  return (wrong & 0x80) != 0 || stray ? std::nullopt : std::optional(count);
}

/// The text without its padding, or nothing when that is not as it must be.
std::optional<std::string_view> without_padding(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return text;
}

std::optional<std::string> read_whole(std::string_view text, const std::array<std::uint8_t, 256>& values) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  const auto count = read(text, values, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
  if (!count) return std::nullopt;
  bytes.resize(*count);
  return bytes;
}

}  // namespace

std::string to_base64(std::span<const std::uint8_t> bytes) { return write(bytes, kStandard, true); }
std::string to_base64url(std::span<const std::uint8_t> bytes) { return write(bytes, kUrl, false); }

std::optional<std::string> parse_base64(std::string_view text) {
  const auto bare = without_padding(text);
  return bare ? read_whole(*bare, kStandardValues) : std::nullopt;
}
std::optional<std::string> parse_base64url(std::string_view text) { return read_whole(text, kUrlValues); }

std::optional<std::size_t> parse_base64(std::string_view text, std::span<std::uint8_t> into) {
  const auto bare = without_padding(text);
  return bare ? read(*bare, kStandardValues, into) : std::nullopt;
}
bool parse_base64url_exactly(std::string_view text, std::span<std::uint8_t> into) { return read(text, kUrlValues, into) == into.size(); }

}  // namespace tanhui::core
