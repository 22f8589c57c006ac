// identity/oidc.h: staff log in at an OpenID Connect provider: authorization code flow with PKCE (RFC 7636, S256), state and nonce, the
// answer an ID token that the provider signed. The protocol is pure functions; what goes over the network is a Fetch that is passed in.
//
//   discover ─► begin_login ─► (the browser goes to the provider and comes back with code and state) ─► finish_login ─► staff
//
//   checked of an ID token (OpenID Connect Core 3.1.3.7): signed by a key of the provider's JWKS (RS256 or ES256, nothing else, never
//   "none"), iss, aud and azp, exp and iat with kClockSkewMs, nonce. Metadata: its issuer is the one that was asked, endpoints https (plain
//   http to a loopback address only).
//
// Who comes is staff by (issuer, subject); at the first time by an e-mail address that the provider says is verified. Nobody gets an
// account by logging in.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/box.h"
#include "identity/staff.h"

namespace tanhui::identity {

constexpr core::Millis kClockSkewMs = 60'000, kLoginFlowMs = 10 * 60'000;
constexpr std::size_t kFetchedBytesMax = 256 << 10;

struct FetchRequest {
  std::string method, url;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};
struct FetchAnswer {
  int status = 0;
  std::string body;
};
/// Errors: whatever keeps the answer from coming.
using Fetch = std::function<core::Result<FetchAnswer>(const FetchRequest&)>;

struct OidcClient {
  std::string issuer, client_id, client_secret, redirect_uri;  // client_secret empty: a public client, PKCE alone
};
struct OidcMetadata {
  std::string issuer, authorization_endpoint, token_endpoint, jwks_uri;
};

/// GET <issuer>/.well-known/openid-configuration. Errors: oidc.unreachable, oidc.bad-metadata.
core::Result<OidcMetadata> discover(const Fetch& fetch, const OidcClient& client);
core::Result<OidcMetadata> parse_metadata(std::string_view json, std::string_view issuer);

struct OidcLogin {
  std::string url;    // where the browser goes
  std::string state;  // also for a cookie: who comes back must be who went
};
OidcLogin begin_login(db::Transaction& tx, const Box& box, const OidcClient& client, const OidcMetadata& metadata, core::Millis now_ms);

/// What the provider says of who logged in.
struct IdClaims {
  std::string issuer, subject;
  std::string email;  // empty unless the provider says that it is verified
};
/// Takes the flow of `state`, once, exchanges the code and checks what comes. Errors, refused: oidc.no-flow (unknown, used or too old),
/// oidc.unreachable, oidc.refused (the provider's own words), oidc.bad-token (and why).
core::Result<IdClaims> finish_login(db::Database& database, const Box& box, const Fetch& fetch, const OidcClient& client,
                                    const OidcMetadata& metadata, std::string_view state, std::string_view code, core::Millis now_ms);
/// Errors: refused oidc.nobody. Notes the subject at the first time.
core::Result<Staff> staff_of_claims(db::Transaction& tx, const IdClaims& claims);

// ---- parts, for tests -------------------------------------------------------------------------------------------------------------

/// RFC 7636 S256: base64url(SHA-256(verifier)).
std::string code_challenge(std::string_view verifier);
/// Errors: refused oidc.bad-token.
core::Result<IdClaims> check_id_token(std::string_view token, std::string_view jwks, const OidcClient& client, std::string_view nonce,
                                      core::Millis now_ms);

}  // namespace tanhui::identity
