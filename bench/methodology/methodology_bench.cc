// methodology_bench LIBRARY METHODOLOGY REGION YEAR ACTIVITY ROWS LEAST:SPAN:STEP...: quantifies ROWS acts held in columns, once for every
// line on standard input, and answers with a line of JSON. Row i of a column holds LEAST + i * STEP % SPAN. One thread.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>

#include "methodology/methodology.h"

namespace {

using namespace tanhui;
using Column = std::vector<std::int64_t>;

constexpr std::size_t kBatch = 8192;  // acts of a call, as a run has them: what is written stays in the cache

template <class T>
T checked(core::Result<T> result) {
  if (result) return *std::move(result);
  throw std::runtime_error(result.error().message);
}

methodology::Program compile(char** arguments) {
  std::vector<methodology::Problem> problems;
  const auto library = checked(methodology::Library::load(arguments[1], problems));
  const methodology::Methodology* method = library.find(arguments[2]);
  const auto activity = library.find_activity(arguments[5]);
  if (method == nullptr || !activity) throw std::runtime_error("no such methodology or activity");
  return checked(methodology::Program::compile(library, *method, arguments[3], std::stoi(arguments[4]), *activity));
}

Column column(const char* law, std::size_t rows) {
  long long least = 0, span = 0, step = 0;
  if (std::sscanf(law, "%lld:%lld:%lld", &least, &span, &step) != 3) throw std::runtime_error("a column is LEAST:SPAN:STEP");
  Column values(rows);
  for (std::size_t i = 0; i < rows; ++i) values[i] = least + std::int64_t(i) * step % span;
  return values;
}

std::int64_t sum_of(const methodology::Program& program, const std::vector<Column>& columns) {
  std::array<std::int64_t, kBatch> milligrams;
  std::array<std::uint8_t, kBatch> flags;
  std::vector<std::span<const std::int64_t>> quantities(columns.size());
  std::int64_t sum = 0;
  for (std::size_t at = 0; at < columns[0].size(); at += kBatch) {
    const std::size_t count = std::min(kBatch, columns[0].size() - at);
    for (std::size_t i = 0; i < columns.size(); ++i) quantities[i] = std::span(columns[i]).subspan(at, count);
    program.evaluate(quantities, std::span(milligrams).first(count), std::span(flags).first(count));
    for (std::size_t i = 0; i < count; ++i) sum += milligrams[i];
  }
  return sum;
}

std::string_view name(methodology::Program::Path path) {
  constexpr std::array<std::string_view, 4> names{"linear", "64 bits", "128 bits", "exact"};
  return names.at(std::size_t(path));
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 8)
    return fmt::print(stderr, "usage: methodology_bench LIBRARY METHODOLOGY REGION YEAR ACTIVITY ROWS LEAST:SPAN:STEP...\n"), 2;
  try {
    const methodology::Program program = compile(arguments);
    std::vector<Column> columns;
    for (int i = 7; i < count; ++i) columns.push_back(column(arguments[i], std::stoul(arguments[6])));
    for (std::string line; std::getline(std::cin, line);) {
      const auto begin = std::chrono::steady_clock::now();
      const std::int64_t sum = sum_of(program, columns);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      fmt::print("{{\"seconds\": {}, \"milligrams\": {}, \"path\": \"{}\"}}\n", seconds.count(), sum, name(program.path()));
      std::fflush(stdout);
    }
  } catch (const std::exception& problem) {
    return fmt::print(stderr, "methodology_bench: {}\n", problem.what()), 1;
  }
}
