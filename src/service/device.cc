#include "service/device.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/invariant.h"

namespace tanhui::service {
namespace {

constexpr std::size_t kSaltBytes = 12, kHashBytes = 64, kPasswordBytes = 32;
constexpr int kIterations = 101;  // mosquitto's own number; what is hashed is random of 256 bits, not a word of somebody
constexpr std::string_view kPrefix = "tanhui/", kSuffix = "/activity";

std::string base64(std::span<const std::uint8_t> bytes, int variant) {
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), variant);
  text.resize(text.size() - 1);  // its zero at the end
  return text;
}

std::array<std::uint8_t, kHashBytes> hash_of(std::string_view password, std::span<const std::uint8_t> salt, int iterations) {
  std::array<std::uint8_t, kHashBytes> hash{};
  const int done = PKCS5_PBKDF2_HMAC(password.data(), int(password.size()), salt.data(), int(salt.size()), iterations, EVP_sha512(),
                                     int(hash.size()), hash.data());
  core::invariant(done == 1, "OpenSSL has SHA-512");
  return hash;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 60 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

core::Error unknown_device(std::string_view id) {
  return {core::ErrorCode::not_found,
          "device.unknown",
          fmt::format("there is no device '{}'", id.substr(0, 80)),
          "tanhui device list shows them",
          {{"device", std::string(id.substr(0, 80))}}};
}

}  // namespace

std::string password_line(std::string_view user, std::string_view password, const Random& random) {
  std::array<std::uint8_t, kSaltBytes> salt{};
  random(salt);
  return fmt::format("{}:$7${}${}${}", user, kIterations, base64(salt, sodium_base64_VARIANT_ORIGINAL),
                     base64(hash_of(password, salt, kIterations), sodium_base64_VARIANT_ORIGINAL));
}

bool password_fits(std::string_view line, std::string_view password) {
  const std::size_t begin = line.find(":$7$");
  if (begin == std::string_view::npos) return false;
  const std::string_view rest = line.substr(begin + 4);
  const std::size_t first = rest.find('$'), second = rest.find('$', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return false;
  int iterations = 0;
  std::from_chars(rest.data(), rest.data() + first, iterations);
  if (iterations < 1 || iterations > 1'000'000) return false;
  const std::string_view salt_text = rest.substr(first + 1, second - first - 1), hash_text = rest.substr(second + 1);
  std::array<std::uint8_t, 64> salt{}, hash{};
  std::size_t salt_size = 0, hash_size = 0;
  if (sodium_base642bin(salt.data(), salt.size(), salt_text.data(), salt_text.size(), nullptr, &salt_size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      sodium_base642bin(hash.data(), hash.size(), hash_text.data(), hash_text.size(), nullptr, &hash_size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      hash_size != kHashBytes)
    return false;
  const auto made = hash_of(password, std::span(salt).first(salt_size), iterations);
  return sodium_memcmp(made.data(), hash.data(), kHashBytes) == 0;
}

core::Result<CreatedDevice> create_device(db::Transaction& tx, const identity::Programme& programme, std::string_view id,
                                          std::string_view source, core::Millis now_ms, const Random& random) {
  if (!is_name(id))
    return core::Error{core::ErrorCode::invalid_input,
                       "device.bad-id",
                       fmt::format("'{}' is no name of a device", id.substr(0, 80)),
                       "use 1 to 60 letters, digits, - and _",
                       {{"device", std::string(id.substr(0, 80))}}};
  if (programme.find_source(source) == nullptr)
    return core::Error{core::ErrorCode::not_found,
                       "source.unknown",
                       fmt::format("programme {} has no source '{}'", programme.id, source),
                       "name one of the programme's sources",
                       {{"programme", programme.id}, {"source", std::string(source)}}};
  std::array<std::uint8_t, kPasswordBytes> secret{};
  random(secret);
  CreatedDevice made{{std::string(id), programme.id, std::string(source), now_ms},
                     base64(secret, sodium_base64_VARIANT_URLSAFE_NO_PADDING)};
  sodium_memzero(secret.data(), secret.size());
  const std::string line = password_line(id, made.password, random);
  if (tx.exec("INSERT INTO device (id, programme, source, password, created_ms, revoked_ms) VALUES ($1, $2, $3, $4, $5, NULL) "
              "ON CONFLICT (id) DO NOTHING",
              id, programme.id, source, line, now_ms) == 0)
    return core::Error{core::ErrorCode::conflict,
                       "device.exists",
                       fmt::format("there is a device '{}' already", id),
                       "choose another id; one that was revoked is not used again",
                       {{"device", std::string(id)}}};
  return made;
}

core::Status revoke_device(db::Transaction& tx, std::string_view id, core::Millis now_ms) {
  if (!find_device(tx, id)) return unknown_device(id);
  tx.exec("UPDATE device SET revoked_ms = $2 WHERE id = $1 AND revoked_ms IS NULL", id, now_ms);
  return core::Done{};
}

std::optional<Device> find_device(db::Reader& reader, std::string_view id) {
  auto row = reader.find<std::string, std::string, std::string, std::int64_t, std::optional<std::int64_t>>(
      "SELECT id, programme, source, created_ms, revoked_ms FROM device WHERE id = $1", id);
  if (!row) return std::nullopt;
  auto& [name, programme, source, created, revoked] = *row;
  return Device{name, programme, source, created, revoked};
}

std::vector<Device> list_devices(db::Reader& reader, std::string_view programme) {
  std::vector<Device> devices;
  for (auto& [id, where, source, created, revoked] :
       reader.query<std::string, std::string, std::string, std::int64_t, std::optional<std::int64_t>>(
           "SELECT id, programme, source, created_ms, revoked_ms FROM device WHERE $1 = '' OR programme = $1 ORDER BY id", programme))
    devices.push_back({id, where, source, created, revoked});
  return devices;
}

std::string broker_passwords(db::Reader& reader, std::string_view service_line) {
  std::string file(service_line);
  file += '\n';
  for (const auto& [line] : reader.query<std::string>("SELECT password FROM device WHERE revoked_ms IS NULL ORDER BY id"))
    file += line + "\n";
  return file;
}

std::string broker_access(db::Reader& reader, std::string_view service_user) {
  std::string file = fmt::format("user {}\ntopic read tanhui/+/+/activity\n", service_user);
  for (const Device& device : list_devices(reader, "")) {
    if (!device.revoked_ms) file += fmt::format("\nuser {}\ntopic write {}\n", device.id, device_topic(device.programme, device.id));
  }
  return file;
}

std::string device_topic(std::string_view programme, std::string_view device) {
  return fmt::format("{}{}/{}{}", kPrefix, programme, device, kSuffix);
}

std::optional<TopicParts> parse_device_topic(std::string_view topic) {
  if (!topic.starts_with(kPrefix) || !topic.ends_with(kSuffix) || topic.size() < kPrefix.size() + kSuffix.size()) return std::nullopt;
  topic = topic.substr(kPrefix.size(), topic.size() - kPrefix.size() - kSuffix.size());
  const std::size_t slash = topic.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const TopicParts parts{topic.substr(0, slash), topic.substr(slash + 1)};
  return is_name(parts.programme) && is_name(parts.device) ? std::optional(parts) : std::nullopt;
}

void keep_dead_letter(db::Transaction& tx, const DeadLetter& letter) {
  const auto plain = [](std::string_view text, std::size_t size_max) {  // whatever a message or topic held: printable ASCII
    std::string out(text.substr(0, size_max));
    for (char& c : out) c = c >= 0x20 && c <= 0x7E ? c : '?';
    return out;
  };
  const std::int64_t number = tx.find<std::int64_t>("SELECT coalesce(max(number), 0) + 1 FROM dead_letter").value_or(1);
  tx.exec(
      "INSERT INTO dead_letter (number, at_ms, programme, device, reason, message, bytes, digest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
      number, letter.at_ms, plain(letter.programme, 60), plain(letter.device, 60), plain(letter.reason, 60), plain(letter.message, 500),
      letter.bytes, letter.digest);
  tx.exec("DELETE FROM dead_letter WHERE number <= $1", number - kDeadLettersMax);
}

std::vector<DeadLetter> dead_letters(db::Reader& reader, std::size_t count) {
  std::vector<DeadLetter> letters;
  for (auto& [number, at, programme, device, reason, message, bytes, digest] :
       reader.query<std::int64_t, std::int64_t, std::string, std::string, std::string, std::string, std::int64_t, core::Digest>(
           "SELECT number, at_ms, programme, device, reason, message, bytes, digest FROM dead_letter ORDER BY number DESC LIMIT $1",
           std::int64_t(count)))
    letters.push_back({number, at, programme, device, reason, message, bytes, digest});
  return letters;
}

}  // namespace tanhui::service
