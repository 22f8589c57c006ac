// methodology/check.h: names and units of a formula. After it a tree has no unknown name and no metre added to a kilogram.
#pragma once
#include "methodology/model.h"

namespace tanhui::methodology {

struct CheckScope {
  const Model& model;  // inputs, parameters, tables; steps that stand before
  bool is_project = false;
};

/// Names, types and units throughout `expr`; `text` is what it was parsed from. Every mistake, not only the first.
std::vector<FormulaError> check_formula(Expr& expr, std::string_view text, const CheckScope& scope);

/// For the last formula: what `expr` has against being a mass of CO2 equivalent, if anything.
std::optional<FormulaError> check_is_co2e(const Expr& expr);

}  // namespace tanhui::methodology
