#include "service/config.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/files.h"

namespace tanhui::service {
namespace {

using Environment = std::map<std::string, std::string>;

ReadConfig read(std::string_view text, const Environment& environment = {}) {
  return read_config(text, "tanhui.yaml", [&](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(Config, DefaultsNeedNothing) {
  const auto config = read("");
  EXPECT_TRUE(config.errors.empty());
  EXPECT_TRUE(config.configured.origins.empty());
  EXPECT_EQ(config.configured.config.http.port, 8080);
}

TEST(Config, EveryDefaultIsWithinItsBounds) {
  const Config defaults;
  for (const Setting& setting : settings()) {
    if (setting.secret || std::holds_alternative<std::vector<std::string>& (*)(Config&)>(setting.place)) continue;
    const std::string value = shown(setting, defaults);
    const auto again = read("", {{variable_of(setting.path), value == "\"\"" ? "" : value}});
    EXPECT_TRUE(again.errors.empty()) << setting.path << ": " << (again.errors.empty() ? "" : again.errors.front().message);
    EXPECT_FALSE(setting.meaning.empty()) << setting.path;
  }
}

TEST(Config, TheFileIsReadAndTheEnvironmentWins) {
  const std::string text = "http:\n  port: 8443\n  allowed_origins: [https://a.example, https://b.example]\nlog: {requests: errors}\n";
  const auto file = read(text);
  ASSERT_TRUE(file.errors.empty()) << file.errors.front().message;
  EXPECT_EQ(file.configured.config.http.port, 8443);
  EXPECT_EQ(file.configured.config.http.allowed_origins.size(), 2U);
  EXPECT_EQ(file.configured.config.log.requests, "errors");
  EXPECT_EQ(file.configured.origins.at("http.port"), "tanhui.yaml:2:9");
  const auto both = read(text, {{"TANHUI_HTTP_PORT", "9000"}});
  EXPECT_EQ(both.configured.config.http.port, 9000);
  EXPECT_EQ(both.configured.origins.at("http.port"), "TANHUI_HTTP_PORT");
}

TEST(Config, MistakesSayWhere) {
  const struct {
    const char* text;
    const char* id;
    const char* message;
  } rows[] = {
      {"http:\n  prot: 1\n", "config.unknown-setting", "tanhui.yaml:2:3: there is no setting 'http.prot'"},
      {"htpp: {port: 1}\n", "config.unknown-setting", "tanhui.yaml:1:1: there is no setting 'htpp'"},
      {"http:\n  port: 65536\n", "config.bad-value",
       "tanhui.yaml:2:9: 'http.port' is '65536', which is not a whole number from 0 to 65535"},
      {"http:\n  port: 80.5\n", "config.bad-value", "tanhui.yaml:2:9: 'http.port' is '80.5', which is not a whole number from 0 to 65535"},
      {"http:\n  port: [80]\n", "config.bad-value", "tanhui.yaml:2:9: 'http.port' is not a single value"},
      {"http: 80\n", "config.unknown-setting", "tanhui.yaml:1:1: there is no setting 'http'"},
      {"log: {requests: some}\n", "config.bad-value", "tanhui.yaml:1:17: 'log.requests' is 'some', which is not one of all, errors, none"},
      {"http:\n  port: 1\n  port: 2\n", "config.bad-value", "tanhui.yaml:3:3: 'http.port' is there twice"},
      {"- 1\n", "config.bad-yaml", "tanhui.yaml:1:1: the file is not a mapping of settings"},
      {"http: [1\n", "config.bad-yaml", "tanhui.yaml:2:1: end of sequence flow not found"},
      {"http: {tls_key: k.pem}\n", "config.bad-value", "tanhui.yaml: http.tls_certificate and http.tls_key go together"},
  };
  for (const auto& [text, id, message] : rows) {
    const auto config = read(text);
    ASSERT_EQ(config.errors.size(), 1U) << text;
    EXPECT_EQ(config.errors.front().id, id) << text;
    EXPECT_EQ(config.errors.front().message, message);
  }
  EXPECT_EQ(read("http: {prot: 1, port: x}\n").errors.size(), 2U) << "all at once";
  EXPECT_EQ(read("", {{"TANHUI_HTTP_PORT", "x"}}).errors.front().message,
            "TANHUI_HTTP_PORT: 'http.port' is 'x', which is not a whole number from 0 to 65535");
}

TEST(Config, ThePageIsThatOfTheTable) {
  const auto page = core::read_file(std::filesystem::path(TANHUI_SOURCE_DIR) / "docs/configuration.md");
  EXPECT_EQ(page.value_or(""), configuration_page()) << "write it anew: tanhui config docs > docs/configuration.md";
}

}  // namespace
}  // namespace tanhui::service
