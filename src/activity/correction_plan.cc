#include "activity/correction_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "journal/catalogue.h"

namespace tanhui::activity {
namespace {

using core::Error;
using core::ErrorCode;

// The newest version must be one that new records would be counted by; otherwise old ones would be corrected to nobody's rule.
core::Status check_methodology(const identity::Programme& programme, const methodology::Library& library,
                               const methodology::Selection& selection, const std::string& id) {
  const methodology::Methodology* newest = library.find(id);
  if (newest == nullptr)
    return Error{ErrorCode::not_found,
                 "recalculate.unknown-methodology",
                 fmt::format("the library has no methodology '{}'", id),
                 "give its id without a version; 'tanhui methodology list' shows all",
                 {{"methodology", id}}};
  if (newest->kind == methodology::Kind::project)
    return Error{ErrorCode::refused,
                 "recalculate.not-for-acts",
                 fmt::format("'{}' is for projects; no activity record was ever counted by it", id),
                 "name a methodology for activities",
                 {{"methodology", id}}};
  const auto on = selection.all();
  if (std::find(on.begin(), on.end(), newest) == on.end())
    return Error{ErrorCode::refused,
                 "recalculate.methodology-off",
                 fmt::format("programme '{}' has {}@{} ({}) switched off", programme.id, id, newest->version, name(newest->status)),
                 "switch it on under 'methodologies' in the programme's file, by status or (illustrative ones) by its id",
                 {{"methodology", id}, {"programme", programme.id}}};
  return core::Done{};
}

Error no_records(const identity::Programme& programme, const RecalculateRequest& request) {
  const std::string until = request.last ? "to " + core::to_text(*request.last) : "on";
  return {ErrorCode::not_found,
          "recalculate.no-records",
          fmt::format("the journal holds no record of programme '{}' from {} {}", programme.id, core::to_text(request.first), until),
          "give days that were accounted, and the programme with -p",
          {{"programme", programme.id}, {"first", core::to_text(request.first)}}};
}

}  // namespace

core::Result<CorrectionPlan> plan_correction(db::Reader& reader, const identity::Programme& programme, const methodology::Library& library,
                                             const methodology::Selection& selection, const RecalculateRequest& request) {
  if (auto status = check_methodology(programme, library, selection, request.methodology); !status) return status.error();
  if (request.last && *request.last < request.first)
    return Error{ErrorCode::invalid_input,
                 "recalculate.bad-range",
                 fmt::format("the last day {} lies before the first day {}", core::to_text(*request.last), core::to_text(request.first)),
                 "give --from and --to in this order",
                 {{"first", core::to_text(request.first)}, {"last", core::to_text(*request.last)}}};
  const auto segments = journal::files_between(reader, programme.id, request.first, request.last.value_or(core::kLastDay));
  if (segments.empty()) return no_records(programme, request);
  CorrectionPlan plan;
  plan.corrected = {request.methodology, {}, request.first, request.last.value_or(segments.back().day), 0};
  for (const methodology::Methodology* method : selection.all()) {
    if (method->id == request.methodology)
      plan.corrections.push_back({method->id, method->version, plan.corrected.first, plan.corrected.last});
  }
  std::sort(plan.corrections.begin(), plan.corrections.end(), [](const auto& a, const auto& b) { return a.version < b.version; });
  for (const auto& correction : plan.corrections)
    plan.corrected.versions.push_back(fmt::format("{}@{}", correction.methodology, correction.version));
  return plan;
}

}  // namespace tanhui::activity
