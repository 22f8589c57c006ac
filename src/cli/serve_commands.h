// cli/serve_commands.h: `tanhui serve` and `tanhui config`.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_serve_commands(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
