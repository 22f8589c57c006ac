// cli/programme_commands.h: what an operator does for a programme: `tanhui points expire` and `tanhui consent give | withdraw`.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_programme_commands(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
