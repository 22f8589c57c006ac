#include "service/mqtt.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <mosquitto.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "activity/account_fixture.h"

extern char** environ;

namespace tanhui::service {
namespace {

namespace fs = std::filesystem;
using activity::test::City;
using activity::test::kNow;
using activity::test::library;
using activity::test::programme;
using namespace std::chrono_literals;

constexpr core::Millis kMorning = kNow - core::kMillisPerDay / 2;
constexpr const char* kService = "tanhui.service";

void random_bytes(std::span<std::uint8_t> bytes) { randombytes_buf(bytes.data(), bytes.size()); }

class Process {
 public:
  Process(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    std::vector<char*> argv, envp;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    for (std::string& variable : environment) envp.push_back(variable.data());
    for (char** variable = environ; *variable != nullptr; ++variable) envp.push_back(*variable);
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    EXPECT_EQ(posix_spawn(&pid_, argv[0], &quiet, nullptr, argv.data(), envp.data()), 0) << argv[0];
    posix_spawn_file_actions_destroy(&quiet);
  }
  ~Process() { end(SIGKILL); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  void send(int signal) { ::kill(pid_, signal); }
  void end(int signal) {
    if (pid_ <= 0) return;
    send(signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
};

template <class Condition>
bool wait_for(Condition condition, std::chrono::milliseconds patience = 20'000ms) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

// A mosquitto of our own, with the files that the registry writes.
class Broker {
 public:
  Broker(fs::path folder, db::Reader& reader) : folder_(std::move(folder)), port_(free_port()) {
    fs::create_directories(folder_);
    write("mosquitto.conf", fmt::format("listener {} 127.0.0.1\nuser root\nallow_anonymous false\npassword_file {}\nacl_file {}\n"
                                        "persistence true\npersistence_location {}/\nmax_queued_messages 0\nmax_inflight_messages 1000\n",
                                        port_, (folder_ / "passwords").string(), (folder_ / "access").string(), folder_.string()));
    write_access(reader);
    start();
  }
  void write_access(db::Reader& reader) {
    write("passwords", broker_passwords(reader, password_line(kService, "service", random_bytes)));
    write("access", broker_access(reader, kService));
  }
  void start() {
    process_ = std::make_unique<Process>(std::vector<std::string>{"/usr/sbin/mosquitto", "-c", (folder_ / "mosquitto.conf").string()});
    EXPECT_TRUE(wait_for([&] { return answers(); })) << "the broker does not start";
  }
  void stop() {
    process_->end(SIGTERM);
    process_.reset();
  }
  int port() const { return port_; }

 private:
  static sockaddr_in address(int port) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(std::uint16_t(port));
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return where;
  }
  static int free_port() {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in where = address(0);
    socklen_t size = sizeof where;
    EXPECT_EQ(::bind(descriptor, reinterpret_cast<sockaddr*>(&where), size), 0);
    EXPECT_EQ(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&where), &size), 0);
    ::close(descriptor);
    return ntohs(where.sin_port);
  }
  bool answers() const {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in where = address(port_);
    const bool connected = ::connect(descriptor, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0;
    ::close(descriptor);
    return connected;
  }
  void write(const char* name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  fs::path folder_;
  int port_;
  std::unique_ptr<Process> process_;
};

// A device: publishes with QoS 1 and waits until the broker has it.
class Publisher {
 public:
  Publisher(int port, const std::string& user, const std::string& password) {
    mosquitto_lib_init();
    client_ = mosquitto_new(nullptr, true, this);  // the broker makes a client id
    mosquitto_username_pw_set(client_, user.c_str(), password.c_str());
    mosquitto_connect_callback_set(client_, [](mosquitto*, void* self, int rc) { static_cast<Publisher*>(self)->answer_ = rc; });
    mosquitto_publish_callback_set(client_, [](mosquitto*, void* self, int) { ++static_cast<Publisher*>(self)->published_; });
    EXPECT_EQ(mosquitto_connect(client_, "127.0.0.1", port, 60), MOSQ_ERR_SUCCESS);
    for (int i = 0; i < 100 && answer_ < 0; ++i) mosquitto_loop(client_, 100, 1);
  }
  ~Publisher() {
    mosquitto_disconnect(client_);
    mosquitto_destroy(client_);
  }
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;
  bool let_in() const { return answer_ == 0; }
  /// The broker drops what is not allowed; it may acknowledge it or not.
  void attempt(const std::string& topic, const std::string& payload) {
    mosquitto_publish(client_, nullptr, topic.c_str(), int(payload.size()), payload.data(), 1, false);
    for (int i = 0; i < 5; ++i) mosquitto_loop(client_, 50, 1);
  }
  void publish(const std::string& topic, const std::string& payload) {
    EXPECT_EQ(mosquitto_publish(client_, nullptr, topic.c_str(), int(payload.size()), payload.data(), 1, false), MOSQ_ERR_SUCCESS);
    ++sent_;
    for (int i = 0; i < 1000 && published_ < sent_; ++i) mosquitto_loop(client_, 100, 1);
    EXPECT_EQ(published_, sent_);
  }

 private:
  mosquitto* client_ = nullptr;
  int answer_ = -1, sent_ = 0, published_ = 0;
};

std::string ride(int event) {
  const core::Millis start_ms = kMorning + (event % 20) * 60'000;
  return fmt::format(R"({{"event_id":"e{}","person":"p{}","activity":"metro-ride","start":"{}","end":"{}","quantity":"9000"}})", event,
                     event, core::to_text_utc(start_ms), core::to_text_utc(start_ms + 1'800'000));
}

MqttOptions options_of(int port) {
  return {.port = port, .user = kService, .password = "service", .retry_least_ms = 20, .retry_most_ms = 200};
}

struct World {
  World() {
    auto& database = city.instance().database();
    db::Transaction tx = database.begin();
    for (const char* id : {"gate-1", "gate-2"})
      passwords[id] = create_device(tx, programme(), id, "metro-gate", kNow, random_bytes)->password;
    tx.commit();
    broker = std::make_unique<Broker>(city.instance().folder() / "broker", database);
  }
  void serve(CommitterOptions committer_options = {}) {
    committer_options.window.book_every_ms = 0;
    committer = *Committer::start(city.instance(), library(), committer_options, [] { return kNow; });
    open = *committer->open(programme());
    intake = *MqttIntake::start(
        city.instance(), *committer, options_of(broker->port()), [] { return kNow; }, random_bytes);
  }
  bool connected() {
    return wait_for([&] { return intake->counts().connected.load(); });
  }
  bool acknowledged(std::uint64_t count) {
    return wait_for([&] { return intake->counts().acknowledged.load() >= count; });
  }
  std::uint64_t credited() {
    return committer->run([&] { return open->window->unsealed(); }).get();
  }
  std::vector<DeadLetter> dead() {
    auto connection = *city.instance().connect();
    return dead_letters(connection, 100);
  }
  std::string topic(std::string_view device) { return device_topic("wuhan-demo", device); }

  City city;
  std::map<std::string, std::string> passwords;
  std::unique_ptr<Broker> broker;
  std::unique_ptr<Committer> committer;
  std::shared_ptr<OpenProgramme> open;
  std::unique_ptr<MqttIntake> intake;  // ends first
};

std::int64_t milligrams_of(int rides) {
  City city;
  std::vector<std::string> rows;
  for (int event = 0; event < rides; ++event) {
    const core::Millis start_ms = kMorning + (event % 20) * 60'000;
    rows.push_back(fmt::format("e{},metro-gate,p{},metro-ride,420100,{},{},9000,metered,", event, event, core::to_text_utc(start_ms),
                               core::to_text_utc(start_ms + 1'800'000)));
  }
  return city.account(rows).tally.milligrams;
}

TEST(Mqtt, DevicesPublishAndAreCredited) {
  World world;
  world.serve();
  ASSERT_TRUE(world.connected());
  Publisher gate(world.broker->port(), "gate-1", world.passwords["gate-1"]),
      other(world.broker->port(), "gate-2", world.passwords["gate-2"]);
  ASSERT_TRUE(gate.let_in() && other.let_in());
  // Out of order, twice, by two devices of one source, alone, as a list and one a line.
  gate.publish(world.topic("gate-1"), ride(3));
  gate.publish(world.topic("gate-1"), ride(1));
  gate.publish(world.topic("gate-1"), "[" + ride(2) + "," + ride(0) + "]");
  other.publish(world.topic("gate-2"), ride(3) + "\n" + ride(4));
  other.publish(world.topic("gate-2"), ride(4));
  ASSERT_TRUE(world.acknowledged(5));
  EXPECT_EQ(world.intake->counts().records, 7u);
  EXPECT_EQ(world.dead().size(), 0u);
  world.intake.reset();
  world.committer.reset();
  EXPECT_EQ(world.city.milligrams(), milligrams_of(5));
}

TEST(Mqtt, WhatCanNeverBecomeARecordIsADeadLetter) {
  World world;
  world.serve();
  ASSERT_TRUE(world.connected());
  Publisher gate(world.broker->port(), "gate-1", world.passwords["gate-1"]);
  const std::string topic = world.topic("gate-1");
  gate.publish(topic, "");
  gate.publish(topic, "[{\"event_id\":");
  gate.publish(topic, R"({"person": "p1"})");
  gate.publish(topic, std::string(kMqttPayloadMax + 1, ' '));
  gate.publish(topic, ride(1));
  ASSERT_TRUE(world.acknowledged(5));
  const auto dead = world.dead();
  ASSERT_EQ(dead.size(), 4u);
  std::map<std::string, int> reasons;
  for (const auto& letter : dead) ++reasons[letter.reason];
  EXPECT_EQ(reasons, (std::map<std::string, int>{
                         {"body.empty", 1}, {"body.broken-json", 1}, {"record.unknown-activity", 1}, {"mqtt.too-large", 1}}));
  EXPECT_EQ(dead[0].programme, "wuhan-demo");
  EXPECT_EQ(dead[0].device, "gate-1");
  EXPECT_EQ(world.intake->counts().dead_letters, 4u);
  EXPECT_EQ(world.credited(), 1u) << "one bad message spoils no other";
}

TEST(Mqtt, WhoMayPublish) {
  World world;
  world.serve();
  ASSERT_TRUE(world.connected());
  EXPECT_FALSE(Publisher(world.broker->port(), "gate-1", "guess").let_in());
  EXPECT_FALSE(Publisher(world.broker->port(), "gate-9", world.passwords["gate-1"]).let_in());
  Publisher gate(world.broker->port(), "gate-1", world.passwords["gate-1"]);
  Publisher(world.broker->port(), "gate-1", world.passwords["gate-1"]).attempt(world.topic("gate-2"), ride(1));  // not its topic
  {
    auto connection = *world.city.instance().connect();
    db::Transaction tx = connection.begin();
    ASSERT_TRUE(revoke_device(tx, "gate-2", kNow));
    tx.commit();
  }
  Publisher revoked(world.broker->port(), "gate-2", world.passwords["gate-2"]);  // the broker does not know yet
  revoked.publish(world.topic("gate-2"), ride(2));
  gate.publish(world.topic("gate-1"), ride(3));
  ASSERT_TRUE(world.acknowledged(2));
  const auto dead = world.dead();
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].reason, "device.revoked");
  EXPECT_EQ(world.credited(), 1u);
  auto connection = *world.city.instance().connect();
  world.broker->write_access(connection);
  world.broker->stop();
  world.broker->start();
  EXPECT_FALSE(Publisher(world.broker->port(), "gate-2", world.passwords["gate-2"]).let_in());
}

TEST(Mqtt, NothingIsAcknowledgedBeforeItIsCommitted) {
  World world;
  world.serve();
  ASSERT_TRUE(world.connected());
  std::promise<void> hold, held;
  auto blocked = world.committer->run([&] {
    held.set_value();
    hold.get_future().wait();
  });
  held.get_future().wait();
  Publisher gate(world.broker->port(), "gate-1", world.passwords["gate-1"]);
  gate.publish(world.topic("gate-1"), ride(1));
  ASSERT_TRUE(wait_for([&] { return world.intake->counts().messages == 1; }));
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(world.intake->counts().acknowledged, 0u);
  // The broker agrees: as soon as the session is taken by somebody else, the message is delivered there.
  mosquitto* thief = mosquitto_new("tanhui", false, nullptr);
  static std::atomic<int> stolen{0};
  stolen = 0;
  mosquitto_username_pw_set(thief, kService, "service");
  mosquitto_message_callback_set(thief, [](mosquitto*, void*, const mosquitto_message*) { ++stolen; });
  ASSERT_EQ(mosquitto_connect(thief, "127.0.0.1", world.broker->port(), 60), MOSQ_ERR_SUCCESS);
  for (int i = 0; i < 50 && stolen == 0; ++i) mosquitto_loop(thief, 100, 1);
  EXPECT_EQ(stolen, 1);
  mosquitto_destroy(thief);
  hold.set_value();
}

TEST(Mqtt, ABrokerThatGoesComesBack) {
  World world;
  world.serve();
  ASSERT_TRUE(world.connected());
  {
    Publisher gate(world.broker->port(), "gate-1", world.passwords["gate-1"]);
    gate.publish(world.topic("gate-1"), ride(1));
    ASSERT_TRUE(world.acknowledged(1));
  }
  world.broker->stop();
  ASSERT_TRUE(wait_for([&] { return !world.intake->counts().connected; }));
  world.broker->start();
  ASSERT_TRUE(world.connected());
  Publisher gate(world.broker->port(), "gate-1", world.passwords["gate-1"]);
  gate.publish(world.topic("gate-1"), ride(2));
  ASSERT_TRUE(world.acknowledged(2));
  EXPECT_EQ(world.credited(), 2u);
  EXPECT_EQ(world.intake->counts().lost_connections, 1u);
}

TEST(Mqtt, WaitsWhenTheCommitterIsFull) {
  World world;
  world.serve({.waiting_records_max = 3});
  ASSERT_TRUE(world.connected());
  std::promise<void> hold, held;
  auto blocked = world.committer->run([&] {
    held.set_value();
    hold.get_future().wait();
  });
  held.get_future().wait();
  Publisher gate(world.broker->port(), "gate-1", world.passwords["gate-1"]);
  for (int event = 0; event < 10; ++event) gate.publish(world.topic("gate-1"), ride(event));
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(world.intake->counts().acknowledged, 0u);
  hold.set_value();
  ASSERT_TRUE(world.acknowledged(10));
  EXPECT_EQ(world.credited(), 10u);
}

// The other process of the next test: serves until it is killed.
TEST(Mqtt, DISABLED_ServeUntilKilled) {
  auto instance = *identity::Instance::open(std::getenv("TANHUI_MQTT_FOLDER"));
  CommitterOptions options;
  options.window.book_every_ms = 0;
  const auto committer = *Committer::start(instance, library(), options, [] { return kNow; });
  ASSERT_TRUE(committer->open(programme()));
  const auto intake = *MqttIntake::start(
      instance, *committer, options_of(std::atoi(std::getenv("TANHUI_MQTT_PORT"))), [] { return kNow; }, random_bytes);
  while (true) {
    if (intake->counts().connected) std::ofstream(instance.folder() / "served");
    std::this_thread::sleep_for(5ms);
  }
}

TEST(Mqtt, NothingIsLostWhenTheServiceIsKilled) {
  constexpr int kRides = 300, kKills = 6;
  World world;
  const auto serve = [&] {
    fs::remove(world.city.instance().folder() / "served");
    return std::make_unique<Process>(
        std::vector<std::string>{fs::read_symlink("/proc/self/exe").string(), "--gtest_filter=Mqtt.DISABLED_ServeUntilKilled",
                                 "--gtest_also_run_disabled_tests"},
        std::vector<std::string>{"TANHUI_MQTT_FOLDER=" + world.city.instance().folder().string(),
                                 fmt::format("TANHUI_MQTT_PORT={}", world.broker->port()), "GTEST_OUTPUT="});
  };
  auto service = serve();
  ASSERT_TRUE(wait_for([&] { return fs::exists(world.city.instance().folder() / "served"); })) << "the session begins";
  Publisher gate(world.broker->port(), "gate-1", world.passwords["gate-1"]);
  int event = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    // Part of it is published while it serves, part while nobody does; and the moment of the kill moves.
    for (const int until = event + kRides / kKills / 2; event < until; ++event) gate.publish(world.topic("gate-1"), ride(event));
    std::this_thread::sleep_for(std::chrono::milliseconds(kill * 3));
    service->end(SIGKILL);
    for (const int until = event + kRides / kKills / 2; event < until; ++event) gate.publish(world.topic("gate-1"), ride(event));
    if (kill + 1 == kKills) break;
    service = serve();
    ASSERT_TRUE(wait_for([&] { return fs::exists(world.city.instance().folder() / "served"); }));
  }
  ASSERT_EQ(event, kRides);
  world.serve();
  EXPECT_TRUE(wait_for([&] { return world.credited() >= kRides; }));
  std::this_thread::sleep_for(300ms);  // whatever else the broker would send again
  EXPECT_EQ(world.credited(), std::uint64_t(kRides)) << "each of them once";
  EXPECT_EQ(world.dead().size(), 0u);
  world.intake.reset();
  world.committer.reset();
  EXPECT_EQ(world.city.milligrams(), milligrams_of(kRides));
}

TEST(Device, IsCreatedOnceAndRevoked) {
  db::Database database = db::test::fresh_database();
  db::Transaction tx = database.begin();
  const auto made = create_device(tx, programme(), "cabin-7", "grid", 5, random_bytes);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->password.size(), 43u);
  const auto [line] = tx.query<std::string>("SELECT password FROM device")[0];
  EXPECT_EQ(line.find(made->password), std::string::npos) << "the password is kept nowhere";
  EXPECT_TRUE(password_fits(line, made->password));
  EXPECT_FALSE(password_fits(line, made->password + "x"));
  EXPECT_FALSE(password_fits("cabin-7:$7$0$$", made->password));
  EXPECT_EQ(create_device(tx, programme(), "cabin-7", "grid", 6, random_bytes).error().id, "device.exists");
  EXPECT_EQ(create_device(tx, programme(), "a/b", "grid", 6, random_bytes).error().id, "device.bad-id");
  EXPECT_EQ(create_device(tx, programme(), "x", "nobody", 6, random_bytes).error().id, "source.unknown");
  EXPECT_EQ(list_devices(tx, "wuhan-demo").size(), 1u);
  EXPECT_EQ(list_devices(tx, "elsewhere").size(), 0u);
  EXPECT_NE(broker_access(tx, kService).find("user cabin-7\ntopic write tanhui/wuhan-demo/cabin-7/activity\n"), std::string::npos);
  ASSERT_TRUE(revoke_device(tx, "cabin-7", 7));
  ASSERT_TRUE(revoke_device(tx, "cabin-7", 8));
  EXPECT_EQ(find_device(tx, "cabin-7")->revoked_ms, 7);
  EXPECT_EQ(broker_passwords(tx, "s:x"), "s:x\n");
  EXPECT_EQ(broker_access(tx, kService).find("cabin-7"), std::string::npos);
  EXPECT_EQ(revoke_device(tx, "cabin-8", 8).error().id, "device.unknown");
}

TEST(Device, Topics) {
  const auto parts = parse_device_topic("tanhui/wuhan-demo/cabin-7/activity");
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->programme, "wuhan-demo");
  EXPECT_EQ(parts->device, "cabin-7");
  for (const char* topic :
       {"tanhui/a/activity", "tanhui/a/b/c/activity", "tanhui//b/activity", "x/a/b/activity", "tanhui/a/b", "tanhui/activity", ""})
    EXPECT_FALSE(parse_device_topic(topic)) << topic;
}

TEST(DeadLetter, TheOldestGo) {
  db::Database database = db::test::fresh_database();
  db::Transaction tx = database.begin();
  tx.exec(
      "INSERT INTO dead_letter (number, at_ms, programme, device, reason, message, bytes, digest) VALUES ($1, 0, '', '', 'x', '', 0, $2)",
      1, core::Digest{});
  tx.exec(
      "INSERT INTO dead_letter (number, at_ms, programme, device, reason, message, bytes, digest) VALUES ($1, 0, '', '', 'x', '', 0, $2)",
      kDeadLettersMax, core::Digest{});
  keep_dead_letter(tx, {.number = 0, .at_ms = 1, .programme = "p", .device = "d", .reason = "r", .message = "caf\xc3\xa9", .bytes = 2});
  const auto letters = dead_letters(tx, 10);
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(letters[0].number, kDeadLettersMax + 1);
  EXPECT_EQ(letters[0].message, "caf??");
}

}  // namespace
}  // namespace tanhui::service
