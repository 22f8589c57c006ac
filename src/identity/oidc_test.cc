#include "identity/oidc.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "core/json.h"
#include "identity/base64url.h"
#include "identity/jws.h"
#include "identity/tenancy_fixture.h"
#include "journal/test_folder.h"

namespace tanhui::identity {
namespace {

using test::at, test::error_of, test::must, test::within;
namespace json = boost::json;
const Box kBox(core::sha256("a key"));
const OidcClient kClient{"https://idp.example", "tanhui", "secret", "https://console.example.org/return"};
constexpr core::Millis kNow = 1'700'000'000'000;

// RFC 7515 appendix A.3: ES256.
constexpr std::string_view kEs256Jwks =
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";
constexpr std::string_view kEs256 =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
// Appendix A.2: RS256.
constexpr std::string_view kRs256Jwks =
    R"({"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]})";
constexpr std::string_view kRs256 =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BA"
    "ynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1p"
    "hCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

TEST(Jws, ExamplesOfTheStandard) {
  const std::string payload = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
  EXPECT_EQ(must(verify_jws(kEs256, kEs256Jwks)), payload);
  EXPECT_EQ(must(verify_jws(kRs256, kRs256Jwks)), payload);
  EXPECT_EQ(error_of(verify_jws(kEs256, kRs256Jwks)), "jws.bad");
  EXPECT_EQ(error_of(verify_jws(kRs256, kEs256Jwks)), "jws.bad");
}

TEST(Jws, WhatWasNotSignedIsRefused) {
  const auto swapped = [](std::string_view header) {  // the signed payload and signature under another header
    return to_base64url(header) + std::string(kEs256.substr(kEs256.find('.')));
  };
  const std::string token(kEs256), unsigned_part = token.substr(0, token.rfind('.'));
  std::string last = token, first = token;
  last[last.size() - 5] = last[last.size() - 5] == 'A' ? 'B' : 'A';
  first[30] = first[30] == 'A' ? 'B' : 'A';
  const struct {
    const char* why;
    std::string token;
  } rows[] = {
      {"another signature", last},
      {"another payload", first},
      {"no signature", unsigned_part + "."},
      {"two parts", unsigned_part},
      {"four parts", token + ".A"},
      {"alg none", to_base64url(R"({"alg":"none"})") + token.substr(token.find('.'), token.rfind('.') - token.find('.')) + "."},
      {"alg HS256 with the public key as secret", swapped(R"({"alg":"HS256"})")},
      {"no alg", swapped("{}")},
      {"an extension", swapped(R"({"alg":"ES256","crit":["exp"],"exp":1})")},
      {"another key's name", swapped(R"({"alg":"ES256","kid":"other"})")},
      {"padding", token + "="},
      {"zeros as r and s", unsigned_part + "." + to_base64url(std::string(64, '\0'))},
      {"too long", token + std::string(kTokenBytesMax, 'A')},
      {"nothing", ""},
  };
  for (const auto& [why, text] : rows) EXPECT_EQ(error_of(verify_jws(text, kEs256Jwks)), "jws.bad") << why;
  for (const char* keys : {"", "{}", "[]", R"({"keys":{}})", R"({"keys":[1]})", R"({"keys":[{"kty":"EC"}]})",
                           R"({"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]})"})
    EXPECT_EQ(error_of(verify_jws(kEs256, keys)), "jws.bad") << keys;
}

TEST(Oidc, PkceChallengeOfTheStandard) {  // RFC 7636 appendix B
  EXPECT_EQ(code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST(Oidc, MetadataAreThoseOfTheIssuer) {
  const auto metadata = [](std::string_view issuer, std::string_view token) {
    return fmt::format(
        R"({{"issuer":"{}","authorization_endpoint":"https://idp.example/a","token_endpoint":"{}","jwks_uri":"http://127.0.0.1:9/k"}})",
        issuer, token);
  };
  EXPECT_TRUE(parse_metadata(metadata("https://idp.example", "https://idp.example/t"), "https://idp.example"));
  for (const std::string& bad :
       {metadata("https://evil.example", "https://idp.example/t"), metadata("https://idp.example", "http://idp.example/t"),
        metadata("https://idp.example", "http://127.0.0.1.evil.example/t"), std::string("{}"), std::string("[")})
    EXPECT_EQ(error_of(parse_metadata(bad, "https://idp.example")), "oidc.bad-metadata") << bad;
}

/// A provider in a few lines: signs whatever it is told to.
class Signer {
 public:
  Signer() : key_(EVP_EC_gen("P-256"), EVP_PKEY_free) {}
  std::string jwks() const {
    return fmt::format(R"({{"keys":[{{"kty":"EC","crv":"P-256","kid":"1","x":"{}","y":"{}"}}]}})", coordinate(OSSL_PKEY_PARAM_EC_PUB_X),
                       coordinate(OSSL_PKEY_PARAM_EC_PUB_Y));
  }
  std::string sign(const json::object& claims) const {
    const std::string text = to_base64url(R"({"alg":"ES256","kid":"1"})") + "." + to_base64url(json::serialize(claims));
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get());
    std::array<unsigned char, 128> der{};
    std::size_t length = der.size();
    EVP_DigestSign(context.get(), der.data(), &length, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    const unsigned char* at = der.data();
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(d2i_ECDSA_SIG(nullptr, &at, long(length)), ECDSA_SIG_free);
    std::string raw(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), reinterpret_cast<unsigned char*>(raw.data()), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), reinterpret_cast<unsigned char*>(raw.data()) + 32, 32);
    return text + "." + to_base64url(raw);
  }

 private:
  std::string coordinate(const char* name) const {
    BIGNUM* value = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &value);
    std::string bytes(32, '\0');
    BN_bn2binpad(value, reinterpret_cast<unsigned char*>(bytes.data()), 32);
    BN_free(value);
    return to_base64url(bytes);
  }
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

json::object good_claims() {
  return {{"iss", "https://idp.example"}, {"sub", "ann"},          {"aud", "tanhui"},
          {"exp", kNow / 1000 + 300},     {"iat", kNow / 1000},    {"nonce", "n"},
          {"email", "Ann@example.org"},   {"email_verified", true}};
}

TEST(Oidc, AnIdTokenSaysWhatItMustSay) {
  const Signer provider;
  const auto claims_of = [&](const json::object& claims) {
    return check_id_token(provider.sign(claims), provider.jwks(), kClient, "n", kNow);
  };
  const auto good = must(claims_of(good_claims()));
  EXPECT_EQ(good.subject, "ann");
  EXPECT_EQ(good.email, "Ann@example.org");
  const struct {
    const char* why;
    void (*change)(json::object&);
    bool good;
  } rows[] = {
      {"another provider", [](auto& c) { c["iss"] = "https://evil.example"; }, false},
      {"for somebody else", [](auto& c) { c["aud"] = "other"; }, false},
      {"for several, azp says us",
       [](auto& c) {
         c["aud"] = json::array{"other", "tanhui"}, c["azp"] = "tanhui";
       },
       true},
      {"for several, nobody says for whom",
       [](auto& c) {
         c["aud"] = json::array{"other", "tanhui"};
       },
       false},
      {"for several, azp says another",
       [](auto& c) {
         c["aud"] = json::array{"other", "tanhui"}, c["azp"] = "other";
       },
       false},
      {"for several, none of them us", [](auto& c) { c["aud"] = json::array{"other"}; }, false},
      {"over, within the skew", [](auto& c) { c["exp"] = kNow / 1000 - 59; }, true},
      {"over", [](auto& c) { c["exp"] = kNow / 1000 - 60; }, false},
      {"never over", [](auto& c) { c["exp"] = std::int64_t{9'000'000'000'000'000'000}; }, false},
      {"no time", [](auto& c) { c["exp"] = "tomorrow"; }, false},
      {"of the future, within the skew", [](auto& c) { c["iat"] = kNow / 1000 + 60; }, true},
      {"of the future", [](auto& c) { c["iat"] = kNow / 1000 + 61; }, false},
      {"of another login", [](auto& c) { c["nonce"] = "m"; }, false},
      {"without nonce", [](auto& c) { c.erase("nonce"); }, false},
      {"nobody", [](auto& c) { c["sub"] = ""; }, false},
      {"somebody endless", [](auto& c) { c["sub"] = std::string(256, 'x'); }, false},
      {"without address", [](auto& c) { c.erase("email"), c.erase("email_verified"); }, true},
  };
  for (const auto& [why, change, ought] : rows) {
    json::object claims = good_claims();
    change(claims);
    const auto told = claims_of(claims);
    EXPECT_EQ(bool(told), ought) << why;
    if (!told) {
      EXPECT_EQ(told.error().id, "oidc.bad-token") << why;
    }
  }
  json::object unverified = good_claims();
  for (const json::value& word : {json::value(false), json::value("true"), json::value(1)}) {
    unverified["email_verified"] = word;
    EXPECT_EQ(must(claims_of(unverified)).email, "");
  }
  EXPECT_EQ(error_of(check_id_token(Signer().sign(good_claims()), provider.jwks(), kClient, "n", kNow)), "oidc.bad-token");
}

TEST(Oidc, AFlowIsFinishedOnceByWhoBeganIt) {
  db::Database database = db::test::fresh_database();
  const Signer provider;
  const OidcMetadata metadata{"https://idp.example", "https://idp.example/auth?x=1", "https://idp.example/token",
                              "https://idp.example/jwks"};
  OidcLogin login;
  const auto begin = [&](core::Millis now) {
    db::Transaction tx = database.begin();
    login = begin_login(tx, kBox, kClient, metadata, now);
    tx.commit();
  };
  const auto parameter = [&](std::string_view name) {
    const std::size_t from = login.url.find(fmt::format("&{}=", name)) + name.size() + 2;
    return login.url.substr(from, login.url.find('&', from) - from);
  };
  std::string asked;
  int status = 200;
  const Fetch fetch = [&](const FetchRequest& request) -> core::Result<FetchAnswer> {
    if (request.method == "GET") return FetchAnswer{200, provider.jwks()};
    asked = request.body;
    if (status != 200) return FetchAnswer{status, R"({"error":"invalid_grant","error_description":"no"})"};
    json::object claims = good_claims();
    claims["nonce"] = parameter("nonce");
    return FetchAnswer{200, json::serialize(json::object{{"id_token", provider.sign(claims)}})};
  };
  const auto finish = [&](std::string_view state, core::Millis now) {
    return error_of(finish_login(database, kBox, fetch, kClient, metadata, state, "a code", now));
  };
  begin(kNow);
  EXPECT_TRUE(login.url.starts_with("https://idp.example/auth?x=1&response_type=code&client_id=tanhui&")) << login.url;
  EXPECT_EQ(parameter("state"), login.state);
  EXPECT_EQ(finish("somebody-elses", kNow), "oidc.no-flow");
  EXPECT_EQ(finish(login.state, kNow), "");
  EXPECT_NE(asked.find("code=a%20code"), std::string::npos) << asked;
  const std::string verifier = asked.substr(asked.find("code_verifier=") + 14);
  EXPECT_EQ(code_challenge(verifier), parameter("code_challenge"));
  EXPECT_EQ(finish(login.state, kNow), "oidc.no-flow") << "once";
  begin(kNow);
  EXPECT_EQ(finish(login.state, kNow + kLoginFlowMs), "oidc.no-flow") << "too late";
  begin(kNow);
  status = 400;
  EXPECT_EQ(finish(login.state, kNow), "oidc.refused");
  EXPECT_EQ(database.find<std::int64_t>("SELECT count(*) FROM login_flow"), 0);
}

TEST(Oidc, NobodyGetsAnAccountByLoggingIn) {
  db::Database database = db::test::fresh_database();
  const std::string ann = must(within(database, [&](auto& tx) { return create_staff(tx, at(0), "ann@example.org", "Ann", ""); })).id;
  const auto staff = [&](std::string_view subject, std::string_view email) {
    return within(database, [&](auto& tx) {
      return staff_of_claims(tx, {"https://idp.example", std::string(subject), std::string(email)});
    });
  };
  EXPECT_EQ(error_of(staff("s-1", "")), "oidc.nobody") << "an address that is not verified";
  EXPECT_EQ(error_of(staff("s-1", "bob@example.org")), "oidc.nobody");
  EXPECT_EQ(must(staff("s-1", "ANN@example.org")).id, ann);
  EXPECT_EQ(must(staff("s-1", "")).id, ann) << "known from then on";
  EXPECT_EQ(must(staff("s-1", "bob@example.org")).id, ann) << "whatever the address is now";
  must(within(database, [&](auto& tx) { return set_active(tx, at(1), ann, false); }));
  EXPECT_EQ(error_of(staff("s-1", "ann@example.org")), "oidc.nobody");
}

// ---- against a real provider: tests/oidc/oidc_test.py starts it and this ---------------------------------------------------------------

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string text;
  std::array<char, 4096> piece{};
  for (std::size_t count = 0; (count = std::fread(piece.data(), 1, piece.size(), pipe.get())) > 0;) text.append(piece.data(), count);
  return text;
}

TEST(OidcProvider, SomebodyLogsIn) {
  const std::string issuer = environment("OIDC_ISSUER"), script = environment("OIDC_SCRIPT");
  if (issuer.empty()) GTEST_SKIP() << "tests/oidc/oidc_test.py runs this with a provider";
  const journal::TestFolder folder;
  const Fetch fetch = [&](const FetchRequest& request) -> core::Result<FetchAnswer> {
    json::object headers;
    for (const auto& [name, value] : request.headers) headers[name] = value;
    std::ofstream(folder / "request.json") << json::serialize(
        json::object{{"method", request.method}, {"url", request.url}, {"headers", headers}, {"body", request.body}});
    const auto told = core::parse_json(output_of(fmt::format("python3 {} --fetch < {}", script, (folder / "request.json").string())));
    if (!told) return core::Error{core::ErrorCode::refused, "test.fetch", "no answer", "", {}};
    const core::MemberReader in(*told, "the answer");
    return FetchAnswer{int(in.integer("status")), in.text("body")};
  };
  const OidcClient client{issuer, "tanhui", environment("OIDC_CLIENT_SECRET"), "http://127.0.0.1:1/api/v1/oidc/return"};
  const core::Millis now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  db::Database database = db::test::fresh_database();
  const std::string ann = must(within(database, [&](auto& tx) { return create_staff(tx, at(now), "ann@example.org", "Ann", ""); })).id;
  const auto metadata = must(discover(fetch, client));
  const auto come_back = [&](std::string_view who) {  // through the provider's own pages
    db::Transaction tx = database.begin();
    const auto login = begin_login(tx, kBox, client, metadata, now);
    tx.commit();
    const std::string url = output_of(fmt::format("python3 {} --browse '{}' {}", script, login.url, who));
    const auto value = [&](std::string_view name) {
      const std::size_t from = url.find(fmt::format("{}=", name)) + name.size() + 1;
      return url.substr(from, url.find_first_of("&\n", from) - from);
    };
    EXPECT_EQ(value("state"), login.state) << url;
    return std::pair(value("state"), value("code"));
  };
  const auto [state, code] = come_back("ann");
  const auto claims = must(finish_login(database, kBox, fetch, client, metadata, state, code, now));
  EXPECT_EQ(claims.subject, "ann");
  EXPECT_EQ(must(within(database, [&](auto& tx) { return staff_of_claims(tx, claims); })).id, ann);
  EXPECT_EQ(error_of(finish_login(database, kBox, fetch, client, metadata, state, code, now)), "oidc.no-flow");

  const auto [second_state, second_code] = come_back("unverified");
  const auto unverified = must(finish_login(database, kBox, fetch, client, metadata, second_state, second_code, now));
  EXPECT_EQ(unverified.email, "");
  EXPECT_EQ(error_of(within(database, [&](auto& tx) { return staff_of_claims(tx, unverified); })), "oidc.nobody");

  const auto [third_state, third_code] = come_back("ann");
  OidcClient wrong = client;
  wrong.client_secret = "guessed";
  EXPECT_EQ(error_of(finish_login(database, kBox, fetch, wrong, metadata, third_state, third_code, now)), "oidc.refused");
  const auto [fourth_state, fourth_code] = come_back("ann");
  EXPECT_EQ(error_of(finish_login(database, kBox, fetch, client, metadata, fourth_state, fourth_code + "x", now)), "oidc.refused");
}

}  // namespace
}  // namespace tanhui::identity
