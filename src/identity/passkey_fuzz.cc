// libFuzzer: any bytes as what an authenticator says at registration: a key of a known kind, or a refusal.
#include "core/invariant.h"
#include "identity/passkey.h"

using namespace tanhui::identity;
using tanhui::core::invariant;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto key = parse_attested_key({reinterpret_cast<const char*>(data), size});
  if (!key) {
    invariant(key.error().id == "passkey.bad" && !key.error().message.empty(), "a refusal says what is wrong");
    return 0;
  }
  invariant(!key->credential.empty() && key->credential.size() <= 1023 && !key->public_key.empty(), "a key has an id");
  invariant(key->algorithm == -7 || key->algorithm == -8 || key->algorithm == -257, "a key is of a kind that is taken");
  return 0;
}
