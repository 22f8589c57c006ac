// http/entity_tag.h: ETags (RFC 9110 8.8.3): a client that has the newest version is told so, and nobody overwrites what they have not
// seen.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"
#include "http/message.h"

namespace tanhui::http {

/// A strong tag, with its quotes: of the bytes themselves, or of a version number (which needs no body to be made).
std::string entity_tag(std::string_view bytes);
std::string entity_tag(std::int64_t version);

/// `response` with its ETag; or 304 without a body when If-None-Match names it.
Response with_entity_tag(const Request& request, Response response, const std::string& tag);

/// That the client edits the version it has seen. Errors: http.precondition-required (428) when If-Match is missing,
/// http.precondition-failed (412) when it names another version.
core::Status check_if_match(const Request& request, const std::string& tag);

/// Whether a list of tags as If-Match has it, or *, names `tag`. `weak` lets W/"x" stand for "x", as If-None-Match does.
bool names_tag(std::string_view list, std::string_view tag, bool weak);

}  // namespace tanhui::http
