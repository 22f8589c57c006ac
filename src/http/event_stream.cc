#include "http/event_stream.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "core/invariant.h"
#include "core/json.h"
#include "http/problem.h"

namespace tanhui::http {
namespace {

using Clock = std::chrono::steady_clock;

struct ParsedId {
  std::uint64_t epoch = 0, number = 0;
};

std::optional<ParsedId> parse_id(std::string_view text) {
  ParsedId id;
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto whole = [](std::string_view part, std::uint64_t& out, int base) {
    const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), out, base);
    return problem == std::errc() && end == part.data() + part.size();
  };
  if (!whole(text.substr(0, dash), id.epoch, 16) || !whole(text.substr(dash + 1), id.number, 10)) return std::nullopt;
  return id;
}

/// "id: ...\nevent: ...\ndata: ...\n\n"; each line of the data is one of its own.
std::string sse_text(std::string_view id, std::string_view type, std::string_view data) {
  std::string text;
  if (!id.empty()) text.append("id: ").append(id).append("\n");
  text.append("event: ").append(type).append("\n");
  for (;;) {
    const std::size_t end = std::min(data.find('\n'), data.size());
    text.append("data: ").append(data.substr(0, end)).append("\n");
    if (end == data.size()) break;
    data.remove_prefix(end + 1);
  }
  return text.append("\n");
}

}  // namespace

/// What publishers see of a listener; guarded by its mutex, but for the timer, which belongs to the listener's thread.
struct EventHub::Listener::Inside {
  std::mutex mutex;
  std::deque<std::shared_ptr<const Event>> waiting;
  bool gap = false, slow = false, stopping = false, asleep = false;
  std::unique_ptr<asio::steady_timer> timer;

  /// Under the mutex.
  void wake(const std::shared_ptr<Inside>& self) {
    if (!std::exchange(asleep, false)) return;
    asio::post(timer->get_executor(), [self] { self->timer->cancel(); });
  }
};

struct EventHub::Topic {
  std::deque<std::shared_ptr<const Event>> kept;
  std::uint64_t complete_after = 0;  // every event with a higher number is kept
  std::vector<std::shared_ptr<Listener::Inside>> listeners;
  Clock::time_point left;  // by the last listener
};

struct EventHub::State {
  std::uint64_t epoch = 0;
  mutable std::mutex mutex;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, Topic, Hash, std::equal_to<>> topics;
  std::uint64_t number = 0;
  std::size_t listeners = 0;
  bool stopped = false;
  Clock::time_point swept;
};

EventHub::EventHub(EventLimits limits, std::uint64_t epoch) : limits_(limits), state_(std::make_unique<State>()) { state_->epoch = epoch; }
EventHub::~EventHub() = default;

bool EventHub::wants(std::string_view topic) const {
  const std::scoped_lock lock(state_->mutex);
  return state_->topics.find(topic) != state_->topics.end();
}

std::size_t EventHub::listeners() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->listeners;
}

void EventHub::publish(std::string_view topic_name, std::string type, std::string data) {
  core::invariant(type.find_first_of("\r\n") == std::string::npos, "the type of an event is one word");
  std::replace(data.begin(), data.end(), '\r', ' ');
  const std::scoped_lock lock(state_->mutex);
  const auto found = state_->topics.find(topic_name);
  const std::uint64_t number = ++state_->number;
  if (found == state_->topics.end()) return;
  Topic& topic = found->second;
  auto event = std::make_shared<Event>(Event{fmt::format("{:x}-{}", state_->epoch, number), number, std::move(type), std::move(data)});
  topic.kept.push_back(event);
  if (topic.kept.size() > limits_.kept_per_topic) {
    topic.complete_after = topic.kept.front()->number;
    topic.kept.pop_front();
  }
  for (const auto& listener : topic.listeners) {
    const std::scoped_lock inner(listener->mutex);
    if (listener->slow) continue;
    if (listener->waiting.size() >= limits_.waiting_max) {  // what it has not taken it can ask for again
      listener->slow = true;
      listener->waiting.clear();
    } else {
      listener->waiting.push_back(event);
    }
    listener->wake(listener);
  }
}

void EventHub::stop() {
  const std::scoped_lock lock(state_->mutex);
  state_->stopped = true;
  for (auto& [name, topic] : state_->topics) {
    for (const auto& listener : topic.listeners) {
      const std::scoped_lock inner(listener->mutex);
      listener->stopping = true;
      listener->wake(listener);
    }
  }
}

std::shared_ptr<EventHub::Listener> EventHub::listen(std::vector<std::string> topics, std::string_view last_event_id) {
  const auto last = parse_id(last_event_id);
  auto listener = std::shared_ptr<Listener>(new Listener(*this, std::move(topics)));
  const std::scoped_lock lock(state_->mutex);
  if (state_->listeners >= limits_.listeners_max) {
    listener->topics_.clear();
    return nullptr;
  }
  ++state_->listeners;
  const auto now = Clock::now();
  if (now - state_->swept > limits_.linger) {
    state_->swept = now;
    std::erase_if(state_->topics,
                  [&](const auto& topic) { return topic.second.listeners.empty() && now - topic.second.left > limits_.linger; });
  }
  Listener::Inside& inside = *listener->inside_;
  inside.stopping = state_->stopped;
  for (const std::string& name : listener->topics_) {
    const auto [found, is_new] = state_->topics.try_emplace(name);
    Topic& topic = found->second;
    if (is_new) topic.complete_after = state_->number;
    if (!last_event_id.empty()) {
      if (!last || last->epoch != state_->epoch || last->number < topic.complete_after || last->number > state_->number) {
        inside.gap = true;
      } else {
        for (const auto& event : topic.kept) {
          if (event->number > last->number) inside.waiting.push_back(event);
        }
      }
    }
    topic.listeners.push_back(listener->inside_);
  }
  std::sort(inside.waiting.begin(), inside.waiting.end(), [](const auto& a, const auto& b) { return a->number < b->number; });
  return listener;
}

EventHub::Listener::Listener(EventHub& hub, std::vector<std::string> topics)
    : hub_(hub), topics_(std::move(topics)), inside_(std::make_shared<Inside>()) {
  std::sort(topics_.begin(), topics_.end());
  topics_.erase(std::unique(topics_.begin(), topics_.end()), topics_.end());
  core::invariant(!topics_.empty(), "a listener has a topic");
}

EventHub::Listener::~Listener() {
  if (topics_.empty()) return;  // was never let in
  const std::scoped_lock lock(hub_.state_->mutex);
  --hub_.state_->listeners;
  for (const std::string& name : topics_) {
    Topic& topic = hub_.state_->topics.at(name);
    std::erase(topic.listeners, inside_);
    if (topic.listeners.empty()) topic.left = Clock::now();
  }
}

void EventHub::Listener::leave() {
  const std::scoped_lock lock(inside_->mutex);
  inside_->stopping = true;
  inside_->wake(inside_);
}

asio::awaitable<EventHub::Listener::Next> EventHub::Listener::next() {
  if (inside_->timer == nullptr) inside_->timer = std::make_unique<asio::steady_timer>(co_await asio::this_coro::executor);
  const auto until = Clock::now() + hub_.limits_.heartbeat;
  for (;;) {
    {
      const std::scoped_lock lock(inside_->mutex);
      if (std::exchange(inside_->gap, false)) co_return Next{What::gap, nullptr};
      if (!inside_->waiting.empty()) {
        Next next{What::event, std::move(inside_->waiting.front())};
        inside_->waiting.pop_front();
        co_return next;
      }
      if (inside_->slow) co_return Next{What::slow, nullptr};
      if (inside_->stopping) co_return Next{What::stopping, nullptr};
      if (Clock::now() >= until) co_return Next{What::heartbeat, nullptr};
      inside_->timer->expires_at(until);
      inside_->asleep = true;  // from now on a publisher wakes us, on this thread, so not before the wait below has begun
    }
    co_await inside_->timer->async_wait(asio::as_tuple(asio::use_awaitable));
    const std::scoped_lock lock(inside_->mutex);
    inside_->asleep = false;
  }
}

Response event_stream(EventHub& hub, const Request& request, std::vector<std::string> topics) {
  auto listener = hub.listen(std::move(topics), request.header("Last-Event-ID"));
  if (listener == nullptr) {
    return problem(request,
                   core::Error{core::ErrorCode::refused, "http.busy", "too many listen already", "try again after the time in Retry-After"})
        .header("Retry-After", "10");
  }
  Response response{.content_type = kEventStream};
  response.header("Cache-Control", "no-store").header("X-Accel-Buffering", "no");  // proxies hold back what they buffer
  response.stream = [listener = std::move(listener)](BodyWriter& writer) -> asio::awaitable<void> {
    using What = EventHub::Listener::What;
    writer.when_over([listener] { listener->leave(); });
    bool open = co_await writer.write("retry: 2000\n\n");
    while (open) {
      const auto next = co_await listener->next();
      switch (next.what) {
        case What::event:
          open = co_await writer.write(sse_text(next.event->id, next.event->type, next.event->data));
          break;
        case What::heartbeat:
          open = co_await writer.write(":\n\n");
          break;
        case What::gap:
          open = co_await writer.write(sse_text("", "gap", "{}"));
          break;
        case What::slow:
          co_await writer.write(sse_text("", "end", R"({"reason":"slow"})"));
          co_return;
        case What::stopping:
          co_await writer.write(sse_text("", "end", R"({"reason":"stopping"})"));
          co_return;
      }
    }
  };
  return response;
}

namespace {

std::string told(std::string_view id, std::string_view type, std::string_view data) {
  const auto text = [](std::string_view part) { return boost::json::serialize(boost::json::string(part)); };
  return fmt::format(R"({{"id":{},"type":{},"data":{}}})", id.empty() ? "null" : text(id), text(type), data);
}

asio::awaitable<void> listen_to_client(EventHub::Listener& listener, WebSocket& socket) {
  while (co_await socket.receive()) {}
  listener.leave();
}

asio::awaitable<void> tell_client(EventHub::Listener& listener, WebSocket& socket) {
  using What = EventHub::Listener::What;
  bool open = true;
  while (open) {
    const auto next = co_await listener.next();
    switch (next.what) {
      case What::event:
        open = co_await socket.send(told(next.event->id, next.event->type, next.event->data));
        break;
      case What::heartbeat:
        open = co_await socket.send(told("", "heartbeat", "{}"));
        break;
      case What::gap:
        open = co_await socket.send(told("", "gap", "{}"));
        break;
      case What::slow:
        co_await socket.send(told("", "end", R"({"reason":"slow"})"));
        co_return co_await socket.close("slow");
      case What::stopping:
        co_await socket.send(told("", "end", R"({"reason":"stopping"})"));
        co_return co_await socket.close("stopping");
    }
  }
}

}  // namespace

asio::awaitable<void> serve_events(EventHub& hub, const Request& request, WebSocket& socket, std::vector<std::string> topics) {
  using asio::experimental::awaitable_operators::operator&&;
  const auto listener = hub.listen(std::move(topics), request.query().find("last_event_id").value_or(""));
  if (listener == nullptr) co_return co_await socket.close("too many listen already");
  socket.when_over([listener] { listener->leave(); });
  co_await (listen_to_client(*listener, socket) && tell_client(*listener, socket));
}

}  // namespace tanhui::http
