// cli/recalculate_command.h: `tanhui recalculate`: a methodology was corrected; what was booked by its older versions is put right.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_recalculate_command(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
