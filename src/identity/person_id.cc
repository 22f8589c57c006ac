#include "identity/person_id.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "core/time.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;

Error bad(std::string id, std::string message, std::string action) {
  return {ErrorCode::invalid_input, std::move(id), std::move(message), std::move(action)};
}
Error bad_phone(std::string message) {
  return bad("id.bad-phone", std::move(message),
             "write a mobile number of mainland China with 11 digits, or any number as +<country><number>, for example +85291234567");
}
Error bad_resident_id(std::string message) {
  return bad("id.bad-resident-id", std::move(message), "write the 18 characters that are on the card; the last is a digit or X");
}

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// Full-width forms (U+FF01 to U+FF5E, three bytes each) as the ASCII that they stand for, the ideographic space as a space.
std::string half_width(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto at = [&](std::size_t next) { return i + next < text.size() ? std::uint8_t(text[i + next]) : 0; };
    const int code = (at(0) & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f);
    if (at(0) == 0xef && code >= 0xff01 && code <= 0xff5e) {
      plain.push_back(char(code - 0xff01 + '!'));
      i += 2;
    } else if (at(0) == 0xe3 && at(1) == 0x80 && at(2) == 0x80) {
      plain.push_back(' ');
      i += 2;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

core::Result<std::string> normalise_phone(std::string_view text) {
  std::string digits;
  bool international = false;
  for (const char letter : text) {
    if (is_digit(letter)) {
      digits.push_back(letter);
    } else if (letter == '+' && digits.empty() && !international) {
      international = true;
    } else if (std::string_view(" -.()").find(letter) == std::string_view::npos) {
      return bad("id.bad-character", "a telephone number has digits, +, blanks, hyphens, dots and brackets only",
                 "remove the other characters");
    }
  }
  if (!international && digits.starts_with("00")) {
    digits.erase(0, 2);
    international = true;
  }
  if (!international && digits.size() == 13 && digits.starts_with("86")) international = true;
  if (!international) {
    if (digits.size() != 11) return bad_phone(fmt::format("a number without a country code has 11 digits, not {}", digits.size()));
    digits.insert(0, "86");
  }
  if (digits.starts_with("86")) {
    if (digits.size() != 13 || digits[2] != '1' || digits[3] < '3')
      return bad_phone("a number of mainland China must be a mobile one: 11 digits that start with 13 to 19");
  } else if (digits.size() < 8 || digits.size() > 15 || digits.front() == '0') {
    return bad_phone(fmt::format("an international number has 8 to 15 digits and does not start with 0; this one has {}", digits.size()));
  }
  return "tel:+" + digits;
}

/// GB 11643-1999: weights 2^(17-i) mod 11; the remainder of the sum chooses from 10X98765432.
char check_digit(std::string_view seventeen) {
  constexpr std::array<int, 17> kWeights{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  int sum = 0;
  for (std::size_t i = 0; i < kWeights.size(); ++i) sum += kWeights[i] * (seventeen[i] - '0');
  return "10X98765432"[sum % 11];
}

core::Result<std::string> normalise_resident_id(std::string_view text) {
  std::string id;
  for (const char letter : text) {
    if (letter == ' ' || letter == '-') continue;
    if (!is_digit(letter) && letter != 'X' && letter != 'x')
      return bad("id.bad-character", "a resident identity number has digits and X only", "remove the other characters");
    id.push_back(letter == 'x' ? 'X' : letter);
  }
  if (id.size() != 15 && id.size() != 18)
    return bad_resident_id(fmt::format("a resident identity number has 18 characters (15 before 2000), not {}", id.size()));
  if (id.find('X') < id.size() - (id.size() == 18 ? 1 : 0)) return bad_resident_id("only the last of 18 characters may be X");
  if (id.front() == '0' || id.front() == '9') return bad_resident_id("the first six digits are not a region");
  if (id.size() == 15) {  // all of these were born in 1900 to 1999
    id.insert(6, "19");
    id.push_back(check_digit(id));
  }
  const std::string day = fmt::format("{}-{}-{}", id.substr(6, 4), id.substr(10, 2), id.substr(12, 2));
  const auto born = core::parse_day(day);
  if (!born || *born < core::day_of(1800, 1, 1)) return bad_resident_id("digits 7 to 14 are not a day of birth");
  if (check_digit(id) != id.back()) return bad_resident_id("the check digit does not fit the others: a digit is wrong or two are swapped");
  return "cn-id:" + id;
}

}  // namespace

core::Result<std::string> normalise_id(IdKind kind, std::string_view text) {
  if (text.size() > kIdMax) return bad("id.too-long", fmt::format("an id has at most {} bytes, not {}", kIdMax, text.size()), "shorten it");
  const std::string_view bare = trimmed(text);
  if (kind == IdKind::other) {
    if (bare.empty()) return bad("id.empty", "there is no id", "remove the line, or fill it in");
    if (!core::is_utf8(bare) || std::any_of(bare.begin(), bare.end(), [](char c) { return std::uint8_t(c) < 0x20 || c == 0x7f; }))
      return bad("id.bad-character", "an id is UTF-8 text without control characters", "remove the other characters");
    return "other:" + std::string(bare);
  }
  const std::string plain = half_width(bare);
  if (trimmed(plain).empty()) return bad("id.empty", "there is no id", "remove the line, or fill it in");
  return kind == IdKind::phone ? normalise_phone(plain) : normalise_resident_id(trimmed(plain));
}

}  // namespace tanhui::identity
