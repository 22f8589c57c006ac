// Worked examples: what each file promises, held against the exact reference and the compiled program.
#include "methodology/loader.h"
#include "methodology/reference.h"

namespace tanhui::methodology {
namespace {

Rational cut(const Rational& value, const Rational& unit) { return Rational(floor(value / unit)) * unit; }

class ExampleRunner {
 public:
  ExampleRunner(const Library& library, const Methodology& methodology, std::vector<Problem>& problems)
      : library_(library), methodology_(methodology), model_(*methodology.model), source_(methodology.file, *model_.source_text), report_(source_, problems) {}

  void run(const ExampleSpec& example) {
    const std::vector<std::string> chain = library_.region_chain(example.region);
    Reference reference(model_, example.inputs, chain, example.year);
    try {
      const Rational reduction = std::max(Rational(0), reference.reduction());
      const Rational unit = model_.rounding_unit;
      const Rational rounded = model_.round_up ? Rational(ceil(reduction / unit)) * unit : cut(reduction, unit);
      if (cut(rounded, example.expected_step) != example.expected)
        report_.mistake(example.place, fmt::format("the example gives {} {}, not {}", to_text(reduction / unit_of(example.unit_text).scale, 15), example.unit_text, example.expected_text),
                        fmt::format("expect: {} {}", to_text(cut(rounded, example.expected_step) / unit_of(example.unit_text).scale, 30), example.unit_text));
      for (const auto& step : example.steps) check_step(step, reference);
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
        report_.mistake(expected.place, fmt::format("step '{}' gives {} {}, not {}", expected.name, to_text(value / name_of(model_.steps[i].expr.dimension).scale, 15), to_text(model_.steps[i].expr.dimension), expected.text));
    }
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
