#include "identity/smtp.h"

#include <fmt/format.h>

#include <cstring>

#include "core/base64.h"
#include "core/hash.h"
#include "identity/remote.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;

/// RFC 2047: UTF-8 in a header field, in words of at most 75 characters that cut no letter.
std::string encoded_words(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.size(), at + 45);
    while (end < text.size() && (std::uint8_t(text[end]) & 0xc0) == 0x80) --end;
    out += fmt::format("{}=?UTF-8?B?{}?=", at == 0 ? "" : "\r\n ", core::to_base64(bytes_of(text.substr(at, end - at))));
    at = end;
  }
  return out;
}

/// RFC 5322 3.3, in UTC: "Tue, 25 Nov 2025 16:00:00 +0000".
std::string date_text(core::Millis now_ms) {
  constexpr std::string_view kDays[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};  // from 1970-01-01
  constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::string text = core::to_text_utc(now_ms);  // 2025-11-25T16:00:00.000Z
  const auto month = std::size_t((text[5] - '0') * 10 + (text[6] - '0') - 1);
  return fmt::format("{}, {} {} {} {} +0000", kDays[std::size_t(now_ms / core::kMillisPerDay) % 7], text.substr(8, 2), kMonths[month],
                     text.substr(0, 4), text.substr(11, 8));
}

struct Reading {
  std::string_view rest;
};
std::size_t give(char* buffer, std::size_t size, std::size_t count, void* context) {
  auto& reading = *static_cast<Reading*>(context);
  const std::size_t length = std::min(size * count, reading.rest.size());
  std::memcpy(buffer, reading.rest.data(), length);
  reading.rest.remove_prefix(length);
  return length;
}

}  // namespace

std::string mail_text(const CodeMessage& message, const SmtpSettings& settings, const std::array<std::uint8_t, 16>& id,
                      core::Millis now_ms) {
  const CodeText text = text_of_code(message, settings.service);
  std::string body = core::to_base64(bytes_of(text.body)), lines;
  for (std::size_t at = 0; at < body.size(); at += 76) lines += body.substr(at, 76) + "\r\n";
  return fmt::format(
      "Date: {}\r\nFrom: {} <{}>\r\nTo: <{}>\r\nSubject: {}\r\nMessage-ID: <{}@{}>\r\nAuto-Submitted: auto-generated\r\n"
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
      date_text(now_ms), encoded_words(settings.service), settings.from, message.to.value, encoded_words(text.subject), core::to_hex(id),
      settings.from.substr(settings.from.find('@') + 1), lines);
}

core::Status SmtpSender::send(const CodeMessage& message) {
  const remote::Easy easy = remote::make(settings_.timeout_ms, settings_.ca_file);
  const std::string url =
      fmt::format("{}://{}:{}", settings_.security == SmtpSecurity::tls ? "smtps" : "smtp", settings_.host, settings_.port);
  std::array<std::uint8_t, 16> id;
  randomness_(id);
  const std::string text = mail_text(message, settings_, id, clock_());
  Reading reading{text};
  const remote::List to(curl_slist_append(nullptr, fmt::format("<{}>", message.to.value).c_str()));
  const std::string from = fmt::format("<{}>", settings_.from);
  curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(easy.get(), CURLOPT_USE_SSL, long(settings_.security == SmtpSecurity::plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  if (!settings_.user.empty()) {
    curl_easy_setopt(easy.get(), CURLOPT_USERNAME, settings_.user.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_PASSWORD, settings_.password.c_str());
  }
  curl_easy_setopt(easy.get(), CURLOPT_MAIL_FROM, from.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_MAIL_RCPT, to.get());
  curl_easy_setopt(easy.get(), CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_READFUNCTION, give);
  curl_easy_setopt(easy.get(), CURLOPT_READDATA, &reading);
  const CURLcode code = curl_easy_perform(easy.get());
  if (code == CURLE_OK) return core::Done{};
  long answer = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &answer);
  // A permanent refusal while a mail is handed over (RFC 5321 4.2.1) is the address; one while logging in is our settings.
  if (answer >= 550 && answer <= 553)
    return Error{ErrorCode::refused,
                 "delivery.rejected",
                 fmt::format("the mail server refused the address (answer {})", answer),
                 "check the address",
                 {{"answer", std::to_string(answer)}}};
  return Error{ErrorCode::refused,
               "delivery.unavailable",
               fmt::format("the mail server '{}' did not take the mail: {} (answer {})", settings_.host, curl_easy_strerror(code), answer),
               "try again later; the operator checks the settings of the mail server",
               {{"answer", std::to_string(answer)}}};
}

}  // namespace tanhui::identity
