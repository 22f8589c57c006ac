// A cursor that was not sealed here does not open; one that was opens to what was sealed, for its list only.
#include <cstdlib>

#include "service/page.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tanhui::service;
  static const Cursors cursors("a secret of a fuzz target");
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (cursors.open("list", bytes)) {
    // The only way: it was made by seal(), which a fuzzer cannot guess.
    std::abort();
  }
  const std::string_view position = bytes.substr(0, 512);
  const std::string sealed = cursors.seal("list", position);
  const auto opened = cursors.open("list", sealed);
  if (!opened || *opened != position || cursors.open("other", sealed)) std::abort();
  return 0;
}
