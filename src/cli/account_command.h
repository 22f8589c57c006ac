// cli/account_command.h: `tanhui account`: partners' files in, credited accounts and a report out.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_account_command(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
