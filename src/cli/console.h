// cli/console.h: what an operator changes at the machine's own command line: in one transaction, written into the trail as done by
// whoever may run commands here, and joined to the transparency log at once.
#pragma once
#include <string>

#include "cli/shell.h"
#include "identity/edit.h"
#include "identity/trail.h"
#include "journal/log.h"

namespace tanhui::cli {

inline identity::By by_console() { return {std::string(identity::kConsole), "", now_ms()}; }

/// Runs `work(tx)`, which returns a core::Result. Errors: its own, and those of opening the log, before anything is done.
template <class Work>
auto at_console(identity::Instance& instance, Work work) -> decltype(work(std::declval<db::Transaction&>())) {
  const auto log = journal::Log::open(instance.folder(), instance.database(), now_ms());
  if (!log) return log.error();
  auto result = instance.database().transact([&](db::Transaction& tx) {
    auto done = work(tx);
    if (done) identity::join_log(tx, *log, now_ms());
    return done;
  });
  if (result) log->publish(instance.database());
  return result;
}

/// A password, asked for twice without showing it, or the first line of standard input when that is no terminal; never an argument, which
/// everybody on the machine can read. Errors: password.differs, password.none.
core::Result<std::string> ask_password(bool chinese);

}  // namespace tanhui::cli
