#include "activity/profile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <set>
#include <sstream>

namespace tanhui::activity {
namespace {

using core::Error;
using core::ErrorCode;
using core::Result;

// Leaves the reader at the first mistake; caught by parse_profile, nowhere else.
struct Mistake {
  Error error;
};

constexpr std::string_view kNativeYaml = R"(
profile: native
description: "Tanhui's own columns"
person: person
event: event_id
source: {column: source}
activity: {column: activity}
region: {column: region}
start: start
end: {column: end, optional: true}
evidence: {column: evidence, optional: true}
object: {column: object, optional: true}
reversal: {column: reversal, optional: true, yes: ["1", "true", "yes"]}
quantities:
  quantity: {column: quantity, unit_column: unit}
  by_header: true
)";

class Reader {
 public:
  Reader(std::string file, YAML::Node root) : file_(std::move(file)), root_(std::move(root)) {}
  Profile read();

 private:
  using Keys = std::initializer_list<std::string_view>;
  [[noreturn]] void fail(const YAML::Node& node, std::string id, std::string_view what, std::string action) const {
    const YAML::Mark mark = node.Mark();
    throw Mistake{{ErrorCode::invalid_input,
                   std::move(id),
                   fmt::format("{}:{}:{}: {}", file_, mark.line + 1, mark.column + 1, what),
                   std::move(action),
                   {{"file", file_}, {"line", std::to_string(mark.line + 1)}, {"column", std::to_string(mark.column + 1)}}}};
  }
  void check_keys(const YAML::Node& map, std::string_view where, Keys known) const {
    if (!map.IsMap())
      fail(map, "profile.wrong-value", fmt::format("{} must be a map of keys", where), fmt::format("write {}: {{key: value}}", where));
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const std::string key = entry.first.Scalar();
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        fail(entry.first, "profile.unknown-key", fmt::format("'{}' is not a key of {}", key, where),
             fmt::format("keys here: {}", fmt::join(known, ", ")));
      }
      if (!seen.insert(key).second)
        fail(entry.first, "profile.wrong-value", fmt::format("'{}' stands twice in {}", key, where), "keep one of them");
    }
  }
  std::string text(const YAML::Node& node, std::string_view what) const {
    if (!node.IsScalar()) fail(node, "profile.wrong-value", fmt::format("{} must be one text", what), "write a word or a quoted text");
    return node.Scalar();
  }
  bool yes_no(const YAML::Node& node, std::string_view what) const {
    const std::string word = text(node, what);
    if (word != "true" && word != "false") fail(node, "profile.wrong-value", fmt::format("{} is '{}'", what, word), "write true or false");
    return word == "true";
  }
  std::int64_t whole(const YAML::Node& node, std::string_view what, std::int64_t most) const {
    const std::string word = text(node, what);
    const auto value = read_number(word, {}, {});
    if (!value || *value < 0 || *value > most || word.find_first_not_of("0123456789") != std::string::npos) {
      fail(node, "profile.wrong-value", fmt::format("{} is '{}'", what, word), fmt::format("write a whole number from 0 to {}", most));
    }
    return *value;
  }
  std::string number(const YAML::Node& node, std::string_view what) const {
    const std::string word = text(node, what);
    if (!core::parse_decimal(word))
      fail(node, "profile.wrong-value", fmt::format("{} is '{}', not a number", what, word), "write a decimal such as 1.5");
    return word;
  }
  std::vector<std::string> texts(const YAML::Node& node, std::string_view what) const {
    if (node.IsScalar()) return {node.Scalar()};
    if (!node.IsSequence() || node.size() == 0)
      fail(node, "profile.wrong-value", fmt::format("{} must be a text or a list of texts", what), "write [a, b]");
    std::vector<std::string> list;
    for (const auto& item : node) list.push_back(text(item, what));
    return list;
  }
  std::map<std::string, std::string, std::less<>> word_map(const YAML::Node& node, std::string_view what) const {
    if (!node.IsMap() || node.size() == 0)
      fail(node, "profile.wrong-value", fmt::format("{} must be a map", what), "write {text in the file: meaning}");
    std::map<std::string, std::string, std::less<>> words;
    for (const auto& entry : node) {
      if (!words.emplace(text(entry.first, what), text(entry.second, what)).second) {
        fail(entry.first, "profile.wrong-value", fmt::format("'{}' stands twice in {}", entry.first.Scalar(), what), "keep one of them");
      }
    }
    return words;
  }
  char one_char(const YAML::Node& node, std::string_view what) const {
    const std::string word = text(node, what);
    if (word == "tab") return '\t';
    if (word == "space") return ' ';
    if (word.size() != 1 || word[0] == '"' || word[0] == '\n' || word[0] == '\r') {
      fail(node, "profile.wrong-value", fmt::format("{} is '{}'", what, word), "write one ASCII character in quotes, or tab, or space");
    }
    return word[0];
  }
  std::string unit(const YAML::Node& node, std::string_view base) const {
    const std::string word = text(node, "unit");
    const auto found = find_unit(word);
    if (!found || (!base.empty() && found->base != base)) {
      fail(node, "profile.wrong-value", fmt::format("unit '{}' is not known{}", word, base.empty() ? "" : " as a time"),
           "use a unit of docs/profiles.md, for example km, kWh, kg, min");
    }
    return word;
  }

  enum class Bare : std::uint8_t { column, constant };
  TextFrom text_from(const YAML::Node& node, std::string_view what, Bare bare, Keys more = {}) const;
  NumberFrom number_from(const YAML::Node& node, std::string_view what, std::string_view base, Keys more = {}) const;
  TimeFrom time_from(const YAML::Node& node, std::string_view what) const;
  void read_end(const YAML::Node& node, Profile& profile) const;
  void read_csv(const YAML::Node& node, Profile& profile) const;
  void read_quantities(const YAML::Node& node, Profile& profile) const;
  void read_positions(const YAML::Node& node, Profile& profile) const;
  PositionFrom position(const YAML::Node& node, std::string_view what) const;
  void read_unpivot(const YAML::Node& node, Profile& profile) const;
  void read_checks(const YAML::Node& node, Profile& profile) const;
  void read_file_keys(Profile& profile) const;
  void read_record_keys(Profile& profile) const;
  void check_sense(const Profile& profile) const;

  std::string file_;
  YAML::Node root_;
};

TextFrom Reader::text_from(const YAML::Node& node, std::string_view what, Bare bare, Keys more) const {
  TextFrom from;
  if (node.IsScalar()) {
    if (bare == Bare::column)
      from.columns = {node.Scalar()};
    else
      from.constant = node.Scalar();
    return from;
  }
  std::vector<std::string_view> known{"column", "columns", "constant", "refuse", "optional", "joiner"};
  known.insert(known.end(), more.begin(), more.end());
  if (!node.IsMap())
    fail(node, "profile.wrong-value", fmt::format("{} must be a name or a map", what), fmt::format("write {}: {{column: name}}", what));
  for (const auto& entry : node) {
    if (std::find(known.begin(), known.end(), entry.first.Scalar()) == known.end()) {
      fail(entry.first, "profile.unknown-key", fmt::format("'{}' is not a key of {}", entry.first.Scalar(), what),
           fmt::format("keys here: {}", fmt::join(known, ", ")));
    }
  }
  if (node["column"]) from.columns = {text(node["column"], "column")};
  if (node["columns"]) from.columns = texts(node["columns"], "columns");
  if (node["constant"]) from.constant = text(node["constant"], "constant");
  if (node["map"]) from.map = word_map(node["map"], "map");
  if (node["refuse"]) from.refuse = texts(node["refuse"], "refuse");
  if (node["optional"]) from.optional = yes_no(node["optional"], "optional");
  if (node["row"]) from.whole_row = yes_no(node["row"], "row");
  if (node["joiner"]) from.joiner = text(node["joiner"], "joiner");
  const int ways = int(bool(node["column"])) + int(bool(node["columns"])) + int(from.constant.has_value()) + int(from.whole_row);
  if (ways != 1) {
    fail(node, "profile.wrong-value", fmt::format("{} needs exactly one of column, columns, constant, row", what),
         fmt::format("write {}: {{column: name}}", what));
  }
  return from;
}

NumberFrom Reader::number_from(const YAML::Node& node, std::string_view what, std::string_view base, Keys more) const {
  NumberFrom from;
  if (node.IsScalar()) {
    from.column = node.Scalar();
    return from;
  }
  std::vector<std::string_view> known{"column", "constant", "table", "unit", "unit_column", "optional"};
  known.insert(known.end(), more.begin(), more.end());
  if (!node.IsMap())
    fail(node, "profile.wrong-value", fmt::format("{} must be a column or a map", what),
         fmt::format("write {}: {{column: name, unit: km}}", what));
  for (const auto& entry : node) {
    if (std::find(known.begin(), known.end(), entry.first.Scalar()) == known.end()) {
      fail(entry.first, "profile.unknown-key", fmt::format("'{}' is not a key of {}", entry.first.Scalar(), what),
           fmt::format("keys here: {}", fmt::join(known, ", ")));
    }
  }
  if (node["column"]) from.column = text(node["column"], "column");
  if (node["constant"]) from.constant = number(node["constant"], "constant");
  if (node["unit"]) from.unit = unit(node["unit"], base);
  if (node["unit_column"]) from.unit_column = text(node["unit_column"], "unit_column");
  if (node["optional"]) from.optional = yes_no(node["optional"], "optional");
  if (node["table"]) {
    from.table = word_map(node["table"], "table");
    for (const auto& entry : node["table"]) number(entry.second, "table");
  }
  if (from.column.empty() == !from.constant.has_value()) {
    fail(node, "profile.wrong-value", fmt::format("{} needs exactly one of column, constant", what),
         fmt::format("write {}: {{column: name}}", what));
  }
  return from;
}

TimeFrom Reader::time_from(const YAML::Node& node, std::string_view what) const {
  TimeFrom from;
  from.text = text_from(node, what, Bare::column, {"format", "formats", "zone", "plus", "duration"});
  from.text.joiner = node.IsMap() && node["joiner"] ? from.text.joiner : " ";
  if (!node.IsMap()) return from;
  if (node["format"]) from.formats = texts(node["format"], "format");
  if (node["zone"]) from.zone = text(node["zone"], "zone");
  if (const YAML::Node zone = node["zone"]) {
    const auto found = core::Zone::find(from.zone);
    if (!found) fail(zone, "profile.wrong-value", found.error().message, found.error().action);
  }
  if (const YAML::Node format = node["format"]) {
    const auto reader = TimeReader::make(from.formats, "UTC");
    if (!reader) fail(format, "profile.wrong-value", reader.error().message, reader.error().action);
  }
  if (const YAML::Node plus = node["plus"]) {
    from.plus = number_from(plus, "plus", "s", {"times"});
    if (plus.IsMap() && plus["times"]) from.plus_times = whole(plus["times"], "times", 1'000'000);
  }
  return from;
}

void Reader::read_end(const YAML::Node& node, Profile& profile) const {
  if (node.IsMap() && node["after"]) {
    check_keys(node, "end", {"after"});
    profile.duration = number_from(node["after"], "after", "s");
    if (profile.duration->unit.empty() && profile.duration->unit_column.empty()) {
      fail(node["after"], "profile.missing", "the duration has no unit", "write after: {column: name, unit: min}");
    }
    return;
  }
  profile.end = time_from(node, "end");
}

void Reader::read_csv(const YAML::Node& node, Profile& profile) const {
  check_keys(node, "csv", {"delimiter", "quotes", "header", "fields", "skip_lines", "wider_rows", "only_rows", "sections"});
  if (node["delimiter"]) profile.csv.delimiter = one_char(node["delimiter"], "delimiter");
  if (node["quotes"]) profile.csv.quotes = yes_no(node["quotes"], "quotes");
  if (const YAML::Node header = node["header"]) {
    if (header.IsSequence()) {
      profile.header = false;
      profile.header_names = texts(header, "header");
    } else {
      profile.header = yes_no(header, "header");
    }
  }
  if (node["fields"]) profile.fields = std::size_t(whole(node["fields"], "fields", 100'000));
  if (node["skip_lines"]) profile.skip_lines = std::uint32_t(whole(node["skip_lines"], "skip_lines", 1000));
  if (node["wider_rows"]) profile.wider_rows = yes_no(node["wider_rows"], "wider_rows");
  if (const YAML::Node sections = node["sections"]) {
    check_keys(sections, "sections", {"begins", "keep"});
    if (!sections["begins"] || !sections["keep"] || !sections["keep"].IsMap()) {
      fail(sections, "profile.missing", "sections needs begins and keep", "write sections: {begins: \"200\", keep: {meter: 2}}");
    }
    profile.sections = Sections{text(sections["begins"], "begins"), {}};
    for (const auto& entry : sections["keep"]) {
      const auto column = whole(entry.second, "keep", 100'000);
      if (column < 1) fail(entry.second, "profile.wrong-value", "keep counts fields from 1", "write keep: {meter: 2}");
      profile.sections->keep.emplace_back(entry.first.Scalar(), std::uint32_t(column));
    }
  }
  if (const YAML::Node only = node["only_rows"]) {
    check_keys(only, "only_rows", {"column", "equals"});
    if (!only["column"] || !only["equals"])
      fail(only, "profile.missing", "only_rows needs column and equals", "write only_rows: {column: \"1\", equals: \"300\"}");
    profile.only_rows = RowFilter{text(only["column"], "column"), texts(only["equals"], "equals")};
  }
}

void Reader::read_quantities(const YAML::Node& node, Profile& profile) const {
  if (!node.IsMap())
    fail(node, "profile.wrong-value", "quantities must be a map from the quantity's name",
         "write quantities: {distance: {column: km, unit: km}}");
  for (const auto& entry : node) {
    const std::string quantity = entry.first.Scalar();
    if (quantity == "by_header") {
      profile.quantities_by_header = yes_no(entry.second, "by_header");
      continue;
    }
    QuantityFrom from;
    from.name = quantity;
    if (entry.second.IsMap() && entry.second["between_positions"]) {
      check_keys(entry.second, quantity, {"between_positions", "detour", "for"});
      from.between_positions = yes_no(entry.second["between_positions"], "between_positions");
      if (entry.second["detour"]) from.detour = number(entry.second["detour"], "detour");
    } else {
      from.number = number_from(entry.second, quantity, "", {"for"});
    }
    if (entry.second.IsMap() && entry.second["for"]) from.only_for = texts(entry.second["for"], "for");
    profile.quantities.push_back(std::move(from));
  }
}

PositionFrom Reader::position(const YAML::Node& node, std::string_view what) const {
  check_keys(node, what, {"latitude", "longitude", "station"});
  PositionFrom from;
  if (node["station"]) from.station = text(node["station"], "station");
  if (node["latitude"]) from.latitude = text(node["latitude"], "latitude");
  if (node["longitude"]) from.longitude = text(node["longitude"], "longitude");
  if (from.latitude.empty() != from.longitude.empty() || from.latitude.empty() == from.station.empty()) {
    fail(node, "profile.wrong-value", fmt::format("{} needs latitude and longitude, or station", what),
         "write {latitude: lat, longitude: lon}");
  }
  return from;
}

void Reader::read_positions(const YAML::Node& node, Profile& profile) const {
  check_keys(node, "positions", {"from", "to", "stations"});
  if (node["from"]) profile.from = position(node["from"], "from");
  if (node["to"]) profile.to = position(node["to"], "to");
  if (const YAML::Node stations = node["stations"]) {
    check_keys(stations, "stations", {"file", "key", "latitude", "longitude"});
    const bool gbfs = stations["file"] && text(stations["file"], "file").ends_with(".json");
    for (const char* key : {"file", "key", "latitude", "longitude"}) {
      if (gbfs ? key != std::string_view("file") && stations[key] : !stations[key])
        fail(stations, gbfs ? "profile.wrong-value" : "profile.missing",
             gbfs ? fmt::format("stations has {}, which a GBFS file says itself", key) : fmt::format("stations needs {}", key),
             "write stations: {file: stations.csv, key: id, latitude: lat, longitude: lon}, or {file: station_information.json}");
    }
    profile.stations = gbfs ? StationTable{text(stations["file"], "file"), {}, {}, {}}
                            : StationTable{text(stations["file"], "file"), text(stations["key"], "key"),
                                           text(stations["latitude"], "latitude"), text(stations["longitude"], "longitude")};
  }
  if ((!profile.from.station.empty() || !profile.to.station.empty()) && !profile.stations) {
    fail(node, "profile.missing", "a position comes from a station but there is no table of stations",
         "add stations: {file: ..., key: ..., latitude: ..., longitude: ...}");
  }
}

void Reader::read_unpivot(const YAML::Node& node, Profile& profile) const {
  check_keys(node, "unpivot", {"columns", "numbers", "keep_empty"});
  Unpivot unpivot;
  if (const YAML::Node columns = node["columns"]) {
    if (columns.IsMap()) {
      for (const auto& entry : columns) unpivot.columns.emplace_back(entry.first.Scalar(), text(entry.second, "columns"));
    } else {
      for (const auto& column : texts(columns, "columns")) unpivot.columns.emplace_back(column, column);
    }
  }
  if (const YAML::Node numbers = node["numbers"]) {
    check_keys(numbers, "numbers", {"from", "to"});
    if (!numbers["from"] || !numbers["to"])
      fail(numbers, "profile.missing", "numbers needs from and to", "write numbers: {from: 3, to: 50}");
    const auto from = whole(numbers["from"], "from", 100'000), to = whole(numbers["to"], "to", 100'000);
    if (from < 1 || to < from || to - from >= 1000)
      fail(numbers, "profile.wrong-value", fmt::format("columns {} to {}", from, to), "count columns from 1, at most 1000 of them");
    for (auto column = from; column <= to; ++column) unpivot.columns.emplace_back(fmt::format("#{}", column), std::to_string(column));
  }
  if (unpivot.columns.empty())
    fail(node, "profile.missing", "unpivot names no columns", "write columns: {file column: label} or numbers: {from: 3, to: 50}");
  if (node["keep_empty"]) unpivot.keep_empty = yes_no(node["keep_empty"], "keep_empty");
  profile.unpivot = std::move(unpivot);
}

void Reader::read_checks(const YAML::Node& node, Profile& profile) const {
  check_keys(node, "checks", {"box", "moved_min", "path_ratio_max", "path_ratio_from"});
  if (const YAML::Node box = node["box"]) {
    check_keys(box, "box", {"south", "west", "north", "east"});
    for (const char* side : {"south", "west", "north", "east"}) {
      if (!box[side])
        fail(box, "profile.missing", fmt::format("box needs {}", side), "write box: {south: 42, west: -73, north: 43, east: -72}");
    }
    profile.checks.box =
        Box{number(box["south"], "south"), number(box["west"], "west"), number(box["north"], "north"), number(box["east"], "east")};
  }
  const auto metres = [&](const YAML::Node& length, std::string_view what) {
    const std::string written = text(length, what);
    const std::size_t space = written.find(' ');
    const auto found = space == std::string::npos ? std::nullopt : find_unit(written.substr(space + 1));
    const auto value =
        found && found->base == "m" ? read_number(std::string_view(written).substr(0, space), {}, found->factor) : std::nullopt;
    if (!value)
      fail(length, "profile.wrong-value", fmt::format("{} is '{}'", what, written), "write a length with its unit, for example 50 m");
    return std::to_string(*value);
  };
  if (node["moved_min"]) profile.checks.moved_min = metres(node["moved_min"], "moved_min");
  if (node["path_ratio_max"]) profile.checks.path_ratio_max = number(node["path_ratio_max"], "path_ratio_max");
  if (node["path_ratio_from"]) profile.checks.path_ratio_from = metres(node["path_ratio_from"], "path_ratio_from");
}

void Reader::check_sense(const Profile& profile) const {
  const auto need = [&](bool given, std::string_view what, std::string_view example) {
    if (!given) fail(root_, "profile.missing", fmt::format("the profile does not say {}", what), fmt::format("add {}", example));
  };
  need(profile.person.given(), "who acted", "person: COLUMN");
  need(profile.event.given(), "what identifies a record", "event: COLUMN, or event: {row: true} where the file numbers nothing");
  need(profile.activity.given(), "what was done", "activity: an id of methodologies/activities.yaml");
  need(profile.source.given(), "who reports", "source: an id of the programme's sources");
  need(profile.start.given(), "when it was done", "start: COLUMN");
  need(!profile.quantities.empty() || profile.quantities_by_header, "how much was done", "quantities: {distance: {column: km, unit: km}}");
  const bool positions_used =
      profile.checks.box || profile.checks.moved_min || profile.checks.path_ratio_max ||
      std::any_of(profile.quantities.begin(), profile.quantities.end(), [](const auto& quantity) { return quantity.between_positions; });
  need(!positions_used || profile.from.given(), "where acts begin, but uses positions",
       "positions: {from: {latitude: lat, longitude: lon}, to: {...}}");
  const bool both_used =
      profile.checks.moved_min || profile.checks.path_ratio_max ||
      std::any_of(profile.quantities.begin(), profile.quantities.end(), [](const auto& quantity) { return quantity.between_positions; });
  need(!both_used || profile.to.given(), "where acts end, but uses positions",
       "positions: {from: {...}, to: {latitude: lat, longitude: lon}}");
  need(!profile.consent.given() || !profile.consent_yes.empty(), "which words mean consent", "consent: {column: name, yes: [\"1\"]}");
  need(!profile.reversal.given() || !profile.reversal_yes.empty(), "which words mean a reversal",
       "reversal: {column: name, yes: [\"true\"]}");
  if (profile.csv.delimiter == profile.numbers.decimal && !profile.csv.quotes) {
    fail(root_, "profile.wrong-value", "the delimiter is also the decimal sign, and quotes are off",
         "fields could not be told apart; check csv and numbers");
  }
  if (profile.numbers.decimal == profile.numbers.thousands)
    fail(root_, "profile.wrong-value", "decimal and thousands are the same sign", "check numbers");
}

Profile Reader::read() {
  check_keys(root_, "a profile",
             {"profile", "description", "programme",  "files",     "format",  "encoding", "csv",     "records", "numbers",
              "zone",    "null",        "person",     "event",     "object",  "activity", "source",  "region",  "evidence",
              "start",   "end",         "quantities", "positions", "consent", "reversal", "unpivot", "checks"});
  Profile profile;
  const YAML::Node& root = root_;
  if (!root["profile"]) fail(root, "profile.missing", "the profile has no id", "add profile: the file's name without .yaml");
  profile.id = text(root["profile"], "profile");
  if (root["description"]) profile.described = text(root["description"], "description");
  if (root["programme"]) profile.programme = text(root["programme"], "programme");
  if (root["files"]) profile.files = texts(root["files"], "files");
  read_file_keys(profile);
  read_record_keys(profile);
  check_sense(profile);
  return profile;
}

// How the file is written.
void Reader::read_file_keys(Profile& profile) const {
  const YAML::Node& root = root_;
  if (const YAML::Node format = root["format"]) {
    const std::string word = text(format, "format");
    constexpr InputFormat formats[] = {InputFormat::automatic, InputFormat::csv, InputFormat::ndjson, InputFormat::json,
                                       InputFormat::parquet};
    const auto found = std::find_if(std::begin(formats), std::end(formats), [&](InputFormat candidate) { return name(candidate) == word; });
    if (found == std::end(formats))
      fail(format, "profile.wrong-value", fmt::format("format is '{}'", word), "write csv, ndjson, json, parquet or auto");
    profile.format = *found;
  }
  if (root["encoding"]) {
    profile.encoding = text(root["encoding"], "encoding");
    std::transform(profile.encoding.begin(), profile.encoding.end(), profile.encoding.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
    if (profile.encoding == "utf8") profile.encoding = "utf-8";
    const auto known = transcode(nullptr, profile.encoding);
    if (!known) fail(root["encoding"], "profile.wrong-value", known.error().message, known.error().action);
  }
  if (root["csv"]) read_csv(root["csv"], profile);
  if (root["records"]) profile.records = text(root["records"], "records");
  if (const YAML::Node numbers = root["numbers"]) {
    check_keys(numbers, "numbers", {"decimal", "thousands"});
    if (numbers["decimal"]) profile.numbers.decimal = one_char(numbers["decimal"], "decimal");
    if (numbers["thousands"]) profile.numbers.thousands = one_char(numbers["thousands"], "thousands");
  }
  if (const YAML::Node zone = root["zone"]) {
    profile.zone = text(zone, "zone");
    const auto found = core::Zone::find(profile.zone);
    if (!found) fail(zone, "profile.wrong-value", found.error().message, found.error().action);
  }
  if (root["null"]) profile.null_words = texts(root["null"], "null");
}

// What its rows say.
void Reader::read_record_keys(Profile& profile) const {
  const YAML::Node& root = root_;
  if (root["person"]) profile.person = text_from(root["person"], "person", Bare::column);
  if (root["event"]) profile.event = text_from(root["event"], "event", Bare::column, {"row"});
  if (root["object"]) profile.object = text_from(root["object"], "object", Bare::column);
  if (root["activity"]) profile.activity = text_from(root["activity"], "activity", Bare::constant, {"map"});
  if (root["source"]) profile.source = text_from(root["source"], "source", Bare::constant, {"map"});
  if (root["region"]) profile.region = text_from(root["region"], "region", Bare::constant, {"map"});
  if (root["evidence"]) profile.evidence = text_from(root["evidence"], "evidence", Bare::constant, {"map"});
  if (root["start"]) profile.start = time_from(root["start"], "start");
  if (root["end"]) read_end(root["end"], profile);
  if (root["positions"]) read_positions(root["positions"], profile);
  if (root["quantities"]) read_quantities(root["quantities"], profile);
  if (const YAML::Node consent = root["consent"]) {
    profile.consent = text_from(consent, "consent", Bare::column, {"yes"});
    if (consent.IsMap() && consent["yes"]) profile.consent_yes = texts(consent["yes"], "yes");
  }
  if (const YAML::Node reversal = root["reversal"]) {
    profile.reversal = text_from(reversal, "reversal", Bare::column, {"yes"});
    if (reversal.IsMap() && reversal["yes"]) profile.reversal_yes = texts(reversal["yes"], "yes");
  }
  if (root["unpivot"]) read_unpivot(root["unpivot"], profile);
  if (root["checks"]) read_checks(root["checks"], profile);
}

}  // namespace

Result<Profile> parse_profile(std::string_view yaml, const std::string& file_name) {
  try {
    return Reader(file_name, YAML::Load(std::string(yaml))).read();
  } catch (const Mistake& mistake) {
    return mistake.error;
  } catch (const YAML::Exception& problem) {
    return Error{ErrorCode::invalid_input,
                 "profile.syntax",
                 fmt::format("{}:{}:{}: {}", file_name, problem.mark.line + 1, problem.mark.column + 1, problem.msg),
                 "check indentation, quotes and brackets there",
                 {{"file", file_name}}};
  }
}

Result<Profile> load_profile(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return Error{ErrorCode::not_found,
                 "profile.not-found",
                 fmt::format("{}: there is no such profile", file.string()),
                 "give the path of a profile, or the name of one in profiles/",
                 {{"file", file.string()}}};
  }
  std::ostringstream text;
  text << in.rdbuf();
  auto profile = parse_profile(text.str(), file.string());
  if (!profile) return profile;
  Profile loaded = *std::move(profile);
  loaded.folder = file.parent_path();
  return loaded;
}

const Profile& native_profile() {
  static const Profile profile = [] {
    auto parsed = parse_profile(kNativeYaml, "native");
    return *std::move(parsed);
  }();
  return profile;
}

}  // namespace tanhui::activity
