#include "identity/yaml_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <set>

namespace tanhui::identity {

std::string join(std::span<const std::string> words) { return fmt::format("{}", fmt::join(words, ", ")); }
std::string join(std::initializer_list<std::string_view> words) { return fmt::format("{}", fmt::join(words, ", ")); }

namespace {

/// yaml-cpp counts bytes; people and editors count characters.
int column_in_characters(std::string_view text, const YAML::Mark& mark) {
  for (int line = 0; line < mark.line && !text.empty(); ++line) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const std::string_view before = text.substr(0, std::min(std::size_t(mark.column), text.size()));
  return 1 + int(std::count_if(before.begin(), before.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
}

}  // namespace

void Problems::add(const YAML::Mark& mark, const std::string& message, const std::string& action) {
  if (first_) return;
  const std::string place = mark.is_null() ? file_ : fmt::format("{}:{}:{}", file_, mark.line + 1, column_in_characters(text_, mark));
  first_ = core::Error{core::ErrorCode::invalid_input, id_, fmt::format("{}: {}", place, message), action, {{"place", place}}};
}

Fields::Fields(Problems& problems, const YAML::Node& node, std::string where, std::initializer_list<std::string_view> required,
               std::initializer_list<std::string_view> optional)
    : problems_(problems), node_(node), where_(std::move(where)) {
  const std::string subject = where_.empty() ? "the file" : fmt::format("'{}'", where_);
  std::vector<std::string> known(required.begin(), required.end());
  known.insert(known.end(), optional.begin(), optional.end());
  if (!node.IsMap()) {
    if (node.IsDefined()) problems_.add(node.Mark(), fmt::format("{} is not a mapping", subject), "write the fields " + join(known));
    node_ = YAML::Node(YAML::NodeType::Map);
    return;
  }
  std::set<std::string> seen;
  for (const auto& field : node) {
    const std::string name = field.first.IsScalar() ? field.first.Scalar() : "";
    if (std::find(known.begin(), known.end(), name) == known.end())
      problems_.add(field.first.Mark(), fmt::format("{} has no field '{}'", subject, name), "the fields are " + join(known));
    if (!seen.insert(name).second)
      problems_.add(field.first.Mark(), fmt::format("the field '{}' stands twice", path(name)), "keep one of them");
  }
  for (const std::string_view name : required)
    if (!seen.contains(std::string(name)))
      problems_.add(node.Mark(), fmt::format("{} lacks the field '{}'", subject, name), "add it; the fields are " + join(known));
}

std::string Fields::path(std::string_view field) const { return where_.empty() ? std::string(field) : fmt::format("{}.{}", where_, field); }

YAML::Node Fields::node(std::string_view field) const {
  for (const auto& entry : node_)
    if (entry.first.IsScalar() && entry.first.Scalar() == field) return entry.second;
  return YAML::Node(YAML::NodeType::Undefined);
}

bool Fields::has(std::string_view field) const { return node(field).IsDefined(); }

void Fields::problem(std::string_view field, const std::string& message, const std::string& action) const {
  const YAML::Node at = node(field);
  problems_.add(at.IsDefined() ? at.Mark() : node_.Mark(), fmt::format("'{}' {}", path(field), message), action);
}

std::string Fields::text(std::string_view field) const {
  const YAML::Node value = node(field);
  if (!value.IsDefined()) return "";
  if (value.IsScalar() && !value.Scalar().empty()) return value.Scalar();
  problem(field, "is not a text", "write one text, in quotes when in doubt");
  return "";
}

std::vector<std::string> Fields::texts(std::string_view field) const {
  const YAML::Node value = node(field);
  std::vector<std::string> found;
  if (!value.IsDefined()) return found;
  if (!value.IsSequence()) problem(field, "is not a list", "write a list, for example [one, two], or [] for none");
  if (!value.IsSequence()) return found;
  for (const auto& item : value) {
    if (!item.IsScalar() || item.Scalar().empty()) {
      problems_.add(item.Mark(), fmt::format("an item of '{}' is not a text", path(field)), "write one text per item");
    } else if (std::find(found.begin(), found.end(), item.Scalar()) != found.end()) {
      problems_.add(item.Mark(), fmt::format("'{}' stands twice in '{}'", item.Scalar(), path(field)), "keep one of them");
    } else {
      found.push_back(item.Scalar());
    }
  }
  return found;
}

std::int64_t Fields::whole(std::string_view field, std::int64_t least, std::int64_t most) const {
  if (!has(field)) return least;
  const std::string value = text(field);
  std::int64_t number = 0;
  const auto [end, problem_code] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (problem_code == std::errc() && end == value.data() + value.size() && number >= least && number <= most) return number;
  problem(field, fmt::format("is '{}'", value), fmt::format("write a whole number from {} to {}", least, most));
  return least;
}

bool Fields::boolean(std::string_view field) const { return has(field) && one_of(field, {"true", "false"}) == "true"; }

std::string Fields::one_of(std::string_view field, std::initializer_list<std::string_view> choices) const {
  const std::string value = text(field);
  if (!has(field) || std::find(choices.begin(), choices.end(), value) != choices.end()) return value;
  problem(field, fmt::format("is '{}'", value), "it is one of " + join(choices));
  return std::string(*choices.begin());
}

}  // namespace tanhui::identity
