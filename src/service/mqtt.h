// service/mqtt.h: records from devices by MQTT: a weighing cabin, a charger, a box in a vehicle publishes, the broker keeps, we credit.
//
//   topic      tanhui/<programme>/<device>/activity, QoS 1
//   payload    one record of Tanhui's own columns as JSON, or a list of them, or one a line (activity/body_reader.h); no `source`: that is
//              the device's. `person` is a pseudonym, as everywhere.
//
// What was published is credited at least once, and counts once: records may come twice and in any order, their event ids tell. A message
// is acknowledged after its records were committed, never before; our session at the broker outlives us, so whatever was not acknowledged
// when the process ended, however it ended, comes again. Messages that come together are committed together (service/committer.h).
//
// When the committer says no, nothing is read from the broker until it takes more: the broker keeps the rest. A message of which nothing
// can be made (who sent it, what it is) is counted, kept as a dead letter without its content, and acknowledged: it would never get better.
// A lost connection is made again, after a pause that doubles from one second to a minute, by a random part of it shorter.
//
// The broker must keep sessions: persistence on, max_queued_messages high enough for the longest pause (docs/connectors.md has its file).
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "core/time.h"
#include "identity/instance.h"
#include "service/committer.h"
#include "service/device.h"

namespace tanhui::service {

constexpr std::size_t kMqttPayloadMax = 256 * 1024;
constexpr std::size_t kMqttMessagesAtOnce = 1'000;  // that the broker sends before it waits for acknowledgements

struct MqttOptions {
  std::string host = "127.0.0.1";
  int port = 1883;
  std::string client_id = "tanhui";      // names the session: one for each instance, the same for ever
  std::string user = {}, password = {};  // both empty: the broker asks for none
  std::string ca_file = {};              // not empty: TLS 1.2 or newer, the broker's certificate by these authorities
  int keep_alive_s = 60;
  core::Millis retry_least_ms = 1'000, retry_most_ms = 60'000;
};

/// For metrics; all only grow, but `connected`.
struct MqttCounts {
  std::atomic<std::uint64_t> messages{0}, acknowledged{0}, records{0}, refused_records{0}, waiting_records{0}, dead_letters{0};
  std::atomic<std::uint64_t> connections{0}, lost_connections{0}, pauses{0}, commits{0};
  std::atomic<bool> connected{false};
};

class MqttIntake {
 public:
  /// Begins on a thread of its own. The committer and the instance outlive it; programmes that are not open there take nothing.
  /// A broker that is not there yet is waited for. Errors: mqtt.bad-options (of files and names that libmosquitto refuses), and those of
  /// identity::Instance::connect.
  static core::Result<std::unique_ptr<MqttIntake>> start(identity::Instance& instance, Committer& committer, MqttOptions options,
                                                         Committer::Clock now, Random random);
  /// Finishes and acknowledges what has come, then leaves the session to the next process.
  ~MqttIntake();
  MqttIntake(const MqttIntake&) = delete;
  MqttIntake& operator=(const MqttIntake&) = delete;
  const MqttCounts& counts() const;

 private:
  struct State;
  explicit MqttIntake(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tanhui::service
