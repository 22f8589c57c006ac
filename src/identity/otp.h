// identity/otp.h: one-time codes that prove who reads a phone or a mailbox. Six digits, five wrong answers, five minutes; a code is good
// once. The database has only keyed hashes; the code itself goes through a port to whoever delivers it, and nowhere else.
//
// Whether a contact has an account is not told: asking for a code answers alike for both, and so does a wrong code.
#pragma once
#include <array>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "db/db.h"
#include "identity/people.h"

namespace tanhui::identity {

enum class CodePurpose : std::uint8_t { login, contact, erase };
std::string_view name(CodePurpose purpose);

struct CodeLimits {
  core::Millis lifetime_ms = 5 * 60'000;
  std::int64_t tries_max = 5;
  core::Millis between_ms = 60'000;  // from one code to the next, for one contact
  std::int64_t per_hour = 5, per_day = 10;
};

/// What is delivered. `code` is secret.
struct CodeMessage {
  Contact to;
  CodePurpose purpose = CodePurpose::login;
  std::string code;
  core::Millis expires_ms = 0;
  bool chinese = false;
};

/// The port to a mail server, a short message service, or a sandbox.
class CodeSender {
 public:
  virtual ~CodeSender() = default;
  virtual bool reaches(ContactKind kind) const = 0;
  /// Errors: refused delivery.rejected (the address will not do), delivery.unavailable (try again later).
  virtual core::Status send(const CodeMessage& message) = 0;
};

/// A code that waits for its answer.
struct CodeQuestion {
  std::array<std::uint8_t, 16> id{};
  core::Millis expires_ms = 0;
  std::string text() const;  // 32 hex digits: what the client sends back with the code
};
struct NewCode {
  CodeQuestion question;
  CodeMessage message;  // to be sent after the commit
};

class Codes {
 public:
  Codes(Safe& safe, const People& people, CodeLimits limits = {}) : safe_(safe), people_(people), limits_(limits) {}
  /// Writes the question; the caller commits and then gives the message to a sender, so that no code is out that is not known here.
  /// Errors: refused code.too-often (params: wait_s), those of the vault.
  core::Result<NewCode> ask(db::Transaction& tx, CodePurpose purpose, const Contact& to, bool chinese, core::Millis now_ms);
  /// The contact that the right code proves: give the contact again, for the database cannot say which it was. The caller commits also
  /// when this refuses, or wrong answers would not count. Errors: refused code.wrong (also: unknown, another contact or purpose, used, too
  /// late, too many tries: the answer does not tell which).
  core::Status answer(db::Transaction& tx, CodePurpose purpose, const Contact& contact, std::string_view question, std::string_view code,
                      core::Millis now_ms);
  /// Takes out what is over. Returns how many.
  static std::int64_t clear(db::Transaction& tx, core::Millis before_ms);

 private:
  Safe& safe_;
  const People& people_;
  CodeLimits limits_;
};

/// Shows messages here instead of sending them, for development and demonstrations: the last `kMessagesMax`.
class SandboxSender : public CodeSender {
 public:
  static constexpr std::size_t kMessagesMax = 100;
  bool reaches(ContactKind) const override { return true; }
  core::Status send(const CodeMessage& message) override;
  std::vector<CodeMessage> messages() const;  // the newest first

 private:
  mutable std::mutex mutex_;
  std::vector<CodeMessage> messages_;
};

/// The text of a message in the reader's language: subject and body.
struct CodeText {
  std::string subject, body;
};
CodeText text_of_code(const CodeMessage& message, std::string_view service);

}  // namespace tanhui::identity
