// service/config.h: the settings of the service: one YAML file, `tanhui.yaml`, and environment variables that win over it.
//
//   http:
//     port: 8080            # or TANHUI_HTTP_PORT=8080
//   log:
//     requests: errors
//
// One table (settings()) knows every setting with default, bounds, unit and meaning; `tanhui config check`, `tanhui config show` and
// docs/configuration.md read it. A new setting is a member of Config and a row of the table in config.cc.
// Secrets are never in the file and never shown: `name_file` or TANHUI_NAME_FILE names a file that holds one, or TANHUI_NAME is it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"

namespace tanhui::service {

struct Config {
  struct Http {
    std::string address = "127.0.0.1";
    std::int64_t port = 8080;
    std::int64_t threads = 1;
    std::string tls_certificate, tls_key;
    std::vector<std::string> allowed_origins;
    std::int64_t header_bytes_max = 16 * 1024;
    std::int64_t connections_max = 10'000;
    std::int64_t requests_per_connection_max = 1'000'000;
    std::int64_t pipeline_max = 256;
    std::int64_t unsent_bytes_max = 1024 * 1024;
    std::int64_t header_time_ms = 10'000, body_time_ms = 60'000, answer_time_ms = 60'000, idle_time_ms = 75'000, send_time_ms = 30'000,
                 stop_time_ms = 20'000;
    std::int64_t blocking_threads = 4, blocking_waiting_max = 1'000;
  } http;
  struct Metrics {
    std::string address = "127.0.0.1";
    std::int64_t port = 9090;  // 0: not at all
  } metrics;
  struct Rates {  // 0 a second: no limit
    std::int64_t everyone_per_second = 50, everyone_burst = 200;
    std::int64_t partner_per_second = 50'000, partner_burst = 100'000;
    std::int64_t person_per_second = 10, person_burst = 60;
    std::int64_t staff_per_second = 50, staff_burst = 200;
  } rates;
  struct Log {
    std::string requests = "all";  // all, errors or none
    std::string level = "info";
  } log;
  struct Database {
    std::int64_t connections_max = 8, patience_ms = 5'000;
  } database;
  struct Activities {
    std::int64_t memory_mib = 1024;
    std::int64_t waiting_records_max = 200'000, batch_records_max = 20'000;
    std::int64_t book_every_ms = 500;
    std::int64_t seal_every_hours = 24, settle_waiting_every_s = 600;
    std::string public_scheme, public_authority;
    bool webhooks_plain_http = false, webhooks_private_addresses = false;
  } activities;
  struct Ocpi {  // us, as operators see us
    std::string country_code = "CN", party_id = "TNH", name = "Tanhui";
  } ocpi;
  struct Mqtt {
    std::string host;  // empty: no MQTT
    std::int64_t port = 1883;
    std::string client_id = "tanhui", user, password, ca_file;
  } mqtt;
  struct People {
    std::string codes = "none";  // none, sandbox or smtp
    std::string service_name = "Tanhui";
    std::string mail_from, smtp_host, smtp_user, smtp_password, smtp_ca_file;
    std::string smtp_security = "starttls";  // starttls, tls or plain
    std::int64_t smtp_port = 587;
    std::string wechat = "none";  // none, sandbox or wechat
    std::string wechat_appid, wechat_secret;
    std::string wechat_endpoint = "https://api.weixin.qq.com";
    std::int64_t evaluations_per_second = 100, evaluations_burst = 100'000;
  } people;
  struct Disk {
    std::int64_t free_bytes_min = 512LL * 1024 * 1024;
  } disk;
};

/// A row of the table. Exactly one of the places is set; `secret` is a text that is never shown.
struct Setting {
  std::string_view path;  // http.port
  std::variant<std::int64_t& (*)(Config&), std::string& (*)(Config&), bool& (*)(Config&), std::vector<std::string>& (*)(Config&)> place;
  std::int64_t least = 0, most = std::numeric_limits<std::int64_t>::max();  // of a number; of a text, its bytes
  std::string_view unit = "";
  std::string_view meaning = "";
  std::vector<std::string_view> choices = {};
  bool secret = false;
};
std::span<const Setting> settings();

/// TANHUI_HTTP_PORT for http.port.
std::string variable_of(std::string_view path);

struct Configured {
  Config config;
  /// Where each setting that is not a default came from: "tanhui.yaml:3:9" or the name of a variable.
  std::map<std::string, std::string, std::less<>> origins;
};

/// Reads the text of a file (empty for none) and the environment. All mistakes at once, each with file:line:column or the variable's name.
/// `environment` answers what a variable holds. Errors: config.unknown-setting, config.bad-value, config.bad-yaml, config.secret-in-file,
/// config.no-secret.
struct ReadConfig {
  Configured configured;
  std::vector<core::Error> errors;
};
ReadConfig read_config(std::string_view text, const std::string& file,
                       const std::function<std::optional<std::string>(const std::string&)>& environment);

/// As above, of a file; nothing there is an error only when `must_exist`. Errors: config.not-found.
ReadConfig read_config_file(const std::filesystem::path& file, bool must_exist);

/// The value as people write it; "(set)" or "(not set)" of a secret.
std::string shown(const Setting& setting, const Config& config);

/// docs/configuration.md.
std::string configuration_page();

}  // namespace tanhui::service
