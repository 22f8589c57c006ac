// libFuzzer: bytes as the two signature fields, a digest and a body of a request (four parts, split at line feeds). Nothing that was not
// signed by the key passes; what a dictionary holds is written as it was read; a digest fits only its own body.
#include <algorithm>

#include "core/invariant.h"
#include "http/signature.h"
#include "http/structured.h"

namespace {

using namespace tanhui;  // NOLINT: a fuzz target is nobody's header

const http::SignatureKey& key() {
  static const http::SignatureKey made = [] {
    const std::array<std::uint8_t, 32> secret{1, 2, 3};
    return *http::SignatureKey::hmac(secret);
  }();
  return made;
}

void check_dictionary(std::string_view text) {
  http::structured::Dictionary dictionary(text);
  http::structured::Member member;
  while (dictionary.next(member)) {
    std::string written(member.key);
    written += "=";
    if (member.is_list) {
      written += "(";
      for (std::size_t i = 0; i < member.list.items.all().size(); ++i) {
        if (i > 0) written += " ";
        http::structured::write(written, member.list.items.all()[i]);
      }
      written += ")";
    } else {
      http::structured::write(written, member.item);
    }
    http::structured::write(written, member.parameters.all());
    http::structured::Dictionary again(written);
    http::structured::Member second;
    core::invariant(again.next(second) && !again.next(second) && !again.failed(), "what is written is read");
    std::string twice;
    http::structured::write(twice, second.parameters.all());
    core::invariant(written.ends_with(twice), "a value has one way to be written");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 4> parts;
  for (std::string_view& part : parts) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const auto& [input, signature, digest, body] = parts;
  check_dictionary(input);
  check_dictionary(signature);
  const bool fits = bool(http::check_content_digest(digest, body));
  core::invariant(!fits || !http::check_content_digest(digest, std::string(body) + "x"), "a digest fits one body");

  const http::FieldView fields[] = {{"Signature-Input", input}, {"Signature", signature}, {"Content-Digest", digest}};
  const http::MessageView message{"POST", "https", "example.com", "/foo", fields, body};
  http::SignatureVerifier verifier({.nonce_required = false});
  const auto lookup = [](std::string_view) { return &key(); };
  const auto verified = verifier.verify(message, lookup, nullptr, 1'618'884'473'000);
  if (verified) {  // then the same parts, in another request, pass no more
    const http::MessageView other{"POST", "https", "example.com", "/bar", fields, body};
    core::invariant(!verifier.verify(other, lookup, nullptr, 1'618'884'473'000), "a signature is good for one request");
  }
  return 0;
}
