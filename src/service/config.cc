#include "service/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>

#include "core/files.h"
#include "core/text.h"

namespace tanhui::service {
namespace {

constexpr std::size_t kFileBytesMax = 256 * 1024, kTextMax = 4096, kListMax = 1000;

#define TANHUI_NUMBER(member) +[](Config& c) -> std::int64_t& { return c.member; }
#define TANHUI_TEXT(member) +[](Config& c) -> std::string& { return c.member; }
#define TANHUI_BOOLEAN(member) +[](Config& c) -> bool& { return c.member; }
#define TANHUI_LIST(member) +[](Config& c) -> std::vector<std::string>& { return c.member; }

const std::vector<Setting>& table() {
  constexpr std::int64_t kDay = 86'400'000;
  static const std::vector<Setting> rows = {
      {"http.address", TANHUI_TEXT(http.address), 1, 64, "IP address",
       "Where the service listens. 0.0.0.0 or :: for every interface; then TLS or a proxy should be in front."},
      {"http.port", TANHUI_NUMBER(http.port), 0, 65'535, "", "TCP port; 0 takes one that is free and prints it."},
      {"http.threads", TANHUI_NUMBER(http.threads), 1, 256, "threads",
       "Threads that read requests and write answers. One serves tens of thousands of requests a second; leave the other cores to the work "
       "itself."},
      {"http.tls_certificate", TANHUI_TEXT(http.tls_certificate), 0, kTextMax, "file",
       "PEM file with the certificate and those that signed it. With tls_key: HTTPS (TLS 1.3) instead of HTTP."},
      {"http.tls_key", TANHUI_TEXT(http.tls_key), 0, kTextMax, "file", "PEM file with the private key, readable by its owner only."},
      {"http.allowed_origins", TANHUI_LIST(http.allowed_origins), 0, kListMax, "origins",
       "Other sites whose pages may call the service from a browser (CORS), for example https://mall.example."},
      {"http.header_bytes_max", TANHUI_NUMBER(http.header_bytes_max), 1'024, 1'048'576, "bytes",
       "Longest header of a request; longer is answered 431."},
      {"http.connections_max", TANHUI_NUMBER(http.connections_max), 1, 1'000'000, "connections",
       "Connections at a time; one more is answered 503 and closed."},
      {"http.requests_per_connection_max", TANHUI_NUMBER(http.requests_per_connection_max), 1, 1'000'000'000, "requests",
       "After as many a connection is closed."},
      {"http.pipeline_max", TANHUI_NUMBER(http.pipeline_max), 1, 10'000, "requests",
       "Requests of one connection that are read and not yet answered; then no more is read."},
      {"http.unsent_bytes_max", TANHUI_NUMBER(http.unsent_bytes_max), 65'536, 1'073'741'824, "bytes",
       "Answers that a client does not fetch; then nothing more is read from it."},
      {"http.header_time_ms", TANHUI_NUMBER(http.header_time_ms), 100, kDay, "ms",
       "From the first byte of a request to the end of its header; then 408."},
      {"http.body_time_ms", TANHUI_NUMBER(http.body_time_ms), 100, kDay, "ms", "From there to the end of its body; then 408."},
      {"http.answer_time_ms", TANHUI_NUMBER(http.answer_time_ms), 100, kDay, "ms", "How long the work on a request may take; then 503."},
      {"http.idle_time_ms", TANHUI_NUMBER(http.idle_time_ms), 100, kDay, "ms", "A connection without a request is closed after this."},
      {"http.send_time_ms", TANHUI_NUMBER(http.send_time_ms), 100, kDay, "ms",
       "A client that takes no byte of its answer for so long is cut off."},
      {"http.stop_time_ms", TANHUI_NUMBER(http.stop_time_ms), 0, kDay, "ms", "When the service stops: time for what has begun."},
      {"http.blocking_threads", TANHUI_NUMBER(http.blocking_threads), 1, 1'024, "threads", "Threads for work that waits for the database."},
      {"http.blocking_waiting_max", TANHUI_NUMBER(http.blocking_waiting_max), 0, 1'000'000, "requests",
       "Requests that wait for such a thread; one more is answered 503."},
      {"rates.everyone_per_second", TANHUI_NUMBER(rates.everyone_per_second), 0, 1'000'000, "requests",
       "Requests a second of a caller who needs no account; counted by address, for long; more is answered 429. 0: no limit."},
      {"rates.everyone_burst", TANHUI_NUMBER(rates.everyone_burst), 1, 1'000'000'000, "requests", "As many at once."},
      {"rates.partner_per_second", TANHUI_NUMBER(rates.partner_per_second), 0, 1'000'000, "requests",
       "Requests a second of a partner, for long; more is answered 429. 0: no limit."},
      {"rates.partner_burst", TANHUI_NUMBER(rates.partner_burst), 1, 1'000'000'000, "requests", "As many at once."},
      {"rates.person_per_second", TANHUI_NUMBER(rates.person_per_second), 0, 1'000'000, "requests",
       "Requests a second of a person, for long; more is answered 429. 0: no limit."},
      {"rates.person_burst", TANHUI_NUMBER(rates.person_burst), 1, 1'000'000'000, "requests", "As many at once."},
      {"rates.staff_per_second", TANHUI_NUMBER(rates.staff_per_second), 0, 1'000'000, "requests",
       "Requests a second of a member of staff, for long; more is answered 429. 0: no limit."},
      {"rates.staff_burst", TANHUI_NUMBER(rates.staff_burst), 1, 1'000'000'000, "requests", "As many at once."},
      {"metrics.address", TANHUI_TEXT(metrics.address), 1, 64, "IP address",
       "Where /metrics is served, apart from the service: it is for the operator."},
      {"metrics.port", TANHUI_NUMBER(metrics.port), 0, 65'535, "", "Its TCP port; 0: no metrics."},
      {"log.requests",
       TANHUI_TEXT(log.requests),
       0,
       kTextMax,
       "",
       "Which requests get a line in the log; errors are those answered 500 and above.",
       {"all", "errors", "none"}},
      {"log.level", TANHUI_TEXT(log.level), 0, kTextMax, "", "Of everything else that is logged.", {"debug", "info", "warning", "error"}},
      {"database.connections_max", TANHUI_NUMBER(database.connections_max), 1, 1'024, "connections",
       "Connections to the database, besides the one of the committer."},
      {"database.patience_ms", TANHUI_NUMBER(database.patience_ms), 10, 600'000, "ms",
       "How long a request waits for one of them; then 503."},
      {"activities.memory_mib", TANHUI_NUMBER(activities.memory_mib), 16, 1'048'576, "MiB",
       "Of a programme's records of the open days, 104 bytes each; with more they are sealed, and then refused."},
      {"activities.waiting_records_max", TANHUI_NUMBER(activities.waiting_records_max), 1, 100'000'000, "records",
       "Records that wait to be credited; more are answered 429."},
      {"activities.batch_records_max", TANHUI_NUMBER(activities.batch_records_max), 1, 10'000'000, "records",
       "Records that are made durable by one commit."},
      {"activities.book_every_ms", TANHUI_NUMBER(activities.book_every_ms), 0, 60'000, "ms",
       "How far balances may be behind the answers to partners."},
      {"activities.seal_every_hours", TANHUI_NUMBER(activities.seal_every_hours), 0, 168, "hours",
       "How often what was credited becomes segments and entries of the log; 0: only when asked."},
      {"activities.settle_waiting_every_s", TANHUI_NUMBER(activities.settle_waiting_every_s), 0, 604'800, "s",
       "How often a run takes the records that wait for one (late days, ids that were used before); 0: only when asked."},
      {"activities.public_scheme",
       TANHUI_TEXT(activities.public_scheme),
       0,
       5,
       "",
       "http or https as partners see it and sign it, when a proxy stands in front.",
       {"", "http", "https"}},
      {"activities.public_authority", TANHUI_TEXT(activities.public_authority), 0, 255, "",
       "Host (and port) as partners see it and sign it, when a proxy changes it."},
      {"activities.webhooks_plain_http", TANHUI_BOOLEAN(activities.webhooks_plain_http), 0, 0, "",
       "Webhooks may go to http:// addresses: inside a closed network, and for trials."},
      {"activities.webhooks_private_addresses", TANHUI_BOOLEAN(activities.webhooks_private_addresses), 0, 0, "",
       "Webhooks may go to loopback and private addresses: otherwise a partner could make the service call its neighbours."},
      {"ocpi.country_code", TANHUI_TEXT(ocpi.country_code), 2, 2, "", "Our country, as charging operators see us (OCPI)."},
      {"ocpi.party_id", TANHUI_TEXT(ocpi.party_id), 3, 3, "", "Our party id, as charging operators see us (OCPI)."},
      {"ocpi.name", TANHUI_TEXT(ocpi.name), 1, 100, "", "Our name, as charging operators see us (OCPI)."},
      {"mqtt.host", TANHUI_TEXT(mqtt.host), 0, 255, "", "The broker that devices publish to; empty: none."},
      {"mqtt.port", TANHUI_NUMBER(mqtt.port), 1, 65'535, "", "Its TCP port."},
      {"mqtt.client_id", TANHUI_TEXT(mqtt.client_id), 1, 60, "",
       "Names our session at the broker: one for each instance, the same for ever."},
      {"mqtt.user", TANHUI_TEXT(mqtt.user), 0, 60, "", "Our user at the broker."},
      {"mqtt.password", TANHUI_TEXT(mqtt.password), 0, 200, "", "Our password at the broker.", {}, true},
      {"mqtt.ca_file", TANHUI_TEXT(mqtt.ca_file), 0, kTextMax, "file",
       "Authorities by which the broker's certificate is checked; empty: no TLS."},
      {"people.codes",
       TANHUI_TEXT(people.codes),
       0,
       kTextMax,
       "",
       "How one-time codes reach people: not at all, shown at /api/v1/sandbox/messages (for development only), or by the mail server "
       "below.",
       {"none", "sandbox", "smtp"}},
      {"people.service_name", TANHUI_TEXT(people.service_name), 1, 100, "", "The name of the service in messages to people."},
      {"people.mail_from", TANHUI_TEXT(people.mail_from), 0, 254, "", "The sender's mail address."},
      {"people.smtp_host", TANHUI_TEXT(people.smtp_host), 0, 255, "", "The mail server."},
      {"people.smtp_port", TANHUI_NUMBER(people.smtp_port), 1, 65'535, "", "Its port."},
      {"people.smtp_security",
       TANHUI_TEXT(people.smtp_security),
       0,
       kTextMax,
       "",
       "starttls: must become TLS before anything is said; tls: from the first byte; plain: for a mail server on this machine only.",
       {"starttls", "tls", "plain"}},
      {"people.smtp_user", TANHUI_TEXT(people.smtp_user), 0, 255, "", "Login at the mail server; empty: without."},
      {"people.smtp_password", TANHUI_TEXT(people.smtp_password), 0, kTextMax, "", "Its password.", {}, true},
      {"people.smtp_ca_file", TANHUI_TEXT(people.smtp_ca_file), 0, kTextMax, "file",
       "Certificates to believe; empty: those of the system."},
      {"people.wechat",
       TANHUI_TEXT(people.wechat),
       0,
       kTextMax,
       "",
       "Login from a WeChat mini-program: not at all, the codes sandbox-NAME (for development only), or by WeChat.",
       {"none", "sandbox", "wechat"}},
      {"people.wechat_appid", TANHUI_TEXT(people.wechat_appid), 0, 255, "", "The mini-program's appid."},
      {"people.wechat_secret", TANHUI_TEXT(people.wechat_secret), 0, kTextMax, "", "The mini-program's secret.", {}, true},
      {"people.wechat_endpoint", TANHUI_TEXT(people.wechat_endpoint), 0, 255, "", "Where WeChat answers."},
      {"people.evaluations_per_second", TANHUI_NUMBER(people.evaluations_per_second), 1, 1'000'000, "elements",
       "Elements that a partner may have evaluated a second for pseudonyms, for long: the slower, the longer it takes to try all numbers."},
      {"people.evaluations_burst", TANHUI_NUMBER(people.evaluations_burst), 1'000, 1'000'000'000, "elements", "As many at once."},
      {"disk.free_bytes_min", TANHUI_NUMBER(disk.free_bytes_min), 0, std::numeric_limits<std::int64_t>::max(), "bytes",
       "With less free on the disk of the instance, /health/ready says that the service is not ready."},
  };
  return rows;
}

const Setting* find(std::string_view path) {
  const auto& rows = table();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Setting& row) { return row.path == path; });
  return found == rows.end() ? nullptr : &*found;
}

core::Error mistake(std::string id, const std::string& where, const std::string& message, std::string action) {
  return {core::ErrorCode::invalid_input, std::move(id), where + ": " + message, std::move(action), {{"place", where}}};
}

/// Why `text` cannot be the setting's value; empty after it was set.
std::string assign(const Setting& setting, Config& config, const std::string& text) {
  if (const auto* number = std::get_if<std::int64_t& (*)(Config&)>(&setting.place)) {
    std::int64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size() || value < setting.least || value > setting.most) {
      return fmt::format("a whole number from {} to {}", setting.least, setting.most);
    }
    (*number)(config) = value;
  } else if (const auto* flag = std::get_if<bool& (*)(Config&)>(&setting.place)) {
    if (text != "true" && text != "false") return "true or false";
    (*flag)(config) = text == "true";
  } else if (const auto* place = std::get_if<std::string& (*)(Config&)>(&setting.place)) {
    if (!setting.choices.empty() && std::find(setting.choices.begin(), setting.choices.end(), text) == setting.choices.end()) {
      return fmt::format("one of {}", fmt::join(setting.choices, ", "));
    }
    if (std::int64_t(text.size()) < setting.least || std::int64_t(text.size()) > setting.most || !core::is_utf8(text) ||
        text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return fmt::format("a line of {} to {} bytes", setting.least, setting.most);
    }
    (*place)(config) = text;
  } else {
    auto& list = std::get<std::vector<std::string>& (*)(Config&)>(setting.place)(config);
    list.clear();
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find(',', at), text.size());
      if (end > at) list.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    if (std::int64_t(list.size()) > setting.most) return fmt::format("at most {} of them, with commas between", setting.most);
  }
  return "";
}

class FileReader {
 public:
  FileReader(ReadConfig& out, const std::string& file) : out_(out), file_(file) {}

  void read(std::string_view text) {
    if (text.size() > kFileBytesMax) {
      out_.errors.push_back(
          mistake("config.bad-yaml", file_, fmt::format("more than {} bytes", kFileBytesMax), "this is no configuration"));
      return;
    }
    try {
      const YAML::Node root = YAML::Load(std::string(text));
      if (root.IsNull()) return;
      if (!root.IsMap()) {
        out_.errors.push_back(mistake("config.bad-yaml", place(root.Mark()), "the file is not a mapping of settings",
                                      "write for example 'http:' and below it '  port: 8080'"));
        return;
      }
      walk(root, "", 0);
    } catch (const YAML::Exception& problem) {
      out_.errors.push_back(mistake("config.bad-yaml", place(problem.mark), problem.msg, "write YAML as docs/configuration.md shows"));
    }
  }

 private:
  std::string place(const YAML::Mark& mark) const {
    return mark.is_null() ? file_ : fmt::format("{}:{}:{}", file_, mark.line + 1, mark.column + 1);
  }

  void walk(const YAML::Node& map, const std::string& prefix, int depth) {
    for (const auto& entry : map) {
      const YAML::Node &key = entry.first, &value = entry.second;
      if (!key.IsScalar() || depth > 4) {
        out_.errors.push_back(mistake("config.unknown-setting", place(key.Mark()), "this is no name of a setting",
                                      "docs/configuration.md lists the settings"));
        continue;
      }
      const std::string path = prefix + key.Scalar();
      if (!seen_.insert(path).second) {
        out_.errors.push_back(mistake("config.bad-value", place(key.Mark()), fmt::format("'{}' is there twice", path), "keep one"));
        continue;
      }
      if (const Setting* setting = find(path)) {
        set(*setting, path, value);
      } else if (const Setting* secret = path.ends_with("_file") ? find(std::string_view(path).substr(0, path.size() - 5)) : nullptr;
                 secret != nullptr && secret->secret) {
        if (!value.IsScalar() || value.Scalar().empty()) {
          out_.errors.push_back(
              mistake("config.bad-value", place(value.Mark()), fmt::format("'{}' is not the name of a file", path), "name a file"));
        } else {
          secret_files[std::string(secret->path)] = std::pair(value.Scalar(), place(value.Mark()));
        }
      } else if (value.IsMap() && is_section(path)) {
        walk(value, path + ".", depth + 1);
      } else {
        out_.errors.push_back(unknown(place(key.Mark()), path));
      }
    }
  }

  static bool is_section(const std::string& path) {
    return std::any_of(table().begin(), table().end(), [&](const Setting& row) { return row.path.starts_with(path + "."); });
  }

  static core::Error unknown(const std::string& where, const std::string& path) {
    std::string nearest;
    for (const Setting& row : table()) {
      const std::string_view last = row.path.substr(row.path.rfind('.') + 1);
      if (path.ends_with(last) || last.find(path.substr(path.rfind('.') + 1)) != std::string_view::npos) nearest = row.path;
    }
    return mistake("config.unknown-setting", where, fmt::format("there is no setting '{}'", path),
                   nearest.empty() ? "docs/configuration.md lists the settings"
                                   : fmt::format("did you mean {}? docs/configuration.md lists all", nearest));
  }

  void set(const Setting& setting, const std::string& path, const YAML::Node& value) {
    if (setting.secret) {
      out_.errors.push_back(
          mistake("config.secret-in-file", place(value.Mark()), fmt::format("'{}' is a secret and does not belong in this file", path),
                  fmt::format("write it into a file of its own and name that as {}_file, or set {}", path, variable_of(path))));
      return;
    }
    std::string text;
    const bool is_list = std::holds_alternative<std::vector<std::string>& (*)(Config&)>(setting.place);
    if (value.IsSequence() && is_list) {
      for (const YAML::Node& one : value) {
        if (!one.IsScalar() || one.Scalar().empty() || one.Scalar().find(',') != std::string::npos) {
          out_.errors.push_back(mistake("config.bad-value", place(one.Mark()),
                                        fmt::format("a value of '{}' is not a text without commas", path), "write texts"));
          return;
        }
        text += (text.empty() ? "" : ",") + one.Scalar();
      }
    } else if (value.IsScalar() && !is_list) {
      text = value.Scalar();
    } else {
      out_.errors.push_back(mistake("config.bad-value", place(value.Mark()),
                                    fmt::format("'{}' is not a {}", path, is_list ? "list" : "single value"),
                                    is_list ? "write [one, another]" : "write one value"));
      return;
    }
    if (const std::string expected = assign(setting, out_.configured.config, text); !expected.empty()) {
      out_.errors.push_back(mistake("config.bad-value", place(value.Mark()),
                                    fmt::format("'{}' is '{}', which is not {}", path, text.substr(0, 100), expected),
                                    fmt::format("write {}", expected)));
      return;
    }
    out_.configured.origins[path] = place(value.Mark());
  }

 public:
  std::map<std::string, std::pair<std::string, std::string>> secret_files;  // setting: file, where it was named

 private:
  ReadConfig& out_;
  std::string file_;
  std::set<std::string> seen_;
};

}  // namespace

std::span<const Setting> settings() { return table(); }

std::string variable_of(std::string_view path) {
  std::string name = "TANHUI_";
  for (const char c : path) name.push_back(c == '.' ? '_' : c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c);
  return name;
}

ReadConfig read_config(std::string_view text, const std::string& file,
                       const std::function<std::optional<std::string>(const std::string&)>& environment) {
  ReadConfig out;
  FileReader reader(out, file);
  reader.read(text);
  for (const Setting& setting : table()) {
    const std::string variable = variable_of(setting.path);
    std::optional<std::string> value = environment(variable);
    std::string origin = variable;
    if (setting.secret && !value) {
      auto named = reader.secret_files.find(std::string(setting.path));
      std::optional<std::string> secret_file = environment(variable + "_FILE");
      origin = variable + "_FILE";
      if (!secret_file && named != reader.secret_files.end()) {
        secret_file = named->second.first;
        origin = named->second.second;
      }
      if (!secret_file) continue;
      value = core::read_file(*secret_file);
      if (!value) {
        out.errors.push_back(mistake("config.no-secret", origin, fmt::format("the file '{}' cannot be read", *secret_file),
                                     "name a file that holds the secret and nothing else"));
        continue;
      }
      while (!value->empty() && (value->back() == '\n' || value->back() == '\r')) value->pop_back();
    }
    if (!value) continue;
    if (const std::string expected = assign(setting, out.configured.config, *value); !expected.empty()) {
      const std::string given =
          setting.secret ? "the secret is" : fmt::format("'{}' is '{}', which is", setting.path, value->substr(0, 100));
      out.errors.push_back(
          mistake("config.bad-value", origin, fmt::format("{} not {}", given, expected), fmt::format("set it to {}", expected)));
      continue;
    }
    out.configured.origins[std::string(setting.path)] = origin;
  }
  const Config& config = out.configured.config;
  if (out.errors.empty() && config.http.tls_certificate.empty() != config.http.tls_key.empty()) {
    out.errors.push_back(mistake("config.bad-value", file, "http.tls_certificate and http.tls_key go together", "set both or neither"));
  }
  return out;
}

ReadConfig read_config_file(const std::filesystem::path& file, bool must_exist) {
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value != nullptr && *value != '\0' ? std::optional<std::string>(value) : std::nullopt;
  };
  const auto text = core::read_file(file);
  ReadConfig read = read_config(text.value_or(""), file.string(), environment);
  if (!text && must_exist) {
    read.errors.insert(read.errors.begin(), core::Error{core::ErrorCode::not_found,
                                                        "config.not-found",
                                                        fmt::format("there is no file {}", file.string()),
                                                        "name the configuration with --config",
                                                        {{"file", file.string()}}});
  }
  return read;
}

std::string shown(const Setting& setting, const Config& config) {
  Config& readable = const_cast<Config&>(config);  // the places hand out references for both ways
  return std::visit(
      [&](const auto& place) -> std::string {
        const auto& value = place(readable);
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
          return fmt::format("[{}]", fmt::join(value, ", "));
        } else if constexpr (std::is_same_v<Value, bool>) {
          return value ? "true" : "false";
        } else if constexpr (std::is_same_v<Value, std::string>) {
          if (setting.secret) return value.empty() ? "(not set)" : "(set)";
          return value.empty() ? "\"\"" : value;
        } else {
          return std::to_string(value);
        }
      },
      setting.place);
}

std::string configuration_page() {
  const Config defaults;
  std::string page =
      "# Configuration\n\n"
      "<!-- Written by `tanhui config docs`; a test compares. -->\n\n"
      "`tanhui serve` reads `tanhui.yaml` in the instance's folder, or what `--config` names. Every setting has a default, so the file may "
      "be\n"
      "missing. A variable of the environment wins over the file: `TANHUI_HTTP_PORT` over `http.port`. `tanhui config check` tells what is "
      "wrong and where,\n"
      "`tanhui config show` what counts and where it comes from. A secret never stands in the file: `name_file` names a file that holds it "
      "and\n"
      "nothing else, or the variable is it.\n\n"
      "```yaml\nhttp:\n  address: 0.0.0.0\n  port: 8443\n  tls_certificate: /etc/tanhui/chain.pem\n  tls_key: /etc/tanhui/key.pem\nlog:\n  "
      "requests: errors\n```\n\n"
      "| setting | default | bounds | meaning |\n|---|---|---|---|\n";
  for (const Setting& setting : table()) {
    std::string bounds;
    if (!setting.choices.empty()) {
      bounds = fmt::format("{}", fmt::join(setting.choices, ", "));
    } else if (std::holds_alternative<std::int64_t& (*)(Config&)>(setting.place)) {
      bounds = setting.most == std::numeric_limits<std::int64_t>::max() ? fmt::format("{} or more", setting.least)
                                                                        : fmt::format("{} to {}", setting.least, setting.most);
    } else if (std::holds_alternative<bool& (*)(Config&)>(setting.place)) {
      bounds = "true, false";
    }
    if (!setting.unit.empty()) bounds += (bounds.empty() ? "" : " ") + std::string(setting.unit);
    page += fmt::format("| `{}` | {} | {} | {} |\n", setting.path, setting.secret ? "(secret)" : "`" + shown(setting, defaults) + "`",
                        bounds, setting.meaning);
  }
  return page;
}

}  // namespace tanhui::service
