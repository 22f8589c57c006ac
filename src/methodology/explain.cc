// The worked calculation as a page for people, in English or Chinese.
#include "core/text.h"
#include "methodology/methodology.h"

namespace tanhui::methodology {
namespace {

struct Words {
  const char *version, *region, *year, *status, *basis, *given, *numbers, *steps, *rounded_down, *result, *negative, *illustrative, *items;
};
const Words& words_of(Language language) {
  static const Words english{"version",
                             "region",
                             "year",
                             "status",
                             "Basis",
                             "Given",
                             "Numbers",
                             "Steps",
                             "Rounded once",
                             "Reduction",
                             "The result is below zero and counts as 0.",
                             "ILLUSTRATIVE: at least one number is an example or unverified. This is not an official reduction.",
                             "items"};
  static const Words chinese{"版本",
                             "地区",
                             "年份",
                             "状态",
                             "依据",
                             "已知",
                             "参数",
                             "计算",
                             "取整一次",
                             "减排量",
                             "结果为负，按零计。",
                             "示例：至少一个数值为示例或未经核实，不得作为正式减排量。",
                             "项"};
  return language == Language::chinese ? chinese : english;
}

std::string status_text(Status status, Language language) {
  if (language == Language::english) return std::string(name(status));
  constexpr const char* kChinese[] = {"官方", "平台披露", "推算", "示例"};
  return kChinese[std::size_t(status)];
}

class Page {
 public:
  Page(const Library& library, const Methodology& methodology, const Calculation& calculation, Language language)
      : library_(library), methodology_(methodology), calculation_(calculation), language_(language), words_(words_of(language)) {}

  std::string text() {
    head();
    section(words_.given, Step::Role::input);
    numbers();
    steps();
    result();
    return std::move(out_);
  }

 private:
  template <class... Values>
  void line(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Values>(values)...);
    out_ += '\n';
  }

  void head() {
    const Region* region = library_.find_region(calculation_.region);
    line("{}  {}", methodology_.id, methodology_.name.in(language_));
    line("{} {}, {} {} {}, {} {}, {} {}", words_.version, methodology_.version, words_.region, calculation_.region,
         region != nullptr ? region->name.in(language_) : "", words_.year, calculation_.year, words_.status,
         status_text(calculation_.status, language_));
    line("{}: {} ({})", words_.basis, methodology_.document, methodology_.grade);
    if (calculation_.status == Status::illustrative) line("{}", words_.illustrative);
  }

  std::size_t width() const {
    std::size_t widest = 12;
    for (const Step& step : calculation_.steps)
      if (step.formula.empty()) widest = std::max(widest, core::display_width(step.name));
    return std::min<std::size_t>(widest, 44);
  }

  static std::string amount(const Step& step) {
    return step.unit.empty() || step.unit == "1" ? step.amount : step.amount + " " + step.unit;
  }

  std::string meaning_of(const std::string& input) const {
    for (const InputField& field : methodology_.inputs)
      if (field.name == input) return field.meaning.in(language_);
    return {};
  }

  void section(const char* title, Step::Role role) {
    line("\n{}", title);
    for (const Step& step : calculation_.steps) {
      if (step.role != role) continue;
      const std::string shown = step.unit == "items" ? step.amount + " " + words_.items : amount(step);
      const std::string meaning = meaning_of(step.name);
      if (meaning.empty())
        line("  {}  {}", core::pad_right(step.name, width()), shown);
      else
        line("  {}  {}  {}", core::pad_right(step.name, width()), core::pad_right(shown, 24), meaning);
    }
  }

  void numbers() {
    bool first = true;
    for (const Step& step : calculation_.steps) {
      if (step.role != Step::Role::parameter && step.role != Step::Role::table) continue;
      if (first) line("\n{}", words_.numbers);
      first = false;
      line("  {}  {}  [{}, {}]", core::pad_right(step.name, width()), core::pad_right(amount(step), 24), step.grade,
           status_text(*step.status, language_));
      line("  {}  {}", core::pad_right("", width()), step.source);
    }
  }

  void steps() {
    line("\n{}", words_.steps);
    for (const Step& step : calculation_.steps) {
      if (step.formula.empty()) continue;
      const std::string indent(core::display_width(step.name) + 2, ' ');
      line("  {} = {}", step.name, one_line(step.formula));
      if (!step.worked.empty()) line("{} = {}", indent, one_line(step.worked));
      line("{} = {}", indent, amount(step));
    }
  }

  static std::string one_line(const std::string& text) {
    std::string line;
    for (const char c : text)
      if (c != '\n' && !(c == ' ' && !line.empty() && line.back() == ' ')) line.push_back(c);
    return line;
  }

  void result() {
    line("");
    if (calculation_.negative) line("{}", words_.negative);
    line("{}: {} g CO2e", words_.result, calculation_.exact_grams);
    line("{}: {} CO2e", words_.rounded_down, calculation_.issued);
  }

  const Library& library_;
  const Methodology& methodology_;
  const Calculation& calculation_;
  Language language_;
  const Words& words_;
  std::string out_;
};

}  // namespace

core::Result<std::string> explain(const Library& library, const Methodology& methodology, const Given& given, Language language) {
  const auto calculation = calculate(library, methodology, given);
  if (!calculation) return calculation.error();
  return Page(library, methodology, *calculation, language).text();
}

}  // namespace tanhui::methodology
