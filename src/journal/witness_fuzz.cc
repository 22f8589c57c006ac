// libFuzzer: any bytes as a request to a witness that saw nothing yet, and to one that saw the fixed log's first run. It signs only what
// the log signed and what grows from what it saw, and remembers nothing else.
#include <algorithm>
#include <fstream>

#include "core/files.h"
#include "core/invariant.h"
#include "journal/signed_log.h"

using namespace tanhui::journal;
using tanhui::core::invariant;

namespace {

constexpr std::uint64_t kNow = 1'700'000'000;

void check(const Signer& signer, const std::filesystem::path& memory, std::string_view request) {
  const auto before = tanhui::core::read_file(memory);
  const WitnessAnswer answer = Witness(signer, signed_log().first_key, memory).add_checkpoint(request, kNow);
  const auto after = tanhui::core::read_file(memory);
  if (answer.status != 200) {
    constexpr int kStatuses[] = {400, 403, 404, 409, 422};
    invariant(std::find(std::begin(kStatuses), std::end(kStatuses), answer.status) != std::end(kStatuses),
              "an answer is one of those in the header");
    return invariant(before == after, "who does not sign does not remember");
  }
  const auto note = parse_note(*after + answer.body);
  invariant(note && signed_log().signed_texts.contains(note->text), "a witness signs what the log signed");
  invariant(cosigned_at(*note, signer.key()) == kNow, "the answer is the cosignature");
  const auto seen = before ? parse_checkpoint(parse_note(*before)->text)->size : 0;
  invariant(parse_checkpoint(note->text)->size >= seen, "what a witness remembers does not shrink");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TestFolder folder;
  static const Signer signer = Signer::generate("witness.example/w", KeyType::witness);
  static const std::string first = signed_log().witness_requests.at(0);
  const std::string_view request(reinterpret_cast<const char*>(data), size);
  std::filesystem::remove(folder / "nothing");
  check(signer, folder / "nothing", request);
  std::ofstream(folder / "first", std::ios::binary) << first.substr(first.find("\n\n") + 2);
  check(signer, folder / "first", request);
  return 0;
}
