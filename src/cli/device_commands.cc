#include "cli/device_commands.h"

#include <fmt/format.h>

#include <iostream>

#include "cli/console.h"
#include "cli/table.h"
#include "core/files.h"
#include "core/json.h"
#include "identity/programmes.h"
#include "identity/secret.h"
#include "service/device.h"
#include "service/ocpi.h"

namespace tanhui::cli {
namespace {

struct Options {
  std::string id, programme, source, passwords, access, service_user = "tanhui.service";
  bool json = false;
};

service::Random randomness() {
  return [](std::span<std::uint8_t> bytes) { identity::system_randomness()(bytes); };
}

std::string day_of(core::Millis instant) { return core::to_text_utc(instant).substr(0, 16); }

/// The programme as it is in the instance now. Errors: programme.unknown.
core::Result<identity::Programme> stored(db::Reader& reader, const std::string& id) {
  if (auto programme = identity::programme_at(reader, id, now_ms())) return *std::move(programme);
  return core::Error{core::ErrorCode::not_found,
                     "programme.unknown",
                     fmt::format("the instance has no programme '{}'", id),
                     "tanhui programme list shows them",
                     {{"programme", id}}};
}

template <class Work>
int in_instance(const Shell& shell, Work work) {
  auto instance = shell.open_instance();
  if (!instance) return complain(instance.error(), shell.chinese());
  auto opened = *std::move(instance);
  return work(opened);
}

int create(const Options& options, const Shell& shell) {
  return in_instance(shell, [&](identity::Instance& instance) {
    const auto made = at_console(instance, [&](db::Transaction& tx) -> core::Result<service::CreatedDevice> {
      const auto programme = stored(tx, options.programme);
      if (!programme) return programme.error();
      auto device = service::create_device(tx, *programme, options.id, options.source, now_ms(), randomness());
      if (device) identity::record_action(tx, by_console(), "device.create", programme->id, options.id, "", options.source);
      return device;
    });
    if (!made) return complain(made.error(), shell.chinese());
    const std::string topic = service::device_topic(options.programme, options.id);
    if (options.json) {
      fmt::print("{}\n", boost::json::serialize(boost::json::object{
                             {"id", options.id}, {"user", options.id}, {"password", made->password}, {"topic", topic}}));
    } else if (shell.chinese()) {
      fmt::print("设备 {} 已登记\n  用户    {}\n  密码    {}（仅显示一次）\n  主题    {}\n之后请运行 tanhui device broker 更新消息代理\n",
                 options.id, options.id, made->password, topic);
    } else {
      fmt::print(
          "Device {} is registered.\n  user      {}\n  password  {}  (shown once)\n  topic     {}\nNow let the broker know: tanhui device "
          "broker\n",
          options.id, options.id, made->password, topic);
    }
    return int(kOk);
  });
}

int list(const Options& options, const Shell& shell) {
  return in_instance(shell, [&](identity::Instance& instance) {
    const auto devices = service::list_devices(instance.database(), options.programme);
    if (options.json) {
      boost::json::array all;
      for (const service::Device& device : devices) {
        boost::json::object one{{"id", device.id},
                                {"programme", device.programme},
                                {"source", device.source},
                                {"created", core::to_text_utc(device.created_ms)}};
        if (device.revoked_ms) one["revoked"] = core::to_text_utc(*device.revoked_ms);
        all.push_back(std::move(one));
      }
      fmt::print("{}\n", boost::json::serialize(all));
      return int(kOk);
    }
    Table table({Align::left, Align::left, Align::left, Align::left, Align::left});
    shell.chinese() ? table.head({"设备", "项目", "来源", "登记", "停用"})
                    : table.head({"device", "programme", "source", "created", "revoked"});
    for (const service::Device& device : devices)
      table.row(
          {device.id, device.programme, device.source, day_of(device.created_ms), device.revoked_ms ? day_of(*device.revoked_ms) : ""});
    fmt::print("{}", table.text());
    return int(kOk);
  });
}

int revoke(const Options& options, const Shell& shell) {
  return in_instance(shell, [&](identity::Instance& instance) {
    const auto done = at_console(instance, [&](db::Transaction& tx) -> core::Status {
      const auto device = service::find_device(tx, options.id);
      if (auto status = service::revoke_device(tx, options.id, now_ms()); !status) return status;
      identity::record_action(tx, by_console(), "device.revoke", device->programme, options.id, device->source, "");
      return core::Done{};
    });
    if (!done) return complain(done.error(), shell.chinese());
    fmt::print("{}\n", shell.chinese()
                           ? "已停用；服务数秒内不再接受其消息，之后请运行 tanhui device broker 更新消息代理"
                           : "Revoked. The service refuses its messages within seconds; now let the broker know: tanhui device broker");
    return int(kOk);
  });
}

int broker(const Options& options, const Shell& shell) {
  std::string password;
  std::getline(std::cin, password);
  if (password.empty())
    return complain({core::ErrorCode::invalid_input, "device.no-password", "standard input holds no password for the service",
                     "give the service's own password at the broker on standard input: the one that TANHUI_MQTT_PASSWORD_FILE holds"},
                    shell.chinese());
  return in_instance(shell, [&](identity::Instance& instance) {
    core::write_file(options.passwords,
                     service::broker_passwords(instance.database(), service::password_line(options.service_user, password, randomness())),
                     0600);
    core::write_file(options.access, service::broker_access(instance.database(), options.service_user), 0600);
    fmt::print(fmt::runtime(shell.chinese() ? "已写入 {} 和 {}；请向消息代理发送 SIGHUP\n" : "Wrote {} and {}; send the broker SIGHUP.\n"),
               options.passwords, options.access);
    return int(kOk);
  });
}

int dead(const Options& options, const Shell& shell) {
  return in_instance(shell, [&](identity::Instance& instance) {
    const auto letters = service::dead_letters(instance.database(), 100);
    if (options.json) {
      boost::json::array all;
      for (const service::DeadLetter& one : letters)
        all.push_back(boost::json::object{{"number", one.number},
                                          {"at", core::to_text_utc(one.at_ms)},
                                          {"programme", one.programme},
                                          {"device", one.device},
                                          {"reason", one.reason},
                                          {"message", one.message},
                                          {"bytes", one.bytes},
                                          {"sha256", core::to_hex(one.digest)}});
      fmt::print("{}\n", boost::json::serialize(all));
      return int(kOk);
    }
    Table table({Align::left, Align::left, Align::left, Align::right, Align::left});
    shell.chinese() ? table.head({"时间", "设备", "原因", "字节", "说明"}) : table.head({"at", "device", "reason", "bytes", "message"});
    for (const service::DeadLetter& one : letters) table.row({day_of(one.at_ms), one.device, one.reason, grouped(one.bytes), one.message});
    fmt::print("{}", table.text());
    return int(kOk);
  });
}

int invite(const Options& options, const Shell& shell) {
  return in_instance(shell, [&](identity::Instance& instance) {
    const auto made = at_console(instance, [&](db::Transaction& tx) -> core::Result<service::OcpiInvitation> {
      const auto programme = stored(tx, options.programme);
      if (!programme) return programme.error();
      auto invitation = service::invite_ocpi_party(tx, *programme, options.source, now_ms(), randomness());
      if (invitation) identity::record_action(tx, by_console(), "ocpi.invite", programme->id, invitation->id, "", options.source);
      return invitation;
    });
    if (!made) return complain(made.error(), shell.chinese());
    if (options.json) {
      fmt::print("{}\n",
                 boost::json::serialize(boost::json::object{{"id", made->id}, {"token", made->token}, {"versions", "/ocpi/versions"}}));
    } else {
      fmt::print(
          fmt::runtime(
              shell.chinese()
                  ? "OCPI 对接方 {}\n  令牌      {}（仅显示一次，用于注册）\n  版本地址  <公开地址>/ocpi/versions\n"
                  : "OCPI party {}\n  token     {}  (shown once, for the registration)\n  versions  <public address>/ocpi/versions\n"),
          made->id, made->token);
    }
    return int(kOk);
  });
}

int list_parties(const Options& options, const Shell& shell) {
  return in_instance(shell, [&](identity::Instance& instance) {
    const auto parties = service::list_ocpi_parties(instance.database());
    const auto state = [](const service::OcpiParty& party) {
      return party.revoked ? "revoked" : party.registered ? "registered" : "invited";
    };
    if (options.json) {
      boost::json::array all;
      for (const auto& one : parties)
        all.push_back(boost::json::object{
            {"id", one.id}, {"programme", one.programme}, {"source", one.source}, {"state", state(one)}, {"url", one.url}});
      fmt::print("{}\n", boost::json::serialize(all));
      return int(kOk);
    }
    Table table({Align::left, Align::left, Align::left, Align::left, Align::left});
    shell.chinese() ? table.head({"对接方", "项目", "来源", "状态", "地址"}) : table.head({"party", "programme", "source", "state", "url"});
    for (const auto& one : parties) table.row({one.id, one.programme, one.source, state(one), one.url});
    fmt::print("{}", table.text());
    return int(kOk);
  });
}

int revoke_party(const Options& options, const Shell& shell) {
  return in_instance(shell, [&](identity::Instance& instance) {
    const auto done = at_console(instance, [&](db::Transaction& tx) -> core::Status {
      if (auto status = service::revoke_ocpi_party(tx, options.id); !status) return status;
      identity::record_action(tx, by_console(), "ocpi.revoke", "", options.id);
      return core::Done{};
    });
    if (!done) return complain(done.error(), shell.chinese());
    fmt::print("{}\n", shell.chinese() ? "已停用" : "Revoked.");
    return int(kOk);
  });
}

}  // namespace

void add_device_commands(CLI::App& app, Shell& shell, int& exit_code) {
  const auto options = std::make_shared<Options>();
  const auto add = [&](CLI::App* parent, const char* name, const char* help, int (*run)(const Options&, const Shell&)) {
    auto* command = parent->add_subcommand(name, help);
    command->add_flag("--json", options->json, "machine-readable");
    command->callback([&shell, &exit_code, options, run] { exit_code = run(*options, shell); });
    return command;
  };
  const auto where = [&](CLI::App* command) {
    command->add_option("-p,--programme", options->programme, "programme")->required();
    command->add_option("--source", options->source, "source of the programme that it speaks for")->required();
  };
  auto* device = app.add_subcommand("device", "Devices that publish records over MQTT");
  device->require_subcommand(1);
  auto* created = add(device, "create", "Registers a device; its password is shown once", create);
  created->add_option("id", options->id, "letters, digits, - and _")->required();
  where(created);
  add(device, "list", "All devices", list)->add_option("-p,--programme", options->programme, "only of this programme");
  add(device, "revoke", "At once and for good", revoke)->add_option("id", options->id, "the device")->required();
  auto* files =
      add(device, "broker", "Writes mosquitto's password and access files; the service's own password comes on standard input", broker);
  files->add_option("--passwords", options->passwords, "password_file")->required();
  files->add_option("--access", options->access, "acl_file")->required();
  files->add_option("--service-user", options->service_user, "the service's user at the broker (default tanhui.service)");
  add(device, "dead-letters", "The latest messages that nothing could be made of", dead);

  auto* ocpi = app.add_subcommand("ocpi", "Charging operators and hubs that push charge detail records (OCPI 2.2.1)");
  ocpi->require_subcommand(1);
  where(add(ocpi, "invite", "A token with which an operator registers; it is shown once", invite));
  add(ocpi, "list", "All of them", list_parties);
  add(ocpi, "revoke", "At once and for good", revoke_party)->add_option("id", options->id, "the party")->required();
}

}  // namespace tanhui::cli
