// account_bench HOME INSTANCE THREADS FILE: the accounting run inside one process, once for every line on standard input, each time into a
// new instance; answers with a line of JSON. What the command line costs (start, reading the library) is left out, and memory stays with
// the process, so that from the second time on nothing is touched for the first time.
#include <fmt/format.h>
#include <malloc.h>

#include <chrono>
#include <iostream>

#include "activity/account.h"

namespace {

using namespace tanhui;

double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

template <class T>
T checked(core::Result<T> result) {
  if (result) return *std::move(result);
  throw std::runtime_error(result.error().message);
}

void account(const std::filesystem::path& folder, const identity::Programme& programme, const methodology::Library& library,
             activity::AccountRequest request) {
  std::filesystem::remove_all(folder);
  request.now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const double begin = seconds_now();
  auto instance = checked(identity::Instance::open_or_create(folder));
  const auto report = checked(activity::account(instance, programme, library, request));
  fmt::print("{{\"seconds\": {}, \"records\": {}, \"milligrams\": {}, \"points\": {}}}\n", seconds_now() - begin, report.tally.all(),
             report.tally.milligrams, report.tally.points);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) return fmt::print(stderr, "usage: account_bench HOME INSTANCE THREADS FILE\n"), 2;
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);  // freed memory goes back to the heap, not to the system
  ::mallopt(M_TRIM_THRESHOLD, -1);
  try {
    const std::filesystem::path home = arguments[1];
    std::vector<methodology::Problem> problems;
    const auto library = checked(methodology::Library::load(home / "methodologies", problems));
    const auto programme = checked(identity::find_programme(home / "programmes", "wuhan-demo"));
    activity::AccountRequest request;
    request.inputs = {arguments[4]};
    request.threads = unsigned(std::stoul(arguments[3]));
    for (std::string line; std::getline(std::cin, line);) account(arguments[2], programme, library, request);
  } catch (const std::exception& problem) {
    return fmt::print(stderr, "account_bench: {}\n", problem.what()), 1;
  }
}
