// libFuzzer: any bytes as a signed token, against real keys and, behind a line feed, against keys of their own: never more than a refusal
// unless the very bytes were signed.
#include "core/invariant.h"
#include "identity/jws.h"
#include "identity/oidc.h"

using namespace tanhui::identity;
using tanhui::core::invariant;

namespace {

// RFC 7515 A.3: the public key of the ES256 example.
constexpr std::string_view kKeys =
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";
constexpr std::string_view kSigned =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  const auto verified = verify_jws(input.substr(0, line), kKeys);
  invariant(!verified || input.starts_with(kSigned), "what was not signed is refused");
  if (line != std::string_view::npos) (void)verify_jws(input.substr(0, line), input.substr(line + 1));
  const auto metadata = parse_metadata(input, "https://idp.example");
  invariant(!metadata || metadata->issuer == "https://idp.example", "metadata are those of the issuer");
  return 0;
}
