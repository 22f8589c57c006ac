// service/partners.h: who sends records. A partner signs each request with a key of its own (http/signature.h); the key says for which
// source of which programme it speaks.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/result.h"
#include "core/time.h"
#include "http/signature.h"
#include "service/access.h"

namespace tanhui::service {

struct Partner {
  std::string key_id, organisation, programme, source;
  bool sandbox = false;  // its records are judged and answered, and never credited
};

struct PartnerKey {
  Partner partner;
  http::SignatureKey key;
  core::Millis valid_from_ms = 0, valid_until_ms = 0;  // 0: without end
};

/// Keys as they are asked for, kept for a few seconds: so a key that is revoked is refused a few seconds later at the latest.
class PartnerKeys {
 public:
  /// Asks the store; on a thread that may wait. Nothing: there is no such key, or it is revoked.
  using Find = std::function<std::optional<PartnerKey>(std::string_view key_id)>;
  static constexpr core::Millis kKeptMs = 5'000;
  static constexpr std::size_t kKeptMax = 10'000;

  explicit PartnerKeys(Find find) : find_(std::move(find)) {}
  enum class State { known, none, unknown };  // unknown: ask() first
  State state(std::string_view key_id, core::Millis now_ms, std::shared_ptr<const PartnerKey>& key) const;
  void ask(std::string_view key_id, core::Millis now_ms);

 private:
  struct Kept {
    std::shared_ptr<const PartnerKey> key;
    core::Millis until_ms = 0;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  Find find_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Kept, Hash, std::equal_to<>> kept_;
};

struct PartnerOptions {
  std::string scheme;     // of @target-uri when a proxy ends TLS; empty: as the request came
  std::string authority;  // likewise; empty: the Host field
};

/// Callers by signed requests. Errors: access.unauthenticated, whose params tell the signature's error.
Authenticator partner_authenticator(std::shared_ptr<PartnerKeys> keys, std::shared_ptr<http::NonceStore> nonces,
                                    std::function<core::Millis()> now, PartnerOptions options = {});

/// Of a request that partner_authenticator let in.
const Partner& partner_of(const http::Request& request);

/// One authenticator for each kind of caller; a kind without one lets nobody in.
Authenticator by_kind(Authenticator partner, Authenticator person, Authenticator staff);

}  // namespace tanhui::service
