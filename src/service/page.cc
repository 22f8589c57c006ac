#include "service/page.h"

#include <openssl/hmac.h>
#include <sodium.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "core/json.h"
#include "http/router.h"

namespace tanhui::service {
namespace {

constexpr std::size_t kTagBytes = 16, kPositionMax = 512, kCursorMax = 1024;
constexpr int kBase64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

std::string list_of(const http::Request& request) {
  std::string list = request.route().operation_id;
  list.append("\n").append(request.path());
  std::vector<std::pair<std::string_view, std::string_view>> filters;
  for (std::size_t i = 0; i < request.query().size(); ++i) {
    const auto parameter = request.query().at(i);
    if (parameter.first != "cursor" && parameter.first != "limit") filters.push_back(parameter);
  }
  std::sort(filters.begin(), filters.end());
  for (const auto& [name, value] : filters) {
    list.append("\n")
        .append(std::to_string(name.size()))
        .append(":")
        .append(name)
        .append(std::to_string(value.size()))
        .append(":")
        .append(value);
  }
  return list;
}

}  // namespace

Cursors::Cursors(std::string_view secret) {
  std::string text = "tanhui cursor key 1\n";
  text.append(secret);
  key_ = core::sha256(text);
}

std::string Cursors::tag(std::string_view list, std::string_view position) const {
  std::string text = std::to_string(list.size()) + ":";
  text.append(list).append(position);
  std::array<std::uint8_t, 32> digest{};
  unsigned size = 0;
  core::invariant(HMAC(EVP_sha256(), key_.data(), int(key_.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       digest.data(), &size) != nullptr,
                  "OpenSSL makes a MAC");
  return {reinterpret_cast<const char*>(digest.data()), kTagBytes};
}

std::string Cursors::seal(std::string_view list, std::string_view position) const {
  core::invariant(position.size() <= kPositionMax, "a position in a list has at most 512 bytes");
  const std::string bytes = tag(list, position).append(position);
  std::string text(sodium_base64_encoded_len(bytes.size(), kBase64), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), kBase64);
  text.pop_back();  // the NUL
  return text;
}

core::Result<std::string> Cursors::open(std::string_view list, std::string_view cursor) const {
  const core::Error invalid{core::ErrorCode::invalid_input, "cursor.invalid", "the cursor was not made by this list, or was changed",
                            "begin without a cursor, and send back next_cursor as it came"};
  if (cursor.size() > kCursorMax) return invalid;
  std::string bytes(cursor.size(), '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), cursor.data(), cursor.size(), nullptr, &size, &end,
                        kBase64) != 0 ||
      end != cursor.data() + cursor.size() || size < kTagBytes || size > kTagBytes + kPositionMax) {
    return invalid;
  }
  bytes.resize(size);
  std::string position = bytes.substr(kTagBytes);
  if (sodium_memcmp(tag(list, position).data(), bytes.data(), kTagBytes) != 0) return invalid;
  return position;
}

core::Result<PageRequest> read_page(const http::Request& request, const Cursors& cursors, std::int64_t limit_default,
                                    std::int64_t limit_most) {
  PageRequest page;
  const auto limit = request.query().whole("limit", 1, limit_most);
  if (!limit) return limit.error();
  page.limit = (*limit).value_or(limit_default);
  if (const auto cursor = request.query().find("cursor")) {
    auto position = cursors.open(list_of(request), *cursor);
    if (!position) return position.error();
    page.after = *std::move(position);
  }
  return page;
}

http::Response page_of(const http::Request& request, const Cursors& cursors, boost::json::array items,
                       const std::optional<std::string>& next) {
  boost::json::object page;
  page["items"] = std::move(items);
  if (next) {
    page["next_cursor"] = cursors.seal(list_of(request), *next);
  } else {
    page["next_cursor"] = nullptr;
  }
  return {.body = boost::json::serialize(page)};
}

}  // namespace tanhui::service
