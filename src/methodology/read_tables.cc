// Tables, activities and regions.
#include <set>

#include "methodology/fields.h"
#include "methodology/loader.h"

namespace tanhui::methodology {
namespace {

constexpr std::string_view kGrades[] = {"S0", "S1", "S2", "S4", "S5", "P", "R", "D", "K"};

std::string_view key_names_hint() { return "region, year, a word, or {range: name, unit: L}"; }

class TableReader {
 public:
  TableReader(const YamlNode& node, std::string id, bool is_shared, const Library::State& library, Reporter& report)
      : fields_(node, report, fmt::format("table '{}'", id),
                {"id", "name", "unit", "keys", "year_rule", "default", "rows", "gaps", "notes", "basis", "source"}),
        library_(library),
        report_(report),
        is_shared_(is_shared) {
    table_.id = std::move(id);
  }

  std::shared_ptr<const Table> read() {
    const std::size_t before = report_.mistakes();
    if (!fields_.node().is_map()) return nullptr;
    if (is_shared_) read_head();
    if (const YamlNode* unit = fields_.require("unit", "the unit of the values, as in kg CO2e/kWh")) {
      table_.unit_text = unit->text;
      table_.unit = read_unit(*unit, report_).value_or(Unit{});
    }
    read_keys();
    table_.latest_not_after = fields_.one_of("year_rule", {"exact", "latest-not-after"}, false).value_or("exact") == "latest-not-after";
    read_rows();
    if (report_.mistakes() != before) return nullptr;
    core::ByteWriter bytes;
    write_canonical(fields_.node(), bytes);
    table_.canonical = bytes.take();
    return std::make_shared<const Table>(std::move(table_));
  }

 private:
  void read_head() {
    const auto id = fields_.require_text("id", "the file name without .yaml");
    if (id && *id != table_.id)
      report_.mistake(fields_.find("id")->place(), fmt::format("the table's id '{}' differs from its file name '{}'", *id, table_.id),
                      "name the file " + *id + ".yaml");
    table_.name = fields_.both_languages("name", true);
  }

  void read_keys() {
    const YamlNode* keys = fields_.require("keys", key_names_hint());
    if (keys == nullptr) return;
    if (!keys->is_list() || keys->items.empty())
      return report_.mistake(keys->place(), "keys must be a list", std::string(key_names_hint()));
    for (const YamlNode& item : keys->items) {
      TableKey key;
      if (item.is_scalar()) {
        key.name = item.text;
        key.kind = item.text == "region" ? TableKey::Kind::region : item.text == "year" ? TableKey::Kind::year : TableKey::Kind::word;
        for (const std::string_view taken : {"value", "grade", "status", "source", "up_to", "note"})
          if (key.name == taken)
            report_.mistake(item.place(), fmt::format("a key may not be called '{}'", taken), "rows have a field of that name");
      } else {
        Fields range(item, report_, "the range key", {"range", "unit"});
        key.kind = TableKey::Kind::range;
        key.name = range.require_text("range", "a name").value_or("");
        if (const YamlNode* unit = range.require("unit", "the unit of up_to")) {
          key.unit_text = unit->text;
          key.unit = read_unit(*unit, report_).value_or(Unit{});
        }
      }
      for (const TableKey& other : table_.keys)
        if (other.name == key.name || (other.kind == key.kind && key.kind != TableKey::Kind::word))
          report_.mistake(item.place(), fmt::format("the key '{}' stands twice", key.name),
                          "a table has at most one region, year and range key");
      table_.keys.push_back(std::move(key));
    }
  }

  void read_rows() {
    const YamlNode* rows = fields_.require("rows", "- {..., value: 0.4364, grade: P, status: official, source: \"...\"}");
    if (rows == nullptr) return;
    if (!rows->is_list() || rows->items.empty()) return report_.mistake(rows->place(), "rows must be a list with at least one row");
    for (const YamlNode& row : rows->items) read_row(row);
  }

  void read_row(const YamlNode& node) {
    if (!node.is_map()) return report_.mistake(node.place(), "a row must be a map", "- {..., value: 0.4364, source: \"...\"}");
    check_row_fields(node);
    TableRow row;
    row.words.resize(table_.keys.size());
    for (std::size_t i = 0; i < table_.keys.size(); ++i) read_key(node, i, row);
    const YamlNode* value = node.find("value");
    if (value == nullptr) return report_.mistake(node.place(), "the row has no 'value'");
    row.value_text = value->text;
    if (const auto number = read_number(*value, report_)) row.value = *number * table_.unit.scale;
    if (const auto provenance = read_provenance(node, fields_.find("default"), "the row", report_)) {
      row.grade = provenance->grade;
      row.status = provenance->status;
      row.source = provenance->source;
    }
    check_order(node, row);
    table_.rows.push_back(std::move(row));
  }

  void check_row_fields(const YamlNode& node) {
    std::vector<std::string_view> known{"value", "grade", "status", "source", "note"};
    for (const TableKey& key : table_.keys) known.push_back(key.kind == TableKey::Kind::range ? std::string_view("up_to") : key.name);
    for (const YamlNode& key : node.keys)
      if (std::find(known.begin(), known.end(), key.text) == known.end())
        report_.mistake(key.place(), fmt::format("unknown field '{}' in a row of table '{}'", key.text, table_.id),
                        hint_of(key.text, known, "known fields"));
  }

  void read_key(const YamlNode& node, std::size_t index, TableRow& row) {
    const TableKey& key = table_.keys[index];
    const bool range = key.kind == TableKey::Kind::range;
    const YamlNode* found = node.find(range ? "up_to" : key.name);
    if (found == nullptr) {
      if (!range) report_.mistake(node.place(), fmt::format("the row has no '{}'", key.name), "a row gives every key of its table");
      return;
    }
    switch (key.kind) {
      case TableKey::Kind::word:
      case TableKey::Kind::region:
        row.words[index] = found->text;
        if (key.kind == TableKey::Kind::region && !library_.region_index.contains(found->text)) report_unknown_region(*found);
        break;
      case TableKey::Kind::year:
        if (const auto year = parse_number(found->text);
            year && boost::multiprecision::denominator(*year) == 1 && *year > 1900 && *year < 2200)
          row.year = year->convert_to<int>();
        else
          report_.mistake(found->place(), fmt::format("'{}' is not a year", found->text), "as in 2022");
        break;
      case TableKey::Kind::range:
        if (const auto end = read_number(*found, report_)) row.up_to = *end * key.unit.scale;
    }
  }

  void report_unknown_region(const YamlNode& node) {
    std::vector<std::string_view> codes;
    for (const Region& region : library_.regions) codes.push_back(region.code);
    const std::string_view best = nearest(node.text, codes);
    report_.mistake(node.place(), fmt::format("unknown region '{}'", node.text),
                    best.empty() ? "regions stand in methodologies/regions.yaml; add it there with its parent"
                                 : fmt::format("did you mean '{}'? Regions stand in methodologies/regions.yaml", best));
  }

  void check_order(const YamlNode& node, const TableRow& row) {
    for (const TableRow& other : table_.rows) {
      if (other.words != row.words || other.year != row.year) continue;
      const bool open_before = !other.up_to, reached = row.up_to && other.up_to && *row.up_to <= *other.up_to;
      if (open_before || reached)
        return report_.mistake(node.place(), "a row before this one has the same keys or reaches as far",
                               "keep one row per key; ranges go upwards, the one without up_to last");
    }
  }

  Fields fields_;
  const Library::State& library_;
  Reporter& report_;
  bool is_shared_;
  Table table_;
};

}  // namespace

Status best_status(std::string_view grade) {
  if (grade == "R" || grade == "K") return Status::illustrative;
  return grade == "D" ? Status::derived : Status::official;
}

std::optional<Provenance> read_provenance(const YamlNode& node, const YamlNode* fallback, const std::string& what, Reporter& report) {
  const auto find = [&](std::string_view field) -> const YamlNode* {
    if (const YamlNode* own = node.find(field)) return own;
    return fallback != nullptr ? fallback->find(field) : nullptr;
  };
  const std::size_t before = report.mistakes();
  Provenance provenance;
  const YamlNode *grade = find("grade"), *status = find("status"), *source = find("source");
  if (grade == nullptr)
    report.mistake(node.place(), what + " has no 'grade'", "where the number was seen: S0 S1 S2 S4 S5 P R D K");
  else if (std::find(std::begin(kGrades), std::end(kGrades), grade->text) == std::end(kGrades))
    report.mistake(grade->place(), fmt::format("'{}' is no grade", grade->text), "where the number was seen: S0 S1 S2 S4 S5 P R D K");
  else
    provenance.grade = grade->text;
  if (source == nullptr || !source->is_scalar() || source->text.size() < 4)
    report.mistake(source != nullptr ? source->place() : node.place(), what + " has no 'source'",
                   "the document, table and date where the number stands");
  else
    provenance.source = source->text;
  const auto named = status != nullptr ? find_status(status->text) : std::nullopt;
  if (status == nullptr)
    report.mistake(node.place(), what + " has no 'status'", "official, reported-by-platform, derived or illustrative");
  else if (!named)
    report.mistake(status->place(), fmt::format("'{}' is no status", status->text),
                   "official, reported-by-platform, derived or illustrative");
  else
    provenance.status = *named;
  if (named && !provenance.grade.empty() && *named < best_status(provenance.grade))
    report.mistake(status->place(), fmt::format("grade {} cannot be '{}'", provenance.grade, name(*named)),
                   fmt::format("{} at best", name(best_status(provenance.grade))));
  if (report.mistakes() != before) return std::nullopt;
  return provenance;
}

std::shared_ptr<const Table> read_table(const YamlNode& node, const std::string& id, bool is_shared, const Library::State& library,
                                        Reporter& report) {
  return TableReader(node, id, is_shared, library, report).read();
}

std::vector<ActivityType> read_activities(const YamlNode& root, Reporter& report) {
  std::vector<ActivityType> activities;
  Fields top(root, report, "activities.yaml", {"activities"});
  const YamlNode* map = top.require("activities", "id: {name: {en, zh}, category: travel, quantities: {distance: m}}");
  if (map == nullptr || !map->is_map()) return activities;
  const auto index_of = [&](std::string_view id) -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < map->keys.size(); ++i)
      if (map->keys[i].text == id) return i;
    return std::nullopt;
  };
  for (std::size_t i = 0; i < map->keys.size(); ++i) {
    ActivityType type;
    type.id = map->keys[i].text;
    Fields fields(map->items[i], report, fmt::format("activity '{}'", type.id), {"name", "category", "quantities", "taps", "readings"});
    type.name = fields.both_languages("name", true);
    type.category = fields.require_text("category", "travel, energy, recycling, ...").value_or("");
    if (const YamlNode* quantities = fields.require("quantities", "{distance: m}"); quantities != nullptr && quantities->is_map())
      for (std::size_t q = 0; q < quantities->keys.size(); ++q) {
        (void)read_unit(quantities->items[q], report);
        type.quantities.push_back({quantities->keys[q].text, quantities->items[q].text});
      }
    if (type.quantities.empty())
      report.mistake(map->keys[i].place(), fmt::format("activity '{}' has no quantity", type.id), "quantities: {distance: m}");
    const auto act_of = [&](const char* field) -> std::optional<std::size_t> {
      const YamlNode* node = fields.find(field);
      if (node == nullptr) return std::nullopt;
      Fields part(*node, report, fmt::format("'{}'", field), {"side", "act"});
      const auto act = part.require_text("act", "the activity that it becomes");
      if (act && !index_of(*act)) report.mistake(node->find("act")->place(), fmt::format("unknown activity '{}'", *act));
      return act ? index_of(*act) : std::nullopt;
    };
    if (const auto act = act_of("taps")) {
      Fields taps(*fields.find("taps"), report, "'taps'", {"side", "act"});
      type.taps = Taps{taps.one_of("side", {"entry", "exit"}, true).value_or("") == "entry", *act};
    }
    if (const auto act = act_of("readings")) type.readings = Readings{*act};
    activities.push_back(std::move(type));
  }
  return activities;
}

std::vector<Region> read_regions(const YamlNode& root, Reporter& report) {
  std::vector<Region> regions;
  Fields top(root, report, "regions.yaml", {"regions"});
  const YamlNode* map = top.require("regions", "\"420100\": {name: {en, zh}, parent: \"420000\"}");
  if (map == nullptr || !map->is_map()) return regions;
  for (std::size_t i = 0; i < map->keys.size(); ++i) {
    Region region;
    region.code = map->keys[i].text;
    Fields fields(map->items[i], report, fmt::format("region '{}'", region.code), {"name", "parent"});
    region.name = fields.both_languages("name", true);
    region.parent = fields.text("parent").value_or("");
    regions.push_back(std::move(region));
  }
  for (std::size_t i = 0; i < regions.size(); ++i) {
    // Parents stand before their children, so there is no circle.
    const auto before = std::span(regions).first(i);
    if (!regions[i].parent.empty() &&
        std::none_of(before.begin(), before.end(), [&](const Region& other) { return other.code == regions[i].parent; }))
      report.mistake(map->keys[i].place(),
                     fmt::format("region '{}' has the parent '{}', which does not stand before it", regions[i].code, regions[i].parent));
  }
  return regions;
}

}  // namespace tanhui::methodology
