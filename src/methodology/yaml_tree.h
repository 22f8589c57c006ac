// methodology/yaml_tree.h: a YAML document as a tree in which every value knows its place. Hostile input is refused, not followed:
// size, depth and number of values are limited, aliases and repeated keys are mistakes.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "methodology/problems.h"

namespace tanhui::methodology {

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, list, map };
  Kind kind = Kind::null;
  int line = 0, column = 0;
  std::string text;             // of a scalar
  std::vector<YamlNode> keys;   // of a map, scalars
  std::vector<YamlNode> items;  // of a list, or the values of a map

  bool is_map() const { return kind == Kind::map; }
  bool is_list() const { return kind == Kind::list; }
  bool is_scalar() const { return kind == Kind::scalar; }
  const YamlNode* find(std::string_view key) const;
  Place place() const { return {line, column, kind == Kind::scalar ? std::max<std::size_t>(text.size(), 1) : 1}; }
};

/// nullopt after reporting what is wrong; a document that is not one map is wrong.
std::optional<YamlNode> parse_yaml(const Source& source, Reporter& report);

/// tree := kind:u8 content; scalar str, list count:u32 tree*, map count:u32 (key:str tree)* in byte order of the keys. Comments, places,
/// quoting and the order of fields do not change it.
void write_canonical(const YamlNode& node, core::ByteWriter& out);

}  // namespace tanhui::methodology
