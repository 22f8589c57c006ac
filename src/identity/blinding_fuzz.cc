// libFuzzer: any bytes as a state of blinding, as requests to evaluate and as responses to finish: what is read is written as it stood,
// and nothing that was not evaluated becomes a pseudonym.
#include <sstream>

#include "core/invariant.h"
#include "identity/blinding.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tanhui;  // NOLINT: a fuzz target is nobody's header
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto state = identity::parse_blind_state(text)) core::invariant(state->text() == text, "a state has one way to be written");
  identity::BlindState state;
  state.lines = 1;
  std::istringstream ids("13800138000\n"), responses(text);
  std::ostringstream out;
  core::invariant(!identity::finish_lines(ids, responses, out, state), "nothing was evaluated for these ids");
  core::invariant(out.str().find('o') == std::string::npos, "no pseudonym without its proof");
  return 0;
}
