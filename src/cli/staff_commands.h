// cli/staff_commands.h: `tanhui staff create | list | member | disable | enable | reset | rights | trail` and
// `tanhui organisation create | list`: how an instance gets its first administrator, and what an operator does without a server.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_staff_commands(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
