#include "core/json_tree.h"

#include <boost/json/basic_parser_impl.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "core/json.h"

namespace tanhui::core {
namespace {

namespace json = boost::json;

// What the parser finds, put together. `open_` are the lists and objects that have begun, by their place in their parent's `items`: they
// are built apart and moved in when they end, so that no pointer breaks.
class TreeBuilder {
 public:
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);

  explicit TreeBuilder(std::size_t values_max) : left_(values_max) {}
  JsonTree take() { return std::move(root_); }
  const std::optional<Error>& problem() const { return problem_; }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code& ec) { return begin(JsonTree::Kind::object, ec); }
  bool on_object_end(std::size_t, json::error_code& ec) {
    const JsonTree& object = open_.back();
    std::vector<std::string_view> sorted(object.names.begin(), object.names.end());
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice == sorted.end()) return end();
    problem_ = Error{ErrorCode::invalid_input,
                     "json.repeated-name",
                     fmt::format("an object has two members '{}'", twice->substr(0, 100)),
                     "send each member once",
                     {{"member", std::string(twice->substr(0, 100))}}};
    return stop(ec);
  }
  bool on_array_begin(json::error_code& ec) { return begin(JsonTree::Kind::list, ec); }
  bool on_array_end(std::size_t, json::error_code&) { return end(); }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) { return keep(part); }
  bool on_key(json::string_view part, std::size_t, json::error_code&) {
    keep(part);
    open_.back().names.push_back(std::move(text_));
    text_.clear();
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) { return keep(part); }
  bool on_string(json::string_view part, std::size_t, json::error_code& ec) { return keep(part) && add_text(JsonTree::Kind::text, ec); }
  bool on_number_part(json::string_view part, json::error_code&) { return keep(part); }
  bool on_int64(std::int64_t, json::string_view part, json::error_code& ec) { return keep(part) && add_text(JsonTree::Kind::number, ec); }
  bool on_uint64(std::uint64_t, json::string_view part, json::error_code& ec) { return keep(part) && add_text(JsonTree::Kind::number, ec); }
  bool on_double(double, json::string_view part, json::error_code& ec) { return keep(part) && add_text(JsonTree::Kind::number, ec); }
  bool on_bool(bool truth, json::error_code& ec) {
    JsonTree value{.kind = JsonTree::Kind::boolean};
    value.truth = truth;
    return add(std::move(value), ec);
  }
  bool on_null(json::error_code& ec) { return add(JsonTree{}, ec); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  bool keep(json::string_view part) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool begin(JsonTree::Kind kind, json::error_code& ec) {
    if (!count(ec)) return false;
    open_.push_back(JsonTree{.kind = kind});
    return true;
  }
  bool end() {
    JsonTree done = std::move(open_.back());
    open_.pop_back();
    place(std::move(done));
    return true;
  }
  bool add_text(JsonTree::Kind kind, json::error_code& ec) {
    JsonTree value{.kind = kind};
    value.text = std::move(text_);
    text_.clear();
    return add(std::move(value), ec);
  }
  bool add(JsonTree value, json::error_code& ec) {
    if (!count(ec)) return false;
    place(std::move(value));
    return true;
  }
  void place(JsonTree value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else {
      open_.back().items.push_back(std::move(value));
    }
  }
  bool count(json::error_code& ec) {
    if (left_-- > 0) return true;
    problem_ = Error{ErrorCode::invalid_input, "json.too-many-values", "the document holds more values than are taken at once",
                     "send it in several parts"};
    return stop(ec);
  }
  static bool stop(json::error_code& ec) {
    ec = json::make_error_code(json::error::exception);
    return false;
  }

  std::size_t left_;
  std::string text_;
  std::vector<JsonTree> open_;
  JsonTree root_;
  std::optional<Error> problem_;
};

void write(const JsonTree& tree, std::string& out) {
  const auto quoted = [&](const std::string& text) { out += json::serialize(json::string_view(text)); };
  switch (tree.kind) {
    case JsonTree::Kind::null:
      out += "null";
      return;
    case JsonTree::Kind::boolean:
      out += tree.truth ? "true" : "false";
      return;
    case JsonTree::Kind::number:
      out += tree.text;
      return;
    case JsonTree::Kind::text:
      return quoted(tree.text);
    case JsonTree::Kind::list:
      out += '[';
      for (std::size_t i = 0; i < tree.items.size(); ++i) {
        if (i > 0) out += ',';
        write(tree.items[i], out);
      }
      out += ']';
      return;
    case JsonTree::Kind::object:
      break;
  }
  std::vector<std::size_t> order(tree.names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return tree.names[a] < tree.names[b]; });
  out += '{';
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0) out += ',';
    quoted(tree.names[order[i]]);
    out += ':';
    write(tree.items[order[i]], out);
  }
  out += '}';
}

}  // namespace

const JsonTree* JsonTree::find(std::string_view name) const {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? nullptr : &items[std::size_t(found - names.begin())];
}

Result<JsonTree> parse_json_tree(std::string_view text, const JsonLimits& limits) {
  json::parse_options options;
  options.max_depth = limits.depth_max;
  json::basic_parser<TreeBuilder> parser(options, limits.values_max);
  json::error_code problem;
  const std::size_t size = parser.write_some(false, text.data(), text.size(), problem);
  if (parser.handler().problem()) return *parser.handler().problem();
  if (problem || size != text.size()) {
    const std::string why = problem ? problem.message() : "something follows the document";
    return Error{ErrorCode::invalid_input,
                 "json.broken",
                 fmt::format("no JSON document at byte {}: {}", size, why),
                 "send one JSON document in UTF-8",
                 {{"byte", std::to_string(size)}}};
  }
  return parser.handler().take();
}

std::string canonical_json(const JsonTree& tree) {
  std::string out;
  write(tree, out);
  return out;
}

}  // namespace tanhui::core
