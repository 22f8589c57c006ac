// identity/person_id.h: the ids of people that partners blind: telephone numbers, resident identity numbers, ids of their own. Two
// partners reach the same pseudonym only when they write the same id the same way, so there is one way to write it.
//
//   tel:+8613800138000        E.164; a number without a country is one of mainland China, a mobile one (11 digits, 13 to 19 first)
//   cn-id:11010519491231002X  GB 11643-1999, 18 characters; one of the 15 digits used before is written the new way
//   other:<text>              anything else, trimmed; the partners that share it agree on its form
//
// Spaces, hyphens, dots and brackets between digits are dropped, full-width digits (０１２) are digits, x is X.
// Errors never hold the id or a part of it: they end in logs.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"

namespace tanhui::identity {

enum class IdKind { phone, resident_id, other };
constexpr std::size_t kIdMax = 256;  // bytes, as it comes

/// Errors: id.empty, id.too-long, id.bad-character, id.bad-phone, id.bad-resident-id (length, region, birthday or check digit).
core::Result<std::string> normalise_id(IdKind kind, std::string_view text);

}  // namespace tanhui::identity
