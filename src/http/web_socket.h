// http/web_socket.h: an open WebSocket as a handler sees it (RFC 6455). Text messages only; the size of what comes is limited.
#pragma once
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tanhui::http {

/// Belongs to the thread of its connection. One send and one receive may be under way at the same time.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  /// False when the other side has gone.
  virtual boost::asio::awaitable<bool> send(std::string_view text) = 0;
  /// The next message; nothing when the other side has gone, or the server stops.
  virtual boost::asio::awaitable<std::optional<std::string>> receive() = 0;
  virtual boost::asio::awaitable<void> close(std::string_view reason) = 0;
  virtual bool stopping() const = 0;
  /// Called once, on this thread, when the server asks to come to an end.
  virtual void when_over(std::function<void()> hook) = 0;
};

}  // namespace tanhui::http
