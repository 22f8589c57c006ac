#include "identity/oidc.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/json.h"
#include "identity/base64url.h"
#include "identity/jws.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
namespace json = boost::json;
constexpr std::size_t kSubjectBytesMax = 255;

Error bad_token(std::string why) {
  return {ErrorCode::refused,
          "oidc.bad-token",
          "what the provider sent does not hold: " + why,
          "begin the login again",
          {{"why", std::move(why)}}};
}
Error bad_metadata(std::string why) {
  return {ErrorCode::refused,
          "oidc.bad-metadata",
          "the provider's metadata does not hold: " + why,
          "check the configured issuer",
          {{"why", std::move(why)}}};
}
Error unreachable(std::string_view url, std::string why) {
  return {ErrorCode::refused,
          "oidc.unreachable",
          fmt::format("the provider does not answer at '{}': {}", url, why),
          "try again later, or log in by password",
          {{"url", std::string(url)}, {"why", std::move(why)}}};
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", std::uint8_t(c));
  }
  return encoded;
}

std::string form(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::string text;
  for (const auto& [name, value] : fields) text += fmt::format("{}{}={}", text.empty() ? "" : "&", name, percent_encoded(value));
  return text;
}

/// https, or a provider on this very machine.
bool is_safe(std::string_view url) {
  if (url.starts_with("https://")) return true;
  for (const std::string_view local : {"http://127.0.0.1", "http://localhost", "http://[::1]"})
    if (url.starts_with(local) && (url.size() == local.size() || url[local.size()] == ':' || url[local.size()] == '/')) return true;
  return false;
}

core::Result<std::string> fetched(const Fetch& fetch, const FetchRequest& request) {
  auto answer = fetch(request);
  if (!answer) return unreachable(request.url, answer.error().message);
  if (answer->body.size() > kFetchedBytesMax) return unreachable(request.url, fmt::format("its answer has {} bytes", answer->body.size()));
  if (answer->status == 200) return answer->body;
  // RFC 6749 5.2: the provider's own words, as far as they are words.
  const auto document = core::parse_json(answer->body);
  std::string words = fmt::format("HTTP {}", answer->status);
  if (document && document->is_object())
    for (const char* member : {"error", "error_description"})
      if (const json::value* value = document->get_object().if_contains(member); value != nullptr && value->is_string())
        words += fmt::format(", {}", std::string(value->get_string()).substr(0, 200));
  return Error{ErrorCode::refused, "oidc.refused", "the provider refused: " + words, "begin the login again", {{"why", words}}};
}

struct Flow {
  std::string nonce, verifier;
};
std::string bound_to(std::string_view state) { return fmt::format("oidc {}", state); }

std::optional<Flow> take_flow(db::Transaction& tx, const Box& box, std::string_view state, core::Millis now_ms) {
  const core::Digest token = core::sha256(state);
  const auto secret =
      tx.find<std::string>("SELECT secret FROM login_flow WHERE token = $1 AND kind = 'oidc' AND expires_ms > $2", token, now_ms);
  tx.exec("DELETE FROM login_flow WHERE token = $1 OR expires_ms <= $2", token, now_ms);
  const auto opened = secret ? box.open(*secret, bound_to(state)) : std::nullopt;
  if (!opened) return std::nullopt;
  const std::size_t blank = opened->find(' ');
  return Flow{opened->substr(0, blank), opened->substr(blank + 1)};
}

std::int64_t seconds_of(const core::MemberReader& claims, std::string_view member) {
  const json::value& value = claims.value(member);
  if (value.is_int64()) return value.get_int64();
  claims.fail(member, "is no whole number of seconds");
}

/// aud is a text or a list of texts; of several, azp says who it is for.
void check_audience(const core::MemberReader& claims, const OidcClient& client) {
  const json::value& audience = claims.value("aud");
  if (audience.is_string()) {
    if (audience.get_string() != client.client_id) claims.fail("aud", "is somebody else");
  } else {
    const json::array& all = claims.array("aud");
    if (std::find(all.begin(), all.end(), json::value(client.client_id)) == all.end()) claims.fail("aud", "is somebody else");
    if (all.size() > 1 && !claims.has("azp")) claims.fail("azp", "is missing");
  }
  if (claims.has("azp") && claims.text("azp") != client.client_id) claims.fail("azp", "is somebody else");
}

}  // namespace

core::Result<OidcMetadata> parse_metadata(std::string_view text, std::string_view issuer) {
  const auto document = core::parse_json(text);
  if (!document) return bad_metadata("it is not JSON");
  try {
    const core::MemberReader in(*document, "the metadata");
    OidcMetadata metadata{in.text("issuer"), in.text("authorization_endpoint"), in.text("token_endpoint"), in.text("jwks_uri")};
    if (metadata.issuer != issuer) return bad_metadata(fmt::format("it is that of '{}'", metadata.issuer.substr(0, 200)));
    for (const std::string* url : {&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri})
      if (!is_safe(*url)) return bad_metadata(fmt::format("'{}' is not https", url->substr(0, 200)));
    return metadata;
  } catch (const core::BadMember& problem) {
    return bad_metadata(problem.what());
  }
}

core::Result<OidcMetadata> discover(const Fetch& fetch, const OidcClient& client) {
  if (!is_safe(client.issuer)) return bad_metadata(fmt::format("the issuer '{}' is not https", client.issuer));
  std::string base = client.issuer;
  if (base.ends_with('/')) base.pop_back();
  const auto body = fetched(fetch, {"GET", base + "/.well-known/openid-configuration", {{"Accept", "application/json"}}});
  if (!body) return body.error();
  return parse_metadata(*body, client.issuer);
}

std::string code_challenge(std::string_view verifier) {
  const core::Digest digest = core::sha256(verifier);
  return to_base64url({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

OidcLogin begin_login(db::Transaction& tx, const Box& box, const OidcClient& client, const OidcMetadata& metadata, core::Millis now_ms) {
  const std::string state = random_token(), nonce = random_token(), verifier = random_token();
  const std::string secret = box.seal(nonce + " " + verifier, bound_to(state));
  tx.exec("INSERT INTO login_flow (token, kind, staff, secret, expires_ms) VALUES ($1, 'oidc', NULL, $2, $3)", core::sha256(state),
          db::Bytes{secret}, now_ms + kLoginFlowMs);
  const std::string question = form({{"response_type", "code"},
                                     {"client_id", client.client_id},
                                     {"redirect_uri", client.redirect_uri},
                                     {"scope", "openid email"},
                                     {"state", state},
                                     {"nonce", nonce},
                                     {"code_challenge", code_challenge(verifier)},
                                     {"code_challenge_method", "S256"}});
  const char sign = metadata.authorization_endpoint.find('?') == std::string::npos ? '?' : '&';
  return {metadata.authorization_endpoint + sign + question, state};
}

core::Result<IdClaims> check_id_token(std::string_view token, std::string_view jwks, const OidcClient& client, std::string_view nonce,
                                      core::Millis now_ms) {
  const auto payload = verify_jws(token, jwks);
  if (!payload) return bad_token(payload.error().message);
  const auto document = core::parse_json(*payload);
  if (!document) return bad_token("the token is not JSON");
  try {
    const core::MemberReader claims(*document, "the token");
    if (claims.text("iss") != client.issuer) claims.fail("iss", "is another provider");
    check_audience(claims, client);
    constexpr std::int64_t kSecondsMax = 1'000'000'000'000;  // no date that anybody means
    const std::int64_t expires = seconds_of(claims, "exp"), issued = seconds_of(claims, "iat");
    if (expires > kSecondsMax || expires * 1000 + kClockSkewMs <= now_ms) claims.fail("exp", "is over");
    if (issued < 0 || issued > kSecondsMax || issued * 1000 - kClockSkewMs > now_ms) claims.fail("iat", "is still to come");
    if (!equal_in_constant_time(claims.text("nonce"), nonce)) claims.fail("nonce", "is not the one of this login");
    IdClaims who{claims.text("iss"), claims.text("sub"), ""};
    if (who.subject.empty() || who.subject.size() > kSubjectBytesMax) claims.fail("sub", "is no subject");
    if (claims.has("email_verified") && claims.value("email_verified") == json::value(true)) who.email = claims.text("email");
    return who;
  } catch (const core::BadMember& problem) {
    return bad_token(problem.what());
  }
}

core::Result<IdClaims> finish_login(db::Database& database, const Box& box, const Fetch& fetch, const OidcClient& client,
                                    const OidcMetadata& metadata, std::string_view state, std::string_view code, core::Millis now_ms) {
  std::optional<Flow> flow;
  {
    db::Transaction tx = database.begin();
    flow = take_flow(tx, box, state, now_ms);
    tx.commit();  // also when nothing was there: what is too old is gone
  }
  if (!flow)
    return Error{
        ErrorCode::refused, "oidc.no-flow", "this login was not begun here, was finished already, or took too long", "begin it again", {}};
  FetchRequest exchange{"POST",
                        metadata.token_endpoint,
                        {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}},
                        form({{"grant_type", "authorization_code"},
                              {"code", code},
                              {"redirect_uri", client.redirect_uri},
                              {"client_id", client.client_id},
                              {"code_verifier", flow->verifier}})};
  if (!client.client_secret.empty()) {  // RFC 6749 2.3.1: both are form-encoded first
    const std::string pair = percent_encoded(client.client_id) + ":" + percent_encoded(client.client_secret);
    exchange.headers.emplace_back("Authorization", "Basic " + to_base64(pair));
  }
  const auto answer = fetched(fetch, exchange);
  if (!answer) return answer.error();
  const auto document = core::parse_json(*answer);
  const json::value* token = document && document->is_object() ? document->get_object().if_contains("id_token") : nullptr;
  if (token == nullptr || !token->is_string()) return bad_token("the answer has no id_token");
  const auto jwks = fetched(fetch, {"GET", metadata.jwks_uri, {{"Accept", "application/json"}}});
  if (!jwks) return jwks.error();
  return check_id_token(token->get_string(), *jwks, client, flow->nonce, now_ms);
}

core::Result<Staff> staff_of_claims(db::Transaction& tx, const IdClaims& claims) {
  const Error nobody{ErrorCode::refused,
                     "oidc.nobody",
                     "nobody on the staff has this account at the provider",
                     "ask an administrator for an account with the e-mail address that the provider has verified",
                     {}};
  const auto known =
      tx.find<std::string>("SELECT staff FROM staff_subject WHERE issuer = $1 AND subject = $2", claims.issuer, claims.subject);
  auto staff = known ? find_staff(tx, *known) : core::Result<Staff>(nobody);
  if (!known && !claims.email.empty())
    if (auto found = find_staff_by_email(tx, claims.email)) staff = *std::move(found);
  if (!staff || !staff->active) return nobody;
  if (!known) tx.exec("INSERT INTO staff_subject (issuer, subject, staff) VALUES ($1, $2, $3)", claims.issuer, claims.subject, staff->id);
  return staff;
}

}  // namespace tanhui::identity
