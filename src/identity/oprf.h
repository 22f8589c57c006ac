// identity/oprf.h: the oblivious pseudorandom function of RFC 9497, suite ristretto255-SHA512, modes OPRF and VOPRF.
//
//   partner   blind(input)              -> Blinded{blind, element}     the element tells nothing about the input
//   platform  evaluate(key, elements)   -> elements, and a proof       the platform never sees the input
//   partner   finalize(input, blind, …) -> 64 bytes                    which nobody computes without the platform's key
//
// In VOPRF mode the partner also checks that the key is the one whose public half was published: otherwise a platform could give
// each partner, or each person, a key of its own and so tell them apart. We use VOPRF; OPRF is here because the RFC's vectors are.
// Elements and scalars are libsodium's; every operation on secrets takes the same time whatever they are.
// Source: RFC 9497 sections 2 to 4 and appendix A.1 (vectors); RFC 9380 section 5.3.1 (expand_message_xmd); RFC 9496 (ristretto255).
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "identity/secret.h"

namespace tanhui::identity::oprf {

enum class Mode : std::uint8_t { oprf = 0, voprf = 1 };
constexpr std::size_t kBatchMax = 1'000;   // elements in one evaluation
constexpr std::size_t kInputMax = 65'535;  // bytes; the RFC writes the length in two

using Element = std::array<std::uint8_t, 32>;  // of the group, encoded
using Scalar = SecretBytes<32>;                // blinds and private keys: less than the group's order, little-endian
using Output = std::array<std::uint8_t, 64>;

struct KeyPair {
  Scalar secret;
  Element public_key{};
};
/// DeriveKeyPair: the same seed and info give the same pair for ever. `info` has at most kInputMax bytes.
KeyPair derive_key_pair(Mode mode, const SecretBytes<32>& seed, std::string_view info);
KeyPair random_key_pair(const Randomness& randomness);
/// Errors: oprf.bad-key when it is 0 or not less than the group's order.
core::Result<KeyPair> key_pair_of(const Scalar& secret);

/// A scalar that is uniform and not 0; takes 64 random bytes, again in the case that never happens.
Scalar random_scalar(const Randomness& randomness);
/// The scalar that 64 uniform bytes stand for.
Scalar scalar_from(std::span<const std::uint8_t, 64> uniform);

/// Errors: oprf.bad-input when the input is longer than kInputMax, or the one in 2^252 that cannot be blinded.
core::Result<Element> blind(Mode mode, std::string_view input, const Scalar& blind);

struct Proof {
  std::array<std::uint8_t, 32> c{}, s{};
};
struct Evaluation {
  std::vector<Element> elements;
  Proof proof;  // of VOPRF mode; covers the whole batch
};
/// Errors: oprf.bad-element (names the place of the first that is no element of the group, or the neutral one), oprf.batch-size (none, or
/// more than kBatchMax).
core::Result<Evaluation> evaluate(Mode mode, const KeyPair& key, std::span<const Element> blinded, const Randomness& randomness);
/// As above with the scalar that the proof takes, for test vectors: using one twice gives the key away.
core::Result<Evaluation> evaluate_with(Mode mode, const KeyPair& key, std::span<const Element> blinded, const Scalar& proof_scalar);

/// Whether the batch was evaluated by the key with this public half. Errors: oprf.bad-proof, oprf.batch-size.
core::Status verify(const Element& public_key, std::span<const Element> blinded, std::span<const Element> evaluated, const Proof& proof);

/// Errors: oprf.bad-element, oprf.bad-input.
core::Result<Output> finalize(std::string_view input, const Scalar& blind, const Element& evaluated);

/// What blind, evaluate and finalize give together, for who has both input and key. Errors: oprf.bad-input.
core::Result<Output> evaluate_directly(Mode mode, const Scalar& secret, std::string_view input);

/// RFC 9380: `bytes` uniform bytes (at most 255 * 64) of a message, for the domain `dst` (1 to 255 bytes), by SHA-512.
std::vector<std::uint8_t> expand_message_xmd(std::string_view message, std::string_view dst, std::size_t bytes);

}  // namespace tanhui::identity::oprf
