// http/client.h: one request to somebody else's server (webhooks, OpenID Connect, GBFS), as a coroutine. Addresses that people typed in are
// dangerous: only http and https, no redirect is followed, certificates are checked, everything is limited, and addresses inside one's own
// network are refused after the name was resolved, so a name that points there is refused too.
#pragma once
#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "http/message.h"

namespace tanhui::http {

struct Url {
  bool secure = false;
  std::string host;  // without the brackets of an IPv6 address
  std::uint16_t port = 0;
  std::string target;  // path and query, at least /
};
/// http://host[:port][/path][?query]. No user, no fragment. Errors: http.bad-url.
core::Result<Url> parse_url(std::string_view text);

/// Loopback, private, link-local, shared, documentation, multicast and reserved addresses, also where IPv6 carries such an IPv4 address.
bool is_private_address(const asio::ip::address& address);

struct ClientRequest {
  Method method = Method::get;
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};
struct ClientLimits {
  std::size_t header_bytes_max = 16 * 1024, body_bytes_max = 1024 * 1024;
  std::chrono::milliseconds time{10'000};  // for all of it
  bool private_addresses = false;
  std::string trusted_file = {};  // PEM of who may sign certificates; empty: the system's
};
struct ClientResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  /// Empty when it is missing; names are compared without case.
  std::string_view header(std::string_view name) const;
};

/// Any status is an answer. Errors: http.bad-url, http.private-address, http.client-failed (no such name, no connection, no trusted
/// certificate, too slow, too large, not HTTP), each with what went wrong.
asio::awaitable<core::Result<ClientResponse>> fetch(ClientRequest request, ClientLimits limits);

}  // namespace tanhui::http
