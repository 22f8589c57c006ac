// cli/verify_commands.h: `tanhui prove`, `tanhui verify`, `tanhui log`, `tanhui witness`.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_verify_commands(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
