// libFuzzer: any bytes as a signed note, a checkpoint, a key or base64. What is read is written as it stood, and nothing that the log did
// not sign passes for signed.
#include <algorithm>

#include "core/invariant.h"
#include "journal/checkpoint.h"
#include "journal/signed_log.h"

using namespace tanhui::journal;
using tanhui::core::invariant;

namespace {

template <class T>
bool told(const tanhui::core::Result<T>& refused) {
  return !refused.error().id.empty() && !refused.error().message.empty() && !refused.error().action.empty();
}

void check_note(std::string_view bytes) {
  const auto note = parse_note(bytes);
  if (!note) return invariant(told(note), "a refusal says what is wrong and what to do");
  invariant(to_text(*note) == bytes, "a note that was read is written as it stood");
  const PublicKey keys[] = {signed_log().first_key, signed_log().second_key};
  const auto found = signers(*note, keys);
  if (found && !found->empty()) invariant(signed_log().signed_texts.contains(note->text), "only what the log signed is signed by the log");
}

void check_checkpoint(std::string_view bytes) {
  const auto checkpoint = parse_checkpoint(bytes);
  if (!checkpoint) return invariant(told(checkpoint), "a refusal says what is wrong and what to do");
  const std::string text = to_text(*checkpoint);
  invariant((std::string(bytes) + "\n").starts_with(text), "a checkpoint that was read is written as it stood");
}

void check_keys(std::string_view bytes) {
  std::string_view line = bytes;
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  const auto key = parse_public_key(bytes);
  if (!key) invariant(told(key), "a refusal says what is wrong and what to do");
  if (key) invariant(key->text() == line, "a public key that was read is written as it stood");
  const auto signer = Signer::parse(bytes);
  if (!signer) invariant(told(signer), "a refusal says what is wrong and what to do");
  if (signer) invariant(signer->text() == std::string(line) + "\n", "a private key that was read is written as it stood");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_note(bytes);
  check_checkpoint(bytes);
  check_keys(bytes);
  if (const auto decoded = from_base64(bytes)) invariant(base64(*decoded) == bytes, "base64 has one way to write");
  return 0;
}
