// cli/methodology_commands.h: `tanhui methodology list | show | check | explain`. Translates words and files; src/methodology decides.
#pragma once
#include <filesystem>
#include <iosfwd>
#include <string>

namespace CLI {
class App;
}

namespace tanhui::cli {

/// Adds the command group. A parsed command leaves its exit code in `exit_code`: 0 done, 1 problems found, 2 bad usage or input.
/// `home` is the folder that holds methodologies/ and `language` en or zh, both read when the command runs; without them the library is
/// searched from the working folder upwards, and texts are English.
void add_methodology_commands(CLI::App& app, int& exit_code, std::ostream& out, std::ostream& err,
                              const std::filesystem::path* home = nullptr, const std::string* language = nullptr);

}  // namespace tanhui::cli
