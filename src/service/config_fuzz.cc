// Whatever a configuration file says, it is read or refused with a place, and what is read stays within the table's bounds.
#include <cstdlib>

#include "service/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tanhui::service;
  const auto read = read_config({reinterpret_cast<const char*>(data), size}, "f", [](const std::string&) { return std::nullopt; });
  for (const auto& error : read.errors) {
    if (!error.message.starts_with("f:") || error.action.empty()) std::abort();
  }
  tanhui::service::Config config = read.configured.config;
  for (const Setting& setting : settings()) {
    if (const auto* number = std::get_if<std::int64_t& (*)(Config&)>(&setting.place)) {
      if ((*number)(config) < setting.least || (*number)(config) > setting.most) std::abort();
    }
  }
  return 0;
}
