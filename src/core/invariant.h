// core/invariant.h: what must hold in release builds too. A broken invariant throws to the rim; the transaction rolls back.
#pragma once
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tanhui::core {

struct InvariantBroken : std::logic_error {
  using std::logic_error::logic_error;
};

/// `what` says the law that was broken, for example "counts in equal counts out".
inline void invariant(bool holds, std::string_view what, std::source_location where = std::source_location::current()) {
  if (holds) [[likely]] {
    return;
  }
  std::string message = "invariant broken: ";
  message.append(what).append(" (").append(where.file_name()).append(":").append(std::to_string(where.line())).append(")");
  throw InvariantBroken(message);
}

}  // namespace tanhui::core
