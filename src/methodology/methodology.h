// methodology/methodology.h: the digital methodology library. YAML in, checked and compiled; quantities in, milligrams of CO2e out.
// Everything here is immutable once loaded and may be shared by threads. The format is docs/methodology-format.md.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace tanhui::methodology {

/// A mistake (or warning) in a file of the library. `text` is the whole of it for people: place, message, source line with caret, hint.
struct Problem {
  std::string file;
  int line = 0, column = 0;  // from 1; the column counts characters; 0 when the file as a whole is meant
  std::string message;
  std::string hint;  // what would be right
  bool warning = false;
  std::string text;
};

/// From strong to weak. What a number, and by its weakest number a methodology, may be called.
enum class Status : std::uint8_t { official, reported_by_platform, derived, illustrative };
enum class Kind : std::uint8_t { quantitative, qualitative, project };
enum class Language : std::uint8_t { english, chinese };
std::string_view name(Status status);  // "reported-by-platform"
std::string_view name(Kind kind);
std::optional<Status> find_status(std::string_view name);
std::optional<Kind> find_kind(std::string_view name);

struct Text {
  std::string en, zh;
  const std::string& in(Language language) const { return language == Language::chinese && !zh.empty() ? zh : en; }
  bool empty() const { return en.empty() && zh.empty(); }
};

// ---- activities.yaml and regions.yaml

struct QuantityType {
  std::string name;       // distance
  std::string base_unit;  // m: records carry whole numbers of it
};
/// A half-record: an entry or exit tap, paired into one act of another type.
struct Taps {
  bool entry = false;
  std::size_t act = 0;  // index of the activity type that the pair becomes
};
/// A meter reading, turned into a day's saving against the household's own baseline.
struct Readings {
  std::size_t act = 0;
};
struct ActivityType {
  std::string id;
  Text name;
  std::string category;
  std::vector<QuantityType> quantities;  // the first is the main one
  std::optional<Taps> taps;
  std::optional<Readings> readings;
};
struct Region {
  std::string code;  // GB/T 2260, grid-central, gl ...
  Text name;
  std::string parent;  // city > province > grid region > nation > gl; empty at the top
};

// ---- one methodology

/// Inclusive, in base units of the activity's quantity (min rounded up, max rounded down).
struct Bounds {
  std::int64_t min = 0, max = 0;
};
/// How a methodology reads the records of one activity type.
struct Served {
  std::size_t activity = 0;                   // index in Library::activities()
  std::vector<std::optional<Bounds>> bounds;  // by quantity of the activity; nullopt when the formula does not take it
  std::size_t main = 0;                       // quantity that the first number input is, which cap.quantity counts
  std::optional<std::int64_t> cap_quantity;   // in base units of that quantity, per person and local day
  std::map<std::string, std::string> words;   // choices that the activity binds (mode: rail)
};
struct Limits {
  std::optional<std::int64_t> duration_ms_min, duration_ms_max;
  std::optional<std::int64_t> speed_m_per_h_min, speed_m_per_h_max;  // distance over duration
};
struct Cap {  // per person and local day
  std::optional<std::int64_t> acts;
  std::optional<std::int64_t> reduction_mg;
  bool has_quantity = false;  // its amount stands in Served, in the activity's base units
};
enum class Scope : std::uint8_t { person, object };
enum class When : std::uint8_t { overlap, same_day, always };
struct DoubleCounting {
  std::vector<std::string> groups;  // the first is the one that reconciliation keys on; empty when the act collides with nothing
  Scope scope = Scope::person;
  When when = When::overlap;
  std::vector<std::string> excludes;  // groups whose acts of baseline mode private-car collide too
  int rank = 1;                       // lower goes first in such a collision
  std::string baseline_mode;          // private-car or empty
  const std::string& group() const;   // the first, or empty
};
struct Parameter {
  std::string name, value, unit, grade, source;
  Status status = Status::illustrative;
  bool used = false;  // by the formula
};
struct InputField {
  std::string name;
  std::string unit;                // of a number; empty for a choice or list
  std::string min, max, fallback;  // as written; empty when absent
  std::vector<std::string> words;  // of a choice
  std::vector<InputField> fields;  // of a list
  Text meaning;
};

struct Model;  // formulas, exact numbers and tables

struct Methodology {
  std::string id;
  int version = 1;
  Kind kind = Kind::quantitative;
  Text name;
  std::vector<std::string> regions;  // the first is where it was issued
  const std::string& region() const { return regions.front(); }
  core::Day from;
  std::optional<core::Day> to;  // included
  Status status = Status::illustrative;
  std::string document, issued, grade;  // basis
  std::string category;
  std::string tradable;  // yes, no, unclear
  std::string gwp;
  std::vector<Served> serves;
  std::vector<InputField> inputs;
  std::vector<Parameter> parameters;
  std::vector<std::pair<std::string, std::string>> formulas;  // let steps, then reduction or baseline, project, leakage, as written
  std::vector<std::string> shared_tables;
  Limits limits;
  Cap cap;
  DoubleCounting double_counting;
  std::string evidence_grade;  // metered, inferred, declared
  Text evidence_required, boundary, additionality, monitoring, leakage, ownership;
  std::vector<std::string> notes;
  std::size_t examples = 0;
  std::string file;
  std::string digest;  // SHA-256 (hex) over the canonical bytes of the file's content and of the shared tables it uses
  std::shared_ptr<const Model> model;

  bool in_force(core::Day day) const { return from <= day && (!to || day <= *to); }
  const Served* find_activity(std::size_t activity) const;
};

// ---- the library

class Library {
 public:
  /// Reads activities.yaml, regions.yaml, tables/*.yaml and <region>/*.yaml. Files with mistakes are left out and reported in `problems`
  /// together with warnings; the error is for a folder that is not a library. Examples are not run (see check_examples).
  static core::Result<Library> load(const std::filesystem::path& folder, std::vector<Problem>& problems);
  /// The same, then the named methodology files too, which may lie anywhere; they replace a library file of the same id.
  static core::Result<Library> load(const std::filesystem::path& folder, const std::vector<std::filesystem::path>& files,
                                    std::vector<Problem>& problems);

  const std::vector<ActivityType>& activities() const;
  std::optional<std::size_t> find_activity(std::string_view id) const;
  const std::vector<Region>& regions() const;
  const Region* find_region(std::string_view code) const;
  /// The region and what it lies in: city, province, grid region, nation, gl. Only the code itself when it is unknown.
  std::vector<std::string> region_chain(std::string_view code) const;
  const std::vector<std::shared_ptr<const Methodology>>& methodologies() const;  // by id, then version
  const Methodology* find(std::string_view id) const;                            // newest version
  const Methodology* find(std::string_view id, int version) const;

  /// Runs every worked example by the exact reference and, for acts, by the compiled program too; differences are problems.
  void check_examples(const Methodology& methodology, std::vector<Problem>& problems) const;

  struct State;
  const State& state() const { return *state_; }

 private:
  explicit Library(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

// ---- quantifying acts, column by column

/// What `evaluate` says about a row besides its milligrams.
enum Flag : std::uint8_t {
  kQuantified = 0,
  kNegative = 1,     // the formula came out below zero and counts as 0
  kOutOfBounds = 2,  // a quantity is missing or outside the methodology's bounds; 0 milligrams
  kNoResult = 4,     // a division by zero, or a result beyond 64 bits; 0 milligrams
};

/// A methodology for one activity type, region and year: tables looked up, constants folded, units settled.
class Program {
 public:
  /// Errors: refused when a table has no row for region and year, or the methodology does not serve the activity.
  static core::Result<Program> compile(const Library& library, const Methodology& methodology, std::string_view region, int year,
                                       std::size_t activity);

  /// `quantities`: a column per quantity of the activity, in its base units; an empty column is a missing one, and INT64_MIN in a
  /// column a missing value: the input's default counts, where it has one. All other columns, `milligrams` and `flags` have one length.
  /// Milligrams of CO2e are rounded down once; no memory is taken per row. Safe for any value.
  void evaluate(std::span<const std::span<const std::int64_t>> quantities, std::span<std::int64_t> milligrams,
                std::span<std::uint8_t> flags) const;

  enum class Path : std::uint8_t { linear, narrow, wide, exact };  // one constant factor; 64 bits; 128 bits; rationals
  Path path() const;
  /// The weakest number that this region and year really use.
  Status status() const;
  std::string factor_text() const;  // of the linear path: "392/5 mg per m"; else empty

 private:
  struct State;
  explicit Program(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// Which methodologies a programme has switched on.
struct Enabled {
  std::set<Status> statuses = {Status::official, Status::reported_by_platform, Status::derived};
  std::set<std::string, std::less<>> only;  // when not empty, nothing but these (and `also`)
  std::set<std::string, std::less<>> also;  // whatever their status, such as illustrative ones switched on by id
  std::set<std::string, std::less<>> never;
};

/// Chooses the methodology of an act: of each methodology the highest version that is in force for region and day, a correction of the
/// lower ones; then the most specific region first (city, province, grid region, nation, gl), the latest start of validity, the smaller id.
class Selection {
 public:
  Selection(const Library& library, const Enabled& enabled);
  const Methodology* choose(std::size_t activity, std::string_view region, core::Day day) const;  // nullptr when there is none
  /// Like `choose`, ignoring validity dates: for trials with data of other years.
  const Methodology* choose_any_day(std::size_t activity, std::string_view region) const;
  std::vector<const Methodology*> all() const;

 private:
  const Methodology* choose(std::size_t activity, std::string_view region, const core::Day* day) const;
  Library library_;
  std::map<std::size_t, std::vector<const Methodology*>> by_activity_;  // best first within a region
};

// ---- one case, worked out step by step (projects, explain)

/// Inputs of one case: "13 km", "rail", or a YAML or JSON document with lists.
struct Given {
  std::vector<std::pair<std::string, std::string>> values;
  std::string document;       // YAML or JSON: a map of inputs; values go before it
  std::string document_name;  // for messages
  std::string region;         // empty: the methodology's
  std::optional<int> year;    // of the act's local day or of the monitoring period; absent: the first of validity
};
struct Step {
  std::string name;     // distance, reduction_factor, grid-average[420000, 2022], a let step, baseline, reduction
  std::string formula;  // as written; empty for given values and parameters
  std::string worked;   // the formula with the numbers put in
  std::string amount, unit;
  std::string grade, source;  // of parameters and table rows
  std::optional<Status> status;
  enum class Role : std::uint8_t { input, parameter, table, step, part, reduction } role = Role::step;
};
struct Calculation {
  std::vector<Step> steps;
  std::int64_t milligrams = 0;  // rounded as the methodology says, not below zero
  bool negative = false;
  std::string exact_grams;               // before rounding
  std::string issued;                    // in the rounding unit: "71 t"
  Status status = Status::illustrative;  // the weakest number used
  std::string region;
  int year = 0;
};
/// Errors: invalid_input naming the input and what would be right; refused when a table has no row.
core::Result<Calculation> calculate(const Library& library, const Methodology& methodology, const Given& given);

/// The worked calculation for people, with each number's unit, grade, status and source. Illustrative ones are marked.
core::Result<std::string> explain(const Library& library, const Methodology& methodology, const Given& given, Language language);

}  // namespace tanhui::methodology
