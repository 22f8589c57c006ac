#include "service/subject_claims.h"

#include <fmt/format.h>

#include <algorithm>

namespace tanhui::service {
namespace {

using activity::BadField;
using activity::FieldReader;
using core::JsonTree;

constexpr std::size_t kSubjectMax = 400, kPersonMax = 256;

core::Error claims_error(std::string_view id, std::string message, std::string action) {
  return {core::ErrorCode::invalid_input, std::string(id), std::move(message), std::move(action)};
}

// A list as it is; objects one a line as a list.
core::Result<JsonTree> elements(std::string_view body) {
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return claims_error("claims.broken", "the body is empty", "send a list of claims, or one a line");
  if (body[first] == '[') return core::parse_json_tree(body);
  JsonTree list{.kind = JsonTree::Kind::list};
  while (!body.empty()) {
    const std::string_view line = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(line.size() + 1, body.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto element = core::parse_json_tree(line);
    if (!element) return element.error();
    list.items.push_back(*std::move(element));
    if (list.items.size() > kClaimsMax) break;
  }
  return list;
}

}  // namespace

std::string normal_subject(std::string_view subject) {
  std::string normal(subject);
  const std::size_t kind = std::min(normal.find(':'), normal.size());
  const bool capital = std::string_view(normal).substr(0, kind) == "ocpi";
  for (std::size_t i = kind; i < normal.size(); ++i) {
    char& c = normal[i];
    if (capital && c >= 'a' && c <= 'z') c = char(c - 'a' + 'A');
    if (!capital && c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  }
  return normal;
}

core::Result<std::vector<Claim>> read_claims(std::string_view body) {
  const auto list = elements(body);
  if (!list) return claims_error("claims.broken", list.error().message, "send a list of claims, or one a line");
  if (!list->is(JsonTree::Kind::list)) return claims_error("claims.broken", "the body is no list", "send a list of claims, or one a line");
  if (list->items.size() > kClaimsMax)
    return claims_error("claims.too-many", fmt::format("the body holds more than {} claims", kClaimsMax), "send them in several requests");
  std::vector<Claim> claims;
  try {
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const FieldReader claim(list->items[i], fmt::format("[{}]", i), "claims");
      const std::string subject = claim.text("subject", kSubjectMax);
      const std::string_view kind = std::string_view(subject).substr(0, subject.find(':'));
      if (kind == subject || (kind != "ocpi" && kind != "mds" && kind != "espi"))
        claim.fail("subject", "begins with none of ocpi:, mds: and espi:", "write it as docs/connectors.md says");
      claims.push_back({normal_subject(subject), claim.text("person", kPersonMax)});
    }
  } catch (const BadField& bad) {
    return bad.error;
  }
  return claims;
}

void keep_claims(db::Transaction& tx, const core::KeySecret& secret, std::string_view programme, std::string_view source,
                 const std::vector<Claim>& claims, core::Millis now_ms) {
  for (const Claim& claim : claims)
    tx.exec(
        "INSERT INTO subject_claim (programme, source, subject, person, claimed_ms) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (programme, source, subject) DO UPDATE SET person = excluded.person, claimed_ms = excluded.claimed_ms",
        programme, source, secret.person(claim.subject), secret.person(claim.person), now_ms);
}

activity::Claims claims_of(db::Reader& reader, const core::KeySecret& secret, std::string programme, std::string source) {
  return [&reader, &secret, programme = std::move(programme), source = std::move(source)](std::string_view subject) {
    return reader.find<core::PersonKey>("SELECT person FROM subject_claim WHERE programme = $1 AND source = $2 AND subject = $3", programme,
                                        source, secret.person(subject));
  };
}

}  // namespace tanhui::service
