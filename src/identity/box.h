// identity/box.h: small secrets at rest (second factors of staff, shared secrets of partners), sealed by a key of the instance:
// XChaCha20-Poly1305. A box opens only for what it was made for, so a row cannot borrow another's secret.
//
//   box := version:u8 (1) nonce:24 ciphertext tag:16        bound to: the caller's text, for example "totp st-0123"
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/hash.h"

namespace tanhui::identity {

class Box {
 public:
  /// core::KeySecret::key_for("...") of the instance.
  explicit Box(const core::Digest& key) : key_(key) {}
  Box(const Box&) = default;
  Box& operator=(const Box&) = default;
  ~Box();
  std::string seal(std::string_view secret, std::string_view bound_to) const;
  /// Nothing when it was changed, sealed by another key or for something else.
  std::optional<std::string> open(std::string_view box, std::string_view bound_to) const;

 private:
  core::Digest key_;
};

/// Whether two texts are the same, in a time that depends on their lengths only.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace tanhui::identity
