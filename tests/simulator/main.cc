// The simulator's command line: which seeds, how long, on which store. tests/simulator/README.md tells what to do with a failure.
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <iostream>

#include "core/files.h"
#include "simulation.h"

namespace tanhui::sim {
namespace {

namespace fs = std::filesystem;

constexpr int kJobsMax = 64;

struct Settings {
  Options simulation;
  std::uint64_t first = 1, last = 40;
  double minutes = 0;
  int jobs = 1;
  bool trace = false, keep = false, each_call = false;
  fs::path home;
};

/// Seen by all jobs.
struct Shared {
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> stop{false};
  std::array<Tally, kJobsMax> tallies;  // one for each
};

template <class T>
T* shared_memory() {
  void* page = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return new (page) T{};
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

/// One story, printed whole when it failed. Returns the calls of its last step.
struct Story {
  bool holds = false;
  long calls = 0;
};
Story tell(Options options, std::uint64_t seed, const Settings& settings, const World& rules, Tally& tally) {
  options.folder /= fmt::format("seed-{}-{}", seed, ::getpid());
  fs::remove_all(options.folder);
  Simulation simulation(seed, options, rules, tally);
  const std::string problem = simulation.run();
  ++tally.seeds;
  std::string text;
  if (!problem.empty() || settings.trace)
    for (const std::string& line : simulation.trace()) text += line + "\n";
  if (!problem.empty()) {
    ++tally.failures;
    text += fmt::format("FAILED seed {}: {}\n  replay: tests/sim --seed {} --store {} --steps {}{}\n  its instance: {}\n", seed, problem,
                        seed, options.server.empty() ? "sqlite" : "postgresql", options.steps,
                        options.only ? fmt::format(" --fault {}:{}", fault_name(options.only->kind), options.only->at) : "",
                        options.folder.string());
  } else if (!settings.keep) {
    fs::remove_all(options.folder);
  }
  print(text);
  return {problem.empty(), simulation.calls_of_last_step()};
}

void run_seeds(const Settings& settings, const World& rules, Shared& shared, Tally& tally) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(settings.minutes * 60);
  while (!shared.stop) {
    const std::uint64_t seed = settings.first + shared.next++;
    if (settings.minutes > 0 ? std::chrono::steady_clock::now() >= end : seed > settings.last) return;
    if (!tell(settings.simulation, seed, settings, rules, tally).holds) shared.stop = true;
  }
}

/// The last step of one seed meets every fault at every call it makes.
void run_each_call(const Settings& settings, const World& rules, Shared& shared, Tally& tally) {
  Options options = settings.simulation;
  options.only = Fault{};
  const Story quiet = tell(options, settings.first, settings, rules, tally);
  if (!quiet.holds) shared.stop = true;
  const std::uint64_t kinds = options.server.empty() ? FAULT_SYNC_ALWAYS : FAULT_LOST_SERVER;
  while (!shared.stop) {
    const std::uint64_t item = shared.next++;
    options.only = Fault{fault_kind(1 + item % kinds), 1 + long(item / kinds)};
    if (options.only->at > quiet.calls) return;
    if (!tell(options, settings.first, settings, rules, tally).holds) shared.stop = true;
  }
}

Tally sum(const Tally* tallies, int jobs) {
  Tally sum;
  for (int job = 0; job < jobs; ++job) {
    for (int i = 0; i < kRequestKinds; ++i) sum.requests[i] += tallies[job].requests[i];
    for (int i = 0; i < FAULT_KINDS; ++i) sum.fired[i] += tallies[job].fired[i];
    sum.recoveries += tallies[job].recoveries;
    sum.present += tallies[job].present;
    sum.absent += tallies[job].absent;
    sum.failed_but_booked += tallies[job].failed_but_booked;
    sum.seeds += tallies[job].seeds;
    sum.failures += tallies[job].failures;
  }
  return sum;
}

std::string report(const Tally& tally, double seconds) {
  std::string requests, faults;
  for (int i = 0; i < kRequestKinds; ++i) requests += fmt::format(" {} {}", name(Request::Kind(i)), tally.requests[i]);
  for (int i = 1; i < FAULT_KINDS; ++i) faults += fmt::format(" {} {}", fault_name(fault_kind(i)), tally.fired[i]);
  return fmt::format(
      "requests:{}\nfaults:{}\nnot answered: {}, of them whole {}, absent {}; said to have failed and whole {}\n"
      "{} seeds, {} failed, {:.1f} s\n",
      requests, faults, tally.recoveries, tally.present, tally.absent, tally.failed_but_booked, tally.seeds, tally.failures, seconds);
}

/// The library and a second version of the metro's methodology beside the first: half the factor.
methodology::Library corrected_library(const Settings& settings) {
  std::string text = core::read_file(settings.home / "methodologies/420100/cn-420100-rail-2024.yaml").value_or("");
  for (const auto& [from, to] : {std::pair("value: 0.0784", "value: 0.0392"), std::pair("version: 1", "version: 2")}) {
    const auto at = text.find(from);
    if (at == std::string::npos) throw std::runtime_error(fmt::format("'{}' is not in the metro's methodology any more", from));
    text.replace(at, std::string_view(from).size(), to);
  }
  const fs::path file = settings.simulation.folder / "cn-420100-rail-2024@2.yaml";
  core::write_file(file, text, 0644);
  std::vector<methodology::Problem> problems;
  auto library = methodology::Library::load(settings.home / "methodologies", {file}, problems);
  if (!library) throw std::runtime_error("the corrected library cannot be read");
  return *std::move(library);
}

int run(const Settings& settings) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<methodology::Problem> problems;
  const auto library = methodology::Library::load(settings.home / "methodologies", problems);
  const auto programme = identity::find_programme(settings.home / "programmes", "wuhan-demo");
  if (!library || !programme) throw std::runtime_error("no methodologies or programmes in '" + settings.home.string() + "'");
  const methodology::Library corrected = corrected_library(settings);
  auto* shared = shared_memory<Shared>();
  std::vector<pid_t> jobs;
  for (int job = 0; job < settings.jobs; ++job) {
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child == 0) {
      try {
        const World rules{{}, "", &*library, &corrected, &*programme, 0};
        (settings.each_call ? run_each_call : run_seeds)(settings, rules, *shared, shared->tallies[std::size_t(job)]);
      } catch (const std::exception& failure) {
        print(fmt::format("the simulator itself failed: {}\n", failure.what()));
        ::_exit(1);
      }
      ::_exit(0);
    }
    jobs.push_back(child);
  }
  bool whole = true;
  for (const pid_t job : jobs) {
    int status = 0;
    ::waitpid(job, &status, 0);
    whole = whole && status == 0;
  }
  const Tally tally = sum(shared->tallies.data(), settings.jobs);
  print(report(tally, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()));
  return whole && tally.failures == 0 && tally.seeds > 0 ? 0 : 1;
}

fs::path fresh_folder() {
  const bool memory = ::access("/dev/shm", W_OK) == 0;  // kill -9 loses nothing there either, and nothing waits for a disk
  std::string pattern = ((memory ? fs::path("/dev/shm") : fs::temp_directory_path()) / "tanhui-sim-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category(), pattern);
  return pattern;
}

Fault parse_fault(const std::string& text) {
  const auto colon = text.find(':');
  for (int kind = 1; kind < FAULT_KINDS && colon != std::string::npos; ++kind)
    if (text.substr(0, colon) == fault_name(fault_kind(kind))) return {fault_kind(kind), std::stol(text.substr(colon + 1))};
  throw std::runtime_error("'" + text + "' is not a fault: write for example kill-before:17");
}

int parse_and_run(int argc, char** argv) {
  Settings settings;
  settings.home = TANHUI_SOURCE_DIR;
  std::string seeds, fault, store = "sqlite";
  std::uint64_t seed = 0;
  CLI::App app("Simulates requests, crashes and failing disks from a seed, and checks every recovery", "sim");
  app.add_option("--seed", seed, "this seed alone, with its trace");
  app.add_flag("--each-call", settings.each_call, "the last step of the seed meets every fault at every call it makes, nothing else any");
  app.add_option("--fault", fault, "KIND:CALL, for the last step alone, as --each-call prints it");
  app.add_option("--seeds", seeds, "from..to (default 1..40)");
  app.add_option("--minutes", settings.minutes, "as many seeds as fit, from the first on");
  app.add_option("--store", store, "sqlite or postgresql (then TANHUI_TEST_POSTGRES names a server: tests/with_postgres)")
      ->check(CLI::IsMember({"sqlite", "postgresql"}));
  app.add_option("--steps", settings.simulation.steps, "requests of a seed")->check(CLI::Range(1, 100'000));
  app.add_option("--jobs", settings.jobs, "seeds at the same time")->check(CLI::Range(1, kJobsMax));
  app.add_option("--folder", settings.simulation.folder, "where the instances are (default: a new one in memory)");
  app.add_flag("--trace", settings.trace, "print what happened in every seed");
  app.add_flag("--keep", settings.keep, "leave the instances behind");
  app.add_option("--damage", settings.simulation.damage_at,
                 "after this step a balance is changed past the ledger: a test of the simulator, which must fail");
  CLI11_PARSE(app, argc, argv);
  if (!seeds.empty() && std::sscanf(seeds.c_str(), "%lu..%lu", &settings.first, &settings.last) != 2) {
    std::cerr << "error: '" << seeds << "' is not from..to\n  what to do: write for example --seeds 1..1000\n";
    return 2;
  }
  if (store == "postgresql") {
    const char* server = std::getenv("TANHUI_TEST_POSTGRES");
    if (server == nullptr) {
      std::cerr << "error: TANHUI_TEST_POSTGRES names no server\n  what to do: start this by tests/sim, which brings one\n";
      return 2;
    }
    settings.simulation.server = server;
  }
  if (seed != 0) {
    settings.first = settings.last = seed;
    settings.trace = !settings.each_call;
  }
  if (!fault.empty()) settings.simulation.only = parse_fault(fault);
  const bool own_folder = settings.simulation.folder.empty();
  if (own_folder) settings.simulation.folder = fresh_folder();
  fs::create_directories(settings.simulation.folder);
  const int result = run(settings);
  if (own_folder && result == 0 && !settings.keep) fs::remove_all(settings.simulation.folder);
  return result;
}

}  // namespace
}  // namespace tanhui::sim

int main(int argc, char** argv) {
  try {
    return tanhui::sim::parse_and_run(argc, argv);
  } catch (const std::exception& failure) {
    std::cerr << "error: " << failure.what() << "\n";
    return 3;
  }
}
