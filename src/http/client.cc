#include "http/client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include <charconv>

namespace tanhui::http {
namespace {

namespace beast = boost::beast;
using asio::ip::tcp;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kUrlMax = 2048;

core::Error bad_url(std::string_view text, std::string_view why) {
  const std::string shown(text.substr(0, 200));
  return {core::ErrorCode::invalid_input,
          "http.bad-url",
          fmt::format("'{}' is no address that can be called: {}", shown, why),
          "give for example https://partner.example/hooks",
          {{"url", shown}}};
}

core::Error failed(const Url& url, std::string_view step, std::string_view why) {
  return {core::ErrorCode::refused,
          "http.client-failed",
          fmt::format("{} of {} failed: {}", step, url.host, why),
          "try again later, or check the address",
          {{"host", url.host}, {"step", std::string(step)}}};
}

beast::string_view view(std::string_view text) { return {text.data(), text.size()}; }

bool is_token(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos;
}

template <class Stream>
asio::awaitable<core::Result<ClientResponse>> exchange(Stream& stream, const Url& url, ClientRequest& request, const ClientLimits& limits) {
  beast::http::request<beast::http::string_body> sent(beast::http::string_to_verb(view(name_of(request.method))), view(url.target), 11);
  const bool v6 = url.host.find(':') != std::string::npos;
  const bool usual = url.port == (url.secure ? 443 : 80);
  const std::string host = v6 ? "[" + url.host + "]" : url.host;
  sent.set(beast::http::field::host, usual ? host : fmt::format("{}:{}", host, url.port));
  sent.set(beast::http::field::user_agent, "tanhui");
  sent.set(beast::http::field::connection, "close");
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name) || value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      co_return core::Error{core::ErrorCode::invalid_input, "http.client-failed", "a header field to be sent is not one line",
                            "send fields of one line"};
    }
    sent.set(view(name), view(value));
  }
  sent.body() = std::move(request.body);
  sent.prepare_payload();
  if (const auto [problem, count] = co_await beast::http::async_write(stream, sent, kTuple); problem)
    co_return failed(url, "sending to", problem.message());
  beast::flat_buffer buffer(limits.header_bytes_max + 64 * 1024);
  beast::http::response_parser<beast::http::string_body> parser;
  parser.header_limit(std::uint32_t(limits.header_bytes_max));
  parser.body_limit(limits.body_bytes_max);
  if (request.method == Method::head) parser.skip(true);
  if (const auto [problem, count] = co_await beast::http::async_read(stream, buffer, parser, kTuple); problem)
    co_return failed(url, "the answer", problem.message());
  auto received = parser.release();
  ClientResponse response;
  response.status = received.result_int();
  for (const auto& field : received) response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  response.body = std::move(received.body());
  co_return response;
}

core::Result<std::unique_ptr<asio::ssl::context>> client_tls(const Url& url, const ClientLimits& limits) {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  boost::system::error_code problem;
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  context->set_verify_mode(asio::ssl::verify_peer, problem);
  if (limits.trusted_file.empty()) {
    context->set_default_verify_paths(problem);
  } else {
    context->load_verify_file(limits.trusted_file, problem);
  }
  if (problem) return failed(url, "reading who is trusted for the certificate", problem.message());
  return context;
}

}  // namespace

core::Result<Url> parse_url(std::string_view text) {
  Url url;
  std::string_view rest = text;
  if (text.size() > kUrlMax) return bad_url(text, "it is too long");
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return c <= ' ' || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>'; })) {
    return bad_url(text, "it has characters that must be percent-encoded");
  }
  if (rest.starts_with("https://")) {
    url.secure = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return bad_url(text, "it begins with neither https:// nor http://");
  }
  if (rest.find('#') != std::string_view::npos) return bad_url(text, "it has a fragment");
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, end);
  url.target = rest.substr(end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  if (authority.find('@') != std::string_view::npos) return bad_url(text, "it has a user name");
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad_url(text, "an IPv6 address has no end");
    url.host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
    boost::system::error_code problem;
    asio::ip::make_address_v6(url.host, problem);
    if (problem || (!port.empty() && port.front() != ':')) return bad_url(text, "what is in brackets is no IPv6 address");
    if (!port.empty()) port.remove_prefix(1);
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    port = authority.substr(std::min(colon + 1, authority.size()));
    if (url.host.empty() || url.host.size() > 253 ||
        url.host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != std::string::npos) {
      return bad_url(text, "it has no name of a host");
    }
  }
  url.port = url.secure ? 443 : 80;
  if (!port.empty()) {
    const auto [last, problem] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (problem != std::errc() || last != port.data() + port.size() || url.port == 0)
      return bad_url(text, "its port is no number from 1 to 65535");
  }
  return url;
}

bool is_private_address(const asio::ip::address& address) {
  if (address.is_v4()) {
    const std::uint32_t bits = address.to_v4().to_uint();
    constexpr struct {
      std::uint32_t network;
      int length;
    } kRanges[] = {{0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},  {0xA9FE0000, 16},
                   {0xAC100000, 12}, {0xC0000000, 24}, {0xC0000200, 24}, {0xC0A80000, 16}, {0xC6120000, 15},
                   {0xC6336400, 24}, {0xCB007100, 24}, {0xE0000000, 3}};
    return std::any_of(std::begin(kRanges), std::end(kRanges),
                       [&](const auto& range) { return bits >> (32 - range.length) == range.network >> (32 - range.length); });
  }
  const asio::ip::address_v6 v6 = address.to_v6();
  const auto bytes = v6.to_bytes();
  const auto v4_at = [&](std::size_t at) {
    return asio::ip::address(asio::ip::address_v4({bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]}));
  };
  if (v6.is_v4_mapped()) return is_private_address(v4_at(12));
  const bool nat64 = bytes[0] == 0x00 && bytes[1] == 0x64 && bytes[2] == 0xff && bytes[3] == 0x9b;
  if (nat64) return true;
  if (bytes[0] == 0x20 && bytes[1] == 0x02) return is_private_address(v4_at(2));  // 6to4
  if (bytes[0] == 0x20 && bytes[1] == 0x01 && (bytes[2] < 0x02 || (bytes[2] == 0x0d && bytes[3] == 0xb8)))
    return true;                     // Teredo, ORCHID, documentation
  return (bytes[0] & 0xe0) != 0x20;  // only 2000::/3 is out there
}

std::string_view ClientResponse::header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (beast::iequals(view(known), view(name))) return value;
  }
  return {};
}

asio::awaitable<core::Result<ClientResponse>> fetch(ClientRequest request, ClientLimits limits) {
  const auto parsed = parse_url(request.url);
  if (!parsed) co_return parsed.error();
  const Url& url = *parsed;
  const auto executor = co_await asio::this_coro::executor;
  const auto until = std::chrono::steady_clock::now() + limits.time;

  auto resolver = std::make_shared<tcp::resolver>(executor);
  asio::steady_timer patience(executor, until);
  patience.async_wait([resolver](const boost::system::error_code& problem) {
    if (!problem) resolver->cancel();
  });
  const auto [unknown, found] = co_await resolver->async_resolve(url.host, std::to_string(url.port), kTuple);
  patience.cancel();
  if (unknown) co_return failed(url, "finding the address", unknown.message());
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : found) {
    if (limits.private_addresses || !is_private_address(entry.endpoint().address())) endpoints.push_back(entry.endpoint());
  }
  if (endpoints.empty()) {
    co_return core::Error{core::ErrorCode::refused,
                          "http.private-address",
                          fmt::format("{} is an address inside a network, which is not called", url.host),
                          "give a public address",
                          {{"host", url.host}}};
  }
  if (!url.secure) {
    beast::tcp_stream stream(executor);
    stream.expires_at(until);
    if (const auto [problem, endpoint] = co_await stream.async_connect(endpoints, kTuple); problem)
      co_return failed(url, "the connection", problem.message());
    co_return co_await exchange(stream, url, request, limits);
  }
  auto context = client_tls(url, limits);
  if (!context) co_return context.error();
  const std::unique_ptr<asio::ssl::context> tls = *std::move(context);
  asio::ssl::stream<beast::tcp_stream> stream(executor, *tls);
  SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str());
  boost::system::error_code problem;
  stream.set_verify_callback(asio::ssl::host_name_verification(url.host), problem);
  stream.next_layer().expires_at(until);
  if (const auto [refused, endpoint] = co_await stream.next_layer().async_connect(endpoints, kTuple); refused) {
    co_return failed(url, "the connection", refused.message());
  }
  if (const auto [refused] = co_await stream.async_handshake(asio::ssl::stream_base::client, kTuple); refused) {
    co_return failed(url, "the TLS handshake", refused.message());
  }
  co_return co_await exchange(stream, url, request, limits);
}

}  // namespace tanhui::http
