// cli/shell.h: what every command needs from its surroundings: folders, language, clock, and how an error reaches people.
#pragma once
#include <filesystem>
#include <string>

#include "core/result.h"
#include "core/time.h"
#include "identity/instance.h"
#include "identity/programme.h"
#include "methodology/methodology.h"

namespace tanhui::cli {

/// Exit codes of all commands (README lists them).
enum Exit : int {
  kOk = 0,
  kProblems = 1,       // it ran, and found what it was asked to look for (mistakes in methodologies)
  kRefused = 2,        // usage or input is wrong; the message says what to do
  kFailed = 3,         // the world failed: disk, memory, a broken invariant; nothing was booked
  kInterrupted = 130,  // stopped by the user; nothing was booked
};

struct Shell {
  std::filesystem::path home;      // has methodologies/, programmes/, profiles/
  std::filesystem::path instance;  // --instance, TANHUI_INSTANCE or .instance
  std::string database;            // --database, TANHUI_DATABASE; empty: the one that the instance remembers
  std::string language = "en";     // en or zh
  bool chinese() const { return language == "zh"; }

  core::Result<identity::Instance> open_instance() const { return identity::Instance::open(instance, database); }
  core::Result<identity::Instance> open_or_create_instance() const { return identity::Instance::open_or_create(instance, database); }
  core::Result<methodology::Library> library() const;
  /// The settings in force now of a programme of the instance, else a file of programmes/. Errors: of the instance, programme.not-found.
  core::Result<identity::Programme> programme(const std::string& id) const;
  /// As above, and something may be credited in it: it is open, or a file. Refused programme.not-open.
  core::Result<identity::Programme> open_programme(const std::string& id) const;
  /// A profile by name (profiles/NAME.yaml) or path.
  core::Result<std::filesystem::path> profile(const std::string& name) const;
};

/// The folder that has methodologies/ beside programmes/: TANHUI_HOME, else upwards from the program and from the working folder.
std::filesystem::path find_home(const char* program);

/// Prints message and action to standard error; returns kRefused.
int complain(const core::Error& error, bool chinese);

/// A key as reports print it (32 digits), or an id as partners send it.
core::PersonKey person_key(const identity::Instance& instance, const std::string& person);

core::Millis now_ms();
/// Most memory this process ever held, in bytes.
std::uint64_t peak_memory_bytes();
bool is_terminal(int descriptor);

}  // namespace tanhui::cli
