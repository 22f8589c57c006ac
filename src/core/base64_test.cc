#include "core/base64.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>

namespace tanhui::core {
namespace {

std::span<const std::uint8_t> bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

TEST(Base64, VectorsOfRfc4648) {
  const struct {
    std::string_view bytes, text, url;
  } rows[] = {
      {"", "", ""},
      {"f", "Zg==", "Zg"},
      {"fo", "Zm8=", "Zm8"},
      {"foo", "Zm9v", "Zm9v"},
      {"foob", "Zm9vYg==", "Zm9vYg"},
      {"fooba", "Zm9vYmE=", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
      {"\xfb\xff", "+/8=", "-_8"},
  };
  for (const auto& [bytes, text, url] : rows) {
    EXPECT_EQ(to_base64(bytes_of(bytes)), text);
    EXPECT_EQ(to_base64url(bytes_of(bytes)), url);
    EXPECT_EQ(parse_base64(text), bytes);
    EXPECT_EQ(parse_base64url(url), bytes);
  }
}

TEST(Base64, OneWayToWrite) {
  for (const char* wrong :
       {"Z", "Zg", "Zg=", "Zh==", "Zg===", "Z===", "====", "Zm9=", "Zm 9", "Zm9v\n", "Zg==Zg==", "-_8=", "Z\xe9==", "=Zg="})
    EXPECT_FALSE(parse_base64(wrong)) << wrong;
  for (const char* wrong : {"Z", "Zg==", "Zh", "Zm9", "+/8", "Zm9v "}) EXPECT_FALSE(parse_base64url(wrong)) << wrong;
}

TEST(Base64, BuffersHoldWhatTheyHold) {
  std::array<std::uint8_t, 3> buffer{};
  EXPECT_EQ(parse_base64("Zm9v", buffer), 3u);
  EXPECT_EQ(parse_base64("Zg==", buffer), 1u);
  EXPECT_FALSE(parse_base64("Zm9vYg==", buffer));
  EXPECT_TRUE(parse_base64url_exactly("Zm9v", buffer));
  EXPECT_FALSE(parse_base64url_exactly("Zm8", buffer));
}

RC_GTEST_PROP(Base64Both, ComesBackAndNothingElseDoes, (const std::string& bytes)) {
  RC_ASSERT(parse_base64(to_base64(bytes_of(bytes))) == bytes);
  RC_ASSERT(parse_base64url(to_base64url(bytes_of(bytes))) == bytes);
  const auto other = parse_base64(bytes);
  RC_ASSERT(!other || to_base64(bytes_of(*other)) == bytes);
  const auto url = parse_base64url(bytes);
  RC_ASSERT(!url || to_base64url(bytes_of(*url)) == bytes);
}

}  // namespace
}  // namespace tanhui::core
