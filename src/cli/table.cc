#include "cli/table.h"

#include <algorithm>

#include "core/decimal.h"

namespace tanhui::cli {
namespace {

// Wide blocks of Unicode that reports can contain: CJK, kana, Hangul, full-width forms.
bool is_wide(char32_t c) {
  return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) || (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x20000 && c <= 0x3FFFD);
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t c = length == 1 ? lead : lead & (0x7FU >> length);
    for (std::size_t j = 1; j < length && i + j < text.size(); ++j) c = c << 6 | (static_cast<unsigned char>(text[i + j]) & 0x3FU);
    width += is_wide(c) ? 2 : 1;
    i += length;
  }
  return width;
}

void Table::head(std::vector<std::string> cells) {
  rows_.push_back(std::move(cells));
  line();
}

void Table::row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

void Table::line() { rows_.emplace_back(); }

std::string Table::text(std::size_t indent) const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string text(indent, ' ');
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = row.empty() ? std::string() : i < row.size() ? row[i] : std::string();
      if (row.empty()) {
        for (std::size_t dash = 0; dash < widths[i]; ++dash) text += "─";
      } else {
        const std::string padding(widths[i] - display_width(cell), ' ');
        text += columns_[i] == Align::right ? padding + cell : cell + padding;
      }
      if (i + 1 < columns_.size()) text += "  ";
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    out += text + "\n";
  }
  return out;
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string kilograms(std::int64_t milligrams) {
  const std::int64_t grams = milligrams / 1000;
  const std::string fraction = core::to_decimal_text(grams < 0 ? -(grams % 1000) : grams % 1000, 3).substr(1);
  return (milligrams < 0 && grams / 1000 == 0 ? "-" : "") + grouped(grams / 1000) + fraction;
}

}  // namespace tanhui::cli
