// http/server_fixture.h: a real server on a free port of the loopback, and raw sockets to talk to it. For *_test.cc only.
#pragma once
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include "http/server.h"

namespace tanhui::http::test {

/// A client that sends exactly what it is told to.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(io_) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
    const timeval patience{10, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  void send(std::string_view bytes) {
    boost::system::error_code ignored;  // the server may have closed already: what it said is still to be read
    asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), ignored);
  }
  /// Until the other side closes.
  std::string read_all() {
    std::string all = std::exchange(rest_, {});
    char bytes[4096];
    for (ssize_t count = 0; (count = ::recv(socket_.native_handle(), bytes, sizeof bytes, 0)) > 0;) all.append(bytes, std::size_t(count));
    return all;
  }
  /// Until `what` has come; the text up to its end, the rest stays for the next call. What came so far when the connection ends before.
  std::string read_until(std::string_view what) {
    std::vector<char> bytes(65'536);
    for (std::size_t from = 0;;) {
      if (const auto at = rest_.find(what, from); at != std::string::npos) {
        const std::string text = rest_.substr(0, at + what.size());
        rest_.erase(0, at + what.size());
        return text;
      }
      from = rest_.size() - std::min(rest_.size(), what.size());
      const ssize_t count = ::recv(socket_.native_handle(), bytes.data(), bytes.size(), 0);
      if (count <= 0) return std::exchange(rest_, {});
      rest_.append(bytes.data(), std::size_t(count));
    }
  }
  /// One answer with Content-Length: header and body.
  std::string read_answer() {
    const std::string head = read_until("\r\n\r\n");
    const auto at = head.find("Content-Length: ");
    if (at == std::string::npos) return head;
    const std::size_t length = std::stoul(head.substr(at + 16));
    char bytes[4096];
    while (rest_.size() < length) {
      const ssize_t count = ::recv(socket_.native_handle(), bytes, sizeof bytes, 0);
      if (count <= 0) break;
      rest_.append(bytes, std::size_t(count));
    }
    const std::string body = rest_.substr(0, length);
    rest_.erase(0, length);
    return head + body;
  }
  void half_close() { socket_.shutdown(asio::ip::tcp::socket::shutdown_send); }
  void close() { socket_.close(); }
  int handle() { return socket_.native_handle(); }

 private:
  asio::io_context io_;
  asio::ip::tcp::socket socket_;
  std::string rest_;
};

/// Runs until it dies.
class RunningServer {
 public:
  explicit RunningServer(std::shared_ptr<Router> router, Settings settings = {}) {
    for (Listen& listen : settings.listen) listen.port = 0;
    settings.now = [] { return core::Millis(1'740'787'200'000); };  // 2025-03-01T00:00:00Z, a Saturday
    auto opened = Server::open(std::move(settings), std::move(router));
    if (!opened) throw std::runtime_error(opened.error().message);
    server_ = *std::move(opened);
    ports_ = server_->ports();
    thread_ = std::jthread([this] { server_->run(); });
  }
  ~RunningServer() { server_->stop(); }
  std::uint16_t port(std::size_t i = 0) const { return ports_[i]; }
  Server& server() { return *server_; }
  void stop_and_wait() {
    server_->stop();
    thread_.join();
  }
  std::string ask(std::string_view request) const {
    RawClient client(port());
    client.send(request);
    client.half_close();
    return client.read_all();
  }

 private:
  std::unique_ptr<Server> server_;
  std::vector<std::uint16_t> ports_;
  std::jthread thread_;
};

inline int status_of(std::string_view answer) {
  return answer.starts_with("HTTP/1.1 ") && answer.size() > 12 ? std::atoi(std::string(answer.substr(9, 3)).c_str()) : 0;
}

}  // namespace tanhui::http::test
