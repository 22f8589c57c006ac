// core/text.h: UTF-8 text that people read in a terminal: is it valid, and how many columns does it take.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace tanhui::core {

/// Well-formed UTF-8 without surrogates and overlong forms.
bool is_utf8(std::string_view text);

/// Columns in a terminal: Chinese, Japanese, Korean and full-width characters take two, combining marks none.
/// Bytes that are not UTF-8 count one each.
std::size_t display_width(std::string_view text);

/// `text` followed by as many spaces as it lacks to fill `columns`.
std::string pad_right(std::string_view text, std::size_t columns);
std::string pad_left(std::string_view text, std::size_t columns);

}  // namespace tanhui::core
