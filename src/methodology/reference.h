// methodology/reference.h: the reference evaluation, in exact rationals, by walking the tree. What is right is what this says; the
// compiled program must agree with it.
#pragma once
#include "methodology/model.h"

namespace tanhui::methodology {

/// What stops an evaluation: a missing table row, a division by zero, a result that grows without measure.
struct Refusal {
  std::string message, action;
};

struct LookupUse {
  const Table* table;
  const TableRow* row;
  std::string keys;  // "420000, 2022"
};

class Reference {
 public:
  /// All must outlive the evaluation. `inputs` has one value per input of the model.
  Reference(const Model& model, const std::vector<CaseValue>& inputs, const std::vector<std::string>& region_chain, int year)
      : model_(model), inputs_(inputs), chain_(region_chain), year_(year), steps_(model.steps.size()) {}

  /// Throws Refusal.
  Rational number(const Expr& expr);
  bool truth(const Expr& expr);
  std::string word(const Expr& expr);  // a choice or a word written out
  int whole_year(const Expr& expr);    // a year key
  Rational step(std::size_t index);
  /// baseline - project - leakage, or reduction; may be negative; kg CO2e.
  Rational reduction();

  const std::vector<LookupUse>& lookups() const { return lookups_; }
  const std::vector<std::optional<Rational>>& steps() const { return steps_; }

 private:
  Rational compute(const Expr& expr);
  Rational lookup(const Expr& expr);
  Rational sum(const Expr& expr);
  const CaseValue& field(const Expr& expr) const;

  const Model& model_;
  const std::vector<CaseValue>& inputs_;
  const std::vector<std::string>& chain_;
  int year_;
  std::vector<std::optional<Rational>> steps_;
  std::vector<LookupUse> lookups_;
  std::vector<const std::vector<CaseValue>*> loop_items_;
  std::size_t work_ = 0;
};

}  // namespace tanhui::methodology
