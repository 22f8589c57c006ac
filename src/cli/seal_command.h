// cli/seal_command.h: `tanhui seal --compact`.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_seal_command(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
