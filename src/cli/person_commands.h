// cli/person_commands.h: `tanhui person …` and `tanhui keys …`: the operator's door to people who registered, each look recorded where the
// person sees it; and the keys that everything about them is sealed under.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

void add_person_commands(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
