#include "activity/json_reader.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <cstring>

#include "activity/csv_rows.h"
#include "core/invariant.h"

namespace tanhui::activity {
namespace {

using core::Error;
using core::ErrorCode;
using core::Result;
namespace ondemand = simdjson::ondemand;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kDepthMax = 64;  // of the profile's paths
static_assert(simdjson::SIMDJSON_PADDING <= Table::kSlack);

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

Error broken(const std::string& file, std::string_view what, std::string_view action) {
  return {ErrorCode::invalid_input, "input.broken-json", fmt::format("{}: {}", file, what), std::string(action), {{"file", file}}};
}

void add_path(JsonNode& root, const std::string& path, int slot) {
  JsonNode* node = &root;
  std::size_t begin = 0;
  for (std::size_t depth = 0; depth < kDepthMax && begin <= path.size(); ++depth) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string key = path.substr(begin, end - begin);
    const auto found = std::find_if(node->children.begin(), node->children.end(), [&](const JsonNode& child) { return child.key == key; });
    node = found != node->children.end() ? &*found : &node->children.emplace_back(JsonNode{key, kNoSlot, {}});
    begin = end + 1;
  }
  node->slot = slot;
}

// Arrow's wheel exports another version of simdjson. If the linker took that one, parsing would crash; better to say so.
void check_linking() {
  Dl_info library{};
  void* const found = ::dlsym(RTLD_DEFAULT, "_ZN8simdjson25get_active_implementationEv");
  const bool known = found != nullptr && ::dladdr(found, &library) != 0;
  core::invariant(!known || std::string_view(library.dli_fname).find("parquet") == std::string_view::npos,
                  "JSON is read by simdjson's own library, which stands before Arrow's on the link line (cmake/dependencies.cmake)");
}

// Goes into the object at `at` along one key; the position of its value, or npos when the object ends, or the text does, before the key
// came.
std::size_t find_key(std::string_view text, std::size_t at, std::string_view key) {
  constexpr std::size_t none = std::string_view::npos;
  at = skip_space(text, at);
  if (at >= text.size() || text[at] != '{') return none;
  ++at;
  while (true) {
    at = skip_space(text, at);
    if (at < text.size() && text[at] == ',') at = skip_space(text, at + 1);
    if (at >= text.size() || text[at] != '"') return none;
    JsonValueEnd key_end;
    const std::size_t key_size = key_end.feed(text.substr(at));
    const bool found = key_size >= 2 && text.substr(at + 1, key_size - 2) == key;
    at = skip_space(text, at + key_size);
    if (at >= text.size() || text[at] != ':') return none;
    at = skip_space(text, at + 1);
    if (found) return at;
    JsonValueEnd value_end;
    at += value_end.feed(text.substr(at));
    if (!value_end.done) return none;
  }
}

}  // namespace

JsonLayout::JsonLayout(std::shared_ptr<const Plan> bound) : plan(std::move(bound)) {
  for (std::size_t i = 0; i < plan->columns.size(); ++i) {
    if (plan->columns[i] == "$row")
      row_slot = int(i);
    else if (!plan->columns[i].starts_with("$"))
      add_path(root, plan->columns[i], int(i));
  }
}

Result<Cutter::Start> NdjsonCutter::begin(std::string_view head, bool) {
  return Start{head.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0, 0};
}

Result<Cutter::Cut> NdjsonCutter::cut(std::string_view text, bool last, Piece&) {
  Cut cut;
  const void* newline = last ? nullptr : ::memrchr(text.data(), '\n', text.size());
  cut.bytes = last ? text.size() : newline == nullptr ? 0 : std::size_t(static_cast<const char*>(newline) - text.data()) + 1;
  cut.lines = std::uint32_t(count_newlines(text.substr(0, cut.bytes)));
  return cut;
}

Cutter::Skip NdjsonCutter::skip(std::string_view text, bool) {
  const std::size_t newline = text.find('\n');
  if (newline == std::string_view::npos) return {text.size(), 0, false, Reason::too_long_line};
  return {newline + 1, 1, true, Reason::too_long_line};
}

std::size_t JsonValueEnd::feed(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string_) {
      if (escaped_)
        escaped_ = false;
      else if (c == '\\')
        escaped_ = true;
      else if (c == '"')
        in_string_ = false;
      if (!in_string_ && depth_ == 0) {
        done = true;
        return at + 1;
      }
      continue;
    }
    if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      if (depth_ == 0) {  // the list that holds a plain value ends
        done = true;
        return at;
      }
      if (--depth_ == 0) {
        done = true;
        return at + 1;
      }
    } else if (depth_ == 0) {
      if (begun_ && (c == ',' || is_space(c))) {
        done = true;
        return at;
      }
    }
    begun_ = true;
  }
  return text.size();
}

Result<Cutter::Start> JsonListCutter::begin(std::string_view head, bool) {
  std::size_t at = head.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  for (std::size_t from = 0; !records_.empty() && from <= records_.size();) {
    const std::size_t end = std::min(records_.find('.', from), records_.size());
    const std::string key = records_.substr(from, end - from);
    at = find_key(head, at, key);
    if (at == std::string_view::npos) {
      return broken(file_, fmt::format("there is no '{}' at the beginning of the object", records_),
                    "check `records` in the profile; it is the path of the list of records");
    }
    from = end + 1;
  }
  at = skip_space(head, at);
  if (at < head.size() && head[at] == '[') {
    in_list_ = true;
    ++at;
  } else if (!records_.empty()) {
    return broken(file_, fmt::format("'{}' is not a list", records_),
                  "check `records` in the profile; it is the path of the list of records");
  } else if (at < head.size() && head[at] != '{') {
    return broken(file_, "this is neither a list nor an object", "send [{...}, {...}], or one {...} a line");
  }
  return Start{at, 0};
}

Result<Cutter::Cut> JsonListCutter::cut(std::string_view text, bool last, Piece& piece) {
  Cut cut;
  if (ended_) return Cut{text.size(), 0, true};  // what follows the list is not ours
  std::size_t at = 0;
  bool after_element = after_element_;
  while (true) {
    at = skip_space(text, at);
    if (at == text.size()) {
      if (last && in_list_)
        return broken(file_, fmt::format("the list ends in the middle, after {} records", elements_),
                      "the file was cut off on its way; ask for it again");
      if (last) cut.bytes = at;
      break;
    }
    if (in_list_ && text[at] == ']') {
      ended_ = cut.ended = true;
      cut.bytes = text.size();
      break;
    }
    if (in_list_ && after_element) {
      if (text[at] != ',')
        return broken(file_, fmt::format("no comma after record {}", elements_), "the list is not JSON there; ask for it again");
      at = skip_space(text, at + 1);
      if (at == text.size() && !last) break;
    }
    JsonValueEnd value;
    const std::size_t size = value.feed(text.substr(at));
    if (!value.done && !(last && !in_list_)) {
      if (last)
        return broken(file_, fmt::format("the list ends in the middle of record {}", elements_ + 1),
                      "the file was cut off on its way; ask for it again");
      break;
    }
    if (size == 0)
      return broken(file_, fmt::format("no value where record {} should be", elements_ + 1),
                    "the list is not JSON there; ask for it again");
    piece.parts.emplace_back(std::uint32_t(at), std::uint32_t(size));
    at += size;
    ++elements_;
    ++cut.lines;
    after_element = after_element_ = true;
    cut.bytes = at;
  }
  return cut;
}

Cutter::Skip JsonListCutter::skip(std::string_view text, bool first) {
  std::size_t at = 0;
  if (first) {
    skipped_ = JsonValueEnd{};
    at = skip_space(text, 0);
    if (after_element_ && at < text.size() && text[at] == ',') at = skip_space(text, at + 1);
    ++elements_;
    after_element_ = true;
  }
  at += skipped_.feed(text.substr(at));
  return {at, skipped_.done ? 1U : 0U, skipped_.done, Reason::too_long_line};
}

struct JsonRows::Parser {
  ondemand::parser parser;
  std::string arena;  // the values' text; the table counts from its beginning
  Field put(std::string_view text) {
    const Field field{std::uint32_t(arena.size()), std::uint32_t(text.size())};
    arena += text;
    return field;
  }
  void leaf(ondemand::value value, Field& field) {
    switch (ondemand::json_type(value.type())) {
      case ondemand::json_type::null:
        field = Field::absent();
        break;
      case ondemand::json_type::string:
        field = put(value.get_string());
        break;
      case ondemand::json_type::number:
      case ondemand::json_type::boolean: {
        std::string_view token = value.raw_json_token();
        while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
        if (token == "null")
          field = Field::absent();
        else
          field = put(token);
        break;
      }
      default:
        field = put(std::string_view(simdjson::to_json_string(value)));
        break;
    }
  }
  // simdjson's exceptions end the walk; the row is refused by who called.
  void walk(ondemand::object object, const JsonNode& node, std::size_t row, Table& table) {
    for (auto field : object) {
      const std::string_view key = field.unescaped_key();
      for (const JsonNode& child : node.children) {
        if (child.key != key) continue;
        visit(field.value(), child, row, table);
        break;
      }
    }
  }
  void visit(ondemand::value value, const JsonNode& node, std::size_t row, Table& table) {
    if (node.children.empty()) return leaf(value, table.columns[std::size_t(node.slot)][row]);
    const ondemand::json_type type = value.type();
    if (type == ondemand::json_type::object) return walk(value.get_object(), node, row, table);
    if (type != ondemand::json_type::array) return;
    std::size_t index = 0;
    for (auto element : value.get_array()) {
      const std::string number = std::to_string(index++);
      for (const JsonNode& child : node.children) {
        if (child.key == number) visit(element.value(), child, row, table);
      }
    }
  }
};

JsonRows::JsonRows() : parser_(std::make_unique<Parser>()) {}
JsonRows::~JsonRows() = default;

void JsonRows::read(const Piece& piece, Table& table) {
  static const bool checked = (check_linking(), true);
  core::invariant(checked, "linking is checked before the first read");
  const auto& layout = static_cast<const JsonLayout&>(*piece.layout);
  parser_->arena.clear();
  table.rows = 0;
  if (piece.format == InputFormat::ndjson) {
    const std::string_view text = piece.text();
    table.reserve(count_newlines(text) + 1, layout.plan->columns.size());
    std::uint32_t line = 0;
    for (std::size_t at = 0; at < text.size(); ++line) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      if (text.substr(at, end - at).find_first_not_of(" \t\r") != std::string_view::npos) read_element(piece, at, end - at, line, table);
      at = end + 1;
    }
  } else {
    table.reserve(piece.parts.size(), layout.plan->columns.size());
    std::uint32_t number = 0;
    for (const auto& [begin, size] : piece.parts) read_element(piece, begin, size, number++, table);
  }
  parser_->arena.append(Table::kSlack, '\0');
  std::fill(table.texts.begin(), table.texts.end(), parser_->arena.data());
}

void JsonRows::read_element(const Piece& piece, std::size_t begin, std::size_t size, std::uint32_t line, Table& table) {
  const auto& layout = static_cast<const JsonLayout&>(*piece.layout);
  const std::size_t row = table.rows++;
  table.lines[row] = line;
  table.reasons[row] = Reason::none;
  for (auto& column : table.columns) column[row] = Field::absent();
  if (layout.row_slot != kNoSlot) table.columns[std::size_t(layout.row_slot)][row] = parser_->put(piece.text().substr(begin, size));
  try {
    ondemand::document document =
        parser_->parser.iterate(simdjson::padded_string_view(piece.bytes.get() + begin, size, piece.size - begin + Table::kSlack));
    parser_->walk(document.get_object(), layout.root, row, table);
    if (const char* behind = nullptr; document.current_location().get(behind) == simdjson::SUCCESS) table.reasons[row] = Reason::bad_row;
  } catch (const simdjson::simdjson_error& problem) {
    table.reasons[row] = problem.error() == simdjson::UTF8_ERROR ? Reason::bad_encoding : Reason::bad_row;
  }
}

}  // namespace tanhui::activity
