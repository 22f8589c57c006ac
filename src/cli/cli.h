// cli/cli.h: the commands of `tanhui`. Each only translates: arguments to a call, its result to text and an exit code.
#pragma once

namespace tanhui::cli {

/// Parses and runs; returns the exit code (cli/shell.h). Catches what failed in the world and says "try again".
int main(int argc, char** argv);

}  // namespace tanhui::cli
