// Bytes of a batch: what is read is written again and read as the same rows.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "activity/open_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tanhui::activity;
  constexpr Layout layouts[] = {kBookedLayout, {.object = true, .extras = kExtraQuantities, .booked = false}};
  for (const Layout& layout : layouts) {
    std::array<std::vector<std::string>, kWordKinds> texts;
    const auto number_of = [&](Word kind, std::string_view text) {
      texts[std::size_t(kind)].emplace_back(text);
      return std::uint16_t(texts[std::size_t(kind)].size() - 1);
    };
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    OpenBatchReader reader(number_of);
    const auto words = reader.read(bytes, layout);
    if (!words || words->empty()) continue;
    OpenBatchWriter writer([&](Word kind, std::uint16_t number) { return std::string_view(texts[std::size_t(kind)][number]); });
    const std::string written = writer.write(*words, layout);
    auto before = texts;
    OpenBatchReader again([&](Word kind, std::string_view text) {
      const auto& known = before[std::size_t(kind)];
      for (std::size_t i = 0; i < known.size(); ++i) {
        if (known[i] == text) return std::uint16_t(i);
      }
      std::abort();
    });
    const auto same = again.read(written, layout);
    if (!same || same->size() != words->size()) std::abort();
  }
  return 0;
}
