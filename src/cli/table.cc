#include "cli/table.h"

#include <algorithm>

#include "core/decimal.h"
#include "core/text.h"

namespace tanhui::cli {

void Table::head(std::vector<std::string> cells) {
  rows_.push_back(std::move(cells));
  line();
}

void Table::row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

void Table::line() { rows_.emplace_back(); }

std::string Table::text(std::size_t indent) const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], core::display_width(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string text(indent, ' ');
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = row.empty() ? std::string() : i < row.size() ? row[i] : std::string();
      if (row.empty()) {
        for (std::size_t dash = 0; dash < widths[i]; ++dash) text += "─";
      } else {
        text += columns_[i] == Align::right ? core::pad_left(cell, widths[i]) : core::pad_right(cell, widths[i]);
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
