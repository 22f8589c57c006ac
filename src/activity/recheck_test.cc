// One milligram too many anywhere in the journal is found.
#include "activity/recheck.h"

#include "activity/reports_fixture.h"
#include "journal/segment.h"

namespace tanhui::activity {
namespace {

using namespace test;

/// All rows of a journal, and a way to put changed ones back.
struct Journal {
  journal::Names names;
  std::vector<journal::CataloguedSegment> segments;
  std::vector<journal::Columns> rows;  // by segment

  explicit Journal(City& city, std::string_view programme) {
    segments = journal::files_between(city.instance().database(), programme, core::kFirstDay, core::kLastDay);
    for (const auto& segment : segments) {
      auto reader = *journal::SegmentReader::open(city.instance().journal() / segment.info.path);
      journal::Columns& all = rows.emplace_back();
      for (std::size_t group = 0; group < reader.row_groups(); ++group) {
        journal::Columns columns;
        EXPECT_TRUE(reader.read(group, journal::ColumnSet::all(), names, columns));
        all.append(columns, 0, columns.size());
      }
    }
  }
  void write(City& city, std::size_t segment) const {
    journal::SegmentWriter writer(city.instance().journal() / segments[segment].info.path, names, {});
    writer.append(rows[segment], 0, rows[segment].size());
    writer.close();
  }
  std::string outcome(std::size_t segment, std::size_t row) const {
    return names.outcomes[rows[segment].outcome[row]] + ": " + names.reasons[rows[segment].reason[row]];
  }
};

struct Found {
  Recheck::Counts counts;
  std::vector<Divergence> divergences;
};

Found recheck_of(const Journal& journal) {
  Recheck recheck(library(), everything(), *core::Zone::find("Asia/Shanghai"));
  for (const auto& rows : journal.rows) {
    const auto status = recheck.check(rows, journal.names);
    EXPECT_TRUE(status) << (status ? "" : status.error().message);
  }
  return {recheck.counts(), recheck.divergences()};
}

City& crowded() {  // several runs with adjustments, every kind of record
  static City city(everything());
  static const bool filled = [] {
    Reports reports(7);
    reports.rides();
    reports.taps();
    reports.readings();
    reports.books();
    reports.car_free_days();
    city.header(kWideHeader);
    const std::size_t half = reports.rows.size() / 2;
    city.account({reports.rows.begin() + std::ptrdiff_t(half), reports.rows.end()});
    city.account({reports.rows.begin(), reports.rows.begin() + std::ptrdiff_t(half)});
    return true;
  }();
  EXPECT_TRUE(filled);
  return city;
}

TEST(Recheck, WhatARunBookedIsWhatTheMethodologiesSay) {
  const Journal journal(crowded(), "everything");
  const Found found = recheck_of(journal);
  std::size_t rows = 0;
  for (const auto& segment : journal.rows) rows += segment.size();
  EXPECT_EQ(found.counts.all(), rows);
  EXPECT_EQ(found.counts.differing, 0) << found.divergences.front().booked;
  EXPECT_GT(found.counts.equal, rows / 2);
  EXPECT_GT(found.counts.within_cap, 0);
  EXPECT_GT(found.counts.not_alone, 0);
}

TEST(Recheck, OneMilligramMoreIsFoundWhateverTheOutcome) {
  const Journal journal(crowded(), "everything");
  std::map<std::string, int> tried;
  for (std::size_t segment = 0; segment < journal.rows.size(); ++segment) {
    for (std::size_t row = 0; row < journal.rows[segment].size(); ++row) {
      const std::string outcome = journal.outcome(segment, row);
      if (journal.rows[segment].revision[row] > 0 || outcome == "capped: daily-cap-part") continue;
      const bool reading = journal.names.activities[journal.rows[segment].activity[row]] == "meter-reading";
      if ((reading && outcome == "accepted: credited") || ++tried[outcome] > 3) continue;
      Journal changed = journal;
      ++changed.rows[segment].milligrams[row];
      const Found found = recheck_of(changed);
      ASSERT_EQ(found.counts.differing, 1) << outcome;
      const Divergence& one = found.divergences.front();
      EXPECT_EQ(one.milligrams_booked, one.milligrams_expected + 1) << outcome;
      EXPECT_EQ(one.event, journal.rows[segment].event[row]);
    }
  }
  for (const char* outcome :
       {"accepted: credited", "accepted: paired", "accepted: reading", "accepted: reversal", "capped: daily-cap", "duplicate: overlap",
        "duplicate: same-object", "rejected: reversed", "rejected: no-baseline", "held: awaiting-entry", "held: awaiting-exit"})
    EXPECT_GT(tried[outcome], 0) << outcome << " does not occur";
}

TEST(Recheck, ACappedRecordHasLessThanTheWhole) {
  City city(everything());
  city.header(kWideHeader);
  city.account({text({.event = "b1", .person = "wang", .activity = "secondhand-book", .start = 100, .quantity = 19}),
                text({.event = "b2", .person = "wang", .activity = "secondhand-book", .start = 200, .quantity = 5})});
  Journal journal(city, "everything");
  ASSERT_EQ(journal.outcome(0, 1), "capped: daily-cap-part");
  EXPECT_EQ(recheck_of(journal).counts.within_cap, 1);
  journal.rows[0].milligrams[1] = 1'499'999;
  EXPECT_EQ(recheck_of(journal).counts.within_cap, 1) << "by itself it could have been that";
  journal.rows[0].milligrams[1] = 1'500'000;
  EXPECT_EQ(recheck_of(journal).counts.differing, 1) << "capped, and yet the whole";
  journal.rows[0].milligrams[1] = -1;
  EXPECT_EQ(recheck_of(journal).counts.differing, 1);
}

TEST(Recheck, QuantitiesAndDurationsBeyondTheVersionsLimitsAreFound) {
  City city(everything());
  city.header(kWideHeader);
  city.account({text({.event = "r1", .person = "wang", .activity = "metro-ride", .start = 480, .end = 510, .quantity = 13'000})});
  const struct {
    const char* expected;
    std::int64_t metres, duration_ms;
  } rows[] = {{"", 13'000, 1'800'000},
              {"", 13'001, 1'800'000},
              {"too-fast", 13'000, 60'000},
              {"quantity-too-large", 120'001, 1'800'000},
              {"too-long", 13'000, 5 * 3'600'000}};
  for (const auto& [expected, metres, duration_ms] : rows) {
    Journal journal(city, "everything");
    journal.rows[0].quantity[0] = metres;
    journal.rows[0].duration_ms[0] = duration_ms;
    const Found found = recheck_of(journal);
    EXPECT_EQ(found.counts.differing, metres == 13'000 && *expected == '\0' ? 0 : 1);
    EXPECT_EQ(found.divergences.empty() ? "" : found.divergences.front().expected, expected);
  }
}

TEST(Recheck, ARowWithoutAVersionIsFound) {
  Journal journal(crowded(), "everything");
  journal.rows[0].methodology[0] = journal::kNoName;
  const Found found = recheck_of(journal);
  EXPECT_EQ(found.counts.differing, 1);
  EXPECT_EQ(found.divergences.front().event, journal.rows[0].event[0]);
}

TEST(Recheck, AVersionThatIsGoneIsSaid) {
  Journal journal(crowded(), "everything");
  for (std::string& methodology : journal.names.methodologies) methodology += "7";
  Recheck recheck(library(), everything(), *core::Zone::find("Asia/Shanghai"));
  const auto status = recheck.check(journal.rows[0], journal.names);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().id, "account.methodology-gone");
}

TEST(Resettle, EveryRecordEndsAsItIsBooked) {
  const auto settled = resettle(crowded().instance(), everything(), library(), {});
  ASSERT_TRUE(settled);
  EXPECT_EQ(settled->records, crowded().records().size());
  EXPECT_EQ(settled->differing, 0) << (settled->divergences.empty() ? "" : settled->divergences.front().booked);
}

TEST(Resettle, FindsAMilligramOrAPointInReadingsAdjustmentsAndCappedRecords) {
  for (const bool points : {false, true}) {
    std::map<std::string, int> tried;
    for (std::size_t skip = 0; skip < 600; ++skip) {
      Journal journal(crowded(), "everything");
      std::size_t segment = 0, row = skip;
      while (segment < journal.rows.size() && row >= journal.rows[segment].size()) row -= journal.rows[segment++].size();
      if (segment == journal.rows.size()) break;
      const bool reading = journal.names.activities[journal.rows[segment].activity[row]] == "meter-reading";
      const std::string kind = journal.rows[segment].revision[row] > 0 ? "adjustment" : reading ? "reading" : journal.outcome(segment, row);
      if (++tried[kind] > 2) continue;
      const Journal before = journal;
      ++(points ? journal.rows[segment].points : journal.rows[segment].milligrams)[row];
      journal.write(crowded(), segment);
      const auto settled = resettle(crowded().instance(), everything(), library(), {});
      before.write(crowded(), segment);
      ASSERT_TRUE(settled);
      ASSERT_EQ(settled->differing, 1) << kind;
      const Divergence& found = settled->divergences.front();
      EXPECT_EQ(found.milligrams_booked - found.milligrams_expected, points ? 0 : 1) << kind;
      EXPECT_EQ(found.points_booked - found.points_expected, points ? 1 : 0) << kind;
      EXPECT_EQ(found.event, before.rows[segment].event[row]);
    }
    EXPECT_GT(tried["adjustment"], 0);
    EXPECT_GT(tried["reading"], 0);
  }
}

TEST(LookBack, ARowThatNoRunWritesIsRefused) {
  City city(everything());
  city.header(kWideHeader);
  const auto ride = [](std::string event) {
    return text({std::move(event), "metro-gate", "wang", "metro-ride", "420100", 480, 510, 9000});
  };
  city.account({ride("a")});
  const Journal good(city, "everything");
  const struct {
    const char* why;
    const char* error;
    void (*change)(journal::Columns&);
  } rows[] = {
      {"no methodology", "account.methodology-gone", [](journal::Columns& c) { c.methodology[0] = journal::kNoName; }},
      {"an amount beyond 32 bits", "account.segment-damaged", [](journal::Columns& c) { c.quantity[0] = std::int64_t{1} << 40; }},
      {"less than nothing", "account.segment-damaged", [](journal::Columns& c) { c.quantity[0] = -1; }},
      {"twenty days", "account.segment-damaged", [](journal::Columns& c) { c.duration_ms[0] = 20 * core::kMillisPerDay; }},
      {"too many points", "account.segment-damaged", [](journal::Columns& c) { c.points[0] = std::int64_t{1} << 31; }},
      {"before 1970", "account.segment-damaged", [](journal::Columns& c) { c.start_ms[0] = -1; }},
  };
  for (const auto& [why, error, change] : rows) {
    Journal bad = good;
    change(bad.rows[0]);
    bad.write(city, 0);
    const auto report = city.try_account({ride("b")});
    ASSERT_FALSE(report) << why;
    EXPECT_EQ(report.error().id, error) << why;
  }
  good.write(city, 0);
  EXPECT_TRUE(city.try_account({ride("b")}));
}

}  // namespace
}  // namespace tanhui::activity
