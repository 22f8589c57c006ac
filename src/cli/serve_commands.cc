#include "cli/serve_commands.h"

#include <fmt/format.h>
#include <sodium.h>

#include <csignal>
#include <thread>

#include "service/service.h"

namespace tanhui::cli {
namespace {

struct Options {
  std::string config, listen;
  bool operations = false;
};

std::filesystem::path config_file(const Options& options, const Shell& shell) {
  return options.config.empty() ? shell.instance / "tanhui.yaml" : std::filesystem::path(options.config);
}

int complain_all(const std::vector<core::Error>& errors, bool chinese) {
  for (const core::Error& error : errors) complain(error, chinese);
  return kRefused;
}

/// "8080", "127.0.0.1:8080" or "[::1]:8080".
core::Status apply_listen(const std::string& listen, service::Config& config) {
  const auto colon = listen.rfind(':');
  std::string address = colon == std::string::npos ? "" : listen.substr(0, colon);
  const std::string port = colon == std::string::npos ? listen : listen.substr(colon + 1);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') address = address.substr(1, address.size() - 2);
  int number = -1;
  if (!port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos) number = std::stoi(port);
  if (number < 0 || number > 65'535) {
    return core::Error{core::ErrorCode::invalid_input,
                       "serve.bad-address",
                       fmt::format("'{}' is no address to listen on", listen),
                       "write for example 127.0.0.1:8080",
                       {{"listen", listen}}};
  }
  if (!address.empty()) config.http.address = address;
  config.http.port = number;
  return core::Done{};
}

int serve(const Options& options, const Shell& shell) {
  auto read = service::read_config_file(config_file(options, shell), !options.config.empty());
  if (!read.errors.empty()) return complain_all(read.errors, shell.chinese());
  if (!options.listen.empty()) {
    if (const auto applied = apply_listen(options.listen, read.configured.config); !applied)
      return complain(applied.error(), shell.chinese());
  }
  if (options.operations) read.configured.config.http.port = read.configured.config.metrics.port = 0;  // disturb nobody
  // Threads that are made from here on leave the signals to the one that waits for them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
  service::Options opened;
  opened.config = read.configured.config;
  opened.instance = shell.instance;
  opened.database = shell.database;
  opened.home = shell.home;
  opened.now = now_ms;
  opened.random = [](std::span<std::uint8_t> bytes) { randombytes_buf(bytes.data(), bytes.size()); };
  auto service = service::Service::open(std::move(opened));
  if (!service) return complain(service.error(), shell.chinese());
  const auto running = *std::move(service);
  if (options.operations) {
    for (const service::Operation& one : running->operations()) {
      fmt::print("{} {} {} {} {}\n", http::name_of(one.method), one.path, one.operation_id, service::name_of(one.access.kind),
                 one.access.action.empty() ? "-" : one.access.action);
    }
    return kOk;
  }
  fmt::print(stderr, fmt::runtime(shell.chinese() ? "服务已启动：{}（Ctrl-C 停止）\n" : "Serving on {} (Ctrl-C stops)\n"),
             running->address());
  std::jthread waiter([&](const std::stop_token& over) {
    for (int number = 0; !over.stop_requested();) {
      sigwait(&signals, &number);
      if (over.stop_requested()) return;
      if (number == SIGUSR1) continue;
      fmt::print(stderr, "{}\n", shell.chinese() ? "正在停止：先答完已开始的请求" : "Stopping: what has begun is finished first");
      running->stop();
      sigset_t impatient;  // a second one ends the process at once
      sigemptyset(&impatient);
      for (const int again : {SIGINT, SIGTERM}) {
        sigdelset(&signals, again);
        sigaddset(&impatient, again);
      }
      pthread_sigmask(SIG_UNBLOCK, &impatient, nullptr);
    }
  });
  const auto wake = [&] {
    waiter.request_stop();
    pthread_kill(waiter.native_handle(), SIGUSR1);
  };
  try {
    running->run();
  } catch (...) {
    wake();
    throw;
  }
  wake();
  return kOk;
}

int check(const Options& options, const Shell& shell) {
  const auto read = service::read_config_file(config_file(options, shell), !options.config.empty());
  if (!read.errors.empty()) return complain_all(read.errors, shell.chinese());
  fmt::print(fmt::runtime(shell.chinese() ? "配置正确：{} 项设置不是默认值\n"
                                          : "The configuration is right: {} settings differ from their defaults.\n"),
             read.configured.origins.size());
  return kOk;
}

int show(const Options& options, const Shell& shell) {
  const auto read = service::read_config_file(config_file(options, shell), !options.config.empty());
  if (!read.errors.empty()) return complain_all(read.errors, shell.chinese());
  for (const service::Setting& setting : service::settings()) {
    const auto origin = read.configured.origins.find(setting.path);
    fmt::print("{:34} {:24} {}\n", setting.path, service::shown(setting, read.configured.config),
               origin == read.configured.origins.end() ? "default" : origin->second);
  }
  return kOk;
}

}  // namespace

void add_serve_commands(CLI::App& app, const Shell& shell, int& exit_code) {
  auto options = std::make_shared<Options>();
  const auto with_config = [options](CLI::App* command) {
    command->add_option("--config", options->config, "the configuration (default: tanhui.yaml in the instance's folder)");
    return command;
  };
  auto* command = with_config(
      app.add_subcommand("serve", "Serve the platform over HTTP until Ctrl-C or SIGTERM; requests that have begun are finished"));
  command->add_option("--listen", options->listen, "address:port or port, instead of the configuration's");
  command->add_flag("--operations", options->operations,
                    "only list what is served: method, path, operation, who may call it and by which right");
  command->callback([options, &shell, &exit_code] { exit_code = serve(*options, shell); });
  auto* config = app.add_subcommand("config", "The configuration of the service");
  config->require_subcommand(1);
  with_config(config->add_subcommand("check", "Say what is wrong in it, and where"))->callback([options, &shell, &exit_code] {
    exit_code = check(*options, shell);
  });
  with_config(config->add_subcommand("show", "Every setting, its value and where it comes from; no secrets"))
      ->callback([options, &shell, &exit_code] { exit_code = show(*options, shell); });
  config->add_subcommand("docs", "Print docs/configuration.md")->callback([&exit_code] {
    fmt::print("{}", service::configuration_page());
    exit_code = kOk;
  });
}

}  // namespace tanhui::cli
