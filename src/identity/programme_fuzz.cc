// libFuzzer: any bytes as a programme: one that keeps what its header promises, or one mistake that says what is right.
#include "core/invariant.h"
#include "identity/programme.h"

using namespace tanhui::identity;
using tanhui::core::invariant;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  const auto programme = parse_programme(yaml, "wuhan-demo.yaml");
  if (!programme) {
    invariant(programme.error().id == "programme.invalid" && !programme.error().message.empty() && !programme.error().action.empty(),
              "a refusal says what is wrong and what to do");
    return 0;
  }
  invariant(!programme->id.empty() && programme->digest == tanhui::core::sha256(yaml), "a programme is its file");
  invariant(bool(tanhui::core::Zone::find(programme->time_zone)), "a programme's days are those of a time zone");
  invariant(programme->points.per_milligram.numerator >= 0 && programme->points.per_milligram.denominator > 0 &&
                programme->points.daily_cap >= 0 && programme->points.expires_after_days >= 0 && programme->future_tolerance_ms >= 0,
            "nothing that is counted is below zero");
  for (const auto& [activity, cap] : programme->caps)
    invariant(is_id(activity) && (cap.acts || cap.milligrams) && cap.acts.value_or(0) >= 0 && cap.milligrams.value_or(0) >= 0,
              "a cap limits one activity");
  invariant(programme->open_days >= 0 && !programme->languages.empty(), "what a file does not say has a default");
  for (const Source& source : programme->sources) invariant(programme->find_source(source.id) == &source, "a source is found by its id");
  return 0;
}
