// Worked examples: what each file promises, held against the exact reference and the compiled program.
#include "methodology/loader.h"
#include "methodology/reference.h"

namespace tanhui::methodology {
namespace {

Rational cut(const Rational& value, const Rational& unit) { return Rational(floor(value / unit)) * unit; }

class ExampleRunner {
 public:
  ExampleRunner(const Library& library, const Methodology& methodology, std::vector<Problem>& problems)
      : library_(library),
        methodology_(methodology),
        model_(*methodology.model),
        source_(methodology.file, *model_.source_text),
        report_(source_, problems) {}

  void run(const ExampleSpec& example) {
    const std::vector<std::string> chain = library_.region_chain(example.region);
    Reference reference(model_, example.inputs, chain, example.year);
    try {
      const Rational reduction = std::max(Rational(0), reference.reduction());
      const Rational unit = model_.rounding_unit;
      const Rational rounded = model_.round_up ? Rational(ceil(reduction / unit)) * unit : cut(reduction, unit);
      if (cut(rounded, example.expected_step) != example.expected)
        report_.mistake(example.place,
                        fmt::format("the example gives {} {}, not {}", to_text(reduction / unit_of(example.unit_text).scale, 15),
                                    example.unit_text, example.expected_text),
                        fmt::format("expect: {} {}", to_text(cut(rounded, example.expected_step) / unit_of(example.unit_text).scale, 30),
                                    example.unit_text));
      for (const auto& step : example.steps) check_step(step, reference);
      if (!methodology_.serves.empty()) check_program(example, cut(reduction, Rational(1, 1'000'000)));
    } catch (const Refusal& refusal) {
      report_.mistake(example.place, "the example cannot be computed: " + refusal.message, refusal.action);
    }
  }

 private:
  void check_step(const ExampleSpec::StepExpectation& expected, Reference& reference) {
    for (std::size_t i = 0; i < model_.steps.size(); ++i) {
      if (model_.steps[i].name != expected.name) continue;
      const Rational value = reference.step(i);
      if (cut(value, expected.digit) != expected.value)
        report_.mistake(expected.place, fmt::format("step '{}' gives {} {}, not {}", expected.name,
                                                    to_text(value / name_of(model_.steps[i].expr.dimension).scale, 15),
                                                    to_text(model_.steps[i].expr.dimension), expected.text));
    }
  }

  /// The compiled program must give the same milligrams, where a record can say the example in whole base units.
  void check_program(const ExampleSpec& example, const Rational& reduction) {
    const Served& served = methodology_.serves[example.activity];
    const auto& quantities = library_.activities()[served.activity].quantities;
    std::vector<std::vector<std::int64_t>> values(quantities.size());
    for (std::size_t q = 0; q < quantities.size(); ++q)
      for (std::size_t i = 0; i < model_.inputs.size(); ++i) {
        if (model_.inputs[i].name != quantities[q].name || !served.bounds[q]) continue;
        const Rational count = *example.inputs[i].number / scale_of(model_.inputs[i], quantities[q]).value();
        if (boost::multiprecision::denominator(count) != 1) return;
        values[q].push_back(count.convert_to<std::int64_t>());
      }
    const auto program = Program::compile(library_, methodology_, example.region, example.year, served.activity);
    if (!program)
      return report_.mistake(example.place, "the program cannot be compiled: " + program.error().message, program.error().action);
    const std::vector<std::span<const std::int64_t>> columns(values.begin(), values.end());
    std::int64_t milligrams = 0;
    std::uint8_t flag = 0;
    program->evaluate(columns, {&milligrams, 1}, {&flag, 1});
    if (Rational(milligrams, 1'000'000) != reduction)
      report_.mistake(example.place,
                      fmt::format("the compiled program gives {} mg (flag {}) where the reference gives {} mg", milligrams, int(flag),
                                  to_text(reduction * 1'000'000, 30)),
                      "a fault of the program: please report it");
  }

  const Library& library_;
  const Methodology& methodology_;
  const Model& model_;
  Source source_;
  Reporter report_;
};

}  // namespace

void Library::check_examples(const Methodology& methodology, std::vector<Problem>& problems) const {
  ExampleRunner runner(*this, methodology, problems);
  for (const ExampleSpec& example : methodology.model->examples) runner.run(example);
}

}  // namespace tanhui::methodology
