#include "http/problem.h"

#include <algorithm>

#include "core/invariant.h"
#include "core/json.h"

namespace tanhui::http {
namespace {

struct StatusOfId {
  std::string_view id;
  int status;
};
constexpr StatusOfId kById[] = {
    {"access.forbidden", 403},
    {"access.not-yet", 503},
    {"access.unauthenticated", 401},
    {"activities.busy", 429},
    {"activities.commit-failed", 503},
    {"db.busy", 503},
    {"db.failed", 503},
    {"http.body-too-large", 413},
    {"http.busy", 503},
    {"http.expectation-failed", 417},
    {"http.failed", 500},
    {"http.header-too-large", 431},
    {"http.method-not-allowed", 405},
    {"http.not-acceptable", 406},
    {"http.precondition-failed", 412},
    {"http.precondition-required", 428},
    {"http.rate-limited", 429},
    {"http.request-too-slow", 408},
    {"http.stopping", 503},
    {"http.too-slow", 503},
    {"http.unsupported-encoding", 501},
    {"http.unsupported-media-type", 415},
    {"http.unsupported-method", 501},
    {"http.unsupported-version", 505},
    {"http.upgrade-required", 426},
    {"idempotency.in-progress", 409},
    {"idempotency.other-content", 422},
    {"open-window.full", 503},
    {"staff.wait", 429},
    {"staff.wrong-code", 401},
    {"staff.wrong-login", 401},
};
static_assert(std::is_sorted(std::begin(kById), std::end(kById), [](const auto& a, const auto& b) { return a.id < b.id; }));

/// "profile.unknown-column" is titled "Unknown column".
std::string title_of(std::string_view id) {
  std::string title(id.substr(id.rfind('.') + 1));
  std::replace(title.begin(), title.end(), '-', ' ');
  if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') title[0] = char(title[0] - 'a' + 'A');
  return title;
}

boost::json::object members_of(const core::Error& error) {
  boost::json::object params;
  for (const auto& [name, value] : error.params) params[name] = value;
  return {{"type", "urn:tanhui:problem:" + error.id},
          {"title", title_of(error.id)},
          {"status", status_of(error)},
          {"detail", error.message},
          {"action", error.action},
          {"params", std::move(params)}};
}

}  // namespace

int status_of(const core::Error& error) {
  const auto found = std::lower_bound(std::begin(kById), std::end(kById), error.id,
                                      [](const StatusOfId& row, std::string_view id) { return row.id < id; });
  if (found != std::end(kById) && found->id == error.id) return found->status;
  switch (error.code) {
    case core::ErrorCode::invalid_input:
      return 400;
    case core::ErrorCode::not_found:
      return 404;
    case core::ErrorCode::conflict:
      return 409;
    case core::ErrorCode::refused:
      return 403;
  }
  return 500;
}

Response problem(const Request& request, const core::Error& error) { return problem(request, error, status_of(error)); }

Response problem(const Request& request, const core::Error& error, int status) {
  boost::json::object members = members_of(error);
  members["status"] = status;
  members["request_id"] = request.request_id();
  return {.status = status, .content_type = kProblemJson, .body = boost::json::serialize(members), .error_id = error.id};
}

Response problem(const Request& request, std::span<const core::Error> errors) {
  core::invariant(!errors.empty(), "a problem has at least one error");
  boost::json::object members = members_of(errors.front());
  boost::json::array all;
  for (const core::Error& error : errors) all.push_back(members_of(error));
  members["request_id"] = request.request_id();
  members["errors"] = std::move(all);
  return {.status = status_of(errors.front()),
          .content_type = kProblemJson,
          .body = boost::json::serialize(members),
          .error_id = errors.front().id};
}

}  // namespace tanhui::http
