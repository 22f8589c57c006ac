// cli/table.h: aligned tables for a terminal.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tanhui::cli {

enum class Align : std::uint8_t { left, right };

class Table {
 public:
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}
  void head(std::vector<std::string> cells);
  void row(std::vector<std::string> cells);
  void line();  // a rule between rows
  std::string text(std::size_t indent = 2) const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
};

/// 1234567 as "1,234,567".
std::string grouped(std::int64_t value);
/// Milligrams as kilograms with three decimals, cut: "1,019.200".
std::string kilograms(std::int64_t milligrams);

}  // namespace tanhui::cli
