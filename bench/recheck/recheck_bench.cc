// recheck_bench INSTANCE HOME [PROGRAMME]: how fast an instance's journal is held against its methodologies. Prints rows per second of the
// check row by row (with and without reading the segments) and of the settlement of everybody, and what they found.
#include <fmt/format.h>

#include <chrono>

#include "activity/recheck.h"
#include "journal/catalogue.h"
#include "journal/segment.h"

namespace {

using namespace tanhui;

double wall_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void check_rows(identity::Instance& instance, const identity::Programme& programme, const methodology::Library& library) {
  activity::Recheck recheck(library, programme, *core::Zone::find(programme.time_zone));
  journal::Names names;
  journal::Columns columns;
  double reading = 0, checking = 0;
  for (const auto& segment : journal::files_between(instance.database(), programme.id, core::kFirstDay, core::kLastDay)) {
    auto reader = *journal::SegmentReader::open(instance.journal() / segment.info.path);
    for (std::size_t group = 0; group < reader.row_groups(); ++group) {
      const double begin = wall_seconds();
      if (!reader.read(group, activity::Recheck::kColumns, names, columns)) throw std::runtime_error(segment.info.path.string());
      const double read = wall_seconds();
      if (const auto status = recheck.check(columns, names); !status) throw std::runtime_error(status.error().message);
      reading += read - begin;
      checking += wall_seconds() - read;
    }
  }
  const auto& counts = recheck.counts();
  fmt::print("row by row   {:>11} rows  {:6.2f} M/s, {:6.2f} M/s with reading  {} equal, {} within a cap, {} not alone, {} differ\n",
             counts.all(), double(counts.all()) / 1e6 / checking, double(counts.all()) / 1e6 / (checking + reading), counts.equal,
             counts.within_cap, counts.not_alone, counts.differing);
}

void settle_all(identity::Instance& instance, const identity::Programme& programme, const methodology::Library& library) {
  const double begin = wall_seconds();
  const auto settled = activity::resettle(instance, programme, library, {});
  if (!settled) throw std::runtime_error(settled.error().message);
  fmt::print("by person    {:>11} records  {:6.2f} M/s  {} differ\n", settled->records,
             double(settled->records) / 1e6 / (wall_seconds() - begin), settled->differing);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: recheck_bench INSTANCE HOME [PROGRAMME]\n");
    return 2;
  }
  const std::filesystem::path home = argv[2];
  std::vector<methodology::Problem> problems;
  const auto library = *methodology::Library::load(home / "methodologies", problems);
  const auto programme = *identity::find_programme(home / "programmes", argc > 3 ? argv[3] : "wuhan-demo");
  auto instance = *identity::Instance::open(argv[1]);
  check_rows(instance, programme, library);
  settle_all(instance, programme, library);
}
