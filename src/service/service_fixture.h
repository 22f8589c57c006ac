// service/service_fixture.h: for tests: a whole service on a free port of the loopback, on the store under test, with the demo programme
// open and partners whose keys the test holds.
#pragma once
#include <gtest/gtest.h>

#include <random>

#include "activity/account_fixture.h"
#include "http/server_fixture.h"
#include "http/signature.h"
#include "identity/programmes.h"
#include "service/partners.h"
#include "service/person_access.h"
#include "service/service.h"

namespace tanhui::service::test {

namespace fs = std::filesystem;
using activity::test::kHome;

inline std::vector<std::uint8_t> secret_of(std::string_view key_id) {
  const core::Digest digest = core::sha256(key_id);
  return {digest.begin(), digest.end()};
}

class RunningService {
 public:
  core::Millis now_ms = activity::test::kNow;

  explicit RunningService(const std::function<void(Config&)>& configure = {})
      : folder_(fs::temp_directory_path() / fs::path("tanhui-service-" + std::to_string(std::random_device{}()))),
        database_(db::test::fresh_store()) {
    fs::create_directories(folder_);
    config_.http.port = 0;
    config_.metrics.port = 0;
    config_.log.requests = "none";
    config_.log.level = "error";
    config_.activities.book_every_ms = 0;
    if (configure) configure(config_);
    seed();
    start();
  }
  ~RunningService() {
    stop();
    fs::remove_all(folder_);
  }
  void start() {
    keys_ = std::make_shared<PartnerKeys>([](std::string_view key_id) -> std::optional<PartnerKey> {
      if (!key_id.starts_with("metro") && !key_id.starts_with("sandbox")) return std::nullopt;
      return PartnerKey{{std::string(key_id), "metro-company", "wuhan-demo", "metro-gate", key_id.starts_with("sandbox")},
                        *http::SignatureKey::hmac(secret_of(key_id)),
                        0,
                        0};
    });
    Options options;
    options.config = config_;
    options.instance = folder_ / "instance";
    options.database = database_;
    options.home = kHome;
    options.now = [this] { return now_ms; };
    options.random = [](std::span<std::uint8_t> bytes) {
      std::random_device source;
      for (std::uint8_t& byte : bytes) byte = std::uint8_t(source());
    };
    people_ = std::make_unique<db::Pool>(*identity::Instance::database_of(options.instance, database_));
    options.authenticator = by_kind(partner_authenticator(keys_, std::make_shared<http::NonceStore>(now_ms - 600'000), options.now),
                                    person_authenticator(*people_, options.now), nobody());
    auto opened = Service::open(std::move(options));
    if (!opened) throw std::runtime_error(opened.error().message);
    service_ = *std::move(opened);
    const std::string address = service_->address();
    port_ = std::uint16_t(std::stoi(address.substr(address.rfind(':') + 1)));
    thread_ = std::jthread([this] { service_->run(); });
  }
  void stop() {
    if (!service_) return;
    service_->stop();
    thread_.join();
    service_.reset();
  }
  std::uint16_t port() const { return port_; }
  const fs::path& folder() const { return folder_; }
  identity::Instance instance() { return *identity::Instance::open(folder_ / "instance", database_); }

  /// A request that a partner signs, as bytes.
  std::string signed_request(std::string_view key_id, std::string_view path, const std::string& body, std::string_view method = "POST") {
    const std::string digest = http::content_digest(body), nonce = std::to_string(++nonce_);
    const std::vector<http::FieldView> fields{{"host", "localhost"}, {"content-digest", digest}, {"content-type", "application/x-ndjson"}};
    const http::MessageView message{
        .method = method, .scheme = "http", .authority = "localhost", .target = path, .fields = fields, .body = body};
    const std::array<std::string_view, 4> components{"@method", "@target-uri", "content-digest", "content-type"};
    const auto signature =
        *http::sign(message, "sig", components, {.created_s = now_ms / 1000, .keyid = std::string(key_id), .nonce = nonce},
                    *http::SignatureKey::hmac(secret_of(key_id)));
    return fmt::format(
        "{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Digest: {}\r\nSignature-Input: "
        "{}\r\nSignature: {}\r\nContent-Length: {}\r\n\r\n{}",
        method, path, digest, signature.signature_input, signature.signature, body.size(), body);
  }
  std::string post(std::string_view key_id, const std::string& body, std::string_view path = "/api/v1/activities") {
    return ask(signed_request(key_id, path, body));
  }
  std::string get(std::string_view key_id, std::string_view path) { return ask(signed_request(key_id, path, "", "GET")); }
  std::string ask(const std::string& request) {
    http::test::RawClient client(port_);
    client.send(request);
    return client.read_answer();
  }

 private:
  void seed() {
    auto instance = *identity::Instance::open_or_create(folder_ / "instance", database_);
    std::vector<std::string> yamls;
    for (const char* name : {"wuhan-demo.yaml"}) {
      std::ifstream file(kHome / "programmes" / name);
      yamls.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    auto imported = instance.database().transact([&](db::Transaction& tx) {
      return identity::import_programmes(tx, {std::string(identity::kConsole), "", now_ms}, yamls);
    });
    if (!imported) throw std::runtime_error(imported.error().message);
  }
  Config config_;
  fs::path folder_;
  std::string database_;
  std::shared_ptr<PartnerKeys> keys_;
  std::unique_ptr<db::Pool> people_;
  std::unique_ptr<Service> service_;
  std::jthread thread_;
  std::uint16_t port_ = 0;
  std::uint64_t nonce_ = 0;
};

}  // namespace tanhui::service::test
