// What privacy and signatures cost on one core: RFC 9421 verification of a request with a body of 1 kB, and RFC 9497 for each element.
//   build/release/bench/privacy_bench
#include <benchmark/benchmark.h>

#include "http/signature.h"
#include "identity/oprf.h"

namespace {

using namespace tanhui;  // NOLINT: a program of its own

constexpr core::Millis kNow = 1'618'884'473'000;

void verify(benchmark::State& state, const http::SignatureKey& signer, const http::SignatureKey& checker) {
  const std::string body(1'024, 'x'), digest = http::content_digest(body);
  std::vector<http::FieldView> fields = {{"Host", "tanhui.example"},
                                         {"User-Agent", "partner/1.0"},
                                         {"Content-Type", "application/json"},
                                         {"Idempotency-Key", "0d9c2f0a-6a53-4c1f-a9c1-7f3f8f1d7a11"},
                                         {"Content-Digest", digest}};
  http::MessageView message{"POST", "https", "tanhui.example", "/api/v1/activities?programme=wuhan", fields, body};
  const std::string_view components[] = {"@method", "@target-uri", "content-type", "content-digest", "idempotency-key"};
  const auto made =
      *http::sign(message, "sig", components, {.created_s = kNow / 1000, .keyid = "metro-1", .nonce = "b3k2pp5k7z-50gnwp"}, signer);
  fields.emplace_back("Signature-Input", made.signature_input);
  fields.emplace_back("Signature", made.signature);
  message.fields = fields;
  http::SignatureVerifier verifier;
  const auto lookup = [&](std::string_view) { return &checker; };
  for (auto _ : state) {
    const auto verified = verifier.verify(message, lookup, nullptr, kNow);
    if (!verified) state.SkipWithError(verified.error().message.c_str());
    benchmark::DoNotOptimize(verified);
  }
}

void hmac_1kb(benchmark::State& state) {
  const std::array<std::uint8_t, 32> secret{1};
  const auto key = *http::SignatureKey::hmac(secret);
  verify(state, key, key);
}
BENCHMARK(hmac_1kb);

void ed25519_1kb(benchmark::State& state) {
  const std::array<std::uint8_t, 32> seed{1};
  const auto key = *http::SignatureKey::ed25519_private(seed);
  verify(state, key, key);
}
BENCHMARK(ed25519_1kb);

void nonce(benchmark::State& state) {
  http::NonceStore nonces(0);
  std::uint64_t count = 0;
  for (auto _ : state) benchmark::DoNotOptimize(nonces.take("metro-1", {reinterpret_cast<const char*>(&++count), 8}, kNow, 300'000));
}
BENCHMARK(nonce)->Iterations(1'000'000);

namespace oprf = identity::oprf;

void oprf_blind(benchmark::State& state) {
  const auto blind = oprf::random_scalar(identity::system_randomness());
  for (auto _ : state) benchmark::DoNotOptimize(oprf::blind(oprf::Mode::voprf, "tel:+8613800138000", blind));
}
BENCHMARK(oprf_blind);

void oprf_evaluate(benchmark::State& state) {  // per batch
  const auto randomness = identity::system_randomness();
  const auto key = oprf::random_key_pair(randomness);
  std::vector<oprf::Element> batch;
  for (int i = 0; i < state.range(0); ++i)
    batch.push_back(*oprf::blind(oprf::Mode::voprf, std::to_string(i), oprf::random_scalar(randomness)));
  for (auto _ : state) benchmark::DoNotOptimize(oprf::evaluate(oprf::Mode::voprf, key, batch, randomness));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(oprf_evaluate)->Arg(1)->Arg(1'000);

void oprf_finalize(benchmark::State& state) {
  const auto randomness = identity::system_randomness();
  const auto blind = oprf::random_scalar(randomness);
  const auto element = *oprf::blind(oprf::Mode::voprf, "tel:+8613800138000", blind);
  for (auto _ : state) benchmark::DoNotOptimize(oprf::finalize("tel:+8613800138000", blind, element));
}
BENCHMARK(oprf_finalize);

}  // namespace

BENCHMARK_MAIN();
