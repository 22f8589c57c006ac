#include "service/committer.h"

#include <gtest/gtest.h>

#include "activity/account_fixture.h"
#include "activity/body_reader.h"

namespace tanhui::service {
namespace {

using activity::test::City;
using activity::test::kNow;
using activity::test::library;
using activity::test::programme;

constexpr core::Millis kMorning = kNow - core::kMillisPerDay / 2;

struct Service {
  City city;
  std::unique_ptr<Committer> committer = start();
  std::shared_ptr<OpenProgramme> open = *committer->open(programme());
  std::unique_ptr<Committer> start(CommitterOptions options = {}) {
    options.window.book_every_ms = 0;  // the clock stands still
    return *Committer::start(city.instance(), library(), options, [] { return kNow; });
  }
  std::unique_ptr<activity::BodyReader> reader() {
    return *activity::BodyReader::make(open->window->names(), city.instance().secret(), programme(), library(), "metro-gate");
  }
};

std::string ride(int event, int person, core::Millis start_ms) {
  return fmt::format(R"({{"event_id":"e{}","person":"p{}","activity":"metro-ride","start":"{}","end":"{}","quantity":"9000"}})"
                     "\n",
                     event, person, core::to_text_utc(start_ms), core::to_text_utc(start_ms + 1'800'000));
}

/// Sends one body and waits.
Credit send(Committer& committer, const std::shared_ptr<OpenProgramme>& open, activity::BodyReader& reader, const std::string& body) {
  Credit credit{.programme = open};
  EXPECT_TRUE(reader.read(body, credit.records));
  credit.digest = core::sha256(body);
  std::promise<void> answered;
  credit.done = [&] { answered.set_value(); };
  EXPECT_TRUE(committer.submit(credit));
  answered.get_future().wait();
  return credit;
}

TEST(Committer, ManyThreadsAndEveryRecordCountsOnce) {
  Service service;
  constexpr int kThreads = 8, kRequests = 50;
  std::atomic<std::int64_t> milligrams{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const auto reader = service.reader();
      for (int i = 0; i < kRequests; ++i) {
        // Every record is sent by two threads.
        const int event = thread / 2 * kRequests + i;
        const Credit credit = send(*service.committer, service.open, *reader, ride(event, event % 7, kMorning + event * 60'000));
        ASSERT_FALSE(credit.error);
        milligrams += credit.answers.front().answer.milligrams;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(service.committer->counts().records, std::uint64_t(kThreads * kRequests));
  EXPECT_LT(service.committer->counts().commits, std::uint64_t(kThreads * kRequests)) << "requests that come together commit together";
  service.committer.reset();
  // What was answered and what later records took away again is what is booked: overlapping rides of a person leave one.
  City whole;
  std::vector<std::string> rows;
  for (int event = 0; event < kThreads / 2 * kRequests; ++event)
    rows.push_back(fmt::format("e{},metro-gate,p{},metro-ride,420100,{},{},9000,metered,", event, event % 7,
                               core::to_text_utc(kMorning + event * 60'000), core::to_text_utc(kMorning + event * 60'000 + 1'800'000)));
  EXPECT_EQ(service.city.milligrams(), whole.account(rows).tally.milligrams);
}

TEST(Committer, SaysNoBeforeMemoryGrows) {
  Service service;
  service.committer.reset();
  service.committer = service.start({.waiting_records_max = 3});
  service.open = *service.committer->open(programme());
  const auto reader = service.reader();
  std::promise<void> hold, held;
  auto blocked = service.committer->run([&] {
    held.set_value();
    hold.get_future().wait();
  });
  held.get_future().wait();
  std::deque<Credit> credits;
  std::atomic<int> answered{0};
  int taken = 0;
  for (int i = 0; i < 5; ++i) {
    Credit& credit = credits.emplace_back(Credit{.programme = service.open});
    ASSERT_TRUE(reader->read(ride(i, i, kMorning), credit.records));
    credit.done = [&] { ++answered; };
    taken += service.committer->submit(credit);
  }
  EXPECT_EQ(taken, 3);
  EXPECT_EQ(service.committer->counts().refused, 2u);
  hold.set_value();
  service.committer.reset();  // decides what it took
  EXPECT_EQ(answered, 3);
}

TEST(Committer, ASecondOneIsRefused) {
  Service service;
  EXPECT_EQ(Committer::start(service.city.instance(), library(), {}, [] { return kNow; }).error().id, "instance.busy");
}

TEST(Committer, ARequestThatIsSentAgainGetsItsFirstAnswer) {
  Service service;
  const auto reader = service.reader();
  const Credit first = send(*service.committer, service.open, *reader, ride(1, 1, kMorning));
  const Credit again = send(*service.committer, service.open, *reader, ride(1, 1, kMorning));
  ASSERT_TRUE(again.answers.front().first);
  EXPECT_EQ(again.answers.front().answer.outcome, activity::Outcome::duplicate);
  EXPECT_EQ(again.answers.front().first->milligrams, first.answers.front().answer.milligrams);
  EXPECT_EQ(again.answers.front().first->outcome, activity::Outcome::accepted);
}

TEST(Committer, AProgrammeThatWasClosedTakesNothing) {
  Service service;
  const auto reader = service.reader();
  ASSERT_TRUE(service.committer->close("wuhan-demo"));
  const Credit credit = send(*service.committer, service.open, *reader, ride(1, 1, kMorning));
  ASSERT_TRUE(credit.error);
  EXPECT_EQ(credit.error->id, "programme.not-open");
}

TEST(Committer, TellsWhoWatches) {
  Service service;
  std::int64_t heard = 0;
  service.committer->listen([&](const identity::Programme& where, const std::vector<activity::Credited>& credited, core::Millis) {
    EXPECT_EQ(where.id, "wuhan-demo");
    for (const auto& one : credited) heard += one.milligrams;
  });
  const auto reader = service.reader();
  const Credit credit = send(*service.committer, service.open, *reader, ride(1, 1, kMorning));
  service.committer.reset();
  EXPECT_EQ(heard, credit.answers.front().answer.milligrams);
  EXPECT_GT(heard, 0);
}

}  // namespace
}  // namespace tanhui::service
