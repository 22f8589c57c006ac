#include "identity/edit.h"

#include <fmt/format.h>
#include <sodium.h>

#include <array>

namespace tanhui::identity {

core::Status check_version(std::string_view what, std::string_view id, std::int64_t is, const Expected& expected) {
  if (!expected || *expected == is) return core::Done{};
  return core::Error{
      core::ErrorCode::conflict,
      "edit.conflict",
      fmt::format("the {} '{}' was changed meanwhile: it has version {}, the edit was made from version {}", what, id, is, *expected),
      "read it again and make the edit once more",
      {{"what", std::string(what)}, {"id", std::string(id)}, {"version", std::to_string(is)}}};
}

std::string random_id(std::string_view prefix) {
  constexpr std::string_view letters = "0123456789abcdefghjkmnpqrstvwxyz";  // 32 of them: five bits each
  std::array<std::uint8_t, 26> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::string id = std::string(prefix) + "-";
  for (const std::uint8_t byte : bytes) id.push_back(letters[byte & 31]);
  return id;
}

}  // namespace tanhui::identity
