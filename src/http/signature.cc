#include "http/signature.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

#include "core/base64.h"
#include "core/invariant.h"
#include "http/structured.h"

namespace tanhui::http {
namespace {

using core::Error, core::ErrorCode;
using structured::Bare, structured::Dictionary, structured::Member, structured::Parameter;

constexpr std::size_t kFieldBytesMax = 8'192, kNonceMax = 128, kKeyidMax = 128;

Error refused(std::string id, std::string message, std::string action, std::vector<std::pair<std::string, std::string>> params = {}) {
  return {ErrorCode::refused, std::move(id), std::move(message), std::move(action), std::move(params)};
}
Error malformed(std::string_view what) {
  return refused("signature.malformed", fmt::format("{} cannot be read", what),
                 "send Signature-Input and Signature as RFC 9421 writes them, with one value for each name");
}
Error unsupported(std::string_view component) {
  return refused("signature.unsupported", fmt::format("the component {} is not one that can be signed here", component),
                 "cover @method, @target-uri, @authority, @path, @query and header fields, without parameters",
                 {{"component", std::string(component)}});
}

bool equal_ignoring_case(std::string_view lower, std::string_view any) {
  return lower.size() == any.size() && std::equal(lower.begin(), lower.end(), any.begin(),
                                                  [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? char(b + ('a' - 'A')) : b); });
}

std::string_view trimmed(std::string_view value) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!value.empty() && blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && blank(value.back())) value.remove_suffix(1);
  return value;
}

/// Appends the values of all fields of that name, joined as the RFC says; false when there is none, or one would break the line.
bool append_field(std::string& out, const MessageView& message, std::string_view lower_name) {
  bool found = false;
  for (const auto& [name, value] : message.fields) {
    if (!equal_ignoring_case(lower_name, name)) continue;
    const std::string_view bare = trimmed(value);
    if (std::any_of(bare.begin(), bare.end(), [](char c) { return std::uint8_t(c) < 0x20 && c != '\t'; })) return false;
    if (std::exchange(found, true)) out.append(", ");
    out.append(bare);
  }
  return found;
}

bool has_field(const MessageView& message, std::string_view lower_name) {
  return std::any_of(message.fields.begin(), message.fields.end(),
                     [&](const FieldView& field) { return equal_ignoring_case(lower_name, field.first); });
}

void append_authority(std::string& out, const MessageView& message) {
  const std::size_t start = out.size();
  for (const char c : message.authority) out.push_back(c >= 'A' && c <= 'Z' ? char(c + ('a' - 'A')) : c);
  const std::string_view port = message.scheme == "https" ? ":443" : ":80";  // the default one is left out
  if (std::string_view(out).substr(start).ends_with(port)) out.resize(out.size() - port.size());
}

struct Target {
  std::string_view path, query;
  bool has_query;
};
Target split(std::string_view target) {
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {target.empty() ? "/" : target, "", false};
  return {mark == 0 ? "/" : target.substr(0, mark), target.substr(mark + 1), true};
}

/// The value of a derived component; false when there is none of that name.
bool append_derived(std::string& out, const MessageView& message, std::string_view component) {
  const Target target = split(message.target);
  if (component == "@method") {
    out.append(message.method);
  } else if (component == "@authority") {
    append_authority(out, message);
  } else if (component == "@scheme") {
    out.append(message.scheme);
  } else if (component == "@path") {
    out.append(target.path);
  } else if (component == "@query") {
    out.append("?").append(target.query);
  } else if (component == "@request-target") {
    out.append(message.target);
  } else if (component == "@target-uri") {
    out.append(message.scheme).append("://");
    append_authority(out, message);
    out.append(target.path);
    if (target.has_query) out.append("?").append(target.query);
  } else {
    return false;
  }
  return true;
}

/// The signature base (RFC 9421 section 2.5). The components are strings without escapes.
core::Status write_base(std::string& base, const MessageView& message, std::span<const Bare> components,
                        std::span<const Parameter> parameters) {
  base.clear();
  for (std::size_t i = 0; i < components.size(); ++i) {
    const std::string_view component = components[i].text;
    for (std::size_t j = 0; j < i; ++j)
      if (components[j].text == component) return malformed("a list of components that names one twice");
    base.append("\"").append(component).append("\": ");
    if (component.starts_with('@')) {
      if (!append_derived(base, message, component)) return unsupported(component);
    } else if (!append_field(base, message, component)) {
      return refused("signature.missing-field", fmt::format("the signature covers the field {}, which is not there as a line", component),
                     "send every field that was signed", {{"field", std::string(component)}});
    }
    base.append("\n");
  }
  base.append("\"@signature-params\": ");
  structured::write(base.append("("), std::span<const Parameter>());
  for (std::size_t i = 0; i < components.size(); ++i) {
    if (i > 0) base.append(" ");
    structured::write(base, components[i]);
  }
  structured::write(base.append(")"), parameters);
  return core::Done{};
}

constexpr std::array<bool, 256> kComponentChars = [] {
  std::array<bool, 256> good{};
  for (int c = 'a'; c <= 'z'; ++c) good[std::size_t(c)] = true;
  for (int c = '0'; c <= '9'; ++c) good[std::size_t(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~@")) good[std::size_t(c)] = true;
  return good;
}();
bool is_component_name(const Bare& item) {
  return item.kind == Bare::Kind::string && !item.text.empty() &&
         std::all_of(item.text.begin(), item.text.end(), [](char c) { return kComponentChars[std::uint8_t(c)]; });
}

class DigestContext {
 public:
  DigestContext() : context_(EVP_MD_CTX_new()) {}
  DigestContext(const DigestContext&) = delete;
  DigestContext& operator=(const DigestContext&) = delete;
  ~DigestContext() { EVP_MD_CTX_free(context_); }
  void hash(const EVP_MD* kind, std::initializer_list<std::string_view> pieces, std::uint8_t* out) {
    bool good = context_ != nullptr && EVP_DigestInit_ex(context_, kind, nullptr) == 1;
    for (const std::string_view piece : pieces) good = good && EVP_DigestUpdate(context_, piece.data(), piece.size()) == 1;
    core::invariant(good && EVP_DigestFinal_ex(context_, out, nullptr) == 1, "a digest can be made");
  }

 private:
  EVP_MD_CTX* context_;
};
/// Fetched once: asking OpenSSL by name each time costs more than the digest.
const EVP_MD* sha256_kind() {
  static const EVP_MD* const kind = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return kind;
}
const EVP_MD* sha512_kind() {
  static const EVP_MD* const kind = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  return kind;
}
DigestContext& digest_context() {
  static thread_local DigestContext context;
  return context;
}

std::string_view view(std::span<const std::uint8_t> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::array<std::uint8_t, 32> hmac(std::span<const std::uint8_t, 64> inner, std::span<const std::uint8_t, 64> outer, std::string_view text) {
  std::array<std::uint8_t, 32> digest;
  digest_context().hash(sha256_kind(), {view(inner), text}, digest.data());
  digest_context().hash(sha256_kind(), {view(outer), view(digest)}, digest.data());
  return digest;
}

Error bad_key(std::string message) {
  return {ErrorCode::invalid_input, "signature.bad-key", std::move(message),
          "an hmac-sha256 secret has 32 to 64 bytes; an ed25519 key has 32, and only the private one signs"};
}

std::int64_t seconds(core::Millis instant) { return instant / 1000; }

/// Everything but the signature itself that the policy asks of the components.
struct Coverage {
  bool method = false, target_uri = false, request_target = false, authority = false, path = false, query = false, digest = false;
  explicit Coverage(std::span<const Bare> components) {
    for (const Bare& component : components) {
      method |= component.text == "@method";
      target_uri |= component.text == "@target-uri";
      request_target |= component.text == "@request-target";
      authority |= component.text == "@authority";
      path |= component.text == "@path";
      query |= component.text == "@query";
      digest |= component.text == "content-digest";
    }
  }
  std::string_view missing(const MessageView& message) const {
    if (!method) return "@method";
    const bool target = request_target || (path && (query || !split(message.target).has_query));
    if (!target_uri && !(target && authority)) return "@target-uri";
    return !digest && !message.body.empty() ? "content-digest" : "";
  }
};

}  // namespace

std::string_view name(SignatureAlgorithm algorithm) { return algorithm == SignatureAlgorithm::hmac_sha256 ? "hmac-sha256" : "ed25519"; }

SignatureKey::SignatureKey(SignatureAlgorithm algorithm, EVP_PKEY* key, bool can_sign)
    : algorithm_(algorithm), can_sign_(can_sign), key_(key) {}
SignatureKey::SignatureKey(SignatureKey&& other) noexcept
    : algorithm_(other.algorithm_),
      can_sign_(other.can_sign_),
      inner_(other.inner_),
      outer_(other.outer_),
      key_(std::exchange(other.key_, nullptr)) {
  OPENSSL_cleanse(other.inner_.data(), other.inner_.size());
  OPENSSL_cleanse(other.outer_.data(), other.outer_.size());
}
SignatureKey& SignatureKey::operator=(SignatureKey&& other) noexcept {
  std::swap(algorithm_, other.algorithm_);
  std::swap(can_sign_, other.can_sign_);
  std::swap(inner_, other.inner_);
  std::swap(outer_, other.outer_);
  std::swap(key_, other.key_);
  return *this;
}
SignatureKey::~SignatureKey() {
  OPENSSL_cleanse(inner_.data(), inner_.size());
  OPENSSL_cleanse(outer_.data(), outer_.size());
  EVP_PKEY_free(key_);
}

core::Result<SignatureKey> SignatureKey::hmac(std::span<const std::uint8_t> secret) {
  if (secret.size() < kSecretMin || secret.size() > kSecretMax) return bad_key(fmt::format("an HMAC secret of {} bytes", secret.size()));
  SignatureKey key(SignatureAlgorithm::hmac_sha256, nullptr, true);
  for (std::size_t i = 0; i < key.inner_.size(); ++i) {
    const std::uint8_t byte = i < secret.size() ? secret[i] : 0;
    key.inner_[i] = byte ^ 0x36;
    key.outer_[i] = byte ^ 0x5c;
  }
  return key;
}
core::Result<SignatureKey> SignatureKey::ed25519_public(std::span<const std::uint8_t> key) {
  EVP_PKEY* made = key.size() == 32 ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()) : nullptr;
  if (made == nullptr) return bad_key("these bytes are no public ed25519 key");
  return SignatureKey(SignatureAlgorithm::ed25519, made, false);
}
core::Result<SignatureKey> SignatureKey::ed25519_private(std::span<const std::uint8_t> seed) {
  EVP_PKEY* made = seed.size() == 32 ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()) : nullptr;
  if (made == nullptr) return bad_key("these bytes are no private ed25519 key");
  return SignatureKey(SignatureAlgorithm::ed25519, made, true);
}

core::Result<std::string> SignatureKey::sign(std::string_view base) const {
  if (!can_sign_) return bad_key("a public key cannot sign");
  if (algorithm_ == SignatureAlgorithm::hmac_sha256) {
    const auto digest = http::hmac(inner_, outer_, base);
    return std::string(view(digest));
  }
  std::string signature(64, '\0');
  std::size_t length = signature.size();
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  const bool signed_it = context != nullptr && EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_) == 1 &&
                         EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &length,
                                        reinterpret_cast<const unsigned char*>(base.data()), base.size()) == 1;
  EVP_MD_CTX_free(context);
  core::invariant(signed_it && length == signature.size(), "a private key signs");
  return signature;
}

bool SignatureKey::verify(std::string_view base, std::span<const std::uint8_t> signature) const {
  if (algorithm_ == SignatureAlgorithm::hmac_sha256) {
    const auto expected = http::hmac(inner_, outer_, base);
    return signature.size() == expected.size() && CRYPTO_memcmp(expected.data(), signature.data(), expected.size()) == 0;
  }
  if (signature.size() != 64) return false;
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  const bool good =
      context != nullptr && EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, key_) == 1 &&
      EVP_DigestVerify(context, signature.data(), signature.size(), reinterpret_cast<const unsigned char*>(base.data()), base.size()) == 1;
  EVP_MD_CTX_free(context);
  return good;
}

NonceStore::NonceStore(core::Millis start_ms, std::size_t entries_max)
    : start_ms_(start_ms), entries_max_(std::max<std::size_t>(1, entries_max / (2 * kShards))) {}

std::size_t NonceStore::Set::place_of(const Entry& entry) const {
  std::size_t place = entry.low & (slots_.size() - 1);
  while (slots_[place] != Entry{} && slots_[place] != entry) place = (place + 1) & (slots_.size() - 1);
  return place;
}
bool NonceStore::Set::contains(const Entry& entry) const { return !slots_.empty() && slots_[place_of(entry)] == entry; }
bool NonceStore::Set::insert(const Entry& entry, std::size_t entries_max) {
  if (count_ >= entries_max) return false;
  if (2 * (count_ + 1) > slots_.size()) {
    std::vector<Entry> before(std::max<std::size_t>(64, 2 * slots_.size()));
    before.swap(slots_);
    for (const Entry& one : before)
      if (one != Entry{}) slots_[place_of(one)] = one;
  }
  slots_[place_of(entry)] = entry;
  ++count_;
  return true;
}
void NonceStore::Set::clear() {
  slots_ = {};
  count_ = 0;
}

NonceStore::Taken NonceStore::take(std::string_view keyid, std::string_view nonce, core::Millis now_ms, core::Millis window_ms) {
  std::array<std::uint8_t, 32> digest;
  digest_context().hash(sha256_kind(), {keyid, std::string_view("\0", 1), nonce}, digest.data());
  Entry entry;
  std::memcpy(&entry, digest.data(), sizeof entry);
  if (entry == Entry{}) entry.low = 1;  // all zeros marks an empty slot
  Shard& shard = shards_[entry.high % kShards];
  const std::scoped_lock lock(shard.mutex);
  // A signature may be used from window before its `created` to window after it, so it is remembered for two windows at least.
  const core::Millis turn = 2 * window_ms;
  if (now_ms - shard.turned_ms >= 2 * turn) {
    shard.current.clear();
    shard.previous.clear();
    shard.turned_ms = now_ms;
  } else if (now_ms - shard.turned_ms >= turn) {
    std::swap(shard.previous, shard.current);
    shard.current.clear();
    shard.turned_ms = now_ms;
  }
  if (shard.current.contains(entry) || shard.previous.contains(entry)) return Taken::earlier;
  return shard.current.insert(entry, entries_max_) ? Taken::now : Taken::full;
}

core::Result<VerifiedSignature> SignatureVerifier::verify(const MessageView& message, const KeyLookup& keys, NonceStore* nonces,
                                                          core::Millis now_ms) {
  inputs_.clear();
  signatures_.clear();
  if (!append_field(inputs_, message, "signature-input") || !append_field(signatures_, message, "signature"))
    return refused("signature.missing", "the request is not signed", "sign it (RFC 9421): fields Signature-Input and Signature");
  if (inputs_.size() > kFieldBytesMax || signatures_.size() > kFieldBytesMax) return malformed("a signature longer than 8 kB");

  Dictionary inputs(inputs_);
  Member input, candidate;
  const SignatureKey* key = nullptr;
  std::string_view keyid;
  while (inputs.next(candidate)) {
    const Bare* named = candidate.parameters.find("keyid");
    if (!candidate.is_list || (named != nullptr && named->kind != Bare::Kind::string)) return malformed("Signature-Input");
    if (key != nullptr || named == nullptr || named->text.size() > kKeyidMax) continue;
    key = keys(named->text);
    if (key == nullptr) continue;
    input = candidate;
    keyid = named->text;
  }
  if (inputs.failed()) return malformed("Signature-Input");
  if (key == nullptr)
    return refused("signature.unknown-key", "no key of this signature is known here",
                   "check the keyid; a key that was replaced or revoked signs no more");
  std::array<std::uint8_t, 64> bytes{};
  std::optional<std::size_t> length;
  Dictionary signatures(signatures_);
  while (signatures.next(candidate))
    if (candidate.key == input.key && !candidate.is_list && candidate.item.kind == Bare::Kind::bytes)
      length = core::parse_base64(candidate.item.text, bytes);
  if (signatures.failed() || !length) return malformed("Signature");

  const auto components = input.list.items.all();
  if (input.list.items_have_parameters) return unsupported("with parameters");
  if (!std::all_of(components.begin(), components.end(), is_component_name)) return malformed("a component's name");
  VerifiedSignature verified{.label = input.key, .keyid = keyid, .nonce = {}, .tag = {}};
  std::optional<std::int64_t> created_s, expires_s;
  for (const Parameter& parameter : input.parameters.all()) {
    const bool is_text = parameter.value.kind == Bare::Kind::string, is_number = parameter.value.kind == Bare::Kind::integer;
    if (parameter.key == "created" || parameter.key == "expires") {
      if (!is_number) return malformed("a time");
      (parameter.key == "created" ? created_s : expires_s) = parameter.value.integer;
    } else if (parameter.key == "nonce" || parameter.key == "tag" || parameter.key == "alg") {
      if (!is_text || parameter.value.text.size() > kNonceMax) return malformed("a parameter");
      if (parameter.key == "nonce") verified.nonce = parameter.value.text;
      if (parameter.key == "tag") verified.tag = parameter.value.text;
      if (parameter.key == "alg" && parameter.value.text != name(key->algorithm()))
        return refused("signature.algorithm",
                       fmt::format("the key {} is for {}, not for what the signature says", keyid, name(key->algorithm())),
                       "sign by the algorithm of the key, or leave alg out", {{"keyid", std::string(keyid)}});
    }
  }

  if (const std::string_view missing = Coverage(components).missing(message); !missing.empty())
    return refused("signature.not-covered", fmt::format("the signature does not cover {}", missing),
                   "cover @method, @target-uri and, when there is a body, content-digest", {{"component", std::string(missing)}});
  for (const std::string& field : policy_.covered_fields) {
    const bool covered = std::any_of(components.begin(), components.end(), [&](const Bare& one) { return one.text == field; });
    if (!covered && has_field(message, field))
      return refused("signature.not-covered", fmt::format("the signature does not cover the field {}", field), "cover it, or leave it out",
                     {{"component", field}});
  }
  if (!created_s || std::abs(*created_s - seconds(now_ms)) > policy_.window_ms / 1000)
    return refused("signature.outside-window",
                   fmt::format("the signature was not made within {} s of {}", policy_.window_ms / 1000, core::to_text_utc(now_ms)),
                   "set the clock, and sign each request when it is sent (parameter created)",
                   {{"now", std::to_string(seconds(now_ms))}, {"window_s", std::to_string(policy_.window_ms / 1000)}});
  if (expires_s && *expires_s < seconds(now_ms))
    return refused("signature.expired", "the signature has expired", "sign the request again when it is sent again");
  if (policy_.nonce_required && nonces != nullptr && verified.nonce.empty())
    return refused("signature.no-nonce", "the signature has no nonce", "add the parameter nonce: a text that is new each time");
  if (auto status = write_base(base_, message, components, input.parameters.all()); !status) return status.error();
  if (!key->verify(base_, std::span(bytes).first(*length)))
    return refused("signature.wrong", fmt::format("the signature is not that of key {} over this request", keyid),
                   "compare the signature base (RFC 9421 section 2.5) with what was signed; proxies must not change covered parts",
                   {{"keyid", std::string(keyid)}});
  if (!message.body.empty() || has_field(message, "content-digest")) {
    digests_.clear();
    append_field(digests_, message, "content-digest");
    if (auto status = check_content_digest(digests_, message.body); !status) return status.error();
  }
  verified.created_ms = *created_s * 1000;
  // Last, so that only a good signature takes a nonce.
  if (nonces == nullptr || verified.nonce.empty()) return verified;
  if (*created_s <= seconds(nonces->start_ms()))
    return refused("signature.before-start", "the signature is older than this server's start, so whether it was used is not known",
                   "sign the request again and send it");
  switch (nonces->take(keyid, verified.nonce, now_ms, policy_.window_ms)) {
    case NonceStore::Taken::earlier:
      return refused("signature.replayed", "this nonce was used before", "sign every request anew, with a new nonce");
    case NonceStore::Taken::full:
      return refused("signature.busy", "more signed requests came within the window than can be remembered", "send fewer, larger requests");
    case NonceStore::Taken::now:
      break;
  }
  return verified;
}

core::Result<SignatureFields> sign(const MessageView& message, std::string_view label, std::span<const std::string_view> components,
                                   const SignatureParameters& parameters, const SignatureKey& key) {
  structured::Few<Bare, structured::kItemsMax> items;
  for (const std::string_view component : components) {
    const Bare item{Bare::Kind::string, 0, component};
    if (!is_component_name(item) || !items.push(item)) return unsupported(component);
  }
  structured::Parameters written;
  const auto text = [&](std::string_view key_name, std::string_view value) {
    const bool plain = std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
    core::invariant(plain, "a signature's parameters are plain text");
    written.push({key_name, Bare{Bare::Kind::string, 0, value}});
  };
  written.push({"created", Bare{Bare::Kind::integer, parameters.created_s, {}}});
  if (parameters.expires_s) written.push({"expires", Bare{Bare::Kind::integer, *parameters.expires_s, {}}});
  text("keyid", parameters.keyid);
  if (parameters.with_algorithm) text("alg", name(key.algorithm()));
  if (!parameters.nonce.empty()) text("nonce", parameters.nonce);
  if (!parameters.tag.empty()) text("tag", parameters.tag);

  std::string base;
  if (auto status = write_base(base, message, items.all(), written.all()); !status) return status.error();
  const auto signature = key.sign(base);
  if (!signature) return signature.error();
  constexpr std::string_view kLast = "\"@signature-params\": ";
  SignatureFields fields;
  fields.signature_input = fmt::format("{}={}", label, std::string_view(base).substr(base.rfind(kLast) + kLast.size()));
  fields.signature =
      fmt::format("{}=:{}:", label, core::to_base64({reinterpret_cast<const std::uint8_t*>(signature->data()), signature->size()}));
  return fields;
}

std::string content_digest(std::string_view body, DigestAlgorithm algorithm) {
  std::array<std::uint8_t, 64> digest;
  const bool wide = algorithm == DigestAlgorithm::sha512;
  digest_context().hash(wide ? sha512_kind() : sha256_kind(), {body}, digest.data());
  return fmt::format("{}=:{}:", wide ? "sha-512" : "sha-256", core::to_base64(std::span(digest).first(wide ? 64 : 32)));
}

core::Status check_content_digest(std::string_view field, std::string_view body) {
  Dictionary digests(field);
  Member member;
  bool known = false;
  while (digests.next(member)) {
    const bool wide = member.key == "sha-512";
    if (!wide && member.key != "sha-256") continue;
    std::array<std::uint8_t, 64> given{}, is{};
    const auto length =
        !member.is_list && member.item.kind == Bare::Kind::bytes ? core::parse_base64(member.item.text, given) : std::nullopt;
    if (length != (wide ? 64u : 32u))
      return refused("digest.malformed", "Content-Digest cannot be read", "send sha-256=:<base64>: (RFC 9530)");
    digest_context().hash(wide ? sha512_kind() : sha256_kind(), {body}, is.data());
    if (CRYPTO_memcmp(given.data(), is.data(), *length) != 0)
      return refused("digest.wrong", fmt::format("the body is not the one that {} was made of", member.key),
                     "make the digest of the bytes that are sent", {{"algorithm", std::string(member.key)}});
    known = true;
  }
  if (digests.failed()) return refused("digest.malformed", "Content-Digest cannot be read", "send sha-256=:<base64>: (RFC 9530)");
  if (!known) return refused("digest.unsupported", "Content-Digest has neither sha-256 nor sha-512", "send sha-256=:<base64>: (RFC 9530)");
  return core::Done{};
}

}  // namespace tanhui::http
