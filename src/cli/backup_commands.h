// cli/backup_commands.h: `tanhui backup TO`, `tanhui restore FROM`, `tanhui migrate --from STORE --to STORE`.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_backup_commands(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
