#include "journal/correction.h"

#include "core/invariant.h"

namespace tanhui::journal {
namespace {

core::Day day_of(const std::string& text) {
  const auto day = core::parse_day(text);
  core::invariant(day.has_value(), "days of a correction are written by this program");
  return *day;
}

Correction correction_of(const db::Row& row) {
  return {row.get<std::string>(0), int(row.integer(1)), day_of(row.get<std::string>(2)), day_of(row.get<std::string>(3))};
}

}  // namespace

void insert_correction(db::Transaction& tx, std::string_view programme, RunId run, const Correction& correction) {
  tx.exec("INSERT INTO correction (run, programme, methodology, version, first_day, last_day) VALUES ($1, $2, $3, $4, $5, $6)",
          std::int64_t(run), programme, correction.methodology, std::int64_t(correction.version), core::to_text(correction.first),
          core::to_text(correction.last));
}

std::vector<Correction> corrections_of(db::Reader& reader, std::string_view programme) {
  std::vector<Correction> corrections;
  reader.each(
      "SELECT methodology, version, first_day, last_day FROM correction WHERE programme = $1 ORDER BY methodology, version, run",
      [&](const db::Row& row) { corrections.push_back(correction_of(row)); }, programme);
  return corrections;
}

std::vector<Correction> corrections_of_run(db::Reader& reader, RunId run) {
  std::vector<Correction> corrections;
  reader.each(
      "SELECT c.methodology, c.version, c.first_day, c.last_day FROM correction c JOIN run r ON r.id = c.run AND r.programme = c.programme "
      "WHERE c.run = $1 ORDER BY c.methodology, c.version",
      [&](const db::Row& row) { corrections.push_back(correction_of(row)); }, std::int64_t(run));
  return corrections;
}

}  // namespace tanhui::journal
