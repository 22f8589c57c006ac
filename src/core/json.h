// core/json.h: Boost.JSON, and what it lacks for documents that come from outside: members that are there, are of their kind, and a word
// about the one that is not.
#pragma once
#include <boost/json.hpp>

#include <initializer_list>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/hash.h"

namespace tanhui::core {

/// Thrown by MemberReader, caught by whoever parses the document: what() names the member and what is wrong with it.
struct BadMember : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads the members of one object.
class MemberReader {
 public:
  /// `what` names the object in messages. Throws BadMember when the value is no object.
  MemberReader(const boost::json::value& value, std::string what);
  std::int64_t integer(std::string_view name) const;
  std::string text(std::string_view name) const;
  std::optional<std::string> text_or_null(std::string_view name) const;
  const boost::json::array& array(std::string_view name) const;
  const boost::json::value& value(std::string_view name) const;
  bool has(std::string_view name) const { return object_->contains(name); }
  /// For documents whose every member means something: throws BadMember when there is one beside these.
  void only(std::initializer_list<std::string_view> names) const;
  Digest hex_digest(std::string_view name) const;
  [[noreturn]] void fail(std::string_view name, std::string_view why) const;

 private:
  const boost::json::object* object_;
  std::string what_;
};

/// The document, or nothing when it is no JSON, is nested deeper than `depth_max`, or an object names a member twice: readers of such a
/// document differ in which of the two they believe.
std::optional<boost::json::value> parse_json(std::string_view text, std::size_t depth_max = 16);

/// Exactly `bytes.size()` bytes, lower-case digits.
bool from_hex(std::string_view text, std::span<std::uint8_t> bytes);

}  // namespace tanhui::core
