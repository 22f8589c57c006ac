#include "methodology/fields.h"

namespace tanhui::methodology {

Fields::Fields(const YamlNode& node, Reporter& report, std::string what, std::initializer_list<std::string_view> known)
    : node_(node), report_(report), what_(std::move(what)) {
  if (!node.is_map()) {
    report.mistake(node.place(), fmt::format("{} must be a map of fields", what_),
                   hint_of("", std::span(known.begin(), known.size()), "known fields"));
    return;
  }
  for (const YamlNode& key : node.keys)
    if (std::find(known.begin(), known.end(), key.text) == known.end())
      report.mistake(key.place(), fmt::format("unknown field '{}' in {}", key.text, what_),
                     hint_of(key.text, std::span(known.begin(), known.size()), "known fields"));
}

const YamlNode* Fields::require(std::string_view field, std::string_view hint) {
  const YamlNode* found = find(field);
  if (found != nullptr && found->kind != YamlNode::Kind::null) return found;
  if (node_.is_map())
    report_.mistake(found != nullptr ? found->place() : node_.place(), fmt::format("{} has no '{}'", what_, field), std::string(hint));
  return nullptr;
}

std::optional<std::string> Fields::text(std::string_view field) {
  const YamlNode* found = find(field);
  if (found == nullptr || found->kind == YamlNode::Kind::null) return std::nullopt;
  if (found->is_scalar()) return found->text;
  report_.mistake(found->place(), fmt::format("'{}' of {} must be one value", field, what_));
  return std::nullopt;
}

std::optional<std::string> Fields::require_text(std::string_view field, std::string_view hint) {
  const YamlNode* found = require(field, hint);
  if (found == nullptr) return std::nullopt;
  const auto value = text(field);
  if (value && value->empty()) report_.mistake(found->place(), fmt::format("'{}' of {} is empty", field, what_), std::string(hint));
  return value;
}

std::optional<std::string> Fields::one_of(std::string_view field, std::initializer_list<std::string_view> words, bool required) {
  const std::span<const std::string_view> all(words.begin(), words.size());
  const auto value = required ? require_text(field, hint_of("", all, "one of")) : text(field);
  if (!value || std::find(words.begin(), words.end(), *value) != words.end()) return value;
  report_.mistake(find(field)->place(), fmt::format("'{}' is no {}", *value, field), hint_of(*value, all, "one of"));
  return std::nullopt;
}

std::optional<std::int64_t> Fields::whole(std::string_view field, std::int64_t min, std::int64_t max) {
  const auto value = text(field);
  if (!value) return std::nullopt;
  const auto number = parse_number(*value);
  if (number && boost::multiprecision::denominator(*number) == 1 && *number >= min && *number <= max)
    return number->convert_to<std::int64_t>();
  report_.mistake(find(field)->place(), fmt::format("'{}' of {} must be a whole number from {} to {}", field, what_, min, max));
  return std::nullopt;
}

std::optional<bool> Fields::truth(std::string_view field) {
  const auto value = one_of(field, {"true", "false"}, false);
  if (!value) return std::nullopt;
  return *value == "true";
}

std::optional<core::Day> Fields::day(std::string_view field) {
  const auto value = text(field);
  if (!value) return std::nullopt;
  if (const auto day = core::parse_day(*value)) return day;
  report_.mistake(find(field)->place(), fmt::format("'{}' is not a day of the calendar", *value), "write it as 2024-09-02");
  return std::nullopt;
}

Text Fields::both_languages(std::string_view field, bool required) {
  const YamlNode* found = required ? require(field, "{en: \"...\", zh: \"...\"}") : find(field);
  if (found == nullptr || found->kind == YamlNode::Kind::null) return {};
  Fields texts(*found, report_, fmt::format("'{}'", field), {"en", "zh"});
  if (!found->is_map()) return {};
  return {texts.require_text("en", "the English text").value_or(""), texts.require_text("zh", "the Chinese text").value_or("")};
}

std::vector<std::string> Fields::words(std::string_view field) {
  const YamlNode* found = find(field);
  std::vector<std::string> all;
  if (found == nullptr || found->kind == YamlNode::Kind::null) return all;
  if (found->is_scalar()) return {found->text};
  if (!found->is_list()) report_.mistake(found->place(), fmt::format("'{}' of {} must be a list of words", field, what_));
  if (found->is_list())
    for (const YamlNode& item : found->items) {
      if (item.is_scalar() && !item.text.empty())
        all.push_back(item.text);
      else
        report_.mistake(item.place(), fmt::format("'{}' of {} must be a list of words", field, what_));
    }
  return all;
}

std::optional<Unit> read_unit(const YamlNode& node, Reporter& report) {
  if (!node.is_scalar()) {
    report.mistake(node.place(), "the unit must be one text", "as in person km, kg CO2e/kWh, \"1\"");
    return std::nullopt;
  }
  const auto unit = parse_unit(node.text);
  if (const auto* found = std::get_if<Unit>(&unit)) return *found;
  const UnitError& error = std::get<UnitError>(unit);
  Place place = node.place();
  const bool quoted = report.source()
                          .line(node.line)
                          .substr(std::min(std::size_t(node.column) - 1, report.source().line(node.line).size()))
                          .starts_with('"');
  place.column += int(error.offset) + (quoted ? 1 : 0);
  place.length = std::max<std::size_t>(error.length, 1);
  report.mistake(place, "unit: " + error.message, error.hint);
  return std::nullopt;
}

std::optional<Rational> read_number(const YamlNode& node, Reporter& report) {
  if (node.is_scalar())
    if (const auto number = parse_number(node.text)) return number;
  report.mistake(node.place(), fmt::format("'{}' is not a number", node.text), "a decimal such as 0.0784, or a ratio \"63000/704000\"");
  return std::nullopt;
}

std::optional<AmountText> split_amount(std::string_view text) {
  std::size_t end = text.find_first_not_of("+-0123456789./");
  if (end == std::string_view::npos) end = text.size();
  // "1e3": an exponent belongs to the number when digits follow it
  if (end + 1 < text.size() && (text[end] == 'e' || text[end] == 'E') && text.substr(end + 1).find_first_not_of("+-0123456789") != 0) {
    const std::size_t tail = text.find_first_not_of("+-0123456789", end + 1);
    end = tail == std::string_view::npos ? text.size() : tail;
  }
  std::string_view digits = text.substr(0, end);
  const auto number = parse_number(digits);
  if (!number) return std::nullopt;
  const std::size_t unit = text.find_first_not_of(' ', end);
  AmountText amount{.number = *number, .unit = {}, .unit_begin = std::min(unit, text.size()), .decimals = 0};
  if (unit != std::string_view::npos) amount.unit = std::string(text.substr(unit));
  if (const std::size_t point = digits.find('.'); point != std::string_view::npos && digits.find('/') == std::string_view::npos)
    amount.decimals = int(digits.size() - point - 1);
  return amount;
}

std::optional<Rational> read_amount(const YamlNode& node, const std::string& unit_text, const Unit& unit, Reporter& report) {
  const auto amount = node.is_scalar() ? split_amount(node.text) : std::nullopt;
  if (!amount) {
    report.mistake(node.place(), fmt::format("'{}' is not an amount", node.text),
                   fmt::format("write a number and a unit, as in 5 {}", unit_text));
    return std::nullopt;
  }
  if (amount->unit.empty()) return Rational(amount->number * unit.scale);
  const auto parsed = parse_unit(amount->unit);
  if (const auto* error = std::get_if<UnitError>(&parsed)) {
    report.mistake(node.place(), "unit: " + error->message, error->hint);
    return std::nullopt;
  }
  const Unit& given = std::get<Unit>(parsed);
  if (given.dimension == unit.dimension || given.dimension == without_counts(unit.dimension) ||
      with_co2e(given.dimension) == unit.dimension)
    return Rational(amount->number * given.scale);
  report.mistake(node.place(), fmt::format("'{}' is given where '{}' is expected", amount->unit, unit_text),
                 fmt::format("as in 5 {}", unit_text));
  return std::nullopt;
}

}  // namespace tanhui::methodology
