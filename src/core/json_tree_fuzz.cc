// Any bytes: what is read is written in one way, and reads as the same again; Boost.JSON's own reader agrees that it is a document.
#include <cstdint>
#include <string_view>

#include "core/invariant.h"
#include "core/json.h"
#include "core/json_tree.h"

using namespace tanhui::core;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto tree = parse_json_tree(text);
  if (!tree) return 0;
  invariant(parse_json(text).has_value(), "both readers take it");
  const std::string written = canonical_json(*tree);
  const auto again = parse_json_tree(written);
  invariant(bool(again), "what was written can be read");
  invariant(canonical_json(*again) == written, "there is one way to write it");
  return 0;
}
