// cli/people_commands.h: `tanhui statement PERSON` and `tanhui balance`: what stands in the accounts, and why.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_people_commands(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
