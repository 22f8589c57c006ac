// A query that is read holds only UTF-8 without NUL, and reads the same when it is written again.
#include <cstdlib>

#include "core/text.h"
#include "http/query.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tanhui::http;
  Query query;
  if (!query.parse({reinterpret_cast<const char*>(data), size})) return 0;
  std::string written;
  for (std::size_t i = 0; i < query.size(); ++i) {
    const auto [name, value] = query.at(i);
    if (!tanhui::core::is_utf8(name) || !tanhui::core::is_utf8(value) || value.find('\0') != std::string_view::npos) std::abort();
    written += (i == 0 ? "" : "&") + encode_component(name) + "=" + encode_component(value);
  }
  Query again;
  if (!again.parse(written)) std::abort();
  if (again.size() != query.size()) std::abort();
  for (std::size_t i = 0; i < query.size(); ++i) {
    if (again.at(i) != query.at(i)) std::abort();
  }
  return 0;
}
