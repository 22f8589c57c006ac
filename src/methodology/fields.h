// methodology/fields.h: reading the maps of a file field by field; whatever does not belong is reported at its place.
#pragma once
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "methodology/model.h"
#include "methodology/yaml_tree.h"

namespace tanhui::methodology {

class Fields {
 public:
  /// Reports a node that is no map and every field that is not in `known`. `what` names the map: "input 'distance'".
  Fields(const YamlNode& node, Reporter& report, std::string what, std::initializer_list<std::string_view> known);

  const YamlNode* find(std::string_view field) const { return node_.find(field); }
  const YamlNode* require(std::string_view field, std::string_view hint);
  std::optional<std::string> text(std::string_view field);  // absent is fine, a list or map is not
  std::optional<std::string> require_text(std::string_view field, std::string_view hint);
  std::optional<std::string> one_of(std::string_view field, std::initializer_list<std::string_view> words, bool required);
  std::optional<std::int64_t> whole(std::string_view field, std::int64_t min, std::int64_t max);
  std::optional<bool> truth(std::string_view field);
  std::optional<core::Day> day(std::string_view field);
  Text both_languages(std::string_view field, bool required);
  std::vector<std::string> words(std::string_view field);  // a list of scalars, or one scalar

  Reporter& report() { return report_; }
  const YamlNode& node() const { return node_; }
  const std::string& what() const { return what_; }

 private:
  const YamlNode& node_;
  Reporter& report_;
  std::string what_;
};

/// The unit of a field, reported with the caret inside the text when it is none.
std::optional<Unit> read_unit(const YamlNode& node, Reporter& report);
std::optional<Rational> read_number(const YamlNode& node, Reporter& report);

/// "13 km", "13km", "1/3 t", "5": a number and perhaps a unit.
struct AmountText {
  Rational number;
  std::string unit;  // empty when there is none
  std::size_t unit_begin = 0;
  int decimals = 0;  // digits after the point as written
};
std::optional<AmountText> split_amount(std::string_view text);

/// An amount in coherent units: no unit counts as `unit`; counting units may be left out ("13 km" for person km).
std::optional<Rational> read_amount(const YamlNode& node, const std::string& unit_text, const Unit& unit, Reporter& report);

}  // namespace tanhui::methodology
