// identity/smtp.h: one-time codes by mail: a CodeSender that speaks SMTP (RFC 5321) to the operator's mail server, by libcurl.
#pragma once
#include <functional>
#include <string>

#include "core/time.h"
#include "identity/otp.h"

namespace tanhui::identity {

/// starttls: begins plainly and must become TLS before anything is said (RFC 3207). tls: TLS from the first byte (RFC 8314). plain: for a
/// mail server on this machine only.
enum class SmtpSecurity : std::uint8_t { starttls, tls, plain };

struct SmtpSettings {
  std::string host;
  std::uint16_t port = 587;
  SmtpSecurity security = SmtpSecurity::starttls;
  std::string user, password;  // empty: without login
  std::string from;            // the sender's address
  std::string service;         // the name in subject and text
  std::string ca_file;         // certificates to believe; empty: the system's
  long timeout_ms = 10'000;
};

class SmtpSender : public CodeSender {
 public:
  SmtpSender(SmtpSettings settings, Randomness randomness, std::function<core::Millis()> clock)
      : settings_(std::move(settings)), randomness_(std::move(randomness)), clock_(std::move(clock)) {}
  bool reaches(ContactKind kind) const override { return kind == ContactKind::mail; }
  /// Blocks until the server took the mail or refused it. Errors: see CodeSender; no message holds the address.
  core::Status send(const CodeMessage& message) override;

 private:
  SmtpSettings settings_;
  Randomness randomness_;
  std::function<core::Millis()> clock_;
};

/// The mail as it is sent (RFC 5322, MIME, UTF-8 in base64).
std::string mail_text(const CodeMessage& message, const SmtpSettings& settings, const std::array<std::uint8_t, 16>& id,
                      core::Millis now_ms);

}  // namespace tanhui::identity
