#include "service/access.h"

namespace tanhui::service {

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::everyone:
      return "everyone";
    case Kind::partner:
      return "partner";
    case Kind::person:
      return "person";
    case Kind::staff:
      return "staff";
  }
  return "";
}

Authenticator nobody() {
  return [](http::Request&, const Access& access) -> http::asio::awaitable<core::Result<Caller>> {
    co_return core::Error{core::ErrorCode::refused,
                          "access.unauthenticated",
                          "this is only for: " + std::string(name_of(access.kind)),
                          "log in, or sign the request",
                          {{"kind", std::string(name_of(access.kind))}}};
  };
}

const Caller& caller_of(const http::Request& request) {
  static const Caller everyone;
  const auto* caller = std::any_cast<Caller>(&request.context);
  return caller != nullptr ? *caller : everyone;
}

}  // namespace tanhui::service
