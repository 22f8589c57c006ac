#include "methodology/units.h"

#include <udunits2.h>

#include <cmath>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/invariant.h"

namespace tanhui::methodology {
namespace {

constexpr const char* kSiSymbols[] = {"m", "kg", "s", "A", "K", "mol", "cd", "rad"};
constexpr const char* kCounts[] = {"person", "trip",    "act",       "item", "order", "document", "step",  "vehicle",
                                   "animal", "passage", "household", "meal", "floor", "sheet",    "night", "yuan"};
constexpr const char* kTags[] = {"CO2e", "CH4", "N2O", "gas"};
constexpr std::size_t kFirstCount = std::size(kSiSymbols), kFirstTag = kFirstCount + std::size(kCounts);
constexpr std::size_t kUsed = kFirstTag + std::size(kTags);
static_assert(kUsed <= kBaseUnits);

// Units that UDUNITS-2 lacks, or that it would read as something else ("mu" as a milli-dalton).
struct Extra {
  const char* name;
  const char* definition;
  std::int64_t numerator, denominator;
};
constexpr Extra kExtras[] = {
    {"Wh", "J", 3600, 1},
    {"tce", "J", 29'307'600'000, 1},
    {"mu", "m2", 2000, 3},
    {"Nm3", "m3", 1, 1},
};

constexpr std::size_t kRememberedMax = 10'000;  // texts: hostile files cannot make the memory grow for ever

std::string_view base_name(std::size_t index) {
  if (index < kFirstCount) return kSiSymbols[index];
  return index < kFirstTag ? kCounts[index - kFirstCount] : kTags[index - kFirstTag];
}

Dimension base(std::size_t index, int exponent = 1) {
  Dimension dimension;
  dimension.exponents[index] = std::int8_t(exponent);
  return dimension;
}

std::int8_t saturated(int exponent) { return std::int8_t(std::clamp(exponent, -127, 127)); }

/// UDUNITS-2 keeps scales in floating point. A scale is a decimal by definition or a small ratio, so the exact value is found again.
/// nullopt for what no sensible unit has, as a pile of prefixes.
std::optional<Rational> exact_scale(double scale) {
  for (std::int64_t denominator = 1; denominator <= 1000; ++denominator) {
    const double numerator = scale * double(denominator);
    if (numerator >= 1e15 || numerator < 0.5) continue;
    if (std::abs(numerator - std::round(numerator)) <= numerator * 2e-15)
      return Rational(std::int64_t(std::llround(numerator)), denominator);
  }
  const auto decimal = parse_number(fmt::format("{:.15g}", scale));
  return decimal && *decimal > 0 ? decimal : std::nullopt;
}

/// UDUNITS-2 with our base units. It is not thread-safe, so one lock guards it; every unit text is parsed once.
class System {
 public:
  static System& instance() {
    static System system;
    return system;
  }

  std::variant<Unit, UnitError> parse(std::string_view text);

  /// One name without exponent; nullopt when unknown.
  struct Atom {
    Unit unit;
    bool has_zero_elsewhere = false;  // degrees Celsius, decibels: no unit for products
  };
  std::optional<Atom> find_atom(std::string_view name);

 private:
  System() {
    ut_set_error_message_handler(ut_ignore);
    system_ = ut_read_xml(nullptr);
    if (system_ == nullptr) throw std::runtime_error("the unit database of UDUNITS-2 cannot be read; install libudunits2-data");
    for (std::size_t i = kFirstCount; i < kUsed; ++i) {
      ut_unit* unit = ut_new_base_unit(system_);
      ut_map_name_to_unit(base_name(i).data(), UT_ASCII, unit);
      ut_map_unit_to_name(unit, base_name(i).data(), UT_ASCII);
      if (i < kFirstTag) ut_map_name_to_unit((std::string(base_name(i)) + "s").c_str(), UT_ASCII, unit);
      ut_free(unit);  // the system keeps copies
    }
    for (const Extra& extra : kExtras) {
      ut_unit* definition = ut_parse(system_, extra.definition, UT_ASCII);
      ut_unit* scaled = ut_scale(double(extra.numerator) / double(extra.denominator), definition);
      ut_map_symbol_to_unit(extra.name, UT_ASCII, scaled);
      ut_free(scaled);
      ut_free(definition);
    }
  }

  std::recursive_mutex mutex_;
  ut_system* system_ = nullptr;  // lives as long as the program
  std::unordered_map<std::string, std::optional<Atom>> atoms_;
  std::unordered_map<std::string, std::variant<Unit, UnitError>> units_;
};

/// Takes a unit of UDUNITS-2 apart into scale and exponents.
struct Visitor {
  System::Atom atom;
  bool is_sensible = true;

  static ut_status basic(const ut_unit* unit, void* self) {
    const ut_unit* const units[] = {unit};
    const int powers[] = {1};
    return product(unit, 1, units, powers, self);
  }
  static ut_status product(const ut_unit*, int count, const ut_unit* const* units, const int* powers, void* self) {
    auto& atom = static_cast<Visitor*>(self)->atom;
    for (int i = 0; i < count; ++i) {
      const char* symbol = ut_get_symbol(units[i], UT_ASCII);
      const std::string_view name = symbol != nullptr ? symbol : ut_get_name(units[i], UT_ASCII);
      std::size_t index = 0;
      while (index < kUsed && base_name(index) != name) ++index;
      core::invariant(index < kUsed, "UDUNITS-2 has only base units that we know");
      atom.unit.dimension.exponents[index] = saturated(atom.unit.dimension.exponents[index] + powers[i]);
    }
    return UT_SUCCESS;
  }
  static ut_status galilean(const ut_unit*, double scale, const ut_unit* under, double offset, void* self) {
    auto& [atom, is_sensible] = *static_cast<Visitor*>(self);
    if (offset != 0) atom.has_zero_elsewhere = true;
    const auto exact = exact_scale(scale);
    is_sensible = is_sensible && exact.has_value();
    atom.unit.scale *= exact.value_or(1);
    return ut_accept_visitor(under, &table(), self);
  }
  static ut_status refuse_time(const ut_unit*, const ut_unit*, double, void* self) { return refuse(self); }
  static ut_status refuse_log(const ut_unit*, double, const ut_unit*, void* self) { return refuse(self); }
  static ut_status refuse(void* self) {
    static_cast<Visitor*>(self)->atom.has_zero_elsewhere = true;
    return UT_SUCCESS;
  }
  static const ut_visitor& table() {
    static const ut_visitor visitor{basic, product, galilean, refuse_time, refuse_log};
    return visitor;
  }
};

std::optional<System::Atom> System::find_atom(std::string_view name) {
  const std::string key(name);
  if (const auto known = atoms_.find(key); known != atoms_.end()) return known->second;
  ut_unit* unit = ut_get_unit_by_name(system_, key.c_str());
  if (unit == nullptr) unit = ut_get_unit_by_symbol(system_, key.c_str());
  const bool ends_in_digit = !key.empty() && key.back() >= '0' && key.back() <= '9';
  if (unit == nullptr && !ends_in_digit) unit = ut_parse(system_, key.c_str(), UT_UTF8);
  if (atoms_.size() >= kRememberedMax) atoms_.clear();
  if (unit == nullptr) return atoms_[key] = std::nullopt;
  Visitor visitor;
  ut_accept_visitor(unit, &Visitor::table(), &visitor);
  ut_free(unit);
  return atoms_[key] = visitor.is_sensible ? std::optional(visitor.atom) : std::nullopt;
}

constexpr std::size_t kUnitLengthMax = 200;
constexpr int kUnitDepthMax = 16;

class UnitParser {
 public:
  UnitParser(System& system, std::string_view text) : system_(system), text_(text) {}

  std::variant<Unit, UnitError> parse() {
    if (text_.size() > kUnitLengthMax) return UnitError{"this unit is longer than 200 characters", "", 0, text_.size()};
    Unit unit = product(0);
    skip_spaces();
    if (!error_ && at_ < text_.size()) fail("does not belong to a unit", "write for example kg CO2e/(person km)", at_, 1);
    if (error_) return *error_;
    return unit;
  }

 private:
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '%' || (c & 0x80) != 0; }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  Unit fail(std::string message, std::string hint, std::size_t offset, std::size_t length) {
    if (!error_) {
      const std::string_view shown = text_.substr(std::min(offset, text_.size()), length);
      error_ = UnitError{fmt::format("'{}' {}", shown, message), std::move(hint), offset, length};
    }
    at_ = text_.size();
    return {};
  }

  Unit product(int depth) {
    Unit unit = power(depth);
    for (;;) {
      skip_spaces();
      const char c = peek();
      const bool divide = c == '/';
      const bool multiply = c == '*' || c == '.';
      if (divide || multiply) ++at_;
      if (!divide && !multiply && !is_letter(c) && !is_digit(c) && c != '(') return unit;
      const Unit next = power(depth);
      if (error_) return unit;
      unit = divide ? Unit{unit.scale / next.scale, unit.dimension / next.dimension}
                    : Unit{unit.scale * next.scale, unit.dimension * next.dimension};
    }
  }

  Unit power(int depth) {
    skip_spaces();
    Unit factor;
    if (peek() == '(') {
      const std::size_t open = at_++;
      if (depth >= kUnitDepthMax) return fail("is nested too deeply", "", open, 1);
      factor = product(depth + 1);
      skip_spaces();
      if (error_) return factor;
      if (peek() != ')') return fail("has no closing parenthesis", "", open, 1);
      ++at_;
    } else if (is_digit(peek())) {
      factor = number();
    } else if (is_letter(peek())) {
      return name();
    } else {
      return at_ < text_.size() ? fail("does not belong to a unit", "write for example kg CO2e/(person km)", at_, 1)
                                : fail("ends where a unit should follow", "write \"1\" for a plain number", 0, text_.size());
    }
    return raise(factor, exponent(false));
  }

  Unit number() {
    const std::size_t begin = at_;
    while (is_digit(peek()) || peek() == '.') ++at_;
    const auto value = parse_number(text_.substr(begin, at_ - begin));
    if (!value || *value == 0) return fail("is no number that a unit can have", "", begin, at_ - begin);
    return {*value, {}};
  }

  Unit name() {
    const std::size_t begin = at_;
    while (is_letter(peek()) || is_digit(peek())) ++at_;
    const std::string_view whole = text_.substr(begin, at_ - begin);
    std::optional<System::Atom> atom = system_.find_atom(whole);
    int power_in_name = 1;
    if (!atom) {
      const std::size_t letters = whole.find_last_not_of("0123456789") + 1;
      if (letters < whole.size() && whole.size() - letters <= 2) {
        atom = system_.find_atom(whole.substr(0, letters));
        power_in_name = std::atoi(std::string(whole.substr(letters)).c_str());
      }
    }
    if (!atom) return fail("is not a unit", hint_for(whole), begin, whole.size());
    if (atom->has_zero_elsewhere)
      return fail("has its zero elsewhere and cannot be multiplied", "use K for a temperature difference", begin, whole.size());
    return raise(raise(atom->unit, power_in_name), exponent(true));
  }

  static std::string hint_for(std::string_view name) {
    if (name.find("CO2") != std::string_view::npos) return "the tag is CO2e and stands apart, as in 'kg CO2e' or 't CO2e/MWh'";
    return "units of UDUNITS-2, and person, trip, act, item, order, document, step, vehicle, animal, passage, household, meal, floor, "
           "sheet, night, yuan, Wh, tce, mu, Nm3, with the tags CO2e, CH4, N2O, gas";
  }

  int exponent(bool after_name) {
    if (peek() != '^') return 1;
    const std::size_t begin = at_++;
    const bool negative = peek() == '-';
    if (negative) ++at_;
    int value = 0;
    std::size_t digits = 0;
    for (; is_digit(peek()) && digits < 2; ++digits) value = value * 10 + (text_[at_++] - '0');
    if (digits == 0) fail("needs a whole exponent", after_name ? "as in m^2" : "", begin, 1);
    return negative ? -value : value;
  }

  Unit raise(const Unit& unit, int power) {
    if (power == 1) return unit;
    if (size_bits(unit.scale) * unsigned(std::abs(power)) > 2000) return fail("is too large a power", "", 0, text_.size());
    Unit raised;
    for (int i = 0; i < std::abs(power); ++i) {
      raised.scale = power > 0 ? raised.scale * unit.scale : raised.scale / unit.scale;
      raised.dimension = power > 0 ? raised.dimension * unit.dimension : raised.dimension / unit.dimension;
    }
    return raised;
  }

  System& system_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<UnitError> error_;
};

std::variant<Unit, UnitError> System::parse(std::string_view text) {
  const std::scoped_lock lock(mutex_);
  std::string key(text);
  if (const auto known = units_.find(key); known != units_.end()) return known->second;
  auto unit = UnitParser(*this, text).parse();
  if (units_.size() < kRememberedMax) units_.emplace(std::move(key), unit);
  return unit;
}

std::string joined(const std::vector<std::string>& factors) {
  std::string text;
  for (const std::string& factor : factors) text.append(text.empty() ? "" : " ").append(factor);
  return text;
}

}  // namespace

bool Dimension::is_plain() const { return *this == Dimension{}; }

Dimension operator*(const Dimension& a, const Dimension& b) {
  Dimension product;
  for (std::size_t i = 0; i < kBaseUnits; ++i) product.exponents[i] = saturated(a.exponents[i] + b.exponents[i]);
  return product;
}

Dimension operator/(const Dimension& a, const Dimension& b) {
  Dimension quotient;
  for (std::size_t i = 0; i < kBaseUnits; ++i) quotient.exponents[i] = saturated(a.exponents[i] - b.exponents[i]);
  return quotient;
}

std::variant<Unit, UnitError> parse_unit(std::string_view text) { return System::instance().parse(text); }

Unit unit_of(std::string_view text) {
  const auto unit = parse_unit(text);
  core::invariant(std::holds_alternative<Unit>(unit), "a unit written in the program is known");
  return std::get<Unit>(unit);
}

NamedUnit name_of(const Dimension& dimension) {
  constexpr std::size_t kMetre = 0, kKilogram = 1, kSecond = 2;
  Dimension rest = dimension;
  std::vector<std::string> above, below;
  Rational scale = 1;
  // Energy hides in kg m2 s-2: it is what remains sensible once seconds squared are taken away.
  for (const int sign : {1, -1}) {
    if (rest.exponents[kSecond] * sign != -2 || rest.exponents[kMetre] * sign < 2 || rest.exponents[kKilogram] * sign < 0) continue;
    const Dimension joule = base(kKilogram) * base(kMetre, 2) * base(kSecond, -2);
    rest = sign > 0 ? rest / joule : rest * joule;
    (sign > 0 ? above : below).push_back("kWh");
    scale = sign > 0 ? Rational(scale * 3'600'000) : Rational(scale / 3'600'000);
  }
  const auto add = [&](std::size_t index) {
    const int exponent = rest.exponents[index];
    if (exponent == 0) return;
    std::string factor(base_name(index));
    if (std::abs(exponent) > 1) factor += (std::isdigit(factor.back()) != 0 ? "^" : "") + std::to_string(std::abs(exponent));
    (exponent > 0 ? above : below).push_back(std::move(factor));
  };
  add(kKilogram);
  for (std::size_t i = kFirstTag; i < kUsed; ++i) add(i);
  for (std::size_t i = kFirstCount; i < kFirstTag; ++i) add(i);
  for (std::size_t i = 0; i < kFirstCount; ++i)
    if (i != kKilogram) add(i);
  std::string text = above.empty() ? "1" : joined(above);
  if (!below.empty()) text += "/" + (below.size() > 1 ? "(" + joined(below) + ")" : below.front());
  return {std::move(text), scale};
}

Dimension mass_of_co2e() { return base(1) * base(kFirstTag); }

Dimension without_counts(const Dimension& dimension) {
  Dimension bare = dimension;
  for (std::size_t i = kFirstCount; i < kFirstTag; ++i) bare.exponents[i] = 0;
  return bare;
}

Dimension with_co2e(const Dimension& dimension) { return dimension == base(1) ? mass_of_co2e() : dimension; }

}  // namespace tanhui::methodology
