// http/router.h: which handler answers which request. Routes are added first; then the router only answers questions, without allocating.
//
//   router.add({Method::get, "/api/v1/people/{id}", "getPerson"}, blocking([&](Request& request) -> Response { ... }));
//
// Paths are made of segments; {name} stands for one segment, which may not be empty. A segment that is written out wins over {name}.
// HEAD is answered by GET's handler, its body left out. OPTIONS is answered here. 405 names in Allow what would have been right.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "http/message.h"
#include "http/web_socket.h"

namespace tanhui::http {

struct Route {
  Method method = Method::get;
  std::string path;                     // /api/v1/people/{id}
  std::string operation_id;             // as in api/openapi.yaml; names the route in metrics and logs
  std::vector<std::string> query = {};  // the parameters it takes; any other is refused
  std::size_t body_bytes_max = 0;       // 0: no body is taken; more than that is answered 413 before it is read
  /// Requests that may run before earlier ones of the same connection are answered, although their method changes something: because
  /// their order does not matter. Answers are still in order.
  bool order_free = false;
};

/// Runs on the thread of the connection: must neither wait nor compute for long.
using PlainHandler = std::function<Response(Request&)>;
/// Starts on the thread of the connection and may wait for what is asynchronous. The request lives until it ends.
using CoroutineHandler = std::function<asio::awaitable<Response>(Request&)>;
/// Runs on the pool for blocking work. When all places there are taken the answer is 503 with Retry-After.
struct BlockingHandler {
  PlainHandler run;
};
/// `admit` runs before the connection becomes a WebSocket and may answer instead (401, 404); then `run`, until it ends. A request that asks
/// for no WebSocket is answered 426, a page of another origin (that is not among Settings::allowed_origins) 403.
struct SocketHandler {
  std::function<asio::awaitable<std::optional<Response>>(Request&)> admit;
  std::function<asio::awaitable<void>(Request&, WebSocket&)> run;
};

using Handler = std::variant<PlainHandler, CoroutineHandler, BlockingHandler, SocketHandler>;

/// Their types say what they are, lambdas do not always: asio::awaitable<Response>(Request&) is wrapped by coroutine(), and so on.
inline Handler plain(PlainHandler handler) { return handler; }
inline Handler coroutine(CoroutineHandler handler) { return handler; }
inline Handler blocking(PlainHandler handler) { return BlockingHandler{std::move(handler)}; }

class Router {
 public:
  struct Entry {
    Route route;
    Handler handler;
    std::vector<std::string> parameters;  // names in {}, in their order
    std::size_t index = 0;                // among all routes
  };
  struct Found {
    const Entry* entry = nullptr;  // nothing: 404, or 405 when some method would do
    std::uint8_t allowed = 0;      // bit 1 << Method for each method that the path has
  };

  Router();
  /// Two routes of one method and path, or an operation id used twice, are a broken invariant.
  void add(Route route, Handler handler);
  /// Also keeps the values of the path's parameters in the request.
  Found find(Request& request) const;
  const std::deque<Entry>& entries() const { return entries_; }

 private:
  struct Node {
    std::vector<std::pair<std::string, std::uint32_t>> literals;  // sorted
    std::uint32_t parameter = 0;                                  // 0: none, since the root is nobody's child
    std::array<const Entry*, kMethods> entries{};
    std::uint8_t allowed = 0;
  };
  struct Search;
  bool match(Search& search, std::uint32_t node, std::string_view rest) const;
  std::deque<Entry> entries_;  // addresses stay
  std::vector<Node> nodes_;
};

/// "GET, HEAD, OPTIONS" for the header Allow.
std::string allow_list(std::uint8_t allowed);

}  // namespace tanhui::http
