#include "identity/oprf.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/bytes.h"
#include "core/invariant.h"

namespace tanhui::identity::oprf {
namespace {

using core::Error, core::ErrorCode;
static_assert(crypto_core_ristretto255_BYTES == 32 && crypto_core_ristretto255_SCALARBYTES == 32);
static_assert(crypto_core_ristretto255_HASHBYTES == 64 && crypto_core_ristretto255_NONREDUCEDSCALARBYTES == 64);

constexpr std::size_t kHashBytes = crypto_hash_sha512_BYTES, kBlockBytes = 128;

std::string context_string(Mode mode) { return std::string("OPRFV1-") + char(mode) + "-ristretto255-SHA512"; }

/// I2OSP(length, 2) and the bytes: how the RFC writes what it hashes.
void append(std::string& out, std::span<const std::uint8_t> bytes) {
  out.push_back(char(bytes.size() >> 8));
  out.push_back(char(bytes.size()));
  out.append(text_of(bytes));
}

Scalar hash_to_scalar(std::string_view message, const std::string& dst) {
  std::vector<std::uint8_t> uniform = expand_message_xmd(message, dst, 64);
  const WipeAtEnd wipe(uniform);
  return scalar_from(std::span<const std::uint8_t, 64>(uniform.data(), 64));
}

Element hash_to_group(Mode mode, std::string_view input) {
  std::vector<std::uint8_t> uniform = expand_message_xmd(input, "HashToGroup-" + context_string(mode), 64);
  const WipeAtEnd wipe(uniform);
  Element element;
  core::invariant(crypto_core_ristretto255_from_hash(element.data(), uniform.data()) == 0, "64 bytes are an element");
  return element;
}

bool is_neutral(const Element& element) { return sodium_is_zero(element.data(), element.size()) == 1; }
bool is_usable(const Element& element) { return crypto_core_ristretto255_is_valid_point(element.data()) == 1 && !is_neutral(element); }

/// Throws when the product is neutral: callers have checked the element, and their scalars are never 0.
Element multiply(const std::uint8_t* scalar, const Element& element) {
  Element product;
  core::invariant(crypto_scalarmult_ristretto255(product.data(), scalar, element.data()) == 0, "an element times a scalar is an element");
  return product;
}
Element multiply_base(const std::uint8_t* scalar) {
  Element product;
  core::invariant(crypto_scalarmult_ristretto255_base(product.data(), scalar) == 0, "the generator times a scalar is an element");
  return product;
}
Element add(const Element& a, const Element& b) {
  Element sum;
  core::invariant(crypto_core_ristretto255_add(sum.data(), a.data(), b.data()) == 0, "two elements have a sum");
  return sum;
}

Error bad_input(std::size_t bytes) {
  return {ErrorCode::invalid_input,
          "oprf.bad-input",
          fmt::format("an input of {} bytes cannot be blinded", bytes),
          fmt::format("give at most {} bytes", kInputMax),
          {{"bytes", std::to_string(bytes)}}};
}
Error bad_element(std::size_t place) {
  return {ErrorCode::invalid_input,
          "oprf.bad-element",
          fmt::format("element {} is not an element of ristretto255 other than the neutral one", place + 1),
          "send the elements as blind() made them: 32 bytes each",
          {{"place", std::to_string(place + 1)}}};
}
Error batch_size(std::size_t size) {
  return {ErrorCode::invalid_input,
          "oprf.batch-size",
          fmt::format("a batch has 1 to {} elements, not {}", kBatchMax, size),
          "split it",
          {{"size", std::to_string(size)}, {"most", std::to_string(kBatchMax)}}};
}
Error bad_proof() {
  return {ErrorCode::refused, "oprf.bad-proof", "the proof does not show that the published key evaluated these elements",
          "do not use these pseudonyms; ask the platform which key is in force, and report a key that nobody published"};
}

/// The weights that bind a batch together, and M = sum of weight times blinded element (ComputeComposites).
struct Composite {
  Element m{}, z{};
};
template <class Visit>
void each_weight(const Element& public_key, std::span<const Element> blinded, std::span<const Element> evaluated, Visit visit) {
  const std::string context = context_string(Mode::voprf);
  std::string transcript;
  append(transcript, public_key);
  append(transcript, bytes_of("Seed-" + context));
  std::array<std::uint8_t, kHashBytes> seed;
  crypto_hash_sha512(seed.data(), bytes_of(transcript).data(), transcript.size());
  const std::string dst = "HashToScalar-" + context;
  for (std::size_t i = 0; i < blinded.size(); ++i) {
    transcript.clear();
    append(transcript, seed);
    transcript.push_back(char(i >> 8));
    transcript.push_back(char(i));
    append(transcript, blinded[i]);
    append(transcript, evaluated[i]);
    transcript.append("Composite");
    visit(i, hash_to_scalar(transcript, dst));
  }
}

Scalar challenge(const Element& public_key, const Composite& composite, const Element& t2, const Element& t3) {
  std::string transcript;
  for (const Element* part : {&public_key, &composite.m, &composite.z, &t2, &t3}) append(transcript, *part);
  transcript.append("Challenge");
  return hash_to_scalar(transcript, "HashToScalar-" + context_string(Mode::voprf));
}

Proof prove(const KeyPair& key, std::span<const Element> blinded, std::span<const Element> evaluated, const Scalar& r) {
  Composite composite;
  each_weight(key.public_key, blinded, evaluated,
              [&](std::size_t i, const Scalar& weight) { composite.m = add(multiply(weight.data(), blinded[i]), composite.m); });
  composite.z = multiply(key.secret.data(), composite.m);
  const Scalar c = challenge(key.public_key, composite, multiply_base(r.data()), multiply(r.data(), composite.m));
  Scalar product;
  Proof proof;
  crypto_core_ristretto255_scalar_mul(product.data(), c.data(), key.secret.data());
  crypto_core_ristretto255_scalar_sub(proof.s.data(), r.data(), product.data());
  std::copy(c.bytes().begin(), c.bytes().end(), proof.c.begin());
  return proof;
}

bool is_reduced(const std::array<std::uint8_t, 32>& scalar) {
  std::array<std::uint8_t, 64> wide{};
  std::copy(scalar.begin(), scalar.end(), wide.begin());
  std::array<std::uint8_t, 32> reduced;
  crypto_core_ristretto255_scalar_reduce(reduced.data(), wide.data());
  return sodium_memcmp(reduced.data(), scalar.data(), scalar.size()) == 0;
}

Output output_of(std::string_view input, const Element& unblinded) {
  std::string transcript;
  transcript.reserve(input.size() + unblinded.size() + 16);
  append(transcript, bytes_of(input));
  append(transcript, unblinded);
  transcript.append("Finalize");
  Output output;
  crypto_hash_sha512(output.data(), bytes_of(transcript).data(), transcript.size());
  sodium_memzero(transcript.data(), transcript.size());
  return output;
}

}  // namespace

std::vector<std::uint8_t> expand_message_xmd(std::string_view message, std::string_view dst, std::size_t bytes) {
  const std::size_t blocks = (bytes + kHashBytes - 1) / kHashBytes;
  core::invariant(blocks <= 255 && !dst.empty() && dst.size() <= 255, "expand_message_xmd is asked within its limits");
  const std::uint8_t dst_length = std::uint8_t(dst.size()), zero = 0;
  const std::uint8_t length[2] = {std::uint8_t(bytes >> 8), std::uint8_t(bytes)};
  const std::array<std::uint8_t, kBlockBytes> pad{};
  std::array<std::uint8_t, kHashBytes> first, block{};
  const WipeAtEnd wipe_first(first), wipe_block(block);
  crypto_hash_sha512_state state;
  crypto_hash_sha512_init(&state);
  crypto_hash_sha512_update(&state, pad.data(), pad.size());
  crypto_hash_sha512_update(&state, bytes_of(message).data(), message.size());
  crypto_hash_sha512_update(&state, length, sizeof length);
  crypto_hash_sha512_update(&state, &zero, 1);
  crypto_hash_sha512_update(&state, bytes_of(dst).data(), dst.size());
  crypto_hash_sha512_update(&state, &dst_length, 1);
  crypto_hash_sha512_final(&state, first.data());
  std::vector<std::uint8_t> uniform(bytes);
  for (std::size_t i = 0; i < blocks; ++i) {
    for (std::size_t j = 0; j < kHashBytes; ++j) block[j] = std::uint8_t(block[j] ^ first[j]);
    const auto number = std::uint8_t(i + 1);
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, block.data(), block.size());
    crypto_hash_sha512_update(&state, &number, 1);
    crypto_hash_sha512_update(&state, bytes_of(dst).data(), dst.size());
    crypto_hash_sha512_update(&state, &dst_length, 1);
    crypto_hash_sha512_final(&state, block.data());
    std::copy_n(block.begin(), std::min(kHashBytes, bytes - i * kHashBytes), uniform.begin() + std::ptrdiff_t(i * kHashBytes));
  }
  sodium_memzero(&state, sizeof state);
  return uniform;
}

Scalar scalar_from(std::span<const std::uint8_t, 64> uniform) {
  Scalar scalar;
  crypto_core_ristretto255_scalar_reduce(scalar.data(), uniform.data());
  return scalar;
}

Scalar random_scalar(const Randomness& randomness) {
  while (true) {
    const auto uniform = SecretBytes<64>::random(randomness);
    Scalar scalar = scalar_from(uniform.bytes());
    if (sodium_is_zero(scalar.data(), 32) == 0) return scalar;
  }
}

KeyPair derive_key_pair(Mode mode, const SecretBytes<32>& seed, std::string_view info) {
  core::invariant(info.size() <= kInputMax, "the info of a key has at most 65,535 bytes");
  const std::string dst = "DeriveKeyPair" + context_string(mode);
  std::string input(text_of(seed.bytes()));
  append(input, bytes_of(info));
  for (int counter = 0; counter < 256; ++counter) {
    input.push_back(char(counter));
    KeyPair pair{hash_to_scalar(input, dst), {}};
    input.pop_back();
    if (sodium_is_zero(pair.secret.data(), 32) == 1) continue;
    sodium_memzero(input.data(), input.size());
    pair.public_key = multiply_base(pair.secret.data());
    return pair;
  }
  throw core::InvariantBroken("256 hashes in a row are not all 0");
}

KeyPair random_key_pair(const Randomness& randomness) {
  KeyPair pair{random_scalar(randomness), {}};
  pair.public_key = multiply_base(pair.secret.data());
  return pair;
}

core::Result<KeyPair> key_pair_of(const Scalar& secret) {
  std::array<std::uint8_t, 32> bytes;
  const WipeAtEnd wipe(bytes);
  std::copy(secret.bytes().begin(), secret.bytes().end(), bytes.begin());
  if (!is_reduced(bytes) || sodium_is_zero(bytes.data(), bytes.size()) == 1)
    return Error{ErrorCode::refused, "oprf.bad-key", "these 32 bytes are not a private key of ristretto255",
                 "restore the key from a backup: it must be the one that was made"};
  return KeyPair{secret, multiply_base(secret.data())};
}

core::Result<Element> blind(Mode mode, std::string_view input, const Scalar& blind) {
  if (input.size() > kInputMax) return bad_input(input.size());
  Element element = hash_to_group(mode, input);
  const WipeAtEnd wipe(element);
  if (is_neutral(element)) return bad_input(input.size());
  return multiply(blind.data(), element);
}

core::Result<Evaluation> evaluate(Mode mode, const KeyPair& key, std::span<const Element> blinded, const Randomness& randomness) {
  return evaluate_with(mode, key, blinded, random_scalar(randomness));
}

core::Result<Evaluation> evaluate_with(Mode mode, const KeyPair& key, std::span<const Element> blinded, const Scalar& proof_scalar) {
  if (blinded.empty() || blinded.size() > kBatchMax) return batch_size(blinded.size());
  Evaluation evaluation;
  evaluation.elements.reserve(blinded.size());
  for (std::size_t i = 0; i < blinded.size(); ++i) {
    if (!is_usable(blinded[i])) return bad_element(i);
    evaluation.elements.push_back(multiply(key.secret.data(), blinded[i]));
  }
  if (mode == Mode::voprf) evaluation.proof = prove(key, blinded, evaluation.elements, proof_scalar);
  return evaluation;
}

core::Status verify(const Element& public_key, std::span<const Element> blinded, std::span<const Element> evaluated, const Proof& proof) {
  if (blinded.empty() || blinded.size() > kBatchMax || blinded.size() != evaluated.size()) return batch_size(evaluated.size());
  const auto usable = [](std::span<const Element> elements) { return std::all_of(elements.begin(), elements.end(), is_usable); };
  if (!is_usable(public_key) || !usable(blinded) || !usable(evaluated) || !is_reduced(proof.c) || !is_reduced(proof.s)) return bad_proof();
  // A dishonest prover may choose a proof that makes a product neutral; libsodium then says so, and the proof is no good.
  bool products = true;
  const auto times = [&](const std::uint8_t* scalar, const Element& element) {
    Element product{};
    products = crypto_scalarmult_ristretto255(product.data(), scalar, element.data()) == 0 && products;
    return product;
  };
  Composite composite;
  each_weight(public_key, blinded, evaluated, [&](std::size_t i, const Scalar& weight) {
    composite.m = add(times(weight.data(), blinded[i]), composite.m);
    composite.z = add(times(weight.data(), evaluated[i]), composite.z);
  });
  Element base{};
  products = crypto_scalarmult_ristretto255_base(base.data(), proof.s.data()) == 0 && products;
  const Element t2 = add(base, times(proof.c.data(), public_key));
  const Element t3 = add(times(proof.s.data(), composite.m), times(proof.c.data(), composite.z));
  const Scalar expected = challenge(public_key, composite, t2, t3);
  if (!products || sodium_memcmp(expected.data(), proof.c.data(), proof.c.size()) != 0) return bad_proof();
  return core::Done{};
}

core::Result<Output> finalize(std::string_view input, const Scalar& blind, const Element& evaluated) {
  if (input.size() > kInputMax) return bad_input(input.size());
  if (!is_usable(evaluated)) return bad_element(0);
  Scalar inverse;
  core::invariant(crypto_core_ristretto255_scalar_invert(inverse.data(), blind.data()) == 0, "a blind is not 0");
  Element unblinded = multiply(inverse.data(), evaluated);
  const WipeAtEnd wipe(unblinded);
  return output_of(input, unblinded);
}

core::Result<Output> evaluate_directly(Mode mode, const Scalar& secret, std::string_view input) {
  auto element = blind(mode, input, secret);
  if (!element) return element.error();
  Element unblinded = *element;
  const WipeAtEnd wipe(unblinded);
  return output_of(input, unblinded);
}

}  // namespace tanhui::identity::oprf
