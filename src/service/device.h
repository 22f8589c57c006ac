// service/device.h: the devices that publish over MQTT: who they are, which source of which programme they speak for, and with what they
// prove it. The broker checks that: its password and access files are written from here.
//
//   auto made = create_device(tx, {"cabin-7", "wuhan-demo", "grid"}, now, random);   // made->password is shown once
//   write broker_passwords(db) and broker_access(...) to the broker's files, and send it SIGHUP
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/programme.h"

namespace tanhui::service {

using Random = std::function<void(std::span<std::uint8_t>)>;

struct Device {
  std::string id, programme, source;
  core::Millis created_ms = 0;
  std::optional<core::Millis> revoked_ms = std::nullopt;
};

struct CreatedDevice {
  Device device;
  std::string password;  // 32 random bytes in base64url; kept nowhere
};

/// `programme` is the one it belongs to. Errors: invalid_input device.bad-id (letters, digits, - and _; 1 to 60), conflict device.exists,
/// not_found source.unknown.
core::Result<CreatedDevice> create_device(db::Transaction& tx, const identity::Programme& programme, std::string_view id,
                                          std::string_view source, core::Millis now_ms, const Random& random);
/// From then on what it publishes is refused, whether the broker knows it already or not. Errors: not_found device.unknown.
core::Status revoke_device(db::Transaction& tx, std::string_view id, core::Millis now_ms);
std::optional<Device> find_device(db::Reader& reader, std::string_view id);
/// In the order of their ids; of all programmes when `programme` is empty.
std::vector<Device> list_devices(db::Reader& reader, std::string_view programme);

/// mosquitto's password_file: a line for each device that is not revoked. `service_line` is the service's own, from password_line().
std::string broker_passwords(db::Reader& reader, std::string_view service_line);
/// mosquitto's acl_file: a device writes its own topic and reads nothing; `service_user` reads all of them.
std::string broker_access(db::Reader& reader, std::string_view service_user);
/// "user:$7$...": PBKDF2 with HMAC-SHA-512, as mosquitto_passwd writes it.
std::string password_line(std::string_view user, std::string_view password, const Random& random);
/// Whether a line's password is this one, in constant time.
bool password_fits(std::string_view line, std::string_view password);

/// tanhui/<programme>/<device>/activity
std::string device_topic(std::string_view programme, std::string_view device);
struct TopicParts {
  std::string_view programme, device;
};
std::optional<TopicParts> parse_device_topic(std::string_view topic);

/// A message that nothing could be made of.
struct DeadLetter {
  std::int64_t number = 0;
  core::Millis at_ms = 0;
  std::string programme, device, reason, message;
  std::int64_t bytes = 0;
  core::Digest digest{};
};
constexpr std::int64_t kDeadLettersMax = 10'000;  // the oldest go
void keep_dead_letter(db::Transaction& tx, const DeadLetter& letter);
/// The newest first.
std::vector<DeadLetter> dead_letters(db::Reader& reader, std::size_t count);

}  // namespace tanhui::service
