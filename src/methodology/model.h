// methodology/model.h: what a methodology computes, ready to be evaluated: exact numbers in coherent units, trees with names resolved.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "methodology/formula.h"
#include "methodology/methodology.h"
#include "methodology/problems.h"

namespace tanhui::methodology {

struct TableKey {
  enum class Kind : std::uint8_t { region, year, word, range };
  Kind kind = Kind::word;
  std::string name;
  std::string unit_text;  // of a range
  Unit unit;
};
struct TableRow {
  std::vector<std::string> words;  // by key; of region and word keys, empty for the others
  int year = 0;
  std::optional<Rational> up_to;  // coherent; nullopt is without end
  Rational value;                 // coherent
  std::string value_text, grade, source;
  Status status = Status::illustrative;
};
struct Table {
  std::string id;
  Text name;
  std::string unit_text;
  Unit unit;
  std::vector<TableKey> keys;
  bool latest_not_after = false;
  std::vector<TableRow> rows;
  std::string canonical;  // bytes of its content, for digests

  /// What one key is looked up with.
  struct KeyValue {
    std::string word;                                 // word key
    const std::vector<std::string>* chain = nullptr;  // region key: the region and what it lies in
    int year = 0;                                     // year key
    Rational number;                                  // range key, coherent
  };
  /// The row, or nullptr when there is none.
  const TableRow* find(const std::vector<KeyValue>& keys) const;
  /// Rows that a lookup may meet: from one of the `chains` of regions, in one of the `years` (none: any), with words as far as known.
  std::vector<const TableRow*> reachable(const std::vector<std::optional<std::string>>& words, const std::vector<int>& years,
                                         const std::vector<std::vector<std::string>>& chains) const;
};

struct InputSpec {
  enum class Kind : std::uint8_t { number, word, list };
  std::string name;
  Kind kind = Kind::number;
  std::string unit_text;
  Unit unit;
  std::optional<Rational> min, max, fallback;  // coherent
  std::vector<std::string> words;
  std::optional<std::string> fallback_word;
  std::vector<InputSpec> fields;
};
struct ParameterSpec {
  std::string name, unit_text;
  Rational value;  // coherent
  Dimension dimension;
  Status status = Status::illustrative;
};
struct StepSpec {
  std::string name, text;
  Expr expr;
};

struct CaseValue {
  std::optional<Rational> number;  // coherent
  std::string word;
  std::vector<std::vector<CaseValue>> rows;  // of a list, fields in the order of the spec
  std::string text;                          // as given, for explain
};

struct ExampleSpec {
  std::vector<CaseValue> inputs;
  std::string region;
  int year = 0;
  std::size_t activity = 0;  // index in Methodology::serves
  int vector = 0;            // number among the project's test vectors, 0 when it is none
  Rational expected;         // kg CO2e, coherent
  Rational expected_step;    // coherent size of the last digit written
  std::string expected_text, unit_text;
  struct StepExpectation {
    std::string name, text;
    Rational value, digit;
    Place place;
  };
  std::vector<StepExpectation> steps;
  Place place;
};

struct Model {
  std::vector<InputSpec> inputs;
  std::vector<ParameterSpec> parameters;
  std::vector<StepSpec> steps;                                       // let, then the parts
  std::size_t lets = 0;                                              // how many of the steps are let
  std::optional<std::size_t> reduction, baseline, project, leakage;  // indexes of steps
  std::vector<std::shared_ptr<const Table>> tables;
  Rational rounding_unit;  // kg CO2e
  std::string rounding_text = "mg";
  bool round_up = false;
  std::vector<ExampleSpec> examples;
  std::shared_ptr<const std::string> source_text;  // for problems found after loading
};

struct Library::State {
  std::filesystem::path folder;
  std::vector<ActivityType> activities;
  std::vector<Region> regions;
  std::map<std::string, std::size_t, std::less<>> activity_index, region_index;
  std::map<std::string, std::shared_ptr<const Table>, std::less<>> tables;
  std::vector<std::shared_ptr<const Methodology>> methodologies;

  std::vector<std::string> chain(std::string_view region) const;
};

}  // namespace tanhui::methodology
