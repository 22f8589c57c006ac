// activity/profile.h: how a partner's file is read as activity records, written down as data. Reference for people: docs/profiles.md.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "activity/csv.h"
#include "activity/fields.h"
#include "activity/intake_input.h"
#include "activity/record.h"
#include "core/result.h"

namespace tanhui::activity {

/// A column is named by its header, by its number from 1 where a file has no header, or in JSON by its path ("cdr_location.id",
/// "userInputs.0.WhPerMile"). Where rows are unpivoted, $value, $name, $column and $index name the cell, its label, its column's name and
/// its number from 0; where a file has sections, "$name" is what the section's row said.
using ColumnName = std::string;

/// One text of a record: from columns (joined by `joiner` when several) or constant.
struct TextFrom {
  std::vector<ColumnName> columns;
  std::optional<std::string> constant;
  std::map<std::string, std::string, std::less<>> map;  // text in the file to text meant; empty: as it is
  std::vector<std::string> refuse;                      // patterns (* and ?) of texts that mean "not there": broken or default ids
  bool optional = false;                                // the column may be missing from the file
  bool whole_row = false;                               // all columns of the row: for files that number nothing
  std::string joiner = "\x1F";
  bool given() const { return constant || !columns.empty() || whole_row; }
};

/// A number of a record in some unit.
struct NumberFrom {
  ColumnName column;
  std::optional<std::string> constant;                    // a number as text
  std::map<std::string, std::string, std::less<>> table;  // text in the column to a number as text
  std::string unit;                                       // empty: the quantity's base unit
  ColumnName unit_column;                                 // the row says the unit
  bool optional = false;
};

struct TimeFrom {
  TextFrom text;
  std::vector<std::string> formats{"rfc3339"};
  std::string zone;                // empty: the profile's, else the programme's
  std::optional<NumberFrom> plus;  // added to the time, in seconds; for "$index" times half an hour, or a second column
  std::int64_t plus_times = 1;     // what one of `plus` stands for, in its unit
  bool given() const { return text.given(); }
};

/// A position in degrees (WGS84) from two columns, or from a table of stations by a station column.
struct PositionFrom {
  ColumnName latitude, longitude;
  ColumnName station;
  bool given() const { return !latitude.empty() || !station.empty(); }
};

struct StationTable {
  std::filesystem::path file;  // beside the profile unless absolute; one that ends in .json is a GBFS 3 station_information
  ColumnName key, latitude, longitude;
};

struct QuantityFrom {
  std::string name;  // of the activity's quantities; "quantity" is the main one, whatever its name
  NumberFrom number;
  bool between_positions = false;  // distance from start to end, times `detour`
  std::string detour = "1";
  std::vector<std::string> only_for;  // activities; empty: every activity that has the quantity
};

struct Box {
  std::string south, west, north, east;  // degrees, decimal text
};

struct Checks {
  std::optional<Box> box;                     // position_out_of_range
  std::optional<std::string> moved_min;       // metres; not_moved when both the straight line and the recorded distance are below
  std::optional<std::string> path_ratio_max;  // path_jumps when the distance is more than this times the straight line ...
  std::string path_ratio_from = "1000";       // ... and more than this many metres
};

struct Unpivot {
  std::vector<std::pair<ColumnName, std::string>> columns;  // and their labels
  bool keep_empty = false;                                  // an empty cell is no record unless this is set
};

/// Files in sections (meter exports): a row that begins with a word names what holds for the rows below it.
struct Sections {
  std::string begins;                                       // the first field of such a row
  std::vector<std::pair<std::string, std::uint32_t>> keep;  // name, and number from 1 of its field; columns are asked for as "$name"
};

struct RowFilter {
  ColumnName column;
  std::vector<std::string> equals;
};

struct Profile {
  std::string id;
  std::string programme;           // where its records belong unless the command says otherwise
  std::string described;           // one line for people
  std::filesystem::path folder;    // of the profile's file, for tables beside it
  std::vector<std::string> files;  // patterns that narrow a folder

  InputFormat format = InputFormat::automatic;
  std::string encoding = "utf-8";
  CsvFormat csv;
  bool header = true;
  std::vector<std::string> header_names;  // of a file without a header; else numbers
  std::uint32_t skip_lines = 0;           // junk before the header
  std::size_t fields = 0;                 // of a row in a file without a header; 0: as many as its first row
  bool wider_rows = false;                // rows may have more fields than the header
  std::optional<Sections> sections;
  std::optional<RowFilter> only_rows;  // other rows are not records (headings of sections, subtotals)
  std::string records;                 // JSON: path of the list of records; empty: the top
  NumberFormat numbers;
  std::string zone;
  std::vector<std::string> null_words;  // texts that mean "no value", for example NA

  TextFrom person, event, object;
  TextFrom activity, source, region, evidence;
  TimeFrom start, end;
  std::optional<NumberFrom> duration;  // end is start plus this
  std::vector<QuantityFrom> quantities;
  bool quantities_by_header = false;  // columns named as a catalogue quantity
  PositionFrom from, to;
  std::optional<StationTable> stations;
  TextFrom consent;
  std::vector<std::string> consent_yes;
  TextFrom reversal;
  std::vector<std::string> reversal_yes;
  std::optional<Unpivot> unpivot;
  Checks checks;
};

/// Reads a profile. Strict: an unknown key, a wrong type or a missing part is an error that names file, line, column, what was found and
/// what to write. Errors: profile.syntax, profile.unknown-key, profile.wrong-value, profile.missing, profile.not-found.
core::Result<Profile> parse_profile(std::string_view yaml, const std::string& file_name);
core::Result<Profile> load_profile(const std::filesystem::path& file);

/// The profile of files that already have Tanhui's columns: event_id, source, person, activity, region, start, end, quantity and,
/// where they have them, evidence, object, unit, reversal and columns named as further quantities of the activity.
const Profile& native_profile();

}  // namespace tanhui::activity
