#include "methodology/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <numeric>
#include <sstream>

#include "core/text.h"

namespace tanhui::methodology {
namespace {

constexpr std::size_t kBytesMax = 1 << 20;
constexpr std::size_t kDepthMax = 24;
constexpr std::size_t kNodesMax = 60'000;
constexpr std::size_t kFieldsMax = 2000;  // of one map

struct Refused {
  Place place;
  std::string message, hint;
};

class TreeBuilder : public YAML::EventHandler {
 public:
  YamlNode root;
  std::vector<std::pair<Place, std::string>> repeated;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(YamlNode::Kind::null, mark, anchor, ""); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{place(mark), "aliases (*name) are not used in a methodology", "write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string& value) override {
    add(YamlNode::Kind::scalar, mark, anchor, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::list, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::map, mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  static Place place(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1, 1}; }

  void add(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& text) {
    if (anchor != 0) throw Refused{place(mark), "anchors (&name) are not used in a methodology", "write the value where it is needed"};
    if (++nodes_ > kNodesMax) throw Refused{place(mark), "the file has more than 60000 values", "split it"};
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    node.text = text;
    if (open_.empty()) {
      root = std::move(node);
      return;
    }
    YamlNode& parent = *open_.back();
    if (parent.kind == YamlNode::Kind::map && parent.keys.size() == parent.items.size()) {
      if (kind != YamlNode::Kind::scalar) throw Refused{place(mark), "a field name must be a word", ""};
      if (parent.keys.size() >= kFieldsMax) throw Refused{place(mark), "a map with more than 2000 fields", "split the file"};
      if (parent.find(text) != nullptr) repeated.emplace_back(node.place(), text);
      parent.keys.push_back(std::move(node));
    } else {
      parent.items.push_back(std::move(node));
    }
  }
  void open(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() >= kDepthMax) throw Refused{place(mark), "the file is nested more than 24 deep", ""};
    add(kind, mark, anchor, "");
    open_.push_back(open_.empty() ? &root : &open_.back()->items.back());  // stays valid: a parent grows only once its child is closed
  }
  void close() { open_.pop_back(); }

  std::vector<YamlNode*> open_;
  std::size_t nodes_ = 0;
};

/// A byte that no text file has, or nullopt.
std::optional<std::size_t> find_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (static_cast<unsigned char>(text[i]) < 0x20 && text[i] != '\n' && text[i] != '\r' && text[i] != '\t') return i;
  return std::nullopt;
}

bool is_text(const Source& source, Reporter& report) {
  if (source.text().size() > kBytesMax)
    report.mistake({}, "the file is larger than 1 MiB", "a methodology is a page or two; split tables");
  else if (!core::is_utf8(source.text()))
    report.mistake({}, "the file is not UTF-8 text", "save it as UTF-8");
  else if (const auto control = find_control(source.text()))
    report.mistake({source.place_of(*control).first, source.place_of(*control).second, 1}, "a control character", "remove it");
  else
    return true;
  return false;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size() && i < items.size(); ++i)
    if (keys[i].text == key) return &items[i];
  return nullptr;
}

std::optional<YamlNode> parse_yaml(const Source& source, Reporter& report) {
  if (!is_text(source, report)) return std::nullopt;
  TreeBuilder builder;
  try {
    std::istringstream in(source.text());
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(builder)) {
      report.mistake({}, "the file is empty", "see docs/methodology-format.md");
      return std::nullopt;
    }
    TreeBuilder rest;
    if (parser.HandleNextDocument(rest))
      throw Refused{{rest.root.line, rest.root.column, 1}, "a second document begins here", "one file holds one document"};
  } catch (const Refused& refused) {
    report.mistake(refused.place, refused.message, refused.hint);
    return std::nullopt;
  } catch (const YAML::Exception& error) {
    report.mistake({error.mark.line + 1, error.mark.column + 1, 1}, "not YAML: " + error.msg, "");
    return std::nullopt;
  }
  for (const auto& [place, key] : builder.repeated) report.mistake(place, fmt::format("field '{}' is given twice", key), "keep one");
  if (!builder.root.is_map()) {
    report.mistake(builder.root.place(), "the document must be a map of fields", "begin with id: ...");
    return std::nullopt;
  }
  return std::move(builder.root);
}

void write_canonical(const YamlNode& node, core::ByteWriter& out) {
  out.u8(std::uint8_t(node.kind));
  if (node.is_scalar()) out.str(node.text);
  if (node.is_list()) {
    out.u32(std::uint32_t(node.items.size()));
    for (const YamlNode& item : node.items) write_canonical(item, out);
  }
  if (!node.is_map()) return;
  std::vector<std::size_t> order(node.items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return node.keys[a].text < node.keys[b].text; });
  out.u32(std::uint32_t(order.size()));
  for (const std::size_t i : order) {
    out.str(node.keys[i].text);
    write_canonical(node.items[i], out);
  }
}

}  // namespace tanhui::methodology
