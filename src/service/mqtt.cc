#include "service/mqtt.h"

#include <fmt/format.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <thread>
#include <vector>

#include "activity/body_reader.h"
#include "core/hash.h"
#include "core/invariant.h"

namespace tanhui::service {
namespace {

constexpr auto kTick = std::chrono::milliseconds(200);  // how late a stop is noticed at most
constexpr core::Millis kRegistryMs = 5'000;             // how long a device is believed to be what it was
constexpr core::Millis kFullPauseMs = 100;              // when the committer says no
constexpr std::size_t kReadersMax = 1'000;              // of programmes and sources, kept

void start_library() {
  static const int started = mosquitto_lib_init();
  core::invariant(started == MOSQ_ERR_SUCCESS, "libmosquitto begins");
}

struct Message {
  std::string topic, payload;
};

}  // namespace

struct MqttIntake::State {
  State(Committer& the_committer, MqttOptions the_options, Committer::Clock clock, Random the_random, db::Database the_database)
      : committer(the_committer),
        options(std::move(the_options)),
        now(std::move(clock)),
        random(std::move(the_random)),
        database(std::move(the_database)) {}
  ~State() {
    if (client != nullptr) mosquitto_destroy(client);
  }

  // ---- connection

  core::Status prepare() {
    start_library();
    client = mosquitto_new(options.client_id.c_str(), false, this);
    if (client == nullptr) return bad_options("the client id is refused");
    // libmosquitto acknowledges a message before it hands it over. In this mode it only puts the acknowledgement in its queue, and we send
    // the queue when the records are committed (mosquitto_loop_write in acknowledge()).
    mosquitto_threaded_set(client, true);
    mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(client, MOSQ_OPT_RECEIVE_MAXIMUM, int(kMqttMessagesAtOnce));
    if (!options.user.empty() && mosquitto_username_pw_set(client, options.user.c_str(), options.password.c_str()) != MOSQ_ERR_SUCCESS)
      return bad_options("user or password are refused");
    if (!options.ca_file.empty()) {
      if (mosquitto_tls_set(client, options.ca_file.c_str(), nullptr, nullptr, nullptr, nullptr) != MOSQ_ERR_SUCCESS)
        return bad_options(fmt::format("the file of authorities '{}' cannot be read", options.ca_file));
    }
    mosquitto_connect_v5_callback_set(
        client, [](mosquitto*, void* self, int reason, int, const mosquitto_property*) { static_cast<State*>(self)->on_connect(reason); });
    mosquitto_subscribe_v5_callback_set(client, [](mosquitto*, void* self, int, int count, const int* granted, const mosquitto_property*) {
      auto& state = *static_cast<State*>(self);
      state.subscribed = count == 1 && granted[0] == 1;
      if (!state.subscribed) state.broken = true;
    });
    mosquitto_disconnect_v5_callback_set(
        client, [](mosquitto*, void* self, int, const mosquitto_property*) { static_cast<State*>(self)->broken = true; });
    mosquitto_message_v5_callback_set(client, [](mosquitto*, void* self, const mosquitto_message* message, const mosquitto_property*) {
      // Exceptions must not run through a library in C: without memory the process ends, and the broker sends it all again.
      static_cast<State*>(self)->on_message(*message);
    });
    return core::Done{};
  }

  static core::Error bad_options(std::string message) {
    return {core::ErrorCode::invalid_input, "mqtt.bad-options", std::move(message), "see the settings of MQTT"};
  }

  void on_connect(int reason) noexcept {
    if (reason != 0 || mosquitto_subscribe(client, nullptr, "tanhui/+/+/activity", 1) != MOSQ_ERR_SUCCESS) broken = true;
  }

  void on_message(const mosquitto_message& message) noexcept {
    counts.messages.fetch_add(1, std::memory_order_relaxed);
    // Beyond the limit the content is not needed, only that it was there.
    const auto size = std::size_t(std::max(message.payloadlen, 0));
    inbox.push_back({message.topic, std::string(static_cast<const char*>(message.payload), std::min(size, kMqttPayloadMax + 1))});
  }

  bool connect() {
    broken = subscribed = false;
    mosquitto_property* properties = nullptr;
    mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, 0xFFFFFFFF);  // never
    const int rc = mosquitto_connect_bind_v5(client, options.host.c_str(), options.port, options.keep_alive_s, nullptr, properties);
    mosquitto_property_free_all(&properties);
    if (rc != MOSQ_ERR_SUCCESS) return false;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!broken && !stopping() && std::chrono::steady_clock::now() < until) {
      if (!exchange() || !take_care()) return false;
      if (!inbox.empty() || subscribed) {
        counts.connections.fetch_add(1, std::memory_order_relaxed);
        counts.connected = true;
        return true;
      }
    }
    return false;
  }

  // Sends what is queued (acknowledgements, keep-alive); true when all of it went out.
  bool send_queued() {
    core::invariant(inbox.empty(), "nothing is acknowledged before it is committed");
    while (!broken && mosquitto_want_write(client)) {
      pollfd descriptor{.fd = mosquitto_socket(client), .events = POLLOUT, .revents = 0};
      if (descriptor.fd < 0) return false;
      if (::poll(&descriptor, 1, 10'000) <= 0) return false;  // a broker that takes nothing for so long is gone
      if (mosquitto_loop_write(client, 1) != MOSQ_ERR_SUCCESS) return false;
    }
    return !broken;
  }

  // Waits for what the broker has, a tick at most, and reads it.
  bool exchange() {
    if (!send_queued()) return false;
    pollfd descriptor{.fd = mosquitto_socket(client), .events = POLLIN, .revents = 0};
    if (descriptor.fd < 0) return false;
    ::poll(&descriptor, 1, int(kTick.count()));
    // Also when nothing came: TLS may hold bytes that were read already.
    while (inbox.size() < kMqttMessagesAtOnce) {
      const std::size_t before = inbox.size();
      if (mosquitto_loop_read(client, 1) != MOSQ_ERR_SUCCESS) return false;
      if (inbox.size() > before) continue;
      descriptor.revents = 0;
      if (::poll(&descriptor, 1, 0) <= 0) break;
    }
    return !broken;
  }

  bool take_care() { return mosquitto_loop_misc(client) == MOSQ_ERR_SUCCESS; }

  // ---- messages

  struct Work {
    Message message;
    Credit credit;
    std::string programme, device;
  };

  // All that is in the inbox: credited, or kept as dead letters; durable when this returns true. False: stopping before that; then nothing
  // may be acknowledged.
  bool settle_inbox() {
    std::vector<DeadLetter> dead;
    std::vector<std::unique_ptr<Work>> waiting;
    for (Message& message : inbox) {
      auto work = std::make_unique<Work>();
      work->message = std::move(message);
      if (auto why = read(*work)) {
        dead.push_back(letter(*work, *why));
      } else {
        waiting.push_back(std::move(work));
      }
    }
    while (!waiting.empty()) {
      if (!commit(waiting)) return false;
      std::vector<std::unique_ptr<Work>> again;
      for (auto& work : waiting) {
        if (!work->credit.error) {
          count(work->credit);
          if (const auto why = all_unreadable(work->credit)) dead.push_back(letter(*work, *why));
        } else if (work->credit.error->code == core::ErrorCode::refused && work->credit.error->id != "programme.not-open") {
          again.push_back(std::move(work));            // the window is full, or nobody knows: the events tell
        } else if (committer.find(work->programme)) {  // open again, under other settings
          if (auto why = read(*work)) {
            dead.push_back(letter(*work, *why));
          } else {
            again.push_back(std::move(work));
          }
        } else {
          dead.push_back(letter(*work, *work->credit.error));
        }
      }
      waiting = std::move(again);
      for (auto& work : waiting) {
        work->credit.error.reset();
        work->credit.answers.clear();
      }
      if (!waiting.empty() && !pause(1'000)) return false;
    }
    while (!dead.empty() && !bury(dead)) {
      if (!pause(1'000)) return false;
    }
    return true;
  }

  std::optional<core::Error> read(Work& work) {
    const auto refuse = [](std::string id, std::string message) {
      return core::Error{core::ErrorCode::invalid_input, std::move(id), std::move(message), "see docs/connectors.md"};
    };
    const auto parts = parse_device_topic(work.message.topic);
    if (!parts) return refuse("mqtt.bad-topic", "the topic is not tanhui/<programme>/<device>/activity");
    work.programme = parts->programme;
    work.device = parts->device;
    if (work.message.payload.size() > kMqttPayloadMax)
      return refuse("mqtt.too-large", fmt::format("the message is larger than {} bytes", kMqttPayloadMax));
    const auto device = known(work.device);
    if (!device) return refuse("device.unknown", "no such device is registered");
    if (device->programme != work.programme) return refuse("device.other-programme", "the device belongs to another programme");
    if (device->revoked_ms) return refuse("device.revoked", "the device was revoked");
    work.credit.programme = committer.find(work.programme);
    if (!work.credit.programme) return refuse("programme.not-open", "the programme takes no records now");
    auto reader = reader_of(work.credit.programme, device->source);
    if (!reader) return reader.error();
    if (auto status = (*reader)->read(work.message.payload, work.credit.records); !status) return status.error();
    work.credit.digest = core::sha256(work.message.payload);
    return std::nullopt;
  }

  // A device as the registry has it; asked for again after a while, so that a revoked one does not go on.
  std::optional<Device> known(const std::string& id) {
    if (const core::Millis now_ms = now(); now_ms - devices_read_ms > kRegistryMs || now_ms < devices_read_ms) {
      devices.clear();
      devices_read_ms = now_ms;
    }
    if (const auto found = devices.find(id); found != devices.end()) return found->second;
    auto device = find_device(database, id);
    devices.emplace(id, device);
    return device;
  }

  core::Result<activity::BodyReader*> reader_of(const std::shared_ptr<OpenProgramme>& programme, const std::string& source) {
    const auto key = std::pair(programme, source);
    if (const auto found = readers.find(key); found != readers.end()) return found->second.get();
    std::erase_if(readers, [&](const auto& reader) { return committer.find(reader.first.first->programme.id) != reader.first.first; });
    if (readers.size() >= kReadersMax) readers.clear();
    auto made = activity::BodyReader::make(programme->window->names(), committer.instance().secret(), programme->programme,
                                           committer.library(), source);
    if (!made) return made.error();
    return readers.emplace(key, *std::move(made)).first->second.get();
  }

  // Submits them and waits for their commit. False: stopping before the committer took them; none is left with it.
  bool commit(std::vector<std::unique_ptr<Work>>& all) {
    std::mutex waiting;
    std::condition_variable ready;
    std::size_t under_way = 0;
    bool taken = true;
    for (auto& work : all) {
      work->credit.done = [&] {
        const std::scoped_lock lock(waiting);
        --under_way;
        ready.notify_one();
      };
      {
        const std::scoped_lock lock(waiting);
        ++under_way;
      }
      while (taken && !committer.submit(work->credit)) taken = pause(kFullPauseMs);
      if (!taken) {
        const std::scoped_lock lock(waiting);
        --under_way;
        break;
      }
    }
    std::unique_lock lock(waiting);
    ready.wait(lock, [&] { return under_way == 0; });
    counts.commits.fetch_add(1, std::memory_order_relaxed);
    return taken;
  }

  void count(const Credit& credit) {
    counts.records.fetch_add(credit.answers.size(), std::memory_order_relaxed);
    for (const auto& answer : credit.answers) {
      if (answer.waits) {
        counts.waiting_records.fetch_add(1, std::memory_order_relaxed);
      } else if (answer.answer.outcome == activity::Outcome::rejected) {
        counts.refused_records.fetch_add(1, std::memory_order_relaxed);
      }
    }
  }

  // A device that sends nothing that can be read must be seen by somebody.
  static std::optional<core::Error> all_unreadable(const Credit& credit) {
    using activity::Reason;
    for (const Reason reason : credit.records.reason) {
      if (reason < Reason::bad_row || reason > Reason::unknown_station) return std::nullopt;
    }
    if (credit.records.size() == 0) return std::nullopt;
    const Reason first = credit.records.reason.front();
    return core::Error{
        core::ErrorCode::invalid_input, fmt::format("record.{}", activity::name(first)),
        fmt::format("none of {} records can be read; the first: {}", credit.records.size(), activity::explanation(first, false)),
        "correct the device"};
  }

  DeadLetter letter(const Work& work, const core::Error& why) {
    return {.number = 0,
            .at_ms = now(),
            .programme = work.programme,
            .device = work.device,
            .reason = why.id,
            .message = why.message,
            .bytes = std::int64_t(work.message.payload.size()),
            .digest = core::sha256(work.message.payload)};
  }

  bool bury(std::vector<DeadLetter>& dead) {
    try {
      db::Transaction tx = database.begin();
      for (const DeadLetter& one : dead) keep_dead_letter(tx, one);
      tx.commit();
    } catch (const std::exception&) {
      return false;
    }
    counts.dead_letters.fetch_add(dead.size(), std::memory_order_relaxed);
    dead.clear();
    return true;
  }

  // ---- the thread

  bool stopping() {
    const std::scoped_lock lock(mutex);
    return stop;
  }
  /// False when it is time to stop.
  bool pause(core::Millis ms) {
    counts.pauses.fetch_add(1, std::memory_order_relaxed);
    std::unique_lock lock(mutex);
    return !stopped.wait_for(lock, std::chrono::milliseconds(ms), [&] { return stop; });
  }

  void run() {
    core::Millis retry_ms = options.retry_least_ms;
    while (!stopping()) {
      try {
        if (connect()) {
          retry_ms = options.retry_least_ms;
          serve();
        }
      } catch (const std::exception&) {  // the database is away: what came is not acknowledged and comes again
      }
      leave();
      if (stopping()) return;
      std::uint8_t part = 0;
      random({&part, 1});
      pause(retry_ms - retry_ms * part / 512);  // from half of it to all of it
      retry_ms = std::min(2 * retry_ms, options.retry_most_ms);
    }
  }

  void serve() {
    while (true) {
      const bool alive = !inbox.empty() || exchange();  // some may have come before the subscription was answered
      if (!inbox.empty()) {
        if (!settle_inbox()) return;
        const std::size_t settled = inbox.size();
        inbox.clear();
        // A lost connection takes the acknowledgements with it; the broker sends those messages again, and they count once.
        if (!alive || !send_queued()) return;
        counts.acknowledged.fetch_add(settled, std::memory_order_relaxed);
      }
      if (!alive || !take_care() || stopping()) return;
    }
  }

  void leave() {
    inbox.clear();
    if (counts.connected.exchange(false) && !stopping()) counts.lost_connections.fetch_add(1, std::memory_order_relaxed);
    // What is still queued was not committed: the socket is closed without sending it.
    mosquitto_destroy(client);
    client = nullptr;
    const auto again = prepare();
    core::invariant(bool(again), "what was accepted once is accepted again");
  }

  Committer& committer;
  const MqttOptions options;
  const Committer::Clock now;
  const Random random;
  db::Database database;
  mosquitto* client = nullptr;
  bool broken = false, subscribed = false;
  std::vector<Message> inbox;
  std::map<std::string, std::optional<Device>> devices;
  core::Millis devices_read_ms = 0;
  std::map<std::pair<std::shared_ptr<OpenProgramme>, std::string>, std::unique_ptr<activity::BodyReader>> readers;
  MqttCounts counts;
  std::mutex mutex;
  std::condition_variable stopped;
  bool stop = false;
  std::thread thread;
};

core::Result<std::unique_ptr<MqttIntake>> MqttIntake::start(identity::Instance& instance, Committer& committer, MqttOptions options,
                                                            Committer::Clock now, Random random) {
  auto database = instance.connect();
  if (!database) return database.error();
  auto state = std::make_unique<State>(committer, std::move(options), std::move(now), std::move(random), *std::move(database));
  if (auto status = state->prepare(); !status) return status.error();
  state->thread = std::thread([running = state.get()] { running->run(); });
  return std::unique_ptr<MqttIntake>(new MqttIntake(std::move(state)));
}

MqttIntake::MqttIntake(std::unique_ptr<State> state) : state_(std::move(state)) {}

MqttIntake::~MqttIntake() {
  {
    const std::scoped_lock lock(state_->mutex);
    state_->stop = true;
  }
  state_->stopped.notify_all();
  state_->thread.join();
}

const MqttCounts& MqttIntake::counts() const { return state_->counts; }

}  // namespace tanhui::service
