// simulator/child.h: work in a process of its own, which a fault may end at any call.
#pragma once
#include <functional>
#include <string>

#include "fault.h"

namespace tanhui::sim {

struct Fault {
  fault_kind kind = FAULT_NONE;
  long at = 0;
};

struct Outcome {
  std::string answer;   // what the work said, as far as it came
  bool killed = false;  // by SIGKILL
  bool broken = false;  // by anything else: another signal, a hang, an exit that is not ours
  long calls = 0;       // how many calls of fault.h it made
  int fired = 0;
  std::string where;  // the call that met the fault
};

/// `work(say)` runs in a fork; what it says reaches the parent at once. Exceptions become the answer "failed: ...".
Outcome in_child(const Fault& fault, const std::function<void(const std::function<void(const std::string&)>& say)>& work);

}  // namespace tanhui::sim
