// Words of the enumerations, and small questions to a methodology.
#include "methodology/methodology.h"

namespace tanhui::methodology {

std::string_view name(Status status) {
  constexpr std::string_view kNames[] = {"official", "reported-by-platform", "derived", "illustrative"};
  return kNames[std::size_t(status)];
}

std::string_view name(Kind kind) {
  constexpr std::string_view kNames[] = {"quantitative", "qualitative", "project"};
  return kNames[std::size_t(kind)];
}

std::optional<Status> find_status(std::string_view text) {
  for (const Status status : {Status::official, Status::reported_by_platform, Status::derived, Status::illustrative})
    if (name(status) == text) return status;
  return std::nullopt;
}

std::optional<Kind> find_kind(std::string_view text) {
  for (const Kind kind : {Kind::quantitative, Kind::qualitative, Kind::project})
    if (name(kind) == text) return kind;
  return std::nullopt;
}

const std::string& DoubleCounting::group() const {
  static const std::string none;
  return groups.empty() ? none : groups.front();
}

const Served* Methodology::find_activity(std::size_t activity) const {
  for (const Served& served : serves)
    if (served.activity == activity) return &served;
  return nullptr;
}

}  // namespace tanhui::methodology
