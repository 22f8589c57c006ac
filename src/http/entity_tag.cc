#include "http/entity_tag.h"

#include <fmt/format.h>

#include "core/hash.h"

namespace tanhui::http {

std::string entity_tag(std::string_view bytes) {
  const core::Digest digest = core::sha256(bytes);
  return fmt::format("\"{}\"", core::to_hex(std::span(digest).first(16)));
}

std::string entity_tag(std::int64_t version) { return fmt::format("\"v{}\"", version); }

bool names_tag(std::string_view list, std::string_view tag, bool weak) {
  constexpr std::string_view kCompressed = "-gzip\"";  // see http/compress.h
  while (!list.empty()) {
    list.remove_prefix(std::min(list.find_first_not_of(" \t,"), list.size()));
    if (list.starts_with('*')) return true;
    const bool is_weak = list.starts_with("W/");
    if (is_weak) list.remove_prefix(2);
    const std::size_t end = list.starts_with('"') ? list.find('"', 1) : std::string_view::npos;
    if (end == std::string_view::npos) return false;
    std::string one(list.substr(0, end + 1));
    list.remove_prefix(end + 1);
    if (one.ends_with(kCompressed)) one.replace(one.size() - kCompressed.size(), kCompressed.size(), "\"");
    if (one == tag && (weak || !is_weak)) return true;
  }
  return false;
}

Response with_entity_tag(const Request& request, Response response, const std::string& tag) {
  if (is_safe(request.method()) && names_tag(request.header("If-None-Match"), tag, true)) response = Response{.status = 304};
  response.header("ETag", tag);
  return response;
}

core::Status check_if_match(const Request& request, const std::string& tag) {
  if (!request.has_header("If-Match")) {
    return core::Error{core::ErrorCode::refused, "http.precondition-required", "the request does not say which version it changes",
                       "read the resource first and send its ETag in If-Match"};
  }
  if (names_tag(request.header("If-Match"), tag, false)) return core::Done{};
  return core::Error{core::ErrorCode::conflict, "http.precondition-failed", "the resource was changed since it was read",
                     "read it again and repeat the change"};
}

}  // namespace tanhui::http
