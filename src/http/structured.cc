#include "http/structured.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace tanhui::http::structured {
namespace {

/// Which of 256 bytes belong to a class of letters: a look instead of a search.
constexpr std::array<bool, 256> letters(std::string_view also) {
  std::array<bool, 256> good{};
  for (int c = 0; c < 128; ++c)
    good[std::size_t(c)] =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || also.find(char(c)) != std::string_view::npos;
  return good;
}
constexpr auto kTokenChars = letters("!#$%&'*+-.^_`|~:/"), kBase64Chars = letters("+/=");

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_alpha(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_token_char(char c) { return kTokenChars[std::uint8_t(c)]; }
bool is_base64_char(char c) { return kBase64Chars[std::uint8_t(c)]; }

void skip(std::string_view& rest, bool tabs = false) {
  while (rest.starts_with(' ') || (tabs && rest.starts_with('\t'))) rest.remove_prefix(1);
}
bool take(std::string_view& rest, char wanted) {
  if (!rest.starts_with(wanted)) return false;
  rest.remove_prefix(1);
  return true;
}

std::string_view take_while(std::string_view& rest, bool (*good)(char)) {
  std::size_t length = 0;
  while (length < rest.size() && good(rest[length])) ++length;
  const std::string_view taken = rest.substr(0, length);
  rest.remove_prefix(length);
  return taken;
}

std::optional<std::string_view> read_key(std::string_view& rest) {
  if (rest.empty() || !(is_lower(rest.front()) || rest.front() == '*')) return std::nullopt;
  return take_while(rest, [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*'; });
}

std::optional<Bare> read_string(std::string_view& rest) {
  for (std::size_t i = 1; i < rest.size(); ++i) {
    const char c = rest[i];
    if (c == '"') {
      const Bare value{Bare::Kind::string, 0, rest.substr(1, i - 1)};
      rest.remove_prefix(i + 1);
      return value;
    }
    if (c < 0x20 || c >= 0x7f) return std::nullopt;
    if (c == '\\' && (++i == rest.size() || (rest[i] != '"' && rest[i] != '\\'))) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Bare> read_integer(std::string_view& rest) {
  const std::string_view before = rest;
  const bool negative = take(rest, '-');
  const std::string_view digits = take_while(rest, is_digit);
  if (digits.empty() || digits.size() > 15 || rest.starts_with('.')) return std::nullopt;
  Bare value{Bare::Kind::integer};
  std::from_chars(digits.data(), digits.data() + digits.size(), value.integer);
  if (negative) value.integer = -value.integer;
  value.text = before.substr(0, before.size() - rest.size());
  return value;
}

std::optional<Bare> read_bare(std::string_view& rest) {
  if (rest.empty()) return std::nullopt;
  const char first = rest.front();
  if (first == '"') return read_string(rest);
  if (first == '-' || is_digit(first)) return read_integer(rest);
  if (first == '?') {
    if (rest.size() < 2 || (rest[1] != '0' && rest[1] != '1')) return std::nullopt;
    const Bare value{Bare::Kind::boolean, rest[1] - '0', {}};
    rest.remove_prefix(2);
    return value;
  }
  if (take(rest, ':')) {
    const Bare value{Bare::Kind::bytes, 0, take_while(rest, is_base64_char)};
    return take(rest, ':') ? std::optional(value) : std::nullopt;
  }
  if (is_alpha(first) || first == '*') return Bare{Bare::Kind::token, 0, take_while(rest, is_token_char)};
  return std::nullopt;
}

bool read_parameters(std::string_view& rest, Parameters& parameters) {
  while (take(rest, ';')) {
    skip(rest);
    const auto key = read_key(rest);
    if (!key || parameters.find(*key) != nullptr) return false;
    Parameter parameter{*key, Bare{Bare::Kind::boolean, 1, {}}};
    if (take(rest, '=')) {
      const auto value = read_bare(rest);
      if (!value) return false;
      parameter.value = *value;
    }
    if (!parameters.push(parameter)) return false;
  }
  return true;
}

bool read_list(std::string_view& rest, InnerList& list) {
  while (true) {
    skip(rest);
    if (take(rest, ')')) return true;
    const auto value = read_bare(rest);
    if (!value || !list.items.push(*value)) return false;
    Parameters parameters;
    if (!read_parameters(rest, parameters)) return false;
    if (!parameters.all().empty()) list.items_have_parameters = true;
    if (!rest.starts_with(' ') && !rest.starts_with(')')) return false;
  }
}

}  // namespace

const Bare* Parameters::find(std::string_view key) const {
  for (const Parameter& parameter : all())
    if (parameter.key == key) return &parameter.value;
  return nullptr;
}

Dictionary::Dictionary(std::string_view value) : rest_(value) {
  skip(rest_);
  while (rest_.ends_with(' ')) rest_.remove_suffix(1);
}

bool Dictionary::next(Member& member) {
  if (failed_) return false;
  if (!std::exchange(first_, false)) {
    skip(rest_, true);
    if (rest_.empty()) return false;
    if (!take(rest_, ',')) return fail();
    skip(rest_, true);
    if (rest_.empty()) return fail();  // a comma at the end
  }
  if (rest_.empty()) return false;
  const auto key = read_key(rest_);
  if (!key) return fail();
  for (const std::string_view earlier : keys_.all())
    if (earlier == *key) return fail();
  if (!keys_.push(*key)) return fail();
  member = Member{.key = *key};
  if (!take(rest_, '=')) {
    member.item = Bare{Bare::Kind::boolean, 1, {}};
  } else if (take(rest_, '(')) {
    member.is_list = true;
    if (!read_list(rest_, member.list)) return fail();
  } else {
    const auto value = read_bare(rest_);
    if (!value) return fail();
    member.item = *value;
  }
  return read_parameters(rest_, member.parameters) || fail();
}

void write(std::string& out, const Bare& value) {
  switch (value.kind) {
    case Bare::Kind::integer: {
      std::array<char, 20> digits;
      const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value.integer).ptr;
      out.append(digits.data(), std::size_t(end - digits.data()));
      break;
    }
    case Bare::Kind::string:
      out.append("\"").append(value.text).append("\"");
      break;
    case Bare::Kind::token:
      out.append(value.text);
      break;
    case Bare::Kind::bytes:
      out.append(":").append(value.text).append(":");
      break;
    case Bare::Kind::boolean:
      out.append(value.integer == 1 ? "?1" : "?0");
      break;
  }
}

void write(std::string& out, std::span<const Parameter> parameters) {
  for (const Parameter& parameter : parameters) {
    out.append(";").append(parameter.key);
    if (parameter.value.kind == Bare::Kind::boolean && parameter.value.integer == 1) continue;
    out.append("=");
    write(out, parameter.value);
  }
}

}  // namespace tanhui::http::structured
