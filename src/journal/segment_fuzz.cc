// libFuzzer: any bytes as a segment's file: each row group comes as columns of its length or is refused as damaged, and nothing crashes or
// asks for memory that the file's size does not explain.
#include <fstream>

#include "core/invariant.h"
#include "journal/segment.h"
#include "journal/test_folder.h"

using namespace tanhui::journal;
using tanhui::core::invariant;

namespace {

void check_columns(const Columns& columns, std::uint64_t rows, const Names& names) {
  const auto as_long = [&](const auto& column) { return column.size() == rows; };
  invariant(as_long(columns.person) && as_long(columns.start_ms) && as_long(columns.duration_ms) && as_long(columns.activity) &&
                as_long(columns.source) && as_long(columns.region) && as_long(columns.methodology) && as_long(columns.event) &&
                as_long(columns.evidence) && as_long(columns.quantity) && as_long(columns.outcome) && as_long(columns.reason) &&
                as_long(columns.milligrams) && as_long(columns.points) && as_long(columns.revision),
            "columns are as long as the row group");
  for (const std::uint16_t word : columns.activity)
    invariant(word == kNoName || word < names.activities.size(), "a word is one of the names");
  for (const std::uint16_t word : columns.winner_source)
    invariant(word == kNoName || word < names.sources.size(), "a word is one of the names");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TestFolder folder;
  const auto path = folder / "run-000001.parquet";
  std::ofstream(path, std::ios::binary) << std::string_view(reinterpret_cast<const char*>(data), size);
  auto opened = SegmentReader::open(path);
  if (!opened) {
    invariant(opened.error().id == "journal.segment-damaged" || opened.error().id == "journal.segment-columns",
              "a refusal is one of those in the header");
    return 0;
  }
  SegmentReader segment = *std::move(opened);
  (void)segment.row_groups_with({0, 0}, {~std::uint64_t{0}, ~std::uint64_t{0}});
  std::uint64_t rows = 0;
  for (std::size_t group = 0; group < segment.row_groups(); ++group) {
    Names names;
    Columns columns;
    rows += segment.rows_of(group);
    if (segment.read(group, ColumnSet::all(), names, columns)) {
      check_columns(columns, segment.rows_of(group), names);
      const tanhui::core::PersonKey person = columns.size() == 0 ? tanhui::core::PersonKey{} : columns.person[columns.size() / 2];
      if (segment.read_person(group, person, names, columns)) check_columns(columns, columns.size(), names);
    }
  }
  invariant(rows == segment.rows(), "the row groups hold the segment's rows");
  return 0;
}
