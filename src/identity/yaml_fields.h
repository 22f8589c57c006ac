// identity/yaml_fields.h: strict reading of a YAML file. Every field is known or refused; the first mistake is kept, with its place and
// what would be right, and reading goes on with empty values so that no caller needs to check in between. Private to this folder.
#pragma once
#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace tanhui::identity {

class Problems {
 public:
  /// `text` is the file's; `id` the errors' id.
  Problems(std::string file, std::string_view text, std::string id) : file_(std::move(file)), text_(text), id_(std::move(id)) {}
  void add(const YAML::Mark& mark, const std::string& message, const std::string& action);
  const std::optional<core::Error>& first() const { return first_; }

 private:
  std::string file_;
  std::string_view text_;
  std::string id_;
  std::optional<core::Error> first_;
};

/// The fields of one mapping.
class Fields {
 public:
  /// `where` names the mapping for messages ("points"); empty for the whole file.
  Fields(Problems& problems, const YAML::Node& node, std::string where, std::initializer_list<std::string_view> required,
         std::initializer_list<std::string_view> optional = {});
  bool has(std::string_view field) const;
  YAML::Node node(std::string_view field) const;  // undefined when it is not there
  std::string text(std::string_view field) const;
  std::vector<std::string> texts(std::string_view field) const;  // a list of texts, each once
  std::int64_t whole(std::string_view field, std::int64_t least, std::int64_t most) const;
  bool boolean(std::string_view field) const;
  std::string one_of(std::string_view field, std::initializer_list<std::string_view> choices) const;
  void problem(std::string_view field, const std::string& message, const std::string& action) const;
  std::string path(std::string_view field) const;

 private:
  Problems& problems_;
  YAML::Node node_;
  std::string where_;
};

std::string join(std::span<const std::string> words);
std::string join(std::initializer_list<std::string_view> words);

}  // namespace tanhui::identity
