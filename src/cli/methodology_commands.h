// cli/methodology_commands.h: `tanhui methodology list | show | check | explain`. Translates words and files; src/methodology decides.
#pragma once
#include <functional>
#include <iosfwd>

namespace CLI {
class App;
}

namespace tanhui::cli {

/// Adds the command group. A parsed command leaves its exit code in `exit_code`: 0 done, 1 problems found, 2 bad usage or input.
void add_methodology_commands(CLI::App& app, int& exit_code, std::ostream& out, std::ostream& err);

}  // namespace tanhui::cli
