#include "core/json.h"

// Boost.JSON is compiled here, once, from its headers.
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>

#include <algorithm>
#include <cstdint>

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

void MemberReader::only(std::initializer_list<std::string_view> names) const {
  for (const auto& member : *object_) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::find(names.begin(), names.end(), name) == names.end()) fail(name, "does not belong there");
  }
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

namespace {

/// Counts the members of all objects as they are written.
struct MemberCount {
  static constexpr std::size_t max_object_size = SIZE_MAX, max_array_size = SIZE_MAX, max_key_size = SIZE_MAX, max_string_size = SIZE_MAX;
  using Problem = boost::json::error_code;
  using View = boost::json::string_view;
  std::size_t members = 0;
  bool on_document_begin(Problem&) { return true; }
  bool on_document_end(Problem&) { return true; }
  bool on_object_begin(Problem&) { return true; }
  bool on_object_end(std::size_t count, Problem&) {
    members += count;
    return true;
  }
  bool on_array_begin(Problem&) { return true; }
  bool on_array_end(std::size_t, Problem&) { return true; }
  bool on_key_part(View, std::size_t, Problem&) { return true; }
  bool on_key(View, std::size_t, Problem&) { return true; }
  bool on_string_part(View, std::size_t, Problem&) { return true; }
  bool on_string(View, std::size_t, Problem&) { return true; }
  bool on_number_part(View, Problem&) { return true; }
  bool on_int64(std::int64_t, View, Problem&) { return true; }
  bool on_uint64(std::uint64_t, View, Problem&) { return true; }
  bool on_double(double, View, Problem&) { return true; }
  bool on_bool(bool, Problem&) { return true; }
  bool on_null(Problem&) { return true; }
  bool on_comment_part(View, Problem&) { return true; }
  bool on_comment(View, Problem&) { return true; }
};

std::size_t members_in(const boost::json::value& value) {
  std::size_t count = 0;
  if (const auto* object = value.if_object()) {
    count = object->size();
    for (const auto& member : *object) count += members_in(member.value());
  } else if (const auto* array = value.if_array()) {
    for (const auto& element : *array) count += members_in(element);
  }
  return count;
}

}  // namespace

std::optional<boost::json::value> parse_json(std::string_view text, std::size_t depth_max) {
  boost::json::error_code problem;
  boost::json::parse_options options;
  options.max_depth = depth_max;
  boost::json::value value = boost::json::parse(boost::json::string_view(text.data(), text.size()), problem, {}, options);
  if (problem) return std::nullopt;
  // Of two members with one name the value keeps the last.
  boost::json::basic_parser<MemberCount> written(options);
  written.write_some(false, text.data(), text.size(), problem);
  if (written.handler().members != members_in(value)) return std::nullopt;
  return value;
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
