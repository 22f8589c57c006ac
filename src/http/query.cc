#include "http/query.h"

#include <fmt/format.h>

#include <charconv>

#include "core/text.h"

namespace tanhui::http {
namespace {

constexpr std::size_t kShownMax = 80;  // of a wrong value, in a message

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = char(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string shown(std::string_view value) {
  if (value.size() <= kShownMax) return std::string(value);
  std::size_t end = kShownMax;
  while (end > 0 && (value[end] & 0xC0) == 0x80) --end;  // not inside a character
  return std::string(value.substr(0, end)) + "...";
}

core::Error bad_query(const std::string& message, const std::string& action) {
  return {core::ErrorCode::invalid_input, "http.bad-query", message, action};
}

}  // namespace

core::Error bad_parameter(std::string_view name, std::string_view value, std::string_view expected) {
  return {core::ErrorCode::invalid_input,
          "http.bad-parameter",
          fmt::format("parameter '{}' is '{}', which is not {}", name, shown(value), expected),
          fmt::format("send {} as {}", name, expected),
          {{"parameter", std::string(name)}, {"value", shown(value)}, {"expected", std::string(expected)}}};
}

bool append_decoded(std::string_view text, bool form, std::string& out) {
  const std::size_t before = out.size();
  bool ascii = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      c = char(high << 4 | low);
      i += 2;
    } else if (c == '+' && form) {
      c = ' ';
    }
    if (c == '\0') return false;
    ascii = ascii && (c & 0x80) == 0;
    out.push_back(c);
  }
  return ascii || core::is_utf8(std::string_view(out).substr(before));
}

std::string encode_component(std::string_view text) {
  constexpr std::string_view kPlain = "-._~", kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || kPlain.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      out.append({'%', kDigits[std::uint8_t(c) >> 4], kDigits[std::uint8_t(c) & 15]});
    }
  }
  return out;
}

void Query::clear() {
  text_.clear();
  parameters_.clear();
}

core::Status Query::parse(std::string_view raw) {
  clear();
  while (!raw.empty()) {
    const std::size_t end = std::min(raw.find('&'), raw.size());
    const std::string_view piece = raw.substr(0, end);
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (piece.empty()) continue;
    if (parameters_.size() == kParametersMax) {
      return bad_query(fmt::format("the address has more than {} parameters", kParametersMax), "send fewer parameters");
    }
    const std::size_t equals = std::min(piece.find('='), piece.size());
    Parameter parameter;
    parameter.name.at = std::uint32_t(text_.size());
    if (!append_decoded(piece.substr(0, equals), true, text_)) {
      return bad_query("the name of a parameter is not percent-encoded UTF-8", "encode parameters as RFC 3986 says");
    }
    parameter.name.size = std::uint32_t(text_.size()) - parameter.name.at;
    parameter.value.at = std::uint32_t(text_.size());
    if (equals < piece.size() && !append_decoded(piece.substr(equals + 1), true, text_)) {
      const std::string_view name = std::string_view(text_).substr(parameter.name.at, parameter.name.size);
      return bad_query(fmt::format("parameter '{}' is not percent-encoded UTF-8", shown(name)), "encode parameters as RFC 3986 says");
    }
    parameter.value.size = std::uint32_t(text_.size()) - parameter.value.at;
    parameters_.push_back(parameter);
  }
  return core::Done{};
}

std::optional<std::string_view> Query::find(std::string_view wanted) const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (name(i) == wanted) return value(i);
  }
  return std::nullopt;
}

core::Result<std::optional<std::int64_t>> Query::whole(std::string_view name, std::int64_t least, std::int64_t most) const {
  const auto given = find(name);
  if (!given) return std::optional<std::int64_t>();
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(given->data(), given->data() + given->size(), number);
  if (problem != std::errc() || end != given->data() + given->size() || number < least || number > most) {
    return bad_parameter(name, *given, fmt::format("a whole number from {} to {}", least, most));
  }
  return std::optional(number);
}

core::Result<std::optional<std::string_view>> Query::text(std::string_view name, std::size_t bytes_max) const {
  const auto given = find(name);
  if (given && (given->empty() || given->size() > bytes_max)) {
    return bad_parameter(name, *given, fmt::format("a text of 1 to {} bytes", bytes_max));
  }
  return given;
}

core::Result<std::optional<std::string_view>> Query::one_of(std::string_view name, std::initializer_list<std::string_view> choices) const {
  const auto given = find(name);
  if (given && std::find(choices.begin(), choices.end(), *given) == choices.end()) {
    return bad_parameter(name, *given, fmt::format("one of {}", fmt::join(choices, ", ")));
  }
  return given;
}

core::Result<std::optional<bool>> Query::boolean(std::string_view name) const {
  const auto given = one_of(name, {"true", "false"});
  if (!given) return given.error();
  return *given ? std::optional(**given == "true") : std::nullopt;
}

core::Result<std::optional<core::Day>> Query::day(std::string_view name) const {
  const auto given = find(name);
  if (!given) return std::optional<core::Day>();
  const auto day = core::parse_day(*given);
  if (!day) return bad_parameter(name, *given, "a day of the calendar, for example 2025-03-01");
  return day;
}

core::Status Query::only(std::span<const std::string> names) const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (std::find(names.begin(), names.end(), name(i)) == names.end()) {
      return core::Error{core::ErrorCode::invalid_input,
                         "http.unknown-parameter",
                         fmt::format("there is no parameter '{}' here", shown(name(i))),
                         names.empty() ? "send no parameters" : fmt::format("send only: {}", fmt::join(names, ", ")),
                         {{"parameter", shown(name(i))}}};
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (name(j) == name(i)) {
        return core::Error{core::ErrorCode::invalid_input,
                           "http.repeated-parameter",
                           fmt::format("parameter '{}' is given twice", shown(name(i))),
                           "send each parameter once",
                           {{"parameter", shown(name(i))}}};
      }
    }
  }
  return core::Done{};
}

}  // namespace tanhui::http
