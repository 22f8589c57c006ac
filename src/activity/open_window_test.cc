#include "activity/open_window.h"

#include <gtest/gtest.h>

#include <sstream>

#include "activity/account_fixture.h"
#include "activity/audit.h"
#include "activity/body_reader.h"
#include "activity/reports_fixture.h"

namespace tanhui::activity::test {
namespace {

/// A city whose records come one by one.
class Counter {
 public:
  explicit Counter(City& city, const identity::Programme& programme, int open_days)
      : city_(city), programme_(programme), settings_{.open_days = open_days, .book_every_ms = 0} {
    start();
  }
  void start() {
    readers_.clear();
    window_.reset();
    auto opened = OpenWindow::open(city_.instance(), programme_, library(), settings_, kNow);
    ASSERT_TRUE(opened) << opened.error().message;
    window_ = *std::move(opened);
  }
  /// Rows as for City::account, as requests of their sources.
  std::vector<WindowAnswer> take(const std::vector<std::string>& rows, std::string_view header, bool commit = true) {
    std::vector<RecordBatch> batches(rows.size());
    std::vector<Submission> submissions(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto [source, body] = as_json(rows[i], header);
      auto& reader = readers_[source];
      if (!reader) reader = *BodyReader::make(window_->names(), city_.instance().secret(), programme_, library(), source);
      EXPECT_TRUE(reader->read(body, batches[i])) << body;
      submissions[i].records = &batches[i];
      submissions[i].digest = core::sha256(body);
    }
    {
      db::Transaction tx = city_.instance().database().begin();
      const auto totals = window_->credit(tx, submissions, kNow);
      EXPECT_TRUE(totals) << (totals ? "" : totals.error().message);
      if (commit) tx.commit();
    }
    commit ? window_->committed() : window_->rolled_back();
    std::vector<WindowAnswer> answers;
    for (const Submission& one : submissions) answers.insert(answers.end(), one.answers.begin(), one.answers.end());
    return answers;
  }
  WindowAnswer take(const std::string& row) { return take(std::vector{row}, kHeader).front(); }
  void settle() {
    auto sealed = window_->seal(kNow);
    ASSERT_TRUE(sealed) << sealed.error().message;
    for (int i = 0; i < 2 && window_->waiting() > 0; ++i) {
      auto settled = window_->settle_waiting(kNow);
      ASSERT_TRUE(settled) << settled.error().message;
    }
    EXPECT_EQ(window_->waiting(), 0u);
  }
  OpenWindow& window() { return *window_; }

 private:
  std::pair<std::string, std::string> as_json(const std::string& row, std::string_view header) {
    std::istringstream names{std::string(header)}, values(row);
    std::string name, value, source, body = "{";
    while (std::getline(names, name, ',')) {
      if (!std::getline(values, value, ',')) value.clear();
      if (name == "source") source = value;
      if (name == "person") city_.meet(value);
      if (name == "source" || value.empty()) continue;
      body += fmt::format("{}\"{}\":\"{}\"", body.size() > 1 ? "," : "", name, value);
    }
    return {source, body + "}"};
  }
  City& city_;
  const identity::Programme& programme_;
  OpenWindowSettings settings_;
  std::unique_ptr<OpenWindow> window_;
  std::map<std::string, std::unique_ptr<BodyReader>> readers_;
};

int days_since(core::Day first) {
  const core::Zone zone = *core::Zone::find("Asia/Shanghai");
  return zone.local_day(kNow).count - first.count + 1;
}
const int kAllDays = days_since(core::day_of(2025, 2, 20));

void expect_audited(City& city, const identity::Programme& programme) {
  const auto audited = audit(city.instance(), library(),
                             {.first_key = {}, .programme = [&](const std::string&) { return core::Result(programme); }, .progress = {}});
  EXPECT_TRUE(audited) << audited.error().message;
}

TEST(OpenWindow, ARideIsCreditedAtOnceAndOnce) {
  City city;
  Counter counter(city, programme(), kAllDays);
  const std::string ride = row("r1", "metro-gate", "li", "metro-ride", 8 * 60, 8 * 60 + 30, 10'000);
  const WindowAnswer first = counter.take(ride);
  EXPECT_EQ(first.answer.outcome, Outcome::accepted);
  EXPECT_GT(first.answer.milligrams, 0);
  EXPECT_EQ(city.balance("li"), first.answer.milligrams) << "the ledger follows in the same transaction";
  const WindowAnswer again = counter.take(ride);
  EXPECT_EQ(again.answer.outcome, Outcome::duplicate);
  EXPECT_EQ(again.answer.reason, Reason::same_event);
  EXPECT_EQ(city.balance("li"), first.answer.milligrams);
  ASSERT_EQ(counter.window().credited().size(), 0u);

  City whole;
  EXPECT_EQ(whole.account({ride, ride}).tally.milligrams, first.answer.milligrams) << "a run says the same";
  counter.settle();
  EXPECT_EQ(city.outcomes(), whole.outcomes());
  expect_audited(city, programme());
}

TEST(OpenWindow, WhatWasNotCommittedNeverWas) {
  City city;
  Counter counter(city, programme(), kAllDays);
  const std::string ride = row("r1", "metro-gate", "li", "metro-ride", 8 * 60, 8 * 60 + 30, 10'000);
  counter.take({ride}, kHeader, false);
  EXPECT_EQ(city.balance("li"), 0);
  EXPECT_EQ(counter.take(ride).answer.outcome, Outcome::accepted);
  counter.settle();
  expect_audited(city, programme());
}

TEST(OpenWindow, AnotherPersonsEventIdAndASealedDayWait) {
  City city;
  city.account({row("old", "metro-gate", "li", "metro-ride", 8 * 60, 8 * 60 + 30, 10'000)});
  Counter counter(city, programme(), days_since(core::day_of(2025, 3, 20)));
  EXPECT_EQ(counter.take(row("late", "metro-gate", "li", "metro-ride", 9 * 60, 9 * 60 + 30, 10'000)).why, WindowAnswer::Why::late_day);
  const int open = 25 * 1440;
  EXPECT_EQ(counter.take(row("old", "metro-gate", "wu", "metro-ride", open, open + 30, 10'000)).why, WindowAnswer::Why::seen_before);
  EXPECT_EQ(counter.take(row("new", "metro-gate", "wu", "metro-ride", open, open + 30, 10'000)).why, WindowAnswer::Why::none);
  EXPECT_EQ(counter.window().waiting(), 2u);
  counter.settle();
  expect_audited(city, programme());
  const auto outcomes = city.outcomes();
  EXPECT_EQ(std::count_if(outcomes.begin(), outcomes.end(), [](const auto& one) { return one.second.starts_with("accepted: credited"); }),
            3);
  EXPECT_EQ(std::count_if(outcomes.begin(), outcomes.end(), [](const auto& one) { return one.second.starts_with("held: event-reused"); }),
            1);
}

TEST(OpenWindow, AProcessThatEndsLosesNothing) {
  City city;
  Counter counter(city, programme(), kAllDays);
  std::int64_t credited = 0;
  for (int i = 0; i < 20; ++i)
    credited +=
        counter.take(row("r" + std::to_string(i), "metro-gate", "p" + std::to_string(i % 3), "metro-ride", i * 60, i * 60 + 30, 9'000))
            .answer.milligrams;
  counter.start();  // as after kill -9: nothing of memory is left
  EXPECT_EQ(counter.window().unsealed(), 20u);
  EXPECT_EQ(counter.take(row("r3", "metro-gate", "p0", "metro-ride", 180, 210, 9'000)).answer.reason, Reason::same_event);
  EXPECT_EQ(city.milligrams(), credited);
  counter.settle();
  EXPECT_EQ(city.milligrams(), credited);
  expect_audited(city, programme());
}

TEST(OpenWindow, ARunSeesWhatAServiceLeftOpen) {
  City city;
  const std::string ride = row("r1", "metro-gate", "li", "metro-ride", 8 * 60, 8 * 60 + 30, 10'000);
  std::int64_t credited = 0;
  {
    Counter counter(city, programme(), kAllDays);
    credited = counter.take(ride).answer.milligrams;
  }
  EXPECT_EQ(open_windows(city.instance().database()), std::vector<std::string>{"wuhan-demo"});
  AccountRequest dry;
  dry.dry_run = true;
  EXPECT_EQ(city.try_account({ride}, dry).error().id, "account.window-open");
  EXPECT_EQ(count(city.account({ride}), Outcome::duplicate, Reason::same_event), 1u);
  EXPECT_EQ(city.milligrams(), credited);
  EXPECT_TRUE(open_windows(city.instance().database()).empty());
  expect_audited(city, programme());
}

TEST(OpenWindow, ABetterReportThatComesLaterTakesTheCreditAway) {
  City city;
  Counter counter(city, programme(), kAllDays);
  const WindowAnswer guess = counter.take(row("m1", "map-app", "li", "metro-ride", 8 * 60, 8 * 60 + 30, 10'000, "inferred"));
  EXPECT_EQ(guess.answer.outcome, Outcome::accepted);
  const WindowAnswer gate = counter.take(row("g1", "metro-gate", "li", "metro-ride", 8 * 60 + 1, 8 * 60 + 29, 10'000));
  EXPECT_EQ(gate.answer.outcome, Outcome::accepted);
  EXPECT_EQ(city.balance("li"), gate.answer.milligrams);
  ASSERT_EQ(counter.window().credited().size(), 0u) << "one credit for the other: nothing changed for the person";
  counter.settle();
  expect_audited(city, programme());
}

TEST(OpenWindow, RefusedRecordsAreCountedWhenTheWindowIsSealed) {
  City city;
  Counter counter(city, programme(), kAllDays);
  EXPECT_EQ(counter.take(row("r1", "metro-gate", "li", "no-such-act", 8 * 60, 8 * 60 + 30, 10'000)).answer.reason,
            Reason::unknown_activity);
  EXPECT_EQ(counter.take(row("r2", "metro-gate", "", "metro-ride", 8 * 60, 8 * 60 + 30, 10'000)).answer.reason, Reason::missing_person);
  counter.settle();
  const auto run = journal::latest_runs(city.instance().database(), 1).front();
  EXPECT_EQ(run.records, 2);
  EXPECT_EQ(run.rejected, 2);
  expect_audited(city, programme());
}

/// Whatever comes in whatever batches, sealed and restarted in between, ends as if one run had taken it all.
void expect_as_one_run(std::uint32_t seed, int open_days) {
  SCOPED_TRACE(fmt::format("seed {} open days {}", seed, open_days));
  Reports reports(seed);
  reports.rides();
  reports.taps();
  if (seed % 3 == 0) reports.readings();
  if (seed % 2 == 0) reports.books();
  reports.car_free_days();
  std::shuffle(reports.rows.begin(), reports.rows.end(), std::mt19937(seed));
  City whole(everything()), open(everything());
  whole.header(kWideHeader);
  const AccountReport expected = whole.account(reports.rows);
  Counter counter(open, everything(), open_days);
  std::mt19937 random(seed + 1);
  for (std::size_t at = 0; at < reports.rows.size();) {
    const std::size_t count = std::min<std::size_t>(1 + random() % 12, reports.rows.size() - at);
    const std::vector<std::string> rows(reports.rows.begin() + std::ptrdiff_t(at), reports.rows.begin() + std::ptrdiff_t(at + count));
    if (random() % 10 == 0) counter.take(rows, kWideHeader, false);
    counter.take(rows, kWideHeader);
    at += count;
    if (random() % 15 == 0) counter.start();
    if (random() % 25 == 0) {
      EXPECT_TRUE(counter.window().seal(kNow));
    }
    if (random() % 40 == 0) counter.settle();
  }
  counter.settle();
  EXPECT_EQ(difference(open.outcomes(), whole.outcomes()), "");
  EXPECT_EQ(open.held(), whole.held());
  EXPECT_EQ(open.differing(), 0u);
  std::int64_t records = 0;
  for (const auto& run : journal::latest_runs(open.instance().database(), 1000)) records += run.records;
  EXPECT_EQ(records, std::int64_t(expected.tally.all())) << "every record has one outcome in one run";
  expect_audited(open, everything());
}

TEST(OpenWindowProperty, EndsAsOneRun) {
  for (std::uint32_t seed = 1; seed <= 6; ++seed) expect_as_one_run(seed, kAllDays);
}
TEST(OpenWindowProperty, EndsAsOneRunWhenMostDaysAreClosed) {
  for (std::uint32_t seed = 21; seed <= 23; ++seed) expect_as_one_run(seed, days_since(core::day_of(2025, 3, 4)));
}

}  // namespace
}  // namespace tanhui::activity::test
