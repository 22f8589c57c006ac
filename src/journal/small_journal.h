// journal/small_journal.h: an instance's journal and log with made-up records, for tests only.
#pragma once
#include <stdexcept>

#include "db/test_database.h"
#include "journal/catalogue.h"
#include "journal/log.h"
#include "journal/proof.h"
#include "journal/publication.h"
#include "journal/segment.h"
#include "journal/test_folder.h"

namespace tanhui::journal {

inline constexpr core::Millis kMorning = 1'740'787'200'000;

/// Every run books one segment of one day; its event n belongs to person n.
struct SmallJournal {
  TestFolder folder;
  db::Database database = db::test::fresh_database();
  Names names;
  PublicKey first_key;

  SmallJournal() {
    names.activities = {"metro-ride"};
    names.sources = {"gate"};
    names.regions = {"420100"};
    names.methodologies = {"m@1"};
    names.evidences = {"metered"};
    names.outcomes = {"accepted", "rejected"};
    names.reasons = {"credited", "reversed"};
    first_key = open().key();
  }
  Log open() {
    auto log = Log::open(folder.path(), database, 1, "city.example/log");
    if (!log) throw std::runtime_error(log.error().message);
    return *std::move(log);
  }

  void book(RunId run, std::uint64_t people, std::uint16_t revision = 0, std::int64_t milligrams = 1000) {
    const core::Day day{20'148};
    Publication publication(folder / "journal", run);
    SegmentWriter writer(publication.stage("city", day), names, {});
    Columns rows;
    for (std::uint64_t i = 1; i <= people; ++i) add(rows, i, revision, milligrams);
    writer.append(rows, 0, rows.size());
    const SegmentInfo info = writer.close();
    const Log log = open();
    db::Transaction tx = database.begin();
    Run row;
    row.id = run;
    row.key = std::to_string(run);
    row.programme = "city";
    insert_run(tx, row);
    std::vector<Entry> entries;
    entries.emplace_back(std::in_place_type<RunEntry>, RunEntry{row, 1, 0, {}});
    entries.emplace_back(SegmentEntry{"city", day, run, std::int64_t(info.rows), info.milligrams, info.points, std::int64_t(info.bytes),
                                      info.sha256, info.root});
    const std::uint64_t position = log.append(tx, entries, 2).first;
    insert_segment(tx, "city", day, run, position + 1, info);
    tx.commit();
    publication.publish();
    log.publish(database);
  }
  static void add(Columns& rows, std::uint64_t number, std::uint16_t revision, std::int64_t milligrams) {
    rows.person.push_back({number, 7});
    rows.start_ms.push_back(kMorning);
    rows.duration_ms.push_back(1'800'000);
    rows.activity.push_back(0);
    rows.source.push_back(0);
    rows.region.push_back(0);
    rows.methodology.push_back(0);
    rows.event.push_back(number);
    rows.evidence.push_back(0);
    rows.quantity.push_back(13'000);
    rows.outcome.push_back(revision > 0 ? 1 : 0);
    rows.reason.push_back(revision > 0 ? 1 : 0);
    rows.milligrams.push_back(milligrams);
    rows.points.push_back(milligrams / 100);
    rows.revision.push_back(revision);
  }
  std::string prove(std::uint64_t event, std::optional<core::PersonKey> person = {}) {
    auto proof = make_proof(database, folder.path(), {event, person, ""});
    if (!proof) throw std::runtime_error(proof.error().message);
    return *std::move(proof);
  }
};

}  // namespace tanhui::journal
