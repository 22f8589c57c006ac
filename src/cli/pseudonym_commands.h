// cli/pseudonym_commands.h: `tanhui pseudonym …`: partners blind ids, the platform evaluates, partners finish; the platform's keys.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_pseudonym_commands(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
