// http/event_stream.h: events from the service to whoever watches, over Server-Sent Events or a WebSocket.
//
//   EventHub hub({}, random_number);
//   hub.publish("person/7f3a", "credit", R"({"points": 10})");                 // any thread; never waits
//   return event_stream(hub, request, {"person/7f3a"});                        // of a handler: the answer is a stream
//
// A topic costs nothing while nobody listens: only then are its events kept, the last `kept_per_topic`, also for `linger` after the last
// listener has gone. Who comes back with Last-Event-ID gets what was missed; when that is no longer there, an event `gap` says so: read
// everything anew. A listener that does not keep up is dropped with an event `end` {"reason":"slow"} and may come back the same way; at the
// stop of the server the reason is "stopping". Silence is broken by a heartbeat, so that a dead connection is noticed on both sides.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "http/web_socket.h"

namespace tanhui::http {

struct EventLimits {
  std::size_t kept_per_topic = 64;
  std::size_t waiting_max = 256;  // events that a listener has not taken yet
  std::size_t listeners_max = 5'000;
  std::chrono::milliseconds linger{60'000}, heartbeat{15'000};
};

struct Event {
  std::string id;  // "<epoch>-<number>", rising
  std::uint64_t number = 0;
  std::string type;  // credit; no line ends
  std::string data;  // JSON
};

class EventHub {
 public:
  /// `epoch` is random: ids of an earlier process are recognised as such.
  EventHub(EventLimits limits, std::uint64_t epoch);
  ~EventHub();
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  void publish(std::string_view topic, std::string type, std::string data);
  /// Whether somebody listens, or did a moment ago: who publishes much asks first.
  bool wants(std::string_view topic) const;
  std::size_t listeners() const;
  /// Ends every stream. A server that stops does that by itself; this is for a hub that goes before its server.
  void stop();
  const EventLimits& limits() const { return limits_; }

  class Listener;
  /// Nothing when there are listeners_max already.
  std::shared_ptr<Listener> listen(std::vector<std::string> topics, std::string_view last_event_id);

 private:
  friend class Listener;
  struct Topic;
  struct State;
  EventLimits limits_;
  std::unique_ptr<State> state_;
};

/// Belongs to one coroutine.
class EventHub::Listener {
 public:
  enum class What { event, heartbeat, gap, slow, stopping };
  struct Next {
    What what = What::heartbeat;
    std::shared_ptr<const Event> event;
  };
  ~Listener();
  /// Waits for the next event, at most the heartbeat's time. After slow and stopping there is no more.
  asio::awaitable<Next> next();
  /// No more events; `next` says stopping when those that wait are taken.
  void leave();

 private:
  friend class EventHub;
  struct Inside;
  Listener(EventHub& hub, std::vector<std::string> topics);
  EventHub& hub_;
  std::vector<std::string> topics_;
  std::shared_ptr<Inside> inside_;
};

/// text/event-stream. Errors: http.busy (503) when there are too many listeners.
Response event_stream(EventHub& hub, const Request& request, std::vector<std::string> topics);

/// The same events over a WebSocket, each as {"id": ..., "type": ..., "data": ...}; returns when either side ends. What the client says is
/// read and means nothing. The last id comes as the query parameter last_event_id, for browsers cannot set
/// headers.
asio::awaitable<void> serve_events(EventHub& hub, const Request& request, WebSocket& socket, std::vector<std::string> topics);

}  // namespace tanhui::http
