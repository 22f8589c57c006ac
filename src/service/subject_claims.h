// service/subject_claims.h: whose a partner says a foreign subject is: a contract (OCPI), a trip (MDS), a usage point (Green Button).
//
// A claim is a pair of texts: the subject as the format's header in src/activity writes it, and a pseudonym (identity/pseudonym.h). Both
// are kept as keyed hashes only. The latest claim counts for what comes after it; what was credited before stays with whom it was credited
// to. A source claims its own subjects and those of nobody else.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "activity/foreign.h"
#include "core/hash.h"
#include "core/result.h"
#include "core/time.h"
#include "db/db.h"

namespace tanhui::service {

constexpr std::size_t kClaimsMax = 10'000;  // of one request

struct Claim {
  std::string subject, person;
};

/// A list, or NDJSON: {"subject": "ocpi:NL*TNM*C123", "person": "o1..."}. All or none. Errors: claims.broken, claims.too-many,
/// claims.missing-field and claims.bad-field, which name the element.
core::Result<std::vector<Claim>> read_claims(std::string_view body);

/// A subject as the formats write it: OCPI's in capital letters, the others in small ones.
std::string normal_subject(std::string_view subject);

void keep_claims(db::Transaction& tx, const core::KeySecret& secret, std::string_view programme, std::string_view source,
                 const std::vector<Claim>& claims, core::Millis now_ms);

/// Answers from `reader`, which outlives it.
activity::Claims claims_of(db::Reader& reader, const core::KeySecret& secret, std::string programme, std::string source);

}  // namespace tanhui::service
