#include "cli/cli.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include <cstdlib>
#include <iostream>
#include <limits>

#include "cli/account_command.h"
#include "cli/backup_commands.h"
#include "cli/device_commands.h"
#include "cli/interrupt.h"
#include "cli/methodology_commands.h"
#include "cli/people_commands.h"
#include "cli/person_commands.h"
#include "cli/programme_commands.h"
#include "cli/pseudonym_commands.h"
#include "cli/recalculate_command.h"
#include "cli/sample_commands.h"
#include "cli/seal_command.h"
#include "cli/serve_commands.h"
#include "cli/setup_commands.h"
#include "cli/shell.h"
#include "cli/staff_commands.h"
#include "cli/verify_commands.h"
#include "core/invariant.h"

namespace tanhui::cli {
namespace {

// A segment is one open file per local day; the usual soft limit of 1024 is fewer than three years.
void allow_many_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// Memory that was touched once is kept: on virtual machines a page's first touch costs more than all work on it. Large buffers come and go
// with every partition of a run, and by default each of them would be given back to the system and taken again.
void keep_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
}

int parse_and_run(int argc, char** argv) {
  Shell shell;
  shell.home = find_home(argv[0]);
  const char* instance = std::getenv("TANHUI_INSTANCE");
  shell.instance = instance != nullptr && *instance != '\0' ? instance : ".instance";
  const char* database = std::getenv("TANHUI_DATABASE");
  if (database != nullptr) shell.database = database;
  const char* language = std::getenv("LANG");
  if (language != nullptr && std::string_view(language).starts_with("zh")) shell.language = "zh";
  int exit_code = kOk;

  CLI::App app("Tanhui: open infrastructure for carbon inclusion", "tanhui");
  app.set_version_flag("--version", "tanhui 0.1.0");
  app.add_option("--instance", shell.instance,
                 "folder of the installation: accounts, journal, key (default .instance, or TANHUI_INSTANCE)");
  app.add_option(
      "--database", shell.database,
      "where the accounts are: postgresql://user@host/name, or a SQLite file (default: tanhui.db in the instance's folder, or what "
      "was given at first, or TANHUI_DATABASE)");
  app.add_option("--home", shell.home, "folder with methodologies/, programmes/, profiles/ (default: the source tree, or TANHUI_HOME)");
  app.add_option("--lang", shell.language, "en or zh")->check(CLI::IsMember({"en", "zh"}));
  app.require_subcommand(1);
  app.fallthrough();
  add_account_command(app, shell, exit_code);
  add_recalculate_command(app, shell, exit_code);
  add_people_commands(app, shell, exit_code);
  add_person_commands(app, shell, exit_code);
  add_programme_commands(app, shell, exit_code);
  add_setup_commands(app, shell, exit_code);
  add_staff_commands(app, shell, exit_code);
  add_pseudonym_commands(app, shell, exit_code);
  add_sample_commands(app, shell, exit_code);
  add_verify_commands(app, shell, exit_code);
  add_seal_command(app, shell, exit_code);
  add_device_commands(app, shell, exit_code);
  add_backup_commands(app, shell, exit_code);
  add_serve_commands(app, shell, exit_code);
  add_methodology_commands(app, exit_code, std::cout, std::cerr, &shell.home, &shell.language);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return kRefused;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  allow_many_files();
  keep_memory();
  try {
    return parse_and_run(argc, argv);
  } catch (const Interrupted&) {
    fmt::print(stderr, "stopped; nothing was booked\n");
    return kInterrupted;
  } catch (const core::InvariantBroken& broken) {
    fmt::print(stderr, "error: {}\n  what to do: nothing was booked; this is a mistake in the program, please report it\n", broken.what());
    return kFailed;
  } catch (const std::exception& failure) {
    fmt::print(stderr,
               "error: {}\n  what to do: mend the cause (disk, memory, rights) and try again; what was booked is recognised and not booked "
               "twice\n",
               failure.what());
    return kFailed;
  }
}

}  // namespace tanhui::cli
