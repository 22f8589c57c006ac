// core/json_tree.h: a JSON document as a tree whose numbers keep their text, for documents in which 0.1 must stay 0.1: core/json.h turns
// numbers into binary floating point, which no credited amount may have been.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace tanhui::core {

struct JsonTree {
  enum class Kind : std::uint8_t { null, boolean, number, text, list, object };
  Kind kind = Kind::null;
  bool truth = false;
  std::string text = {};                // what a text says; a number as it is written
  std::vector<std::string> names = {};  // of an object's members, in the order of `items`
  std::vector<JsonTree> items = {};     // elements of a list, values of an object

  bool is(Kind what) const { return kind == what; }
  /// The member's value; nothing when there is none, or this is no object.
  const JsonTree* find(std::string_view name) const;
  friend bool operator==(const JsonTree&, const JsonTree&) = default;
};

struct JsonLimits {
  std::size_t depth_max = 16;
  std::size_t values_max = 2'000'000;  // all values of the document together
};

/// Strict (RFC 8259): one document, valid UTF-8, no name twice in an object. Errors: invalid_input json.broken (where, what),
/// json.too-many-values, json.repeated-name.
Result<JsonTree> parse_json_tree(std::string_view text, const JsonLimits& limits = {});

/// One way to write a document: members in the order of their names, no spaces, numbers as they were written. Equal text, equal content.
std::string canonical_json(const JsonTree& tree);

}  // namespace tanhui::core
