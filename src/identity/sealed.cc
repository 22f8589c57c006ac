#include "identity/sealed.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <utility>

#include "core/base64.h"
#include "core/bytes.h"
#include "core/files.h"
#include "core/invariant.h"
#include "identity/national.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kIv = 16, kMac = 32;
static_assert(kNonce == 24 && kTag == 16 && crypto_aead_xchacha20poly1305_ietf_KEYBYTES == 32);

std::uint8_t* writable(std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); }

std::string bytes_of_place(const SealedPlace& place) { return core::ByteWriter().str(place.table).str(place.column).str(place.row).take(); }

Error damaged() {
  return {ErrorCode::refused, "sealed.damaged", "sealed data does not open: it was changed, moved, or belongs to another key",
          "restore the row or the key from a backup; if the person was erased, nothing opens it again"};
}

struct NationalKeys {
  std::array<std::uint8_t, 16> cipher;
  core::Digest mac;
  explicit NationalKeys(const DataKey& key) {
    core::Digest derived = national::hmac_sm3(key.bytes(), "tanhui sm4-ctr");
    std::copy_n(derived.begin(), cipher.size(), cipher.begin());
    sodium_memzero(derived.data(), derived.size());
    mac = national::hmac_sm3(key.bytes(), "tanhui hmac-sm3");
  }
  NationalKeys(const NationalKeys&) = delete;
  NationalKeys& operator=(const NationalKeys&) = delete;
  ~NationalKeys() {
    sodium_memzero(cipher.data(), cipher.size());
    sodium_memzero(mac.data(), mac.size());
  }
  core::Digest tag(std::string_view place, std::string_view iv_and_text) const {
    return national::hmac_sm3(mac, core::ByteWriter().u64(place.size()).raw(place).raw(iv_and_text).take());
  }
};

std::string seal_standard(const DataKey& key, const std::string& place, std::string_view plain, const Randomness& randomness) {
  std::string sealed(1 + kNonce + plain.size() + kTag, char(Suite::standard));
  std::uint8_t* const nonce = writable(sealed) + 1;
  randomness({nonce, kNonce});
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonce, nullptr, bytes_of(plain).data(), plain.size(), bytes_of(place).data(),
                                             place.size(), nullptr, nonce, key.data());
  return sealed;
}
std::optional<std::string> unseal_standard(const DataKey& key, const std::string& place, std::string_view body) {
  if (body.size() < kNonce + kTag) return std::nullopt;
  std::string plain(body.size() - kNonce - kTag, '\0');
  const auto bytes = bytes_of(body);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(writable(plain), nullptr, nullptr, bytes.data() + kNonce, bytes.size() - kNonce,
                                                 bytes_of(place).data(), place.size(), bytes.data(), key.data()) != 0)
    return std::nullopt;
  return plain;
}

std::string seal_national(const DataKey& key, const std::string& place, std::string_view plain, const Randomness& randomness) {
  const NationalKeys keys(key);
  std::array<std::uint8_t, kIv> iv;
  randomness(iv);
  std::string body(text_of(iv));
  body += national::sm4_ctr(keys.cipher, iv, plain);
  const core::Digest tag = keys.tag(place, body);
  return std::string(1, char(Suite::national)).append(body).append(text_of(tag));
}
std::optional<std::string> unseal_national(const DataKey& key, const std::string& place, std::string_view body) {
  if (body.size() < kIv + kMac) return std::nullopt;
  const NationalKeys keys(key);
  const std::string_view text = body.substr(0, body.size() - kMac), tag = body.substr(body.size() - kMac);
  const core::Digest expected = keys.tag(place, text);
  if (sodium_memcmp(expected.data(), tag.data(), kMac) != 0) return std::nullopt;
  std::array<std::uint8_t, kIv> iv;
  std::copy_n(bytes_of(text).begin(), kIv, iv.begin());
  return national::sm4_ctr(keys.cipher, iv, text.substr(kIv));
}

Error vault_damaged(const std::filesystem::path& file, std::size_t line) {
  return {ErrorCode::refused,
          "vault.damaged",
          fmt::format("line {} of '{}' is not a master key", line, file.string()),
          "restore the file from a backup; without it no contact data and no pseudonym key opens",
          {{"file", file.string()}, {"line", std::to_string(line)}}};
}

}  // namespace

std::string_view name(Suite suite) { return suite == Suite::standard ? "standard" : "national"; }

core::Result<Suite> parse_suite(std::string_view text) {
  for (const Suite suite : {Suite::standard, Suite::national})
    if (name(suite) == text) return suite;
  return Error{ErrorCode::invalid_input,
               "sealed.unknown-suite",
               fmt::format("there is no suite '{}'", text),
               "use standard or national",
               {{"suite", std::string(text)}}};
}

std::string seal(Suite suite, const DataKey& key, const SealedPlace& place, std::string_view plain, const Randomness& randomness) {
  core::invariant(plain.size() <= kSealedPlainMax, "what is sealed has at most 64 KiB");
  return (suite == Suite::standard ? seal_standard : seal_national)(key, bytes_of_place(place), plain, randomness);
}

core::Result<std::string> unseal(const DataKey& key, const SealedPlace& place, std::string_view sealed) {
  std::optional<std::string> plain;
  if (sealed.starts_with(char(Suite::standard))) plain = unseal_standard(key, bytes_of_place(place), sealed.substr(1));
  if (sealed.starts_with(char(Suite::national))) plain = unseal_national(key, bytes_of_place(place), sealed.substr(1));
  if (!plain) return damaged();
  return *std::move(plain);
}

core::Digest keyed_hash(Suite suite, const DataKey& key, std::string_view text) {
  if (suite == Suite::national) return national::hmac_sm3(key.bytes(), text);
  core::Digest digest;
  crypto_auth_hmacsha256(digest.data(), bytes_of(text).data(), text.size(), key.data());
  return digest;
}

core::Result<LocalVault::Masters> LocalVault::read(const std::filesystem::path& file) {
  struct stat about {};
  auto text = ::stat(file.c_str(), &about) == 0 ? core::read_file(file) : std::nullopt;
  if (!text)
    return Error{ErrorCode::not_found,
                 "vault.missing",
                 fmt::format("there is no file of master keys '{}'", file.string()),
                 "restore it from a backup; a new one opens nothing that was sealed before",
                 {{"file", file.string()}}};
  const WipeAtEnd wipe({writable(*text), text->size()});
  if ((about.st_mode & 077) != 0)
    return Error{ErrorCode::refused,
                 "vault.readable",
                 fmt::format("others may read the master keys in '{}'", file.string()),
                 "chmod 600 the file, and consider its keys known: rotate them",
                 {{"file", file.string()}}};
  Masters keys;
  std::string_view rest = *text;
  for (std::size_t line = 1; !rest.empty(); ++line) {
    const std::string_view one = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    const std::size_t first = one.find(' '), second = one.find(' ', first == std::string_view::npos ? first : first + 1);
    std::uint32_t number = 0;
    if (second == std::string_view::npos) return vault_damaged(file, line);
    const auto end = std::from_chars(one.data(), one.data() + first, number);
    const auto suite = parse_suite(one.substr(first + 1, second - first - 1));
    DataKey key;
    if (end.ptr != one.data() + first || number == 0 || (!keys.empty() && number <= keys.rbegin()->first) || !suite ||
        !core::parse_base64url_exactly(one.substr(second + 1), key.bytes()))
      return vault_damaged(file, line);
    keys.emplace(number, Master{*suite, std::move(key)});
  }
  if (keys.empty()) return vault_damaged(file, 1);
  return keys;
}

core::Result<LocalVault> LocalVault::open(const std::filesystem::path& file) {
  auto keys = read(file);
  if (!keys) return keys.error();
  return LocalVault(file, *std::move(keys));
}

std::string LocalVault::text_of_keys(const Masters& keys) {
  std::string text;
  for (const auto& [number, master] : keys)
    text += fmt::format("{} {} {}\n", number, name(master.suite), core::to_base64url(master.key.bytes()));
  return text;
}

core::Result<LocalVault> LocalVault::open_or_create(const std::filesystem::path& file, Suite suite, const Randomness& randomness) {
  if (!std::filesystem::exists(file)) {
    Masters keys;
    keys.emplace(1, Master{suite, DataKey::random(randomness)});
    std::string text = text_of_keys(keys);
    const WipeAtEnd wipe({writable(text), text.size()});
    // A whole file appears under the name, or none does; the one that comes second finds it there.
    const std::filesystem::path draft = file.string() + fmt::format(".{}", ::getpid());
    core::write_file(draft, text, 0600);
    if (::link(draft.c_str(), file.c_str()) != 0 && errno != EEXIST)
      throw std::system_error(errno, std::generic_category(), "cannot name '" + file.string() + "'");
    ::unlink(draft.c_str());
    core::sync_folder(file.parent_path());
  }
  return open(file);
}

void LocalVault::write() {
  std::string text = text_of_keys(keys_);
  const WipeAtEnd wipe({writable(text), text.size()});
  core::write_file(file_, text, 0600);
}

void LocalVault::read_again() {
  if (auto keys = read(file_)) keys_ = *std::move(keys);
}

std::uint32_t LocalVault::present() const {
  const std::scoped_lock lock(*mutex_);
  return keys_.rbegin()->first;
}
std::size_t LocalVault::size() const {
  const std::scoped_lock lock(*mutex_);
  return keys_.size();
}
Suite LocalVault::suite() const {
  const std::scoped_lock lock(*mutex_);
  return keys_.rbegin()->second.suite;
}

core::Status LocalVault::rotate(Suite suite, const Randomness& randomness) {
  const std::scoped_lock lock(*mutex_);
  keys_.emplace(keys_.rbegin()->first + 1, Master{suite, DataKey::random(randomness)});
  write();
  return core::Done{};
}

core::Status LocalVault::retire_old() {
  const std::scoped_lock lock(*mutex_);
  keys_.erase(keys_.begin(), std::prev(keys_.end()));
  write();
  return core::Done{};
}

core::Result<std::string> LocalVault::wrap(const DataKey& key, const SealedPlace& place, const Randomness& randomness) {
  const std::scoped_lock lock(*mutex_);
  read_again();  // seldom, and what is wrapped by a key that was just retired would be lost
  const auto& [number, master] = *keys_.rbegin();
  return core::ByteWriter().u32(number).raw(seal(master.suite, master.key, place, text_of(key.bytes()), randomness)).take();
}

core::Result<DataKey> LocalVault::unwrap(std::string_view wrapped, const SealedPlace& place) {
  const std::scoped_lock lock(*mutex_);
  core::ByteReader reader(wrapped);
  const std::uint32_t number = reader.u32();
  if (!reader.ok()) return damaged();
  if (!keys_.contains(number)) read_again();
  const auto master = keys_.find(number);
  if (master == keys_.end())
    return Error{ErrorCode::refused,
                 "sealed.unknown-master",
                 fmt::format("master key {} is not in '{}'", number, file_.string()),
                 "restore the file of master keys from a backup",
                 {{"number", std::to_string(number)}}};
  auto plain = unseal(master->second.key, place, wrapped.substr(4));
  if (!plain) return plain.error();
  std::string bytes = *std::move(plain);
  const WipeAtEnd wipe({writable(bytes), bytes.size()});
  if (bytes.size() != DataKey::kBytes) return damaged();
  return DataKey(std::span<const std::uint8_t, DataKey::kBytes>(writable(bytes), DataKey::kBytes));
}

bool LocalVault::is_old(std::string_view wrapped) const { return core::ByteReader(wrapped).u32() != present(); }

}  // namespace tanhui::identity
