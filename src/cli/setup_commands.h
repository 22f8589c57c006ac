// cli/setup_commands.h: `tanhui programme create | import | list | show | settings | draft | stage | open | pause | close` and
// `tanhui partner key new | list | rotate | revoke`: a programme from its first line to its end, without a server.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_setup_commands(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
