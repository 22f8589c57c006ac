#include "service/openapi.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>

#include "core/files.h"
#include "core/json.h"

namespace tanhui::service {
namespace {

constexpr std::size_t kNodesMax = 1'000'000;

boost::json::value scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return boost::json::string(text);  // quoted
  if (text == "null" || text == "~" || text.empty()) return nullptr;
  if (text == "true") return true;
  if (text == "false") return false;
  std::int64_t whole = 0;
  if (const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), whole);
      problem == std::errc() && end == text.data() + text.size()) {
    return whole;
  }
  double decimal = 0;
  const bool number =
      text.find_first_not_of("0123456789+-.eE") == std::string::npos && text.find_first_of("0123456789") != std::string::npos;
  if (const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), decimal);
      number && problem == std::errc() && end == text.data() + text.size()) {
    return decimal;
  }
  return boost::json::string(text);
}

boost::json::value convert(const YAML::Node& node, std::size_t& left) {
  if (left-- == 0) throw YAML::Exception(node.Mark(), "there are too many values");
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return scalar(node);
    case YAML::NodeType::Sequence: {
      boost::json::array all;
      for (const YAML::Node& one : node) all.push_back(convert(one, left));
      return all;
    }
    case YAML::NodeType::Map: {
      boost::json::object all;
      for (const auto& entry : node) {
        if (!entry.first.IsScalar()) throw YAML::Exception(entry.first.Mark(), "a name is not a text");
        if (!all.emplace(entry.first.Scalar(), convert(entry.second, left)).second)
          throw YAML::Exception(entry.first.Mark(), "a name is there twice");
      }
      return all;
    }
    default:
      return nullptr;
  }
}

}  // namespace

core::Result<boost::json::value> json_of_yaml(std::string_view text, std::string_view name) {
  try {
    std::size_t left = kNodesMax;
    return convert(YAML::Load(std::string(text)), left);
  } catch (const YAML::Exception& problem) {
    const std::string where =
        problem.mark.is_null() ? std::string(name) : fmt::format("{}:{}:{}", name, problem.mark.line + 1, problem.mark.column + 1);
    return core::Error{
        core::ErrorCode::invalid_input, "openapi.bad-yaml", fmt::format("{}: {}", where, problem.msg), "mend the file", {{"place", where}}};
  }
}

core::Result<boost::json::value> read_openapi(const std::filesystem::path& file) {
  const auto text = core::read_file(file);
  if (!text) {
    return core::Error{core::ErrorCode::not_found,
                       "openapi.not-found",
                       fmt::format("there is no file {}", file.string()),
                       "name the folder that has api/ with --home",
                       {{"file", file.string()}}};
  }
  return json_of_yaml(*text, file.string());
}

}  // namespace tanhui::service
