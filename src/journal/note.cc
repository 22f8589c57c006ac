#include "journal/note.h"

#include <fmt/format.h>
#include <sodium.h>

#include <charconv>
#include <cstring>

#include "core/bytes.h"
#include "core/hash.h"
#include "core/invariant.h"
#include "core/text.h"

namespace tanhui::journal {
namespace {

constexpr std::size_t kNoteBytesMax = std::size_t{1} << 20, kSignaturesMax = 64;
constexpr std::string_view kDash = "\xE2\x80\x94 ";  // em dash, space
constexpr std::string_view kPrivate = "PRIVATE+KEY+";
constexpr std::size_t kSeedBytes = 32, kTimeBytes = 8;

void start_sodium() {
  static const bool started = sodium_init() >= 0;
  core::invariant(started, "libsodium starts");
}

bool good_name(std::string_view name) {
  return !name.empty() && core::is_utf8(name) && name.find_first_of(" +\n\r\t") == std::string_view::npos;
}

std::uint32_t key_id(std::string_view name, KeyType type, std::span<const std::uint8_t, 32> bytes) {
  core::Sha256 hash;
  hash.update(name);
  const char middle[2] = {'\n', char(type)};
  hash.update({middle, 2});
  hash.update({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const core::Digest digest = hash.finish();
  return std::uint32_t(digest[0]) << 24 | std::uint32_t(digest[1]) << 16 | std::uint32_t(digest[2]) << 8 | digest[3];
}

core::Error bad_key(std::string_view why) {
  return {core::ErrorCode::invalid_input,
          "note.bad-key",
          fmt::format("the key {}", why),
          "give it whole, in one line, as it was written: name+id+key",
          {{"reason", std::string(why)}}};
}
core::Error bad_note(std::string_view why) {
  return {core::ErrorCode::invalid_input,
          "note.bad-note",
          fmt::format("the signed note {}", why),
          "get it again from the log, unchanged",
          {{"reason", std::string(why)}}};
}

/// name+id+base64(type bytes), behind any prefix.
struct KeyParts {
  std::string name;
  std::uint32_t id = 0;
  KeyType type = KeyType::log;
  std::array<std::uint8_t, 32> bytes{};
};
core::Result<KeyParts> parse_parts(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  const std::size_t first = text.find('+');
  const std::size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) return bad_key("has not the three parts name+id+key");
  KeyParts parts;
  parts.name = text.substr(0, first);
  if (!good_name(parts.name)) return bad_key("has no usable name");
  const std::string_view id = text.substr(first + 1, second - first - 1);
  const auto read = std::from_chars(id.data(), id.data() + id.size(), parts.id, 16);
  if (id.size() != 8 || read.ptr != id.data() + id.size() || id.find_first_of("ABCDEF") != std::string_view::npos)
    return bad_key("has an id that is not 8 hexadecimal digits, letters small");
  const auto bytes = from_base64(text.substr(second + 1));
  if (!bytes || bytes->size() != 1 + kSeedBytes) return bad_key("does not hold a type and 32 bytes in base64");
  parts.type = KeyType((*bytes)[0]);
  if (parts.type != KeyType::log && parts.type != KeyType::witness) return bad_key("is of a type that this program does not know");
  std::memcpy(parts.bytes.data(), bytes->data() + 1, kSeedBytes);
  return parts;
}

std::string type_and(KeyType type, std::span<const std::uint8_t, 32> bytes) {
  std::string both(1, char(type));
  both.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return both;
}

std::string cosigned_bytes(std::uint64_t posix_seconds, std::string_view note_text) {
  return fmt::format("cosignature/v1\ntime {}\n{}", posix_seconds, note_text);
}

std::uint64_t time_of(std::string_view signature) { return core::ByteReader(signature.substr(0, kTimeBytes)).u64(); }

bool verifies(const PublicKey& key, std::string_view text, std::string_view signature) {
  start_sodium();
  std::string signed_bytes(text);
  if (key.type == KeyType::witness) {
    if (signature.size() != kTimeBytes + crypto_sign_BYTES) return false;
    signed_bytes = cosigned_bytes(time_of(signature), text);
    signature.remove_prefix(kTimeBytes);
  }
  return signature.size() == crypto_sign_BYTES && crypto_sign_verify_detached(reinterpret_cast<const unsigned char*>(signature.data()),
                                                                              reinterpret_cast<const unsigned char*>(signed_bytes.data()),
                                                                              signed_bytes.size(), key.bytes.data()) == 0;
}

core::Result<Signature> parse_signature(std::string_view line) {
  if (!line.starts_with(kDash)) return bad_note("has a signature line that does not begin with a dash");
  line.remove_prefix(kDash.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return bad_note("has a signature line without a signature");
  Signature signature;
  signature.name = line.substr(0, space);
  const auto bytes = from_base64(line.substr(space + 1));
  if (!good_name(signature.name) || !bytes || bytes->size() < 5) return bad_note("has a signature line that cannot be read");
  signature.id = core::ByteReader(*bytes).u32();
  signature.bytes = bytes->substr(4);
  return signature;
}

}  // namespace

std::string base64(std::string_view bytes) {
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // its terminating zero
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  std::size_t length = 0;
  const char* end = nullptr;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(), text.size(), nullptr, &length, &end,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      end != text.data() + text.size())
    return std::nullopt;
  bytes.resize(length);
  return base64(bytes) == text ? std::optional(std::move(bytes)) : std::nullopt;  // libsodium lets some bytes that are no letters pass
}

std::string PublicKey::text() const { return fmt::format("{}+{:08x}+{}", name, id, base64(type_and(type, bytes))); }

core::Result<PublicKey> parse_public_key(std::string_view text) {
  if (text.starts_with(kPrivate)) return bad_key("is a private one; here the public one is meant");
  const auto parts = parse_parts(text);
  if (!parts) return parts.error();
  if (parts->id != key_id(parts->name, parts->type, parts->bytes)) return bad_key("has an id that is not that of its name and bytes");
  return PublicKey{parts->name, parts->id, parts->type, parts->bytes};
}

std::string Signature::line() const {
  core::ByteWriter out;
  out.u32(id).raw(bytes);
  return fmt::format("{}{} {}\n", kDash, name, base64(out.take()));
}

core::Result<Note> parse_note(std::string_view bytes) {
  if (bytes.size() > kNoteBytesMax) return bad_note("is longer than 1 MiB");
  if (!core::is_utf8(bytes)) return bad_note("is not UTF-8");
  for (const char c : bytes)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') return bad_note("holds a control character");
  const std::size_t end = bytes.rfind("\n\n");
  if (end == std::string_view::npos || end == 0) return bad_note("has no empty line between text and signatures");
  Note note;
  note.text = bytes.substr(0, end + 1);
  std::string_view lines = bytes.substr(end + 2);
  if (lines.empty() || lines.back() != '\n') return bad_note("does not end in a signature line");
  while (!lines.empty()) {
    const std::size_t newline = lines.find('\n');
    auto signature = parse_signature(lines.substr(0, newline));
    if (!signature) return signature.error();
    if (note.signatures.size() == kSignaturesMax) return bad_note("has more than 64 signatures");
    note.signatures.push_back(*std::move(signature));
    lines.remove_prefix(newline + 1);
  }
  return note;
}

std::string to_text(const Note& note) {
  std::string text = note.text + "\n";
  for (const Signature& signature : note.signatures) text += signature.line();
  return text;
}

core::Result<std::vector<PublicKey>> signers(const Note& note, std::span<const PublicKey> keys) {
  std::vector<PublicKey> found;
  for (const Signature& signature : note.signatures)
    for (const PublicKey& key : keys) {
      if (key.name != signature.name || key.id != signature.id) continue;
      if (!verifies(key, note.text, signature.bytes))
        return core::Error{core::ErrorCode::refused,
                           "note.bad-signature",
                           fmt::format("the signature of '{}' is not of this text", key.name),
                           "do not trust it: the text was changed, or somebody else signed it",
                           {{"name", key.name}}};
      if (std::find(found.begin(), found.end(), key) == found.end()) found.push_back(key);
    }
  return found;
}

std::optional<std::uint64_t> cosigned_at(const Note& note, const PublicKey& witness) {
  for (const Signature& signature : note.signatures)
    if (signature.name == witness.name && signature.id == witness.id && verifies(witness, note.text, signature.bytes))
      return time_of(signature.bytes);
  return std::nullopt;
}

Signer Signer::from_seed(std::string_view name, std::span<const std::uint8_t, 32> seed, KeyType type) {
  start_sodium();
  core::invariant(good_name(name), "a key has a name without blanks and plus signs");
  Signer signer;
  std::copy(seed.begin(), seed.end(), signer.seed_.begin());
  signer.key_.name = name;
  signer.key_.type = type;
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> secret;
  crypto_sign_seed_keypair(signer.key_.bytes.data(), secret.data(), signer.seed_.data());
  sodium_memzero(secret.data(), secret.size());
  signer.key_.id = key_id(name, type, signer.key_.bytes);
  return signer;
}

Signer Signer::generate(std::string_view name, KeyType type) {
  start_sodium();
  std::array<std::uint8_t, kSeedBytes> seed;
  randombytes_buf(seed.data(), seed.size());
  const Signer signer = from_seed(name, seed, type);
  sodium_memzero(seed.data(), seed.size());
  return signer;
}

core::Result<Signer> Signer::parse(std::string_view text) {
  if (!text.starts_with(kPrivate)) return bad_key("is not a private one");
  text.remove_prefix(kPrivate.size());
  auto parts = parse_parts(text);
  if (!parts) return parts.error();
  KeyParts held = *std::move(parts);
  Signer signer = from_seed(held.name, held.bytes, held.type);
  sodium_memzero(held.bytes.data(), held.bytes.size());
  if (signer.key_.id != held.id) return bad_key("has an id that is not that of its name and bytes");
  return signer;
}

Signer::~Signer() { sodium_memzero(seed_.data(), seed_.size()); }

std::string Signer::text() const {
  return fmt::format("{}{}+{:08x}+{}\n", kPrivate, key_.name, key_.id, base64(type_and(key_.type, seed_)));
}

Signature Signer::sign(std::string_view note_text, std::uint64_t posix_seconds) const {
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> secret;
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> again;
  crypto_sign_seed_keypair(again.data(), secret.data(), seed_.data());
  const std::string signed_bytes = key_.type == KeyType::witness ? cosigned_bytes(posix_seconds, note_text) : std::string(note_text);
  std::array<unsigned char, crypto_sign_BYTES> signature;
  crypto_sign_detached(signature.data(), nullptr, reinterpret_cast<const unsigned char*>(signed_bytes.data()), signed_bytes.size(),
                       secret.data());
  sodium_memzero(secret.data(), secret.size());
  core::ByteWriter out;
  if (key_.type == KeyType::witness) out.u64(posix_seconds);
  out.raw({reinterpret_cast<const char*>(signature.data()), signature.size()});
  return {key_.name, key_.id, out.take()};
}

}  // namespace tanhui::journal
