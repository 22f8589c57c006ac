#include "core/json.h"

// Boost.JSON is compiled here, once, from its headers.
#include <boost/json/src.hpp>

namespace tanhui::core {

MemberReader::MemberReader(const boost::json::value& value, std::string what) : object_(value.if_object()), what_(std::move(what)) {
  if (object_ == nullptr) throw BadMember(what_ + " is not an object");
}

void MemberReader::fail(std::string_view name, std::string_view why) const {
  throw BadMember(what_ + ": '" + std::string(name) + "' " + std::string(why));
}

const boost::json::value& MemberReader::value(std::string_view name) const {
  const boost::json::value* found = object_->if_contains(name);
  if (found == nullptr) fail(name, "is missing");
  return *found;
}

std::int64_t MemberReader::integer(std::string_view name) const {
  const std::int64_t* number = value(name).if_int64();
  if (number == nullptr) fail(name, "is not a whole number of 64 bits");
  return *number;
}

std::string MemberReader::text(std::string_view name) const {
  const boost::json::string* found = value(name).if_string();
  if (found == nullptr) fail(name, "is not text");
  return {found->data(), found->size()};
}

std::optional<std::string> MemberReader::text_or_null(std::string_view name) const {
  return value(name).is_null() ? std::nullopt : std::optional(text(name));
}

const boost::json::array& MemberReader::array(std::string_view name) const {
  const boost::json::array* found = value(name).if_array();
  if (found == nullptr) fail(name, "is not a list");
  return *found;
}

Digest MemberReader::hex_digest(std::string_view name) const {
  Digest digest;
  if (!from_hex(text(name), digest)) fail(name, "is not a digest of 64 hexadecimal digits");
  return digest;
}

std::optional<boost::json::value> parse_json(std::string_view text, std::size_t depth_max) {
  boost::json::error_code problem;
  boost::json::parse_options options;
  options.max_depth = depth_max;
  boost::json::value value = boost::json::parse(boost::json::string_view(text.data(), text.size()), problem, {}, options);
  return problem ? std::nullopt : std::optional(std::move(value));
}

bool from_hex(std::string_view text, std::span<std::uint8_t> bytes) {
  if (text.size() != 2 * bytes.size()) return false;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = std::uint8_t(high << 4 | low);
  }
  return true;
}

}  // namespace tanhui::core
