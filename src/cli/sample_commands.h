// cli/sample_commands.h: `tanhui sample` writes a believable city; `tanhui demo` accounts one and sets its shares beside the published
// ones.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_sample_commands(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
