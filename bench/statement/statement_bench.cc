// statement_bench INSTANCE PROGRAMME DAY DAYS MONTHS: what one person asks for, one question after the other. Ids of people come on
// standard input, one a line. Every person's balances and statement from SQL are timed; for the first DAYS of them the records of DAY from
// the journal, for the first MONTHS all their records. Everything is asked once before, uncounted. Prints a line of JSON.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>

#include "identity/instance.h"
#include "journal/catalogue.h"
#include "ledger/ledger.h"

namespace {

using namespace tanhui;
using People = std::vector<core::PersonKey>;

struct Answer {
  std::int64_t milligrams = 0;
  std::uint64_t lines = 0;
};

template <class T>
T checked(core::Result<T> result) {
  if (result) return *std::move(result);
  throw std::runtime_error(result.error().message);
}

Answer balances(identity::Instance& instance, const core::PersonKey& person) {
  Answer answer;
  for (const auto& balance : ledger::balances(instance.database(), person)) {
    if (balance.asset.kind == ledger::AssetKind::reduction) answer.milligrams += balance.amount;
    ++answer.lines;
  }
  return answer;
}

/// What an account shows above its records: balances, debts, and what each run booked.
Answer statement(identity::Instance& instance, const core::PersonKey& person) {
  Answer answer = balances(instance, person);
  answer.lines += ledger::debts(instance.database(), person).size() + ledger::history(instance.database(), person).size();
  return answer;
}

/// The records of a person on the days [first, last], all columns, as `tanhui statement` reads them.
class Records {
 public:
  Records(identity::Instance& instance, std::string programme) : instance_(instance), programme_(std::move(programme)) {}

  Answer of(const core::PersonKey& person, core::Day first, core::Day last) {
    Answer answer;
    for (const auto& segment : journal::segments_between(instance_.database(), programme_, first, last)) {
      if (person < segment.info.person_min || person > segment.info.person_max) continue;
      auto reader = checked(journal::SegmentReader::open(instance_.journal() / segment.info.path));
      for (const std::size_t group : reader.row_groups_with(person, person)) add(reader, group, person, answer);
    }
    return answer;
  }

 private:
  void add(journal::SegmentReader& reader, std::size_t group, const core::PersonKey& person, Answer& answer) {
    if (const auto status = reader.read_person(group, person, names_, columns_); !status) throw std::runtime_error(status.error().message);
    for (const std::int64_t milligrams : columns_.milligrams) answer.milligrams += milligrams;
    answer.lines += columns_.size();
  }

  identity::Instance& instance_;
  std::string programme_;
  journal::Names names_;
  journal::Columns columns_;
};

std::string timed(const char* what, const People& people, std::size_t count, const std::function<Answer(const core::PersonKey&)>& ask) {
  count = std::min(count, people.size());
  for (std::size_t i = 0; i < count; ++i) ask(people[i]);
  std::vector<double> microseconds;
  Answer sum;
  for (std::size_t i = 0; i < count; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const Answer answer = ask(people[i]);
    microseconds.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
    sum.milligrams += answer.milligrams;
    sum.lines += answer.lines;
  }
  std::sort(microseconds.begin(), microseconds.end());
  return fmt::format(R"("{}": {{"p50": {}, "p99": {}, "milligrams": {}, "lines": {}}})", what, microseconds[count / 2],
                     microseconds[count * 99 / 100], sum.milligrams, sum.lines);
}

std::string quoted_keys(const People& people) {
  std::string text;
  for (const auto& person : people) text += fmt::format("{}\"{}\"", text.empty() ? "" : ", ", core::to_hex(person));
  return text;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return fmt::print(stderr, "usage: statement_bench INSTANCE PROGRAMME DAY DAYS MONTHS < PEOPLE\n"), 2;
  try {
    auto instance = checked(identity::Instance::open(arguments[1]));
    const auto day = core::parse_day(arguments[3]);
    if (!day) throw std::runtime_error("the day is written like 2025-03-01");
    People people;
    for (std::string id; std::getline(std::cin, id);) people.push_back(instance.secret().person(id));
    if (people.empty()) throw std::runtime_error("no person on standard input");
    Records records(instance, arguments[2]);
    fmt::print("{{{}, {}, {}, {}, \"people\": [{}]}}\n",
               timed("balances", people, people.size(), [&](const auto& person) { return balances(instance, person); }),
               timed("statement", people, people.size(), [&](const auto& person) { return statement(instance, person); }),
               timed("day", people, std::stoul(arguments[4]), [&](const auto& person) { return records.of(person, *day, *day); }),
               timed("month", people, std::stoul(arguments[5]),
                     [&](const auto& person) { return records.of(person, core::kFirstDay, core::kLastDay); }),
               quoted_keys(people));
  } catch (const std::exception& problem) {
    return fmt::print(stderr, "statement_bench: {}\n", problem.what()), 1;
  }
}
