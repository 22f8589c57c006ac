// cli/device_commands.h: tanhui device …, tanhui ocpi …: what speaks to the service in its own way: devices over MQTT, charging operators.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_device_commands(CLI::App& app, Shell& shell, int& exit_code);

}  // namespace tanhui::cli
