// identity/edit.h: who changes something, and that nobody's change is lost. Every change names a By, which the trail keeps
// (identity/trail.h). What can be edited has a version that grows by one with each edit; an edit may name the version it was made from.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/time.h"

namespace tanhui::identity {

/// The console is whoever may run commands on the machine: there the operating system decides who that is.
constexpr std::string_view kConsole = "console";

struct By {
  std::string staff;    // its id, or kConsole
  std::string request;  // id of the request; empty at the console
  core::Millis at_ms = 0;
};

/// The version an edit was made from; none: whatever is there.
using Expected = std::optional<std::int64_t>;
/// Errors: conflict edit.conflict.
core::Status check_version(std::string_view what, std::string_view id, std::int64_t is, const Expected& expected);

/// "st-" and 26 random characters of 0-9 and a-z: 130 bits, so that ids cannot be guessed and never meet.
std::string random_id(std::string_view prefix);

}  // namespace tanhui::identity
