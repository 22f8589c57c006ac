// libFuzzer: any bytes as text: padding fills the columns that it should, well-formed parts make a well-formed whole, and hexadecimal
// digits and JSON that are read are written as they were meant.
#include <array>

#include "core/hash.h"
#include "core/invariant.h"
#include "core/json.h"
#include "core/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tanhui::core;  // NOLINT: a fuzz target is nobody's header
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t width = display_width(text);
  invariant(width <= 2 * size, "a byte takes at most two columns");
  const std::string padded = pad_left(text, width + 3);
  invariant(padded.size() == size + 3 && display_width(padded) == width + 3 && pad_right(text, width) == text, "padding fills the columns");
  for (const std::size_t at : {size / 3, size / 2})
    if (is_utf8(text.substr(0, at)) && is_utf8(text.substr(at))) invariant(is_utf8(text), "well-formed parts make a well-formed whole");
  Digest digest;
  if (from_hex(text, digest)) invariant(to_hex(digest) == text, "hexadecimal digits have one way to write");
  return 0;
}
