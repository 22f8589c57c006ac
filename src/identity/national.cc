#include "identity/national.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>

#include <memory>

#include "core/invariant.h"

namespace tanhui::identity::national {
namespace {

struct Free {
  void operator()(EVP_CIPHER_CTX* one) const { EVP_CIPHER_CTX_free(one); }
  void operator()(EVP_MD_CTX* one) const { EVP_MD_CTX_free(one); }
  void operator()(EVP_PKEY_CTX* one) const { EVP_PKEY_CTX_free(one); }
  void operator()(EVP_PKEY* one) const { EVP_PKEY_free(one); }
  void operator()(BIGNUM* one) const { BN_clear_free(one); }
  void operator()(EC_GROUP* one) const { EC_GROUP_free(one); }
  void operator()(EC_POINT* one) const { EC_POINT_free(one); }
  void operator()(ECDSA_SIG* one) const { ECDSA_SIG_free(one); }
  void operator()(OSSL_PARAM_BLD* one) const { OSSL_PARAM_BLD_free(one); }
  void operator()(OSSL_PARAM* one) const { OSSL_PARAM_free(one); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

constexpr std::string_view kUserId = "1234567812345678";
const unsigned char* data(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

core::Error bad_key() {
  return {core::ErrorCode::invalid_input, "sm2.bad-key", "these bytes are not a key of SM2", "give the key as it was made"};
}

std::optional<Sm2Public> public_of(const BIGNUM* secret) {
  const Owned<EC_GROUP> group(EC_GROUP_new_by_curve_name(NID_sm2));
  core::invariant(group != nullptr, "OpenSSL has the curve of SM2");
  // GB/T 32918.2 6.1 signs by (1 + d)^-1, so the greatest scalar is the order less 2.
  const Owned<BIGNUM> limit(BN_dup(EC_GROUP_get0_order(group.get())));
  if (BN_is_zero(secret) || BN_sub_word(limit.get(), 1) != 1 || BN_cmp(secret, limit.get()) >= 0) return std::nullopt;
  const Owned<EC_POINT> point(EC_POINT_new(group.get()));
  std::array<std::uint8_t, 65> bytes;
  const bool good = EC_POINT_mul(group.get(), point.get(), secret, nullptr, nullptr, nullptr) == 1 &&
                    EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, bytes.data(), bytes.size(), nullptr) == 65;
  core::invariant(good, "a scalar of SM2 has a point");
  Sm2Public key;
  std::copy(bytes.begin() + 1, bytes.end(), key.begin());
  return key;
}

/// Null when the point is not on the curve.
Owned<EVP_PKEY> key_of(const Sm2Public& key, const BIGNUM* secret) {
  std::array<std::uint8_t, 65> point{4};
  std::copy(key.begin(), key.end(), point.begin() + 1);
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, "SM2", nullptr));
  if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "SM2", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1 ||
      (secret != nullptr && OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret) != 1))
    return nullptr;
  const Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, secret != nullptr ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    return nullptr;
  return Owned<EVP_PKEY>(made);
}

/// A digest context that signs or checks by this key with the standard's user id.
struct Signing {
  Owned<EVP_MD_CTX> context{EVP_MD_CTX_new()};
  Owned<EVP_PKEY_CTX> key_context;
  explicit Signing(EVP_PKEY* key) : key_context(EVP_PKEY_CTX_new(key, nullptr)) {
    core::invariant(EVP_PKEY_CTX_set1_id(key_context.get(), kUserId.data(), int(kUserId.size())) == 1, "SM2 takes a user id");
    EVP_MD_CTX_set_pkey_ctx(context.get(), key_context.get());
  }
};

}  // namespace

core::Digest sm3(std::string_view bytes) {
  core::Digest digest;
  core::invariant(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sm3(), nullptr) == 1, "OpenSSL has SM3");
  return digest;
}

core::Digest hmac_sm3(std::span<const std::uint8_t> key, std::string_view bytes) {
  core::Digest digest;
  unsigned length = 0;
  core::invariant(
      HMAC(EVP_sm3(), key.data(), int(key.size()), data(bytes), bytes.size(), digest.data(), &length) != nullptr && length == 32,
      "OpenSSL has HMAC-SM3");
  return digest;
}

std::string sm4_ctr(std::span<const std::uint8_t, 16> key, std::span<const std::uint8_t, 16> iv, std::string_view bytes) {
  const Owned<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
  std::string out(bytes.size(), '\0');
  int length = 0;
  const bool good =
      EVP_EncryptInit_ex(context.get(), EVP_sm4_ctr(), nullptr, key.data(), iv.data()) == 1 &&
      EVP_EncryptUpdate(context.get(), reinterpret_cast<unsigned char*>(out.data()), &length, data(bytes), int(bytes.size())) == 1;
  core::invariant(good && length == int(bytes.size()), "OpenSSL has SM4");
  return out;
}

core::Result<Sm2Public> sm2_public(const Sm2Secret& secret) {
  const Owned<BIGNUM> number(BN_bin2bn(secret.data(), 32, nullptr));
  const auto key = public_of(number.get());
  if (!key) return bad_key();
  return *key;
}

core::Result<Sm2Signature> sm2_sign(const Sm2Secret& secret, std::string_view message) {
  const Owned<BIGNUM> number(BN_bin2bn(secret.data(), 32, nullptr));
  const auto public_key = public_of(number.get());
  if (!public_key) return bad_key();
  const auto key = key_of(*public_key, number.get());
  core::invariant(key != nullptr, "a pair of SM2 is one");
  Signing signing(key.get());
  std::array<std::uint8_t, 128> der;
  std::size_t length = der.size();
  const bool made = EVP_DigestSignInit(signing.context.get(), nullptr, EVP_sm3(), nullptr, key.get()) == 1 &&
                    EVP_DigestSign(signing.context.get(), der.data(), &length, data(message), message.size()) == 1;
  core::invariant(made, "OpenSSL signs by SM2");
  const unsigned char* next = der.data();
  const Owned<ECDSA_SIG> parts(d2i_ECDSA_SIG(nullptr, &next, long(length)));
  Sm2Signature signature;
  const bool whole = parts != nullptr && BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), signature.data(), 32) == 32 &&
                     BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), signature.data() + 32, 32) == 32;
  core::invariant(whole, "a signature of SM2 is two numbers");
  return signature;
}

bool sm2_verify(const Sm2Public& public_key, std::string_view message, const Sm2Signature& signature) {
  const auto key = key_of(public_key, nullptr);
  if (key == nullptr) return false;
  const Owned<ECDSA_SIG> parts(ECDSA_SIG_new());
  if (ECDSA_SIG_set0(parts.get(), BN_bin2bn(signature.data(), 32, nullptr), BN_bin2bn(signature.data() + 32, 32, nullptr)) != 1)
    return false;
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(parts.get(), &der);
  if (length <= 0) return false;
  Signing signing(key.get());
  const bool good = EVP_DigestVerifyInit(signing.context.get(), nullptr, EVP_sm3(), nullptr, key.get()) == 1 &&
                    EVP_DigestVerify(signing.context.get(), der, std::size_t(length), data(message), message.size()) == 1;
  OPENSSL_free(der);
  return good;
}

}  // namespace tanhui::identity::national
