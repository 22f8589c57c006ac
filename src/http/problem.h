// http/problem.h: errors as they go over the wire: application/problem+json (RFC 9457).
//
//   {"type": "urn:tanhui:problem:http.bad-parameter", "title": "Bad parameter", "status": 400, "detail": "parameter 'limit' is ...",
//    "action": "send limit as ...", "params": {"parameter": "limit", ...}, "request_id": "4bf92f3577b34da6a3ce929d0e0e4736"}
//
// `type` is stable; with `params` a client can say it in its reader's language. Several errors at once: the first, and all in "errors".
#pragma once
#include <span>
#include <string_view>

#include "core/result.h"
#include "http/message.h"

namespace tanhui::http {

/// The one table: by the error's id where HTTP has a word of its own for it, else by its code.
int status_of(const core::Error& error);

Response problem(const Request& request, const core::Error& error);
Response problem(const Request& request, const core::Error& error, int status);
/// At least one.
Response problem(const Request& request, std::span<const core::Error> errors);

}  // namespace tanhui::http
