#include "service/published.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "activity/account_fixture.h"
#include "service/committer.h"
#include "service/subject_claims.h"

namespace tanhui::service {
namespace {

using activity::Evidence;
using activity::ForeignRecord;
using activity::Reason;
using activity::test::City;
using activity::test::kNow;
using activity::test::library;
using activity::test::programme;

constexpr core::Millis kMorning = kNow - core::kMillisPerDay / 2;

ForeignRecord trip(int number, std::int64_t metres, const std::string& person = "p") {
  ForeignRecord record;
  record.element = std::uint32_t(number + 1);
  record.event = fmt::format("mds:provider/{}", number);
  record.subject = person;
  record.activity = "bike-ride";
  record.start_ms = kMorning + number * 3'600'000;
  record.end_ms = record.start_ms + 1'200'000;
  record.quantity = metres;
  return record;
}

struct World {
  City city;
  std::unique_ptr<Committer> committer = start();
  std::shared_ptr<OpenProgramme> open = *committer->open(programme());
  activity::RecordMaker maker = *activity::RecordMaker::make(open->window->names(), city.instance().secret(), programme(), "bike-operator");

  std::unique_ptr<Committer> start() {
    CommitterOptions options;
    options.window.book_every_ms = 0;
    return *Committer::start(city.instance(), library(), options, [] { return kNow; });
  }
  PublicationPlan plan(const std::vector<ForeignRecord>& records, const PublicationRules& rules) {
    auto connection = *city.instance().connect();
    db::Transaction tx = connection.begin();
    auto made = plan_publication(tx, maker, "wuhan-demo", "bike-operator", records, rules);
    tx.commit();
    return made;
  }
  std::vector<activity::WindowAnswer> submit(const PublicationPlan& plan) {
    Credit credit{.programme = open};
    maker.make_batch(plan.records, credit.records);
    std::promise<void> answered;
    credit.done = [&] { answered.set_value(); };
    EXPECT_TRUE(committer->submit(credit));
    answered.get_future().wait();
    EXPECT_FALSE(credit.error) << credit.error->message;
    auto connection = *city.instance().connect();
    db::Transaction tx = connection.begin();
    publication_done(tx, "wuhan-demo", "bike-operator", plan);
    tx.commit();
    return credit.answers;
  }
  std::vector<activity::WindowAnswer> publish(const std::vector<ForeignRecord>& records, const PublicationRules& rules = {}) {
    return submit(plan(records, rules));
  }
  std::int64_t milligrams() {
    committer.reset();
    return city.milligrams();
  }
};

// What these trips are worth when nothing was ever published otherwise.
std::int64_t worth(const std::vector<ForeignRecord>& records) {
  World world;
  world.publish(records);
  return world.milligrams();
}

TEST(Published, ACorrectionUnwindsAndCreditsAnew) {
  World world;
  world.publish({trip(1, 2000), trip(2, 3000)}, {.period = 7});
  const auto plan = world.plan({trip(1, 2500), trip(2, 3000)}, {.period = 7});
  EXPECT_EQ(plan.corrected, 1u);
  EXPECT_EQ(plan.same, 1u);
  ASSERT_EQ(plan.records.size(), 3u);
  EXPECT_TRUE(plan.records[0].reversal);
  EXPECT_EQ(plan.records[0].event, "mds:provider/1");
  EXPECT_EQ(plan.records[0].element, 0u);
  EXPECT_EQ(plan.records[1].event, "mds:provider/1~1");
  const auto answers = world.submit(plan);
  EXPECT_EQ(answers[0].answer.outcome, activity::Outcome::accepted);
  EXPECT_EQ(answers[1].answer.outcome, activity::Outcome::accepted);
  EXPECT_EQ(answers[2].answer.reason, Reason::same_event);
  EXPECT_EQ(world.milligrams(), worth({trip(1, 2500), trip(2, 3000)}));
}

TEST(Published, WhatAnHourNoLongerHoldsIsWithdrawn) {
  World world;
  world.publish({trip(1, 2000), trip(2, 3000)}, {.period = 7});
  world.publish({trip(3, 3000)}, {.period = 8});
  const auto plan = world.plan({trip(2, 3000)}, {.period = 7});
  EXPECT_EQ(plan.withdrawn, 1u);
  world.submit(plan);
  world.publish({trip(2, 3000)}, {.period = 7});
  EXPECT_EQ(world.plan({trip(1, 2000), trip(2, 3000)}, {.period = 7}).corrected, 1u) << "and may come back";
  EXPECT_EQ(world.milligrams(), worth({trip(2, 3000), trip(3, 3000)}));
}

TEST(Published, AnotherPersonsTripIsTakenFromTheFirst) {
  World world;
  world.publish({trip(1, 2000, "p1")});
  const auto answers = world.publish({trip(1, 2000, "p2")});
  EXPECT_EQ(answers[0].answer.reason, Reason::reversal);
  EXPECT_EQ(answers[1].answer.outcome, activity::Outcome::accepted);
  EXPECT_EQ(world.milligrams(), worth({trip(1, 2000)}));
}

TEST(Published, ATripThatIsNoRidersAnyMoreIsUnwound) {
  World world;
  world.publish({trip(1, 2000)});
  ForeignRecord maintenance = trip(1, 2000);
  maintenance.reason = Reason::unknown_activity;
  EXPECT_EQ(world.plan({maintenance}, {}).withdrawn, 1u);
  world.publish({maintenance});
  ForeignRecord broken = trip(2, 2000);
  world.publish({broken});
  broken.reason = Reason::bad_number;
  EXPECT_EQ(world.plan({broken}, {}).withdrawn, 0u) << "a broken element says nothing about the one before";
  EXPECT_EQ(world.milligrams(), worth({trip(2, 2000)}));
}

TEST(Published, OnlyBetterEvidenceReplaces) {
  World world;
  const auto with = [](Evidence evidence, std::int64_t metres) {
    ForeignRecord record = trip(1, metres);
    record.evidence = evidence;
    return record;
  };
  const PublicationRules rules{.replace = Replace::better_evidence};
  world.publish({with(Evidence::inferred, 2000)}, rules);
  const auto worse = world.plan({with(Evidence::inferred, 9000)}, rules);
  EXPECT_EQ(worse.corrected, 0u);
  EXPECT_EQ(worse.records.at(0).quantity, 2000) << "what is known is repeated";
  EXPECT_EQ(world.plan({with(Evidence::metered, 2500)}, rules).corrected, 1u);
  world.publish({with(Evidence::metered, 2500)}, rules);
  EXPECT_EQ(world.milligrams(), worth({trip(1, 2500)}));
}

// Random hours of trips, published again and again; sometimes the process ends after it has planned and before it has submitted.
TEST(Published, TheLastPublicationCounts) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const auto below = [&](int limit) { return int(random() % std::uint64_t(limit)); };
    World world;
    std::map<int, std::vector<ForeignRecord>> last;
    for (int rounds = 2 + below(6); rounds > 0; --rounds) {
      const int hour = 1 + below(2);
      std::vector<ForeignRecord> trips;
      for (int number = 0; number < 4; ++number) {
        if (below(2) == 0) trips.push_back(trip((hour - 1) * 4 + number, 2000 + 500 * below(3), fmt::format("p{}", below(2))));
      }
      const auto plan = world.plan(trips, {.period = hour});
      if (below(2) == 0) {
        world.publish(trips, {.period = hour});  // the process ended, and the operator publishes again
      } else {
        world.submit(plan);
      }
      last[hour] = trips;
    }
    std::vector<ForeignRecord> all;
    for (const auto& [hour, trips] : last) all.insert(all.end(), trips.begin(), trips.end());
    EXPECT_EQ(world.milligrams(), all.empty() ? 0 : worth(all));
  }
}

TEST(SubjectClaims, AreKeptAsHashesAndTheLatestCounts) {
  City city;
  auto& database = city.instance().database();
  const auto& secret = city.instance().secret();
  db::Transaction tx = database.begin();
  const auto claims =
      read_claims("{\"subject\": \"ocpi:cn*8aa*c1\", \"person\": \"o1.a\"}\n\n{\"subject\": \"mds:ABC/DEF\", \"person\": \"o1.b\"}");
  ASSERT_TRUE(claims) << claims.error().message;
  keep_claims(tx, secret, "wuhan-demo", "charger", *claims, 1);
  const auto ask = claims_of(tx, secret, "wuhan-demo", "charger");
  EXPECT_EQ(ask("ocpi:CN*8AA*C1"), secret.person("o1.a"));
  EXPECT_EQ(ask("mds:abc/def"), secret.person("o1.b"));
  EXPECT_EQ(ask("ocpi:CN*8AA*C2"), std::nullopt);
  EXPECT_EQ(claims_of(tx, secret, "wuhan-demo", "grid")("ocpi:CN*8AA*C1"), std::nullopt) << "a source claims for itself";
  keep_claims(tx, secret, "wuhan-demo", "charger", {{"ocpi:CN*8AA*C1", "o1.c"}}, 2);
  EXPECT_EQ(ask("ocpi:CN*8AA*C1"), secret.person("o1.c"));
}

TEST(SubjectClaims, WhatIsNotTaken) {
  const struct {
    const char *body, *id;
  } rows[] = {{"", "claims.broken"},
              {"3", "claims.bad-field"},
              {"{\"subject\": 1}", "claims.bad-field"},
              {"[{\"subject\": \"ocpi:x\"}]", "claims.missing-field"},
              {"[{\"subject\": \"tel:123\", \"person\": \"a\"}]", "claims.bad-field"},
              {"[{\"subject\": \"ocpi\", \"person\": \"a\"}]", "claims.bad-field"},
              {"[1", "claims.broken"}};
  for (const auto& [body, id] : rows) EXPECT_EQ(read_claims(body).error().id, id) << body;
}

}  // namespace
}  // namespace tanhui::service
