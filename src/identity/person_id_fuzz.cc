// libFuzzer: any bytes as an id of a person, of each kind: what is read is written one way, and reading that changes nothing.
#include "core/invariant.h"
#include "identity/person_id.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tanhui;  // NOLINT: a fuzz target is nobody's header
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& [kind, prefix] :
       {std::pair{identity::IdKind::phone, 4u}, {identity::IdKind::resident_id, 6u}, {identity::IdKind::other, 6u}}) {
    const auto once = identity::normalise_id(kind, text);
    if (!once) continue;
    const auto again = identity::normalise_id(kind, std::string_view(*once).substr(prefix));
    core::invariant(again && *again == *once, "an id has one way to be written");
  }
  return 0;
}
