#include <arpa/inet.h>
#include <boost/asio/ip/address.hpp>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>

#include "core/invariant.h"
#include "service/webhooks.h"

namespace tanhui::service {
namespace {

constexpr long kTimeoutMs = 10'000;
constexpr std::size_t kAnswerBytesMax = 64 * 1024;

/// Addresses that only mean something inside: a receiver's name must not lead there.
bool is_private(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const std::uint32_t ip = ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr);
    const auto in = [&](std::uint32_t net, int bits) { return (ip >> (32 - bits)) == (net >> (32 - bits)); };
    return in(0x00000000, 8) || in(0x0A000000, 8) || in(0x64400000, 10) || in(0x7F000000, 8) || in(0xA9FE0000, 16) || in(0xAC100000, 12) ||
           in(0xC0000000, 24) || in(0xC0A80000, 16) || in(0xC6120000, 15) || in(0xE0000000, 3);
  }
  if (address.sa_family != AF_INET6) return true;
  const in6_addr& ip = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&ip)) {
    sockaddr_in inner{};
    inner.sin_family = AF_INET;
    std::copy_n(ip.s6_addr + 12, 4, reinterpret_cast<std::uint8_t*>(&inner.sin_addr.s_addr));
    return is_private(reinterpret_cast<const sockaddr&>(inner));
  }
  return (ip.s6_addr[0] & 0xE0) != 0x20;  // only global unicast
}

curl_socket_t open_public(void* allow_private, curlsocktype, curl_sockaddr* address) {
  if (allow_private == nullptr && is_private(address->addr)) return CURL_SOCKET_BAD;
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t take_little(char*, std::size_t size, std::size_t count, void* taken) {
  auto& sum = *static_cast<std::size_t*>(taken);
  sum += size * count;
  return sum > kAnswerBytesMax ? 0 : size * count;
}

}  // namespace

WebhookSender::Send send_over_https(WebhookRules rules) {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  core::invariant(ready, "libcurl can be started");
  return [rules](const std::string& url, const std::vector<std::pair<std::string, std::string>>& headers, const std::string& body) {
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(), curl_easy_cleanup);
    core::invariant(easy != nullptr, "libcurl gives a handle");
    curl_slist* list = nullptr;
    for (const auto& [name, value] : headers) list = curl_slist_append(list, (name + ": " + value).c_str());
    list = curl_slist_append(list, "Expect:");
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> fields(list, curl_slist_free_all);
    std::size_t taken = 0;
    CURL* const handle = easy.get();
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, rules.plain_http ? "https,http" : "https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_PROXY, "");  // a proxy would open the connection for us, wherever it leads
    curl_easy_setopt(handle, CURLOPT_SSLVERSION, long(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, kTimeoutMs);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.size()));
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, fields.get());
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_public);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, rules.private_addresses ? handle : nullptr);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_little);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &taken);
    const CURLcode code = curl_easy_perform(handle);
    WebhookSender::Sent sent;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &sent.status);
    if (code != CURLE_OK) sent = {0, curl_easy_strerror(code)};
    return sent;
  };
}

}  // namespace tanhui::service
