#include "cli/console.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

namespace tanhui::cli {
namespace {

/// The terminal shows nothing of what is typed while this lives.
class Unseen {
 public:
  Unseen() {
    is_terminal_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    termios hidden = before_;
    hidden.c_lflag &= ~tcflag_t(ECHO);
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  }
  ~Unseen() {
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;

 private:
  termios before_{};
  bool is_terminal_ = false;
};

std::optional<std::string> line_of_input() {
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

}  // namespace

core::Result<std::string> ask_password(bool chinese) {
  const core::Error none{core::ErrorCode::invalid_input,
                         "password.none",
                         "no password was given",
                         "type it, or give it as the first line of standard input",
                         {}};
  if (!is_terminal(STDIN_FILENO)) {
    auto line = line_of_input();
    if (!line || line->empty()) return none;
    return *std::move(line);
  }
  const Unseen unseen;
  const auto ask = [](const char* words) {
    fmt::print(stderr, "{}: ", words);
    auto line = line_of_input();
    fmt::print(stderr, "\n");
    return line;
  };
  const auto first = ask(chinese ? "密码" : "password");
  if (!first || first->empty()) return none;
  if (ask(chinese ? "再次输入" : "once more") != first)
    return core::Error{core::ErrorCode::invalid_input, "password.differs", "the two are not the same", "start again", {}};
  return *first;
}

}  // namespace tanhui::cli
