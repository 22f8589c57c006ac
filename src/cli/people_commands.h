// cli/people_commands.h: `tanhui statement PERSON` and `tanhui balance`: what stands in the accounts, and why.
#pragma once
#include <CLI/CLI.hpp>

#include "cli/shell.h"

namespace tanhui::cli {

/// A key as reports print it, or an id as partners send it.
core::PersonKey person_key(const identity::Instance& instance, const std::string& person);

void add_people_commands(CLI::App& app, const Shell& shell, int& exit_code);

}  // namespace tanhui::cli
