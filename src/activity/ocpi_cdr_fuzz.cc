// Any bytes as a CDR: what is kept of one is a CDR again that says the same, but for who it was.
#include <cstdint>
#include <string_view>

#include "activity/ocpi_cdr.h"
#include "core/invariant.h"

using namespace tanhui::activity;
using tanhui::core::invariant;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto cdr = read_cdr({reinterpret_cast<const char*>(data), size});
  if (!cdr) {
    invariant(!cdr.error().message.empty() && !cdr.error().id.empty(), "a refusal says why");
    return 0;
  }
  const auto again = read_cdr(tanhui::core::canonical_json(cdr->document));
  invariant(bool(again), "what is kept is a CDR");
  invariant(again->event() == cdr->event() && again->energy_wh == cdr->energy_wh && again->start_ms == cdr->start_ms &&
                again->end_ms == cdr->end_ms && again->credits == cdr->credits && again->evse_id == cdr->evse_id,
            "it says the same");
  invariant(
      again->document == cdr->document || tanhui::core::canonical_json(again->document) == tanhui::core::canonical_json(cdr->document),
      "nothing is hidden twice");
  const ForeignRecord record = charge_record(*cdr, no_claims);
  invariant(!record.event.empty() && !record.subject.empty(), "a CDR has an event and a subject");
  return 0;
}
