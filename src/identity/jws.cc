#include "identity/jws.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <memory>

#include "core/json.h"
#include "identity/base64url.h"

namespace tanhui::identity {
namespace {

namespace json = boost::json;
constexpr std::size_t kModulusBytesMin = 256, kModulusBytesMax = 1024, kCoordinateBytes = 32;

template <auto Free>
struct Freeing {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freeing<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freeing<EVP_MD_CTX_free>>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, Freeing<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freeing<OSSL_PARAM_free>>;
using Number = std::unique_ptr<BIGNUM, Freeing<BN_free>>;

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

core::Error bad(std::string why) {
  return {core::ErrorCode::refused, "jws.bad", "the signed token does not hold: " + why, "begin again", {{"why", std::move(why)}}};
}

std::string text_of(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

Key key_from(const char* type, const ParameterBuilder& builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    return nullptr;
  return Key(key);
}

Key rsa_key(const json::object& jwk) {
  const auto n = from_base64url(text_of(jwk, "n")), e = from_base64url(text_of(jwk, "e"));
  if (!n || !e || n->size() < kModulusBytesMin || n->size() > kModulusBytesMax || n->front() == '\0' || e->empty() || e->size() > 8)
    return nullptr;
  const Number modulus(BN_bin2bn(bytes(*n), int(n->size()), nullptr)), exponent(BN_bin2bn(bytes(*e), int(e->size()), nullptr));
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (!modulus || !exponent || !builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1)
    return nullptr;
  return key_from("RSA", builder);
}

Key p256_key(const json::object& jwk) {
  const auto x = from_base64url(text_of(jwk, "x")), y = from_base64url(text_of(jwk, "y"));
  if (text_of(jwk, "crv") != "P-256" || !x || !y || x->size() != kCoordinateBytes || y->size() != kCoordinateBytes) return nullptr;
  const std::string point = "\x04" + *x + *y;
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
    return nullptr;
  return key_from("EC", builder);
}

/// r and s side by side, as JOSE writes them, into the DER form that OpenSSL reads.
std::string der_signature(std::string_view raw) {
  if (raw.size() != 2 * kCoordinateBytes) return {};
  const std::unique_ptr<ECDSA_SIG, Freeing<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(bytes(raw), kCoordinateBytes, nullptr);
  BIGNUM* s = BN_bin2bn(bytes(raw) + kCoordinateBytes, kCoordinateBytes, nullptr);
  if (!signature || r == nullptr || s == nullptr || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(signature.get(), &der);
  if (length <= 0) return {};
  std::string text(reinterpret_cast<const char*>(der), std::size_t(length));
  OPENSSL_free(der);
  return text;
}

bool verifies(const Key& key, std::string_view signature, std::string_view signed_text) {
  const DigestContext context(EVP_MD_CTX_new());
  return context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(signed_text), signed_text.size()) == 1;
}

bool fits(const json::object& jwk, std::string_view algorithm, std::string_view kid) {
  const std::string use = text_of(jwk, "use"), alg = text_of(jwk, "alg");
  return (use.empty() || use == "sig") && (alg.empty() || alg == algorithm) && (kid.empty() || text_of(jwk, "kid") == kid) &&
         text_of(jwk, "kty") == (algorithm == "RS256" ? "RSA" : "EC");
}

}  // namespace

core::Result<std::string> verify_jws(std::string_view token, std::string_view jwks) {
  if (token.size() > kTokenBytesMax) return bad(fmt::format("it is {} bytes long", token.size()));
  const std::size_t first = token.find('.'), second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return bad("it has not three parts");
  const auto header_text = from_base64url(token.substr(0, first)), payload = from_base64url(token.substr(first + 1, second - first - 1)),
             signature = from_base64url(token.substr(second + 1));
  if (!header_text || !payload || !signature) return bad("a part is not base64url");
  const auto header = core::parse_json(*header_text);
  if (!header || !header->is_object()) return bad("its header is no JSON object");
  const json::object& head = header->get_object();
  const std::string algorithm = text_of(head, "alg"), kid = text_of(head, "kid");
  if (algorithm != "RS256" && algorithm != "ES256") return bad(fmt::format("its algorithm is '{}', not RS256 or ES256", algorithm));
  if (head.contains("crit")) return bad("it asks for extensions");
  const auto document = core::parse_json(jwks);
  const json::value* keys = document && document->is_object() ? document->get_object().if_contains("keys") : nullptr;
  if (keys == nullptr || !keys->is_array()) return bad("the keys are no JWKS");
  const std::string checked = algorithm == "RS256" ? *signature : der_signature(*signature);
  for (const json::value& value : keys->get_array()) {
    if (!value.is_object() || !fits(value.get_object(), algorithm, kid)) continue;
    const Key key = algorithm == "RS256" ? rsa_key(value.get_object()) : p256_key(value.get_object());
    if (key && !checked.empty() && verifies(key, checked, token.substr(0, second))) return *payload;
  }
  return bad("no key of the provider signed it");
}

}  // namespace tanhui::identity
