// identity/national.h: the national algorithms as OpenSSL 3 has them: SM3 (digest), HMAC-SM3, SM4 in counter mode, SM2 signatures.
// Source: GB/T 32905-2016 (SM3), GB/T 32907-2016 (SM4), GB/T 32918-2016 (SM2, curve and user id of part 5).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/hash.h"
#include "core/result.h"
#include "identity/secret.h"

namespace tanhui::identity::national {

core::Digest sm3(std::string_view bytes);
core::Digest hmac_sm3(std::span<const std::uint8_t> key, std::string_view bytes);
/// In counter mode encryption and decryption are one. Never use an iv twice under a key.
std::string sm4_ctr(std::span<const std::uint8_t, 16> key, std::span<const std::uint8_t, 16> iv, std::string_view bytes);

/// SM2 over the curve sm2p256v1, with the user id "1234567812345678" of the standard. Keys are a scalar and the coordinates x y,
/// big-endian; a signature is r s, 32 bytes each.
using Sm2Secret = SecretBytes<32>;
using Sm2Public = std::array<std::uint8_t, 64>;
using Sm2Signature = std::array<std::uint8_t, 64>;
/// Errors: sm2.bad-key (0, or not below the order).
core::Result<Sm2Public> sm2_public(const Sm2Secret& secret);
core::Result<Sm2Signature> sm2_sign(const Sm2Secret& secret, std::string_view message);
bool sm2_verify(const Sm2Public& key, std::string_view message, const Sm2Signature& signature);

}  // namespace tanhui::identity::national
