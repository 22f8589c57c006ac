// methodology/loader.h: files to checked values. Each reader reports every mistake it sees and returns nothing when there was one.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "methodology/model.h"
#include "methodology/yaml_tree.h"

namespace tanhui::methodology {

std::vector<ActivityType> read_activities(const YamlNode& root, Reporter& report);
std::vector<Region> read_regions(const YamlNode& root, Reporter& report);

/// `id` is the file name of a shared table or the field name of a local one. Only rows of known regions are right.
std::shared_ptr<const Table> read_table(const YamlNode& node, const std::string& id, bool is_shared, const Library::State& library,
                                        Reporter& report);

/// `stem` is the file name without .yaml.
std::shared_ptr<const Methodology> read_methodology(const YamlNode& root, const std::string& stem, const Library::State& library,
                                                    Reporter& report);

/// What a grade allows at best: R and K are illustrative, D is derived.
Status best_status(std::string_view grade);
/// grade, status and source of a number; `fallback` is a table's default.
struct Provenance {
  std::string grade, source;
  Status status = Status::illustrative;
};
std::optional<Provenance> read_provenance(const YamlNode& node, const YamlNode* fallback, const std::string& what, Reporter& report);

/// Coherent size of one base unit of the quantity, as the input counts it; nullopt when the two do not fit together.
std::optional<Rational> scale_of(const InputSpec& input, const QuantityType& quantity);

/// Inputs of one case, in the order of the model. Missing ones take their default; with `words` an activity's choices are bound.
std::optional<std::vector<CaseValue>> read_case(const YamlNode& given, const Model& model, const std::map<std::string, std::string>& words,
                                                bool check_bounds, Reporter& report);

}  // namespace tanhui::methodology
