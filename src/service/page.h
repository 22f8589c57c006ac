// service/page.h: lists come in pages. A cursor names the last item of a page; it is opaque and sealed, so that nobody builds on what is in
// it, and is good for one list (operation and filters) only.
//
//   const auto page = read_page(request, cursors);              // ?limit=&cursor=; Result
//   rows = ... WHERE id > page->after ... LIMIT page->limit + 1
//   return page_of(request, cursors, items, next);               // {"items": [...], "next_cursor": "..." or null}
#pragma once
#include <boost/json/array.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "http/message.h"

namespace tanhui::service {

/// Seals cursors with a key derived from the instance's secret (HMAC-SHA256, 16 bytes of it): they outlive a restart.
class Cursors {
 public:
  explicit Cursors(std::string_view secret);
  /// `list` names the list with its filters, `position` an item of it, at most 512 bytes; base64url.
  std::string seal(std::string_view list, std::string_view position) const;
  /// The position. Errors: cursor.invalid, for a changed one as for that of another list.
  core::Result<std::string> open(std::string_view list, std::string_view cursor) const;

 private:
  std::string tag(std::string_view list, std::string_view position) const;
  std::array<std::uint8_t, 32> key_;
};

struct PageRequest {
  std::int64_t limit = 50;
  std::optional<std::string> after;  // position of the last item of the page before
};

/// The list is the operation with its path parameters and all query parameters but limit and cursor. Errors: http.bad-parameter,
/// cursor.invalid.
core::Result<PageRequest> read_page(const http::Request& request, const Cursors& cursors, std::int64_t limit_default = 50,
                                    std::int64_t limit_most = 500);
http::Response page_of(const http::Request& request, const Cursors& cursors, boost::json::array items,
                       const std::optional<std::string>& next);

}  // namespace tanhui::service
