#include "core/text.h"

#include <gtest/gtest.h>

namespace tanhui::core {
namespace {

TEST(Text, IsUtf8) {  // Unicode 15, table 3-7: well-formed byte sequences
  const struct {
    const char* why;
    std::string_view text;
    bool good;
  } rows[] = {
      {"nothing", "", true},
      {"ASCII and a zero", std::string_view("a\0b", 3), true},
      {"two, three and four bytes", "\xC2\x80\xE0\xA0\x80\xF0\x90\x80\x80", true},
      {"the last character", "\xF4\x8F\xBF\xBF", true},
      {"the last before surrogates, the first behind", "\xED\x9F\xBF\xEE\x80\x80", true},
      {"a surrogate", "\xED\xA0\x80", false},
      {"beyond the last character", "\xF4\x90\x80\x80", false},
      {"a lead byte that no character has", "\xF5\x80\x80\x80", false},
      {"a slash in two bytes", "\xC0\xAF", false},
      {"a slash in three bytes", "\xE0\x80\xAF", false},
      {"four bytes for what three hold", "\xF0\x8F\xBF\xBF", false},
      {"a byte that goes on without a beginning", "a\x80", false},
      {"cut off", "\xE6\xB1", false},
      {"a beginning in place of what goes on", "\xE6\xB1\xE6", false},
  };
  for (const auto& [why, text, good] : rows) EXPECT_EQ(is_utf8(text), good) << why;
}

TEST(Text, Columns) {
  const struct {
    const char* why;
    std::string_view text;
    std::size_t columns;
  } rows[] = {
      {"nothing", "", 0},
      {"Latin", "bike", 4},
      {"Chinese", "碳惠", 4},
      {"both", "2 公里", 6},
      {"full-width comma", "，", 2},
      {"Korean and kana", "가か", 4},
      {"accented letters are one", "é", 1},
      {"an accent of its own takes none", "e\xCC\x81", 1},
      {"emoji", "🚲", 2},
      {"bytes that are no UTF-8 count one each", "\xE6\xB1", 2},
  };
  for (const auto& [why, text, columns] : rows) EXPECT_EQ(display_width(text), columns) << why;
}

TEST(Text, Pads) {
  EXPECT_EQ(pad_right("碳", 4), "碳  ");
  EXPECT_EQ(pad_left("碳", 4), "  碳");
  EXPECT_EQ(pad_left("1234", 4), "1234");
  EXPECT_EQ(pad_right("12345", 4), "12345") << "what is wider stays whole";
}

}  // namespace
}  // namespace tanhui::core
