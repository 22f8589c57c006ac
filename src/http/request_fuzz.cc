// How bytes are cut into pieces does not change what is read: all at once and byte by byte give the same whole requests, and nothing is
// read beyond the limits. Whether what follows them is refused now or when more has come may differ: a line that is wrong is seen at once
// only when it does not wait for its end.
#include <cstdlib>
#include <vector>

#include "http/request_reader.h"

namespace {

using namespace tanhui::http;

constexpr std::size_t kHeaderMax = 2048, kBodyMax = 64;

/// The requests that are whole, as one text; `piece` bytes are offered more each time.
std::string read_all(std::string_view bytes, std::size_t piece) {
  std::string told;
  Request request;
  std::size_t begin = 0, end = 0;
  while (begin < bytes.size()) {
    RequestReader reader(request, kHeaderMax);
    bool limited = false;
    while (!reader.done()) {
      const auto taken = begin < end ? reader.feed(bytes.substr(begin, end - begin)) : tanhui::core::Result<std::size_t>(std::size_t(0));
      if (!taken) return told;
      begin += *taken;
      if (reader.has_header() && !limited) {
        limited = true;
        if (!reader.limit_body(kBodyMax)) return told;
        continue;
      }
      if (*taken == 0 && !reader.done()) {
        if (end == bytes.size()) return told;
        end = std::min(bytes.size(), end + piece);
      }
    }
    if (request.body().size() > kBodyMax || request.field_count() > Request::kFieldsMax) std::abort();
    told.append(name_of(request.method()))
        .append(request.target())
        .append("|")
        .append(request.path())
        .append("|")
        .append(request.raw_query())
        .append("|");
    for (std::size_t i = 0; i < request.field_count(); ++i)
      told.append(request.field(i).first).append("=").append(request.field(i).second).append("|");
    told.append(request.body()).append("\n");
  }
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  if (read_all(bytes, bytes.size() + 1) != read_all(bytes, 1)) std::abort();
  return 0;
}
