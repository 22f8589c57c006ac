// service/service.h: the running service: configuration and an instance in, a server with every operation out.
#pragma once
#include <filesystem>
#include <memory>

#include "core/result.h"
#include "http/server.h"
#include "service/access.h"
#include "service/api.h"
#include "service/config.h"

namespace tanhui::service {

struct Options {
  Config config;
  std::filesystem::path instance;    // made when it is missing
  std::string database;              // see identity::Instance
  std::filesystem::path home;        // has api/, methodologies/, programmes/
  Authenticator authenticator = {};  // none: staff by their sessions, nobody else
  std::function<core::Millis()> now;
  std::function<void(std::span<std::uint8_t>)> random;
};

class Service {
 public:
  /// Errors: those of identity::Instance::open_or_create and http::Server::open.
  static core::Result<std::unique_ptr<Service>> open(Options options);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  /// Where it listens: "http://127.0.0.1:8080".
  std::string address() const;
  std::string metrics_address() const;  // empty: not served
  /// Until stop(), which any thread may call; returns when everything that has begun is answered.
  void run();
  void stop();
  const std::vector<Operation>& operations() const;

 private:
  struct State;
  explicit Service(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tanhui::service
