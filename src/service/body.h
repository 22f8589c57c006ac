// service/body.h: a request's body as one JSON object whose members are known, and answers made of results.
//
//   return with_body(request, {"state", "from"}, [&](const core::MemberReader& in) -> Response {
//     return answer(request, move_programme(tx, by, id, in.text("state")), json_of); });
#pragma once
#include <boost/json.hpp>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/json.h"
#include "http/message.h"
#include "http/problem.h"

namespace tanhui::service {

inline core::Error bad_body(std::string why) {
  return {core::ErrorCode::invalid_input,
          "http.bad-body",
          "the request's body: " + why,
          "send the JSON object that the interface describes",
          {{"why", std::move(why)}}};
}

/// Calls `work(in)`; whatever it reads and does not find is a problem. Errors: http.unsupported-media-type, http.bad-body.
template <class Work>
http::Response with_body(const http::Request& request, std::initializer_list<std::string_view> members, Work work) {
  const std::string_view type = request.header("Content-Type");
  if (!type.empty() && type.substr(0, type.find(';')) != "application/json")
    return http::problem(request, core::Error{core::ErrorCode::invalid_input,
                                              "http.unsupported-media-type",
                                              "the body is '" + std::string(type) + "'",
                                              "send application/json",
                                              {{"type", std::string(type)}}});
  const auto document = core::parse_json(request.body());
  if (!document || !document->is_object()) return http::problem(request, bad_body("it is not one JSON object"));
  for (const auto& member : document->get_object())
    if (std::find(members.begin(), members.end(), std::string_view(member.key())) == members.end())
      return http::problem(request, bad_body("it has an unknown member '" + std::string(member.key()) + "'"));
  try {
    return work(core::MemberReader(*document, "the object"));
  } catch (const core::BadMember& problem) {
    return http::problem(request, bad_body(problem.what()));
  }
}

inline http::Response json_answer(const boost::json::value& value, int status = 200) {
  return {.status = status, .body = boost::json::serialize(value)};
}
inline http::Response no_content() { return {.status = 204}; }

/// The value as JSON, or the problem.
template <class T, class ToJson>
http::Response answer(const http::Request& request, const core::Result<T>& result, ToJson to_json, int status = 200) {
  return result ? json_answer(to_json(*result), status) : http::problem(request, result.error());
}
inline http::Response answer_done(const http::Request& request, const core::Status& status) {
  return status ? no_content() : http::problem(request, status.error());
}

inline boost::json::value or_null(const std::optional<std::int64_t>& value) {
  return value ? boost::json::value(*value) : boost::json::value(nullptr);
}
inline boost::json::value or_null(const std::optional<std::string>& value) {
  return value ? boost::json::value(*value) : boost::json::value(nullptr);
}
inline std::optional<std::int64_t> integer_or_none(const core::MemberReader& in, std::string_view name) {
  if (!in.has(name) || in.value(name).is_null()) return std::nullopt;
  return in.integer(name);
}

}  // namespace tanhui::service
