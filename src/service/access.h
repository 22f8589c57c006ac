// service/access.h: who may call an operation, and who does. Every operation names its rule when it is added (service/api.h); an
// authenticator, which is passed in, finds out who calls and holds them to the rule.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "http/message.h"

namespace tanhui::service {

enum class Kind { everyone, partner, person, staff };
std::string_view name_of(Kind kind);

/// Who may call: everyone; a partner, by a signed request (RFC 9421); a person, by their session; staff whose roles allow `action`.
struct Access {
  Kind kind = Kind::everyone;
  std::string action = {};  // of staff: a row of the table of role x action

  static Access everyone() { return {}; }
  static Access partner() { return {Kind::partner, {}}; }
  static Access person() { return {Kind::person, {}}; }
  static Access staff(std::string action) { return {Kind::staff, std::move(action)}; }
};

/// Who calls. `id` tells callers of a kind apart and is what their rate limits and Idempotency-Keys count by; it never reaches a log.
struct Caller {
  Kind kind = Kind::everyone;
  std::string id = {};
  std::shared_ptr<const void> session = {};  // what the authenticator knows besides; its own business
};

/// Finds out who calls. Errors: access.unauthenticated (401), access.forbidden (403). `access` is the operation's rule; never `everyone`.
/// Runs on the connection's thread: what must wait goes through http::run_blocking. The body is there, so signatures can be checked.
using Authenticator = std::function<http::asio::awaitable<core::Result<Caller>>(http::Request&, const Access&)>;

/// Lets nobody in where the rule is not `everyone`: what a service without identities does.
Authenticator nobody();

/// Who calls this request; everyone when it is open to everyone.
const Caller& caller_of(const http::Request& request);

}  // namespace tanhui::service
