#include "service/partners.h"

#include <array>
#include <vector>

#include "core/invariant.h"
#include "http/server.h"

namespace tanhui::service {
namespace {

/// Sign again and it may pass, or it will not.
core::Error refused(const core::Error& why) {
  const bool later = why.id == "signature.before-start" || why.id == "signature.busy";
  core::Error error{core::ErrorCode::refused, later ? "access.not-yet" : "access.unauthenticated", why.message, why.action, why.params};
  error.params.emplace_back("reason", why.id);
  return error;
}

core::Error not_valid(std::string_view key_id, std::string_view what) {
  return {core::ErrorCode::refused,
          "signature.unknown-key",
          fmt::format("key '{}' {}", key_id, what),
          "sign with a key that is valid now",
          {{"key", std::string(key_id)}}};
}

/// The key id that a request names, as it stands in Signature-Input; the verifier reads it again, strictly.
std::string_view key_id_of(std::string_view input) {
  constexpr std::string_view name = ";keyid=\"";
  const std::size_t at = input.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = input.substr(at + name.size());
  return rest.substr(0, rest.find('"'));
}

}  // namespace

PartnerKeys::State PartnerKeys::state(std::string_view key_id, core::Millis now_ms, std::shared_ptr<const PartnerKey>& key) const {
  const std::shared_lock lock(mutex_);
  const auto found = kept_.find(key_id);
  if (found == kept_.end() || found->second.until_ms < now_ms) return State::unknown;
  key = found->second.key;
  return key ? State::known : State::none;
}

void PartnerKeys::ask(std::string_view key_id, core::Millis now_ms) {
  std::shared_ptr<const PartnerKey> key;
  if (auto found = find_(key_id)) key = std::make_shared<const PartnerKey>(*std::move(found));
  const std::unique_lock lock(mutex_);
  if (kept_.size() >= kKeptMax) kept_.clear();  // somebody tries key ids
  kept_[std::string(key_id)] = {std::move(key), now_ms + kKeptMs};
}

Authenticator partner_authenticator(std::shared_ptr<PartnerKeys> keys, std::shared_ptr<http::NonceStore> nonces,
                                    std::function<core::Millis()> now, PartnerOptions options) {
  return [keys, nonces, now, options](http::Request& request, const Access&) -> http::asio::awaitable<core::Result<Caller>> {
    const core::Millis now_ms = now();
    const std::string_view key_id = key_id_of(request.header("Signature-Input"));
    std::shared_ptr<const PartnerKey> key;
    if (!key_id.empty() && keys->state(key_id, now_ms, key) == PartnerKeys::State::unknown) {
      co_await http::run_blocking(request, [&] { keys->ask(key_id, now_ms); });
      keys->state(key_id, now_ms, key);
    }
    if (key && (now_ms < key->valid_from_ms || (key->valid_until_ms != 0 && now_ms >= key->valid_until_ms)))
      co_return refused(not_valid(key_id, "is not valid now"));
    thread_local http::SignatureVerifier verifier;
    thread_local std::vector<http::FieldView> fields;
    fields.clear();
    for (std::size_t i = 0; i < request.field_count(); ++i) fields.push_back(request.field(i));
    const std::string_view scheme = options.scheme.empty() ? (request.secure() ? "https" : "http") : std::string_view(options.scheme);
    const http::MessageView message{.method = name_of(request.method()),
                                    .scheme = scheme,
                                    .authority = options.authority.empty() ? request.header("Host") : std::string_view(options.authority),
                                    .target = request.target(),
                                    .fields = fields,
                                    .body = request.body()};
    const auto verified = verifier.verify(
        message, [&](std::string_view asked) { return key && asked == key->partner.key_id ? &key->key : nullptr; }, nonces.get(), now_ms);
    if (!verified) co_return refused(verified.error());
    Caller caller{.kind = Kind::partner, .id = key->partner.key_id};
    caller.session = std::shared_ptr<const Partner>(key, &key->partner);
    co_return caller;
  };
}

const Partner& partner_of(const http::Request& request) {
  const Caller& caller = caller_of(request);
  core::invariant(caller.kind == Kind::partner && caller.session != nullptr, "a partner was let in by its signature");
  return *static_cast<const Partner*>(caller.session.get());
}

Authenticator by_kind(Authenticator partner, Authenticator person, Authenticator staff) {
  return [partner = partner ? std::move(partner) : nobody(), person = person ? std::move(person) : nobody(),
          staff = staff ? std::move(staff) : nobody()](http::Request& request, const Access& access) {
    switch (access.kind) {
      case Kind::partner:
        return partner(request, access);
      case Kind::person:
        return person(request, access);
      default:
        return staff(request, access);
    }
  };
}

}  // namespace tanhui::service
